"""The result file of a run: which parts it has when, and the rules of the global record."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.checkpoint import checkpoint, global_record

K = InfractionKind


def record(
    index: int, completion: float, *infractions: Infraction, failure: Failure = Failure.NONE, length_m: float = 1000.0
) -> dict[str, Any]:
    outcome = RouteOutcome(
        route_id=f"RouteScenario_{index}_rep0",
        route_length_m=length_m,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
        duration_sim_s=10.0,
        duration_wall_s=2.0,
    )
    return lb20.route_record(outcome, index)


RED = Infraction(kind=K.RED_LIGHT)
OUTSIDE = Infraction(kind=K.OUTSIDE_LANES, percentage=10.0, distance_m=80.25)


def test_file_has_the_keys_of_the_leaderboard_in_order() -> None:
    data = checkpoint([record(0, 100.0)], 1, sensors=["carla_camera"])
    assert list(data) == ["_checkpoint", "entry_status", "eligible", "sensors", "values", "labels"]
    assert list(data["_checkpoint"]) == ["global_record", "progress", "records"]
    assert (data["entry_status"], data["eligible"], data["sensors"]) == ("Finished", True, ["carla_camera"])
    assert len(data["values"]) == len(data["labels"]) == 15


@pytest.mark.parametrize(
    ("records", "planned", "stopped_by", "status", "has_global"),
    [
        ([], 0, Failure.NONE, "Started", False),
        ([], 2, Failure.NONE, "Started", False),
        ([record(0, 100.0)], 2, Failure.NONE, "Started", False),
        ([record(0, 100.0), record(1, 0.0)], 2, Failure.NONE, "Finished", True),
        ([record(0, 9.0, failure=Failure.AGENT_CRASHED)], 1, Failure.AGENT_CRASHED, "Finished", True),
        ([record(0, 0.0, failure=Failure.AGENT_SETUP)], 1, Failure.AGENT_SETUP, "Finished", True),
        ([record(0, 9.0, failure=Failure.AGENT_CRASHED)], 2, Failure.AGENT_CRASHED, "Started", False),
        ([record(0, 9.0, failure=Failure.SIMULATION_CRASHED)], 1, Failure.SIMULATION_CRASHED, "Crashed", False),
        ([record(0, 9.0, failure=Failure.SIMULATION_CRASHED)], 3, Failure.SIMULATION_CRASHED, "Crashed", False),
        ([record(0, 9.0, failure=Failure.AGENT_SENSORS)], 3, Failure.AGENT_SENSORS, "Rejected", False),
        ([record(0, 9.0, failure=Failure.SIMULATION_CRASHED), record(1, 100.0)], 2, Failure.NONE, "Crashed", True),
        ([record(0, 9.0, failure=Failure.AGENT_SENSORS), record(1, 100.0)], 2, Failure.NONE, "Rejected", True),
    ],
)
def test_entry_status_and_global_record(
    records: list[dict[str, Any]], planned: int, stopped_by: Failure, status: str, has_global: bool
) -> None:
    data = checkpoint(records, planned, sensors=["carla_imu"], stopped_by=stopped_by)
    assert (data["entry_status"], data["eligible"]) == (status, status == "Finished")
    assert data["_checkpoint"]["progress"] == [len(records), planned]
    assert data["_checkpoint"]["records"] == records
    assert bool(data["_checkpoint"]["global_record"]) == bool(data["values"]) == bool(data["labels"]) == has_global
    assert data["sensors"] == ([] if status == "Rejected" else ["carla_imu"])


def test_missing_route_counts_as_zero() -> None:
    """Two of four routes with 100 and 50: mean 37.5 and the deviation over the records only."""
    part = global_record([record(0, 100.0), record(1, 50.0)], 4)
    assert part["scores_mean"] == {"score_composed": 37.5, "score_route": 37.5, "score_penalty": 0.5}
    deviation = round(math.sqrt((62.5**2 + 12.5**2) / 3), 3)
    assert part["scores_std_dev"] == {"score_composed": deviation, "score_route": deviation, "score_penalty": 0.408}


def test_rates_are_per_driven_kilometre_except_off_lane() -> None:
    part = global_record([record(0, 100.0, RED, RED), record(1, 50.0, RED, OUTSIDE)], 2)
    assert part["infractions"]["red_light"] == 2.0
    assert part["infractions"]["outside_route_lanes"] == 0.08
    assert list(part["infractions"]) == [kind.value for kind in K]


def test_nothing_driven_counts_as_one_metre() -> None:
    assert global_record([record(0, 0.0, RED)], 1)["infractions"]["red_light"] == 1000.0


@pytest.mark.parametrize(
    ("records", "status"),
    [
        ([record(0, 100.0)], "Perfect"),
        ([record(0, 100.0), record(1, 100.0, RED)], "Completed"),
        ([record(0, 100.0, RED), record(1, 99.0), record(2, 100.0)], "Failed"),
    ],
)
def test_run_is_as_good_as_its_worst_route(records: list[dict[str, Any]], status: str) -> None:
    assert global_record(records, len(records))["status"] == status


def test_failed_routes_are_listed() -> None:
    records = [record(0, 100.0), record(1, 9.0), record(2, 9.0, failure=Failure.AGENT_CRASHED)]
    assert global_record(records, 3)["meta"] == {
        "total_length": 3000.0,
        "duration_game": 30.0,
        "duration_system": 6.0,
        "exceptions": [
            ["RouteScenario_1_rep0", 1, "Failed"],
            ["RouteScenario_2_rep0", 2, "Failed - Agent crashed"],
        ],
    }


def test_reworded_off_lane_sentence_is_refused() -> None:
    bad = record(0, 100.0, OUTSIDE)
    bad["infractions"]["outside_route_lanes"] = ["Agent left its lane for 80 m"]
    with pytest.raises(HarnessError, match="RouteScenario_0_rep0: found 'Agent left its lane for 80 m', expected"):
        checkpoint([bad], 1)
