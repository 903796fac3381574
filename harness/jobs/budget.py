"""How often a unit is tried: what each failure costs, when to give up, and what to do differently next time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.datatypes.job import Attempt, Outcome, Submission

# What the scheduler's last word about a task says of an attempt that ended with it.
_OUTCOME_OF_WORD = {
    "TIMEOUT": Outcome.TIMEOUT,
    "OUT_OF_MEMORY": Outcome.OUT_OF_MEMORY,
    "NODE_FAIL": Outcome.NODE,
    "BOOT_FAIL": Outcome.NODE,
    "PREEMPTED": Outcome.PREEMPTED,
    "CANCELLED": Outcome.CANCELLED,
}
# Not the unit's fault. A result is among them that was published and damaged later.
_FREE = frozenset({Outcome.NODE, Outcome.PREEMPTED, Outcome.CANCELLED, Outcome.RETURNED, Outcome.RESULT})
_CRASHES_PER_PARTITION = 2
_REASON_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When a unit is given up.

    Attributes:
        max_attempts: failures of agent, simulator and memory; counted apart, time limits that were too short.
        max_free: tries that ended for reasons outside, such as preemption.
        max_lost: tries that vanished without a word.
        quarantine_after: failures that look alike.
        partitions: how many the command names, smallest machine first.
    """

    max_attempts: int = 3
    max_free: int = 20
    max_lost: int = 9
    quarantine_after: int = 3
    partitions: int = 1


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows from the attempts of a unit.

    Attributes:
        is_given_up: it is not tried again.
        outcome: why it is given up; None if it is not.
        reason: the same in one line, empty if it is not given up.
        partition_rank: which partition of the command comes next, 0 for the first.
        time_factor: how many times the usual time limit the next try gets.
    """

    is_given_up: bool = False
    outcome: Outcome | None = None
    reason: str = ""
    partition_rank: int = 0
    time_factor: int = 1


def word_of(state: str) -> str:
    """Return the scheduler's word for a state without what follows it, as in ``CANCELLED by 1000``."""
    return state.split()[0].rstrip("+").upper() if state.strip() else ""


def outcome_of(state: str) -> Outcome | None:
    """Return how an attempt ended whose task the scheduler ended with a state; None if the state does not tell."""
    return _OUTCOME_OF_WORD.get(word_of(state))


def settle(attempt: Attempt, submissions_by_token: Mapping[str, Submission]) -> Attempt:
    """Give an attempt that ended without a word the outcome that the scheduler's last word about its task implies.

    Returns:
        The attempt itself if it has an outcome or is alive.
    """
    if attempt.outcome is not None or attempt.is_live:
        return attempt
    token, number = attempt.task
    submission = submissions_by_token.get(token)
    word = word_of(submission.ended.get(number, "")) if submission else ""
    outcome = outcome_of(word)
    if outcome is None:
        # Tasks that are cancelled while they wait leave the scheduler without any record.
        is_cancelled = submission is not None and number in submission.cancelled
        outcome = Outcome.CANCELLED if is_cancelled else Outcome.LOST
    said = f"the scheduler says {word}" if word else "the scheduler says nothing"
    return replace(attempt, outcome=outcome, reason=f"ended without a word; of its task {token}_{number} {said}")


def judge(attempts: Sequence[Attempt], policy: Policy) -> Verdict:
    """Decide whether a unit without a result is tried again, and how.

    Args:
        attempts: first one first; those without outcome count for nothing.
    """
    rank, crashes = 0, 0
    costly: list[Attempt] = []
    timeouts: list[Attempt] = []
    lost: list[Attempt] = []
    free: list[Attempt] = []
    for attempt in attempts:
        has_larger = rank < policy.partitions - 1
        if attempt.outcome is None:
            continue
        if attempt.outcome is Outcome.CONFIG:
            reason = f"another try cannot change it: {_last_reason([attempt])}"
            return Verdict(is_given_up=True, outcome=Outcome.CONFIG, reason=reason)
        if attempt.outcome is Outcome.TIMEOUT:
            timeouts.append(attempt)
        elif attempt.outcome is Outcome.LOST:
            lost.append(attempt)
        elif attempt.outcome in _FREE:
            free.append(attempt)
        elif attempt.outcome is Outcome.OUT_OF_MEMORY and has_larger:
            rank, crashes = rank + 1, 0
        else:
            costly.append(attempt)
            crashes += attempt.outcome is Outcome.SIMULATOR_CRASH
            if crashes >= _CRASHES_PER_PARTITION and has_larger:
                rank, crashes = rank + 1, 0
    outcome, reason = _end(costly, timeouts, lost, free, policy)
    return Verdict(
        is_given_up=outcome is not None,
        outcome=outcome,
        reason=reason,
        partition_rank=rank,
        time_factor=2 ** len(timeouts),
    )


def _end(
    costly: list[Attempt], timeouts: list[Attempt], lost: list[Attempt], free: list[Attempt], policy: Policy
) -> tuple[Outcome | None, str]:
    """Return why the unit is given up, None and nothing if it is not."""
    alike = Counter(attempt.fingerprint for attempt in costly if attempt.fingerprint)
    for fingerprint, count in alike.most_common(1):
        if count >= policy.quarantine_after:
            same = [attempt for attempt in costly if attempt.fingerprint == fingerprint]
            return Outcome.QUARANTINED, f"the same failure {count} times, last: {_last_reason(same)}"
    for tries, most, what in (
        (costly, policy.max_attempts, "failures"),
        (timeouts, policy.max_attempts, "time limits were too short"),
        (lost, policy.max_lost, "tries vanished"),
        (free, policy.max_free, "tries ended from outside"),
    ):
        if tries and len(tries) >= most:
            return tries[-1].outcome, f"{len(tries)} {what} ({_kinds(tries)}), last: {_last_reason(tries)}"
    return None, ""


def _kinds(tries: Sequence[Attempt]) -> str:
    counts = Counter(str(attempt.outcome) for attempt in tries)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def _last_reason(tries: Sequence[Attempt]) -> str:
    reason = " ".join(tries[-1].reason.split())
    return reason[:_REASON_LENGTH] or str(tries[-1].outcome)
