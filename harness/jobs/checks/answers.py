"""Programs that are asked something: run with a time limit, whatever they do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

LIMIT_S = 15.0
# A program that hangs in a driver cannot even be killed; it is left behind.
_REAP_LIMIT_S = 1.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program said.

    Attributes:
        code: as `subprocess` has it, negative for a signal; None if it did not end in time.
        seconds: from its start to its end.
    """

    code: int | None
    out: str
    err: str
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        """It ended by itself, with code 0."""
        return self.code == 0

    @property
    def ending(self) -> str:
        """Return how it ended and its last words, for a message."""
        if self.code is None:
            how = f"no answer within {self.seconds:.0f} s"
        elif self.code < 0:
            how = f"killed by {signal_name(-self.code)}"
        else:
            how = f"exit code {self.code}"
        words = last_words(self.err) or last_words(self.out)
        return f"{how}: {words}" if words else how


def signal_name(number: int) -> str:
    """Return the name of a signal, e.g. SIGSEGV."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(text: str, longest: int = 200) -> str:
    """Return the last line with something in it, in printable characters."""
    printable = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines())
    return next((line[-longest:] for line in reversed([*printable]) if line), "")


def ask(
    command: Sequence[str], *, limit_s: float = LIMIT_S, environment: Mapping[str, str] | None = None
) -> Answer | None:
    """Run a program to its end or the limit; return None if there is no such program.

    Args:
        environment: of the program; ours unless given.
    """
    if shutil.which(command[0]) is None:
        return None
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return Answer(code=127, out="", err=str(error.strerror or error))
        code: int | None = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(limit_s)
        finally:
            _end_group(process)
        return Answer(code=code, out=_read(out), err=_read(err), seconds=time.monotonic() - began_s)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_LIMIT_S)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_BYTES).decode(errors="replace")
