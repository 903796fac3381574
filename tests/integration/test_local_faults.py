"""Whatever is killed on this machine, the same command completes, and every unit has one result."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from harness.jobs.ledger import Ledger
from harness.jobs.orphans import MARK, mark_of
from tests.integration.evaluation import Evaluation, attempt_of, ended, outcomes, wait_for

pytestmark = pytest.mark.timeout(180)
SEEDS = (1, 2)
# The expert, but it leaves a process behind in a session of its own, which holds whatever a fork inherits, and goes no
# further than its 20th tick as long as there is a file.
LEAVING = """
import os, signal, time
from harness.drive.agents import ExpertAgent

class Leaving(ExpertAgent):
    ticks = 0

    def drive(self, scene):
        self.ticks += 1
        if self.ticks == 1 and os.fork() == 0:
            os.setsid()
            while True:
                signal.pause()
        if self.ticks == 20:
            open(f"held_{os.getpid()}", "w").close()
            while os.path.exists("hold"):
                time.sleep(0.02)
        return super().drive(scene)
"""
COMMAND = (
    *("--only", "00,01", "--seeds", ",".join(map(str, SEEDS)), "--jobs", "2"),
    *("--agent", "leaving.py:Leaving"),
)


def mark_in(process: psutil.Process) -> str:
    """Return the mark that a process bears, nothing if it has none or has ended."""
    with contextlib.suppress(psutil.Error, OSError):
        return str(process.environ().get(MARK, ""))
    return ""


class Driven:
    """A drive that is going on: its process, who started it, and what it left behind."""

    def __init__(self, process: psutil.Process) -> None:
        arguments = process.cmdline()
        self.process, self.attempt = process, Path(arguments[arguments.index("--unit") + 1]).parent
        self.worker = process.parent()
        siblings = self.worker.children() if self.worker else []
        self.simulators = [sibling for sibling in siblings if "simulator" in sibling.cmdline()]

    def is_held(self) -> bool:
        """Tell whether it is a worker's and has come to where it waits."""
        return "work" in self.worker.cmdline() and Path(self.process.cwd(), f"held_{self.process.pid}").exists()

    def left(self, evaluation: Evaluation) -> list[psutil.Process]:
        """Return the processes that bear the mark of this attempt, but for that of the drive."""
        mark = mark_of(self.attempt)
        return [p for p in evaluation.processes() if p.pid != self.process.pid and mark_in(p) == mark]


def drives(evaluation: Evaluation) -> Iterator[Driven]:
    """Yield the drives that wait, each with a process left behind."""
    for process in evaluation.processes():
        with contextlib.suppress(psutil.Error, AttributeError):
            # What an agent forks has the command line of its parent, but no worker above it.
            if "drive-unit" in process.cmdline():
                driven = Driven(process)
                if driven.is_held() and driven.left(evaluation):
                    yield driven


def a_drive(evaluation: Evaluation, hit: set[Path]) -> Driven:
    """Wait for an attempt that nothing was done to yet."""

    def untouched() -> list[Driven]:
        return [driven for driven in drives(evaluation) if driven.attempt not in hit]

    found: Driven = wait_for(untouched, "a drive that waits")[0]
    hit.add(found.attempt)
    return found


def outcome(attempt: Path) -> str | None:
    """Return how an attempt ended, None if it said nothing."""
    return outcomes(attempt.parent)[int(attempt.name.removeprefix("attempt_")) - 1]


def test_whatever_is_killed_every_unit_has_one_result(evaluation: Evaluation) -> None:
    (evaluation.folder / "leaving.py").write_text(LEAVING)
    (evaluation.folder / "hold").touch()
    hit: set[Path] = set()
    with ended(evaluation.start_eval(*COMMAND)) as controller:
        of_worker = a_drive(evaluation, hit)
        of_worker.worker.kill()
        # Its successor ends what the agent has left behind, while the other task goes on.
        wait_for(lambda: not of_worker.left(evaluation), "the end of what was left behind")
        assert controller.poll() is None

        of_simulator = a_drive(evaluation, hit)
        (simulator,) = of_simulator.simulators
        simulator.kill()
        wait_for(lambda: outcome(of_simulator.attempt), "the word about the drive in it")

        of_drive = a_drive(evaluation, hit)
        of_drive.process.kill()
        wait_for(lambda: outcome(of_drive.attempt), "the word about it")
        assert of_drive.left(evaluation) == []

        of_controller = a_drive(evaluation, hit)
        controller.kill()
        controller.communicate(timeout=20.0)
    # The kernel ends its tasks, their simulators and their drives; only what agents started goes on.
    wait_for(lambda: all(map(mark_in, evaluation.processes())), "the end of the tasks")

    (evaluation.folder / "hold").unlink()
    answer = evaluation.run(*COMMAND)  # which leaves no process
    assert answer.returncode == 0, answer.stderr
    (run,) = evaluation.runs()
    units = [run.parents[1] / f"longest6_seed{seed}" / run.name / route for seed in SEEDS for route in ("00", "01")]
    for unit in units:
        assert attempt_of(unit / "result.json") == unit / f"attempt_{len(outcomes(unit))}"
        assert outcomes(unit).count("result") == 1
        assert set(outcomes(unit)) <= {"result", "simulator crash", "lost", None}
        assert_attempts_do_not_overlap(unit)
    found = [outcome(driven.attempt) for driven in (of_worker, of_simulator, of_drive, of_controller)]
    assert found == [None, "simulator crash", "lost", None]
    words = {state for submission in Ledger(run / "submissions.jsonl").read() for state in submission.ended.values()}
    assert "FAILED -9" in words
    assert json.loads((run / "scoreboard.json").read_text())["data"]["found"] == len(units)


def assert_attempts_do_not_overlap(unit: Path) -> None:
    spans = []
    for folder in unit.glob("attempt_*"):
        started_s = json.loads((folder / "attempt.json").read_text())["started_s"]
        outcome = folder / "outcome.json"
        files = [file.stat().st_mtime for file in folder.iterdir()]
        spans.append((started_s, json.loads(outcome.read_text())["ended_s"] if outcome.exists() else max(files)))
    spans.sort()
    for (_, ended_s), (started_s, _) in pairwise(spans):
        assert ended_s <= started_s, unit
