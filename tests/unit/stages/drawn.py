"""Drawn drives: jobs and simulators that are small programs, and a run whose tasks are done with them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.datatypes.job import Outcome, Submission
from harness.errors import SimError
from harness.jobs.attempts import AttemptFolder, attempt_folders, read_state
from harness.jobs.budget import Policy
from harness.jobs.claims import Holder
from harness.jobs.events import intent
from harness.jobs.ledger import Ledger
from harness.jobs.publish import read_json
from harness.jobs.run_folder import RunFolder
from harness.stages import supervision
from harness.stages.launch import Launch
from harness.stages.work import WorkRequest, work
from tests.unit.jobs.drawn import RESULT, unit

TOKEN, OTHER_TOKEN = "0123456789ab", "ba9876543210"

# What every drawn job begins with: its options by name, and how it publishes a result.
PRELUDE = f"""
import json, os, signal, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
*_, route, attempt, _ = options["--result"].split("/")
attempt = int(attempt.removeprefix("attempt_"))
result = json.loads({json.dumps(RESULT)!r})
def publish():
    with open(options["--result"], "w") as file:
        json.dump(result, file)
def report(percent):
    line = json.dumps({{"percent": percent, "sim_s": 1.0}}) + "\\n"
    os.write(int(options["--progress-fd"]), line.encode())
def fail(code, text): print(text); sys.exit(code)
"""


def job_command(job: str) -> Callable[..., list[str]]:
    """Return what stands for `harness_command`: it runs a drawn job with the same options."""
    return lambda *arguments: [sys.executable, "-S", "-c", PRELUDE + job, *arguments[1:]]


class Simulator:
    """A simulator that is always there, unless a test says otherwise.

    Attributes:
        dies_after: number of starts after which it is gone at once.
        refuses: why it does not start; empty if it does.
    """

    dies_after = 0
    refuses = ""

    def __init__(self, port: int = 0, maps: list[Path] | None = None, log: Path | None = None) -> None:
        self.starts, self.stops = 0, 0

    def ensure_running(self, town: str) -> None:
        self.starts += 1
        if self.refuses:
            raise SimError(self.refuses)

    def is_alive(self) -> bool:
        return self.starts > self.dies_after

    def last_words(self) -> str:
        return "the simulator's last words"

    def stop(self) -> None:
        self.stops += 1


class TaskScene:
    """A run with three units, and a function that does a task of it with a drawn job."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, simulators: list[Any]) -> None:
        self.run, self.patch, self.simulators = RunFolder(folder / "mini_seed1" / "now"), patch, simulators
        self.run.folder.mkdir(parents=True)
        self.units = [unit("05"), unit("07"), unit("08")]
        self.run.write_manifest(self.units)
        Launch(verb="eval", what="mini").save(self.run)

    def submit(self, *tasks: Sequence[int], token: str = TOKEN, rank: int = 0, backend: str = "local") -> None:
        submission = Submission(
            token=token,
            name=f"eval_mini_{token}",
            backend=backend,
            intended_s=0.0,
            tasks=tuple(map(tuple, tasks)),
            partition_rank=rank,
        )
        Ledger(self.run.ledger).append(intent(submission, "", []))

    def work(self, job: str, *numbers: int, **request: Any) -> bool:
        """Do a task of some units, submitted just now unless there is one."""
        if numbers:
            self.submit(numbers)
        self.patch.setattr(supervision, "harness_command", job_command(job))
        values = {"run": self.run, "token": TOKEN, "task": 0, "policy": Policy(), **request}
        before = set(psutil.Process().children(recursive=True))  # other tests may have left helpers of Python's own
        try:
            return work(WorkRequest(**values))
        finally:
            assert set(psutil.Process().children(recursive=True)) <= before

    def attempts(self, route: str = "05") -> list[AttemptFolder]:
        return attempt_folders(self.run.unit_folder(unit(route)))

    def outcomes(self, route: str = "05") -> list[Outcome | None]:
        """Return how the attempts of a unit ended."""
        return [attempt.outcome for attempt in self._state(route).attempts]

    def reasons(self, route: str = "05") -> list[str]:
        return [attempt.reason for attempt in self._state(route).attempts]

    def _state(self, route: str) -> Any:
        return read_state(self.run.unit_folder(unit(route)), Holder.this_process(TOKEN, 0), time.time())

    def chosen(self, route: str = "05") -> int | None:
        """Return the number of the attempt whose result counts, None if there is none."""
        result = self.run.result_of(unit(route))
        numbers = [
            attempt.number
            for attempt in attempt_folders(self.run.unit_folder(unit(route)))
            if result is not None and attempt.result.is_file() and attempt.result.samefile(result)
        ]
        return numbers[0] if numbers else None

    def order(self) -> list[str]:
        """Return the routes in the order in which they were first tried."""
        facts = {
            one.route: read_json(attempts[0].folder / "attempt.json")["started_s"]
            for one in self.units
            if (attempts := attempt_folders(self.run.unit_folder(one)))
        }
        return sorted(facts, key=lambda route: facts[route])
