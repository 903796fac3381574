"""A red light is run when the tail crosses its stop line, in its lane, while it is red."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from harness.datatypes.infraction import Infraction
from harness.drive.criteria.red_light import RedLight, segments_cross
from harness.drive.regulations import Light, StopPlace
from tests.unit.drive.criteria.drawn import ego_at, tick

RED, YELLOW, GREEN, OFF = range(4)
LIGHT, NEXT_LIGHT = 11, 12
HALF_LENGTH_M = 2.5
# The tail reaches from 0.8 half lengths (2.0 m) to half a length and 1 m (3.5 m) behind the centre.
TAIL_ON_LINE_X_M = 102.5


class OneRoad:
    """A map of one road along +x: lane -1 for y in (-1.75, 1.75), lane -2 right of it, lane 1 left of it."""

    def get_waypoint(self, place: Any) -> Any:
        lane_id = -1 if abs(place.y) < 1.75 else -2 if place.y > 0.0 else 1
        return SimpleNamespace(road_id=5, lane_id=lane_id)


def light(actor_id: int = LIGHT, *, stop_x_m: float = 100.0, lane_id: int = -1, y_m: float = 0.0) -> Light:
    """Draw a light whose stop line crosses the road at `stop_x_m`; it hangs 10 m further."""
    stop = StopPlace(x_m=stop_x_m, y_m=y_m, yaw_rad=0.0, lane_width_m=3.5, road_id=5, lane_id=lane_id)
    return Light(
        actor_id=actor_id,
        x_m=stop_x_m + 10.0,
        y_m=4.0,
        z_m=5.0,
        centre_x_m=stop_x_m,
        centre_y_m=0.0,
        centre_z_m=0.0,
        stops=(stop,),
    )


def run_past(
    *lights: Light,
    state: int = RED,
    x_m: float = TAIL_ON_LINE_X_M,
    y_m: float = 0.0,
    yaw_deg: float = 0.0,
) -> list[Infraction]:
    criterion = RedLight(list(lights), OneRoad(), HALF_LENGTH_M)
    states = {one.actor_id: state for one in lights}
    criterion.update(tick(ego_at(x_m, y_m, yaw_deg=yaw_deg), frame=3, lights=states), 1.5)
    return criterion.infractions


def test_tail_on_the_line_of_a_red_light() -> None:
    (found,) = run_past(light())
    assert (found.kind, found.other_id, found.frame, found.time_s) == ("red_light", LIGHT, 3, 1.5)
    place = found.location_world
    assert (place.x, place.y, place.z) == (110.0, 4.0, 5.0)  # of the light, as the official sentence says


@pytest.mark.parametrize("state", [YELLOW, GREEN, OFF])
def test_only_red_counts(state: int) -> None:
    assert run_past(light(), state=state) == []


@pytest.mark.parametrize(("x_m", "counts"), [(101.9, 0), (102.1, 1), (103.4, 1), (103.6, 0), (97.0, 0), (99.5, 0)])
def test_the_tail_decides_not_the_front(x_m: float, counts: int) -> None:
    assert len(run_past(light(), x_m=x_m)) == counts


def test_red_that_comes_after_the_tail_has_passed_is_none() -> None:
    criterion = RedLight([light()], OneRoad(), HALF_LENGTH_M)
    for x_m, state in ((101.0, GREEN), (102.5, YELLOW), (103.6, RED), (110.0, RED)):
        criterion.update(tick(ego_at(x_m), lights={LIGHT: state}), 0.0)
    assert criterion.infractions == []


def test_red_that_comes_while_the_tail_passes_counts() -> None:
    criterion = RedLight([light()], OneRoad(), HALF_LENGTH_M)
    for x_m, state in ((101.0, GREEN), (102.5, YELLOW), (103.0, RED)):
        criterion.update(tick(ego_at(x_m), lights={LIGHT: state}), 0.0)
    assert len(criterion.infractions) == 1


@pytest.mark.parametrize("y_m", [3.5, -3.5])
def test_another_lane_is_not_governed(y_m: float) -> None:
    assert run_past(light(), y_m=y_m) == []


def test_each_stop_of_a_light_governs_its_lane() -> None:
    both = light()
    right = light(lane_id=-2, y_m=3.5)
    wide = Light(**{**vars(both), "stops": both.stops + right.stops})
    assert len(run_past(wide, y_m=3.5)) == 1


def test_driving_against_the_lane_is_not_governed() -> None:
    # Backwards over the line: the tail points to +x.
    assert run_past(light(), x_m=97.5, yaw_deg=180.0) == []


def test_the_same_light_counts_once_until_another_one_is_run() -> None:
    lights = [light(), light(NEXT_LIGHT, stop_x_m=200.0)]
    criterion = RedLight(lights, OneRoad(), HALF_LENGTH_M)
    for x_m in (102.5, 102.8, 103.0, 102.5, 202.5, 102.5):
        criterion.update(tick(ego_at(x_m), lights={LIGHT: RED, NEXT_LIGHT: RED}), 0.0)
    assert [found.other_id for found in criterion.infractions] == [LIGHT, NEXT_LIGHT, LIGHT]


@pytest.mark.parametrize(("centre_x_m", "counts"), [(117.4, 1), (117.6, 0)])
def test_lights_further_away_than_15_m_are_not_looked_at(centre_x_m: float, counts: int) -> None:
    moved = Light(**{**vars(light()), "centre_x_m": centre_x_m})
    assert len(run_past(moved)) == counts


def test_a_light_without_a_known_state_is_not_red() -> None:
    criterion = RedLight([light()], OneRoad(), HALF_LENGTH_M)
    criterion.update(tick(ego_at(TAIL_ON_LINE_X_M), lights={}), 0.0)
    assert criterion.infractions == []


@pytest.mark.parametrize(
    ("first", "second", "cross"),
    [
        (((0, 0), (2, 0)), ((1, -1), (1, 1)), True),
        (((0, 0), (2, 0)), ((2, -1), (2, 1)), True),  # touching at an end
        (((0, 0), (2, 0)), ((2.1, -1), (2.1, 1)), False),
        (((0, 0), (2, 0)), ((1, 0.1), (1, 1)), False),
        (((0, 0), (2, 0)), ((0, 1), (2, 1)), False),  # parallel
        (((0, 0), (2, 0)), ((1, 0), (3, 0)), False),  # one on the other
    ],
)
def test_segments(first: Any, second: Any, cross: bool) -> None:
    assert segments_cross(first, second) is cross
    assert segments_cross(second, first) is cross
    assert segments_cross(first[::-1], second) is cross


@pytest.mark.parametrize(
    ("crossing_y_m", "yaw_deg", "counts"),
    [
        (1.9, 45.0, 1),
        (2.05, 45.0, 1),
        (2.2, 45.0, 0),  # 0.6 lane widths are 2.1 m
        (1.9, -45.0, 0),  # the tail's end is in the lane on the right
    ],
)
def test_line_is_a_little_wider_than_the_lane(crossing_y_m: float, yaw_deg: float, counts: int) -> None:
    """The tail, at an angle of 45 degrees, crosses the line 0.1 m behind its near end."""
    yaw = math.radians(yaw_deg)
    x_m = 100.0 + 2.1 * math.cos(yaw)
    y_m = crossing_y_m + 2.1 * math.sin(yaw)
    assert len(run_past(light(), x_m=x_m, y_m=y_m, yaw_deg=yaw_deg)) == counts
