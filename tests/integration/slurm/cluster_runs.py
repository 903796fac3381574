"""Runs `harness` on the test cluster: in a folder of its own, with short polls, and finds whatever it leaves behind."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.datatypes.job import Submission
from harness.jobs.ledger import Ledger
from tests.slurm_cluster import SlurmCluster

PARTITION = "gpu-2080ti"
# As short as the test cluster allows; a real one is asked every 15 seconds.
PROFILE = "[poll]\ninterval_s = 1\nconfirm_s = 4\nlease_s = 20\n"


@dataclass
class ClusterRun:
    """A folder to type `harness` in."""

    folder: Path
    cluster: SlurmCluster
    repository: Path
    data: Path | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "harness.toml").write_text(PROFILE)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `harness` with some arguments."""
        return [sys.executable, "-m", "harness", *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment in which `harness` finds the cluster."""
        return {**self.cluster.env, "HARNESS_DATA": str(self.data or "")}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `harness` with some arguments; its output goes to files in the folder."""
        number = len(list(self.folder.glob("command_*.out")))
        out, err = (self.folder / f"command_{number}.{kind}" for kind in ("out", "err"))
        with out.open("w") as out_file, err.open("w") as err_file:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env={**self.environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                text=True,
            )

    def run(self, *arguments: str, limit_s: float = 240.0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `harness` to its end."""
        number = len(list(self.folder.glob("command_*.out")))
        with self.start(*arguments, **environment) as process:
            try:
                process.wait(limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"not done in {limit_s:.0f} s: {self.said(number)}") from None
        return subprocess.CompletedProcess(arguments, process.returncode, *self.said(number))

    def run_silently(self, *arguments: str) -> str:
        """Run `harness` without a trace in the folder and return what it prints."""
        answer = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120.0,
            check=True,
        )
        return answer.stdout

    def said(self, number: int) -> tuple[str, str]:
        """Return what a command has printed."""
        return tuple((self.folder / f"command_{number}.{kind}").read_text() for kind in ("out", "err"))  # type: ignore[return-value]

    def latest(self) -> Path:
        """Return the newest evaluation."""
        return (self.folder / "outputs" / "evaluation" / "latest").resolve()

    def processes(self) -> list[psutil.Process]:
        """Return every process that works in the folder: commands, tasks, simulators and drives."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self.folder):
                    found.append(process)
        return found

    def processes_of(self, word: str) -> list[psutil.Process]:
        """Return those with a word on their command line."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if word in process.cmdline():
                    found.append(process)
        return found

    def live_jobs(self) -> list[str]:
        """Return what Slurm lists that has not ended."""
        return self.cluster.squeue()

    def wait_for_no_job(self, limit_s: float = 30.0) -> None:
        """Wait until Slurm lists nothing and no process is left."""
        self.cluster.wait_for(lambda: not self.live_jobs() and not self.processes(), "the end of all jobs", limit_s)


def submissions(state: Path) -> list[Submission]:
    """Return what the ledger in a folder says."""
    return Ledger(state / "submissions.jsonl").read()


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def spans(unit: Path) -> list[tuple[float, float]]:
    """Return from when to when each attempt of a unit lived, by its own record and its last sign of life."""
    found = []
    for attempt in sorted(unit.glob("attempt_*"), key=lambda folder: int(folder.name[8:])):
        if not (attempt / "attempt.json").exists():
            continue  # killed before its first word: nothing was started
        began_s = read(attempt / "attempt.json")["started_s"]
        signs = [
            file.stat().st_mtime
            for name in ("drive.log", "progress.json", "result.json")
            if (file := attempt / name).exists()
        ]
        found.append((began_s, max([began_s, *signs])))
    return found


def assert_each_unit_was_driven_once(units: list[Path]) -> None:
    """Every unit has one chosen result, which is that of one of its attempts, and no two attempts at the same time."""
    for unit in units:
        chosen = unit / "result.json"
        assert chosen.is_file(), f"{unit} has no result"
        owners = [a for a in unit.glob("attempt_*/result.json") if a.stat().st_ino == chosen.stat().st_ino]
        assert len(owners) == 1, f"{unit}: {owners}"
        lived = spans(unit)
        for (_, ended_s), (began_s, _) in itertools.pairwise(lived):
            assert ended_s <= began_s + 0.05, (
                f"{unit}: an attempt began {ended_s - began_s:.2f} s before the end of another"
            )


def assert_ledger_is_accounted_for(state: Path) -> None:
    """Every submission has a job or is known to have none, and the end of every task is written down."""
    for submission in submissions(state):
        assert submission.is_abandoned or submission.job_ids, f"{submission.token} has no job"
        if not submission.is_abandoned and submission.backend == "slurm":
            assert set(submission.ended) == set(range(len(submission.tasks))), f"{submission.token}: {submission.ended}"


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill a process at the end if it is still there."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def now_s() -> float:
    return time.time()


def is_short() -> bool:
    """Tell whether the long proofs are to be scaled down."""
    return bool(os.environ.get("HARNESS_SOAK_SHORT"))
