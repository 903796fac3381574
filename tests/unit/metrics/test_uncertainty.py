"""Intervals of means over routes and comparisons of two agents."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.metrics.uncertainty import bootstrap, paired

SCORES = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=30)


@settings(max_examples=20, deadline=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_an_interval_lies_within_the_values_and_knows_no_order(values: list[float], shuffler: random.Random) -> None:
    found = bootstrap(values)
    shuffled = values[:]
    shuffler.shuffle(shuffled)
    assert bootstrap(shuffled) == found
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_an_interval_is_that_of_the_normal_distribution_for_many_routes() -> None:
    generator = random.Random(3)
    values = [min(max(generator.gauss(60.0, 15.0), 0.0), 100.0) for _ in range(400)]
    mean, error = statistics.fmean(values), statistics.stdev(values) / 20.0
    found = bootstrap(values)
    assert (found.low, found.high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.3)


def test_equal_values_leave_nothing_open() -> None:
    found = bootstrap([50.0] * 10)
    assert (found.low, found.high) == (50.0, 50.0)


def test_two_agents_are_compared_on_the_routes_that_both_have() -> None:
    first = {"a": 10.0, "b": 20.0, "c": 30.0, "only first": 100.0}
    second = {"a": 40.0, "b": 20.0, "c": 15.0, "only second": 0.0}
    found = paired(first, second)
    assert (found.routes, found.difference, found.won, found.lost) == (3, 5.0, ("a",), ("c",))
    assert found.interval.low <= 5.0 <= found.interval.high
    back = paired(second, first)
    assert (back.difference, back.won, back.lost) == (-5.0, ("c",), ("a",))


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no route that both"):
        paired({"a": 1.0}, {"b": 1.0})
    with pytest.raises(HarnessError, match="no route to draw from"):
        bootstrap([])
