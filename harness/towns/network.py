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
from harness.towns.layout import Crossing, CrossSection, Street, Town

FIRST_JUNCTION_ID = 100
FIRST_CONNECTING_ROAD_ID = 200
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

    @property
    def lanes_in(self) -> int:
        """Count of arriving lanes; a turn bay is the leftmost of them."""
        lanes = self.section.lanes if self.at_road_end else self.section.lanes_back
        return lanes + 1 if self.section.has_bays else lanes

    @property
    def lanes_out(self) -> int:
        """Count of leaving lanes."""
        return self.section.lanes_back if self.at_road_end else self.section.lanes

    def left_border_m(self, index: int, *, incoming: bool) -> float:
        """Return how far right of the reference line a lane begins [m], as its traffic sees it; a bay begins left."""
        width_m = self.section.lane_width_m
        half_median_m = width_m / 2.0 if self.section.has_bays else 0.0
        return index * width_m + (-half_median_m if incoming else half_median_m)

    def curb_m(self, *, incoming: bool) -> float:
        """Return the distance from the reference line to the curb on the arriving or leaving side.

        It holds next to a crossing, where no parking lane is.
        """
        lanes = self.lanes_in if incoming else self.lanes_out
        return self.left_border_m(lanes, incoming=incoming) + self.section.shoulder_m

    def incoming_lane(self, index: int) -> int:
        """Return the lane id of the arriving lane `index`, 0 next to the centre line."""
        return -(index + 1) if self.at_road_end else index + 1

    def outgoing_lane(self, index: int) -> int:
        """Return the lane id of the leaving lane `index`, 0 next to the centre line."""
        return -self.incoming_lane(index)

    def border_lanes(self, *, incoming: bool) -> tuple[int, ...]:
        """Return the lane ids of the shoulder and the sidewalk, if there is one, on the arriving or leaving side."""
        on_right_of_road = incoming == self.at_road_end
        lanes = self.lanes_in if incoming else self.lanes_out
        shoulder = lanes + (2 if self.section.parking and on_right_of_road else 1)
        sign = -1 if on_right_of_road else 1
        return (sign * shoulder, sign * (shoulder + 1)) if self.section.has_sidewalk else (sign * shoulder,)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One way through a crossing, from one lane to one lane: a connecting road."""

    road_id: int
    origin: Arm
    target: Arm
    from_index: int
    to_index: int
    path: Path
    has_border: bool  # the shoulder, and the sidewalk if there is one, run beside it

    @property
    def is_straight(self) -> bool:
        """Whether the way goes straight on, without an arc."""
        return all(segment.curvature_1pm == 0.0 for segment in self.path.segments)

    @property
    def goes_on(self) -> bool:
        """Whether the way leads to the opposite street, perhaps a little sideways."""
        return abs(_turn_angle(self.origin, self.target)) < STRAIGHT_ON_RAD

    def lane_links(self) -> list[tuple[int, int]]:
        """Return the (incoming, outgoing) lane ids that the lanes -1, -2, ... of the connecting road join."""
        links = [(self.origin.incoming_lane(self.from_index), self.target.outgoing_lane(self.to_index))]
        return links + (_border_links(self.origin, self.target) if self.has_border else [])


@dataclass(frozen=True, kw_only=True)
class Corner:
    """A sidewalk round a corner where nobody turns right: a connecting road without a driving lane."""

    road_id: int
    origin: Arm
    target: Arm
    path: Path

    def lane_links(self) -> list[tuple[int, int]]:
        """Return the (incoming, outgoing) lane ids that the lanes -1, -2 of the connecting road join."""
        return _border_links(self.origin, self.target)


def _border_links(origin: Arm, target: Arm) -> list[tuple[int, int]]:
    return list(zip(origin.border_lanes(incoming=True), target.border_lanes(incoming=False), strict=True))


@dataclass(frozen=True, kw_only=True)
class Junction:
    """A crossing with its arms (counter-clockwise), its turns, and the corners that no turn goes round."""

    name: str
    junction_id: int
    crossing: Crossing
    arms: tuple[Arm, ...]
    turns: tuple[Turn, ...]
    corners: tuple[Corner, ...]

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
        turns = tuple(_turns_by_way(crossing, arms, numbers) if crossing.ways else _turns(crossing, arms, numbers))
        junctions[name] = Junction(
            name=name,
            junction_id=FIRST_JUNCTION_ID + index,
            crossing=crossing,
            arms=arms,
            turns=turns,
            corners=() if crossing.ways else tuple(_corners(crossing, arms, turns, numbers)),
        )
    return Network(town=town, road_ids=road_ids, paths=paths, junctions=junctions)


def street_path(town: Town, street: Street) -> Path:
    """Return the street's reference line: its own, or one that ends at the setback of the crossings."""
    if street.path is not None:
        return street.path
    first, last = town.crossings[street.start], town.crossings[street.end]
    places = [first.at, *(bend.at for bend in street.bends), last.at]
    start = first.at.moved(places[0].heading_to(places[1]), first.setback_m)
    end = last.at.moved(places[-1].heading_to(places[-2]), last.setback_m)
    return rounded_polyline(start, street.bends, end)


