"""What the compute nodes offer: a short job per partition examines its node and writes down what it found.

Each job writes one file, by rename, into a folder that both machines see. This process holds a lock there while it
waits, so that the jobs can tell whether locks reach them.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.config import OUTPUTS
from harness.errors import ConfigError, HarnessError, JobError
from harness.jobs.checks.check import Check
from harness.jobs.checks.slurm_here import list_partitions
from harness.jobs.checks.storage import clock_offset_s
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import (
    BatchJob,
    QueueRow,
    job_name,
    parse_job_name,
    sbatch_command,
)
from harness.jobs.ledger import new_token
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_text, read_json
from harness.jobs.runs import UNKNOWN_TIME
from harness.jobs.templates import read_template, render
from harness.stages.campaign import UNKNOWN_TOKEN
from harness.stages.doctor_follow import Probe, ProbeOptions, Say, failure, follow, judge_silence
from harness.stages.doctor_node import LOCK_FILE, NodeReport, read_report
from harness.stages.launch import DEFAULT_CPU
from harness.stages.launching import CALL_LIMIT_S
from harness.stages.submissions import TEMPLATES

JOB_LIMIT_S = 900
_TICK_S = 0.2


@dataclass(frozen=True, kw_only=True)
class ProbeCall:
    """One call of sbatch that examines a node.

    Attributes:
        script: where its script is, or would be.
        text: of the script.
        command: what is called.
    """

    partition: str
    script: Path
    text: str
    command: tuple[str, ...]


def require_slurm() -> None:
    """Make sure that jobs can be submitted here.

    Raises:
        ConfigError: there is no Slurm.
    """
    if not Slurm.is_installed():
        raise ConfigError(
            "PARTITION needs Slurm: found no sbatch, expected a login node of the cluster",
            hint="make doctor without PARTITION looks at this machine",
        )


def probe(partitions: Sequence[str], options: ProbeOptions, say: Say) -> list[NodeReport]:
    """Examine a node of each partition; return when all have answered, or will not.

    Args:
        say: is told what happens while this waits.

    Raises:
        ConfigError: Slurm is not here, or a setting of the cluster makes no sense.
        JobError: this process was told to end; its jobs are cancelled.
    """
    require_slurm()
    slurm = Slurm(CALL_LIMIT_S)
    gpus = _gpus(partitions, options)
    probes = _plan(_new_folder(OUTPUTS / "doctor"), partitions)
    folder = probes[0].report.parent
    reports: dict[str, NodeReport] = {}
    with (folder / LOCK_FILE).open("a") as lock, _wish_to_end() as is_ended:
        with contextlib.suppress(OSError):  # a file system without locks: the jobs will say so
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for one in probes:
                if (refusal := _submit(one, slurm, options, gpus[one.partition], say)) is not None:
                    reports[one.token] = _unanswered(one, refusal)
                if is_ended():
                    break
            _wait(probes, reports, slurm, options, say, is_ended)
        finally:
            _cancel([one for one in probes if one.submitted_s and one.token not in reports], slurm, say)
    if is_ended():
        raise JobError("interrupted", hint="the same command begins again")
    return [reports[one.token] for one in probes]


def foresee(partitions: Sequence[str], options: ProbeOptions) -> list[ProbeCall]:
    """Return the calls that `probe` would make; writes nothing and submits nothing.

    Its folder and the tokens in the names of the jobs are not known before.

    Raises:
        ConfigError: a setting of the cluster makes no sense.
    """
    gpus = _gpus(partitions, options)
    folder = (OUTPUTS / "doctor" / UNKNOWN_TIME).absolute()
    return [_call(one, options, gpus[one.partition]) for one in _plan(folder, partitions, UNKNOWN_TOKEN)]


def _gpus(partitions: Sequence[str], options: ProbeOptions) -> dict[str, int]:
    """Return how many GPUs the job of each partition asks for."""
    if options.gpu is not None:
        return dict.fromkeys(partitions, options.gpu)
    having = {found.name for found in list_partitions() if found.gpus}
    return {partition: int(partition in having) for partition in partitions}


def _new_folder(parent: Path) -> Path:
    """Make a folder that is named after the time."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder = parent / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        try:
            folder.mkdir()
            return folder.absolute()
        except FileExistsError:
            time.sleep(_TICK_S)


def _plan(folder: Path, partitions: Sequence[str], token: str = "") -> list[Probe]:
    """Return a probe of each partition; every one has a token of its own unless one is given."""
    probes = []
    for number, partition in enumerate(dict.fromkeys(partitions)):
        own = token or new_token()
        stem = f"{number}_{re.sub(r'[^A-Za-z0-9.-]+', '_', partition)}"
        probes.append(
            Probe(
                partition=partition,
                token=own,
                name=job_name("doctor", partition, own),
                report=folder / f"{stem}.json",
                log=folder / f"{stem}.log",
            )
        )
    return probes


