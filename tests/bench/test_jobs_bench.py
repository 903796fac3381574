"""How long one turn of a large run takes: reading the ledger, deciding, packing."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from harness.datatypes.job import Attempt, Outcome, Presence, Submission, TaskView, UnitState
from harness.jobs.budget import Policy
from harness.jobs.ledger import fold_bytes
from harness.jobs.packing import pack
from harness.jobs.reconcile import Facts, reconcile

UNITS = 9000
ROUNDS = 4
OUTCOMES = (Outcome.NODE, Outcome.SIMULATOR_CRASH, Outcome.TIMEOUT, None)


@pytest.fixture(scope="module")
def costs() -> dict[int, float]:
    random = Random(1)
    return {unit: random.lognormvariate(3.0, 1.0) for unit in range(UNITS)}


@pytest.fixture(scope="module")
def tasks(costs: dict[int, float]) -> list[tuple[int, ...]]:
    return pack(costs, slots=92, limit_s=3600)


def test_pack(benchmark: Any, costs: dict[int, float]) -> None:
    tasks = benchmark(pack, costs, slots=92, limit_s=3600)
    assert sum(map(len, tasks)) == UNITS


def test_pack_units_that_fill_tasks_badly(benchmark: Any) -> None:
    costs = dict.fromkeys(range(UNITS), 969.0)  # two fit where three almost do
    tasks = benchmark(pack, costs, slots=92, limit_s=3600)
    assert max(map(len, tasks)) == 2


def test_read_ledger(benchmark: Any, tasks: list[tuple[int, ...]]) -> None:
    events: list[dict[str, Any]] = []
    for number in range(ROUNDS):
        token = f"{number:012x}"
        events.append({"event": "intent", "token": token, "backend": "slurm", "time": 0, "tasks": tasks})
        events.append({"event": "submitted", "token": token, "job_id": str(number)})
        events += [{"event": "ended", "token": token, "task": task, "state": "FAILED"} for task in range(len(tasks))]
    data = "".join(json.dumps(event) + "\n" for event in events).encode()
    submissions, problems = benchmark(fold_bytes, data)
    assert (len(submissions), problems) == (ROUNDS, [])


def test_reconcile(benchmark: Any, tasks: list[tuple[int, ...]]) -> None:
    """Every unit has failed in each round before; of the last round half is still running."""
    random = Random(1)
    attempts: list[list[Attempt]] = [[] for _ in range(UNITS)]
    submissions = []
    for number in range(ROUNDS):
        ended = {} if number == ROUNDS - 1 else dict.fromkeys(range(len(tasks)), "NODE_FAIL")
        token = f"{number:012x}"
        submissions.append(
            Submission(token=token, backend="slurm", intended_s=0.0, tasks=tuple(tasks), job_ids=("1",), ended=ended)
        )
        for task, units in enumerate(tasks):
            for unit in units if ended else ():
                attempts[unit].append(Attempt(number=number, task=(token, task), outcome=random.choice(OUTCOMES)))
    running = TaskView(presence=Presence.PRESENT, state="RUNNING")
    gone = TaskView(presence=Presence.ABSENT, state="FAILED")
    facts = Facts(
        units=[UnitState(is_done=unit % 3 == 0, attempts=tuple(attempts[unit])) for unit in range(UNITS)],
        wanted=range(UNITS),
        submissions=submissions,
        views={(submissions[-1].token, task): running if task % 2 else gone for task in range(len(tasks))},
        policy=Policy(partitions=2),
    )
    decision = benchmark(reconcile, facts)
    assert decision.submit and decision.given_up and decision.ended
