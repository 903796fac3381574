"""Slurm as a login node sees it: commands, controller, partitions, and settings that matter to a run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State
from harness.jobs.checks.graphics import is_compute_only
from harness.jobs.templates import parse_time_limit

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
SINFO_FORMAT = "%R|%a|%l|%D|%T|%G"
# States of nodes that run jobs now or after others. Most marks behind them say that they leave, or do not answer.
_USABLE = frozenset(["idle", "mixed", "allocated", "completing", "planned", "reserved", "powered_down", "powering_up"])
_HARMLESS_MARKS = "+~#-"
# Slurm's commands try for nine seconds to reach a controller.
CALL_LIMIT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A partition as sinfo tells it.

    Attributes:
        is_up: it starts jobs.
        availability: its word for that.
        limit_s: longest time of a job; None if there is no limit, or none that can be read.
        limit: the same as it is written.
        usable: number of nodes that take jobs now or later.
        gpus: of a node, e.g. ``gpu:a100:4``; the kinds that there are.
    """

    name: str
    is_up: bool
    availability: str
    limit_s: int | None
    limit: str
    nodes: int
    usable: int
    gpus: tuple[str, ...] = ()


def parse_partitions(text: str) -> list[Partition]:
    """Read what sinfo prints with `SINFO_FORMAT`: a line for nodes of a partition that are alike."""
    partitions: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 6 or not fields[3].isdecimal():
            continue
        name, availability, limit, count, state, resources = fields
        before = partitions.get(name)
        usable = int(count) if _is_usable(state) else 0
        gpus = (*(before.gpus if before else ()), *_gpus(resources))
        partitions[name] = Partition(
            name=name,
            is_up=availability == "up",
            availability=availability,
            limit_s=_limit_s(limit),
            limit=limit,
            nodes=int(count) + (before.nodes if before else 0),
            usable=usable + (before.usable if before else 0),
            gpus=tuple(dict.fromkeys(gpus)),
        )
    return list(partitions.values())


def _is_usable(state: str) -> bool:
    return state.rstrip(_HARMLESS_MARKS).lower() in _USABLE


def _gpus(resources: str) -> list[str]:
    """Return the GPUs in e.g. ``gpu:a100:4(S:0-1),gpu:v100:2,lustre:1``."""
    bare = re.sub(r"\([^)]*\)", "", resources)
    return [word for word in bare.split(",") if word.partition(":")[0] == "gpu"]


def _limit_s(text: str) -> int | None:
    try:
        return parse_time_limit(text) or None
    except ConfigError:
        return None  # infinite, n/a


def judge_partition(partition: Partition, task_limit_s: int) -> Check:
    """Judge a partition.

    Args:
        task_limit_s: time limit that tasks ask for.
    """
    name = f"partition {partition.name}"
    nodes, gpus = f"{partition.usable} of {partition.nodes} nodes usable", " ".join(partition.gpus) or "no GPUs"
    found = f"{partition.availability}, {nodes}, time limit {partition.limit}, {gpus}"

    def warning(expected: str, hint: str) -> Check:
        return Check(name=name, state=State.WARNING, found=found, expected=expected, hint=hint)

    if not partition.is_up:
        return warning("up: jobs wait there until it is", f"scontrol show partition {partition.name}")
    if not partition.usable:
        return warning("a node that takes jobs", f"sinfo -R -p {partition.name} says why there is none")
    if partition.limit_s is not None and partition.limit_s < task_limit_s:
        return warning(
            f"{task_limit_s} s, the time limit of a task: longer ones wait for ever", f"TIMEOUT={partition.limit_s}"
        )
    if partition.gpus and all(map(is_compute_only, partition.gpus)):
        return warning(
            "GPUs that draw, for real CARLA: on these it is very slow or hangs",
            "train there; the embedded simulator needs no GPU",
        )
    return Check(name=name, state=State.OK, found=found)


