"""Plan-view geometry: polylines with rounded corners, as chains of straight lines and arcs.

Every road of a town, in a street as well as inside a junction, is such a chain, so headings never jump (G1).
The frame is OpenDRIVE's: metres, x east, y north, headings in radians, counter-clockwise positive.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ConfigError

if TYPE_CHECKING:
    from scenariogeneration import xodr

STRAIGHT_RAD = 1e-9
SHORTEST_SEGMENT_M = 1e-6


@dataclass(frozen=True)
class Point:
    """A place in the plan view [m]."""

    x: float
    y: float

    def moved(self, heading_rad: float, forward_m: float, right_m: float = 0.0) -> Point:
        """Return the point `forward_m` ahead and `right_m` to the right of here for someone who faces `heading_rad`."""
        cos, sin = math.cos(heading_rad), math.sin(heading_rad)
        return Point(self.x + forward_m * cos + right_m * sin, self.y + forward_m * sin - right_m * cos)

    def heading_to(self, other: Point) -> float:
        """Return the heading [rad] of the straight line from here to `other`."""
        return math.atan2(other.y - self.y, other.x - self.x)

    def distance_to(self, other: Point) -> float:
        """Return the distance [m] to `other`."""
        return math.hypot(other.x - self.x, other.y - self.y)


@dataclass(frozen=True)
class Bend:
    """A corner of a polyline that is rounded by an arc of `radius_m`."""

    at: Point
    radius_m: float


@dataclass(frozen=True)
class Segment:
    """A piece of constant curvature: `curvature_1pm` is 0 on a line, positive in a left-hand arc [1/m]."""

    length_m: float
    curvature_1pm: float = 0.0


@dataclass(frozen=True)
class Path:
    """A start pose and the segments that follow it without a kink."""

    start: Point
    heading_rad: float
    segments: tuple[Segment, ...]

    @property
    def length_m(self) -> float:
        """Length of all segments [m]."""
        return sum(segment.length_m for segment in self.segments)

    @property
    def end(self) -> tuple[Point, float]:
        """The last point, and the heading there [rad]."""
        here, heading = self.start, self.heading_rad
        for segment in self.segments:
            turn = segment.length_m * segment.curvature_1pm
            chord = segment.length_m if turn == 0.0 else 2.0 / segment.curvature_1pm * math.sin(turn / 2.0)
            here, heading = here.moved(heading + turn / 2.0, chord), heading + turn
        return here, wrap(heading)


def wrap(angle_rad: float) -> float:
    """Return the angle in (-pi, pi]."""
    return -((math.pi - angle_rad) % (2.0 * math.pi) - math.pi)


def rounded_polyline(start: Point, bends: Sequence[Bend], end: Point) -> Path:
    """Return the path from `start` to `end` along the bends, each corner replaced by its arc.

    An arc of radius R that turns by an angle a starts R tan(|a|/2) before the corner and is R |a| long.

    Raises:
        ConfigError: two neighbouring arcs, or an arc and an end, need more room than there is.
    """
    places = [start, *(bend.at for bend in bends), end]
    headings = [here.heading_to(there) for here, there in itertools.pairwise(places)]
    turns = [wrap(after - before) for before, after in itertools.pairwise(headings)]
    cuts = [0.0, *(bend.radius_m * math.tan(abs(turn) / 2.0) for bend, turn in zip(bends, turns, strict=True)), 0.0]
    segments: list[Segment] = []
    for index in range(len(places) - 1):
        room = places[index].distance_to(places[index + 1]) - cuts[index] - cuts[index + 1]
        if room < -SHORTEST_SEGMENT_M:
            raise ConfigError(f"arcs between {places[index]} and {places[index + 1]} overlap by {-room:.2f} m")
        if room > SHORTEST_SEGMENT_M:
            segments.append(Segment(room))
        if index < len(turns) and abs(turns[index]) > STRAIGHT_RAD:
            radius = bends[index].radius_m
            segments.append(Segment(radius * abs(turns[index]), math.copysign(1.0 / radius, turns[index])))
    return Path(start, headings[0], tuple(segments))


def turn_path(start: Point, heading_in_rad: float, end: Point, heading_out_rad: float, radius_m: float) -> Path:
    """Return the path of one turn: straight on, one arc of at most `radius_m`, straight on.

    Where the headings agree, it is a straight line, or two arcs that end beside the line.

    Args:
        start: where the turn begins, facing `heading_in_rad`.
        end: where it ends, facing `heading_out_rad`.
        radius_m: wanted radius; a smaller one is taken where the corner is nearer than the arc needs.
    """
    turn = wrap(heading_out_rad - heading_in_rad)
    if abs(turn) < 1e-3:
        return _sideways_path(start, heading_in_rad, end)
    along_x, along_y = end.x - start.x, end.y - start.y
    cross = math.sin(turn)
    before = (along_x * math.sin(heading_out_rad) - along_y * math.cos(heading_out_rad)) / cross
    after = (math.cos(heading_in_rad) * along_y - math.sin(heading_in_rad) * along_x) / cross
    widest = min(before, after) / math.tan(abs(turn) / 2.0)
    return rounded_polyline(start, (Bend(start.moved(heading_in_rad, before), min(radius_m, widest)),), end)


def _sideways_path(start: Point, heading_rad: float, end: Point) -> Path:
    """Return the path of equal headings at both ends: a line, or an S of two equal arcs.

    Where the chord is turned by an angle a from the heading, each arc turns by 2 a and has half the chord.
    """
    offset = wrap(start.heading_to(end) - heading_rad)
    if abs(offset) < STRAIGHT_RAD * 1e3:
        return rounded_polyline(start, (), end)
    half_m, turn = start.distance_to(end) / 2.0, 2.0 * offset
    curvature = 2.0 * math.sin(offset) / half_m
    arc_m = turn / curvature
    return Path(start, heading_rad, (Segment(arc_m, curvature), Segment(arc_m, -curvature)))


def plan_view(path: Path) -> xodr.PlanView:
    """Return the path as the `<planView>` of a road."""
    from scenariogeneration import xodr

    view = xodr.PlanView(path.start.x, path.start.y, path.heading_rad)
    for segment in path.segments:
        if segment.curvature_1pm == 0.0:
            view.add_geometry(xodr.Line(segment.length_m))
        else:
            view.add_geometry(xodr.Arc(segment.curvature_1pm, length=segment.length_m))
    view.adjust_geometries()
    return view
