"""A probe job, followed until it has answered or will not: decisions from what Slurm and the files say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.jobs.checks.answers import last_words
from harness.jobs.checks.check import Check, State
from harness.jobs.launchers.slurm_text import STUCK_REASONS, QueueRow, is_alive_state, is_hopeless_reason
from harness.jobs.processes import last_lines
from harness.jobs.profile import Profile

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """How nodes are examined.

    Attributes:
        profile: settings of the cluster.
        gpu: GPUs of each job; None asks for one where the partition has some.
        pending_limit_s: a job that has not begun by then is cancelled.
        gone_limit_s: from the end of a job until its file has to be seen; network disks show files late.
        poll_s: between two questions to Slurm, if harness.toml has no shorter time.
    """

    profile: Profile = field(default_factory=Profile)
    gpu: int | None = None
    pending_limit_s: float = 900.0
    gone_limit_s: float = 45.0
    poll_s: float = 3.0


@dataclass
class Probe:
    """A job that was submitted.

    Attributes:
        token: in its name.
        report: the file that it writes.
        log: what it prints.
        job_id: empty if sbatch did not tell.
        submitted_s: monotonic time.
        said: the last that was said of it.
        begun: it has been seen running.
        gone_s: monotonic time when it was first seen to have ended.
    """

    partition: str
    token: str
    name: str
    report: Path
    log: Path
    job_id: str = ""
    submitted_s: float = 0.0
    said: str = ""
    begun: bool = False
    gone_s: float | None = None


@dataclass(frozen=True)
class Verdict:
    """There is nothing to wait for any more.

    Attributes:
        is_over: the job has ended, and need not be cancelled.
    """

    check: Check
    is_over: bool


def follow(one: Probe, row: QueueRow | None, now_s: float, options: ProbeOptions, say: Say) -> Verdict | None:
    """Look at a job that has not answered; return None while it may still do so.

    Args:
        row: what Slurm says of it; None if nothing.
        now_s: monotonic time.
    """
    if row is not None:
        one.job_id = one.job_id or row.job_id
    if row is not None and is_alive_state(row.state):
        one.gone_s = None
        reason = f" ({row.reason})" if row.state == "PENDING" and row.reason else ""
        word = f"{row.state.lower()}{reason}"
        if word != one.said:
            say(f"{one.partition}: job {one.job_id} is {word}")
            one.said = word
        one.begun = one.begun or row.state != "PENDING"
        return None if one.begun else _judge_pending(one, row.reason, now_s, options)
    # One that sbatch did not tell of may still appear; one that was there has ended.
    one.gone_s = now_s if one.gone_s is None else one.gone_s
    state = row.state if row is not None else "not known to Slurm"
    if now_s - one.gone_s < options.gone_limit_s:
        if row is not None and state != one.said:
            say(f"{one.partition}: job {one.job_id} has ended ({state}); its answer may take a moment to be seen")
            one.said = state
        return None
    words = last_words(last_lines(one.log))
    found = f"job {one.job_id or one.name} ended ({state}) without an answer" + (f": {words}" if words else "")
    hint = f"see {one.log}" if words else "start from a folder that the compute nodes see"
    # One that Slurm does not know may yet appear, if sbatch was slow.
    return Verdict(failure(found, f"its file {one.report}", hint), is_over=row is not None)


def judge_silence(one: Probe, now_s: float, options: ProbeOptions) -> Verdict | None:
    """Look at a job of which nothing can be learnt, since Slurm does not answer either."""
    if now_s - one.submitted_s < options.pending_limit_s:
        return None
    check = Check(
        name="probe job",
        state=State.WARNING,
        found=f"neither job {one.job_id or one.name} nor Slurm answers",
        expected="an answer from one of them",
        hint="scontrol ping",
    )
    return Verdict(check, is_over=False)


def _judge_pending(one: Probe, reason: str, now_s: float, options: ProbeOptions) -> Verdict | None:
    waited_s = now_s - one.submitted_s
    is_hopeless = reason.startswith(STUCK_REASONS) or is_hopeless_reason(reason)
    if not is_hopeless and waited_s < options.pending_limit_s:
        return None
    found = f"job {one.job_id} is pending after {waited_s:.0f} s ({reason or 'no reason given'}); cancelled"
    if is_hopeless:
        hint = f"scontrol show partition {one.partition}"
        return Verdict(failure(found, "a job that can begin", hint), is_over=False)
    check = Check(
        name="probe job",
        state=State.WARNING,
        found=found,
        expected="a free node",
        hint=f"squeue -p {one.partition}; type it again when the partition is less busy",
    )
    return Verdict(check, is_over=False)


def failure(found: str, expected: str, hint: str) -> Check:
    """Return what is said of a job that did not answer, and never will."""
    return Check(name="probe job", state=State.FAILED, found=found, expected=expected, hint=hint, is_needed=True)
