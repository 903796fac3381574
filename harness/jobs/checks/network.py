"""Ports: those of the simulators, those that somebody listens at, and those that the kernel hands out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.errors import JobError
from harness.jobs.checks.check import Check, State
from harness.jobs.ports import BLOCK_SIZE, FIRST_PORT, LAST_PORT, take_port_block

_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def parse_listening(text: str) -> set[int]:
    """Return the ports somebody listens at, from ``/proc/net/tcp``."""
    ports = set()
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTENING:
            try:
                ports.add(int(fields[1].rpartition(":")[2], 16))
            except ValueError:
                continue
    return ports


def parse_range(text: str) -> tuple[int, int] | None:
    """Return first and last of the ports that the kernel hands out by itself; None if that cannot be read."""
    words = text.split()
    if len(words) != 2 or not all(word.isascii() and word.isdecimal() for word in words):
        return None
    return int(words[0]), int(words[1])


def judge_blocks(listening: Collection[int], problem: str, cores: int) -> Check:
    """Judge how many simulators find ports.

    Args:
        listening: ports somebody listens at.
        problem: why a block could not be had; empty if one was.
        cores: as many simulators may be wanted at once.
    """
    firsts = range(FIRST_PORT, LAST_PORT, BLOCK_SIZE)
    busy = {port - (port - FIRST_PORT) % BLOCK_SIZE for port in listening if FIRST_PORT <= port < LAST_PORT}
    free = len(firsts) - len(busy)
    found = f"{free} of {len(firsts)} blocks of {BLOCK_SIZE} free from {FIRST_PORT} to {LAST_PORT}"
    if not problem and free >= cores:
        return Check(name="ports", state=State.OK, found=found, is_needed=True)
    return Check(
        name="ports",
        state=State.FAILED if problem else State.WARNING,
        found=f"{found}; {problem}" if problem else found,
        expected=f"one block for each of {cores} simulators",
        hint="ss -ltnp shows who listens",
        is_needed=True,
    )


def judge_kernel_range(found: tuple[int, int] | None) -> Check:
    """Judge whether the kernel gives our ports to others.

    Args:
        found: first and last port of outgoing connections, None if unknown.
    """
    name = "ports of the kernel"
    if found is None:
        return Check(name=name, state=State.OK, found="unknown")
    first, last = found
    text = f"outgoing connections take {first} to {last}"
    if last < FIRST_PORT or first >= LAST_PORT:
        return Check(name=name, state=State.OK, found=text)
    return Check(
        name=name,
        state=State.WARNING,
        found=text,
        expected=f"none of {FIRST_PORT} to {LAST_PORT}, which simulators listen at",
        hint='as root: sysctl net.ipv4.ip_local_port_range="32768 60999"',
    )


def examine_ports(cores: int) -> list[Check]:
    """Examine the ports of this machine.

    Args:
        cores: as many simulators may be wanted at once.
    """
    problem = ""
    try:
        take_port_block().release()
    except (JobError, OSError) as error:
        problem = error.message if isinstance(error, JobError) else f"{error.filename}: {error.strerror}"
    listening = {port for table in _TABLES for port in parse_listening(_read(table))}
    return [judge_blocks(listening, problem, cores), judge_kernel_range(parse_range(_read(_KERNEL_RANGE)))]


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
