"""What is said to Slurm and what it says: command lines, scripts and answers as text. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, JobError
from harness.jobs.launchers.slurm_options import user_options
from harness.jobs.templates import slurm_time

# Names and reasons may hold any character of a keyboard, line breaks too, so fields and rows end in control characters.
_FIELD_END, _ROW_END = "\x1f", "\x1e"
_COLUMNS = ("%i", "%F", "%K", "%T", "%V", "%N", "%r", "%j")
# %r is the reason alone; %R would give the nodes of a job that runs.
QUEUE_FORMAT = _FIELD_END.join(_COLUMNS) + _ROW_END

_ENDED_STATES = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
)
# Beginnings of reasons for which Slurm holds a job that will never start by itself. Neither JobHeldUser nor "job
# requeued in held state": whoever held it by hand wants that.
STUCK_REASONS = ("launch failed requeued held", "JobHeldAdmin", "DependencyNeverSatisfied", "BadConstraints")
# Beginnings of reasons for which the same job would wait for ever, however often it is submitted.
HOPELESS_REASONS = (
    "AccountNotAllowed",
    "AssocMaxCpuPerJobLimit",
    "AssocMaxGRESPerJob",
    "AssocMaxMemPerJob",
    "AssocMaxWallDurationPerJobLimit",
    "InvalidAccount",
    "InvalidQOS",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "QOSMaxCpuPerJobLimit",
    "QOSMaxGRESPerJob",
    "QOSMaxMemoryPerJob",
    "QOSMaxWallDurationPerJobLimit",
    "QOSNotAllowed",
)

_TOKEN = re.compile(r"_([0-9a-f]{12})(?:\.[A-Za-z]+)?")
_LONGEST_NAME = 60
_NAMES_PER_CALL = 50


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """One call of sbatch.

    Attributes:
        stdout, stderr: absolute; the file name may hold ``%a`` (task) and ``%j`` (job), the folder is taken as it is.
        time_limit_s: 0 for none.
        exclude: nodes to stay away from.
        array_size: number of tasks, None if it is no array.
        array_limit: tasks side by side, None for as many as there is room for.
        dependency, begin: as sbatch takes them.
        signal_lead_s: seconds between SIGUSR1 to the script and the end of the time limit; None for no signal.
        extra: lines of options of the user's.
        export: names of the variables that the job gets.
    """

    name: str
    script: Path
    stdout: Path
    stderr: Path
    partition: str = ""
    gpu: int = 0
    gpu_type: str = ""
    cpu: int = 1
    mem: str = ""
    time_limit_s: int = 0
    account: str = ""
    qos: str = ""
    constraint: str = ""
    exclude: tuple[str, ...] = ()
    array_size: int | None = None
    array_limit: int | None = None
    dependency: str = ""
    begin: str = ""
    requeue: bool = True
    signal_lead_s: int | None = None
    extra: tuple[str, ...] = ()
    export: tuple[str, ...] = ()


def sbatch_command(job: BatchJob) -> list[str]:
    """Return the command line that submits a job. Whatever sites set differently by default is stated.

    Raises:
        ConfigError: an option of the user's is one that the harness sets itself, or Slurm would misread a path.
    """
    gpu_type = f"{job.gpu_type}:" if job.gpu_type else ""
    throttle = f"%{job.array_limit}" if job.array_limit else ""
    named = (
        ("job-name", job.name),
        ("partition", job.partition),
        ("account", job.account),
        ("qos", job.qos),
        ("constraint", job.constraint),
        ("gres", f"gpu:{gpu_type}{job.gpu}" if job.gpu else ""),
        ("cpus-per-task", str(job.cpu)),
        ("mem", job.mem),
        ("time", slurm_time(job.time_limit_s)),
        ("array", "" if job.array_size is None else f"0-{job.array_size - 1}{throttle}"),
        ("signal", "" if job.signal_lead_s is None else f"B:USR1@{job.signal_lead_s}"),
        ("dependency", job.dependency),
        ("begin", job.begin),
        ("output", _pattern(job.stdout)),
        ("error", _pattern(job.stderr)),
        ("open-mode", "append"),
        ("export", ",".join(job.export) or "NONE"),
    )
    return [
        "sbatch",
        "--parsable",
        *(f"--{option}={value}" for option, value in named if value),
        "--requeue" if job.requeue else "--no-requeue",
        *user_options(job.extra, job.exclude),
        str(job.script),
    ]


def _pattern(file: Path) -> str:
    """Return an output file as sbatch takes it: a per cent sign in a folder's name is doubled."""
    if "\\" in str(file):
        raise ConfigError(
            f"the path {file} holds a backslash, which switches off Slurm's file patterns, expected none",
            hint="use another folder for the run",
        )
    return str(Path(str(file.parent).replace("%", "%%")) / file.name)


def job_name(verb: str, what: str, token: str) -> str:
    """Return the name of a job: what it does, and the token by which it is recognised.

    Args:
        token: 12 hexadecimal digits.
    """
    safe = re.sub(r"[^A-Za-z0-9.-]+", "_", what)[:_LONGEST_NAME].strip("_") or "run"
    return f"{verb}_{safe}_{token}"


