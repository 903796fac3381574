"""Go on without a process on the login node: a chain of small jobs, each of which looks, acts and submits the next.

The next one starts when everything that is there now has ended (`afterany`). Before a link does anything it submits a
spare one for later, and cancels it when the next one is sure to come: whatever becomes of a link, the chain goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass

from harness.datatypes.job import Submission
from harness.errors import JobError
from harness.jobs.events import abandoned, cancel, ended, intent, submitted
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import BatchJob, job_name, sbatch_command
from harness.jobs.ledger import Ledger, new_token
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_text
from harness.jobs.run_folder import RunFolder
from harness.jobs.templates import read_template, render
from harness.stages.launch import Launch
from harness.stages.launching import CALL_LIMIT_S
from harness.stages.submissions import TEMPLATES, write_scancel_script

# Word of the ledger for the jobs of the chain, which have no units.
CHAIN = "chain"
LINK_TIME_LIMIT_S = 1800
# When there is no job to wait for, because Slurm did not answer or somebody else is at it.
RETRY_AFTER_S = 120
# A spare link looks after the run if the one before it did not come to its end.
SPARE_AFTER_S = 2700


@dataclass(frozen=True, kw_only=True)
class Link:
    """A job of the chain.

    Attributes:
        job_id: empty if Slurm did not answer.
        text: what a person should know.
    """

    token: str
    job_id: str
    text: str


def chain(run: RunFolder, launch: Launch, present: Collection[str] = (), *, after_s: int = RETRY_AFTER_S) -> Link:
    """Submit the next link of the chain.

    Args:
        present: tokens of the submissions of which something is still there; the link waits for their end.
        after_s: what it waits for if there are none.

    Raises:
        JobError: Slurm refuses it.
    """
    ledger = Ledger(run.ledger)
    waited_for = [s.job_ids[-1] for s in ledger.read() if s.token in present and s.job_ids]
    token = new_token()
    name = job_name("reconcile", launch.what, token)
    script = (run.scripts / f"{name}.sbatch").absolute()
    job = BatchJob(
        name=name,
        script=script,
        stdout=(run.stdout / f"{name}.log").absolute(),
        stderr=(run.stderr / f"{name}.log").absolute(),
        partition=launch.partitions[0] if launch.partitions else "",
        cpu=1,
        time_limit_s=LINK_TIME_LIMIT_S,
        account=launch.profile.cluster.account,
        qos=launch.profile.cluster.qos,
        constraint=launch.profile.cluster.constraint,
        requeue=True,
        dependency="afterany:" + ":".join(waited_for) if waited_for else "",
        begin="" if waited_for else f"now+{after_s}",
        extra=tuple(launch.profile.cluster.sbatch),
        export=launch.profile.export_names(),
    )
    command = sbatch_command(job)
    text = render(
        read_template(TEMPLATES / "reconcile.sbatch"),
        name="reconcile.sbatch",
        cmd=harness_command("reconcile", "--run", str(run.folder.absolute())),
        filename=script,
        partition=job.partition,
        gpu=0,
        cpu=1,
        timeout=str(LINK_TIME_LIMIT_S),
        prologue=launch.profile.prologue(),
    )
    publish_text(script, text)
    link = Submission(token=token, name=name, backend=CHAIN, intended_s=time.time(), tasks=((),))
    ledger.append(intent(link, str(script), command))
    write_scancel_script(run)
    answer = Slurm(CALL_LIMIT_S).submit(command)
    if answer.job_id:
        ledger.append(submitted(token, answer.job_id))
    if answer.is_refused:
        ledger.append(abandoned(token, answer.message))
        raise JobError(f"sbatch refused the next link of the chain: {answer.message}", hint=f"see {script}")
    waits = f"after {len(waited_for)} job{'s' if len(waited_for) != 1 else ''}" if waited_for else f"in {after_s} s"
    text = f"the run is looked at again {waits}, by job {answer.job_id or 'without an answer from sbatch'}"
    return Link(token=token, job_id=answer.job_id, text=text)


def drop(run: RunFolder, link: Link) -> None:
    """Cancel a link that is not needed any more."""
    if link.job_id:
        Ledger(run.ledger).append(cancel(link.token, [0], "the next link is sure to come"))
        Slurm(CALL_LIMIT_S).cancel([link.job_id])
        Ledger(run.ledger).append(ended(link.token, 0, "CANCELLED"))


def note_end_of_this_link(run: RunFolder) -> None:
    """Write into the ledger that the link which this process is has come to its end."""
    job_id = os.environ.get("SLURM_JOB_ID", "")
    ledger = Ledger(run.ledger)
    for submission in ledger.read():
        if submission.backend == CHAIN and job_id in submission.job_ids and not submission.ended:
            ledger.append(ended(submission.token, 0, "COMPLETED"))
