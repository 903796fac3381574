"""Roads, lanes and junction tables as `scenariogeneration` objects.

Lanes are numbered from the centre line outwards: driving, parking, shoulder, sidewalk.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.towns.geometry import plan_view
from harness.towns.layout import PARKING_WIDTH_M, SIDEWALK_WIDTH_M, CrossSection, Grade
from harness.towns.network import Arm, Corner, Junction, Network, Turn

if TYPE_CHECKING:
    from scenariogeneration import xodr

MARK_WIDTH_M = 0.125
PARKING_CLEARANCE_M = 15.0  # no parking lane this close to a crossing
PARKING_TAPER_M = 8.0
LEVEL_M = 1e-6


def street_road(network: Network, name: str) -> xodr.Road:
    """Return the road of a street, linked to the junctions at both ends."""
    from scenariogeneration import xodr

    street, path = network.town.streets[name], network.paths[name]
    section = street.section
    if section.has_bays:
        lanes = _lanes_with_bays(section, path.length_m)
    else:
        lanes = xodr.Lanes().add_lanesection(_street_lanes(section, path.length_m))
    road = xodr.Road(network.road_ids[name], plan_view(path), lanes, name=name)
    road.add_predecessor(xodr.ElementType.junction, network.junctions[street.start].junction_id)
    road.add_successor(xodr.ElementType.junction, network.junctions[street.end].junction_id)
    road.add_type(xodr.RoadType[section.kind], speed=section.speed_kmh, speed_unit="km/h")
    for s, height, slope, bend in _profile(name, street.grades, path.length_m):
        road.add_elevation(s, height, slope, bend, 0.0)
    return road


def _profile(name: str, grades: tuple[Grade, ...], length_m: float) -> list[tuple[float, float, float, float]]:
    """Return (s, a, b, c) of the heights z = a + b ds + c ds^2; where the slope changes evenly, c is half its change.

    Raises:
        ConfigError: the street does not come back to level ground before its end.
    """
    rows = [(0.0, 0.0, 0.0, 0.0)]
    s = height = slope = 0.0
    for grade in grades:
        bend = (grade.slope - slope) / (2.0 * grade.length_m)
        rows.append((s, height, slope, bend))
        height += (slope + grade.slope) / 2.0 * grade.length_m
        s, slope = s + grade.length_m, grade.slope
    if s > length_m or abs(height) > LEVEL_M or slope != 0.0:
        raise ConfigError(f"{name} is {length_m:.1f} m long and {height:.6f} m high after {s:.1f} m, expected 0 m")
    return [*rows[1:], (s, 0.0, 0.0, 0.0)] if grades else rows


def _street_lanes(section: CrossSection, length_m: float) -> xodr.LaneSection:
    from scenariogeneration import xodr

    centre = xodr.Lane(xodr.LaneType.none)
    centre.add_roadmark(_mark("solid") if section.one_way else _mark(section.centre_mark, "yellow"))
    lanes = xodr.LaneSection(0, centre)
    for count, add in ((section.lanes_back, lanes.add_left_lane), (section.lanes, lanes.add_right_lane)):
        for lane in _driving_lanes(section, count):
            add(lane)
    if section.parking:
        lanes.add_right_lane(_parking_lane(length_m))
    for lane in _border_lanes(section.shoulder_m, has_sidewalk=section.has_sidewalk and section.sidewalk_left):
        lanes.add_left_lane(lane)
    for lane in _border_lanes(section.shoulder_m, has_sidewalk=section.has_sidewalk):
        lanes.add_right_lane(lane)
    return lanes


def _driving_lanes(section: CrossSection, count: int) -> list[xodr.Lane]:
    """Return lanes side by side; lane changes are allowed between them."""
    return [_driving_lane(section, is_outermost=index == count - 1) for index in range(count)]


def _driving_lane(section: CrossSection, *, is_outermost: bool) -> xodr.Lane:
    from scenariogeneration import xodr

    lane = xodr.Lane(xodr.LaneType.driving, a=section.lane_width_m)
    lane.add_roadmark(_mark("solid") if is_outermost else _mark("broken", change_lanes=True))
    return lane


def _lanes_with_bays(section: CrossSection, length_m: float) -> xodr.Lanes:
    """Return three stretches: a bay for the traffic back, a median, a bay for the traffic forward.

    The reference line runs in the middle of the median. Beside a bay, all of the median belongs to the side that turns
    left there. The line between the directions crosses the median evenly on the way from one bay to the other, and
    the driving lanes run straight on; a line that jumps would bring places at the end of a bay off their lanes.
    """
    from scenariogeneration import xodr

    bay_m, width_m = section.turn_bay_m, section.lane_width_m
    half_m = width_m / 2.0
    begins_m = (0.0, bay_m, length_m - bay_m)
    drift = width_m / (length_m - 2.0 * bay_m)
    narrowing = xodr.Lane(xodr.LaneType.median, a=width_m, b=-drift)
    widening = xodr.Lane(xodr.LaneType.median, a=0.0, b=drift)
    for median in (narrowing, widening):
        median.add_roadmark(_mark("solid"))
    left = [_side_lanes(section, inner) for inner in (_driving_lane(section, is_outermost=False), narrowing, None)]
    right = [_side_lanes(section, inner) for inner in (None, widening, _driving_lane(section, is_outermost=False))]
    for side, sign in ((left, 1), (right, -1)):
        for before, after in itertools.pairwise(side):
            _link(before, after, sign)
    lanes = xodr.Lanes()
    for s, offset_m, slope in zip(begins_m, (-half_m, -half_m, half_m), (0.0, drift, 0.0), strict=True):
        lanes.add_laneoffset(xodr.LaneOffset(s, offset_m, slope, 0.0, 0.0))
    for s, left_lanes, right_lanes in zip(begins_m, left, right, strict=True):
        centre = xodr.Lane(xodr.LaneType.none)
        centre.add_roadmark(_mark("solid", "yellow"))
        stretch = xodr.LaneSection(s, centre)
        for lane in left_lanes.values():
            stretch.add_left_lane(lane)
        for lane in right_lanes.values():
            stretch.add_right_lane(lane)
        lanes.add_lanesection(stretch)
    return lanes


def _side_lanes(section: CrossSection, inner: xodr.Lane | None) -> dict[str, xodr.Lane]:
    """Return the lanes of one side from the centre outwards, by names that last from stretch to stretch.

    Args:
        inner: a bay or a median, which last for one stretch.
    """
    lanes: dict[str, xodr.Lane] = {}
    if inner is not None:
        lanes[inner.lane_type.name] = inner
    lanes.update({f"lane {index}": lane for index, lane in enumerate(_driving_lanes(section, section.lanes))})
    border = _border_lanes(section.shoulder_m, has_sidewalk=section.has_sidewalk)
    lanes.update({f"border {index}": lane for index, lane in enumerate(border)})
    return lanes


def _link(before: dict[str, xodr.Lane], after: dict[str, xodr.Lane], sign: int) -> None:
    numbers = [{name: sign * (index + 1) for index, name in enumerate(side)} for side in (before, after)]
    for name in (name for name in before if name in after):
        before[name].add_link("successor", numbers[1][name])
        after[name].add_link("predecessor", numbers[0][name])


def _mark(kind: str, color: str = "white", *, change_lanes: bool = False) -> xodr.RoadMark:
    from scenariogeneration import xodr

    return xodr.RoadMark(
        xodr.RoadMarkType[kind],
        width=MARK_WIDTH_M,
        color=xodr.RoadMarkColor[color],
        laneChange=xodr.LaneChange.both if change_lanes else xodr.LaneChange.none,
    )


def _parking_lane(length_m: float) -> xodr.Lane:
    """Return a parking lane that narrows to nothing before both crossings (cubic ease: 3u^2 - 2u^3)."""
    from scenariogeneration import xodr

    lane = xodr.Lane(xodr.LaneType.parking, a=0.0)
    square = 3.0 * PARKING_WIDTH_M / PARKING_TAPER_M**2
    cube = -2.0 * PARKING_WIDTH_M / PARKING_TAPER_M**3
    far_end = length_m - PARKING_CLEARANCE_M
    lane.add_lane_width(0.0, 0.0, square, cube, PARKING_CLEARANCE_M)
    lane.add_lane_width(PARKING_WIDTH_M, soffset=PARKING_CLEARANCE_M + PARKING_TAPER_M)
    lane.add_lane_width(PARKING_WIDTH_M, 0.0, -square, -cube, far_end - PARKING_TAPER_M)
    lane.add_lane_width(0.0, soffset=far_end)
    lane.add_roadmark(_mark("solid"))
    return lane


def _border_lanes(shoulder_m: float, *, has_sidewalk: bool) -> list[xodr.Lane]:
    """Return a shoulder with its curb and a sidewalk, or a shoulder alone."""
    from scenariogeneration import xodr

    shoulder = xodr.Lane(xodr.LaneType.shoulder, a=shoulder_m)
    shoulder.add_roadmark(_mark("curb" if has_sidewalk else "none"))
    if not has_sidewalk:
        return [shoulder]
    sidewalk = xodr.Lane(xodr.LaneType.sidewalk, a=SIDEWALK_WIDTH_M)
    sidewalk.add_roadmark(_mark("none"))
    return [shoulder, sidewalk]


def turn_road(junction: Junction, turn: Turn) -> xodr.Road:
    """Return the connecting road of a turn."""
    from scenariogeneration import xodr

    driving = xodr.Lane(xodr.LaneType.driving, a=turn.origin.section.lane_width_m)
    driving.add_roadmark(_mark("none"))
    speed_kmh = min(turn.origin.section.speed_kmh, turn.target.section.speed_kmh)
    return _connecting_road(junction, turn, [driving], speed_kmh)


def corner_road(junction: Junction, corner: Corner) -> xodr.Road:
    """Return the connecting road of a corner, for pedestrians only."""
    return _connecting_road(junction, corner, [], min(corner.origin.section.speed_kmh, corner.target.section.speed_kmh))


def _connecting_road(junction: Junction, way: Turn | Corner, inner: list[xodr.Lane], speed_kmh: int) -> xodr.Road:
    from scenariogeneration import xodr

    section = way.origin.section
    centre = xodr.Lane(xodr.LaneType.none)
    centre.add_roadmark(_mark("none"))
    lanes = xodr.LaneSection(0, centre)
    border = _border_lanes(section.shoulder_m, has_sidewalk=section.has_sidewalk)
    for lane, (origin_id, target_id) in zip((*inner, *border), way.lane_links(), strict=False):
        lane.add_link("predecessor", origin_id)
        lane.add_link("successor", target_id)
        lanes.add_right_lane(lane)
    road = xodr.Road(way.road_id, plan_view(way.path), xodr.Lanes().add_lanesection(lanes), junction.junction_id)
    road.name = f"{junction.name}: {way.origin.street} to {way.target.street}"
    road.add_predecessor(xodr.ElementType.road, way.origin.road_id, _contact(way.origin))
    road.add_successor(xodr.ElementType.road, way.target.road_id, _contact(way.target))
    road.add_type(xodr.RoadType[section.kind], speed=speed_kmh, speed_unit="km/h")
    road.add_elevation(0.0, 0.0, 0.0, 0.0, 0.0)
    return road


def _contact(arm: Arm) -> xodr.ContactPoint:
    from scenariogeneration import xodr

    return xodr.ContactPoint.end if arm.at_road_end else xodr.ContactPoint.start


def junction_table(junction: Junction) -> xodr.Junction:
    """Return the `<junction>` element's connections."""
    from scenariogeneration import xodr

    table = xodr.Junction(junction.name, junction.junction_id)
    ways: tuple[Turn | Corner, ...] = (*junction.turns, *junction.corners)
    for number, way in enumerate(ways):
        connection = xodr.Connection(way.origin.road_id, way.road_id, xodr.ContactPoint.start, number)
        for index, (origin_id, _) in enumerate(way.lane_links()):
            connection.add_lanelink(origin_id, -(index + 1))
        table.add_connection(connection)
    return table