def _call(one: Probe, options: ProbeOptions, gpu: int) -> ProbeCall:
    cluster = options.profile.cluster
    script = one.report.with_suffix(".sbatch")
    job = BatchJob(
        name=one.name,
        script=script,
        stdout=one.log,
        stderr=one.log,
        partition=one.partition,
        gpu=gpu,
        gpu_type=cluster.gpu_type,
        cpu=DEFAULT_CPU,
        mem=cluster.mem,
        time_limit_s=JOB_LIMIT_S,
        account=cluster.account,
        qos=cluster.qos,
        constraint=cluster.constraint,
        requeue=False,
        extra=tuple(cluster.sbatch),
        export=options.profile.export_names(),
    )
    command = sbatch_command(job)
    text = render(
        read_template(TEMPLATES / "doctor.sbatch"),
        name="doctor.sbatch",
        cmd=harness_command("doctor", "--here", "--report", str(one.report)),
        filename=script,
        partition=one.partition,
        gpu=gpu,
        cpu=DEFAULT_CPU,
        timeout=str(JOB_LIMIT_S),
        prologue=options.profile.prologue(),
    )
    return ProbeCall(partition=one.partition, script=script, text=text, command=tuple(command))


def _submit(one: Probe, slurm: Slurm, options: ProbeOptions, gpu: int, say: Say) -> Check | None:
    """Submit the job; return why it was refused, None if it was not."""
    call = _call(one, options, gpu)
    publish_text(call.script, call.text)
    one.submitted_s = time.monotonic()
    answer = slurm.submit(call.command)
    one.job_id = answer.job_id
    if answer.is_refused:
        hint = f"sinfo -p {one.partition}; see {call.script}"
        return failure(f"sbatch refuses it: {answer.message}", "a job", hint)
    told = f"submitted job {one.job_id}" if one.job_id else f"sbatch gave no answer ({answer.message})"
    say(f"{one.partition}: {told}{f' with {gpu} GPU' if gpu else ''}")
    return None


def _wait(
    probes: Sequence[Probe],
    reports: dict[str, NodeReport],
    slurm: Slurm,
    options: ProbeOptions,
    say: Say,
    is_ended: Callable[[], bool],
) -> None:
    """Return when there is a report for each job, or the wish to end."""
    next_poll_s = 0.0
    while (open_probes := [one for one in probes if one.token not in reports]) and not is_ended():
        for one in open_probes:
            if one.report.exists():
                reports[one.token] = _answered(one)
                say(f"{one.partition}: {reports[one.token].node or 'its node'} has answered")
        if time.monotonic() >= next_poll_s:
            rows = _rows(slurm)
            if rows is None:
                say("Slurm does not answer")
            for one in open_probes:
                if one.token in reports:
                    continue
                now_s = time.monotonic()
                if rows is None:
                    verdict = judge_silence(one, now_s, options)
                else:
                    verdict = follow(one, rows.get(one.token), now_s, options, say)
                if verdict is not None:
                    if not verdict.is_over:
                        _cancel([one], slurm, say)
                    # It may have answered just now.
                    reports[one.token] = _answered(one) if one.report.exists() else _unanswered(one, verdict.check)
            next_poll_s = time.monotonic() + min(options.poll_s, options.profile.poll.interval_s)
        time.sleep(_TICK_S)


def _rows(slurm: Slurm) -> Mapping[str, QueueRow] | None:
    """Return our jobs by token; None if Slurm does not answer."""
    rows = slurm.queue()
    if rows is None:
        return None
    return {token: row for row in rows if (token := parse_job_name(row.name)) is not None}


def _unanswered(one: Probe, check: Check) -> NodeReport:
    return NodeReport(partition=one.partition, job_id=one.job_id, node="", is_answered=False, checks=(check,))


def _answered(one: Probe) -> NodeReport:
    took_s = time.monotonic() - one.submitted_s
    try:
        content = read_json(one.report)
        return read_report(content, one.partition, one.job_id, clock_offset_s(one.report.parent), took_s)
    except HarnessError as error:
        return _unanswered(one, failure(error.message, "what the job found", f"see {one.log}"))


def _cancel(probes: Sequence[Probe], slurm: Slurm, say: Say) -> None:
    if not probes:
        return
    # By name those whose id was never learnt.
    ids, names = [one.job_id for one in probes if one.job_id], [one.name for one in probes if not one.job_id]
    is_done = all([slurm.cancel(ids) if ids else True, slurm.cancel_names(names) if names else True])
    what = ", ".join(one.job_id or one.name for one in probes)
    say(f"cancelled {what}" if is_done else f"Slurm does not answer: type scancel {what} later")


@contextmanager
def _wish_to_end() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM be a wish, so that no submission is left half made; yield whether there is one."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    wishes: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda found, _: wishes.append(found)) for number in numbers}
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
