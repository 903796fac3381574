"""What a recorder of drives is shown; the recorders themselves are in `harness.record`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from harness.drive.agents import DriveContext
from harness.drive.decision import Decision
from harness.drive.expert import Expert
from harness.drive.scene import Scene


class Recorder(Protocol):
    """Sees a drive from its first tick to its last; whatever it raises ends the drive."""

    def begin(self, context: DriveContext, expert: Expert) -> None:
        """Learn who drives where; called once, before the first tick."""

    def observe(self, scene: Scene, decision: Decision, weather: Mapping[str, float]) -> None:
        """See a tick, after the expert has decided and before the world moves on.

        Args:
            weather: every field of carla.WeatherParameters.
        """
