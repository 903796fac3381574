"""Scoreboard numbers: both denominators, counts, spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.checkpoint import checkpoint
from harness.metrics.summary import Scores, SeedMeans, result_problem, summarize

RED = Infraction(kind=InfractionKind.RED_LIGHT)


def record(completion: float, *infractions: Infraction, failure: Failure = Failure.NONE) -> dict[str, Any]:
    outcome = RouteOutcome(
        route_id="RouteScenario_0_rep0",
        route_length_m=250.0,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
        duration_sim_s=30.0,
        duration_wall_s=2.5,
    )
    return lb20.route_record(outcome, 0)


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
    assert (summary.expected, summary.found, summary.available, summary.rows) == (2, 0, None, ())
    assert summary.official == scores(0.0, 0.0, 0.0)
    assert summary.seed_std == scores(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("routes", "seeds"), [([], [1]), (["a"], [])])
def test_nothing_expected_is_refused(routes: list[str], seeds: list[int]) -> None:
    with pytest.raises(HarnessError, match="expected at least one each"):
        summarize({}, routes, seeds)


def test_rows_follow_the_expected_order() -> None:
    records = {("b", 1): record(100.0), ("a", 2): record(10.0, RED, RED), ("a", 1): record(100.0)}
    rows = summarize(records, ["b", "a"], [1, 2]).rows
    assert [(row.route, row.seed) for row in rows] == [("b", 1), ("a", 1), ("a", 2)]
    assert (rows[2].status, rows[2].is_crashed, rows[2].scores) == ("Failed", False, scores(4.9, 10.0, 0.49))
    assert (rows[2].length_m, rows[2].duration_sim_s, rows[2].duration_wall_s) == (250.0, 30.0, 2.5)
    assert {key: count for key, count in rows[2].infractions.items() if count} == {"red_light": 2}
    assert len(rows[2].infractions) == 12


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


@pytest.mark.parametrize("part", ["status", "scores", "infractions", "meta"])
def test_record_without_a_part_is_named(part: str) -> None:
    damaged = record(100.0)
    del damaged[part]
    with pytest.raises(HarnessError, match=f"record of route 'a' seed 1: found no usable '{part}'"):
        summarize({("a", 1): damaged}, ["a"], [1])


def put(*path: str | int, value: Any) -> Callable[[Any], None]:
    """Return what replaces one value of a result file."""

    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


RECORD = ("_checkpoint", "records", 0)


def sound() -> Any:
    return {
        **checkpoint([record(50.0, RED)], 1),
        "harness": {"scenarios_not_built": {"Accident": 1}, "wall": {"simulated_per_wall": 16}},
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("_checkpoint", "records", value=[]), "holds no record"),
        (put("_checkpoint", value=None), "holds no record"),
        (put(*RECORD, value="record"), "holds no record"),
        (put(*RECORD, "meta", "duration_system", value="abc"), "holds no usable duration_system, found 'abc'"),
        (
            put(*RECORD, "meta", "duration_game", value=float("inf")),
            "holds no usable duration_game, found 'inf'",
        ),
        (put(*RECORD, "meta", value=[]), "holds no usable meta, found"),
        (put(*RECORD, "scores", "score_route", value=None), "holds no usable score_route, found 'None'"),
        (put(*RECORD, "scores", "score_composed", value=10**400), "holds no usable score_composed, found '1000"),
        (put(*RECORD, "scores", "score_penalty", value=True), "holds no usable score_penalty, found 'True'"),
        (put(*RECORD, "status", value=3), "holds no usable status, found '3'"),
        (put(*RECORD, "infractions", value={}), "holds no usable 'collisions_layout'"),
        (put(*RECORD, "infractions", "red_light", value=3), "holds no usable red_light, found '3'"),
        (put("harness", value=None), "holds no usable section harness, found 'None'"),
        (put("harness", "wall", value=3), "holds no usable wall, found '3'"),
        (put("harness", "wall", "simulated_per_wall", value="x"), "holds no usable simulated_per_wall, found 'x'"),
        (put("harness", "scenarios_not_built", value=[]), "holds no usable scenarios_not_built, found"),
        (put("harness", "scenarios_not_built", "Accident", value="1"), "holds no usable count of Accident, found '1'"),
    ],
)
def test_damaged_result_is_told_from_a_sound_one(change: Callable[[Any], None], problem: str) -> None:
    content = sound()
    assert result_problem(content) is None
    change(content)
    found = result_problem(content)
    assert found is not None
    assert found.startswith(problem)


def test_result_of_another_program_has_no_section_of_ours() -> None:
    content = sound()
    del content["harness"]
    assert result_problem(content) is None
    assert [result_problem(other) for other in (3, None, [], "x", {})] == ["holds no record"] * 5