def _arms(town: Town, crossing_name: str, road_ids: dict[str, int]) -> Iterator[Arm]:
    for name, street in town.streets.items():
        if crossing_name not in (street.start, street.end):
            continue
        at_end = street.end == crossing_name
        mouth, heading = _mouth(town, street, at_end)
        yield Arm(
            street=name,
            road_id=road_ids[name],
            section=street.section,
            at_road_end=at_end,
            mouth=mouth,
            heading_rad=heading,
        )


def _mouth(town: Town, street: Street, at_end: bool) -> tuple[Point, float]:
    """Return where a street meets its crossing, and the heading of those who arrive."""
    if street.path is not None:
        return street.path.end if at_end else (street.path.start, wrap(street.path.heading_rad + math.pi))
    crossing = town.crossings[street.end if at_end else street.start]
    places = [town.crossings[street.start].at, *(b.at for b in street.bends), town.crossings[street.end].at]
    heading = (places[-2] if at_end else places[1]).heading_to(crossing.at)
    return crossing.at.moved(heading, -crossing.setback_m), heading


def _turns(crossing: Crossing, arms: tuple[Arm, ...], numbers: Iterator[int]) -> Iterator[Turn]:
    for origin in arms:
        targets = sorted((arm for arm in arms if arm is not origin), key=lambda arm: -_turn_angle(origin, arm))
        for target in targets:
            for from_index, to_index in _lane_pairs(origin, target):
                yield _turn(
                    next(numbers),
                    (origin, from_index),
                    (target, to_index),
                    crossing.turn_radius_m,
                    has_border=target is targets[-1] and from_index == origin.lanes_in - 1,
                )


def _turns_by_way(crossing: Crossing, arms: tuple[Arm, ...], numbers: Iterator[int]) -> Iterator[Turn]:
    incoming = {arm.street: arm for arm in arms if arm.lanes_in}
    outgoing = {arm.street: arm for arm in arms if arm.lanes_out}
    for way in crossing.ways:
        origin, target = incoming[way.origin], outgoing[way.target]
        yield _turn(
            next(numbers),
            (origin, way.from_index),
            (target, way.to_index),
            way.radius_m or crossing.turn_radius_m,
            has_border=way.has_border,
        )


def _turn(road_id: int, begin: tuple[Arm, int], end: tuple[Arm, int], radius_m: float, *, has_border: bool) -> Turn:
    (origin, from_index), (target, to_index) = begin, end
    leaving_rad = target.heading_rad + math.pi
    return Turn(
        road_id=road_id,
        origin=origin,
        target=target,
        from_index=from_index,
        to_index=to_index,
        path=turn_path(
            origin.mouth.moved(origin.heading_rad, 0.0, origin.left_border_m(from_index, incoming=True)),
            origin.heading_rad,
            target.mouth.moved(leaving_rad, 0.0, target.left_border_m(to_index, incoming=False)),
            leaving_rad,
            radius_m,
        ),
        has_border=has_border,
    )


def _corners(
    crossing: Crossing, arms: tuple[Arm, ...], turns: tuple[Turn, ...], numbers: Iterator[int]
) -> Iterator[Corner]:
    """Yield the corners between neighbours with sidewalks that no turn goes round."""
    done = {(turn.origin.street, turn.target.street) for turn in turns if turn.has_border}
    for origin, target in zip(arms, (*arms[1:], arms[0]), strict=True):
        has_sidewalks = origin.section.has_sidewalk and target.section.has_sidewalk
        if not has_sidewalks or (origin.street, target.street) in done:
            continue
        leaving_rad = target.heading_rad + math.pi
        begin_m = origin.left_border_m(origin.lanes_in, incoming=True)
        end_m = target.left_border_m(target.lanes_out, incoming=False)
        path = turn_path(
            origin.mouth.moved(origin.heading_rad, 0.0, begin_m),
            origin.heading_rad,
            target.mouth.moved(leaving_rad, 0.0, end_m),
            leaving_rad,
            crossing.turn_radius_m - origin.section.lane_width_m,
        )
        yield Corner(road_id=next(numbers), origin=origin, target=target, path=path)


def _turn_angle(origin: Arm, target: Arm) -> float:
    """Angle of the turn [rad], left positive, in (-pi, pi]."""
    return wrap(target.heading_rad + math.pi - origin.heading_rad)


def _lane_pairs(origin: Arm, target: Arm) -> list[tuple[int, int]]:
    """Pair the lanes: left turns from and to the inner lane, right turns the outer one, straight on lane by lane.

    From a street with a turn bay, left turns begin in the bay and nothing else does.
    """
    angle = _turn_angle(origin, target)
    bays = 1 if origin.section.has_bays else 0
    if not origin.lanes_in or not target.lanes_out:
        return []
    if abs(angle) < STRAIGHT_ON_RAD:
        return [(bays + index, index) for index in range(min(origin.lanes_in - bays, target.lanes_out))]
    if angle > 0.0:
        return [(0, 0)]
    return [(origin.lanes_in - 1, target.lanes_out - 1)]
