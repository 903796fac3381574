"""Claims: one living process at a time works on a unit, on one machine or on many that share a file system.

Two guards, because neither is enough alone. A kernel lock (flock) on `claim.lock` is held by the worker *and* by the
process that drives for it, and is gone exactly when both are; between machines some file systems do not pass it on.
So the holder also writes who it is into `claim.json` and touches that file while it works; another machine takes a
claim over only when the file has not been touched for the length of a lease. All times compared are the file
system's own, so clocks may differ.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# From the last sign of life of a holder on another machine until its claim may be taken over.
LEASE_S = 60.0
# How often a holder shows that it lives.
BEAT_EVERY_S = 2.0
# What a file system answers that cannot give a file a second name.
NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a claim.

    Attributes:
        machine: boot id and process-id name space, equal exactly where process ids mean the same.
        kernel: boot id, equal exactly where the kernel's locks are the same.
        started_s: start time of the process, which tells it from a later one of the same id.
        token, task: the task that it works for.
    """

    machine: str
    kernel: str
    pid: int
    started_s: float
    token: str
    task: int

    @staticmethod
    def this_process(token: str, task: int) -> Holder:
        """Return this process as the holder for a task."""
        kernel = _boot_id()
        return Holder(
            machine=f"{kernel}/{Path('/proc/self/ns/pid').stat().st_ino}",
            kernel=kernel,
            pid=os.getpid(),
            started_s=psutil.Process().create_time(),
            token=token,
            task=task,
        )

    def is_running_here(self) -> bool:
        """Tell whether the process is alive on this machine."""
        return self.machine == Holder.this_process("", 0).machine and _is_running(self.pid, self.started_s)


class Claim:
    """A claim that this process holds until `release` or its end."""

    def __init__(self, folder: Path, lock_fd: int, holder: Holder) -> None:
        self._file = folder / "claim.json"
        self.lock_fd = lock_fd
        self._holder = holder
        self._beat_s = time.monotonic()

    def beat(self) -> bool:
        """Show that the holder lives; cheap enough to be called several times a second. False if it is not ours now."""
        if time.monotonic() - self._beat_s < BEAT_EVERY_S:
            return True
        self._beat_s = time.monotonic()
        if not self.is_ours():
            return False
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._file)
        return True

    def is_ours(self) -> bool:
        """Tell whether nobody has taken the claim over, as another machine may if this one stood still for a lease."""
        return read_holder(self._file.parent) == self._holder

    def release(self) -> None:
        """Let others have the unit."""
        if self.is_ours():
            self._file.unlink(missing_ok=True)
        os.close(self.lock_fd)


def take_claim(folder: Path, holder: Holder, lease_s: float = LEASE_S) -> Claim | None:
    """Claim a unit.

    Args:
        folder: of the unit; made if it is missing.

    Returns:
        None if somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock_fd = os.open(folder / "claim.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        is_locked = _try_lock(lock_fd)
        earlier = _text_of(folder / "claim.json")
        if (
            is_locked is False
            or _is_held(folder, lock_fd, _holder(earlier), holder, lease_s, locks=bool(is_locked))
            or not _write(folder, holder, earlier)
        ):
            os.close(lock_fd)
            return None
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(lock_fd)
        raise
    return Claim(folder, lock_fd, holder)


def read_holder(folder: Path) -> Holder | None:
    """Return who wrote the claim of a unit last, None if there is none or it is damaged."""
    try:
        return _holder(_text_of(folder / "claim.json"))
    except OSError:
        return None


def is_live(folder: Path, here: Holder, now_s: float, lease_s: float = LEASE_S) -> bool:
    """Tell whether a living process holds a unit, without touching its lock.

    Args:
        here: any holder on this machine.
        now_s: time of the file system.
    """
    holder = read_holder(folder)
    if holder is None:
        return False
    if holder.machine == here.machine:
        return _is_running(holder.pid, holder.started_s)
    return _is_fresh(folder, now_s, lease_s)


def file_system_time_s(folder: Path) -> float:
    """Return the time that the file system of a folder gives to a file touched now."""
    probe = folder / f".clock.{os.getpid()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _try_lock(lock_fd: int) -> bool | None:
    """Return True if the lock is ours now, False if it is somebody else's, None if the file system has no locks."""
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        return None


def _is_held(folder: Path, lock_fd: int, earlier: Holder | None, here: Holder, lease_s: float, *, locks: bool) -> bool:
    """Tell whether who wrote the claim, and does not hold our lock, still works on the unit."""
    if earlier is None or (locks and earlier.kernel == here.kernel):
        return False
    os.utime(lock_fd)
    return is_live(folder, here, os.fstat(lock_fd).st_mtime, lease_s)


def _write(folder: Path, holder: Holder, earlier: str | None) -> bool:
    """Write who holds the claim; False if another machine, which does not see our lock, was quicker.

    Args:
        earlier: what stood there, of a holder who is gone; None if nothing did.
    """
    file, scratch = folder / "claim.json", folder / f".claim.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if earlier is not None and not _remove(file, scratch, earlier):
            return False
        scratch.write_text(json.dumps(asdict(holder)) + "\n", encoding="utf-8")
        os.link(scratch, file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)
    return True


def _remove(file: Path, scratch: Path, expected: str) -> bool:
    """Remove a claim that lapsed; False if it is another one by now."""
    try:
        file.rename(scratch)
    except FileNotFoundError:
        return True
    if _text_of(scratch) == expected:
        scratch.unlink()
        return True
    with contextlib.suppress(OSError):
        os.link(scratch, file)
    return False


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _holder(text: str | None) -> Holder | None:
    try:
        holder = Holder(**json.loads(text or ""))
    except (ValueError, TypeError, RecursionError):
        return None
    return holder if type(holder.pid) is int and isinstance(holder.started_s, int | float) else None


def _is_fresh(folder: Path, now_s: float, lease_s: float) -> bool:
    try:
        return now_s - (folder / "claim.json").stat().st_mtime < lease_s
    except FileNotFoundError:
        return False


def _is_running(pid: int, started_s: float) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started_s) < 1.0)
    except psutil.NoSuchProcess:
        return False


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
