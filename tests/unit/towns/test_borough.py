"""Borough01 as the unmodified carla client reads it, and as its program writes it."""

import itertools
import math
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import carla
import networkx
import pytest
import shapely

from harness.towns import build_towns
from harness.towns.borough import BOROUGH
from harness.towns.layout import LANE_WIDTH_M, Control
from harness.towns.network import Arm, Junction, Network, Turn, lay_out

STEP_M = 2.0
LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"
SIGN_OF = {
    Control.SIGNALS: LIGHT,
    Control.ALL_WAY_STOP: STOP,
    Control.MINOR_STOP: STOP,
    Control.MINOR_YIELD: YIELD,
}


@pytest.fixture(scope="module")
def town_file(repository: Path) -> Path:
    return repository / "routes" / "towns" / "Borough01.xodr"


@pytest.fixture(scope="module")
def root(town_file: Path) -> ET.Element:
    return ET.parse(town_file).getroot()


@pytest.fixture(scope="module")
def town(town_file: Path) -> carla.Map:
    return carla.Map("Borough01", town_file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def waypoints(town: carla.Map) -> list[carla.Waypoint]:
    return town.generate_waypoints(STEP_M)


@pytest.fixture(scope="module")
def network() -> Network:
    return lay_out(BOROUGH)


def all_turns(network: Network) -> list[tuple[Junction, Turn]]:
    return [(junction, turn) for junction in network.junctions.values() for turn in junction.turns]


def mouth_of(network: Network, town: carla.Map, arm: Arm, lane_id: int) -> carla.Waypoint:
    """Return the waypoint of a street's lane within a millimetre of the end of the road."""
    s = network.paths[arm.street].length_m - 0.001 if arm.at_road_end else 0.0
    return town.get_waypoint_xodr(arm.road_id, lane_id, s)


def yaw_difference_deg(a: carla.Waypoint, b: carla.Waypoint) -> float:
    return abs(math.remainder(a.transform.rotation.yaw - b.transform.rotation.yaw, 360.0))


def governed_lanes(town: carla.Map, kind: str) -> dict[int, set[str]]:
    """Return which signals govern lane -1 of which connecting road."""
    signals: dict[int, set[str]] = defaultdict(set)
    for landmark in town.get_all_landmarks_of_type(kind):
        assert landmark.get_lane_validities() == [(-1, -1)]
        assert landmark.orientation == carla.LandmarkOrientation.Negative
        waypoint = town.get_waypoint_xodr(landmark.road_id, -1, landmark.s)
        assert waypoint.is_junction
        assert waypoint.lane_type == carla.LaneType.Driving
        signals[landmark.road_id].add(landmark.id)
    return signals


# what the program writes


def test_committed_file_is_what_the_program_writes(town_file: Path, tmp_path: Path) -> None:
    written = build_towns(tmp_path / "towns")
    assert [path.name for path in written] == ["Borough01.xodr", "Grid01.xodr", "Highland01.xodr"]
    for path in written:
        assert path.read_bytes() == (town_file.parent / path.name).read_bytes()


def test_second_build_in_the_same_process_writes_the_same_bytes(tmp_path: Path) -> None:
    firsts, seconds = build_towns(tmp_path / "a"), build_towns(tmp_path / "b")
    assert [path.read_bytes() for path in firsts] == [path.read_bytes() for path in seconds]
    assert sorted((tmp_path / "a").iterdir()) == sorted(firsts)


def test_file_holds_no_date_and_only_fixed_decimals(root: ET.Element) -> None:
    header = root.find("header")
    assert header is not None
    assert set(header.attrib) == {"name", "revMajor", "revMinor"}
    decimals = {len(value.partition(".")[2]) for road in root.iter("geometry") for value in road.attrib.values()}
    assert decimals <= {0, 8}
    assert not [e.tag for e in root.iter() for value in e.attrib.values() if value.startswith("-0.00000000")]


# lanes and connections


def test_every_driving_lane_is_in_the_topology(town: carla.Map, waypoints: list[Any], network: Network) -> None:
    starts = {(begin.road_id, begin.lane_id) for begin, _ in town.get_topology()}
    assert starts == {(waypoint.road_id, waypoint.lane_id) for waypoint in waypoints}
    streets = {lane for lane in starts if lane[0] in network.road_ids.values()}
    assert len(streets) == 28
    assert len(starts - streets) == len(all_turns(network)) == 60


def test_every_lane_is_reached_from_every_other(town: carla.Map) -> None:
    graph = networkx.DiGraph()
    for begin, end in town.get_topology():
        graph.add_edge((begin.road_id, begin.lane_id), (end.road_id, end.lane_id))
    assert networkx.is_strongly_connected(graph)


def test_no_lane_ends_or_jumps(waypoints: list[Any]) -> None:
    for here in waypoints:
        following = here.next(1.0)
        assert following, f"dead end on road {here.road_id} lane {here.lane_id} at {here.s:.1f} m"
        for there in following:
            assert here.transform.location.distance(there.transform.location) < 1.5
            assert yaw_difference_deg(here, there) < 7.0


def test_client_finds_exactly_the_turns_of_each_lane(town: carla.Map, network: Network) -> None:
    wanted: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for junction, turn in all_turns(network):
        wanted[junction.name, turn.origin.street, turn.from_index].add(turn.road_id)
    for junction in network.junctions.values():
        for arm in junction.arms:
            for index in range(arm.section.lanes):
                mouth = mouth_of(network, town, arm, arm.incoming_lane(index))
                found = {waypoint.road_id for waypoint in mouth.next(1.0)}
                assert found == wanted[junction.name, arm.street, index]


def test_turns_meet_their_streets_border_to_border(town: carla.Map, network: Network) -> None:
    for _, turn in all_turns(network):
        first = town.get_waypoint_xodr(turn.road_id, -1, 0.0)
        last = town.get_waypoint_xodr(turn.road_id, -1, turn.path.length_m - 0.001)
        before = mouth_of(network, town, turn.origin, turn.origin.incoming_lane(turn.from_index))
        after = mouth_of(network, town, turn.target, turn.target.outgoing_lane(turn.to_index))
        for one, other in ((before, first), (last, after)):
            assert one.transform.location.distance(other.transform.location) < 0.01
            assert yaw_difference_deg(one, other) < 0.1
            assert one.lane_width == pytest.approx(other.lane_width, abs=1e-3)


def test_turns_are_wide_enough_to_drive(network: Network) -> None:
    radii: dict[bool, list[float]] = {True: [], False: []}
    for _, turn in all_turns(network):
        for curvature in (segment.curvature_1pm for segment in turn.path.segments if segment.curvature_1pm):
            radii[curvature > 0.0].append(1.0 / abs(curvature) + math.copysign(LANE_WIDTH_M / 2.0, curvature))
    assert min(radii[False]) >= 8.0
    assert min(radii[True]) >= 12.0


def test_driving_lanes_are_three_and_a_half_metres_wide(waypoints: list[Any]) -> None:
    assert {round(waypoint.lane_width, 3) for waypoint in waypoints} == {3.5}


def test_roads_touch_only_at_junctions(waypoints: list[Any], network: Network) -> None:
    centres: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for waypoint in waypoints:
        centres[waypoint.road_id, waypoint.lane_id].append(waypoint)
    areas: dict[int, list[Any]] = defaultdict(list)
    for (road_id, _), lane in centres.items():
        places = [(p.transform.location.x, p.transform.location.y) for p in sorted(lane, key=lambda p: p.s)]
        areas[road_id].append(shapely.LineString(places).buffer(LANE_WIDTH_M / 2.0 - 0.01, cap_style="flat"))
    roads = {road_id: shapely.union_all(parts) for road_id, parts in areas.items()}
    may_touch = {
        frozenset((turn.road_id, arm.road_id)) for _, turn in all_turns(network) for arm in (turn.origin, turn.target)
    }
    for junction in network.junctions.values():
        may_touch |= {frozenset(pair) for pair in itertools.combinations([t.road_id for t in junction.turns], 2)}
    for (a, area_a), (b, area_b) in itertools.combinations(roads.items(), 2):
        if frozenset((a, b)) not in may_touch:
            assert not area_a.intersects(area_b), f"roads {a} and {b} overlap"


# what a street offers


def test_avenue_allows_lane_changes_between_its_two_lanes(town: carla.Map, network: Network) -> None:
    road_id, length_m = network.road_ids["avenue"], network.paths["avenue"].length_m
    assert length_m >= 250.0
    for s in (5.0, length_m / 2.0, length_m - 5.0):
        for side in (-1, 1):
            inner, outer = (town.get_waypoint_xodr(road_id, side * lane, s) for lane in (1, 2))
            assert inner.lane_change == carla.LaneChange.Right
            assert outer.lane_change == carla.LaneChange.Left
            assert inner.get_right_lane().lane_id == outer.lane_id
            assert outer.get_left_lane().lane_id == inner.lane_id
            assert inner.right_lane_marking.type == carla.LaneMarkingType.Broken
            assert inner.left_lane_marking.type == carla.LaneMarkingType.SolidSolid
            assert yaw_difference_deg(inner, outer) < 0.1


def test_streets_bend_with_radii_of_40_to_60_metres(network: Network) -> None:
    for name, path in network.paths.items():
        speed_mps = BOROUGH.streets[name].section.speed_kmh / 3.6
        for segment in path.segments:
            assert abs(segment.curvature_1pm) * speed_mps**2 < 3.5  # m/s^2
            assert segment.curvature_1pm == 0.0 or 39.9 < 1.0 / abs(segment.curvature_1pm) < 60.1
    assert sum(1 for path in network.paths.values() if len(path.segments) > 1) >= 4


def test_every_street_lane_has_a_sidewalk_and_only_market_street_parking(
    waypoints: list[Any], network: Network
) -> None:
    streets = set(network.road_ids.values())
    parking_m: Counter[int] = Counter()
    for waypoint in (waypoint for waypoint in waypoints if waypoint.road_id in streets):
        lane = waypoint
        while lane.lane_type != carla.LaneType.Sidewalk:
            lane = lane.get_right_lane()
            assert lane is not None, f"no sidewalk beside road {waypoint.road_id} at {waypoint.s:.1f} m"
            if lane.lane_type == carla.LaneType.Parking and lane.lane_width > 2.4:
                parking_m[lane.road_id] += int(STEP_M)
        assert lane.lane_width >= 2.0
    assert set(parking_m) == {network.road_ids["market street"]}
    assert parking_m.total() >= 100


def test_parking_lane_widens_and_narrows_without_a_step(town: carla.Map, network: Network) -> None:
    road_id, length_m = network.road_ids["market street"], network.paths["market street"].length_m
    lanes = [town.get_waypoint_xodr(road_id, -2, step / 2.0) for step in range(int(2.0 * length_m))]
    widths = [lane.lane_width for lane in lanes]
    assert {lane.lane_type for lane in lanes} == {carla.LaneType.Parking}
    assert max(abs(b - a) for a, b in itertools.pairwise(widths)) < 0.3
    assert widths[0] == pytest.approx(0.0, abs=1e-6) == widths[-1]
    assert max(widths) == pytest.approx(2.5)


def test_sidewalks_go_round_every_corner_clear_of_the_driving_lanes(
    town: carla.Map, waypoints: list[Any], network: Network
) -> None:
    for junction in network.junctions.values():
        members = {turn.road_id for turn in junction.turns}
        driving = shapely.MultiPoint(
            [(p.transform.location.x, p.transform.location.y) for p in waypoints if p.road_id in members]
        )
        for arm in junction.arms:
            (corner,) = [turn for turn in junction.turns_from(arm) if turn.has_border]
            street = mouth_of(network, town, arm, arm.border_lanes(incoming=True)[1])
            begin = town.get_waypoint_xodr(corner.road_id, -3, 0.0)
            assert street.lane_type == begin.lane_type == carla.LaneType.Sidewalk
            assert street.transform.location.distance(begin.transform.location) < 0.01
            for step in range(int(corner.path.length_m)):
                place = town.get_waypoint_xodr(corner.road_id, -3, float(step)).transform.location
                assert driving.distance(shapely.Point(place.x, place.y)) > LANE_WIDTH_M / 2.0 + 1.5


def test_speed_limits_stand_beside_every_street_lane(town: carla.Map, root: ET.Element, network: Network) -> None:
    limits = {int(road.get("id", "")): speed.get("max") for road in root.iter("road") for speed in road.iter("speed")}
    governed = set()
    for landmark in town.get_all_landmarks_of_type(SPEED_LIMIT):
        (validity,) = landmark.get_lane_validities()
        assert landmark.name == f"Speed_{limits[landmark.road_id]}"
        assert landmark.text == limits[landmark.road_id]
        assert landmark.value == float(limits[landmark.road_id] or 0)
        facing = carla.LandmarkOrientation.Negative if validity[1] < 0 else carla.LandmarkOrientation.Positive
        assert landmark.orientation == facing
        for lane_id in range(validity[0], validity[1] + 1):
            lane = town.get_waypoint_xodr(landmark.road_id, lane_id, landmark.s)
            assert abs(math.remainder(lane.transform.rotation.yaw - landmark.transform.rotation.yaw, 360.0)) < 1.0
            governed.add((landmark.road_id, lane_id))
    assert len(governed) == 28
    assert {limits[road_id] for road_id, _ in governed} == {"30", "50", "60"}


# who gives way


def test_kinds_of_junctions(network: Network) -> None:
    kinds = Counter((junction.crossing.control, len(junction.arms)) for junction in network.junctions.values())
    assert kinds == {
        (Control.SIGNALS, 3): 2,
        (Control.SIGNALS, 4): 1,
        (Control.ALL_WAY_STOP, 3): 1,
        (Control.ALL_WAY_STOP, 4): 1,
        (Control.MINOR_STOP, 3): 2,
        (Control.MINOR_YIELD, 3): 1,
    }
    station = network.junctions["station"]
    assert max(arm.section.lanes for arm in station.arms) == 2


def test_signals_govern_the_lanes_that_wait_and_no_others(town: carla.Map, network: Network) -> None:
    found = {kind: governed_lanes(town, kind) for kind in (LIGHT, STOP, YIELD)}
    for junction, turn in all_turns(network):
        control = junction.crossing.control
        waits = control in (Control.SIGNALS, Control.ALL_WAY_STOP) or turn.origin.street in junction.crossing.minor
        for kind, signals in found.items():
            wanted = 1 if waits and SIGN_OF[control] == kind else 0
            assert len(signals.get(turn.road_id, ())) == wanted
    for junction in network.junctions.values():
        names = {arm.street for arm in junction.arms}
        assert set(junction.crossing.minor) <= names


def test_all_lanes_of_an_approach_obey_the_same_signal(town: carla.Map, network: Network) -> None:
    signals = governed_lanes(town, LIGHT)
    for junction in network.junctions.values():
        if junction.crossing.control is Control.SIGNALS:
            by_arm = [set.union(*(signals[turn.road_id] for turn in junction.turns_from(arm))) for arm in junction.arms]
            assert [len(ids) for ids in by_arm] == [1] * len(junction.arms)
            assert len(set.union(*by_arm)) == len(junction.arms)


def test_posts_stand_where_the_file_says_and_off_the_lanes(town: carla.Map, root: ET.Element) -> None:
    landmarks = {lm.id: lm for kind in (LIGHT, STOP, YIELD, SPEED_LIMIT) for lm in town.get_all_landmarks_of_type(kind)}
    assert set(landmarks) == {signal.get("id") for signal in root.iter("signal")}
    for road in root.iter("road"):
        for signal in road.iter("signal"):
            s, t = float(signal.get("s", "")), float(signal.get("t", ""))
            line = [g for g in road.iter("geometry") if float(g.get("s", "")) <= s][-1]
            assert line.find("line") is not None
            x, y, heading, begin = (float(line.get(key, "")) for key in ("x", "y", "hdg", "s"))
            ahead = s - begin
            x += ahead * math.cos(heading) - t * math.sin(heading)
            y += ahead * math.sin(heading) + t * math.cos(heading)
            place = landmarks[signal.get("id")].transform.location
            # the client itself moves every light 0.25 m forward, and nothing else
            assert math.hypot(place.x - x, place.y + y) == pytest.approx(
                0.25 if signal.get("type") == LIGHT else 0.0, abs=1e-3
            )
            assert town.get_waypoint(place, project_to_road=False) is None


def test_every_light_has_one_controller_that_its_junction_names(root: ET.Element) -> None:
    lights = [signal.get("id") for signal in root.iter("signal") if signal.get("type") == LIGHT]
    controllers = {element.get("id"): element for element in root.findall("controller")}
    controlled = [control.get("signalId") for element in controllers.values() for control in element.iter("control")]
    assert sorted(controlled) == sorted(lights)
    assert len(lights) == 10
    named = []
    for junction in root.iter("junction"):
        references = junction.findall("controller")
        assert [reference.get("sequence") for reference in references] == [str(k) for k in range(len(references))]
        roads = {road.get("id") for road in root.iter("road") if road.get("junction") == junction.get("id")}
        for reference in references:
            controller = controllers[reference.get("id")]
            assert controller.get("sequence") == reference.get("sequence")
            signal_ids = {control.get("signalId") for control in controller.iter("control")}
            carriers = {
                road.get("id")
                for road in root.iter("road")
                for one in road.iter("signalReference")
                if one.get("id") in signal_ids
            }
            assert carriers <= roads
        named += [reference.get("id") for reference in references]
    assert sorted(named) == sorted(controllers)


def test_crosswalks_lie_behind_the_mouth_of_each_arm_that_waits(town: carla.Map, network: Network) -> None:
    corners = [(place.x, place.y) for place in town.get_crosswalks()]
    crosswalks = [shapely.Polygon(corners[index : index + 5]) for index in range(0, len(corners), 5)]
    wanted = {}
    for junction in network.junctions.values():
        for arm in junction.arms:
            if not junction.crossing.minor or arm.street in junction.crossing.minor:
                centre = arm.mouth.moved(arm.heading_rad, 2.5)
                wanted[junction.name, arm.street] = shapely.Point(centre.x, -centre.y), arm
    assert len(crosswalks) == len(wanted) == 20
    for centre, arm in wanted.values():
        (crosswalk,) = [one for one in crosswalks if one.distance(centre) < 0.5]
        assert crosswalk.centroid.distance(centre) < 0.01
        assert crosswalk.area == pytest.approx(3.0 * 2.0 * (arm.curb_m(incoming=True) + 0.5), rel=1e-3)
        before, after = (
            shapely.Point(place.x, -place.y)
            for place in (arm.mouth.moved(arm.heading_rad, 0.9), arm.mouth.moved(arm.heading_rad, 4.1))
        )
        assert crosswalk.distance(before) == pytest.approx(0.1, abs=0.01)
        assert crosswalk.distance(after) == pytest.approx(0.1, abs=0.01)
