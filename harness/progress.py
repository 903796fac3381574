"""How a run is going: a live display on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from harness.datatypes.unit import Unit
from harness.jobs.publish import read_json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PlainReporter:
    """One line per event that matters, with an estimate of the time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._attempts: dict[int, int] = {}

    def begin(self, run: Path, total: int, done: int, notes: list[str]) -> None:
        """Say what is to be done."""
        self._total, self._done, self._ended = total, done, done
        self._first, self._began_s = done, time.monotonic()
        for note in notes:
            self.say(note)
        self.say(f"{total - done} of {total} drives to do; run folder {run}")

    def unit_progress(self, number: int, unit: Unit, attempt: int, percent: float, sim_s: float) -> None:
        """Say so only when a unit is tried again."""
        if attempt > self._attempts.setdefault(number, 1):
            self._attempts[number] = attempt
            self.say(f"{unit_name(unit)}: attempt {attempt}")

    def unit_ended(self, number: int, unit: Unit, result: Path | None, text: str) -> None:
        """Say how it ended and when the rest will be done."""
        self._ended += 1
        self._done += result is not None
        elapsed_s = time.monotonic() - self._began_s
        left_s = elapsed_s / max(self._ended - self._first, 1) * (self._total - self._ended)
        self.say(f"[{self._done}/{self._total}] {outcome_text(unit, result, text)}; about {left_s:.0f} s left")

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._stream, flush=True)


class LiveReporter:
    """A bar for the whole run and one per unit that is being driven."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[int, TaskID] = {}

    def begin(self, run: Path, total: int, done: int, notes: list[str]) -> None:
        """Show the bars."""
        for note in notes:
            self.say(note)
        self.say(f"run folder {run}")
        self._all = self._progress.add_task("drives", total=total, completed=done, detail=f"{done}/{total}")
        self._total, self._done = total, done

    def unit_progress(self, number: int, unit: Unit, attempt: int, percent: float, sim_s: float) -> None:
        """Move the unit's bar."""
        if number not in self._bars:
            self._bars[number] = self._progress.add_task("", total=100.0, detail="starting")
        again = f" (attempt {attempt})" if attempt > 1 else ""
        detail = f"{sim_s:.0f} s simulated" if sim_s else "starting"
        text = f"  {unit_name(unit)}{again}"
        self._progress.update(self._bars[number], description=text, completed=percent, detail=detail)

    def unit_ended(self, number: int, unit: Unit, result: Path | None, text: str) -> None:
        """Print the outcome above the bars."""
        if number in self._bars:
            self._progress.remove_task(self._bars.pop(number))
        self.say(outcome_text(unit, result, text))
        if result is not None:
            self._done += 1
            self._progress.update(self._all, completed=self._done, detail=f"{self._done}/{self._total}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False)


def unit_name(unit: Unit) -> str:
    """Return what people call a unit."""
    if unit.scenario:
        return f"{unit.scenario}/{unit.town} {unit.route} rep {unit.repetition}"
    return f"{unit.route} seed {unit.seed}"


def outcome_text(unit: Unit, result: Path | None, text: str) -> str:
    """Return the sentence about a finished unit; `text` says why it has no result."""
    if result is None:
        return f"{unit_name(unit)}: no result: {one_line(text)}"
    content: dict[str, Any] = read_json(result)
    record = content["_checkpoint"]["records"][0]
    scores, meta = record["scores"], record["meta"]
    ratio = meta["duration_game"] / meta["duration_system"] if meta["duration_system"] else 0.0
    detail = one_line(str(content.get("harness", {}).get("failure_detail", "")))
    return (
        f"{unit_name(unit)}: {record['status']}, driving score {scores['score_composed']:.2f}, "
        f"{meta['duration_game']:.0f} s simulated in {meta['duration_system']:.1f} s ({ratio:.0f}x)"
        + (f"; {detail}" if detail else "")
    )


_LONGEST_DETAIL = 300


def one_line(text: str) -> str:
    """Return what can be printed of a text, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_DETAIL]


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
