"""Ends everything that belongs to one private Slurm cluster when its owner has ended.

Started as a program by `tests.slurm_cluster`: it is the parent of the daemons, so they die with it, and it reads the
owner's commands from a pipe, whose end is the owner's end.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1


def guard(conf: Path, spool: Path) -> None:
    """Start a daemon for every line of standard input and answer its pid; at the end of the input end them all.

    Args:
        conf: the cluster's configuration.
        spool: a folder to remove in the end.
    """
    children: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    for line in sys.stdin:
        log, *command = json.loads(line)
        with Path(log).open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # this program has one thread
            )
        children.append(child)
        print(child.pid, flush=True)
    # Nodes first, so that none reports to a controller that is gone; munged, the first to start, is the last to end.
    for child in reversed(children):
        child.terminate()
    for child in reversed(children):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(3.0)
        child.kill()
    end_leftovers(conf)
    shutil.rmtree(spool, ignore_errors=True)


def end_leftovers(conf: Path, node: str = "") -> None:
    """Kill what the jobs of one cluster left: its step daemons and every process that is inside one of its jobs.

    Args:
        conf: the cluster's configuration; a shell that merely talks to the cluster is not touched.
        node: only what runs on this node.
    """
    ours = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    deadline_s = time.monotonic() + 5.0
    # Once more, until there is none: a shell may have started its next command before it was killed itself.
    while time.monotonic() < deadline_s:
        found = [process for process in processes_of(conf) if process.pid not in ours and _is_leftover(process, node)]
        if not found:
            return
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)


def processes_of(conf: Path) -> list[psutil.Process]:
    """Return everything of one cluster that lives: daemons, step daemons, jobs, and commands that talk to it."""
    found = []
    # Not process_iter(), which keeps what it knew of a process id that has been used again since.
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if environment_of(process).get("SLURM_CONF") == str(conf) and is_alive(process):
                found.append(process)
    return found


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it is gone or somebody else's.

    A step daemon has written its title over the beginning, and `psutil.Process.environ` stops there.
    """
    try:
        data = Path(f"/proc/{process.pid}/environ").read_bytes()
    except OSError:
        return {}
    entries = (entry.partition("=") for entry in os.fsdecode(data).split("\0") if entry)
    return {name: value for name, _, value in entries}


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it is still that process, and not one that only waits to be reaped."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_leftover(process: psutil.Process, node: str) -> bool:
    environment = environment_of(process)
    try:
        if "SLURM_JOB_ID" not in environment and process.name() != "slurmstepd":
            return False
        return node in ("", environment.get("SLURMD_NODENAME") or _node_of_step(process))
    except psutil.Error:
        return False


def _node_of_step(process: psutil.Process) -> str:
    """Return the node of a step daemon: its job runs below it."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if place := environment_of(child).get("SLURMD_NODENAME"):
                return place
    return ""


def _reap(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.poll()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    guard(Path(sys.argv[1]), Path(sys.argv[2]))
