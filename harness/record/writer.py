"""Writes frames on a thread of its own: compressing one takes as long as a tick, and the simulator works meanwhile."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.record.pickles import write_pickle

#: Files that may wait to be written; whoever is faster than the disk waits too.
MOST_WAITING = 8


class FrameWriter:
    """Writes pickles, in order, one at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._waiting: deque[Future[None]] = deque()

    def write(self, file: Path, content: Any) -> None:
        """Have a file written soon; its content may not be changed any more.

        Raises:
            HarnessError: an earlier file could not be written.
        """
        while self._waiting and (len(self._waiting) >= MOST_WAITING or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(_write, file, content))

    def close(self) -> None:
        """Wait until everything is written.

        Raises:
            HarnessError: a file could not be written.
        """
        while self._waiting:
            self._waiting.popleft().result()
        self._thread.shutdown()


def cannot_write(error: OSError, file: Path) -> HarnessError:
    """Return what to tell about a file that the system refuses."""
    return HarnessError(
        f"cannot write {file}: {error.strerror or error}; the recording is incomplete", hint=f"df -h {file.parent}"
    )


def _write(file: Path, content: Any) -> None:
    try:
        write_pickle(file, content)
    except OSError as error:
        raise cannot_write(error, file) from error
