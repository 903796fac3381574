"""Machines are avoided that fail where others do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Attempt, Outcome
from harness.jobs.node_health import bad_nodes, node_health

RESULT, CRASH, HANG, LOST = Outcome.RESULT, Outcome.SIMULATOR_CRASH, Outcome.SIMULATOR_HANG, Outcome.LOST


def attempts(node: str, *outcomes: Outcome | None, fingerprint: str = "") -> list[Attempt]:
    alike = {outcome: fingerprint for outcome in outcomes if outcome not in (None, RESULT)}
    return [
        Attempt(number=1, task=("t", 0), node=node, outcome=outcome, fingerprint=alike.get(outcome, ""))
        for outcome in outcomes
    ]


def test_counts_per_machine() -> None:
    health = node_health(
        attempts("b", RESULT, CRASH, CRASH, None, LOST, fingerprint="x") + attempts("a", RESULT) + attempts("", LOST)
    )
    assert list(health) == ["a", "b"]
    assert (health["b"].results, health["b"].failures) == (1, {CRASH: 2, LOST: 1})
    assert health["b"].fingerprints["x"] == 3
    assert health["b"].summary() == "1 results, 3 failures (2 simulator crash, 1 lost)"
    assert health["a"].summary() == "1 results, 0 failures"


GOOD = attempts("good", RESULT)


@pytest.mark.parametrize(
    ("tries", "bad"),
    [
        ([], ()),
        (GOOD, ()),
        (GOOD + attempts("n", CRASH, CRASH), ()),
        (GOOD + attempts("n", CRASH, HANG, LOST), ("n",)),
        (GOOD + attempts("n", Outcome.SIMULATOR_START, Outcome.NODE, LOST), ("n",)),
        (GOOD + attempts("n", CRASH, CRASH, CRASH, RESULT, RESULT, RESULT), ("n",)),
        (GOOD + attempts("n", CRASH, CRASH, CRASH, RESULT, RESULT, RESULT, RESULT), ()),
        (GOOD + attempts("n", Outcome.AGENT, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY, Outcome.PREEMPTED), ()),
        (GOOD + attempts("n", *[Outcome.AGENT] * 9, CRASH, CRASH, CRASH), ("n",)),
        (GOOD + attempts("n", CRASH, CRASH, CRASH) + attempts("m", LOST, LOST, LOST), ("m", "n")),
        (attempts("n", CRASH, CRASH, CRASH), ()),
        (attempts("n", CRASH, CRASH, CRASH, RESULT), ()),  # its own result says nothing of another machine
        (attempts("n", CRASH, CRASH, CRASH) + attempts("m", CRASH), ()),
        (attempts("n", CRASH, CRASH, CRASH, RESULT) + attempts("m", LOST, LOST, LOST, RESULT), ()),
        (GOOD + attempts("", CRASH, CRASH, CRASH), ()),
    ],
)
def test_bad_machines(tries: list[Attempt], bad: tuple[str, ...]) -> None:
    assert bad_nodes(tries) == bad


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Outcome)), max_size=40))
def test_a_machine_with_a_result_always_remains(tries: list[tuple[str, Outcome]]) -> None:
    made = [attempt for node, outcome in tries for attempt in attempts(node, outcome)]
    bad = bad_nodes(made)
    if bad:
        assert any(attempt.outcome is RESULT and attempt.node not in bad for attempt in made)
    assert bad_nodes(reversed(made)) == bad