def parse_config(text: str) -> dict[str, str]:
    """Read what ``scontrol show config`` prints."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _number(config: Mapping[str, str], key: str) -> int | None:
    match = re.match(r"[0-9]+", config.get(key, ""))
    return int(match[0]) if match else None


def judge_min_job_age(config: Mapping[str, str], poll_interval_s: float) -> Check:
    """Judge how long Slurm remembers a job that has ended; 0 is for ever."""
    name, age_s = "MinJobAge", _number(config, "MinJobAge")
    if age_s is None:
        return Check(name=name, state=State.WARNING, found="unknown", expected="300 s", hint="scontrol show config")
    found = f"{age_s} s" if age_s else "0: jobs are never forgotten"
    if age_s == 0 or age_s >= 2 * poll_interval_s:
        return Check(name=name, state=State.OK, found=found)
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected=f"{2 * poll_interval_s:.0f} s, two polls: how a job ended is forgotten before we ask",
        hint=f"interval_s = {max(age_s / 3, 0.5):.1f} below [poll] in harness.toml",
    )


def judge_array_size(config: Mapping[str, str], array_tasks: int) -> Check:
    """Judge how many tasks an array may have.

    Args:
        array_tasks: as many are submitted at once.
    """
    name, size = "MaxArraySize", _number(config, "MaxArraySize")
    if size is None:
        return Check(name=name, state=State.WARNING, found="unknown", expected="1001", hint="scontrol show config")
    if size >= array_tasks:
        return Check(name=name, state=State.OK, found=str(size))
    return Check(
        name=name,
        state=State.WARNING,
        found=f"{size}: sbatch refuses a larger array",
        expected=f"{array_tasks}",
        hint="a longer TIMEOUT and fewer JOBS make fewer, longer tasks; TEMPLATE=... submits one by one",
    )


def judge_accounting(answer: Answer | None) -> Check:
    """Judge sacct, which nothing depends on."""
    if answer is not None and answer.is_ok:
        return Check(name="accounting", state=State.OK, found="sacct answers")
    return Check(
        name="accounting",
        state=State.ABSENT,
        found=f"sacct: {answer.ending}" if answer else "no sacct",
        expected="nothing: how jobs end is read from squeue and from their own files",
    )


def judge_ping(answer: Answer | None) -> Check:
    """Judge whether a controller answers, from ``scontrol ping``."""
    name = "Slurm controller"
    lines = [line.strip() for line in (answer.out if answer else "").splitlines() if line.startswith("Slurmctld")]
    found = "; ".join(lines) or (answer.ending if answer else "no scontrol")
    if any(line.endswith(" UP") for line in lines):
        return Check(name=name, state=State.OK, found=found)
    if "configuration source" in found:
        return Check(
            name=name,
            state=State.ABSENT,
            found="Slurm's commands are here, but nothing tells them of a cluster",
            expected="a login node of a cluster; runs on this machine need none",
            hint="export SLURM_CONF=/path/to/slurm.conf",
        )
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected="one that is UP",
        hint="scontrol ping; while it is down nothing is lost, and runs go on when it is back",
    )


def judge_commands(missing: Sequence[str], version: str) -> Check:
    """Judge which of Slurm's commands are here."""
    if not missing:
        return Check(name="Slurm", state=State.OK, found=version or "its commands are here")
    if len(missing) == len(COMMANDS):
        return Check(
            name="Slurm",
            state=State.ABSENT,
            found="no sbatch",
            expected="a login node of a cluster; runs on this machine need none",
            hint="ssh to the login node, or export PATH=$PATH:/path/to/slurm/bin",
        )
    return Check(
        name="Slurm",
        state=State.WARNING,
        found=f"no {', '.join(missing)}",
        expected=f"all of {', '.join(COMMANDS)}",
        hint="export PATH=$PATH:/path/to/slurm/bin",
    )


def judge_job(environment: Mapping[str, str]) -> Check | None:
    """Tell the job that this process is part of; None outside of one."""
    job_id = environment.get("SLURM_JOB_ID")
    if not job_id:
        return None
    node, partition = environment.get("SLURMD_NODENAME", "?"), environment.get("SLURM_JOB_PARTITION", "?")
    gpus = environment.get("SLURM_JOB_GPUS") or environment.get("SLURM_STEP_GPUS")
    cores = environment.get("SLURM_CPUS_PER_TASK") or environment.get("SLURM_CPUS_ON_NODE") or "?"
    found = f"{job_id} on {node} in {partition}: {cores} cores, {f'GPUs {gpus}' if gpus else 'no GPU'}"
    return Check(name="Slurm job", state=State.OK, found=found)


def list_partitions() -> list[Partition]:
    """Return the partitions that this user may see; empty if Slurm does not answer."""
    answer = ask(["sinfo", "-h", "-o", SINFO_FORMAT], limit_s=CALL_LIMIT_S)
    return parse_partitions(answer.out) if answer is not None and answer.is_ok else []


def examine_slurm(poll_interval_s: float, array_tasks: int, task_limit_s: int) -> list[Check]:
    """Examine the cluster from a login node.

    Args:
        poll_interval_s: time between two of our queries.
        array_tasks: as many tasks are submitted at once.
        task_limit_s: time limit that tasks ask for.
    """
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        return [judge_commands(missing, "")]
    version = ask(["sinfo", "--version"], limit_s=CALL_LIMIT_S)
    checks = [judge_commands([], version.out.strip() if version else "")]
    if job := judge_job(os.environ):
        checks.append(job)
    ping = judge_ping(ask(["scontrol", "ping"], limit_s=CALL_LIMIT_S))
    checks.append(ping)
    if ping.state is not State.OK:
        return checks
    answer = ask(["scontrol", "show", "config"], limit_s=CALL_LIMIT_S)
    config = parse_config(answer.out if answer else "")
    return [
        *checks,
        *(judge_partition(partition, task_limit_s) for partition in list_partitions()),
        judge_min_job_age(config, poll_interval_s),
        judge_array_size(config, array_tasks),
        judge_accounting(ask(["sacct", "-n", "-X", "-o", "JobID"], limit_s=CALL_LIMIT_S)),
    ]
