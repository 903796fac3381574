"""Attempts, submissions, and what a scheduler says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

# A submission's token and the number of a task in it.
TaskKey: TypeAlias = tuple[str, int]


class Outcome(StrEnum):
    """How an attempt ended; the failure taxonomy."""

    RESULT = "result"  # a result file was published; driving and agent failures stand in it
    CONFIG = "config"  # a setting, a missing route: another try cannot change it
    AGENT = "agent"  # the process of the drive ended in the agent's hands
    SIMULATOR_START = "simulator start"
    SIMULATOR_CRASH = "simulator crash"
    SIMULATOR_HANG = "simulator hang"
    OUT_OF_MEMORY = "out of memory"
    TIMEOUT = "timeout"  # the task's time limit is too short for this unit
    NODE = "node"  # the machine failed
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    RETURNED = "returned"  # handed back unfinished before the task's time limit
    LOST = "lost"  # the worker vanished without a word
    QUARANTINED = "quarantined"  # never of one attempt: the same failure k times


class Presence(StrEnum):
    """Three-valued answer to the question whether a task is still there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """What the scheduler says of one task.

    Attributes:
        presence: PRESENT is pending, running or completing; ABSENT is ended, or positively not known to it.
        state: its word for it, e.g. PENDING, RUNNING, NODE_FAIL; empty if it has none.
        reason: why it is in that state, e.g. ``Priority``, ``JobHeldAdmin``.
        job_id: its name for the task, e.g. ``17_4``.
        node: where it runs or ran.
    """

    presence: Presence
    state: str = ""
    reason: str = ""
    job_id: str = ""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What the files say of one try of a unit.

    Attributes:
        number: 1 for the first try.
        task: the task that made it.
        node: machine it ran on.
        outcome: None while it runs, or if it ended without a word.
        fingerprint: equal for failures that look alike; empty if it did not fail.
        reason: one line for people.
        is_live: its claim is held by a living process.
        started_s: Unix time.
        restarts: how often the scheduler had queued the task again before.
    """

    number: int
    task: TaskKey
    node: str = ""
    outcome: Outcome | None = None
    fingerprint: str = ""
    reason: str = ""
    is_live: bool = False
    started_s: float = 0.0
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class UnitState:
    """What the files say of one unit.

    Attributes:
        is_done: it has its one chosen result.
        attempts: first one first.
        setup_failure: what its result says if the agent did not even come to drive; empty otherwise.
    """

    is_done: bool = False
    attempts: tuple[Attempt, ...] = ()
    setup_failure: str = ""

    @property
    def is_live(self) -> bool:
        """A living process holds its claim."""
        return any(attempt.is_live for attempt in self.attempts)


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One call of the scheduler, as the ledger tells it.

    Attributes:
        token: unique; part of the job's name, so that a job can be recognised whose id was never learnt.
        name: of its job; a script that submits itself again keeps it.
        backend: ``slurm`` or ``local``.
        intended_s: Unix time of the intent, written before the call.
        tasks: per task the units it works through, as line numbers of the manifest.
        partition: where it was sent, empty for the scheduler's default.
        partition_rank: position of the partition in the list of the command, 0 for the first.
        time_limit_s: of each task; 0 for none.
        is_array: one job with many tasks; otherwise one job with one task.
        job_ids: the scheduler's names for it, oldest first; several if its script submits itself again.
        is_abandoned: the scheduler has positively never heard of it.
        cancelled: tasks whose cancellation was asked for.
        ended: task -> last word of the scheduler about it, e.g. ``TIMEOUT``; ``""`` if it had none.
    """

    token: str
    name: str = ""
    backend: str
    intended_s: float
    tasks: tuple[tuple[int, ...], ...]
    partition: str = ""
    partition_rank: int = 0
    time_limit_s: int = 0
    is_array: bool = False
    job_ids: tuple[str, ...] = ()
    is_abandoned: bool = False
    cancelled: frozenset[int] = frozenset()
    ended: Mapping[int, str] = field(default_factory=dict)

    def task_keys(self) -> list[TaskKey]:
        """Return the keys of the tasks."""
        return [(self.token, number) for number in range(len(self.tasks))]
