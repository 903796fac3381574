"""Scoring as a whole: what counts, what is missing, and that the way files lie changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import __version__
from harness.cli import cli
from harness.config import SUITES_DIR
from harness.errors import ConfigError, HarnessError
from harness.results.result_set import OnDuplicate
from harness.route_facts import read_route_facts
from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_compare import compare
from harness.stages.score_data import digest, report_data
from harness.stages.score_files import rendered
from harness.stages.score_text import score_lines
from tests.unit.results.drawn import checkpoint, pack, record, write

MINI = 16
SPEED = "Average speed is {}% of the surrounding traffic's one"


def scored(*paths: Path, bench: str = "mini", **options: Any) -> ScoreReport:
    return score(ScoreRequest(paths=paths, bench=bench, **options))


def drive(xml_id: object, driving_score: float = 70.0, **changes: Any) -> dict[str, Any]:
    scores = {"score_route": driving_score, "score_penalty": 1.0, "score_composed": driving_score}
    return record(xml_id, **{"scores": scores, "infractions": {}, **changes})


def of_bench2drive(xml_id: str, town: str = "Town12", **changes: Any) -> dict[str, Any]:
    return drive(xml_id, 100.0, town_name=town, **changes)


def test_a_seed_that_was_planned_and_never_began_counts(tmp_path: Path) -> None:
    """Otherwise a run whose third seed is lost would look complete with two."""
    run = tmp_path / "run"
    units = [
        {"unit_id": f"{xml_id}_{seed}", "suite": "mini", "seed": seed, "repetition": 0, "route_id": str(xml_id)}
        for seed in (1, 2)
        for xml_id in range(1, MINI + 1)
    ]
    write(run / "units.jsonl", "".join(json.dumps(unit) + "\n" for unit in units))
    for xml_id in range(1, MINI + 1):
        write(run / f"seed1/{xml_id}.json", checkpoint([drive(xml_id, 100.0)]))
    report = scored(run)
    assert [seed.sweep.seed for seed in report.seeds] == [1, 2]
    assert (report.scores.expected, report.scores.found, report.missing) == (32, 16, 16)
    assert report.scores.driving_score == 50.0 and not report.has_headline


def test_each_repetition_counts_as_a_drive_over_the_whole_set(tmp_path: Path) -> None:
    """Divided by the routes alone, three repetitions would give a driving score of 300."""
    drives = [drive(xml_id, 100.0, route_id=f"RouteScenario_{xml_id}_rep{k}") for xml_id in (1, 2) for k in (0, 1, 2)]
    write(tmp_path / "a.json", checkpoint(drives))
    report = scored(tmp_path)
    assert [str(seed.sweep) for seed in report.seeds] == ["unknown", "unknown repetition 1", "unknown repetition 2"]
    assert (report.scores.expected, report.scores.found, report.missing) == (3 * MINI, 6, 3 * MINI - 6)
    assert report.scores.driving_score == 100.0 * 2 / MINI


def test_the_spread_and_the_interval_are_over_seeds_and_routes(tmp_path: Path) -> None:
    for seed, driving_score in ((1, 70.0), (2, 80.0), (3, 60.0)):
        drives = [drive(xml_id, driving_score) for xml_id in range(1, MINI + 1)]
        write(tmp_path / f"seed{seed}" / "a.json", checkpoint(drives))
    report = scored(tmp_path)
    assert (report.scores.driving_score, report.deviation) == (70.0, 10.0)
    # Every route has the same mean over its seeds, so that other routes would change nothing.
    assert (report.interval.low, report.interval.high) == (70.0, 70.0)
    assert "spread over 3 seeds (sample formula): DS 10.00, SR 0.00 %" in "\n".join(
        score_lines(report, with_means=True)
    )


def test_a_damaged_file_beside_a_whole_set_hides_no_score_and_is_no_success(tmp_path: Path) -> None:
    write(tmp_path / "a.json", checkpoint([drive(xml_id) for xml_id in range(1, MINI + 1)]))
    assert scored(tmp_path).is_complete
    write(tmp_path / "b.json", "{")
    report = scored(tmp_path)
    assert report.has_headline and not report.is_complete


def test_a_drive_of_ours_that_took_several_attempts_is_a_retried_one(tmp_path: Path) -> None:
    for xml_id, attempts in ((1, 1), (2, 3)):
        unit = tmp_path / "run" / f"0{xml_id}"
        for number in range(1, attempts + 1):
            write(unit / f"attempt_{number}" / "attempt.json", {"outcome": "simulator crash"})
        section = {"suite": "mini", "seed": 1, "agent": "expert", "rule_version": "lb20"}
        write(unit / "result.json", checkpoint([drive(xml_id)]) | {"harness": section})
    report = scored(tmp_path / "run")
    assert (report.scores.found, report.retried) == (2, 1)


def test_an_off_lane_sentence_of_leaderboard_10_without_metres_is_a_problem(tmp_path: Path) -> None:
    kinds = ("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction")
    nine = {key: [] for key in (*kinds, "outside_route_lanes", "route_dev", "route_timeout", "vehicle_blocked")}
    write(tmp_path / "a.json", checkpoint([drive(1, infractions=nine | {"outside_route_lanes": ["somewhere"]})]))
    report = scored(tmp_path)
    assert report.garage is None and "somewhere" in str(report.problems[0])


def test_one_drive_of_two_results_is_a_retried_one(tmp_path: Path) -> None:
    write(tmp_path / "a.json", checkpoint([drive(1, 10.0), drive(2, 20.0)]))
    write(tmp_path / "b.json", checkpoint([drive(1, 90.0)]))
    report = scored(tmp_path, on_duplicate=OnDuplicate.FIRST)
    assert (report.retried, report.driven) == (1, {"01": 10.0, "02": 20.0})


def test_a_town_tells_two_editions_apart(tmp_path: Path) -> None:
    """Some ids are in both Bench2Drive sets of 220 routes, with other content."""
    write(tmp_path / "a.json", checkpoint([of_bench2drive("1711"), of_bench2drive("1773", town="Town04")]))
    report = scored(tmp_path, bench="bench2drive")
    assert (report.scores.found, report.outside) == (1, ("1773",))


def test_a_subset_can_be_scored_from_results_of_the_whole_set(tmp_path: Path) -> None:
    inside = [of_bench2drive("1711"), of_bench2drive("1773", town="/Game/Carla/Maps/Town12")]
    others = [of_bench2drive(f"9{number}") for number in range(20)]
    write(tmp_path / "a.json", checkpoint([*inside, *others]))
    report = scored(tmp_path, bench="bench2drive")
    assert (report.scores.found, len(report.outside)) == (2, 20)
    # One id that fits by accident does not become surer by another that names its town.
    write(tmp_path / "a.json", checkpoint([drive("1711"), inside[1], *others]))
    with pytest.raises(ConfigError, match="20 routes that bench2drive does not have"):
        scored(tmp_path, bench="bench2drive")


def test_what_cannot_be_read_of_one_record_is_a_problem_of_its_file(tmp_path: Path) -> None:
    wrong = {"min_speed_infractions": ["slow"]}
    right = {"min_speed_infractions": [SPEED.format(50), SPEED.format(150.0)]}
    drives = [of_bench2drive("1711", infractions=wrong), of_bench2drive("1773", infractions=right)]
    file = write(tmp_path / "a.json", checkpoint(drives))
    report = scored(tmp_path, bench="bench2drive")
    assert report.efficiency is not None
    assert (report.efficiency.percent, report.efficiency.routes) == (100.0, 1)
    (problem,) = report.problems
    assert str(problem).startswith(f"{file} record 0: found record RouteScenario_1711_rep0: found 'slow'")
    assert not report.is_complete


def test_comfort_is_over_the_records_that_have_a_motion_log(tmp_path: Path) -> None:
    still = {"acceleration": [0, 0, 0], "angular_velocity": [0, 0, 0]}
    steady = still | {"forward_vector": [1, 0, 0], "right_vector": [0, 1, 0]}
    jerky = steady | {"acceleration": [9, 0, 0]}
    ids = ("1711", "1773", "1790", "1792")
    write(tmp_path / "a.json", checkpoint([of_bench2drive(xml_id, save_name=f"s_{xml_id}") for xml_id in ids]))
    motion: list[list[Any]] = [[steady] * 20, [*[steady] * 20, *[jerky] * 20], [5]]
    for xml_id, steps in zip(ids, motion, strict=False):
        write(tmp_path / f"s_{xml_id}" / "metric_info.json", dict(enumerate(steps)))
    report = scored(tmp_path, bench="bench2drive")
    assert report.comfort is not None
    assert (report.comfort.value, report.comfort.routes, len(report.comfort.missing)) == (0.75, 2, 2)
    (problem,) = report.problems
    assert "s_1790/metric_info.json: found `int`" in str(problem)
    assert "comfort: 75.00 % over 2 records with a motion log" in list(score_lines(report, with_means=True))


def test_routes_are_grouped_by_their_scenario(tmp_path: Path) -> None:
    drives = [of_bench2drive("1711"), of_bench2drive("1773", status="Failed", infractions={})]
    write(tmp_path / "a.json", checkpoint(drives))
    report = scored(tmp_path, bench="bench2drive")
    cut_in = report.scenarios["ParkingCutIn"]
    assert (cut_in.expected, cut_in.found, cut_in.successes, cut_in.driving_score) == (5, 1, 1, 20.0)
    assert report.scenarios["ParkedObstacle"].successes == 0
    assert sum(each.expected for each in report.scenarios.values()) == 220


def test_agents_are_compared_on_routes_that_both_have(tmp_path: Path) -> None:
    write(tmp_path / "a" / "a.json", checkpoint([of_bench2drive("1711"), drive("1773", 40.0), drive("1790", 50.0)]))
    write(tmp_path / "b" / "b.json", checkpoint([drive("1711", 100.0), drive("1773", 80.0)]))
    reports = {name: scored(tmp_path / name, bench="bench2drive") for name in ("a", "b")}
    found = compare(reports, "a", "b")
    assert (found.overall.routes, found.overall.difference, found.overall.won) == (2, 20.0, ("1773",))
    assert {name: each.difference for name, each in found.scenarios.items()} == {
        "ParkedObstacle": 40.0,
        "ParkingCutIn": 0.0,
    }
    assert compare(reports, "b", "a").overall.difference == -20.0
    write(tmp_path / "c" / "c.json", checkpoint([drive("1792", 80.0)]))
    with pytest.raises(HarnessError, match="no route that both"):
        compare(reports | {"c": scored(tmp_path / "c", bench="bench2drive")}, "b", "c")


SUFFIXES = {"text": "txt", "json": "json", "markdown": "md", "csv": "csv", "latex": "tex", "html": "html"}


@pytest.mark.parametrize("agents", [1, 2])
def test_what_is_saved_is_what_the_command_prints(tmp_path: Path, agents: int) -> None:
    results = write(tmp_path / "a.json", checkpoint([drive(xml_id, 100.0) for xml_id in range(1, MINI + 1)]))
    named = [f"agent{number}={results}" for number in range(agents)]
    folder = tmp_path / "new" / "folder"
    for form, suffix in SUFFIXES.items():
        command = ["score", *named, "--bench", "mini", "--output", form, "--save", str(folder)]
        printed = CliRunner().invoke(cli, command, standalone_mode=False, catch_exceptions=False).stdout_bytes
        saved = (folder / f"scores.{suffix}").read_bytes()
        if form == "json":
            assert json.loads(saved) == json.loads(printed)["data"]
        else:
            assert saved == printed
    assert sorted(each.name for each in folder.iterdir()) == sorted(f"scores.{suffix}" for suffix in SUFFIXES.values())


# --- the way files lie -----------------------------------------------------------------------------------------------

_SENTENCES = {
    "red_light": "Agent ran a red light 7 at (x=1.0, y=2.0, z=0.0)",
    "collisions_vehicle": "Agent collided against object with type=a and id=1 at (x=0.0, y=0.0, z=0.0)",
    "min_speed_infractions": SPEED.format("50.5"),
}


@st.composite
def _drives(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(st.integers(1, MINI), unique=True, min_size=1, max_size=MINI))
    return [_drive(draw, xml_id) for xml_id in ids]


def _drive(draw: st.DrawFn, xml_id: int) -> dict[str, Any]:
    completion = draw(st.integers(0, 100))
    penalty = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    keys = draw(st.lists(st.sampled_from(sorted(_SENTENCES)), max_size=3))
    return record(
        xml_id,
        status=draw(st.sampled_from(["Perfect", "Completed", "Failed", "Failed - Agent crashed"])),
        scores={"score_route": completion, "score_penalty": penalty, "score_composed": completion * penalty},
        infractions={key: [_SENTENCES[key]] * keys.count(key) for key in keys},
    )


def _essence(report: ScoreReport) -> dict[str, Any]:
    """Return everything but where things lie."""
    data = report_data(report, with_means=True)
    for key in ("digest", "files", "notes", "lead_repeats"):
        del data[key]
    data["problems"] = sorted(problem.partition(": ")[2] for problem in data["problems"])
    for route in data["routes"]:
        del route["file"]
    return data


def _lay(folder: Path, drives: Sequence[Mapping[str, Any]], shards: Sequence[int], how: str) -> Path:
    """Write the drives as shards, one file each, or in an archive."""
    files: dict[str, list[Mapping[str, Any]]] = {}
    for index, (each, shard) in enumerate(zip(drives, shards, strict=True)):
        files.setdefault(f"{shard}.json" if how != "single" else f"sub{shard}x/{index}.json", []).append(each)
    if how == "archive":
        members = {name: json.dumps(checkpoint(of_file), indent=3).encode() for name, of_file in files.items()}
        return pack(folder / "all.tar.gz", members)
    for name, of_file in files.items():
        write(folder / name, checkpoint(of_file))
    return folder


def _as_floats(drives: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write whole numbers with a decimal point, as other programs do."""
    return [{**each, "scores": {name: float(value) for name, value in each["scores"].items()}} for each in drives]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_shards_archives_and_number_formats_change_nothing(data: st.DataObject) -> None:
    drives = data.draw(_drives())
    dealt = data.draw(st.permutations(drives))
    shards = data.draw(st.lists(st.integers(0, 3), min_size=len(drives), max_size=len(drives)))
    how = data.draw(st.sampled_from(["shards", "single", "archive"]))
    with tempfile.TemporaryDirectory() as name:
        one, other = Path(name, "one"), Path(name, "other")
        first = scored(_lay(one, drives, [0] * len(drives), "shards"))
        other.mkdir()
        second = scored(_lay(other, _as_floats(dealt), shards, how))
    assert _essence(second) == _essence(first)
    assert all(0.0 <= each.route.penalty <= 1.0 for each in first.records)


