"""Folders: room, locks, second names, replacement, speed, and the clock of their file system."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.jobs.checks.answers import ask
from harness.jobs.checks.check import Check, State
from harness.jobs.claims import NO_HARD_LINKS, file_system_time_s

GIB, MIB = 1 << 30, 1 << 20
# A result takes kilobytes, a recorded route megabytes.
LEAST_FREE_BYTES, WANTED_FREE_BYTES = 256 * MIB, 10 * GIB
LEAST_FREE_FILES, WANTED_FREE_FILES = 1_000, 100_000
SPEED_BYTES = 64 * MIB
CLOCK_TOLERANCE_S = 5.0
HELD, FREE, NO_LOCKS = "held", "free", "no locks"
_REPLACEMENTS = 200
_CHUNK_BYTES = 4 * MIB
# Says whether a file's lock can be had. For writing: some file systems lock nothing that is only read.
_LOCK_PROBE = """
import pathlib, sys
from harness.jobs.checks.storage import lock_state
print(lock_state(pathlib.Path(sys.argv[1])))
"""


def judge_space(called: str, folder: Path, free_bytes: int, free_files: int | None) -> Check:
    """Judge the room in a folder.

    Args:
        called: what people call the folder.
        free_bytes: for this user.
        free_files: None if the file system does not count files.
    """
    name, room = f"room in {called}", f"{free_bytes / GIB:.1f} GiB"
    found = f"{room}{f' and {free_files:,} files' if free_files is not None else ''} in {folder}"
    files = free_files if free_files is not None else WANTED_FREE_FILES
    if free_bytes >= WANTED_FREE_BYTES and files >= WANTED_FREE_FILES:
        return Check(name=name, state=State.OK, found=found, is_needed=True)
    is_enough = free_bytes >= LEAST_FREE_BYTES and files >= LEAST_FREE_FILES
    return Check(
        name=name,
        state=State.WARNING if is_enough else State.FAILED,
        found=found,
        expected=f"{WANTED_FREE_BYTES // GIB} GiB and {WANTED_FREE_FILES:,} files",
        hint="make clean empties outputs/; df -h and df -i show the room, quota your share",
        is_needed=True,
    )


def judge_temporary(named: str | None, used: Path) -> Check | None:
    """Judge whether temporary files go where TMPDIR says; None if they do, or if it says nothing.

    Args:
        named: by the variable, None if it is not set.
        used: where Python puts them.
    """
    if not named or Path(named).resolve() == used.resolve():
        return None
    return Check(
        name="TMPDIR",
        state=State.WARNING,
        found=f"{named} cannot be used here, {used} is",
        expected="a folder of this machine to write in",
        hint='scratch = "/path/on/the/node" below [cluster] in harness.toml, or unset TMPDIR',
    )


def judge_locks(called: str, while_held: str, after: str, *, is_needed: bool) -> Check:
    """Judge locks between two processes of one machine.

    Args:
        called: what people call the folder.
        while_held: what another process says of a lock that we hold.
        after: what it says when we have given it up.
        is_needed: nothing else stands in for them in this folder.
    """
    name = f"locks in {called}"
    if (while_held, after) == (HELD, FREE):
        return Check(name=name, state=State.OK, found="held by one process at a time", is_needed=is_needed)
    if NO_LOCKS in (while_held, after):
        found = "the file system has none"
    elif while_held == FREE:
        found = "two processes hold the same one"
    else:
        found = f"another process says {while_held!r} while one is held, {after!r} afterwards"
    return Check(
        name=name,
        state=State.FAILED if is_needed else State.WARNING,
        found=found,
        expected="one process at a time"
        + ("" if is_needed else "; without them a unit of a dead worker waits a minute for the next"),
        hint="export TMPDIR=/tmp or another local disk" if is_needed else "mount it with locks (flock on Lustre)",
        is_needed=is_needed,
    )


def judge_far_locks(state: str) -> Check:
    """Judge a lock that a process on another machine holds, seen from here."""
    name = "locks between machines"
    if state == HELD:
        return Check(name=name, state=State.OK, found="the lock of the other machine is seen")
    return Check(
        name=name,
        state=State.WARNING,
        found="the lock of the other machine is not seen" if state == FREE else state,
        expected="locks that reach other machines; without them the lease alone guards a unit",
        hint="nothing is lost: a dead worker's unit is taken over after lease_s in harness.toml",
    )


def lock_state(file: Path) -> str:
    """Return whether somebody holds the lock of a file: `HELD`, `FREE` or `NO_LOCKS`."""
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return HELD
        except OSError:
            return NO_LOCKS
        return FREE


def judge_clock(offset_s: float | None) -> Check:
    """Judge the clock of a file system against that of this machine.

    Args:
        offset_s: how much later it is here; None if it cannot be told.
    """
    name = "clock of the file system"
    if offset_s is None:
        return Check(name=name, state=State.WARNING, found="unknown", expected="a file with a time", hint="date")
    found = f"{abs(offset_s):.2f} s {'behind' if offset_s >= 0 else 'ahead of'} ours"
    if abs(offset_s) <= CLOCK_TOLERANCE_S:
        return Check(name=name, state=State.OK, found=found)
    return Check(
        name=name,
        state=State.WARNING,
        found=found,
        expected=f"at most {CLOCK_TOLERANCE_S:.0f} s; claims bear it, but times in logs are hard to compare",
        hint="timedatectl shows whether the clock is set by the network",
    )


def clock_offset_s(folder: Path) -> float | None:
    """Return how much later it is on this machine than on the file system of a folder; None if it cannot be told."""
    try:
        before_s = time.time()
        there_s = file_system_time_s(folder)
        after_s = time.time()
    except OSError:
        return None
    # The kernel stamps files with the time of its last tick, up to 10 ms ago.
    return 0.0 if before_s - 0.01 <= there_s <= after_s else (before_s + after_s) / 2 - there_s


def examine_folder(called: str, folder: Path, *, is_work: bool) -> list[Check]:
    """Examine a folder; everything that is written there is removed again.

    Args:
        called: what people call it.
        is_work: results are published there; otherwise it is for temporary files, and locks are all that counts.
    """
    try:
        statistics = os.statvfs(folder)
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
            place = Path(name)
            space = judge_space(
                called,
                folder.resolve(),
                statistics.f_bavail * statistics.f_frsize,
                statistics.f_favail if statistics.f_files else None,
            )
            checks = [space, _examine_locks(called, place, is_needed=not is_work)]
            if is_work:
                checks += [
                    _guarded(f"second names in {called}", lambda: _examine_links(called, place)),
                    _guarded(f"replacement in {called}", lambda: _examine_replacement(called, place)),
                    _guarded(f"write speed in {called}", lambda: _examine_speed(called, place, space.is_fatal)),
                    judge_clock(clock_offset_s(place)),
                ]
            return checks
    except OSError as error:
        return [
            Check(
                name=called,
                state=State.FAILED,
                found=f"{folder.absolute()} cannot be written: {error.strerror or error}",
                expected="a folder to write in",
                hint=f"ls -ld {folder}; df -h {folder}",
                is_needed=True,
            )
        ]


def _guarded(name: str, examine: Callable[[], Check]) -> Check:
    """Return a failure instead of what the system refused."""
    try:
        return examine()
    except OSError as error:
        return Check(
            name=name,
            state=State.FAILED,
            found=str(error.strerror or error),
            expected="files that can be written",
            hint="df -h . and quota show the room",
            is_needed=True,
        )


def _examine_locks(called: str, place: Path, *, is_needed: bool) -> Check:
    file = place / "lock"
    probe = [sys.executable, "-c", _LOCK_PROBE, str(file)]
    with file.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return judge_locks(called, NO_LOCKS, NO_LOCKS, is_needed=is_needed)
        first = ask(probe)
    second = ask(probe)
    words = [answer.out.strip() or answer.ending if answer else "nothing" for answer in (first, second)]
    return judge_locks(called, words[0], words[1], is_needed=is_needed)


def _examine_links(called: str, place: Path) -> Check:
    name = f"second names in {called}"
    (place / "first").write_text("x")
    try:
        os.link(place / "first", place / "second")
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        return Check(
            name=name,
            state=State.WARNING,
            found="the file system has no hard links",
            expected="hard links: a result is chosen by giving its file a second name; here it is copied",
            hint="keep outputs/ on another file system, e.g. ln -s /path/on/it outputs",
        )
    return Check(name=name, state=State.OK, found="hard links work")


def _examine_replacement(called: str, place: Path) -> Check:
    """Replace a file many times while another thread reads it; it must always read one of them as a whole."""
    name = f"replacement in {called}"
    target, scratch = place / "target", place / "scratch"
    contents = [letter * 4096 for letter in "ab"]
    target.write_text(contents[0])
    troubles: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                text = target.read_text()
            except OSError as error:
                troubles.append(str(error.strerror or error))
                continue
            if text not in contents:
                troubles.append(f"read {len(text)} of 4096 characters")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(_REPLACEMENTS):
            scratch.write_text(contents[number % 2])
            scratch.replace(target)
    finally:
        is_over.set()
        reader.join()
    if not troubles:
        return Check(name=name, state=State.OK, found=f"{_REPLACEMENTS} replacements, each seen as a whole")
    return Check(
        name=name,
        state=State.WARNING,
        found=f"{len(troubles)} reads went wrong: {troubles[0]}",
        expected="the old file or the new one, never a part",
        hint="keep outputs/ on another file system, e.g. ln -s /path/on/it outputs",
    )


def _examine_speed(called: str, place: Path, is_full: bool) -> Check:
    name = f"write speed in {called}"
    if is_full:
        return Check(name=name, state=State.WARNING, found="not measured: too little room", hint="df -h .")
    chunk = os.urandom(_CHUNK_BYTES)  # a file system that compresses would be too good otherwise
    file = place / "speed"
    began_s = time.monotonic()
    with file.open("wb") as opened:
        for _ in range(SPEED_BYTES // _CHUNK_BYTES):
            opened.write(chunk)
        opened.flush()
        os.fsync(opened.fileno())
    elapsed_s = max(time.monotonic() - began_s, 1e-6)
    file.unlink()
    found = f"{SPEED_BYTES / MIB / elapsed_s:.0f} MiB/s ({SPEED_BYTES // MIB} MiB, forced to disk)"
    return Check(name=name, state=State.OK, found=found)
