"""Units become tasks, tasks become batch scripts and command lines. Nothing is submitted here.

The same function makes what `PRINT_ONLY=1` prints and what is handed to the scheduler.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import REPOSITORY
from harness.datatypes.job import Submission
from harness.jobs.launchers.slurm_text import BatchJob, job_name, sbatch_command, scancel_script
from harness.jobs.ledger import Ledger
from harness.jobs.packing import pack
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_text
from harness.jobs.reconcile import Batch
from harness.jobs.run_folder import RunFolder
from harness.jobs.templates import parse_time_limit, read_template, render
from harness.stages.launch import EMBEDDED, LOCAL, Launch

TEMPLATES = REPOSITORY / "slurm_templates"
# Slurm's own default for MaxArraySize allows indices up to 1000.
MAX_ARRAY_TASKS = 1000
# Between SIGUSR1 and the end of a task; shorter for short tasks.
WARNING_S = 120
# A template that limits itself with $TIMEOUT needs this long to say so and to submit itself again.
OWN_TIMEOUT_MARGIN_S = 120


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One call of the scheduler, not made yet.

    Attributes:
        name: of the job and of its script.
        text: of the script; empty for local tasks.
        command: what is called.
    """

    submission: Submission
    name: str
    script: Path
    text: str
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What planning needs to know of a run; a preview of a new run has no folder yet.

    Attributes:
        run: where the run is or would be.
        earlier: number of submissions so far.
        max_attempts: of a unit.
        excluded: nodes to stay away from.
        now_s: Unix time.
    """

    run: RunFolder
    launch: Launch
    earlier: int
    max_attempts: int
    excluded: tuple[str, ...] = ()
    now_s: float = 0.0
    hidden_token: str = ""


def plan_submissions(
    setting: Setting, batches: Sequence[Batch], costs_s: Mapping[int, float], slots: int
) -> list[Planned]:
    """Return the calls that hand batches of units to the backend.

    Args:
        costs_s: predicted time of each unit.
        slots: how many tasks may run side by side.

    Raises:
        ConfigError: the template or a setting of the cluster makes no sense.
    """
    planned: list[Planned] = []
    for batch in batches:
        limit_s = parse_time_limit(setting.launch.timeout) * batch.time_factor
        costs = {number: costs_s[number] for number in batch.units}
        if setting.launch.backend == LOCAL:
            tasks = pack(costs, slots=slots, limit_s=0, least_s=0.0)
        else:
            tasks = pack(costs, slots=slots, limit_s=limit_s)
        size = 1 if setting.launch.backend == LOCAL or setting.launch.template else MAX_ARRAY_TASKS
        for first in range(0, len(tasks), size):
            planned.append(_plan(setting, batch, tasks[first : first + size], limit_s, slots, len(planned)))
    return planned


def _plan(
    setting: Setting, batch: Batch, tasks: Sequence[tuple[int, ...]], limit_s: int, slots: int, position: int
) -> Planned:
    launch, run = setting.launch, setting.run
    token = setting.hidden_token or _token(run, setting.earlier + position, tasks)
    name = job_name(launch.verb, launch.what, token)
    submission = Submission(
        token=token,
        name=name,
        backend=launch.backend,
        intended_s=setting.now_s,
        tasks=tuple(tasks),
        partition=launch.partitions[batch.partition_rank] if launch.partitions else "",
        partition_rank=batch.partition_rank,
        time_limit_s=limit_s,
        is_array=launch.backend != LOCAL and not launch.template,
    )
    if launch.backend == LOCAL:
        command = work_command(setting, submission, warning_s=WARNING_S)
        return Planned(submission=submission, name=name, script=Path(), text="", command=tuple(command))
    script = (run.scripts / f"{name}.sbatch").absolute()
    return Planned(
        submission=submission,
        name=name,
        script=script,
        text=_render(setting, submission, script, batch.time_factor),
        command=tuple(sbatch_command(_batch_job(setting, submission, name, script, slots))),
    )


def _token(run: RunFolder, ordinal: int, tasks: Sequence[Sequence[int]]) -> str:
    """Return a name for a submission that a dry run can foretell; no two submissions of a run have the same ordinal."""
    identity = json.dumps([str(run.folder.resolve()), ordinal, [list(task) for task in tasks]])
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def work_command(setting: Setting, submission: Submission, *, warning_s: int) -> list[str]:
    """Return the command line of a task; of an array, Slurm tells each task its number."""
    launch = setting.launch
    command = harness_command("work", "--run", str(setting.run.folder.absolute()), "--token", submission.token)
    command += ["--max-attempts", str(setting.max_attempts), "--partitions", str(max(1, len(launch.partitions)))]
    command += ["--warning", str(warning_s), "--lease", f"{launch.profile.poll.lease_s:g}"]
    if launch.sim != EMBEDDED:
        command += ["--sim", launch.sim]
    for folder in launch.maps:
        command += ["--maps", folder]
    return command


def _render(setting: Setting, submission: Submission, script: Path, time_factor: int) -> str:
    launch = setting.launch
    template = Path(launch.template) if launch.template else TEMPLATES / f"{launch.verb}.sbatch"
    timeout = launch.timeout if time_factor == 1 else str(submission.time_limit_s)
    return render(
        read_template(template),
        name=str(template),
        cmd=work_command(setting, submission, warning_s=_warning_s(submission.time_limit_s)),
        filename=script,
        partition=submission.partition,
        gpu=launch.gpu,
        cpu=launch.cpu,
        timeout=timeout,
        prologue=() if launch.template else launch.profile.prologue(),
    )


def _batch_job(setting: Setting, submission: Submission, name: str, script: Path, slots: int) -> BatchJob:
    launch, run, cluster = setting.launch, setting.run, setting.launch.profile.cluster
    pattern = _log_name(submission, "%a", "%j")
    limit_s = submission.time_limit_s
    return BatchJob(
        name=name,
        script=script,
        stdout=(run.stdout / pattern).absolute(),
        stderr=(run.stderr / pattern).absolute(),
        partition=submission.partition,
        gpu=launch.gpu,
        gpu_type=cluster.gpu_type,
        cpu=launch.cpu,
        mem=cluster.mem,
        time_limit_s=limit_s + OWN_TIMEOUT_MARGIN_S if launch.template and limit_s else limit_s,
        account=cluster.account,
        qos=cluster.qos,
        constraint=cluster.constraint,
        exclude=setting.excluded,
        array_size=len(submission.tasks) if submission.is_array else None,
        array_limit=slots if submission.is_array else None,
        requeue=True,
        signal_lead_s=_warning_s(limit_s) if limit_s and not launch.template else None,
        extra=tuple(cluster.sbatch),
        export=launch.profile.export_names(),
    )


def _log_name(submission: Submission, task: object, job_id: str) -> str:
    return f"{submission.name}_{task if submission.is_array else job_id}.log"


def error_log(run: RunFolder, submission: Submission, task: int, job_id: str) -> Path:
    """Return the file that gets the errors of a task, as `plan_submissions` asks for it."""
    return run.stderr / _log_name(submission, task, job_id)


def _warning_s(limit_s: int) -> int:
    return min(WARNING_S, max(limit_s // 4, 10)) if limit_s else WARNING_S


def changes(run: RunFolder, planned: Sequence[Planned]) -> list[str]:
    """Return how the first script and command differ from those of the run's last submission."""
    last = _last_intent(run.ledger)
    if last is None or not planned:
        return []
    try:
        text = Path(str(last.get("script"))).read_text(encoding="utf-8")
    except OSError:
        return [f"the script of the last submission is gone: {last.get('script')}"]
    old = [*text.splitlines(), *map(str, last.get("command", []))]
    new = [*planned[0].text.splitlines(), *planned[0].command]
    return list(difflib.unified_diff(old, new, "last", "next", n=0, lineterm=""))


def _last_intent(ledger: Path) -> dict[str, Any] | None:
    """Return the last intent in a ledger as it stands there, None if there is none."""
    try:
        lines = ledger.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            found: dict[str, Any] | None = json.loads(line)
            if isinstance(found, dict) and found.get("event") == "intent":
                return found
        except ValueError:
            continue
    return None


def write_scancel_script(run: RunFolder) -> None:
    """Write `scancel.sh` of a run: it cancels every submission that the ledger knows."""
    submissions = [s for s in Ledger(run.ledger).read() if s.backend != LOCAL]
    names = [submission.name for submission in submissions if submission.name]
    # The first id belongs to the name; further ones are of jobs that registered themselves, under whatever name.
    ids = [job_id for submission in submissions for job_id in submission.job_ids[1:]]
    publish_text(run.scancel_script, scancel_script(names, ids, run.cancel_wish.absolute()))
    run.scancel_script.chmod(0o755)
