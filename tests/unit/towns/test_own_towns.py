"""What every town of our own promises, read by the unmodified carla client; Borough01 has more tests of its own."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

import carla
import networkx
import numpy as np
import pytest
import shapely

from harness.sim.world.signals import read_controllers, read_signals
from harness.sim.world.town import Town as BuiltTown
from harness.sim.world.town import build_town
from harness.sim.world.traffic_lights import LightState, TrafficLights
from harness.towns import build_towns
from harness.towns.build import TOWNS
from harness.towns.layout import Control
from harness.towns.network import Arm, Junction, Network, Turn, lay_out

STEP_M = 2.0
LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"
SIGN_OF = {
    Control.SIGNALS: LIGHT,
    Control.ALL_WAY_STOP: STOP,
    Control.MINOR_STOP: STOP,
    Control.MINOR_YIELD: YIELD,
    Control.NONE: None,
}


@pytest.fixture(scope="module", params=TOWNS, ids=lambda town: town.name)
def network(request: pytest.FixtureRequest) -> Network:
    return lay_out(request.param)


@pytest.fixture(scope="module")
def text(network: Network, repository: Path) -> str:
    return (repository / "routes" / "towns" / f"{network.town.name}.xodr").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def town(network: Network, text: str) -> carla.Map:
    return carla.Map(network.town.name, text)


@pytest.fixture(scope="module")
def built(network: Network, text: str) -> BuiltTown:
    return build_town(network.town.name, text)


@pytest.fixture(scope="module")
def waypoints(town: carla.Map) -> list[carla.Waypoint]:
    return town.generate_waypoints(STEP_M)


def key(waypoint: carla.Waypoint) -> tuple[int, int, int]:
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def all_turns(network: Network) -> list[tuple[Junction, Turn]]:
    return [(junction, turn) for junction in network.junctions.values() for turn in junction.turns]


def mouth_of(network: Network, town: carla.Map, arm: Arm, lane_id: int) -> carla.Waypoint:
    """Return the waypoint of a street's lane within a millimetre of the end of the road."""
    s = network.paths[arm.street].length_m - 0.001 if arm.at_road_end else 0.0
    return town.get_waypoint_xodr(arm.road_id, lane_id, s)


def yaw_difference_deg(a: carla.Waypoint, b: carla.Waypoint) -> float:
    return abs(math.remainder(a.transform.rotation.yaw - b.transform.rotation.yaw, 360.0))


def lane_width_m(network: Network) -> float:
    (width_m,) = {street.section.lane_width_m for street in network.town.streets.values()}
    return width_m


def waits(junction: Junction, arm: Arm) -> bool:
    control = junction.crossing.control
    return control in (Control.SIGNALS, Control.ALL_WAY_STOP) or arm.street in junction.crossing.minor


# what the program writes


def test_committed_file_is_what_the_program_writes(repository: Path, tmp_path: Path) -> None:
    written = build_towns(tmp_path / "towns")
    assert [path.name for path in written] == ["Borough01.xodr", "Grid01.xodr", "Highland01.xodr"]
    for path in written:
        assert path.read_bytes() == (repository / "routes" / "towns" / path.name).read_bytes()


def test_second_build_in_the_same_process_writes_the_same_bytes(tmp_path: Path) -> None:
    firsts, seconds = build_towns(tmp_path / "a"), build_towns(tmp_path / "b")
    assert [path.read_bytes() for path in firsts] == [path.read_bytes() for path in seconds]
    assert sorted((tmp_path / "a").iterdir()) == sorted(firsts)


# lanes


def test_every_lane_is_reached_from_every_other(town: carla.Map, waypoints: list[Any]) -> None:
    graph = networkx.DiGraph()
    for begin, end in town.get_topology():
        graph.add_edge(key(begin), key(end))
    for here in waypoints:
        assert key(here) in graph
        sides = ((carla.LaneChange.Right, here.get_right_lane()), (carla.LaneChange.Left, here.get_left_lane()))
        for side, beside in sides:
            if int(here.lane_change) & int(side):
                assert beside.lane_type == carla.LaneType.Driving
                assert beside.lane_id * here.lane_id > 0
                graph.add_edge(key(here), key(beside))
    assert networkx.is_strongly_connected(graph)


