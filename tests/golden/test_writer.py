"""The result file against the files that the peers' evaluators wrote for the same events, byte for byte."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.datatypes.result import Failure, RouteOutcome
from harness.metrics import bench2drive_rules, lb20
from harness.metrics.bench2drive_rules import RouteNames
from harness.metrics.rules import RuleVersion
from harness.metrics.sentences import read_messages
from tests.golden.published import UNEXPLAINED, published_records
from tests.unit.metrics.told import as_infraction

SHARED_CASES = (
    "agent_failures",
    "extremes",
    "mixed",
    "scenario_load_crash",
    "sensors_rejected",
    "simulation_crash_midway",
    "single_perfect",
    "zero_progress",
)
#: What the folder calls a rule version.
TOOLS = {"lb20": RuleVersion.LEADERBOARD_20, "lb21": RuleVersion.LEADERBOARD_21, "b2d": RuleVersion.BENCH2DRIVE}
CASES = [*itertools.product(SHARED_CASES, TOOLS), ("tick_runtime", "b2d")]


@pytest.mark.parametrize("is_file", [False, True], ids=["stdout", "file"])
@pytest.mark.parametrize(("case", "tool"), CASES)
def test_command_writes_the_official_file(
    harness_data: Path, tmp_path: Path, case: str, tool: str, is_file: bool
) -> None:
    folder, output = harness_data / "golden" / "writer", tmp_path / "result.json"
    expected = (folder / f"{case}.expected.{tool}.json").read_text(encoding="utf-8")
    command = ["checkpoint", str(folder / f"{case}.events.json"), "--rules", TOOLS[tool].value]
    answer = CliRunner().invoke(cli, [*command, "--output", str(output)] if is_file else command)
    assert answer.exit_code == 0, answer.output
    if is_file:
        assert (output.read_text(encoding="utf-8"), answer.stdout) == (expected, "")
    else:
        assert answer.stdout == expected + "\n"


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    files = (harness_data / "golden" / "writer").glob("*.expected.*.json")
    assert sorted(file.name for file in files) == sorted(f"{case}.expected.{tool}.json" for case, tool in CASES)


def rewritten(record: dict[str, Any], version: RuleVersion) -> dict[str, Any]:
    """Write a record anew from the facts in its sentences."""
    reason = record["status"].partition(" - ")[2]
    is_from_outside = reason in {failure.value for failure in Failure}
    outcome = RouteOutcome(
        route_id=record["route_id"],
        route_length_m=record["meta"]["route_length"],
        completion_percent=record["scores"]["score_route"],
        infractions=tuple(map(as_infraction, read_messages(record["infractions"]))),
        failure=Failure(reason) if is_from_outside else Failure.NONE,
        duration_sim_s=record["meta"]["duration_game"],
        duration_wall_s=record["meta"]["duration_system"],
    )
    if version is not RuleVersion.BENCH2DRIVE:
        return lb20.route_record(outcome, record["index"], version=version)
    names = RouteNames(**{key: record[key] for key in ("scenario_name", "weather_id", "save_name", "town_name")})
    return bench2drive_rules.route_record(outcome, record.get("index", -1), names)


@pytest.mark.parametrize(
    ("folder", "version", "expected_count"),
    [
        ("fail2drive/TFv6", RuleVersion.FAIL2DRIVE, 600),
        ("bench2drive", RuleVersion.BENCH2DRIVE, 1732),
    ],
)
def test_published_records_are_reproduced(
    harness_data: Path, folder: str, version: RuleVersion, expected_count: int
) -> None:
    """Names, sentences, status and meta to the letter; scores but for the two decimals of a printed share."""
    count = 0
    for name, record in published_records(harness_data / "results", folder):
        ours = rewritten(record, version)
        is_merged = "index" not in record
        assert list(ours) == (["index"] if is_merged else []) + list(record)
        theirs = {"index": -1, **record}
        if (name, record["route_id"]) not in UNEXPLAINED:
            assert ours["scores"] == {
                "score_route": record["scores"]["score_route"],
                "score_penalty": pytest.approx(record["scores"]["score_penalty"], abs=1e-4),
                "score_composed": pytest.approx(record["scores"]["score_composed"], abs=1e-2),
            }
        del ours["scores"], theirs["scores"]
        assert json.dumps(ours) == json.dumps({key: theirs[key] for key in ours})
        count += 1
    assert count == expected_count
