"""Child processes that never outlive us: own process group, ended together, tied to their parent's life."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


def harness_command(*arguments: str) -> list[str]:
    """Return the command line that runs this very harness in another process."""
    # -P: a folder or file in the working folder must not stand in for this program or for a library.
    return [sys.executable, "-P", "-m", "harness", *arguments]


def start(
    command: Sequence[str],
    log: Path,
    *,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to a log file; our environment unless given."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
            cwd=cwd,
            env=environment,
        )


def end(process: subprocess.Popen[bytes], grace_s: float = GRACE_S) -> None:
    """End a process that `start` made, and its group: TERM, then KILL."""
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, grace_s)):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
    # The leader is gone and reaped; members of its group that ignored TERM are not.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies, however that happens.

    Args:
        parent_pid: who the parent was when it started us; if it is gone already, exit now.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(f"the parent process {parent_pid} has ended")


def last_lines(log: Path, count: int = 20) -> str:
    """Return the end of a log file, for an error message."""
    try:
        data = log.read_bytes()[-20_000:]
    except OSError:
        return ""
    return "\n".join(data.decode(errors="replace").splitlines()[-count:])
