"""What a town consists of, as data: streets between crossings, their cross-sections, and who gives way where."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.towns.geometry import Bend, Point

LANE_WIDTH_M = 3.5
SHOULDER_WIDTH_M = 0.5
SIDEWALK_WIDTH_M = 2.5
PARKING_WIDTH_M = 2.5


class Control(enum.Enum):
    """Who gives way at a crossing."""

    SIGNALS = "signals"
    ALL_WAY_STOP = "all-way stop"
    MINOR_STOP = "minor stop"
    MINOR_YIELD = "minor yield"


@dataclass(frozen=True, kw_only=True)
class CrossSection:
    """What a street looks like across; both directions are alike but for the parking lane."""

    lanes: int = 1  # driving lanes per direction
    speed_kmh: int = 50
    parking: bool = False  # a parking lane to the right of the direction start -> end
    centre_mark: Literal["broken", "solid", "solid_solid"] = "solid"

    @property
    def half_width_m(self) -> float:
        """From the centre line to the edge of the outermost driving lane [m]."""
        return self.lanes * LANE_WIDTH_M

    @property
    def curb_m(self) -> float:
        """From the centre line to the curb, next to a crossing where no parking lane is [m]."""
        return self.half_width_m + SHOULDER_WIDTH_M


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A junction: where its streets' centre lines meet, and how far from there they end."""

    at: Point
    control: Control
    setback_m: float = 16.0
    minor: tuple[str, ...] = ()  # streets that give way, for MINOR_STOP and MINOR_YIELD


@dataclass(frozen=True, kw_only=True)
class Street:
    """A road from one crossing to another; the bends lie between the two centres."""

    start: str
    end: str
    section: CrossSection
    bends: tuple[Bend, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Town:
    """Streets and crossings by name; the order of the mappings gives the numbers in the file."""

    name: str
    crossings: Mapping[str, Crossing]
    streets: Mapping[str, Street]
