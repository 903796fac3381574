"""A stop sign is run when the ego leaves its area without having stood in it.

The place is Museum Lane of Borough01, southbound towards the market crossing: the lane runs along x = 188.25 from
y = -364 to y = -206; the opposite lane along x = 191.75. The area is drawn 3 m before the lane's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction
from harness.drive.criteria.stop_sign import StopSignTest
from harness.drive.regulations import StopSign
from tests.unit.drive.criteria.drawn import ego_at, tick

SIGN = 21
LANE_X_M, OPPOSITE_X_M = 188.25, 191.75
AREA_Y_M = -209.0


def stop_sign(actor_id: int = SIGN, *, x_m: float = LANE_X_M, y_m: float = AREA_Y_M) -> StopSign:
    """Draw a sign with an area of 3 m across and 2 m along the lane."""
    return StopSign(
        actor_id=actor_id,
        x_m=x_m - 4.0,
        y_m=y_m,
        z_m=1.0,
        centre_x_m=x_m,
        centre_y_m=y_m,
        centre_z_m=0.0,
        half_x_m=1.5,
        half_y_m=1.0,
    )


def drive(
    borough: Any,
    ys_m: Iterable[float],
    *,
    signs: list[StopSign] | None = None,
    standing_at: float | None = None,
    x_m: float = LANE_X_M,
    yaw_deg: float = 90.0,
    is_backing: bool = False,
) -> list[Infraction]:
    """Drive along the lane, one place a tick; at `standing_at` the speed is 0."""
    criterion = StopSignTest(signs or [stop_sign()], borough)
    for frame, y_m in enumerate(ys_m):
        speed_mps = 0.0 if y_m == standing_at else 5.0
        ego = ego_at(x_m, y_m, yaw_deg=yaw_deg, speed_mps=speed_mps, along_mps=-speed_mps if is_backing else speed_mps)
        criterion.update(tick(ego, frame=frame), 0.05 * frame)
    return criterion.infractions


def southbound(start_m: float = -230.0, end_m: float = -200.0) -> list[float]:
    return [start_m + 0.25 * step for step in range(int((end_m - start_m) / 0.25) + 1)]


def test_driving_through_is_an_infraction(borough: Any) -> None:
    (found,) = drive(borough, southbound())
    assert (found.kind, found.other_id) == ("stop_infraction", SIGN)
    place = found.location_world
    assert (place.x, place.y, place.z) == (LANE_X_M - 4.0, AREA_Y_M, 1.0)  # of the sign, as the official sentence says


def test_it_is_noticed_when_the_area_is_left(borough: Any) -> None:
    (found,) = drive(borough, southbound())
    noticed_y_m = southbound()[found.frame]
    assert AREA_Y_M + 1.0 < noticed_y_m < AREA_Y_M + 2.0


@pytest.mark.parametrize("standing_at", [AREA_Y_M - 2.0, AREA_Y_M, AREA_Y_M + 1.0])
def test_standing_inside_is_enough(borough: Any, standing_at: float) -> None:
    assert drive(borough, southbound(), standing_at=standing_at) == []


@pytest.mark.parametrize("standing_at", [AREA_Y_M - 8.0, AREA_Y_M - 4.25, AREA_Y_M + 4.0])
def test_standing_before_or_after_is_not(borough: Any, standing_at: float) -> None:
    assert len(drive(borough, southbound(), standing_at=standing_at)) == 1


def test_crawling_is_not_standing(borough: Any) -> None:
    criterion = StopSignTest([stop_sign()], borough)
    for y_m in southbound():
        criterion.update(tick(ego_at(LANE_X_M, y_m, yaw_deg=90.0, speed_mps=0.1)), 0.0)
    assert len(criterion.infractions) == 1


def test_opposite_direction_is_not_governed(borough: Any) -> None:
    assert drive(borough, southbound()[::-1], x_m=OPPOSITE_X_M, yaw_deg=-90.0) == []


def test_against_the_lane_is_not_governed(borough: Any) -> None:
    assert drive(borough, southbound()[::-1], yaw_deg=-90.0) == []


def test_backing_into_the_area_is_not_governed(borough: Any) -> None:
    assert drive(borough, southbound()[::-1], is_backing=True) == []


def test_rolling_back_inside_the_area_changes_nothing(borough: Any) -> None:
    ys_m = [*southbound(end_m=AREA_Y_M), AREA_Y_M - 0.5, *southbound(start_m=AREA_Y_M)]
    assert len(drive(borough, ys_m)) == 1


def test_the_same_sign_is_counted_once(borough: Any) -> None:
    assert len(drive(borough, southbound() + southbound())) == 1


def test_another_sign_counts_again(borough: Any) -> None:
    signs = [stop_sign(), stop_sign(22, y_m=AREA_Y_M - 40.0)]
    found = drive(borough, southbound(start_m=-260.0), signs=signs)
    assert [infraction.other_id for infraction in found] == [22, SIGN]


def test_standing_at_one_sign_does_not_count_for_the_next(borough: Any) -> None:
    signs = [stop_sign(), stop_sign(22, y_m=AREA_Y_M - 40.0)]
    found = drive(borough, southbound(start_m=-260.0), signs=signs, standing_at=AREA_Y_M - 40.0)
    assert [infraction.other_id for infraction in found] == [SIGN]


def test_a_sign_beside_the_lane_is_not_looked_at(borough: Any) -> None:
    assert drive(borough, southbound(), signs=[stop_sign(x_m=LANE_X_M + 3.4)]) == []


@pytest.mark.parametrize(("off_centre_m", "inside"), [(1.79, True), (1.81, False)])
def test_area_counts_a_fifth_larger_than_it_is(borough: Any, off_centre_m: float, inside: bool) -> None:
    assert len(drive(borough, southbound(), signs=[stop_sign(x_m=LANE_X_M + off_centre_m)])) == inside
