"""Which sparse points count as reached, against the plain way to say it; and how they are laid out in a meta."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.schema import POP_DISTANCES_M
from harness.record.target_points import Pursuit, TargetPoints
from tests.unit.drive.criteria.drawn import straight_route

PLACES = st.tuples(st.floats(-80.0, 80.0), st.floats(-8.0, 8.0))


def plan_through(points: list[tuple[float, float]]) -> TargetPoints:
    xyz = np.array([(x, y, 0.0) for x, y in points])
    return TargetPoints(xyz, [4] * (len(points) - 1) + [1])


def popped(points: list[tuple[float, float]], track: list[tuple[float, float]], near_m: float) -> int:
    """Keep a list of the points ahead and take from its front, as a route planner does."""
    route = list(points)
    for place in track:
        if len(route) <= 2:
            break
        to_pop, furthest_m, along_m = 0, -math.inf, 0.0
        for number in range(1, len(route)):
            if along_m > 50.0:
                break
            along_m += math.dist(route[number - 1], route[number])
            away_m = math.dist(route[number], place)
            if furthest_m < away_m <= near_m:
                furthest_m, to_pop = away_m, number
        for _ in range(to_pop):
            if len(route) > 2:
                route.pop(0)
    return len(points) - len(route)


@given(
    points=st.lists(PLACES, min_size=2, max_size=12),
    track=st.lists(PLACES, max_size=12),
    near_m=st.sampled_from([3.0, 7.5, 10.0, 40.0]),
)
def test_points_are_reached_as_a_planner_takes_them_from_its_list(
    points: list[tuple[float, float]], track: list[tuple[float, float]], near_m: float
) -> None:
    pursuit = Pursuit(plan_through(points), (near_m,))
    for place in track:
        pursuit.advance(*place)
    assert pursuit.reached == [popped(points, track, near_m)]


def test_each_distance_has_its_own_history() -> None:
    plan = plan_through([(0.0, 0.0), (10.0, 0.0), (20.0, 0.0), (30.0, 0.0)])
    pursuit = Pursuit(plan, (3.0, 5.0, 8.0))
    pursuit.advance(5.5, 0.0)
    assert pursuit.reached == [0, 1, 1]
    pursuit.advance(12.5, 0.0)
    assert pursuit.reached == [1, 1, 2]


def test_fields_of_a_meta() -> None:
    plan = plan_through([(0.0, 0.0), (10.0, 0.0), (20.0, 0.0)])
    pursuit = Pursuit(plan, (3.0, 8.0))
    pursuit.advance(4.0, 0.0)
    fields = pursuit.fields("_gps", ["_3.0", "_8.0"])
    assert fields["previous_gps_target_points_3.0"] == []
    assert fields["next_gps_target_points_3.0"] == [[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [20.0, 0.0, 0.0]]
    assert fields["previous_gps_target_points_8.0"] == [[0.0, 0.0, 0.0]]
    assert fields["next_gps_commands_8.0"] == [4, 1]
    assert len(fields) == 8


def test_distances_that_say_the_same_share_their_lists() -> None:
    fields = Pursuit(plan_through([(0.0, 0.0), (10.0, 0.0)]), (3.0, 8.0)).fields("", ["_3.0", "_8.0"])
    assert fields["next_commands_3.0"] is fields["next_commands_8.0"]


def test_the_plan_is_the_one_that_agents_get() -> None:
    plan = TargetPoints.of(straight_route(450.0))
    assert plan.split(0)["next_target_points"][0] == [0.0, 0.0, 0.0]
    assert plan.split(0)["next_target_points"][-1] == [450.0, 0.0, 0.0]
    assert len(plan) == 4  # at most 200 m apart


def test_there_are_twenty_nine_distances() -> None:
    assert pytest.approx([3.0 + 0.25 * number for number in range(29)]) == POP_DISTANCES_M
    assert [f"_{distance}" for distance in POP_DISTANCES_M[:2]] == ["_3.0", "_3.25"]
