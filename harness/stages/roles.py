"""Whom a campaign talks to: somebody who is told how it goes, and a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.datatypes.job import Submission, TaskKey, TaskView
from harness.datatypes.unit import Unit
from harness.stages.submissions import Planned


class Reporter(Protocol):
    """Who is told how it goes."""

    def begin(self, run: Path, total: int, done: int, notes: list[str]) -> None:
        """The work starts; `done` of `total` units have results already."""

    def unit_progress(self, number: int, unit: Unit, attempt: int, percent: float, sim_s: float) -> None:
        """A unit is being driven and is that far."""

    def unit_ended(self, number: int, unit: Unit, result: Path | None, text: str) -> None:
        """A unit has its result, or `result` is None and `text` says why it will have none."""

    def say(self, text: str) -> None:
        """Something happened that a person should know."""


class SilentReporter:
    """Tells nobody."""

    def begin(self, run: Path, total: int, done: int, notes: list[str]) -> None:
        """Say nothing."""

    def unit_progress(self, number: int, unit: Unit, attempt: int, percent: float, sim_s: float) -> None:
        """Say nothing."""

    def unit_ended(self, number: int, unit: Unit, result: Path | None, text: str) -> None:
        """Say nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


class Backend(Protocol):
    """What a campaign needs of a scheduler."""

    poll_s: float
    stuck_reasons: Sequence[str]

    def views(
        self, submissions: Sequence[Submission], record: Callable[[dict[str, Any]], None]
    ) -> Mapping[TaskKey, TaskView]:
        """Return what the scheduler says of tasks; `record` gets for the ledger what it tells by the way."""

    def submit(self, planned: Planned, record: Callable[[dict[str, Any]], None]) -> str:
        """Make the call; `record` enters its answer into the ledger. Return what a person should know, or nothing."""

    def cancel(self, keys: Sequence[TaskKey], submissions: Mapping[str, Submission]) -> None:
        """Ask for the end of tasks."""

    def obstacle(self) -> str:
        """Return why no task makes sense any more, nothing if one does; asked before each submission."""

    def throttle(self, submissions: Sequence[Submission], views: Mapping[TaskKey, TaskView], limit: int) -> None:
        """Let a new limit on tasks side by side take effect."""

    def wait(self, seconds: float) -> bool:
        """Return after a time, or as soon as something has happened; True if it has."""

    def leave(self) -> str:
        """End what must not outlive this process; return what a person should know."""
