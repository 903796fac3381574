"""Every unit is in one task, the tasks are about equally long, and none is planned beyond its time limit."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.packing import DEFAULT_S_PER_M, fit_s_per_m, pack, predict_cost_s, predict_costs, spread

COSTS = st.dictionaries(st.integers(0, 9999), st.floats(0.0, 5000.0), max_size=60)


def loads(costs: dict[int, float], tasks: list[tuple[int, ...]]) -> list[float]:
    return [math.fsum(costs[unit] for unit in task) for task in tasks]


def test_what_was_measured_is_predicted_again() -> None:
    assert predict_cost_s("05", 1000.0, {"05": 7.5}, 1.0) == 7.5


@pytest.mark.parametrize("measured_s", [0.0, -1.0, math.nan, math.inf])
def test_nonsense_is_no_measurement(measured_s: float) -> None:
    assert predict_cost_s("05", 1000.0, {"05": measured_s}) == pytest.approx(21.0)
    assert fit_s_per_m({"05": 1000.0}, {"05": measured_s}) == DEFAULT_S_PER_M


def test_pace_is_the_median_of_what_was_measured() -> None:
    lengths_m = {"a": 100.0, "b": 100.0, "c": 1000.0, "unmeasured": 200.0, "no length": 0.0}
    history = {"a": 11.0, "b": 21.0, "c": 9001.0, "no length": 50.0, "elsewhere": 3.0}
    assert fit_s_per_m(lengths_m, history) == pytest.approx(0.2)
    units = [("unmeasured", 200.0), ("a", 100.0), ("a", 100.0), ("b", 100.0), ("c", 1000.0)]
    assert predict_costs(units, history) == pytest.approx({0: 41.0, 1: 11.0, 2: 11.0, 3: 21.0, 4: 9001.0})


def test_without_measurements_length_decides() -> None:
    assert predict_costs([("a", 100.0), ("b", 0.0)], {}) == pytest.approx({0: 3.0, 1: 1.0})


def test_longest_first_onto_the_shortest_task() -> None:
    costs = {0: 3.0, 1: 5.0, 2: 4.0, 3: 3.0, 4: 3.0}
    assert spread(costs, 2) == [(2, 0, 4), (1, 3)]
    assert spread({0: 0.0, 1: 0.0, 2: 1.0}, 3) == [(2,), (0,), (1,)]
    assert spread(costs, 9) == [(1,), (2,), (0,), (3,), (4,)]


@pytest.mark.parametrize(
    ("count", "cost_s", "slots", "limit_s", "sizes"),
    [
        (0, 60.0, 4, 3600, []),
        (1, 1.0, 4, 3600, [1]),
        (4, 15.0, 4, 3600, [4]),  # one minute of work is worth one task
        (8, 15.0, 4, 3600, [4, 4]),
        (40, 60.0, 4, 3600, [10] * 4),  # as many as slots
        (400, 60.0, 4, 3600, [34] * 4 + [33] * 8),  # nine are needed, three rounds of four
        (40, 60.0, 100, 3600, [1] * 40),
        (40, 60.0, 4, 0, [10] * 4),  # no limit
        (40, 60.0, 1, 0, [40]),
        (6, 2000.0, 2, 3600, [1] * 6),  # half of what may be planned is exceeded by each
        (5, 1140.0, 1, 3600, [2, 2, 1]),  # of which two tasks could only do four
        (2, 9000.0, 1, 3600, [1, 1]),  # does not fit anyway
        (3, 10.0, 1, 30, [1, 1, 1]),  # the limit is over before the first unit begins
        (5, 0.0, 4, 3600, [5]),
        (5, 100.0, 0, 3600, [5]),
    ],
)
def test_number_of_tasks(count: int, cost_s: float, slots: int, limit_s: int, sizes: list[int]) -> None:
    tasks = pack(dict.fromkeys(range(count), cost_s), slots=slots, limit_s=limit_s)
    assert [len(task) for task in tasks] == sizes


def test_limit_that_leaves_no_time_at_all() -> None:
    assert pack({0: 1.0, 1: 0.0}, slots=1, limit_s=100, overhead_s=80.0) == [(0,), (1,)]


def test_local_tasks_are_worth_starting_for_one_unit() -> None:
    assert [len(task) for task in pack(dict.fromkeys(range(6), 0.1), slots=4, limit_s=0, least_s=0.0)] == [2, 2, 1, 1]


def test_order_of_the_units_does_not_matter() -> None:
    costs = {unit: float(unit * 37 % 11) for unit in range(50)}
    assert pack(dict(reversed(costs.items())), slots=7, limit_s=600) == pack(costs, slots=7, limit_s=600)


@given(COSTS, st.integers(1, 12), st.integers(0, 20_000), st.floats(0.0, 120.0))
def test_every_unit_once_and_no_task_beyond_its_share(
    costs: dict[int, float], slots: int, limit_s: int, least_s: float
) -> None:
    tasks = pack(costs, slots=slots, limit_s=limit_s, overhead_s=30.0, least_s=least_s)
    assert sorted(unit for task in tasks for unit in task) == sorted(costs)
    assert all(tasks)
    assert loads(costs, tasks) == sorted(loads(costs, tasks), reverse=True)
    assert all(list(task) == sorted(task, key=lambda unit: (-costs[unit], unit)) for task in tasks)
    if limit_s:
        longest = [load_s for task, load_s in zip(tasks, loads(costs, tasks), strict=True) if len(task) > 1]
        assert not longest or max(longest) <= 0.8 * limit_s - 30.0
    else:
        assert len(tasks) <= max(slots, 1)
        assert not least_s or len(tasks) <= max(math.fsum(costs.values()) / least_s, 1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=7), st.integers(1, 3))
def test_longest_task_is_near_the_optimum(costs_s: list[int], number: int) -> None:
    costs = {unit: float(cost_s) for unit, cost_s in enumerate(costs_s)}
    best_s = min(
        max(sum(cost for cost, place in zip(costs_s, places, strict=True) if place == task) for task in range(number))
        for places in product(range(number), repeat=len(costs_s))
    )
    assert max(loads(costs, spread(costs, number))) <= (4 / 3 - 1 / (3 * number)) * best_s + 1e-9
