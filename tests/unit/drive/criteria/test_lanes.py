"""Outside the lanes: beside the road or in a lane of the wrong direction, in metres of route.

On Borough01 the Avenue runs along +x from x = 420 to 740: lanes at y = -184.75 and -188.25 eastbound, -191.75 and
-195.25 westbound, 3.5 m wide each. Market Street runs from x = 16 to 174 with its eastbound lane at y = -188.25 and a
parking lane, 2.5 m wide, right of it at y = -185.25. The market crossing lies between x = 174 and 206.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction
from harness.drive.criteria.lanes import OutsideLanes
from tests.unit.drive.criteria.drawn import ego_at, straight_route, tick

RIGHT_LANE_Y_M, LEFT_LANE_Y_M, ONCOMING_Y_M = -184.75, -188.25, -191.75


def drive(
    borough: Any,
    track: Iterable[tuple[float, float]],
    *,
    from_x_m: float = 450.0,
    length_m: float = 100.0,
    y_m: float = RIGHT_LANE_Y_M,
    yaw_deg: float = 0.0,
) -> list[Infraction]:
    """Drive (x, y) places, one a tick, along a straight route."""
    places = list(track)
    route = straight_route(length_m, from_x_m=from_x_m, y_m=y_m)
    criterion = OutsideLanes(route, borough, ego_at(*places[0], yaw_deg=yaw_deg))
    for frame, place in enumerate(places):
        criterion.update(tick(ego_at(*place, yaw_deg=yaw_deg), frame=frame), 0.05 * frame)
    return criterion.infractions


def eastbound(y_m: float, start_m: float = 450.5, end_m: float = 550.5) -> list[tuple[float, float]]:
    return [(start_m + step, y_m) for step in range(int(end_m - start_m) + 1)]


def test_in_the_lane_there_is_nothing_to_say(borough: Any) -> None:
    assert drive(borough, eastbound(RIGHT_LANE_Y_M)) == []


@pytest.mark.parametrize(("right_m", "is_outside"), [(2.2, False), (2.3, True)])
def test_more_than_half_a_lane_and_half_a_metre_is_outside(borough: Any, right_m: float, is_outside: bool) -> None:
    found = drive(borough, eastbound(RIGHT_LANE_Y_M + right_m))
    assert len(found) == is_outside


def test_metres_and_share_of_the_driven_part(borough: Any) -> None:
    inside, outside = RIGHT_LANE_Y_M, RIGHT_LANE_Y_M + 4.0
    track = eastbound(inside, 450.5, 479.5) + eastbound(outside, 480.5, 489.5)
    (found,) = drive(borough, track)
    assert found.kind == "outside_route_lanes"
    assert found.distance_m == pytest.approx(10.0)
    # 39 m of the route are passed, not 100.
    assert found.percentage == pytest.approx(100.0 * 10.0 / 39.0)


def test_one_entry_for_several_excursions(borough: Any) -> None:
    inside, outside = RIGHT_LANE_Y_M, RIGHT_LANE_Y_M + 4.0
    track = (
        eastbound(inside, 450.5, 459.5)
        + eastbound(outside, 460.5, 464.5)
        + eastbound(inside, 465.5, 479.5)
        + eastbound(outside, 480.5, 484.5)
        + eastbound(inside, 485.5, 550.5)
    )
    (found,) = drive(borough, track)
    assert found.distance_m == pytest.approx(10.0)
    assert found.percentage == pytest.approx(10.0)
    assert found.frame == 34  # the last tick outside


def test_standing_outside_adds_nothing(borough: Any) -> None:
    assert drive(borough, [(450.5, RIGHT_LANE_Y_M + 4.0)] * 50) == []


def test_parking_lane_is_allowed(borough: Any) -> None:
    track = eastbound(-185.25, 50.5, 99.5)
    assert drive(borough, track, from_x_m=50.0, y_m=-188.25) == []


def test_beyond_the_parking_lane_is_outside(borough: Any) -> None:
    track = eastbound(-185.25 + 1.9, 50.5, 99.5)
    assert len(drive(borough, track, from_x_m=50.0, y_m=-188.25)) == 1


def test_another_lane_of_the_same_direction_is_allowed(borough: Any) -> None:
    track = eastbound(RIGHT_LANE_Y_M, 450.5, 480.5) + eastbound(LEFT_LANE_Y_M, 481.5, 550.5)
    assert drive(borough, track) == []


def test_oncoming_lane_counts_until_one_is_back(borough: Any) -> None:
    track = (
        eastbound(LEFT_LANE_Y_M, 450.5, 479.5)
        + eastbound(ONCOMING_Y_M, 480.5, 499.5)
        + eastbound(LEFT_LANE_Y_M, 500.5, 550.5)
    )
    (found,) = drive(borough, track, y_m=LEFT_LANE_Y_M)
    assert found.distance_m == pytest.approx(20.0)
    assert found.percentage == pytest.approx(20.0)


def test_a_junction_ends_what_was_wrong_before_it(borough: Any) -> None:
    # Into the market crossing, which begins at x = 174, in the westbound lane from x = 161 on.
    track = eastbound(LEFT_LANE_Y_M, 150.5, 160.5) + eastbound(ONCOMING_Y_M, 161.5, 195.5)
    (found,) = drive(borough, track, from_x_m=150.0, y_m=LEFT_LANE_Y_M)
    assert found.distance_m == pytest.approx(13.0, abs=1.0)


def test_wrong_lane_after_a_junction_is_told_by_the_heading(borough: Any) -> None:
    # Over the market crossing, along y = -191.75, the westbound lane, on both sides.
    track = eastbound(ONCOMING_Y_M, 180.5, 230.5)
    (found,) = drive(borough, track, from_x_m=180.0, y_m=ONCOMING_Y_M)
    # Nothing is wrong inside the junction, which ends at x = 206.
    assert found.distance_m == pytest.approx(25.0, abs=1.0)


def test_right_lane_after_a_junction_is_right(borough: Any) -> None:
    track = eastbound(LEFT_LANE_Y_M, 180.5, 230.5)
    assert drive(borough, track, from_x_m=180.0, y_m=LEFT_LANE_Y_M) == []


def test_all_of_it_outside_is_100_percent(borough: Any) -> None:
    (found,) = drive(borough, eastbound(RIGHT_LANE_Y_M + 4.0))
    assert found.percentage == 100.0
