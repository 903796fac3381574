"""Tasks as processes on this machine; they end with the process that started them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from harness.datatypes.job import Presence, Submission, TaskKey, TaskView
from harness.errors import ConfigError
from harness.jobs.claims import Holder
from harness.jobs.processes import start

# A task that is told to end hands its unit back and stops its simulator.
END_LIMIT_S = 15.0
_GPU_QUERY = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")


class LocalTasks:
    """The tasks that this process has started, and what is left of those of a process before it.

    Args:
        gpus: what tasks take turns with, each a text for CUDA_VISIBLE_DEVICES, see `local_slots`; empty leaves the
            choice to them.
    """

    def __init__(self, gpus: Sequence[str] = ()) -> None:
        self._gpus = list(gpus)
        self._machine = Holder.this_process("", 0).machine
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, Path] = {}
        self._gpu_of: dict[str, str] = {}
        self._told: set[str] = set()

    def start(self, token: str, command: Sequence[str], log: Path) -> str:
        """Start the one task of a submission; return its job id, ``pid@start time@machine``."""
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpu_of[token] = self._least_used_gpu()
        process = start([*command, "--parent", str(os.getpid())], log, environment=environment)
        self._processes[token], self._logs[token] = process, log
        return f"{process.pid}@{psutil.Process(process.pid).create_time()}@{self._machine}"

    def _least_used_gpu(self) -> str:
        used = [self._gpu_of[token] for token, process in self._processes.items() if process.poll() is None]
        return min(self._gpus, key=lambda gpu: (used.count(gpu), self._gpus.index(gpu)))

    def views(self, submissions: Sequence[Submission]) -> Mapping[TaskKey, TaskView]:
        """Tell which tasks are there. There is no doubt here: whoever started the others is dead, and so are they."""
        return {(submission.token, 0): self._view(submission) for submission in submissions}

    def _view(self, submission: Submission) -> TaskView:
        job_id = submission.job_ids[-1] if submission.job_ids else ""
        process = self._processes.get(submission.token)
        if process is not None:
            code = process.poll()
            if code is None:
                return TaskView(presence=Presence.PRESENT, state="RUNNING", job_id=job_id)
            self._told.add(submission.token)
            return TaskView(presence=Presence.ABSENT, state="COMPLETED" if code == 0 else f"FAILED {code}")
        if _is_running(job_id, self._machine):
            return TaskView(presence=Presence.PRESENT, state="RUNNING", job_id=job_id)
        return TaskView(presence=Presence.ABSENT)

    def failed_in_a_row(self) -> list[Path]:
        """Return the logs of the last tasks if all of them ended with an error; none while a task runs.

        A task that was killed tells nothing about the next one.
        """
        failed: list[Path] = []
        for token, process in reversed(self._processes.items()):
            code = process.poll()
            if code is None:
                return []
            if code <= 0:
                break
            failed.insert(0, self._logs[token])
        return failed

    def wait_for_change(self, limit_s: float) -> None:
        """Return when a task has ended whose end `views` has not told yet, or after a time limit."""
        deadline_s = time.monotonic() + limit_s
        open_ones = [process for token, process in self._processes.items() if token not in self._told]
        while time.monotonic() < deadline_s and all(process.poll() is None for process in open_ones):
            time.sleep(0.05)

    def end(self, tokens: Sequence[str] | None = None) -> None:
        """End some tasks, or all: they are told to, and killed if they do not within a limit."""
        meant = self._processes if tokens is None else {t: p for t, p in self._processes.items() if t in tokens}
        for process in meant.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline_s = time.monotonic() + END_LIMIT_S
        for process in meant.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline_s - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()


def _is_running(job_id: str, machine: str) -> bool:
    pid, _, rest = job_id.partition("@")
    started_s, _, where = rest.partition("@")
    try:
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(started_s)) < 1.0
        return bool(where == machine and is_same and process.status() != psutil.STATUS_ZOMBIE)
    except (ValueError, psutil.NoSuchProcess):
        return False


def local_gpus() -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes.

    Raises:
        ConfigError: there is none.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found: list[str] = []
    if visible is not None:
        found = [name.strip() for name in visible.split(",") if name.strip()]
    elif shutil.which(_GPU_QUERY[0]):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            answer = subprocess.run(_GPU_QUERY, capture_output=True, text=True, timeout=30.0)
            found = answer.stdout.split() if answer.returncode == 0 else []
    if not found:
        raise ConfigError("GPU asks for a GPU per task, found none on this machine", hint="leave GPU out")
    return found


def local_slots(gpus: Sequence[str], per_task: int) -> list[str]:
    """Return the GPUs of each task that may run here at the same time, as texts for CUDA_VISIBLE_DEVICES.

    Raises:
        ConfigError: there are not enough for one task.
    """
    if len(gpus) < per_task:
        raise ConfigError(
            f"GPU={per_task} asks for {per_task} GPUs per task, found {len(gpus)} on this machine",
            hint=f"GPU={len(gpus)}",
        )
    return [",".join(gpus[first : first + per_task]) for first in range(0, len(gpus) - per_task + 1, per_task)]
