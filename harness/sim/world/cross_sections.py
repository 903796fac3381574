"""The cross sections of the roads of an OpenDRIVE text: which lanes of which widths they have, what lies at their ends.

`carla.Map` lists positions on driving lanes only; asking it for the lanes beside each of them costs several calls per
position. The cross sections are therefore read from the text, which gives the widths of all positions at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WidthPiece:
    """Width a + b ds + c ds^2 + d ds^3 [m] from `start_m` behind the start of the section on."""

    start_m: float
    a: float
    b: float
    c: float
    d: float


@dataclass
class CrossLane:
    """A lane of a section: its OpenDRIVE type and width."""

    type: str
    widths: list[WidthPiece] = field(default_factory=list)

    def width_m(self, ds_m: Array) -> Array:
        """Return the width at distances `ds_m` behind the start of the section, never negative; (N,)."""
        if not self.widths:
            return np.zeros(len(ds_m))
        starts_m = np.array([piece.start_m for piece in self.widths])
        which = np.maximum(np.searchsorted(starts_m, ds_m + 1e-9, side="right") - 1, 0)
        a, b, c, d = np.array([(piece.a, piece.b, piece.c, piece.d) for piece in self.widths])[which].T
        at_m = ds_m - starts_m[which]
        return np.asarray(np.maximum(a + at_m * (b + at_m * (c + at_m * d)), 0.0))


@dataclass
class Section:
    """The lanes of a road from `start_m` on, by their OpenDRIVE id."""

    start_m: float
    lanes: dict[int, CrossLane] = field(default_factory=dict)


@dataclass
class Road:
    """What the text says about a road.

    Attributes:
        sections: ordered by their start.
        ends_at_junction: whether a junction begins at its start, and at its end.
    """

    road_id: int
    length_m: float
    is_junction: bool
    sections: list[Section] = field(default_factory=list)
    ends_at_junction: list[bool] = field(default_factory=lambda: [False, False])


def read_roads(opendrive: str) -> list[Road]:
    """Return the roads of a text that `carla.Map` has read, in its order."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.Parse(opendrive.encode(errors="replace"), True)
    for road in reader.roads:
        road.sections.sort(key=lambda section: section.start_m)
        for section in road.sections:
            for lane in section.lanes.values():
                lane.widths.sort(key=lambda piece: piece.start_m)
    return reader.roads


class _Reader:
    """Collects roads, sections, lanes and widths."""

    def __init__(self) -> None:
        self.roads: list[Road] = []
        self._inside: list[str] = []
        self._lane: CrossLane | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "width":
            if self._lane is not None:
                values = [_number(attributes, name) for name in ("sOffset", "a", "b", "c", "d")]
                self._lane.widths.append(WidthPiece(*values))
        elif tag == "lane":
            self._lane = CrossLane(attributes.get("type", ""))
            if self.roads and self.roads[-1].sections:
                self.roads[-1].sections[-1].lanes[int(_number(attributes, "id"))] = self._lane
        elif tag == "laneSection" and self.roads:
            self.roads[-1].sections.append(Section(_number(attributes, "s")))
        elif tag in ("predecessor", "successor") and self._inside[-2:] == ["road", "link"]:
            self.roads[-1].ends_at_junction[tag == "successor"] = attributes.get("elementType") == "junction"
        elif tag == "road":
            road_id, length_m = int(_number(attributes, "id")), _number(attributes, "length")
            self.roads.append(Road(road_id, length_m, attributes.get("junction", "-1") != "-1"))
        self._inside.append(tag)

    def end(self, tag: str) -> None:
        self._inside.pop()
        if tag == "lane":
            self._lane = None


def _number(attributes: dict[str, str], name: str) -> float:
    """Return an attribute as a number, 0 where it is none: such a lane is flat to us, as it is to the client."""
    try:
        value = float(attributes.get(name, ""))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and abs(value) < 1e9 else 0.0


def lanes_beside(section: Section, lane_id: int, side: int, stops_at: Sequence[str]) -> list[CrossLane]:
    """Return the lanes next to a lane, nearest first, up to one of a type in `stops_at`.

    Args:
        side: +1 = away from the reference line, -1 = towards it.
    """
    step = side if lane_id > 0 else -side
    found = []
    other = lane_id + step
    while other != 0 and other in section.lanes and section.lanes[other].type not in stops_at:
        found.append(section.lanes[other])
        other += step
    return found