def parse_job_name(name: str) -> str | None:
    """Return the token in the name of a job, None if it is not one of ours.

    A script that submits itself again gives its job the name of its file, suffix included; so scripts are named
    ``<job name>.sbatch``.
    """
    match = _TOKEN.fullmatch(name, name.rfind("_")) if "_" in name else None
    return match[1] if match else None


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One task as squeue lists it.

    Attributes:
        job_id: ``17`` or ``17_4``.
        array_id: ``17``, of an array and of a single job alike.
        task: number in the array; None for a single job, and for what is left of an array that was cancelled.
        submitted: local time, as Slurm writes it.
    """

    job_id: str
    array_id: str
    task: int | None
    state: str
    reason: str
    name: str
    submitted: str
    nodes: str


class AnswerError(JobError):
    """An answer of Slurm's that cannot be whole."""


def parse_queue(text: str) -> list[QueueRow]:
    """Read what ``squeue -h -r -t all -o QUEUE_FORMAT`` prints. Nothing is an answer too, but proves nothing.

    Raises:
        AnswerError: it is cut off or malformed; nothing in it is to be believed then.
    """
    end = _ROW_END + "\n"
    if text and not text.endswith(end):
        raise AnswerError(f"the answer of squeue is cut off: it ends with {text[-40:]!r}, expected a whole line")
    return [_parse_row(row) for row in text.removesuffix(end).split(end) if text]


def _parse_row(row: str) -> QueueRow:
    fields = row.split(_FIELD_END, len(_COLUMNS) - 1)
    if len(fields) != len(_COLUMNS):
        raise AnswerError(f"squeue printed {row[:80]!r}, expected {len(_COLUMNS)} fields")
    job_id, array_id, index, state, submitted, nodes, reason, name = fields
    is_id = re.fullmatch(r"[0-9]+", array_id) and re.match(rf"{array_id}(?:_|$)", job_id)
    if not is_id or not re.fullmatch(r"[A-Z_]+", state):
        raise AnswerError(f"squeue printed {row[:80]!r}, expected a job id and a state")
    return QueueRow(
        job_id=job_id,
        array_id=array_id,
        task=int(index) if re.fullmatch(r"[0-9]+", index) else None,
        state=state,
        reason="" if reason == "None" else reason,
        name=name,
        submitted=submitted,
        nodes=nodes,
    )


def is_alive_state(state: str) -> bool:
    """Tell whether a job in this state may still do something; true of states that nobody has heard of."""
    return state not in _ENDED_STATES


def is_hopeless_reason(reason: str) -> bool:
    """Tell whether a job that waits for this reason would wait for ever, however often it is submitted."""
    return reason.startswith(HOPELESS_REASONS)


def scancel_script(names: Sequence[str], ids: Sequence[str], wish_file: Path) -> str:
    """Return the bash script that cancels everything of a run; safe to run twice.

    Args:
        names: of jobs. They find jobs whose number was never learnt and those that submitted themselves again, and no
            stranger's job that got an old number.
        ids: of jobs whose names are not known, such as one that submitted itself again under a name of its own.
        wish_file: tells whoever works on the run that nothing more is to be submitted.
    """
    calls = [_squeue_call(names[first : first + _NAMES_PER_CALL]) for first in range(0, len(names), _NAMES_PER_CALL)]
    numbers = [f"printf '%s\\n' {' '.join(map(shlex.quote, chunk))}" for chunk in _chunks(ids)]
    listing = "\n".join(f"  {line}" for line in [*calls, *numbers] or [":"])
    return _SCANCEL.format(wish=shlex.quote(str(wish_file)), listing=listing)


def _squeue_call(names: Sequence[str]) -> str:
    both = ",".join(form for name in names for form in (name, f"{name}.sbatch"))
    return f'squeue --noheader --user="$user" --format=%F --name={shlex.quote(both)} || return 1'


def _chunks(words: Sequence[str]) -> list[Sequence[str]]:
    return [words[first : first + _NAMES_PER_CALL] for first in range(0, len(words), _NAMES_PER_CALL)]


_SCANCEL = """\
#!/usr/bin/env bash
# Cancels everything that this run has submitted. Written anew with every submission; safe to run twice.
set -u -o pipefail
user=$(id -un)
unset "${{!SQUEUE_@}}" "${{!SCANCEL_@}}"

# While this file is there, nothing more is submitted.
touch {wish} || exit 1

jobs_of_run() {{
{listing}
}}

if ! found=$(jobs_of_run | sort -u); then
  echo 'Slurm does not answer: type the same again' >&2
  exit 1
fi
if [ -z "$found" ]; then
  echo 'no job of this run is waiting or running'
  exit 0
fi
xargs -n 100 scancel <<<"$found" || exit 1
echo "Slurm was asked to end $(tr '\\n' ' ' <<<"$found")"
echo "squeue --user=$user shows what is left"
"""
