"""Which lane leads to which: from the layout of a town to numbered roads, arms and turns.

A turn becomes a connecting road with one driving lane, -1, in the direction of travel. Its reference line is the left
border of that lane, so it meets the incoming and the outgoing lane border to border, whatever their numbers are. The
turn that goes furthest right carries the shoulder and the sidewalk round the corner.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from harness.towns.geometry import Path, Point, rounded_polyline, turn_path, wrap
from harness.towns.layout import LANE_WIDTH_M, Crossing, CrossSection, Street, Town

FIRST_JUNCTION_ID = 100
FIRST_CONNECTING_ROAD_ID = 200
TURN_RADIUS_M = 11.0  # of the lane's left border: 9.25 m at the lane centre in a right turn, 12.75 m in a left turn
STRAIGHT_ON_RAD = math.radians(30.0)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One street where it meets a crossing, seen by the traffic that arrives."""

    street: str
    road_id: int
    section: CrossSection
    at_road_end: bool  # the crossing is the road's successor
    mouth: Point  # end of the reference line
    heading_rad: float  # of the arriving traffic

    def incoming_lane(self, index: int) -> int:
        """Return the lane id of the arriving lane `index`, 0 next to the centre line."""
        return -(index + 1) if self.at_road_end else index + 1

    def outgoing_lane(self, index: int) -> int:
        """Return the lane id of the leaving lane `index`, 0 next to the centre line."""
        return -self.incoming_lane(index)

    def border_lanes(self, *, incoming: bool) -> tuple[int, int]:
        """Return the lane ids of the shoulder and the sidewalk on the arriving or leaving side."""
        on_right_of_road = incoming == self.at_road_end
        shoulder = self.section.lanes + (2 if self.section.parking and on_right_of_road else 1)
        sign = -1 if on_right_of_road else 1
        return sign * shoulder, sign * (shoulder + 1)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One way through a crossing, from one lane to one lane: a connecting road."""

    road_id: int
    origin: Arm
    target: Arm
    from_index: int
    to_index: int
    path: Path
    has_sidewalk: bool

    @property
    def is_straight(self) -> bool:
        """Whether the way goes straight on, without an arc."""
        return all(segment.curvature_1pm == 0.0 for segment in self.path.segments)

    def lane_links(self) -> list[tuple[int, int]]:
        """Return the (incoming, outgoing) lane ids that the lanes -1, -2, ... of the connecting road join."""
        links = [(self.origin.incoming_lane(self.from_index), self.target.outgoing_lane(self.to_index))]
        if self.has_sidewalk:
            links += zip(self.origin.border_lanes(incoming=True), self.target.border_lanes(incoming=False), strict=True)
        return links


@dataclass(frozen=True, kw_only=True)
class Junction:
    """A crossing with its arms (counter-clockwise) and turns."""

    name: str
    junction_id: int
    crossing: Crossing
    arms: tuple[Arm, ...]
    turns: tuple[Turn, ...]

    def turns_from(self, arm: Arm) -> tuple[Turn, ...]:
        """Return the turns that begin at the arm, left to right."""
        return tuple(turn for turn in self.turns if turn.origin is arm)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A town with its numbers: road ids of the streets, paths, junctions."""

    town: Town
    road_ids: dict[str, int]
    paths: dict[str, Path]
    junctions: dict[str, Junction]


def lay_out(town: Town) -> Network:
    """Return the paths, ids and connections of the town."""
    road_ids = {name: index for index, name in enumerate(town.streets)}
    paths = {name: street_path(town, street) for name, street in town.streets.items()}
    numbers = itertools.count(FIRST_CONNECTING_ROAD_ID)
    junctions = {}
    for index, (name, crossing) in enumerate(town.crossings.items()):
        arms = tuple(sorted(_arms(town, name, road_ids), key=lambda arm: wrap(arm.heading_rad + math.pi)))
        turns = tuple(_turns(arms, numbers))
        junctions[name] = Junction(
            name=name, junction_id=FIRST_JUNCTION_ID + index, crossing=crossing, arms=arms, turns=turns
        )
    return Network(town=town, road_ids=road_ids, paths=paths, junctions=junctions)


def street_path(town: Town, street: Street) -> Path:
    """Return the street's reference line, which ends at the setback of the crossings."""
    first, last = town.crossings[street.start], town.crossings[street.end]
    places = [first.at, *(bend.at for bend in street.bends), last.at]
    start = first.at.moved(places[0].heading_to(places[1]), first.setback_m)
    end = last.at.moved(places[-1].heading_to(places[-2]), last.setback_m)
    return rounded_polyline(start, street.bends, end)


def _arms(town: Town, crossing_name: str, road_ids: dict[str, int]) -> Iterator[Arm]:
    crossing = town.crossings[crossing_name]
    for name, street in town.streets.items():
        if crossing_name not in (street.start, street.end):
            continue
        at_end = street.end == crossing_name
        places = [town.crossings[street.start].at, *(b.at for b in street.bends), town.crossings[street.end].at]
        neighbour = places[-2] if at_end else places[1]
        heading = neighbour.heading_to(crossing.at)
        yield Arm(
            street=name,
            road_id=road_ids[name],
            section=street.section,
            at_road_end=at_end,
            mouth=crossing.at.moved(heading, -crossing.setback_m),
            heading_rad=heading,
        )


def _turns(arms: tuple[Arm, ...], numbers: Iterator[int]) -> Iterator[Turn]:
    for origin in arms:
        targets = sorted((arm for arm in arms if arm is not origin), key=lambda arm: -_turn_angle(origin, arm))
        for target in targets:
            for from_index, to_index in _lane_pairs(origin, target):
                yield Turn(
                    road_id=next(numbers),
                    origin=origin,
                    target=target,
                    from_index=from_index,
                    to_index=to_index,
                    path=turn_path(
                        origin.mouth.moved(origin.heading_rad, 0.0, from_index * LANE_WIDTH_M),
                        origin.heading_rad,
                        target.mouth.moved(target.heading_rad + math.pi, 0.0, to_index * LANE_WIDTH_M),
                        target.heading_rad + math.pi,
                        TURN_RADIUS_M,
                    ),
                    has_sidewalk=target is targets[-1] and from_index == origin.section.lanes - 1,
                )


def _turn_angle(origin: Arm, target: Arm) -> float:
    """Angle of the turn [rad], left positive, in (-pi, pi]."""
    return wrap(target.heading_rad + math.pi - origin.heading_rad)


def _lane_pairs(origin: Arm, target: Arm) -> list[tuple[int, int]]:
    """Pair the lanes: left turns from and to the inner lane, right turns the outer one, straight on lane by lane."""
    angle = _turn_angle(origin, target)
    if abs(angle) < STRAIGHT_ON_RAD:
        return [(index, index) for index in range(min(origin.section.lanes, target.section.lanes))]
    if angle > 0.0:
        return [(0, 0)]
    return [(origin.section.lanes - 1, target.section.lanes - 1)]
