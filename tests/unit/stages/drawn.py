"""Drawn drives: jobs and simulators that are small programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from harness.errors import SimError
from tests.unit.jobs.drawn import RESULT

# What every drawn job begins with: its options by name, and how it publishes a result.
PRELUDE = f"""
import json, os, signal, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
*_, route, attempt, _ = options["--result"].split("/")
attempt = int(attempt.removeprefix("attempt_"))
result = json.loads({json.dumps(RESULT)!r})
def publish():
    with open(options["--result"], "w") as file:
        json.dump(result, file)
def report(percent):
    line = json.dumps({{"percent": percent, "sim_s": 1.0}}) + "\\n"
    os.write(int(options["--progress-fd"]), line.encode())
def fail(code, text): print(text); sys.exit(code)
"""


def job_command(job: str) -> Callable[..., list[str]]:
    """Return what stands for `harness_command`: it runs a drawn job with the same options."""
    return lambda *arguments: [sys.executable, "-S", "-c", PRELUDE + job, *arguments[1:]]


class Simulator:
    """A simulator that is always there, unless a test says otherwise.

    Attributes:
        dies_after: number of starts after which it is gone at once.
        refuses: why it does not start; empty if it does.
    """

    dies_after = 0
    refuses = ""

    def __init__(self, port: int = 0, maps: list[Path] | None = None, log: Path | None = None) -> None:
        self.starts, self.stops = 0, 0

    def ensure_running(self, town: str) -> None:
        self.starts += 1
        if self.refuses:
            raise SimError(self.refuses)

    def is_alive(self) -> bool:
        return self.starts > self.dies_after

    def last_words(self) -> str:
        return "the simulator's last words"

    def stop(self) -> None:
        self.stops += 1
