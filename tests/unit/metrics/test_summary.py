"""Scoreboard numbers: both denominators, counts, spread over seeds."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.checkpoint import checkpoint
from harness.metrics.summary import Scores, SeedMeans, summarize
from harness.results.own_result import unit_route

RED = Infraction(kind=InfractionKind.RED_LIGHT)


def record(completion: float, *infractions: Infraction, failure: Failure = Failure.NONE) -> ScoredRoute:
    outcome = RouteOutcome(
        route_id="RouteScenario_0_rep0",
        route_length_m=250.0,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
        duration_sim_s=30.0,
        duration_wall_s=2.5,
    )
    return unit_route(checkpoint([lb20.route_record(outcome, 0)], 1), "a.json")


def scores(driving: float, completion: float, penalty: float) -> Scores:
    return Scores(
        driving_score=pytest.approx(driving),
        route_completion=pytest.approx(completion),
        infraction_penalty=pytest.approx(penalty),
    )


def test_means_are_given_over_expected_and_over_found() -> None:
    crashed = record(50.0, failure=Failure.AGENT_CRASHED)
    records = {("a", 1): record(100.0, RED), ("b", 1): crashed, ("a", 2): record(100.0)}
    summary = summarize(records, ["a", "b"], [1, 2])
    assert (summary.expected, summary.found, summary.crashed) == (4, 3, 1)
    assert summary.missing == (("b", 2),)
    assert summary.official == scores(220.0 / 4, 250.0 / 4, 2.7 / 4)
    assert summary.available == scores(220.0 / 3, 250.0 / 3, 2.7 / 3)


def test_spread_is_over_official_means_of_the_seeds() -> None:
    records = {("a", 1): record(100.0, RED), ("b", 1): record(50.0), ("a", 2): record(100.0)}
    summary = summarize(records, ["a", "b"], [1, 2])
    assert summary.seeds == (
        SeedMeans(seed=1, expected=2, found=2, scores=scores(60.0, 75.0, 0.85)),
        SeedMeans(seed=2, expected=2, found=1, scores=scores(50.0, 50.0, 0.5)),
    )
    assert summary.seed_std == scores(50.0**0.5, 312.5**0.5, 0.06125**0.5)


def test_one_seed_has_no_spread() -> None:
    assert summarize({("a", 1): record(100.0)}, ["a"], [1]).seed_std is None


def test_run_without_results_counts_as_zero() -> None:
    summary = summarize({}, ["a"], [1, 2])
    assert (summary.expected, summary.found, summary.available) == (2, 0, None)
    assert summary.official == scores(0.0, 0.0, 0.0)
    assert summary.seed_std == scores(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("routes", "seeds"), [([], [1]), (["a"], [])])
def test_nothing_expected_is_refused(routes: list[str], seeds: list[int]) -> None:
    with pytest.raises(HarnessError, match="expected at least one each"):
        summarize({}, routes, seeds)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.integers(1, 3)), st.floats(0.0, 100.0).map(lambda x: round(x, 2))
    )
)
def test_official_is_available_times_share_found(completions: dict[tuple[str, int], float]) -> None:
    summary = summarize({key: record(value) for key, value in completions.items()}, "abc", [1, 2, 3])
    assert summary.found + len(summary.missing) == summary.expected == 9
    official = summary.official.route_completion
    available = summary.available.route_completion if summary.available else 0.0
    assert official * summary.expected == pytest.approx(available * summary.found)
    assert official == pytest.approx(statistics.mean(means.scores.route_completion for means in summary.seeds))


@pytest.mark.parametrize("key", [("c", 1), ("a", 3)])
def test_record_that_nobody_expects_is_refused(key: tuple[str, int]) -> None:
    with pytest.raises(HarnessError, match=f"found a record of route '{key[0]}' seed {key[1]}, expected only"):
        summarize({key: record(100.0)}, ["a"], [1])
