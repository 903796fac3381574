"""Records and run ends of the Bench2Drive fork."""

from __future__ import annotations

import pytest

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.metrics import lb20
from harness.metrics.bench2drive_rules import RouteNames, route_record
from harness.metrics.checkpoint import checkpoint, ends_run
from harness.metrics.rules import RuleVersion

B2D = RuleVersion.BENCH2DRIVE
NAMES = RouteNames(scenario_name="Accident_1", weather_id="3", save_name="folder", town_name="Town12")


def outcome(completion: float, *infractions: Infraction, failure: Failure = Failure.NONE) -> RouteOutcome:
    return RouteOutcome(
        route_id="RouteScenario_7_rep0",
        route_length_m=100.0,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
    )


def test_record_has_four_more_keys_in_their_places() -> None:
    record = route_record(outcome(100.0), 4, NAMES)
    assert list(record)[:5] == ["index", "route_id", "scenario_name", "weather_id", "save_name"]
    assert list(record)[5:] == ["status", "num_infractions", "infractions", "scores", "meta", "town_name"]
    added = {"scenario_name": "Accident_1", "weather_id": "3", "save_name": "folder", "town_name": "Town12"}
    assert record == {**lb20.route_record(outcome(100.0), 4), **added}


def test_names_may_be_unknown() -> None:
    record = route_record(outcome(100.0), 0, RouteNames(town_name="Town12"))
    assert (record["scenario_name"], record["weather_id"], record["save_name"]) == (None, None, None)


def test_twenty_min_speed_entries_cost_nothing_but_perfection() -> None:
    speeds = [Infraction(kind=InfractionKind.MIN_SPEED, percentage=15.0 * step) for step in range(20)]
    record = route_record(outcome(100.0, *speeds), 0, NAMES)
    assert record["scores"] == {"score_route": 100, "score_penalty": 1.0, "score_composed": 100.0}
    assert (record["status"], record["num_infractions"]) == ("Completed", 20)
    assert record["infractions"]["min_speed_infractions"][-1].startswith("Average speed is 285.0% of ")


def test_cut_drive_keeps_its_score_and_says_so() -> None:
    record = route_record(outcome(61.17, failure=Failure.TICK_RUNTIME), 0, NAMES)
    assert (record["status"], record["scores"]["score_composed"]) == ("Failed - TickRuntime", 61.17)


@pytest.mark.parametrize("version", list(RuleVersion))
def test_failure_that_ends_a_run(version: RuleVersion) -> None:
    ending = {failure for failure in Failure if ends_run(failure, version)}
    always = {Failure.SIMULATION_CRASHED, Failure.AGENT_SENSORS}
    assert ending == (always | {Failure.AGENT_SETUP} if version is B2D else always)


@pytest.mark.parametrize("planned", [1, 4])
def test_agent_that_cannot_be_set_up_ends_the_run_without_a_verdict(planned: int) -> None:
    records = [route_record(outcome(0, failure=Failure.AGENT_SETUP), 0, NAMES)]
    content = checkpoint(records, planned, stopped_by=Failure.AGENT_SETUP, version=B2D)
    assert (content["entry_status"], content["eligible"]) == ("Started", False)
    assert (content["_checkpoint"]["global_record"], content["values"], content["labels"]) == ({}, [], [])
    assert content["_checkpoint"]["progress"] == [1, planned]
