"""The result file against the files that the peers' evaluators wrote for the same events, byte for byte."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.metrics import bench2drive_rules, lb20
from harness.metrics.bench2drive_rules import RouteNames
from harness.metrics.checkpoint import checkpoint, ends_run
from harness.metrics.rules import RuleVersion
from harness.metrics.sentences import as_infraction, read_messages, read_sentence
from tests.golden.published import UNEXPLAINED, published_records

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
KINDS = {
    "COLLISION_STATIC": InfractionKind.COLLISION_LAYOUT,
    "COLLISION_PEDESTRIAN": InfractionKind.COLLISION_PEDESTRIAN,
    "COLLISION_VEHICLE": InfractionKind.COLLISION_VEHICLE,
    "TRAFFIC_LIGHT_INFRACTION": InfractionKind.RED_LIGHT,
    "STOP_INFRACTION": InfractionKind.STOP,
    "OUTSIDE_ROUTE_LANES_INFRACTION": InfractionKind.OUTSIDE_LANES,
    "MIN_SPEED_INFRACTION": InfractionKind.MIN_SPEED,
    "YIELD_TO_EMERGENCY_VEHICLE": InfractionKind.YIELD_EMERGENCY,
    "SCENARIO_TIMEOUT": InfractionKind.SCENARIO_TIMEOUT,
    "ROUTE_DEVIATION": InfractionKind.ROUTE_DEVIATION,
    "VEHICLE_BLOCKED": InfractionKind.BLOCKED,
}
FAILURES = {
    "load": Failure.SIMULATION_CRASHED,
    "simulation": Failure.SIMULATION_CRASHED,
    "sensors": Failure.AGENT_SENSORS,
    "agent_init": Failure.AGENT_SETUP,
    "agent_runtime": Failure.AGENT_CRASHED,
    "tick_runtime": Failure.TICK_RUNTIME,
}
NO_AGENT_YET = ("load", "agent_init")


def infraction_of(event: dict[str, Any]) -> Infraction:
    """Read the facts of an event; a share is known better than its sentence prints it."""
    facts = read_sentence(KINDS[event["type"]], event["message"])
    return as_infraction(facts._replace(percentage=event.get("percentage", facts.percentage)))


def outcome_of(route: dict[str, Any]) -> RouteOutcome:
    """Turn the events of one golden route into an outcome."""
    failure = FAILURES[route["failure"]] if "failure" in route else Failure.NONE
    if route.get("failure") == "load":  # the evaluator had no route yet
        return RouteOutcome(route_id=route["route_id"], route_length_m=0, completion_percent=0.0, failure=failure)
    infractions = [infraction_of(event) for event in route["events"] if event["type"] != "ROUTE_COMPLETION"]
    if route.get("route_timeout"):
        infractions.append(Infraction(kind=InfractionKind.ROUTE_TIMEOUT))
    return RouteOutcome(
        route_id=route["route_id"],
        route_length_m=sum(math.dist(a, b) for a, b in itertools.pairwise(route["route_points"])),
        completion_percent=next(e["route_completed"] for e in route["events"] if e["type"] == "ROUTE_COMPLETION"),
        infractions=tuple(infractions),
        failure=failure,
        duration_sim_s=route["duration_game"],
        duration_wall_s=route["duration_system"],
    )


def record_of(route: dict[str, Any], index: int, version: RuleVersion) -> dict[str, Any]:
    if version is not RuleVersion.BENCH2DRIVE:
        return lb20.route_record(outcome_of(route), index, version=version)
    names = RouteNames(**{key: route[key] for key in ("scenario_name", "weather_id", "save_name", "town_name")})
    return bench2drive_rules.route_record(outcome_of(route), index, names)


def evaluate(case: dict[str, Any], version: RuleVersion) -> dict[str, Any]:
    """Do what the evaluator does: stop at the first failure that ends a run."""
    records: list[dict[str, Any]] = []
    stopped_by, sensors = Failure.NONE, []
    for index, route in enumerate(case["routes"]):
        records.append(record_of(route, index, version))
        if route.get("failure") not in NO_AGENT_YET:
            sensors = case["sensors"]
        failure = outcome_of(route).failure
        if ends_run(failure, version):
            stopped_by = failure
            break
    return checkpoint(records, case["total_routes"], sensors=sensors, stopped_by=stopped_by, version=version)


@pytest.mark.parametrize(("case", "tool"), CASES)
def test_result_file_equals_the_official_one(harness_data: Path, case: str, tool: str) -> None:
    folder = harness_data / "golden" / "writer"
    events = json.loads((folder / f"{case}.events.json").read_text(encoding="utf-8"))
    expected = (folder / f"{case}.expected.{tool}.json").read_text(encoding="utf-8")
    assert json.dumps(evaluate(events, TOOLS[tool]), indent=4) == expected.rstrip("\n")


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
