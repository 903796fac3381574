"""Processes that were left behind, found by a mark in their environment and never by their name.

Whatever a drive starts inherits the mark, in sessions of its own too. Only processes of this user are looked at; the
mark is the folder of the attempt, which no other attempt shares.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

# Names the folder of the attempt, in the environment of everything that was started for it.
MARK = "HARNESS_ATTEMPT"
_PREFIX = f"{MARK}=".encode()
# What is killed is gone in milliseconds, unless the kernel waits for a disk.
END_LIMIT_S = 5.0
_POLL_S = 0.01


def mark_of(attempt: Path) -> str:
    """Return the mark of an attempt, by its folder."""
    return str(attempt.resolve())


def end_marked(mark: str) -> int:
    """Kill every process with a mark; return how many there were, when they are gone."""
    return _end(lambda found: found == mark)


def end_left_behind(units: Collection[Path], is_running: Callable[[Path], bool]) -> int:
    """Kill what attempts of some units have left behind on this machine; return how many there were, when gone.

    Args:
        units: folders above the attempts.
        is_running: tells of an attempt's folder whether a living worker drives it.
    """
    folders = {folder.resolve() for folder in units}

    def is_orphan(mark: str) -> bool:
        return Path(mark).parent in folders and not is_running(Path(mark))

    return _end(is_orphan)


def _end(is_meant: Callable[[str], bool]) -> int:
    """Kill until there is none left: what is about to start another process may be quicker than one look."""
    killed: set[int] = set()
    deadline_s = time.monotonic() + END_LIMIT_S
    while found := {pid for pid, mark in _marked() if pid != os.getpid() and is_meant(mark)}:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= found
        if time.monotonic() > deadline_s:
            break
        time.sleep(_POLL_S)
    return len(killed)


def _marked() -> Iterator[tuple[int, str]]:
    own = os.getuid()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            if entry.stat().st_uid != own:
                continue
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:  # ended meanwhile, or not ours to look at
            continue
        if _PREFIX in environment:
            for item in environment.split(b"\0"):
                if item.startswith(_PREFIX):
                    yield int(entry.name), os.fsdecode(item.removeprefix(_PREFIX))