def test_every_lane_end_meets_the_beginning_of_what_follows(town: carla.Map, network: Network) -> None:
    lengths_m = {network.road_ids[name]: path.length_m for name, path in network.paths.items()}
    lengths_m |= {turn.road_id: turn.path.length_m for _, turn in all_turns(network)}
    for begin, following in town.get_topology():
        if begin.road_id == following.road_id:
            end_s = following.s + (0.001 if begin.lane_id > 0 else -0.001)
        else:
            end_s = 0.0 if begin.lane_id > 0 else lengths_m[begin.road_id] - 0.001
        end = town.get_waypoint_xodr(begin.road_id, begin.lane_id, end_s)
        assert key(end) == key(begin)
        assert end.transform.location.distance(following.transform.location) < 0.05, (begin, following)
        assert yaw_difference_deg(end, following) < 0.5
        assert abs(math.remainder(end.transform.rotation.pitch - following.transform.rotation.pitch, 360.0)) < 0.5
        assert end.lane_width == pytest.approx(following.lane_width, abs=1e-3)


def test_lanes_go_on_everywhere_without_a_jump(waypoints: list[Any]) -> None:
    for here in waypoints:
        following = here.next(1.0)
        assert following, f"dead end on road {here.road_id} lane {here.lane_id} at {here.s:.1f} m"
        for there in following:
            assert here.transform.location.distance(there.transform.location) < 1.3
            assert yaw_difference_deg(here, there) < 7.0


def test_all_lanes_have_their_full_width(waypoints: list[Any], network: Network) -> None:
    assert {round(waypoint.lane_width, 3) for waypoint in waypoints} == {lane_width_m(network)}


def test_client_finds_exactly_the_turns_of_each_lane(town: carla.Map, network: Network) -> None:
    wanted: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for junction, turn in all_turns(network):
        wanted[junction.name, turn.origin.street, turn.from_index].add(turn.road_id)
    for junction in network.junctions.values():
        for arm in junction.arms:
            for index in range(arm.lanes_in):
                mouth = mouth_of(network, town, arm, arm.incoming_lane(index))
                assert wanted[junction.name, arm.street, index], f"{arm.street} lane {index} leads nowhere"
                found = {waypoint.road_id for waypoint in mouth.next(1.0)}
                assert found == wanted[junction.name, arm.street, index]


def test_every_lane_that_leaves_a_junction_is_entered_there(network: Network) -> None:
    for junction in network.junctions.values():
        entered = {(turn.target.street, turn.to_index) for turn in junction.turns}
        for arm in junction.arms:
            assert {(arm.street, index) for index in range(arm.lanes_out)} <= entered


def test_every_lane_of_a_street_has_a_spawn_point(built: BuiltTown, network: Network, town: carla.Map) -> None:
    found = set()
    for x, y, z, *_ in built.spawn_poses.tolist():
        place = town.get_waypoint(carla.Location(x, y, z))
        assert place.transform.location.distance(carla.Location(x, y, z)) < 0.5
        found.add(key(place))
    streets = set(network.road_ids.values())
    assert found == {key(begin) for begin, _ in town.get_topology() if begin.road_id in streets}


