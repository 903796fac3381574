"""What a meta says about the route ahead."""

from __future__ import annotations

import math

import carla
import numpy as np
import pytest

from harness.drive.road_option import RoadOption
from harness.record.frames import EgoFrame
from harness.record.plan import light_ahead, route_fields
from tests.unit.drive.drawn import expert_on, route_through, straight_way
from tests.unit.record.drawn import DrawnDrive


def frame_at(x_m: float, y_m: float = 0.0, yaw_deg: float = 0.0) -> EgoFrame:
    return EgoFrame.of(carla.Transform(carla.Location(x_m, y_m, 0.0), carla.Rotation(yaw=yaw_deg)))


def test_the_route_lies_one_metre_apart_from_two_and_a_half_metres_on_in_the_ego_frame() -> None:
    expert = expert_on(straight_way(200.0))
    expert.index = 300
    fields = route_fields(expert, frame_at(30.0, 1.0, 90.0))
    # The ego looks along +y, so that the route, 1 m behind it, runs to its left.
    np.testing.assert_allclose(fields["route"], [(-1.0, -2.5 - step) for step in range(50)], atol=1e-4)
    assert (fields["route"].dtype, fields["changed_route"]) == (np.float32, False)
    assert fields["distance_ego_to_route"] == pytest.approx(1.0)
    assert fields["route_left_length"] == pytest.approx(169.9)
    assert (fields["route_curvature"], fields["signed_dist_to_lane_change"]) == (0.0, math.inf)
    assert (fields["dist_to_junction"], fields["distance_to_next_junction"]) == (None, math.inf)


@pytest.mark.parametrize("left_m", [30.0, 2.5, 1.0, 0.0])
def test_beyond_the_end_of_the_road_the_route_goes_straight_on(left_m: float) -> None:
    expert = expert_on(straight_way(100.0))
    expert.index = len(expert.route) - 1 - round(left_m * 10)
    fields = route_fields(expert, frame_at(expert.index / 10.0))
    assert fields["route"].shape == (50, 2)
    np.testing.assert_allclose(np.diff(fields["route"], axis=0), [(1.0, 0.0)] * 49, atol=1e-4)
    assert fields["route_left_length"] == pytest.approx(left_m)


def test_a_route_that_avoids_an_obstacle_is_recorded_as_it_is_driven() -> None:
    expert = expert_on(straight_way(200.0))
    expert.route = expert.route.shift(100, 400, "left", 3.5, 8.0)
    expert.index = 255
    fields = route_fields(expert, frame_at(25.5))
    assert fields["changed_route"]
    assert fields["route"][0, 1] == pytest.approx(-3.5)
    # The way out ends behind point 179, the way back begins at point 321.
    assert fields["signed_dist_to_lane_change"] == pytest.approx(6.6)
    expert.index = 200
    assert route_fields(expert, frame_at(20.0))["signed_dist_to_lane_change"] == pytest.approx(-2.1)


def test_curvature_is_the_turn_within_twenty_metres() -> None:
    angle = np.linspace(0.0, math.pi / 2.0, 785)
    quarter = np.stack((50.0 * np.sin(angle), 50.0 - 50.0 * np.cos(angle), np.zeros(785)), axis=1)
    fields = route_fields(expert_on(route_through(quarter)), frame_at(0.0))
    assert fields["route_curvature"] == pytest.approx(20.0 / 50.0, rel=0.02)


def test_the_junction_ahead_is_told_in_both_keys() -> None:
    expert = expert_on(straight_way(200.0, junction_m=(50.0, 60.0)))
    expert.index = 300
    fields = route_fields(expert, frame_at(30.0))
    assert fields["dist_to_junction"] == fields["distance_to_next_junction"] == pytest.approx(20.0)


def test_lane_changes_far_away_are_none() -> None:
    route = straight_way(200.0)
    route.option[1000] = int(RoadOption.CHANGELANERIGHT)
    expert = expert_on(route)
    found = []
    for expert.index in (700, 760, 1000, 1240, 1260):
        found.append(route_fields(expert, frame_at(0.0))["signed_dist_to_lane_change"])
    assert found == pytest.approx([math.inf, 24.0, 0.0, -24.0, math.inf])


@pytest.mark.parametrize(("away_m", "found"), [(60.0, None), (49.0, 70), (0.0, 70)])
def test_a_light_counts_from_fifty_metres_on(away_m: float, found: int | None) -> None:
    drive = DrawnDrive(light_x_m=300.0)
    assert drive.expert.next_light is not None
    drive.expert.index = drive.expert.next_light.index - round(away_m * 10)
    assert light_ahead(drive.expert) == found
