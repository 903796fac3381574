"""No story of failures loses a unit, has it worked on twice, or goes on forever."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datatypes.job import Attempt, Outcome, Presence, TaskKey, TaskView, UnitState
from harness.jobs.budget import Policy
from harness.jobs.ledger import fold
from harness.jobs.reconcile import Decision, Facts, reconcile

# How a running task may end, and an attempt that ends by itself.
WORDS = ["NODE_FAIL", "PREEMPTED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED by 0", "FAILED", ""]
FAILURES = [Outcome.SIMULATOR_CRASH, Outcome.AGENT, Outcome.OUT_OF_MEMORY, Outcome.RETURNED, Outcome.TIMEOUT]


class Killed(BaseException):
    """The process that reconciles was killed."""


@dataclass
class Job:
    """A task as the scheduler has it."""

    units: list[int]
    state: str = "PENDING"
    left: list[int] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        return self.state in ("PENDING", "RUNNING")


@dataclass
class World:
    """A scheduler, workers and a process that reconciles; while there are dice, they say when something goes wrong."""

    dice: list[int]
    count: int
    policy: Policy
    cruelty: int = 1
    lines: list[str] = field(default_factory=list)
    jobs: dict[TaskKey, Job] = field(default_factory=dict)
    tries: dict[int, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    gave_up: set[int] = field(default_factory=set)

    def roll(self, sides: int) -> int:
        return self.dice.pop() % sides if self.dice else 0

    def write(self, kind: str, token: str, **fields: Any) -> None:
        self.lines.append(json.dumps({"event": kind, "token": token, **fields}))
        if self.roll(20) == 19:
            raise Killed

    def results(self, number: int) -> int:
        return [one.outcome for one in self.tries[number]].count(Outcome.RESULT)

    def unit(self, number: int) -> UnitState:
        return UnitState(is_done=self.results(number) > 0, attempts=tuple(self.tries[number]))

    # --- the process that reconciles ----------------------------------------------------------------------------------

    def reconcile(self) -> Decision:
        submissions, problems = fold(self.lines)
        assert problems == []
        answers = [(key, self.view(key)) for one in submissions for key in one.task_keys()]
        units = [self.unit(number) for number in range(self.count)]
        views = {key: answer for key, answer in answers if answer}
        decision = reconcile(
            Facts(units=units, wanted=range(self.count), submissions=submissions, views=views, policy=self.policy)
        )
        self.gave_up |= decision.given_up.keys()
        with suppress(Killed):
            self.carry_out(decision)
        return decision

    def view(self, key: TaskKey) -> TaskView | None:
        if (lie := self.roll(8)) >= 6:
            return TaskView(presence=Presence.UNKNOWN) if lie == 7 else None
        if (job := self.jobs.get(key)) is None:
            return TaskView(presence=Presence.ABSENT)
        return TaskView(presence=Presence.PRESENT if job.is_there else Presence.ABSENT, state=job.state)

    def carry_out(self, decision: Decision) -> None:
        for (token, number), state in decision.ended:
            self.write("ended", token, task=number, state=state)
        for token in decision.abandon:
            self.write("abandoned", token, why="")
        for (token, number), why in decision.cancel:
            self.write("cancel", token, tasks=[number], why=why)
            self.end(self.jobs[token, number], "CANCELLED by 0")
        for batch in decision.submit:
            assert not any(number in self.gave_up or self.results(number) for number in batch.units)
            size, token = 1 + self.roll(3), f"t{len(self.lines)}"
            tasks = [list(batch.units[first : first + size]) for first in range(0, len(batch.units), size)]
            self.write("intent", token, backend="slurm", time=0, tasks=tasks, is_array=True)
            if self.roll(10) < 9:  # else the request never arrives
                self.jobs |= {(token, number): Job(units) for number, units in enumerate(tasks)}
            if self.roll(10) < 9:  # else the answer never does
                self.write("submitted", token, job_id=token)

    # --- scheduler and workers ----------------------------------------------------------------------------------------

    def end(self, job: Job, state: str) -> None:
        """End a job with whatever its worker does; nothing is written about that."""
        job.state = state
        self.let_go(job)

    def let_go(self, job: Job) -> None:
        for number in job.units:
            self.tries[number] = [
                replace(one, is_live=False) if self.is_of(one, job) else one for one in self.tries[number]
            ]

    def is_of(self, one: Attempt, job: Job) -> bool:
        return self.jobs[one.task] is job

    def go_on(self, key: TaskKey) -> None:
        job = self.jobs[key]
        if job.state == "PENDING":
            job.state, job.left = ("RUNNING", list(job.units)) if self.roll(10) < 9 else ("FAILED", [])
        elif job.state == "RUNNING":
            fate = self.roll(12)
            if fate == 11:
                self.end(job, WORDS[self.roll(len(WORDS))])
            elif fate == 10:
                job.state = "PENDING"  # queued again by the scheduler
                self.let_go(job)
            else:
                self.work(key, job)

    def work(self, key: TaskKey, job: Job) -> None:
        """Begin or finish the next unit."""
        if not job.left:
            job.state = "COMPLETED"
            return
        mine = self.tries[job.left[0]]
        if mine and mine[-1].is_live:
            is_failure = self.roll(4) >= 4 - self.cruelty
            outcome = FAILURES[self.roll(len(FAILURES))] if is_failure else Outcome.RESULT
            mine[-1] = replace(mine[-1], outcome=outcome, is_live=False, fingerprint="same" * self.roll(2))
            job.left.pop(0)
        elif self.results(job.left[0]):
            job.left.pop(0)
        else:
            mine.append(Attempt(number=len(mine) + 1, task=key, is_live=True))

    def check(self) -> None:
        covered = Counter(number for job in self.jobs.values() if job.is_there for number in job.units)
        assert all(count == 1 for count in covered.values())
        assert all(self.results(number) <= 1 for number in range(self.count))


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(0, 1500), st.integers(1, 5), st.integers(1, 3), st.integers(0, 4))
def test_whatever_happens_every_unit_ends_once(seed: int, evil: int, count: int, partitions: int, cruelty: int) -> None:
    random = Random(seed)
    dice = [random.getrandbits(32) for _ in range(evil)]
    policy = Policy(partitions=partitions, max_free=5, max_lost=4)
    world = World(dice=dice, count=count, policy=policy, cruelty=cruelty)
    for _ in range(1000):
        decision = world.reconcile()
        world.check()
        if decision.is_complete and not any(job.is_there for job in world.jobs.values()):
            break
        for key in list(world.jobs):
            for _ in range(1 + world.roll(4)):
                world.go_on(key)
    assert decision.is_complete
    assert not any(job.is_there for job in world.jobs.values())
    for number in range(count):
        assert world.results(number) + (number in decision.given_up) == 1