def test_roads_touch_only_at_junctions(waypoints: list[Any], network: Network) -> None:
    centres: dict[tuple[int, int, int], list[Any]] = defaultdict(list)
    for waypoint in waypoints:
        centres[key(waypoint)].append(waypoint)
    areas: dict[int, list[Any]] = defaultdict(list)
    for (road_id, _, _), lane in centres.items():
        places = [(p.transform.location.x, p.transform.location.y) for p in sorted(lane, key=lambda p: p.s)]
        areas[road_id].append(shapely.LineString(places).buffer(lane_width_m(network) / 2.0 - 0.05, cap_style="flat"))
    roads = {road_id: shapely.union_all(parts) for road_id, parts in areas.items()}
    may_touch = {
        frozenset((turn.road_id, arm.road_id)) for _, turn in all_turns(network) for arm in (turn.origin, turn.target)
    }
    for junction in network.junctions.values():
        may_touch |= {frozenset(pair) for pair in itertools.combinations([t.road_id for t in junction.turns], 2)}
    for (a, area_a), (b, area_b) in itertools.combinations(roads.items(), 2):
        if frozenset((a, b)) not in may_touch:
            assert not area_a.intersects(area_b), f"roads {a} and {b} overlap"


def test_curves_suit_the_speed_limits(network: Network) -> None:
    for name, path in network.paths.items():
        speed_mps = network.town.streets[name].section.speed_kmh / 3.6
        for segment in path.segments:
            assert abs(segment.curvature_1pm) * speed_mps**2 < 3.6, name  # m/s^2


# who gives way


def test_signals_govern_the_lanes_that_wait_and_no_others(town: carla.Map, network: Network) -> None:
    found: dict[str, dict[int, set[str]]] = {kind: defaultdict(set) for kind in (LIGHT, STOP, YIELD)}
    for kind, signals in found.items():
        for landmark in town.get_all_landmarks_of_type(kind):
            assert landmark.get_lane_validities() == [(-1, -1)]
            assert town.get_waypoint_xodr(landmark.road_id, -1, landmark.s).is_junction
            signals[landmark.road_id].add(landmark.id)
    for junction, turn in all_turns(network):
        for kind, signals in found.items():
            wanted = waits(junction, turn.origin) and SIGN_OF[junction.crossing.control] == kind
            assert len(signals[turn.road_id]) == int(wanted), (junction.name, turn.origin.street, kind)
    for junction in network.junctions.values():
        assert set(junction.crossing.minor) <= {arm.street for arm in junction.arms}


def test_lights_that_are_green_together_let_nobody_cross(town: carla.Map, network: Network, text: str) -> None:
    lights = [signal for signal in read_signals(town) if signal.type == LIGHT]
    cycle = TrafficLights(lights, read_controllers(text))
    names = [light.signal_id for light in lights]
    governed = defaultdict(set)
    for landmark in town.get_all_landmarks_of_type(LIGHT):
        governed[landmark.id].add(landmark.road_id)
    seen = set()
    for _ in range(200):
        cycle.step(0.5)
        going = [names[index] for index in np.flatnonzero(cycle.state != LightState.RED)]
        seen.update(going)
        open_roads = set().union(*(governed[name] for name in going))
        for junction in network.junctions.values():
            turns = [turn for turn in junction.turns if turn.road_id in open_roads]
            assert len({turn.origin.street for turn in turns}) <= 1, junction.name
    assert seen == set(names)


def test_posts_stand_off_the_lanes(built: BuiltTown, town: carla.Map) -> None:
    kinds = (LIGHT, STOP, YIELD, SPEED_LIMIT)
    landmarks = {landmark.id: landmark for kind in kinds for landmark in town.get_all_landmarks_of_type(kind)}
    for landmark in landmarks.values():
        assert town.get_waypoint(landmark.transform.location, project_to_road=False) is None, landmark.id
    assert len(built.poles_m) == len({(p.transform.location.x, p.transform.location.y) for p in landmarks.values()})


