"""One turn on a run, for a chain of jobs or a cron line: look, decide, act; the scoreboard when it is complete."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError
from harness.jobs.run_folder import RunFolder
from harness.stages.campaign import Campaign, CampaignResult
from harness.stages.detach import SPARE_AFTER_S, chain, drop, note_end_of_this_link
from harness.stages.evaluate import write_scoreboard
from harness.stages.launch import SLURM, Launch, load_launch
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
    """Do one turn on a run, and see to the next one if the run is detached and not complete.

    A local run is brought to its end: its tasks live no longer than this process.

    Raises:
        HarnessError: the run is unreadable, or Slurm refuses a job.
    """
    launch = load_launch(run)
    if run.cancel_wish.exists():
        note_end_of_this_link(run)
        return Turn(campaign=None, text="the run was cancelled; nothing to do")
    spare = chain(run, launch, after_s=SPARE_AFTER_S) if launch.is_detached else None
    try:
        run.lock()
    except HarnessError as error:
        # Whoever is at it may be killed: the spare link stays.
        note_end_of_this_link(run)
        return Turn(campaign=None, text=error.message)
    try:
        campaign = _campaign(run, launch, reporter)
        result = campaign.work()
        if not run.is_dataset:
            write_scoreboard(run, result)
        is_over = result.is_complete or bool(result.stop)
        successor = chain(run, launch, result.present) if spare is not None and not is_over else None
        if spare is not None and (is_over or (successor is not None and successor.job_id)):
            drop(run, spare)
    finally:
        run.unlock()
    note_end_of_this_link(run)
    if is_over:
        return Turn(campaign=result, text=result.stop or "the run is complete")
    return Turn(campaign=result, text=successor.text if successor is not None else "the run goes on")


def _campaign(run: RunFolder, launch: Launch, reporter: Reporter) -> Campaign:
    units = run.units()
    wanted = list(launch.wanted) or list(range(len(units)))
    missing = run.missing([units[number] for number in wanted])
    reporter.begin(run.root, len(wanted), len(wanted) - len(missing), [])
    backend = make_backend(run, launch, reporter)
    return Campaign(run, units, wanted, launch, backend, reporter, is_once=launch.backend == SLURM)
