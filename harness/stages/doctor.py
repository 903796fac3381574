"""What this machine offers: everything that a drive, real CARLA or a cluster asks of it, examined."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.config import OUTPUTS, OWN_TOWNS_DIR, core_count
from harness.errors import EXIT_COMPLETE, EXIT_ERROR, JobError, SimError
from harness.jobs.checks.answers import Answer, ask
from harness.jobs.checks.check import Check, State
from harness.jobs.checks.containers import examine_containers
from harness.jobs.checks.graphics import examine_gpus
from harness.jobs.checks.machine import examine_machine
from harness.jobs.checks.network import examine_ports
from harness.jobs.checks.slurm_here import examine_slurm
from harness.jobs.checks.storage import examine_folder, judge_temporary
from harness.jobs.checks.vulkan import examine_vulkan
from harness.jobs.ports import take_port_block
from harness.jobs.profile import Profile
from harness.jobs.templates import parse_time_limit
from harness.stages.launch import DEFAULT_TIMEOUT
from harness.stages.submissions import MAX_ARRAY_TASKS
from harness.supervisor import EmbeddedSimulator

Say = Callable[[str], None]
# On a network disk that has not read the files yet.
IMPORT_LIMIT_S = 120.0
# From here on starting takes a good part of a short drive.
SLOW_START_S, SLOW_IMPORT_S = 15.0, 10.0
_CLIENT = """
import sys
import carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(30.0)
print(client.get_world().get_map().name)
"""
_DRIVE = "import carla, harness.drive.agents, harness.drive.rollout, harness.stages.drive_unit"


def working_folder() -> Path:
    """Return the folder in which runs are kept, or would be."""
    return OUTPUTS if OUTPUTS.is_dir() else Path()


def examine_here(folder: Path, profile: Profile, say: Say, *, is_node: bool = False) -> list[Check]:
    """Examine this machine; leaves nothing behind.

    Args:
        folder: where results are published.
        profile: settings of the cluster.
        say: is told what is being looked at.
        is_node: this is a compute node, seen by a job; the cluster as a whole was looked at elsewhere.
    """
    say("looking at Python, packages, cores and memory")
    checks = examine_machine()
    say("starting a simulator")
    checks += examine_simulator()
    say("looking at folders, locks and ports")
    checks += examine_folder("the working folder", folder, is_work=True)
    temporary = Path(tempfile.gettempdir())
    checks += examine_folder("TMPDIR", temporary, is_work=False)
    if (elsewhere := judge_temporary(os.environ.get("TMPDIR"), temporary)) is not None:
        checks.append(elsewhere)
    checks += examine_ports(core_count())
    say("looking at GPUs, Vulkan and Apptainer")
    gpus, has_nvidia = examine_gpus()
    checks += [*gpus, *examine_vulkan(has_nvidia=has_nvidia), *examine_containers()]
    if not is_node:
        say("looking at Slurm")
        checks += examine_slurm(profile.poll.interval_s, MAX_ARRAY_TASKS, parse_time_limit(DEFAULT_TIMEOUT))
    return checks


def exit_code(checks: Sequence[Check]) -> int:
    """Return the exit code: an error only if the embedded simulator cannot be used."""
    return EXIT_ERROR if any(check.is_fatal for check in checks) else EXIT_COMPLETE


def examine_simulator() -> list[Check]:
    """Start an embedded simulator, connect the carla client to it, and load what a drive loads."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as name:
        return [_start_simulator(Path(name)), judge_drive(ask([sys.executable, "-c", _DRIVE], limit_s=IMPORT_LIMIT_S))]


def _start_simulator(folder: Path) -> Check:
    towns = sorted(OWN_TOWNS_DIR.glob("*.xodr"))
    if not towns:
        return judge_simulator(None, None, f"no town in {OWN_TOWNS_DIR}")
    try:
        block = take_port_block()
    except (JobError, OSError) as error:
        return judge_simulator(None, None, f"no ports: {error}")
    simulator = EmbeddedSimulator(block.rpc, [], folder / "simulator.log")
    began_s = time.monotonic()
    try:
        simulator.ensure_running(towns[0].stem)
        started_s = time.monotonic() - began_s
        return judge_simulator(started_s, ask([sys.executable, "-c", _CLIENT, str(block.rpc)], limit_s=60.0), "")
    except (SimError, OSError) as error:
        return judge_simulator(None, None, f"{error} {simulator.last_words()[-200:]}".strip())
    finally:
        simulator.stop()
        block.release()


def judge_simulator(started_s: float | None, client: Answer | None, problem: str) -> Check:
    """Judge the start of a simulator.

    Args:
        started_s: from the start of its process to its first answer; None if there was none.
        client: how the carla client ended that connected to it.
        problem: why it did not start; empty if it did.
    """
    name = "embedded simulator"
    if started_s is None or client is None or not client.is_ok:
        found = problem or (f"the carla client does not reach it: {client.ending}" if client else "no answer")
        return Check(
            name=name,
            state=State.FAILED,
            found=" ".join(found.split()),
            expected="a simulator that answers the carla client",
            hint="harness simulator says more",
            is_needed=True,
        )
    found = f"answers after {started_s:.1f} s, the carla client connects within {client.seconds:.1f} s"
    if started_s + client.seconds <= SLOW_START_S:
        return Check(name=name, state=State.OK, found=found, is_needed=True)
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected=f"at most {SLOW_START_S:.0f} s",
        hint="type it again: the first start fills caches; else put .venv on a faster disk",
        is_needed=True,
    )


def judge_drive(answer: Answer | None) -> Check:
    """Judge how the process of a drive loads what it needs."""
    name = "drive process"
    if answer is None or not answer.is_ok:
        return Check(
            name=name,
            state=State.FAILED,
            found=answer.ending if answer else f"cannot run {sys.executable}",
            expected="a process that loads carla and the harness",
            hint="make setup",
            is_needed=True,
        )
    found = f"loaded within {answer.seconds:.1f} s"
    if answer.seconds <= SLOW_IMPORT_S:
        return Check(name=name, state=State.OK, found=found, is_needed=True)
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected=f"at most {SLOW_IMPORT_S:.0f} s: every drive loads it anew",
        hint="put .venv on a faster disk",
        is_needed=True,
    )
