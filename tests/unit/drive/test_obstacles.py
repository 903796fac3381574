"""What the expert has to drive around: what counts, on which side it passes, and when the lane beside is free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from harness.drive.obstacles import (
    Bypass,
    Obstacle,
    StandingClock,
    find_obstacle,
    is_gap_free,
    plan_bypass,
)
from harness.drive.privileged_route import PrivilegedRoute
from harness.drive.scene import Scene
from tests.unit.drive.criteria.drawn import ego_at, tick
from tests.unit.drive.drawn import HALF_LENGTH_M, HALF_WIDTH_M, Body, others_of, route_through, straight_way

LONG_S = 10.0


def scene_of(bodies: Mapping[int, Body], time_s: float = 0.0) -> Scene:
    return tick(ego_at(0.0), time_s=time_s, others=others_of(bodies))


def find(
    *bodies: Body,
    route: PrivilegedRoute | None = None,
    index: int = 0,
    standing_s: float = LONG_S,
    waits_at: Sequence[int] = (),
    ignored: set[int] | None = None,
) -> Obstacle | None:
    """Look for an obstacle among bodies 100, 101, ... that have all stood for a time."""
    scene = scene_of(dict(enumerate(bodies, start=100)))
    return find_obstacle(
        scene,
        route or straight_way(),
        index,
        np.full(len(bodies), standing_s),
        half_width_m=HALF_WIDTH_M,
        waits_at=waits_at,
        ignored=ignored or set(),
    )


# --- how long somebody has stood --------------------------------------------------------------------------------------


def test_the_clock_counts_from_the_first_standing_tick_and_starts_anew_after_a_move() -> None:
    clock, standing = StandingClock(), []
    for time_s, speed_mps in ((1.0, 0.2), (1.5, 0.05), (2.0, 0.0), (4.0, 0.09), (4.5, 0.1), (5.0, 0.0), (6.0, 0.0)):
        bodies = {1: Body(x_m=0.0, speed_mps=speed_mps), 2: Body(x_m=9.0, kind="prop")}
        standing.append(clock.update(scene_of(bodies, time_s)).tolist())
    assert [row[0] for row in standing] == pytest.approx([0.0, 0.0, 0.5, 2.5, 0.0, 0.0, 1.0])
    assert [row[1] for row in standing] == pytest.approx([0.0, 0.5, 1.0, 3.0, 3.5, 4.0, 5.0])


def test_the_clock_forgets_who_was_away() -> None:
    clock = StandingClock()
    clock.update(scene_of({1: Body(x_m=0.0)}, 0.0))
    assert clock.update(scene_of({}, 1.0)).tolist() == []
    assert clock.update(scene_of({1: Body(x_m=0.0)}, 9.0)).tolist() == [0.0]


# --- what is an obstacle ----------------------------------------------------------------------------------------------


def test_a_car_that_stands_in_the_lane_is_an_obstacle_with_its_extent() -> None:
    assert find(Body(x_m=30.0, y_m=0.5)) == Obstacle(
        actor_id=100,
        first_index=276,
        last_index=324,
        left_m=pytest.approx(-0.5),
        right_m=pytest.approx(1.5),
    )


def test_sides_and_ends_of_a_turned_box() -> None:
    obstacle = find(Body(x_m=30.0, y_m=1.0, yaw_deg=30.0, half_length_m=2.0, half_width_m=1.0))
    assert obstacle is not None
    along_m, across_m = 2.0 * math.cos(math.pi / 6) + 0.5, 1.0 + math.cos(math.pi / 6)
    assert obstacle.right_m == pytest.approx(1.0 + across_m)
    assert obstacle.left_m == pytest.approx(1.0 - across_m)
    assert obstacle.first_index == pytest.approx(300 - 10 * along_m, abs=1)
    assert obstacle.last_index == pytest.approx(300 + 10 * along_m, abs=1)


def test_right_and_left_follow_the_route_and_not_the_world() -> None:
    west = np.zeros((1000, 3))
    west[:, 0] = -0.1 * np.arange(1000)
    obstacle = find(Body(x_m=-30.0, y_m=-1.4), route=route_through(west))  # north, on the right when driving west
    assert obstacle is not None
    assert (obstacle.left_m, obstacle.right_m) == pytest.approx((0.4, 2.4))


@pytest.mark.parametrize(
    ("y_m", "is_found"),
    [(0.0, True), (2.1, True), (2.3, False), (3.5, False), (-2.1, True), (-2.3, False), (-3.5, False)],
)
def test_only_what_reaches_into_the_corridor_counts(y_m: float, is_found: bool) -> None:
    # The corridor reaches 0.92 + 0.3 m to each side, a car 1 m.
    assert (find(Body(x_m=30.0, y_m=y_m)) is not None) is is_found


@pytest.mark.parametrize(
    "body",
    [
        Body(x_m=30.0, kind="walker"),
        Body(x_m=-10.0),
        Body(x_m=1.0),  # beside the ego
        Body(x_m=70.0),  # out of sight
        Body(x_m=49.0),  # not all of it is in sight
        Body(x_m=51.5),
        Body(x_m=30.0, z_m=5.5),  # on a bridge
    ],
)
def test_what_is_no_obstacle_whatever_it_does(body: Body) -> None:
    assert find(body) is None


@pytest.mark.parametrize(("standing_s", "is_found"), [(0.0, False), (1.95, False), (2.05, True)])
def test_somebody_has_to_stand_for_two_seconds(standing_s: float, is_found: bool) -> None:
    assert (find(Body(x_m=30.0), standing_s=standing_s) is not None) is is_found


def test_the_nearest_obstacle_comes_first_whatever_its_id() -> None:
    far, near = Body(x_m=40.0), Body(x_m=25.0, kind="prop")
    for bodies, actor_id in (((far, near), 101), ((near, far), 100)):
        obstacle = find(*bodies)
        assert obstacle is not None
        assert obstacle.actor_id == actor_id


def test_an_obstacle_that_is_being_passed_is_not_found_again() -> None:
    assert find(Body(x_m=30.0), ignored={100}) is None
    obstacle = find(Body(x_m=25.0), Body(x_m=40.0), ignored={100})
    assert obstacle is not None
    assert obstacle.actor_id == 101


# --- who only waits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place_m", "is_found"), [(20.0, False), (40.0, False), (47.0, False), (48.0, True)])
def test_who_stands_before_a_light_or_stop_sign_waits(place_m: float, is_found: bool) -> None:
    # The car ends at 32.4 m; a place up to 15 m further on explains why it stands.
    assert (find(Body(x_m=30.0), waits_at=[round(place_m * 10)]) is not None) is is_found


def test_a_light_that_is_passed_explains_nothing() -> None:
    assert find(Body(x_m=30.0), index=100, waits_at=[90]) is not None


@pytest.mark.parametrize(("junction_m", "is_found"), [(45.0, False), (49.0, True)])
def test_who_stands_before_a_junction_waits(junction_m: float, is_found: bool) -> None:
    way = straight_way(junction_m=(junction_m, junction_m + 10.0))
    assert (find(Body(x_m=30.0), route=way) is not None) is is_found


def test_the_queue_reaches_back_from_vehicle_to_vehicle() -> None:
    queue = [Body(x_m=46.0 - 8.0 * place) for place in range(5)]
    assert find(*queue, waits_at=[500]) is None
    assert find(*queue[::-1], waits_at=[500]) is None
    obstacle = find(*queue)
    assert obstacle is not None
    assert obstacle.actor_id == 104


def test_a_queue_does_not_reach_over_a_gap_nor_from_props() -> None:
    waiting = Body(x_m=45.0)
    assert find(waiting, Body(x_m=20.0), waits_at=[500]) is not None
    cone = Body(x_m=45.0, half_length_m=0.2, half_width_m=0.2, kind="prop")
    assert find(cone, Body(x_m=32.0), waits_at=[500]) is not None
    assert find(waiting, Body(x_m=32.0), waits_at=[500]) is None


# --- how to get past --------------------------------------------------------------------------------------------------


def plan(left_m: float, right_m: float, *, first_index: int = 276, index: int = 0, lane_width_m: float = 3.5) -> Bypass:
    way = straight_way()
    way.lane_width_m[:] = lane_width_m
    obstacle = Obstacle(
        actor_id=100, first_index=first_index, last_index=first_index + 48, left_m=left_m, right_m=right_m
    )
    return plan_bypass(obstacle, way, index, half_length_m=HALF_LENGTH_M, half_width_m=HALF_WIDTH_M)


@pytest.mark.parametrize(
    ("left_m", "right_m", "side", "offset_m", "needs_gap"),
    [
        (-1.0, 1.0, "left", 2.5184, True),  # in the middle
        (0.3, 2.3, "left", 1.2184, True),  # parked half in the lane
        (1.0, 3.0, "left", 0.5184, False),  # parked, just in the way: the lane is wide enough
        (-2.6, -0.6, "right", 0.9184, False),  # on the left
        (-2.6, -0.5, "left", 4.1184, True),  # on the left, but the right-hand side has no room
    ],
)
def test_side_and_offset_of_the_bypass(
    left_m: float, right_m: float, side: str, offset_m: float, needs_gap: bool
) -> None:
    bypass = plan(left_m, right_m)
    assert (bypass.side, bypass.needs_gap) == (side, needs_gap)
    assert bypass.offset_m == pytest.approx(offset_m)
    sides_m = offset_m - HALF_WIDTH_M
    assert sides_m == pytest.approx(0.6 + (right_m if side == "right" else -left_m))


def test_a_wide_lane_needs_no_gap() -> None:
    assert plan(0.3, 2.3, lane_width_m=3.5).needs_gap
    assert not plan(0.3, 2.3, lane_width_m=4.5).needs_gap


def test_the_bypass_is_wide_open_beside_the_whole_obstacle() -> None:
    bypass, way = plan(-0.5, 1.5), straight_way()
    passed = way.shift(bypass.start_index, bypass.end_index, bypass.side, bypass.offset_m, bypass.transition_m)
    # Half a car length before and behind it too: there the ego's nose and tail are beside it.
    beside = slice(276 - 25, 324 + 25)
    assert passed.xyz[beside, 1] == pytest.approx(-bypass.offset_m)
    assert bypass.start_index == 276 - 119
    assert bypass.end_index == 324 + 119
    assert np.array_equal(passed.xyz[: bypass.start_index], way.xyz[: bypass.start_index])


def test_right_behind_an_obstacle_the_ramp_is_as_short_as_the_room() -> None:
    assert plan(-1.0, 1.0, first_index=276, index=0).transition_m == 8.0
    assert plan(-1.0, 1.0, first_index=276, index=216).transition_m == pytest.approx(6.0 - HALF_LENGTH_M)
    near = plan(-1.0, 1.0, first_index=276, index=250)
    assert (near.transition_m, near.start_index) == (2.5, 251)


# --- the gap ----------------------------------------------------------------------------------------------------------

# From 15 to 50 m the ego, at 0, would drive 2.5 m further left; at 5 m/s it is past after 10 s, and one to spare.
BYPASS = Bypass(
    start_index=150, end_index=500, side="left", offset_m=2.5, outer_m=3.7, transition_m=8.0, needs_gap=True
)


def is_free(body: Body, *, standing_s: float = 0.0, index: int = 0) -> bool:
    scene = scene_of({100: Body(x_m=30.0), 101: body})
    return is_gap_free(scene, straight_way(400.0), index, BYPASS, np.array([LONG_S, standing_s]))


@pytest.mark.parametrize(
    ("x_m", "y_m", "speed_mps", "free"),
    [
        (165.0, -3.5, 10.0, False),  # 115 m away, comes 110 m in 11 s, 10 m to spare
        (172.0, -3.5, 10.0, True),
        (172.0, -3.5, 12.0, False),
        (100.0, -3.5, 2.0, True),
        (30.0, -3.5, 10.0, False),  # beside the obstacle
        (5.0, -3.5, 10.0, False),  # in front of the ego
        (-5.0, -3.5, 10.0, True),  # past the ego
        (100.0, 0.0, 10.0, True),  # not in the lane beside
        (100.0, -7.0, 10.0, True),
        (100.0, 3.5, 10.0, True),
    ],
)
def test_oncoming_traffic_must_be_far_enough_away(x_m: float, y_m: float, speed_mps: float, free: bool) -> None:
    assert is_free(Body(x_m=x_m, y_m=y_m, yaw_deg=180.0, speed_mps=speed_mps)) is free


@pytest.mark.parametrize(
    ("x_m", "y_m", "free"),
    [
        (-15.0, -3.5, False),  # overtaking
        (0.0, -3.5, False),
        (30.0, -3.5, False),
        (52.0, -3.5, True),  # already past
        (-15.0, 0.0, True),  # behind the ego in its own lane
    ],
)
def test_nobody_may_drive_in_the_lane_beside(x_m: float, y_m: float, free: bool) -> None:
    assert is_free(Body(x_m=x_m, y_m=y_m, speed_mps=12.0)) is free


@pytest.mark.parametrize(
    ("x_m", "y_m", "free"),
    [
        (30.0, -3.5, False),  # a queue in the lane beside
        (58.0, -3.5, False),
        (62.0, -3.5, True),
        (-8.0, -3.5, True),
        (30.0, -4.9, True),  # parked at the far kerb: the ego's side passes 1.2 m away from its middle
        (30.0, -4.5, False),
        (30.0, 0.0, True),  # another obstacle in the ego's lane
    ],
)
@pytest.mark.parametrize("yaw_deg", [0.0, 180.0])
def test_nobody_may_stand_where_the_way_around_leads(x_m: float, y_m: float, yaw_deg: float, free: bool) -> None:
    assert is_free(Body(x_m=x_m, y_m=y_m, yaw_deg=yaw_deg), standing_s=LONG_S) is free


def test_pedestrians_and_props_do_not_drive_in_the_lane_beside() -> None:
    assert is_free(Body(x_m=60.0, y_m=-3.5, kind="prop"))
    assert is_free(Body(x_m=60.0, y_m=-3.5, yaw_deg=180.0, speed_mps=1.0, kind="walker"))
