"""A compute node, examined by a short job: what the job writes down, and how it is read."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.jobs.checks.check import Check, State, read_check
from harness.jobs.checks.slurm_here import judge_job
from harness.jobs.checks.storage import clock_offset_s, judge_far_locks, lock_state
from harness.jobs.profile import Profile
from harness.jobs.publish import publish_json
from harness.stages.doctor import examine_here

# Beside the answers; held by the process that waits for them.
LOCK_FILE = "held.lock"
# A clock that differs by more confuses whoever compares two logs.
CLOCK_TOLERANCE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """What a job found.

    Attributes:
        node: empty if the job never told.
        is_answered: the job examined its node; otherwise the one check says what became of it.
    """

    partition: str
    job_id: str
    node: str
    is_answered: bool
    checks: tuple[Check, ...]


def write_report(file: Path, profile: Profile, say: Callable[[str], None]) -> list[Check]:
    """Examine this node and write down what was found; the job entry point."""
    folder = file.parent
    far_locks = judge_far_locks(lock_state(folder / LOCK_FILE))
    checks = [*([job] if (job := judge_job(os.environ)) else []), *examine_here(folder, profile, say, is_node=True)]
    checks.append(far_locks)
    publish_json(
        file,
        {
            "version": 1,
            "node": os.environ.get("SLURMD_NODENAME") or platform.node(),
            "clock_offset_s": clock_offset_s(folder),
            "checks": [check.as_dict() for check in checks],
        },
    )
    return checks


def read_report(content: Any, partition: str, job_id: str, offset_here_s: float | None, took_s: float) -> NodeReport:
    """Return what a job wrote down.

    Args:
        content: of its file.
        offset_here_s: of our clock from the one of the file system.
        took_s: from its submission to its answer.

    Raises:
        HarnessError: it is something else.
    """
    if not isinstance(content, dict) or not isinstance(content.get("checks"), list):
        raise HarnessError("the answer of the job holds no checks, expected a list of them")
    node = content.get("node")
    if not isinstance(node, str):
        raise HarnessError(f"the answer of the job names the node {node!r}, expected text")
    checks = [read_check(item) for item in content["checks"]]
    job = Check(name="probe job", state=State.OK, found=f"{job_id}, answered after {took_s:.0f} s")
    clock = judge_clocks(offset_here_s, _number(content.get("clock_offset_s")))
    return NodeReport(partition=partition, job_id=job_id, node=node, is_answered=True, checks=(job, *checks, clock))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def judge_clocks(here_s: float | None, there_s: float | None) -> Check:
    """Judge the clock of a node against ours, both as offsets from the file system that they share."""
    name = "clock between machines"
    if here_s is None or there_s is None:
        return Check(name=name, state=State.WARNING, found="unknown", expected="a shared folder", hint="date on both")
    later_s = there_s - here_s
    found = f"the node's is {abs(later_s):.2f} s {'ahead of' if later_s >= 0 else 'behind'} ours"
    if abs(later_s) <= CLOCK_TOLERANCE_S:
        return Check(name=name, state=State.OK, found=found)
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected=f"at most {CLOCK_TOLERANCE_S:.0f} s; Slurm itself refuses credentials when it is minutes",
        hint="tell the administrator: timedatectl on the node",
    )
