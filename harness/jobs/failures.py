"""What an attempt that left no result died of: exit code and last words in, a word of the taxonomy out. Pure."""

from __future__ import annotations

import hashlib
import re
import signal
from dataclasses import dataclass
from enum import StrEnum

from harness.datatypes.job import Outcome
from harness.errors import EXIT_SIMULATOR, EXIT_USAGE

EVIDENCE_LINES = 20
_MEMORY = re.compile(r"out of memory|outofmemory|oom-kill|memoryerror|std::bad_alloc|cannot allocate memory", re.I)
# What differs between two failures of the same kind: numbers, addresses, paths.
_VARIABLE = re.compile(r"0x[0-9a-f]+|/[^\s:,'\"]+|\d+", re.I)


class SimulatorState(StrEnum):
    """What a simulator does when the drive in it has ended."""

    ANSWERS = "answers"
    SILENT = "silent"  # its process is there, or it is on another machine and nobody can tell
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an attempt has no result.

    Attributes:
        reason: one line.
        fingerprint: equal for failures that look alike, whatever the paths and numbers in them.
        evidence: last lines of the log.
    """

    outcome: Outcome
    reason: str
    fingerprint: str
    evidence: tuple[str, ...]


def classify(exit_code: int, log_tail: str, simulator: SimulatorState, log: str = "its log") -> Failure:
    """Say what a drive died of that ended by itself or was killed by somebody else.

    Args:
        exit_code: of its process; negative for a signal.
        log_tail: the end of its log.
        log: where all of it is.
    """
    errors = [line.removeprefix("error: ") for line in log_tail.splitlines() if line.startswith("error: ")]
    last = errors[-1] if errors else f"the drive ended without a result; see {log}"
    how = f"signal {_signal_name(-exit_code)}" if exit_code < 0 else f"error {exit_code}"
    return failure(_outcome(exit_code, log_tail, last, simulator), f"{how}: {last}", log_tail)


def failure(outcome: Outcome, reason: str, log_tail: str) -> Failure:
    """Make a failure of what is known already."""
    alike = f"{outcome}|{_VARIABLE.sub('#', reason)}"
    return Failure(
        outcome=outcome,
        reason=reason,
        fingerprint=hashlib.sha256(alike.encode(errors="replace")).hexdigest()[:12],
        evidence=tuple(log_tail.splitlines()[-EVIDENCE_LINES:]),
    )


def _outcome(exit_code: int, log_tail: str, last: str, simulator: SimulatorState) -> Outcome:
    if exit_code == EXIT_USAGE:
        return Outcome.CONFIG
    if _MEMORY.search(log_tail):
        return Outcome.OUT_OF_MEMORY
    if simulator is SimulatorState.GONE:
        return Outcome.SIMULATOR_CRASH
    if simulator is SimulatorState.SILENT:
        return Outcome.SIMULATOR_HANG
    if exit_code == EXIT_SIMULATOR:
        return Outcome.SIMULATOR_HANG if "hung" in last or "time-out of" in last else Outcome.SIMULATOR_CRASH
    # Nothing in a drive kills itself this way: it was the kernel's memory guard, an administrator, a user.
    return Outcome.LOST if exit_code == -signal.SIGKILL else Outcome.AGENT


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