@settings(max_examples=40, deadline=None)
@given(_drives(), st.data())
def test_taking_a_route_away_never_raises_an_official_score(drives: list[dict[str, Any]], data: st.DataObject) -> None:
    kept = [each for each in drives if data.draw(st.booleans())] or drives[:1]
    with tempfile.TemporaryDirectory() as name:
        whole = scored(write(Path(name, "whole.json"), checkpoint(drives)))
        part = scored(write(Path(name, "part.json"), checkpoint(kept)))
    assert part.scores.driving_score <= whole.scores.driving_score
    assert part.scores.success_rate <= whole.scores.success_rate
    assert part.missing == MINI - len(kept)
    for report in (whole, part):
        assert 0.0 <= report.interval.low <= report.interval.high <= 100.0
        for form in ("text", "json", "markdown", "csv", "latex"):
            assert rendered(form, {"x": report}, None, allow_partial=True)


# --- whole texts -----------------------------------------------------------------------------------------------------

MESSY = """\
Mini: every kind of junction in our own towns (2), rules Leaderboard 2.0
drives: 32 expected, 5 found, 27 missing, 1 crashed, 1 retried; 2 seed(s): 1, 2
  LEAD's scripts would throw 1 of the files away and drive again
official (missing = 0, divisor 32): DS 9.98, SR 6.25 % (perfect)
  95 % of routes drawn anew: DS 1.56 to 19.36, SR 0.00 to 15.62 %
  spread over 2 seeds (sample formula): DS 11.95, SR 8.84 %
over those found (divisor 5): DS 63.90, SR 40.00 %, RC 75.00
success by rule perfect: 2 of 5
per km over 0.45 km: red_light 6.639
off the route's lanes, of the kilometres driven: 0.00 %
slower than the traffic, mean over the records: 19.82 %
normalised as LEAD's parser does: DS 42.03; 10.8 km/h
audit: 3 of 5 penalties follow from their events by Leaderboard 2.0
  the files fit better to: Bench2Drive (Leaderboard 2.0, min speed costs nothing)
  RouteScenario_1_rep0: found penalty 0.700000, expected 0.595945, found fits bench2drive
  RouteScenario_2_rep0: found penalty 1.000000, expected 0.851350, found fits bench2drive
statuses: 3 Completed, 1 Failed - Agent crashed, 1 Failed - Agent got blocked
missing of seed 1: 05, 06, 07, 08, 09 and 7 more
missing of seed 2: 02, 03, 04, 05, 06 and 10 more
records of other routes, not counted: 99 (1)
problem: FOLDER/seed1/bad0.json: found input data was truncated, expected complete JSON
problem: FOLDER/seed1/bad1.json: found input data was truncated, expected complete JSON
problem: FOLDER/seed1/bad2.json: found input data was truncated, expected complete JSON
problem: FOLDER/seed1/bad3.json: found input data was truncated, expected complete JSON
problem: FOLDER/seed1/bad4.json: found input data was truncated, expected complete JSON
and 2 more problems; --output json lists all
note: FOLDER/seed1/b.json: replaced by the first of each drive, in FOLDER/seed1/a.json: 1 records
from 2 file(s), digest DIGEST, rules lb20, carla-harness VERSION
"""


