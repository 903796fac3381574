"""Route completion: points are passed in order, at most two ahead at a time, and only forwards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drive.criteria.completion import RouteCompletion, RouteProgress
from tests.unit.drive.criteria.drawn import drawn_route, ego_at, straight_route


def drive(completion: RouteCompletion, *x_m: float, y_m: float = 0.0) -> float:
    """Put the ego at each place for one tick."""
    for x in x_m:
        completion.update(ego_at(x, y_m))
    return completion.percent


def test_nothing_is_passed_at_the_start() -> None:
    assert drive(RouteCompletion(straight_route(100)), 0.0) == 0.0


def test_share_of_the_length_that_lies_behind() -> None:
    assert drive(RouteCompletion(straight_route(100)), *(0.5 * n for n in range(73))) == 35.0


@pytest.mark.parametrize(("ticks", "percent"), [(1, 2.0), (2, 4.0), (3, 6.0)])
def test_a_leap_is_followed_two_points_a_tick(ticks: int, percent: float) -> None:
    assert drive(RouteCompletion(straight_route(100)), *[50.5] * ticks) == percent


def test_a_point_is_passed_ahead_of_it_not_on_it() -> None:
    completion = RouteCompletion(straight_route(100))
    assert drive(completion, 1.0) == 0.0
    assert drive(completion, 1.001) == 1.0


def test_driving_back_takes_nothing_away() -> None:
    completion = RouteCompletion(straight_route(100))
    assert drive(completion, 2.5, 4.5, 6.5) == 6.0
    assert drive(completion, 3.5, 0.5, -10.0) == 6.0


def test_only_the_direction_along_the_lane_decides() -> None:
    assert drive(RouteCompletion(straight_route(100)), 2.5, y_m=200.0) == 2.0


def test_height_counts_on_a_slope() -> None:
    route = straight_route(100)
    route.pitch_deg[:] = 45.0
    progress = RouteProgress(route, 2)
    assert progress.passed(ego_at(0.5, z_m=-1.0)) == []
    assert progress.passed(ego_at(0.5, z_m=0.0)) == [0]


def test_percentages_have_two_decimals() -> None:
    completion = RouteCompletion(drawn_route([(float(x), 0.0) for x in range(8)]))
    assert drive(completion, 1.5) == 14.29


def arrived(length_m: float, passed_m: float, x_m: float, y_m: float = 0.0) -> RouteCompletion:
    """Drive to a place and then jump to another one in a single tick."""
    completion = RouteCompletion(straight_route(length_m))
    drive(completion, *(passed_m * n / length_m for n in range(round(length_m) + 1)))
    drive(completion, x_m, y_m=y_m)
    return completion


def test_more_than_99_percent_and_near_the_end_is_arrival() -> None:
    completion = arrived(1000, 991.0, 991.2)
    assert completion.has_arrived
    assert completion.percent == 100


@pytest.mark.parametrize(
    ("passed_m", "x_m", "y_m"),
    [
        (990.0, 990.001, 0.0),  # 99.0 percent is not more than 99
        (990.5, 991.5, 10.0),  # 99.1 percent, 13 m from the end
        (980.0, 998.0, 0.0),  # 2 m from the end, but points are missing
    ],
)
def test_short_of_arrival(passed_m: float, x_m: float, y_m: float) -> None:
    completion = arrived(1000, passed_m, x_m, y_m)
    assert not completion.has_arrived
    assert completion.percent < 100


def test_short_routes_arrive_before_their_last_point_only_beyond_99_percent() -> None:
    completion = RouteCompletion(straight_route(100))
    drive(completion, *(float(n) for n in range(100)))
    assert (completion.percent, completion.has_arrived) == (98.0, False)
    drive(completion, 99.5)
    assert (completion.percent, completion.has_arrived) == (99.0, False)
    drive(completion, 100.1)
    assert (completion.percent, completion.has_arrived) == (100, True)


def test_arrival_is_kept() -> None:
    completion = arrived(1000, 991.0, 991.2)
    assert drive(completion, 0.0) == 100
    assert drive(completion, 995.0, y_m=50.0) == 100
    assert completion.has_arrived


@given(st.lists(st.floats(-20.0, 130.0), max_size=60))
def test_completion_never_falls_and_never_leaps(places: list[float]) -> None:
    completion = RouteCompletion(straight_route(100))
    before = 0.0
    for x in places:
        percent = drive(completion, x)
        assert before <= percent
        assert percent - before <= 2.0 or math.isclose(percent - before, 2.0) or completion.has_arrived
        before = percent