def test_speed_limits_stand_beside_every_lane_of_a_street(town: carla.Map, text: str, network: Network) -> None:
    root = ET.fromstring(text)
    limits = {int(road.get("id", "")): speed.get("max") for road in root.iter("road") for speed in road.iter("speed")}
    sections = {network.road_ids[name]: street.section for name, street in network.town.streets.items()}
    governed = set()
    for landmark in town.get_all_landmarks_of_type(SPEED_LIMIT):
        ((first, last),) = landmark.get_lane_validities()
        section = sections[landmark.road_id]
        assert landmark.value in {
            float(limits[landmark.road_id] or 0),
            float(section.crossing_kmh or section.speed_kmh),
        }
        assert landmark.name == f"Speed_{round(landmark.value)}"
        for lane_id in range(first, last + 1):
            lane = town.get_waypoint_xodr(landmark.road_id, lane_id, landmark.s)
            assert abs(math.remainder(lane.transform.rotation.yaw - landmark.transform.rotation.yaw, 360.0)) < 1.0
            governed.add((landmark.road_id, lane_id))
    wanted = set()
    for name, street in network.town.streets.items():
        lane_ids = [*range(-street.section.lanes, 0), *range(1, street.section.lanes_back + 1)]
        wanted |= {(network.road_ids[name], lane_id) for lane_id in lane_ids}
    assert governed == wanted


# on foot


def test_streets_of_towns_have_sidewalks_that_go_round_the_corners(
    town: carla.Map, waypoints: list[Any], network: Network
) -> None:
    for junction in network.junctions.values():
        members = {turn.road_id for turn in junction.turns}
        places = [(p.transform.location.x, p.transform.location.y) for p in waypoints if p.road_id in members]
        driving = shapely.MultiPoint(places)
        ways = [*(turn for turn in junction.turns if turn.has_border), *junction.corners]
        for way in ways if junction.arms[0].section.has_sidewalk else ():
            lane_id = -len(way.lane_links())
            street = mouth_of(network, town, way.origin, way.origin.border_lanes(incoming=True)[1])
            begin = town.get_waypoint_xodr(way.road_id, lane_id, 0.0)
            assert street.lane_type == begin.lane_type == carla.LaneType.Sidewalk
            assert street.transform.location.distance(begin.transform.location) < 0.05
            end = town.get_waypoint_xodr(way.road_id, lane_id, way.path.length_m - 0.001)
            street = mouth_of(network, town, way.target, way.target.border_lanes(incoming=False)[1])
            assert street.lane_type == carla.LaneType.Sidewalk
            assert street.transform.location.distance(end.transform.location) < 0.05
            for step in range(int(way.path.length_m)):
                place = town.get_waypoint_xodr(way.road_id, lane_id, float(step)).transform.location
                assert driving.distance(shapely.Point(place.x, place.y)) > lane_width_m(network) / 2.0 + 1.0, (
                    junction.name
                )


def test_every_corner_of_a_junction_in_town_can_be_walked_round(network: Network) -> None:
    for junction in network.junctions.values():
        if junction.crossing.ways or not junction.arms[0].section.has_sidewalk:
            continue
        ways = [*(turn for turn in junction.turns if turn.has_border), *junction.corners]
        pairs = {(way.origin.street, way.target.street) for way in ways}
        neighbours = zip(junction.arms, (*junction.arms[1:], junction.arms[0]), strict=True)
        assert pairs == {(here.street, there.street) for here, there in neighbours}


def test_crosswalks_lie_behind_the_mouth_of_each_arm_that_waits(town: carla.Map, network: Network) -> None:
    corners = [(place.x, place.y) for place in town.get_crosswalks()]
    crosswalks = [shapely.Polygon(corners[index : index + 5]) for index in range(0, len(corners), 5)]
    wanted = 0
    for junction in network.junctions.values():
        for arm in junction.arms:
            if not waits(junction, arm) or not arm.section.has_sidewalk:
                continue
            wanted += 1
            sides = (-arm.curb_m(incoming=False), arm.curb_m(incoming=True))
            ends = [arm.mouth.moved(arm.heading_rad, 2.5, right_m) for right_m in sides]
            road = shapely.LineString([(end.x, -end.y) for end in ends])
            (crosswalk,) = [one for one in crosswalks if one.buffer(0.01).contains(road)]
            assert crosswalk.area == pytest.approx(3.0 * (road.length + 1.0), rel=1e-3)
    assert len(crosswalks) == wanted
