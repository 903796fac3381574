"""What Slurm writes about the end of a job into the job's own error log.

    slurmstepd-n1: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:08 DUE TO PREEMPTION ***
    slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch. Some of the step tasks have been OOM Killed.

Without accounting there is no other place that tells a preempted job, queued again under its number, from one that was
cancelled; and a job that was killed for its memory ends as FAILED where no cgroup guards it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

# Notes stand at the end.
TAIL_BYTES = 20_000
_NOTE = re.compile(r"^(?:slurmstepd|srun)\S*: error: (.*)$", re.MULTILINE)
_MEMORY = re.compile(r"exceeded (?:\w+ )?memory limit|oom[-_ ]?kill|out[- ]of[- ]memory", re.IGNORECASE)
_CAUSES = (
    ("DUE TO PREEMPTION", "PREEMPTED"),
    ("DUE TO NODE FAILURE", "NODE_FAIL"),
    ("DUE TO TIME LIMIT", "TIMEOUT"),
    ("CANCELLED AT", "CANCELLED"),
)


def last_word(log: str) -> str:
    """Return the state that the last notes in an error log stand for; empty if there is none.

    Lack of memory outweighs the cancellation that it brings about.
    """
    word = ""
    for note in _NOTE.findall(log):
        if _MEMORY.search(note):
            word = "OUT_OF_MEMORY"
            continue
        found = next((state for mark, state in _CAUSES if mark in note), "")
        if found and not (word == "OUT_OF_MEMORY" and found == "CANCELLED"):
            word = found
    return word


@dataclass(frozen=True)
class ErrorLog:
    """The error log of a job, which goes on in the same file when Slurm runs the job again.

    Attributes:
        file: None if there is none that could be read.
        start: its length when this process began.
    """

    file: Path | None
    start: int = 0

    @staticmethod
    def of_this_job() -> ErrorLog:
        """Return the error log of the job that this process is in: where it writes its errors to."""
        if not os.environ.get("SLURM_JOB_ID"):
            return ErrorLog(None)
        try:
            file = Path("/proc/self/fd/2").readlink()
            return ErrorLog(file, file.stat().st_size) if file.is_file() else ErrorLog(None)
        except OSError:
            return ErrorLog(None)

    @staticmethod
    def whole(file: Path) -> ErrorLog:
        """Return the error log of a job that has ended."""
        return ErrorLog(file)

    def before_start(self) -> str:
        """Return the end of what stood there when this process began."""
        return self._read(max(self.start - TAIL_BYTES, 0), self.start)

    def since_start(self) -> str:
        """Return the end of what was written since."""
        try:
            end = self.file.stat().st_size if self.file else 0
        except OSError:
            return ""
        return self._read(max(self.start, end - TAIL_BYTES), end)

    def _read(self, first: int, end: int) -> str:
        if self.file is None:
            return ""
        try:
            with self.file.open("rb") as log:
                log.seek(first)
                return log.read(end - first).decode(errors="replace")
        except OSError:
            return ""