def messy(folder: Path) -> ScoreReport:
    """Draw results with everything that can be told of results."""
    red, slow = _SENTENCES["red_light"], SPEED.format("50.45")
    fits_other_rules = {"red_light": [red], "min_speed_infractions": [slow]}
    scores = {"score_route": 100.0, "score_penalty": 0.7, "score_composed": 70.0}
    crash = {"score_route": 25.0, "score_penalty": 1.0, "score_composed": 25.0}
    first = [
        record(1, scores=scores, infractions=fits_other_rules),
        drive(2, 100.0, infractions={"min_speed_infractions": [slow]}),
        drive(3, 100.0),
        record(4, scores=crash, infractions={"red_light": []}, status="Failed - Agent crashed"),
    ]
    write(folder / "seed1" / "a.json", checkpoint(first))
    write(folder / "seed1" / "b.json", checkpoint([drive(3, 10.0)]))
    half = {"score_route": 50.0, "score_penalty": 0.49, "score_composed": 24.5}
    seed_2 = record(1, scores=half, infractions={"red_light": [red, red]}, status="Failed - Agent got blocked")
    write(folder / "seed2" / "a.json", checkpoint([seed_2, drive(99)]))
    for number in range(6):
        write(folder / "seed1" / f"bad{number}.json", "{")
    return scored(folder, on_duplicate=OnDuplicate.FIRST)


