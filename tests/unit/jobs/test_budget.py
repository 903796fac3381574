"""What a failure costs, what it changes, and when it is the last."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Attempt, Outcome, Submission
from harness.jobs.budget import Policy, judge, settle

TOKEN = "5f0c1a2b3c4d"


def attempt(outcome: Outcome | None = None, fingerprint: str = "", reason: str = "") -> Attempt:
    return Attempt(number=1, task=(TOKEN, 0), outcome=outcome, fingerprint=fingerprint, reason=reason)


def attempts(*outcomes: Outcome) -> list[Attempt]:
    return [attempt(outcome) for outcome in outcomes]


def submission(word: str | None, *, is_cancelled: bool = False) -> dict[str, Submission]:
    return {
        TOKEN: Submission(
            token=TOKEN,
            backend="slurm",
            intended_s=0.0,
            tasks=((0,),),
            ended={} if word is None else {0: word},
            cancelled=frozenset({0} if is_cancelled else ()),
        )
    }


@pytest.mark.parametrize(
    ("word", "is_cancelled", "outcome"),
    [
        ("TIMEOUT", False, Outcome.TIMEOUT),
        ("OUT_OF_MEMORY", False, Outcome.OUT_OF_MEMORY),
        ("NODE_FAIL", False, Outcome.NODE),
        ("BOOT_FAIL", False, Outcome.NODE),
        ("PREEMPTED", False, Outcome.PREEMPTED),
        ("CANCELLED", False, Outcome.CANCELLED),
        ("CANCELLED by 1000", False, Outcome.CANCELLED),
        ("CANCELLED+", False, Outcome.CANCELLED),
        ("node_fail", False, Outcome.NODE),
        ("COMPLETED", False, Outcome.LOST),
        ("FAILED 1", False, Outcome.LOST),
        ("", False, Outcome.LOST),
        (None, False, Outcome.LOST),
        ("", True, Outcome.CANCELLED),
        (None, True, Outcome.CANCELLED),
        ("FAILED", True, Outcome.CANCELLED),
        ("NODE_FAIL", True, Outcome.NODE),
    ],
)
def test_last_word_of_the_scheduler_settles_an_attempt(word: str | None, is_cancelled: bool, outcome: Outcome) -> None:
    settled = settle(attempt(), submission(word, is_cancelled=is_cancelled))
    assert settled.outcome is outcome
    assert settled.fingerprint == ""
    assert settled.reason.startswith("ended without a word; of its task 5f0c1a2b3c4d_0 the scheduler says ")


def test_attempt_of_an_unknown_task_is_lost() -> None:
    assert settle(attempt(), {}).outcome is Outcome.LOST


@pytest.mark.parametrize(
    "settled", [attempt(Outcome.AGENT), replace(attempt(), is_live=True)], ids=["has an outcome", "is alive"]
)
def test_what_is_settled_stays(settled: Attempt) -> None:
    assert settle(settled, submission("TIMEOUT")) is settled


# Outcome, what n of them cost: (n, given up, partition, time factor); of two partitions, usual limits.
ONE_KIND = [
    (Outcome.RESULT, [(1, False, 0, 1), (19, False, 0, 1), (20, True, 0, 1)]),
    (Outcome.CONFIG, [(1, True, 0, 1)]),
    (Outcome.AGENT, [(1, False, 0, 1), (2, False, 0, 1), (3, True, 0, 1)]),
    (Outcome.SIMULATOR_START, [(1, False, 0, 1), (2, False, 0, 1), (3, True, 0, 1)]),
    (Outcome.SIMULATOR_CRASH, [(1, False, 0, 1), (2, False, 1, 1), (3, True, 1, 1)]),
    (Outcome.SIMULATOR_HANG, [(1, False, 0, 1), (2, False, 0, 1), (3, True, 0, 1)]),
    (Outcome.OUT_OF_MEMORY, [(1, False, 1, 1), (2, False, 1, 1), (3, False, 1, 1), (4, True, 1, 1)]),
    (Outcome.TIMEOUT, [(1, False, 0, 2), (2, False, 0, 4), (3, True, 0, 8)]),
    (Outcome.NODE, [(1, False, 0, 1), (19, False, 0, 1), (20, True, 0, 1)]),
    (Outcome.PREEMPTED, [(1, False, 0, 1), (19, False, 0, 1), (20, True, 0, 1)]),
    (Outcome.CANCELLED, [(1, False, 0, 1), (19, False, 0, 1), (20, True, 0, 1)]),
    (Outcome.RETURNED, [(1, False, 0, 1), (19, False, 0, 1), (20, True, 0, 1)]),
    (Outcome.LOST, [(1, False, 0, 1), (8, False, 0, 1), (9, True, 0, 1)]),
    (Outcome.QUARANTINED, [(1, False, 0, 1), (2, False, 0, 1), (3, True, 0, 1)]),
]


def test_table_has_every_outcome() -> None:
    assert [outcome for outcome, _ in ONE_KIND] == list(Outcome)


@pytest.mark.parametrize(("outcome", "rows"), ONE_KIND, ids=[str(outcome) for outcome, _ in ONE_KIND])
def test_cost_of_each_outcome(outcome: Outcome, rows: list[tuple[int, bool, int, int]]) -> None:
    for count, is_given_up, rank, factor in rows:
        verdict = judge(attempts(*[outcome] * count), Policy(partitions=2))
        assert (verdict.is_given_up, verdict.partition_rank, verdict.time_factor) == (
            is_given_up,
            0 if outcome is Outcome.CONFIG else rank,
            factor,
        ), count
        assert verdict.outcome is (outcome if is_given_up else None)
        assert bool(verdict.reason) is is_given_up


CRASH, OOM, AGENT = Outcome.SIMULATOR_CRASH, Outcome.OUT_OF_MEMORY, Outcome.AGENT


@pytest.mark.parametrize(
    ("outcomes", "partitions", "rank", "is_given_up"),
    [
        ([], 3, 0, False),
        ([OOM], 1, 0, False),
        ([OOM] * 3, 1, 0, True),
        ([OOM, OOM], 3, 2, False),
        ([OOM, OOM, OOM, OOM], 3, 2, False),
        ([OOM] * 5, 3, 2, True),
        ([CRASH, CRASH], 1, 0, False),
        ([CRASH, AGENT, CRASH], 3, 1, True),
        ([CRASH, OOM, CRASH], 3, 1, False),  # one crash on each partition
        ([CRASH, OOM, CRASH, CRASH], 3, 2, True),
        ([OOM, CRASH, CRASH, OOM], 2, 1, True),
        ([OOM], 0, 0, False),
    ],
)
def test_larger_machines(outcomes: list[Outcome], partitions: int, rank: int, is_given_up: bool) -> None:
    verdict = judge(attempts(*outcomes), Policy(partitions=partitions))
    assert (verdict.partition_rank, verdict.is_given_up) == (rank, is_given_up)


def test_budgets_do_not_add_up() -> None:
    mixed = [AGENT] * 2 + [Outcome.TIMEOUT] * 2 + [Outcome.LOST] * 8 + [Outcome.NODE] * 10 + [Outcome.PREEMPTED] * 9
    assert not judge(attempts(*mixed), Policy()).is_given_up
    assert judge(attempts(*mixed, Outcome.RETURNED), Policy()).outcome is Outcome.RETURNED


def test_attempts_that_run_count_for_nothing() -> None:
    assert judge([attempt()] * 50, Policy(max_free=1, max_lost=1, max_attempts=1)) == judge([], Policy())


def test_a_setting_is_final_whatever_else_there_is() -> None:
    verdict = judge([attempt(AGENT), attempt(Outcome.CONFIG, reason="route 7 is missing"), attempt(AGENT)], Policy())
    assert (verdict.outcome, verdict.reason) == (Outcome.CONFIG, "another try cannot change it: route 7 is missing")


@pytest.mark.parametrize(
    ("fingerprints", "outcome"),
    [
        (["x", "x", "x"], Outcome.QUARANTINED),
        (["x", "y", "x", "x"], Outcome.QUARANTINED),
        (["x", "y", "x"], None),
        (["", "", ""], None),
        (["x", "x"], None),
    ],
)
def test_same_failure_again_and_again_is_quarantined(fingerprints: list[str], outcome: Outcome | None) -> None:
    tries = [attempt(CRASH, fingerprint) for fingerprint in fingerprints]
    assert judge(tries, Policy(max_attempts=10)).outcome is outcome


def test_failures_that_cost_nothing_quarantine_nothing() -> None:
    assert not judge([attempt(Outcome.NODE, "x")] * 5 + [attempt(Outcome.LOST, "x")] * 5, Policy()).is_given_up


def test_reasons_have_count_and_last_reason_in_one_line() -> None:
    crash, hang = attempt(CRASH, "x", "Signal 11\ncaught"), attempt(Outcome.SIMULATOR_HANG, "y", "no tick for 60 s")
    assert judge([crash, crash, hang], Policy()).reason == (
        "3 failures (2 simulator crash, 1 simulator hang), last: no tick for 60 s"
    )
    assert judge([crash] * 3, Policy()).reason == "the same failure 3 times, last: Signal 11 caught"
    assert judge(attempts(*[Outcome.TIMEOUT] * 3), Policy()).reason == (
        "3 time limits were too short (3 timeout), last: timeout"
    )
    long = judge([attempt(AGENT, reason="x" * 5000)] * 3, Policy()).reason
    assert len(long) < 300


@given(st.lists(st.sampled_from(Outcome)), st.integers(1, 4))
def test_another_failure_never_brings_a_unit_back(outcomes: list[Outcome], partitions: int) -> None:
    policy = Policy(partitions=partitions)
    verdicts = [judge(attempts(*outcomes[:count]), policy) for count in range(len(outcomes) + 1)]
    for before, after in pairwise(verdicts):
        assert after.is_given_up >= before.is_given_up
        if after.outcome is not Outcome.CONFIG:
            assert 0 <= before.partition_rank <= after.partition_rank < partitions
            assert after.time_factor in (before.time_factor, 2 * before.time_factor)
    most = 1 + 2 * (policy.max_attempts - 1) + policy.max_lost - 1 + policy.max_free - 1 + partitions - 1
    assert len(outcomes) < most or verdicts[-1].is_given_up
