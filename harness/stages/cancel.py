"""End what a run has handed over, and leave word that nothing more is to be begun."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datatypes.job import Submission
from harness.jobs.events import cancel as cancel_event
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import is_alive_state, parse_job_name
from harness.jobs.ledger import Ledger
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import all_datasets, all_runs, newest_run, open_run
from harness.stages.launch import LOCAL, SLURM

CONFIRM_LIMIT_S = 30.0
_PAUSE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class CancelReport:
    """What became of one run.

    Attributes:
        jobs: names of the jobs whose end was asked for, or would be.
        controller: process that worked on the run here and was told to end.
        left: jobs that Slurm still lists; None if Slurm does not answer.
    """

    run: Path
    jobs: list[str]
    controller: int | None
    left: list[str] | None


def chosen_runs(outputs: Path, run: Path | None, *, is_all: bool) -> list[RunFolder]:
    """Return the runs that a command is about: the one named, all with something submitted, or the newest.

    Raises:
        ConfigError: there is none.
    """
    if run is not None:
        return [open_run(run)]
    if is_all:
        found = [*all_runs(outputs), *all_datasets(outputs)]
        return [each for each in found if open_submissions(each) or each.controller() is not None]
    return [newest_run(outputs)]


def open_submissions(run: RunFolder) -> list[Submission]:
    """Return the submissions of a run of which something may still be there."""
    return [s for s in Ledger(run.ledger).read() if not s.is_abandoned and len(s.ended) < len(s.tasks)]


def cancel(runs: Sequence[RunFolder], *, print_only: bool) -> list[CancelReport]:
    """Cancel runs; returns when Slurm no longer lists their jobs, or after half a minute."""
    return [_foresee(run) if print_only else _cancel(run) for run in runs]


def _foresee(run: RunFolder) -> CancelReport:
    jobs = [s.name for s in open_submissions(run) if s.backend == SLURM]
    return CancelReport(run=run.root, jobs=jobs, controller=run.controller(), left=[])


def _cancel(run: RunFolder) -> CancelReport:
    run.cancel_wish.touch()
    controller = run.controller()
    if controller is not None and controller != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(controller, signal.SIGTERM)
    if controller is not None:
        _wait_for_end(run)
    # Only now: it may have written an intent in its last moment.
    submissions = open_submissions(run)
    ledger = Ledger(run.ledger)
    for submission in submissions:
        ledger.append(cancel_event(submission.token, range(len(submission.tasks)), "make scancel"))
    ours = [submission for submission in submissions if submission.backend != LOCAL]
    left: list[str] | None = []
    if ours:
        slurm = Slurm(CONFIRM_LIMIT_S)
        # By name first: a number may be somebody else's by now, unless its job registered it under a name of its own.
        slurm.cancel([job_id for submission in ours for job_id in submission.job_ids[1:]])
        slurm.cancel_names([submission.name for submission in ours])
        left = _wait_until_gone(slurm, {submission.token for submission in ours})
    return CancelReport(run=run.root, jobs=[submission.name for submission in ours], controller=controller, left=left)


def _wait_for_end(run: RunFolder) -> None:
    deadline_s = time.monotonic() + CONFIRM_LIMIT_S
    while run.controller() is not None and time.monotonic() < deadline_s:
        time.sleep(_PAUSE_S)


def _wait_until_gone(slurm: Slurm, tokens: set[str]) -> list[str] | None:
    """Return the ids of jobs that are still there in the end, None if Slurm does not answer."""
    deadline_s = time.monotonic() + CONFIRM_LIMIT_S
    while True:
        rows = slurm.queue()
        left = None
        if rows is not None:
            left = [row.job_id for row in rows if parse_job_name(row.name) in tokens and is_alive_state(row.state)]
        if left == [] or time.monotonic() > deadline_s:
            return left
        time.sleep(_PAUSE_S)
