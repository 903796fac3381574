"""What Borough01 has of its own, as the unmodified carla client reads it; test_own_towns has what all towns share."""

import itertools
import math
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.towns.borough import BOROUGH
from harness.towns.layout import LANE_WIDTH_M, Control
from harness.towns.network import Junction, Network, Turn, lay_out

STEP_M = 2.0
LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"


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


def test_turns_are_wide_enough_to_drive(network: Network) -> None:
    radii: dict[bool, list[float]] = {True: [], False: []}
    for _, turn in all_turns(network):
        for curvature in (segment.curvature_1pm for segment in turn.path.segments if segment.curvature_1pm):
            radii[curvature > 0.0].append(1.0 / abs(curvature) + math.copysign(LANE_WIDTH_M / 2.0, curvature))
    assert min(radii[False]) >= 8.0
    assert min(radii[True]) >= 12.0


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
