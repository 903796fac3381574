"""One turn on a run, for a chain of jobs or a cron line: look, decide, act; the scoreboard when it is complete."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError
from harness.jobs.run_folder import RunFolder
from harness.stages.campaign import Campaign, CampaignResult
from harness.stages.detach import chain
from harness.stages.evaluate import write_scoreboard
from harness.stages.launch import load_launch
from harness.stages.launching import make_backend
from harness.stages.roles import Reporter


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one turn found.

    Attributes:
        campaign: None if another process is at the run.
        text: what a person should know.
    """

    campaign: CampaignResult | None
    text: str


def reconcile_run(run: RunFolder, reporter: Reporter) -> Turn:
    """Do one turn on a run, and submit the next link if the run is detached and not complete.

    Raises:
        HarnessError: the run is unreadable, or Slurm refuses a job.
    """
    launch = load_launch(run)
    if run.cancel_wish.exists():
        return Turn(campaign=None, text="the run was cancelled; nothing to do")
    try:
        run.lock()
    except HarnessError as error:
        again = chain(run, launch) if launch.is_detached else ""
        return Turn(campaign=None, text=f"{error.message}; {again}")
    try:
        units = run.units()
        missing = run.missing(units)
        reporter.begin(run.root, len(units), len(units) - len(missing), [])
        backend = make_backend(run, launch, reporter)
        result = Campaign(run, units, range(len(units)), launch, backend, reporter, is_once=True).work()
        if not run.is_dataset:
            write_scoreboard(run, result)
        if result.is_complete or result.stop:
            return Turn(campaign=result, text=result.stop or "the run is complete")
        return Turn(campaign=result, text=chain(run, launch) if launch.is_detached else "the run goes on")
    finally:
        run.unlock()