def test_the_whole_text(tmp_path: Path) -> None:
    report = messy(tmp_path)
    found = "\n".join(score_lines(report, with_means=True)) + "\n"
    found = found.replace(str(tmp_path), "FOLDER").replace(digest(report), "DIGEST")
    assert found == MESSY.replace("VERSION", __version__)
    silent = "\n".join(score_lines(report, with_means=False))
    assert "DS" not in silent and "no score of an incomplete set; --allow-partial prints it with its divisor" in silent


def test_the_document_counts_what_the_text_counts(tmp_path: Path) -> None:
    data = report_data(messy(tmp_path), with_means=True)
    counts = {key: data[key] for key in ("expected", "found", "missing", "crashed", "retried", "successes")}
    assert counts == {"expected": 32, "found": 5, "missing": 27, "crashed": 1, "retried": 1, "successes": 2}
    assert [route["is_success"] for route in data["routes"]].count(True) == 2
    assert (data["audit"]["best_fits"], len(data["audit"]["mismatches"])) == (["bench2drive"], 2)
    assert [len(data[key]) for key in ("problems", "notes", "outside", "files")] == [7, 1, 1, 9]


def test_a_comparison_of_incomplete_sets_is_on_no_page_unless_asked_for(tmp_path: Path) -> None:
    reports = {"a": messy(tmp_path / "a"), "b": messy(tmp_path / "b")}
    comparison = compare(reports, "a", "b")
    assert "b against a" not in rendered("html", reports, comparison, allow_partial=False)
    asked = rendered("html", reports, comparison, allow_partial=True)
    assert "<h2>b against a</h2>" in asked and "<b>1</b> retried" in asked


def test_an_ability_that_one_seed_lacks_has_no_mean(tmp_path: Path) -> None:
    """Accident is of Overtaking; the second seed has no route of that group."""
    facts = read_route_facts("bench2drive", SUITES_DIR)
    accident = next(each for each in facts.values() if each.scenario == "Accident")
    write(tmp_path / "seed1" / "a.json", checkpoint([of_bench2drive(accident.xml_id, town=accident.town)]))
    write(tmp_path / "seed2" / "a.json", checkpoint([of_bench2drive("1711")]))
    (old, _) = scored(tmp_path, bench="bench2drive").abilities
    assert [seed.value_of("Overtaking") for seed in old.per_seed] == [1.0, None]
    assert old.values["Overtaking"] is None
