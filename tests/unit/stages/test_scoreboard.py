"""The scoreboard of drawn results: Markdown as a whole, the JSON document's keys as a contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.errors import HarnessError
from harness.metrics.bench2drive_rules import RouteNames
from harness.metrics.checkpoint import checkpoint
from harness.metrics.records import route_record
from harness.metrics.rules import RuleVersion
from harness.stages.evaluate import envelope
from harness.stages.scoreboard import Scoreboard, as_markdown, build_scoreboard, title

GOLDEN = Path(__file__).parents[2] / "golden" / "scoreboard"
RED_LIGHT = Infraction(kind=InfractionKind.RED_LIGHT, other_id=3)
OFF_LANE = Infraction(kind=InfractionKind.OUTSIDE_LANES, percentage=12.5, distance_m=25.0)


def result(
    completion: float = 100.0,
    *infractions: Infraction,
    failure: Failure = Failure.NONE,
    not_built: Mapping[str, int] | None = None,
    rules: RuleVersion = RuleVersion.LEADERBOARD_20,
) -> dict[str, Any]:
    """Draw a result file: 200 m, 40 s simulated in 2.5 s."""
    outcome = RouteOutcome(
        route_id="RouteScenario_1_rep0",
        route_length_m=200.0,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
        duration_sim_s=40.0,
        duration_wall_s=2.5,
    )
    content = checkpoint([route_record(outcome, 0, rules, RouteNames())], 1, stopped_by=failure, version=rules)
    content["harness"] = {"scenarios_not_built": dict(not_built or {}), "wall": {"simulated_per_wall": 16.0}}
    return content


PERFECT = result()
MESSY = result(100.0, RED_LIGHT, RED_LIGHT, OFF_LANE, not_built={"Accident": 2, "HardBreakRoute": 1})
CRASHED = result(37.5, failure=Failure.AGENT_CRASHED)


def board_of(
    folder: Path,
    results: Mapping[tuple[str, int], dict[str, Any] | None],
    *,
    reasons: Mapping[tuple[str, int], str] | None = None,
    planned: Mapping[str, Mapping[str, int]] | None = None,
    **config_changes: Any,
) -> Scoreboard:
    files: dict[tuple[str, int], Path | None] = {}
    for (route, seed), content in results.items():
        files[route, seed] = None
        if content is not None:
            files[route, seed] = file = folder / f"{route}_{seed}.json"
            file.write_text(json.dumps(content))
    config = {
        "bench": "mini",
        "set_version": "1",
        "rule_version": "lb20",
        "agent": "expert",
        "routes": list(dict.fromkeys(route for route, _ in results)),
        "seeds": list(dict.fromkeys(seed for _, seed in results)),
        **config_changes,
    }
    return build_scoreboard(config, Path("outputs/run"), files, reasons or {}, planned or {})


def complete(folder: Path) -> Scoreboard:
    return board_of(folder, {("01", 1): PERFECT, ("02", 1): MESSY, ("10", 1): CRASHED})


def seeds(folder: Path) -> Scoreboard:
    return board_of(
        folder,
        {
            ("01", 1): PERFECT,
            ("02", 1): MESSY,
            ("01", 2): PERFECT,
            ("02", 2): PERFECT,
            ("01", 3): MESSY,
            ("02", 3): CRASHED,
        },
    )


def missing(folder: Path) -> Scoreboard:
    return board_of(
        folder,
        {("01", 1): PERFECT, ("02", 1): None, ("03", 1): None},
        reasons={("02", 1): "error 1:\na | b"},
        planned={"02": {"Accident": 1}, "03": {}},
    )


def nothing(folder: Path) -> Scoreboard:
    return board_of(folder, {("01", 1): None})


def speeds(*percentages: float) -> list[Infraction]:
    return [Infraction(kind=InfractionKind.MIN_SPEED, percentage=percentage) for percentage in percentages]


def bench2drive(folder: Path) -> Scoreboard:
    rules = RuleVersion.BENCH2DRIVE
    results = {
        ("01", 1): result(100.0, *speeds(80.0, 160.0), rules=rules),
        ("02", 1): result(100.0, RED_LIGHT, *speeds(30.0), rules=rules),
        ("03", 1): result(40.0, *speeds(60.0), failure=Failure.TICK_RUNTIME, rules=rules),
        ("04", 1): result(0.0, failure=Failure.AGENT_SETUP, rules=rules),
        ("05", 1): None,
    }
    return board_of(folder, results, bench="bench2drive", rule_version="bench2drive")


BOARDS = {"complete": complete, "seeds": seeds, "missing": missing, "nothing": nothing, "bench2drive": bench2drive}


@pytest.mark.parametrize("name", BOARDS)
def test_markdown_equals_the_golden_file(name: str, tmp_path: Path) -> None:
    expected = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    assert as_markdown(BOARDS[name](tmp_path)) == expected


def test_every_golden_file_has_its_board() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(BOARDS)


def test_document_is_a_contract(tmp_path: Path) -> None:
    document = json.loads(json.dumps(envelope(complete(tmp_path)), allow_nan=False))
    assert list(document) == ["version", "command", "status", "exit_code", "data", "errors"]
    assert (document["version"], document["command"]) == (1, "eval")
    assert (document["status"], document["exit_code"], document["errors"]) == ("success", 0, [])
    data = document["data"]
    assert list(data) == [
        *("bench", "set_version", "rule_version", "agent", "run", "routes"),
        *("mean", "mean_over_available"),
        *("seed_std", "seed_means", "expected", "found", "missing", "crashed", "scenarios_not_built"),
    ]
    assert list(data["routes"][0]) == [
        *("route", "seed", "status", "scores", "infractions", "scenarios_not_built", "route_length_m"),
        *("duration_sim_s", "wall_s", "simulated_per_wall", "result"),
    ]
    assert data["routes"][2]["scores"] == {"score_route": 37.5, "score_penalty": 1.0, "score_composed": 37.5}
    assert data["routes"][1]["status"] == "Completed"
    # 0.7 * 0.7 * 0.875 = 0.42875
    assert data["mean"] == {"score_route": 79.166667, "score_penalty": 0.809583, "score_composed": 60.125}
    assert data["mean_over_available"] == data["mean"]
    assert (data["expected"], data["found"], data["missing"], data["crashed"]) == (3, 3, [], 1)
    assert data["scenarios_not_built"] == {"Accident": 2, "HardBreakRoute": 1}
    assert data["seed_std"] == {}


def test_document_of_a_partial_run(tmp_path: Path) -> None:
    document = envelope(missing(tmp_path))
    assert (document["status"], document["exit_code"]) == ("partial", 3)
    assert document["errors"] == ["02 seed 1: error 1:\na | b", "03 seed 1: not driven yet"]
    data = document["data"]
    assert data["mean"]["score_composed"] == pytest.approx(100.0 / 3.0)
    assert data["mean_over_available"]["score_composed"] == 100.0
    assert data["missing"] == [{"route": "02", "seed": 1}, {"route": "03", "seed": 1}]
    assert data["routes"][1] == {
        "route": "02",
        "seed": 1,
        "status": "no result",
        "reason": "error 1:\na | b",
        "scores": None,
    }
    assert data["scenarios_not_built"] == {"Accident": 1}


def test_document_over_seeds(tmp_path: Path) -> None:
    data = envelope(seeds(tmp_path))["data"]
    assert [mean["seed"] for mean in data["seed_means"]] == [1, 2, 3]
    # Means of 71.4375, 100 and 40.1875.
    assert [mean["score_composed"] for mean in data["seed_means"]] == [71.4375, 100.0, 40.1875]
    assert data["seed_std"]["score_composed"] == pytest.approx(29.9163, abs=1e-4)


def test_document_of_bench2drive_has_its_other_numbers(tmp_path: Path) -> None:
    data = envelope(bench2drive(tmp_path))["data"]
    assert data["success_rate"] == 0.2
    assert data["efficiency"] == {"percent": pytest.approx((120.0 + 30.0 + 60.0) / 3.0), "routes": 3}
    # 100, 70, 40, 0 and a missing one: speeds cost nothing.
    assert data["mean"]["score_composed"] == 42.0
    assert not {"success_rate", "efficiency"} & set(envelope(complete(tmp_path))["data"])


def test_success_is_that_of_bench2drive(tmp_path: Path) -> None:
    """Being blocked costs nothing, but is no success."""
    blocked = result(100.0, Infraction(kind=InfractionKind.BLOCKED), rules=RuleVersion.BENCH2DRIVE)
    data = envelope(board_of(tmp_path, {("01", 1): blocked}, rule_version="bench2drive"))["data"]
    assert (data["mean"]["score_composed"], data["success_rate"]) == (100.0, 0.0)


def test_run_of_an_earlier_version_that_named_two_rule_versions_is_read(tmp_path: Path) -> None:
    before = board_of(tmp_path, {("01", 1): PERFECT}, bench="bench2drive", suite_rule_version="bench2drive")
    assert title(before) == "expert on bench2drive (1), scored by lb20"
    assert before.bench2drive is None


def test_speed_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    content = result(100.0, *speeds(80.0), rules=RuleVersion.BENCH2DRIVE)
    content["_checkpoint"]["records"][0]["infractions"]["min_speed_infractions"] = ["fast"]
    with pytest.raises(HarnessError, match="record RouteScenario_1_rep0: found 'fast', expected \"Average speed"):
        board_of(tmp_path, {("01", 1): content}, rule_version="bench2drive")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("status", "Great", "holds status 'Great', expected Perfect, Completed"),
        ("route_id", 7, "holds `int` at route_id, expected `str`"),
    ],
)
def test_record_of_bench2drive_that_cannot_be_read_is_named(tmp_path: Path, key: str, value: Any, said: str) -> None:
    content = result(rules=RuleVersion.BENCH2DRIVE)
    content["_checkpoint"]["records"][0][key] = value
    with pytest.raises(HarnessError, match=said):
        board_of(tmp_path, {("01", 1): content}, rule_version="bench2drive")


@pytest.mark.parametrize("content", [{}, [], {"_checkpoint": {}}, {"_checkpoint": {"records": []}}, 3])
def test_file_without_a_record_is_named(tmp_path: Path, content: Any) -> None:
    with pytest.raises(HarnessError, match=f"file {tmp_path}/01_1.json holds no record, expected one"):
        board_of(tmp_path, {("01", 1): content})


def test_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text('{"_checkpoint": ')
    config = {"bench": "b", "set_version": "1", "rule_version": "r", "agent": "a", "routes": ["01"], "seeds": [1]}
    with pytest.raises(HarnessError, match=f"file {file} is not complete JSON"):
        build_scoreboard(config, tmp_path, {("01", 1): file}, {}, {})
