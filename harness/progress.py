"""How an evaluation is going: a live display on a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from harness.datatypes.unit import Unit

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PlainReporter:
    """One line per event that matters, with an estimate of the time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def begin(self, run: Path, total: int, done: int, workers: int, notes: list[str]) -> None:
        """Say what is to be done."""
        self._total, self._done, self._workers = total, done, workers
        self._first, self._began_s = done, time.monotonic()
        for note in notes:
            self._say(note)
        self._say(f"{total - done} of {total} drives to do, {workers} at a time; run folder {run}")

    def unit_started(self, worker: int, unit: Unit, attempt: int) -> None:
        """Say so only when it is not the first try."""
        if attempt > 1:
            self._say(f"{unit.route} seed {unit.seed}: attempt {attempt}")

    def unit_progress(self, worker: int, percent: float, sim_s: float) -> None:
        """Say nothing: a log wants results."""

    def unit_finished(self, worker: int, unit: Unit, record: dict[str, Any] | None, text: str) -> None:
        """Say how it ended and when the rest will be done."""
        with self._lock:
            self._done += record is not None
            elapsed_s = time.monotonic() - self._began_s
            left_s = elapsed_s / max(self._done - self._first, 1) * (self._total - self._done)
        self._say(f"[{self._done}/{self._total}] {outcome_text(unit, record, text)}; about {left_s:.0f} s left")

    def _say(self, text: str) -> None:
        with self._lock:
            print(text, file=self._stream, flush=True)


class LiveReporter:
    """A bar for the whole run and one per worker."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[int, TaskID] = {}

    def begin(self, run: Path, total: int, done: int, workers: int, notes: list[str]) -> None:
        """Show the bars."""
        for note in notes:
            self._progress.console.print(note, highlight=False, markup=False)
        self._progress.console.print(f"run folder {run}", highlight=False, markup=False)
        self._all = self._progress.add_task("drives", total=total, completed=done, detail=f"{done}/{total}")
        self._total = total
        self._done = done

    def unit_started(self, worker: int, unit: Unit, attempt: int) -> None:
        """Show the worker's unit."""
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self._drop(worker)
        text = f"  {unit.route} seed {unit.seed}{again}"
        self._bars[worker] = self._progress.add_task(text, total=100.0, detail="starting")

    def unit_progress(self, worker: int, percent: float, sim_s: float) -> None:
        """Move the worker's bar."""
        self._progress.update(self._bars[worker], completed=percent, detail=f"{sim_s:.0f} s simulated")

    def unit_finished(self, worker: int, unit: Unit, record: dict[str, Any] | None, text: str) -> None:
        """Print the outcome above the bars."""
        self._drop(worker)
        self._progress.console.print(outcome_text(unit, record, text), highlight=False, markup=False)
        if record is not None:
            self._done += 1
            self._progress.update(self._all, completed=self._done, detail=f"{self._done}/{self._total}")

    def _drop(self, worker: int) -> None:
        if worker in self._bars:
            self._progress.remove_task(self._bars.pop(worker))


def outcome_text(unit: Unit, record: dict[str, Any] | None, text: str) -> str:
    """Return the sentence about a finished unit; `text` says why it has no result, or what went wrong in it."""
    if record is None:
        return f"{unit.route} seed {unit.seed}: no result: {text}"
    scores, meta = record["scores"], record["meta"]
    ratio = meta["duration_game"] / meta["duration_system"] if meta["duration_system"] else 0.0
    return (
        f"{unit.route} seed {unit.seed}: {record['status']}, driving score {scores['score_composed']:.2f}, "
        f"{meta['duration_game']:.0f} s simulated in {meta['duration_system']:.1f} s ({ratio:.0f}x)"
        + (f"; {text}" if text else "")
    )


@contextmanager
def make_reporter(stream: TextIO) -> Iterator[PlainReporter | LiveReporter]:
    """Yield the reporter that fits a stream: live on a terminal, plain otherwise."""
    if not stream.isatty():
        yield PlainReporter(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield LiveReporter(progress)
