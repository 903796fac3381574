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
from harness.errors import JobError
from harness.jobs.events import cancel as cancel_event
from harness.jobs.events import ended
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import is_alive_state, parse_job_name
from harness.jobs.ledger import Ledger
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import all_datasets, all_runs, newest_run, open_run
from harness.stages.launch import LOCAL, SLURM

CONFIRM_LIMIT_S = 30.0
CALL_LIMIT_S = 15.0
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
    newest = newest_run(outputs)
    if not is_all and _is_begun(newest):
        return [newest]
    begun = [each for each in (*all_runs(outputs), *all_datasets(outputs)) if _is_begun(each)]
    return begun if is_all else begun[:1] or [newest]


def _is_begun(run: RunFolder) -> bool:
    try:
        return bool(open_submissions(run)) or run.controller() is not None
    except JobError:
        return True  # its ledger is damaged; there may be jobs


def open_submissions(run: RunFolder) -> list[Submission]:
    """Return the submissions of a run of which something may still be there.

    Raises:
        JobError: its ledger is damaged.
    """
    return [s for s in Ledger(run.ledger).read() if not s.is_abandoned and len(s.ended) < len(s.tasks)]


def cancel(runs: Sequence[RunFolder], *, print_only: bool) -> list[CancelReport]:
    """Cancel runs; returns when Slurm no longer lists their jobs, or after half a minute."""
    return [_foresee(run) if print_only else _cancel(run) for run in runs]


def _known_submissions(run: RunFolder) -> list[Submission]:
    """Return the open submissions; none if the ledger is damaged, since then the scripts have to do."""
    try:
        return open_submissions(run)
    except JobError:
        return []


def _foresee(run: RunFolder) -> CancelReport:
    jobs = [s.name for s in _known_submissions(run) if s.backend == SLURM]
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
    submissions = _known_submissions(run)
    ledger = Ledger(run.ledger)
    for submission in submissions:
        ledger.append(cancel_event(submission.token, range(len(submission.tasks)), "make scancel"))
    ours = [submission for submission in submissions if submission.backend != LOCAL]
    # The scripts know the names of jobs that a damaged ledger has forgotten.
    names = dict.fromkeys([*(s.name for s in ours), *(file.stem for file in run.scripts.glob("*.sbatch"))])
    left: list[str] | None = []
    if names and Slurm.is_installed():
        slurm = Slurm(CALL_LIMIT_S)
        # By name first: a number may be somebody else's by now, unless its job registered it under a name of its own.
        slurm.cancel([job_id for submission in ours for job_id in submission.job_ids[1:]])
        tokens = {token for name in names if (token := parse_job_name(name)) is not None}
        left = _wait_until_gone(slurm, tokens) if slurm.cancel_names(list(names)) else None
    elif ours:
        left = None
    if left == []:
        for submission in submissions:
            for task in set(range(len(submission.tasks))) - set(submission.ended):
                ledger.append(ended(submission.token, task, "CANCELLED"))
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
