"""What follows from the boxes of a frame."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.record.metas import neighbour_fields


def car(x_m: float, y_m: float = 0.0, speed_mps: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "class": "car",
        "id": 1,
        "position": [x_m, y_m, 0.0],
        "distance": math.hypot(x_m, y_m),
        "ego_velocity": [0.6 * speed_mps, 0.8 * speed_mps],
        "speed_limit": 36.0,
        "base_type": "car",
        "role_name": "background",
        **more,
    }


def parked(x_m: float, y_m: float) -> dict[str, Any]:
    return {"class": "static_prop_car", "position": [x_m, y_m, 0.0], "distance": math.hypot(x_m, y_m)}


def test_an_empty_street() -> None:
    fields = neighbour_fields([])
    assert (fields["dist_to_pedestrian"], fields["dist_to_biker"]) == (math.inf, math.inf)
    assert (fields["second_highest_speed"], fields["second_highest_speed_limit"]) == (0.0, 0.0)
    assert (fields["num_parking_vehicles_in_proximity"], fields["scenario_actors_ids"]) == (0, [])


@pytest.mark.parametrize(("speeds", "expected"), [([5.0], 5.0), ([5.0, 9.0], 5.0), ([5.0, 9.0, 7.0], 7.0)])
def test_second_highest_speed(speeds: list[float], expected: float) -> None:
    found = neighbour_fields([car(10.0, speed_mps=speed) for speed in speeds])
    assert found["second_highest_speed"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x_m", "y_m", "is_around"), [(65.0, 0.0, True), (67.0, 0.0, False), (-35.0, 0.0, False), (0.0, 43.0, False)]
)
def test_only_who_is_around_counts(x_m: float, y_m: float, is_around: bool) -> None:
    found = neighbour_fields([car(x_m, y_m, speed_mps=5.0)])
    assert (found["second_highest_speed"] > 0.0) is is_around
    biker = neighbour_fields([car(x_m, y_m, base_type="bicycle")])["dist_to_biker"]
    assert math.isfinite(biker) is is_around


def test_actors_of_a_scenario_are_told_by_their_role() -> None:
    found = neighbour_fields([car(5.0, id=3, role_name="scenario_2"), car(9.0, id=4)])
    assert found["scenario_actors_ids"] == [3]


def test_parked_cars_count_near_the_ego_only() -> None:
    thing = {"class": "static", "position": [5.0, 3.0, 0.0], "distance": 6.0}
    boxes = [parked(5.0, 3.0), parked(40.0, 3.0), parked(5.0, 12.0)]
    boxes += [{**thing, "transfuser_semantics_id": 1}, {**thing, "transfuser_semantics_id": 6}]
    assert neighbour_fields(boxes)["num_parking_vehicles_in_proximity"] == 2


@pytest.mark.parametrize("affects_ego", [True, False])
def test_the_kind_of_light_is_told_if_it_counts(affects_ego: bool) -> None:
    light = {
        "class": "traffic_light",
        "affects_ego": affects_ego,
        "is_europe_traffic_light": True,
        "is_over_head_traffic_light": False,
    }
    found = neighbour_fields([light])
    assert (found["europe_traffic_light"], found["over_head_traffic_light"]) == (affects_ego, False)
