"""Roads, lanes and junction tables as `scenariogeneration` objects.

Lanes are numbered from the centre line outwards: driving, parking, shoulder, sidewalk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.towns.geometry import plan_view
from harness.towns.layout import LANE_WIDTH_M, PARKING_WIDTH_M, SHOULDER_WIDTH_M, SIDEWALK_WIDTH_M, CrossSection
from harness.towns.network import Arm, Junction, Network, Turn

if TYPE_CHECKING:
    from scenariogeneration import xodr

MARK_WIDTH_M = 0.125
PARKING_CLEARANCE_M = 15.0  # no parking lane this close to a crossing
PARKING_TAPER_M = 8.0


def street_road(network: Network, name: str) -> xodr.Road:
    """Return the road of a street, linked to the junctions at both ends."""
    from scenariogeneration import xodr

    street, path = network.town.streets[name], network.paths[name]
    lanes = xodr.Lanes().add_lanesection(_street_lanes(street.section, path.length_m))
    road = xodr.Road(network.road_ids[name], plan_view(path), lanes, name=name)
    road.add_predecessor(xodr.ElementType.junction, network.junctions[street.start].junction_id)
    road.add_successor(xodr.ElementType.junction, network.junctions[street.end].junction_id)
    road.add_type(xodr.RoadType.town, speed=street.section.speed_kmh, speed_unit="km/h")
    road.add_elevation(0.0, 0.0, 0.0, 0.0, 0.0)
    return road


def _street_lanes(section: CrossSection, length_m: float) -> xodr.LaneSection:
    from scenariogeneration import xodr

    centre = xodr.Lane(xodr.LaneType.none)
    centre.add_roadmark(_mark(section.centre_mark, "yellow"))
    lanes = xodr.LaneSection(0, centre)
    for index in range(section.lanes):
        for add in (lanes.add_left_lane, lanes.add_right_lane):
            lane = xodr.Lane(xodr.LaneType.driving, a=LANE_WIDTH_M)
            outermost = index == section.lanes - 1
            lane.add_roadmark(_mark("solid") if outermost else _mark("broken", change_lanes=True))
            add(lane)
    if section.parking:
        lanes.add_right_lane(_parking_lane(length_m))
    for add in (lanes.add_left_lane, lanes.add_right_lane):
        for lane in _border_lanes():
            add(lane)
    return lanes


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


def _border_lanes() -> tuple[xodr.Lane, xodr.Lane]:
    """Return a shoulder with its curb and a sidewalk."""
    from scenariogeneration import xodr

    shoulder = xodr.Lane(xodr.LaneType.shoulder, a=SHOULDER_WIDTH_M)
    shoulder.add_roadmark(_mark("curb"))
    sidewalk = xodr.Lane(xodr.LaneType.sidewalk, a=SIDEWALK_WIDTH_M)
    sidewalk.add_roadmark(_mark("none"))
    return shoulder, sidewalk


def turn_road(junction: Junction, turn: Turn) -> xodr.Road:
    """Return the connecting road of a turn."""
    from scenariogeneration import xodr

    driving = xodr.Lane(xodr.LaneType.driving, a=LANE_WIDTH_M)
    driving.add_roadmark(_mark("none"))
    centre = xodr.Lane(xodr.LaneType.none)
    centre.add_roadmark(_mark("none"))
    lanes = xodr.LaneSection(0, centre)
    for lane, (origin_id, target_id) in zip((driving, *_border_lanes()), turn.lane_links(), strict=False):
        lane.add_link("predecessor", origin_id)
        lane.add_link("successor", target_id)
        lanes.add_right_lane(lane)
    road = xodr.Road(turn.road_id, plan_view(turn.path), xodr.Lanes().add_lanesection(lanes), junction.junction_id)
    road.name = f"{junction.name}: {turn.origin.street} to {turn.target.street}"
    road.add_predecessor(xodr.ElementType.road, turn.origin.road_id, _contact(turn.origin))
    road.add_successor(xodr.ElementType.road, turn.target.road_id, _contact(turn.target))
    speed_kmh = min(turn.origin.section.speed_kmh, turn.target.section.speed_kmh)
    road.add_type(xodr.RoadType.town, speed=speed_kmh, speed_unit="km/h")
    road.add_elevation(0.0, 0.0, 0.0, 0.0, 0.0)
    return road


def _contact(arm: Arm) -> xodr.ContactPoint:
    from scenariogeneration import xodr

    return xodr.ContactPoint.end if arm.at_road_end else xodr.ContactPoint.start


def junction_table(junction: Junction) -> xodr.Junction:
    """Return the `<junction>` element's connections."""
    from scenariogeneration import xodr

    table = xodr.Junction(junction.name, junction.junction_id)
    for number, turn in enumerate(junction.turns):
        connection = xodr.Connection(turn.origin.road_id, turn.road_id, xodr.ContactPoint.start, number)
        for index, (origin_id, _) in enumerate(turn.lane_links()):
            connection.add_lanelink(origin_id, -(index + 1))
        table.add_connection(connection)
    return table
