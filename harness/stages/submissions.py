"""Units become tasks, tasks become batch scripts and command lines. Nothing is submitted here.

The same function makes what `PRINT_ONLY=1` prints and what is handed to the scheduler.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import heapq
import json
import math
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

    All of them together keep to the slots: arrays share them, and of jobs without an array there are at most as many as
    slots. Units for which that leaves no room are in no call; they are planned again when there is room.

    Args:
        costs_s: predicted time of each unit.
        slots: how many tasks may run side by side.

    Raises:
        ConfigError: the template or a setting of the cluster makes no sense.
    """
    is_local = setting.launch.backend == LOCAL
    is_array = _is_array(setting.launch)
    time_limit_s = parse_time_limit(setting.launch.timeout)
    loads_s = [math.fsum(costs_s[number] for number in batch.units) for batch in batches]
    calls: list[tuple[Batch, list[tuple[int, ...]]]] = []
    for batch, share in zip(batches, share_slots(slots, loads_s, [len(batch.units) for batch in batches]), strict=True):
        if share == 0:
            continue
        costs = {number: costs_s[number] for number in batch.units}
        if is_local:
            tasks = pack(costs, slots=share, limit_s=0, least_s=0.0)
        else:
            tasks = pack(costs, slots=share, limit_s=time_limit_s * batch.time_factor)
        if is_array:
            chunks = [tasks[first : first + MAX_ARRAY_TASKS] for first in range(0, len(tasks), MAX_ARRAY_TASKS)]
        else:
            chunks = [[task] for task in tasks[:share]]
        calls += [(batch, chunk) for chunk in chunks]
    loads_s = [math.fsum(costs_s[number] for task in chunk for number in task) for _, chunk in calls]
    shares = share_slots(slots, loads_s, [len(chunk) for _, chunk in calls])
    # A call without a share comes behind all that have one.
    return [
        _plan(setting, batch, chunk, time_limit_s * batch.time_factor, share, position)
        for position, ((batch, chunk), share) in enumerate(zip(calls, shares, strict=True))
        if share
    ]


def share_slots(slots: int, loads_s: Sequence[float], most: Sequence[int]) -> list[int]:
    """Share slots: one for each while there are any, the others to where the most time is left per slot.

    Args:
        loads_s: what there is to do.
        most: how many slots each can use, at least 1.

    Returns:
        Number of slots of each load. Their sum is at most `slots`; those that get none are the last ones.
    """
    shares = [int(index < slots) for index in range(len(loads_s))]
    heap = [(-load_s, index) for index, load_s in enumerate(loads_s) if most[index] > 1]
    heapq.heapify(heap)
    for _ in range(slots - len(loads_s)):
        if not heap:
            break
        _, index = heapq.heappop(heap)
        shares[index] += 1
        if shares[index] < most[index]:
            heapq.heappush(heap, (-loads_s[index] / shares[index], index))
    return shares


def _is_array(launch: Launch) -> bool:
    return launch.backend != LOCAL and not launch.template


def _plan(
    setting: Setting, batch: Batch, tasks: Sequence[tuple[int, ...]], limit_s: int, share: int, position: int
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
        is_array=_is_array(launch),
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
        command=tuple(sbatch_command(_batch_job(setting, submission, name, script, share))),
    )


def _token(run: RunFolder, ordinal: int, tasks: Sequence[Sequence[int]]) -> str:
    """Return a name for a submission that a dry run can foretell; no two submissions of a run have the same ordinal."""
    identity = json.dumps([str(run.folder.resolve()), ordinal, [list(task) for task in tasks]])
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def work_command(setting: Setting, submission: Submission, *, warning_s: int) -> list[str]:
    """Return the command line of a task; of an array, Slurm tells each task its number.

    Any other task is told its number here: the environment may hold that of a job array of the user's own, in which
    this command was typed.
    """
    launch = setting.launch
    command = harness_command("work", "--run", str(setting.run.folder.absolute()), "--token", submission.token)
    if not submission.is_array:
        command += ["--task", "0"]
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


def _batch_job(setting: Setting, submission: Submission, name: str, script: Path, share: int) -> BatchJob:
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
        array_limit=share if submission.is_array else None,
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
    with (run.folder / ".scancel.lock").open("a") as lock:
        # Jobs write it too; the last one to write has to be the last one to have read.
        fcntl.flock(lock, fcntl.LOCK_EX)
        submissions = [s for s in Ledger(run.ledger).read() if s.backend != LOCAL]
        names = [submission.name for submission in submissions if submission.name]
        # The first id belongs to the name; further ones are of jobs that registered themselves, under whatever name.
        unended = [s for s in submissions if len(s.ended) < len(s.tasks)]
        ids = [job_id for submission in unended for job_id in submission.job_ids[1:]]
        publish_text(run.scancel_script, scancel_script(names, ids, run.cancel_wish.absolute()))
        run.scancel_script.chmod(0o755)
