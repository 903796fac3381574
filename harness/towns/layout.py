"""What a town consists of, as data: streets between crossings, their cross-sections, and who gives way where."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.towns.geometry import Bend, Path, Point

LANE_WIDTH_M = 3.5
SHOULDER_WIDTH_M = 0.5
OPEN_SHOULDER_WIDTH_M = 1.5  # of roads without a sidewalk
SIDEWALK_WIDTH_M = 2.5
PARKING_WIDTH_M = 2.5


class Control(enum.Enum):
    """Who gives way at a crossing."""

    SIGNALS = "signals"
    ALL_WAY_STOP = "all-way stop"
    MINOR_STOP = "minor stop"
    MINOR_YIELD = "minor yield"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class CrossSection:
    """What a street looks like across; both directions are alike but for the parking lane and one-way streets.

    A street with turn bays has a median one lane wide; at both ends the median is the lane of those who turn left.
    """

    lanes: int = 1  # driving lanes per direction
    lane_width_m: float = LANE_WIDTH_M  # streets that meet have lanes of one width
    speed_kmh: int = 50
    one_way: bool = False  # lanes in the direction start -> end only, to the right of the reference line
    parking: bool = False  # a parking lane to the right of the direction start -> end
    centre_mark: Literal["broken", "solid", "solid_solid"] = "solid"
    kind: Literal["town", "rural", "motorway"] = "town"
    turn_bay_m: float = 0.0  # length of the turn bays, 0 = none and no median
    sidewalk_left: bool = True  # of a one-way street in a town
    first_sign_m: float = 12.0  # speed limits stand this far behind the beginning
    sign_spacing_m: float = 0.0  # and again this often, 0 = never
    crossing_kmh: int = 0  # limit on the way to the crossings, 0 = as everywhere
    crossing_sign_m: float = 110.0  # how long before the end of the street it begins

    @property
    def has_sidewalk(self) -> bool:
        """Whether the street has sidewalks; other roads have wider shoulders instead."""
        return self.kind == "town"

    @property
    def shoulder_m(self) -> float:
        """Width of the shoulder [m]."""
        return SHOULDER_WIDTH_M if self.has_sidewalk else OPEN_SHOULDER_WIDTH_M

    @property
    def has_bays(self) -> bool:
        """Whether the street has a median with turn bays."""
        return self.turn_bay_m > 0.0

    @property
    def lanes_back(self) -> int:
        """Driving lanes in the direction end -> start, without a turn bay."""
        return 0 if self.one_way else self.lanes


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way through a crossing from lane `from_index` of one street to lane `to_index` of another, 0 = leftmost."""

    origin: str
    target: str
    from_index: int = 0
    to_index: int = 0
    radius_m: float | None = None  # of the left border; None = as in any turn of the crossing
    has_border: bool = False  # the shoulder, and the sidewalk if there is one, come along


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A junction: where its streets' centre lines meet, and how far from there they end."""

    at: Point
    control: Control
    setback_m: float = 16.0
    # of the lane's left border; by default 9.25 m at the lane centre in a right turn, 12.75 m in a left turn
    turn_radius_m: float = 11.0
    minor: tuple[str, ...] = ()  # streets that give way, for MINOR_STOP and MINOR_YIELD
    ways: tuple[Way, ...] = ()  # where not every street leads to every other


@dataclass(frozen=True, kw_only=True)
class Street:
    """A road from one crossing to another; the bends lie between the two centres.

    A street with a path of its own ends where the path ends. Without grades it is level.
    """

    start: str
    end: str
    section: CrossSection
    bends: tuple[Bend, ...] = ()
    path: Path | None = None
    grades: tuple[Grade, ...] = ()


@dataclass(frozen=True)
class Grade:
    """A stretch over which the slope changes evenly to `slope` (rise over run, positive uphill)."""

    length_m: float
    slope: float


@dataclass(frozen=True, kw_only=True)
class Town:
    """Streets and crossings by name; the order of the mappings gives the numbers in the file."""

    name: str
    crossings: Mapping[str, Crossing]
    streets: Mapping[str, Street]
