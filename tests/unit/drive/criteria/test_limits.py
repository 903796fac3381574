"""What ends a route, and the speed against the traffic's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from harness.datatypes.infraction import Infraction
from harness.drive.criteria.limits import Blocked, Deviation, MinimumSpeed, TimeBudget
from harness.metrics.engine import BENCH2DRIVE, LEADERBOARD_20, Engine
from harness.metrics.lb20 import message
from tests.unit.drive.criteria.drawn import ego_at, others_with, straight_route, tick

# --- deviation -------------------------------------------------------------------------------------------------------


def deviate(lateral_m: Callable[[float], float], length_m: int = 100) -> list[Infraction]:
    """Drive a straight route 1 m a tick, `lateral_m` of the way beside it."""
    criterion = Deviation(straight_route(length_m))
    for x in range(length_m + 1):
        criterion.update(tick(ego_at(float(x), lateral_m(x)), frame=x), 0.05 * x)
    return criterion.infractions


@pytest.mark.parametrize(("lateral_m", "count"), [(29.9, 0), (30.0, 1), (-30.0, 1)])
def test_thirty_metres_off_the_route_end_it(lateral_m: float, count: int) -> None:
    assert len(deviate(lambda x: lateral_m if x == 50 else 0.0)) == count


def test_deviation_says_where_and_is_said_once() -> None:
    (found,) = deviate(lambda x: 40.0 if x >= 50 else 0.0)
    place = found.location_world
    assert (found.kind, found.frame, place.x, place.y) == ("route_dev", 50, 50.0, 40.0)


@pytest.mark.parametrize(("metres_outside", "count"), [(30, 0), (31, 1)])
def test_thirty_percent_outside_the_corridor_end_it(metres_outside: int, count: int) -> None:
    assert len(deviate(lambda x: 15.0 if 10 < x <= 10 + metres_outside else 0.0)) == count


def test_inside_the_corridor_all_the_way_is_fine() -> None:
    assert deviate(lambda x: 14.9) == []


def test_excursions_add_up() -> None:
    assert len(deviate(lambda x: 20.0 if x % 3 == 1 else 0.0)) == 1


def test_leaving_the_window_behind_is_a_deviation() -> None:
    criterion = Deviation(straight_route(100))
    criterion.update(tick(ego_at(0.0)), 0.0)
    criterion.update(tick(ego_at(34.9)), 0.05)  # point 5 is 29.9 m behind
    assert criterion.infractions == []
    criterion = Deviation(straight_route(100))
    criterion.update(tick(ego_at(35.1)), 0.0)
    assert len(criterion.infractions) == 1


# --- blocked ---------------------------------------------------------------------------------------------------------


def stand(times_s: Sequence[float], speed_mps: float = 0.0, engine: Engine = LEADERBOARD_20) -> list[Infraction]:
    criterion = Blocked(engine.most_standing_s)
    for time_s in times_s:
        criterion.update(tick(ego_at(7.0, speed_mps=speed_mps)), time_s)
    return criterion.infractions


@pytest.mark.parametrize(
    ("engine", "end_s", "count"),
    [(LEADERBOARD_20, 180.0, 0), (LEADERBOARD_20, 180.05, 1), (BENCH2DRIVE, 60.0, 0), (BENCH2DRIVE, 60.05, 1)],
)
def test_standing_blocks_after_180_s_and_in_the_fork_after_60(engine: Engine, end_s: float, count: int) -> None:
    assert len(stand([0.0, end_s], engine=engine)) == count


@pytest.mark.parametrize(("speed_mps", "count"), [(0.099, 1), (0.1, 0)])
def test_slower_than_a_tenth_of_a_metre_per_second_is_standing(speed_mps: float, count: int) -> None:
    assert len(stand([0.0, 200.0], speed_mps)) == count


def test_moving_once_begins_anew() -> None:
    criterion = Blocked(LEADERBOARD_20.most_standing_s)
    for time_s, speed_mps in ((0.0, 0.0), (179.0, 0.0), (179.05, 0.5), (350.0, 0.0), (359.0, 0.0)):
        criterion.update(tick(ego_at(0.0, speed_mps=speed_mps)), time_s)
    assert criterion.infractions == []
    criterion.update(tick(ego_at(0.0, speed_mps=0.0)), 359.1)
    assert [found.kind for found in criterion.infractions] == ["vehicle_blocked"]


def test_blocked_is_said_once() -> None:
    assert len(stand([0.0, 181.0, 182.0, 400.0])) == 1


# --- time budget -----------------------------------------------------------------------------------------------------


def budget_after(metres: int, limit_kmh: float, time_s: float) -> list[Infraction]:
    criterion = TimeBudget(straight_route(200))
    for x in range(metres + 1):
        criterion.update(tick(ego_at(x + 0.5, speed_limit_kmh=limit_kmh)), 0.0)
    criterion.update(tick(ego_at(metres + 0.5, speed_limit_kmh=limit_kmh)), time_s)
    return criterion.infractions


@pytest.mark.parametrize(
    ("metres", "limit_kmh", "budget_s"),
    [
        (0, 36.0, 300.0),
        (100, 36.0, 400.0),  # 100 m at a tenth of 10 m/s
        (100, 72.0, 350.0),
        (50, 18.0, 400.0),
    ],
)
def test_budget_grows_with_progress_at_a_tenth_of_the_limit(metres: int, limit_kmh: float, budget_s: float) -> None:
    assert budget_after(metres, limit_kmh, budget_s - 0.001) == []
    (found,) = budget_after(metres, limit_kmh, budget_s + 0.001)
    assert found.kind == "route_timeout"


def test_driving_back_and_forth_earns_no_time() -> None:
    criterion = TimeBudget(straight_route(200))
    for _ in range(20):
        for x in (0.5, 1.5, 2.5, 1.5, 0.5):
            criterion.update(tick(ego_at(x)), 0.0)
    criterion.update(tick(ego_at(0.5)), 302.1)
    assert len(criterion.infractions) == 1


def test_a_road_without_a_speed_limit_does_not_divide_by_zero() -> None:
    assert budget_after(10, 0.0, 1000.0) == []


# --- minimum speed ---------------------------------------------------------------------------------------------------


def compare(
    ego_mps: Callable[[float], float],
    traffic_mps: Sequence[float],
    *,
    length_m: int = 100,
    until_m: float | None = None,
    background: Sequence[bool] | None = None,
    engine: Engine = LEADERBOARD_20,
) -> list[Infraction]:
    """Drive a route, one metre a tick; the traffic has the same speeds at every tick."""
    criterion = MinimumSpeed(straight_route(length_m), engine.speed_checks, logs_all=engine.logs_every_speed)
    others = others_with(traffic_mps, background=background)
    last = tick(ego_at(0.0))
    for x in range(round(until_m if until_m is not None else length_m) + 1):
        last = tick(ego_at(x + 0.5, speed_mps=ego_mps(x)), frame=x, others=others)
        criterion.update(last, 0.05 * x)
    criterion.finish(last, 99.0)
    return criterion.infractions


def test_without_traffic_nothing_is_compared() -> None:
    assert compare(lambda x: 0.2, []) == []


def test_standing_traffic_is_no_measure() -> None:
    assert compare(lambda x: 0.0, [0.0, 0.0]) == []


def test_as_fast_as_the_traffic_is_fast_enough() -> None:
    assert compare(lambda x: 10.0, [10.0]) == []


def test_slower_than_the_traffic_counts_on_every_quarter() -> None:
    found = compare(lambda x: 4.0, [10.0])
    assert [infraction.percentage for infraction in found] == [40.0] * 4
    assert [infraction.kind for infraction in found] == ["min_speed_infractions"] * 4


def test_quarters_are_judged_one_by_one() -> None:
    found = compare(lambda x: 5.0 if 26 <= x < 51 else 12.0, [10.0])
    assert [(infraction.frame, infraction.percentage) for infraction in found] == [(52, pytest.approx(54.0, abs=3.0))]


def test_measure_is_the_mean_of_the_traffic() -> None:
    assert [found.percentage for found in compare(lambda x: 4.0, [0.0, 10.0])] == [80.0] * 4


def test_vehicles_that_are_no_traffic_do_not_count() -> None:
    found = compare(lambda x: 4.0, [8.0, 100.0], background=[True, False])
    assert [infraction.percentage for infraction in found] == [50.0] * 4


def test_percentage_has_two_decimals() -> None:
    assert compare(lambda x: 1.0, [3.0])[0].percentage == 33.33


@pytest.mark.parametrize(("until_m", "quarters"), [(20, 0), (40, 1), (95, 3), (96, 4)])
def test_last_quarter_counts_beyond_95_percent(until_m: float, quarters: int) -> None:
    assert len(compare(lambda x: 4.0, [10.0], until_m=until_m)) == quarters


def test_speeds_of_one_quarter_do_not_leak_into_the_next() -> None:
    found = compare(lambda x: 1.0 if x < 26 else 11.0, [10.0])
    assert len(found) == 1


# --- minimum speed as Bench2Drive logs it ----------------------------------------------------------------------------


@pytest.mark.parametrize(("ego_mps", "percentage"), [(4.0, 40.0), (10.0, 100.0), (25.0, 250.0)])
def test_bench2drive_logs_twenty_parts_however_fast(ego_mps: float, percentage: float) -> None:
    # 400 points, so that parts of 20 m end where points lie behind them: a check comes up to 1 m late.
    found = compare(lambda x: ego_mps, [10.0], length_m=400, engine=BENCH2DRIVE)
    assert len(found) in (19, 20)
    assert {infraction.percentage for infraction in found} == {percentage}


def test_bench2drive_logs_100_percent_where_there_is_nothing_to_compare_with() -> None:
    for traffic_mps in ([], [0.0, 0.0]):
        found = compare(lambda x: 0.2, traffic_mps, length_m=400, engine=BENCH2DRIVE)
        assert len(found) >= 19
        assert {message(infraction) for infraction in found} == {
            "Average speed is 100% of the surrounding traffic's one"
        }


@pytest.mark.parametrize(("until_m", "parts"), [(10, 0), (25, 1), (380, 18), (382, 19)])
def test_bench2drive_logs_the_last_part_beyond_95_percent(until_m: float, parts: int) -> None:
    assert len(compare(lambda x: 30.0, [10.0], length_m=400, until_m=until_m, engine=BENCH2DRIVE)) == parts
