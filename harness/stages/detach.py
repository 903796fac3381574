"""Go on without a process on the login node: a chain of small jobs, each of which looks, acts and submits the next.

The next one starts when everything that is submitted now has ended (`afterany`). Slurm counts a job that it has
forgotten as ended, which is right here.
"""

from __future__ import annotations

import time

from harness.datatypes.job import Submission
from harness.errors import JobError
from harness.jobs.events import abandoned, intent, submitted
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import BatchJob, job_name, sbatch_command
from harness.jobs.ledger import Ledger, new_token
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_text
from harness.jobs.run_folder import RunFolder
from harness.jobs.templates import read_template, render
from harness.stages.launch import SLURM, Launch
from harness.stages.launching import CALL_LIMIT_S
from harness.stages.submissions import TEMPLATES, write_scancel_script

# Word of the ledger for the jobs of the chain, which have no units.
CHAIN = "chain"
LINK_TIME_LIMIT_S = 1800
# When there is no job to wait for, because Slurm did not answer or somebody else is at it.
RETRY_AFTER_S = 120


def chain(run: RunFolder, launch: Launch) -> str:
    """Submit the next link of the chain; return what a person should know.

    Raises:
        JobError: Slurm refuses it.
    """
    ledger = Ledger(run.ledger)
    waited_for = [
        s.job_ids[-1]
        for s in ledger.read()
        if s.backend == SLURM and s.job_ids and not s.is_abandoned and len(s.ended) < len(s.tasks)
    ]
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
        begin="" if waited_for else f"now+{RETRY_AFTER_S}",
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
    answer = Slurm(CALL_LIMIT_S).submit(command)
    if answer.job_id:
        ledger.append(submitted(token, answer.job_id))
    write_scancel_script(run)
    if answer.is_refused:
        ledger.append(abandoned(token, answer.message))
        raise JobError(f"sbatch refused the next link of the chain: {answer.message}", hint=f"see {script}")
    waits = f"after {len(waited_for)} job{'s' if len(waited_for) != 1 else ''}" if waited_for else "in two minutes"
    return f"the run is looked at again {waits}, by job {answer.job_id or 'without an answer from sbatch'}"
