"""Grid01: the forms of junctions that it is there for."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import carla
import pytest

from harness.drive.junctions import JunctionKind, junction_kinds
from harness.towns.grid import CIRCLE, GRID
from harness.towns.layout import Control
from harness.towns.network import Network, lay_out
from harness.towns.roundabout import ISLAND_RADIUS_M


@pytest.fixture(scope="module")
def town(repository: Path) -> carla.Map:
    return carla.Map("Grid01", (repository / "routes" / "towns" / "Grid01.xodr").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def network() -> Network:
    return lay_out(GRID)


def test_every_form_of_junction_is_there(network: Network, town: carla.Map) -> None:
    forms = Counter(
        (junction.crossing.control, len(junction.arms))
        for junction in network.junctions.values()
        if not junction.crossing.ways
    )
    assert forms == {
        (Control.SIGNALS, 3): 1,
        (Control.SIGNALS, 4): 2,
        (Control.ALL_WAY_STOP, 3): 1,
        (Control.ALL_WAY_STOP, 4): 1,
        (Control.MINOR_STOP, 3): 2,
        (Control.MINOR_STOP, 4): 1,
        (Control.MINOR_YIELD, 3): 2,
        (Control.MINOR_YIELD, 4): 1,
    }
    kinds = Counter(junction_kinds(town).values())
    assert kinds == {JunctionKind.SIGNALISED: 3, JunctionKind.ALL_WAY_STOP: 2, JunctionKind.PRIORITY: 10}


def test_left_turns_from_the_boulevard_begin_in_its_bays_and_nowhere_else(network: Network, town: carla.Map) -> None:
    for name in ("town hall", "theatre"):
        junction = network.junctions[name]
        (arm,) = [arm for arm in junction.arms if arm.street == "boulevard"]
        assert (arm.lanes_in, arm.lanes_out) == (3, 2)
        by_lane: dict[int, list[float]] = {index: [] for index in range(3)}
        for turn in junction.turns_from(arm):
            angle_rad = math.remainder(turn.target.heading_rad + math.pi - arm.heading_rad, math.tau)
            by_lane[turn.from_index].append(round(math.degrees(angle_rad)))
        assert by_lane[0] == [90]
        assert set(by_lane[1] + by_lane[2]) <= {0, -90}
    road_id, length_m = network.road_ids["boulevard"], network.paths["boulevard"].length_m
    for sign, near_end_m in ((-1, length_m - 20.0), (1, 20.0)):
        bay, through = (town.get_waypoint_xodr(road_id, sign * lane, near_end_m) for lane in (1, 2))
        assert bay.lane_change == carla.LaneChange.Right
        assert int(through.lane_change) & int(carla.LaneChange.Left)
        assert through.get_left_lane().lane_id == bay.lane_id
        middle = town.get_waypoint_xodr(road_id, sign * 2, length_m / 2.0)
        assert not int(middle.lane_change) & int(carla.LaneChange.Left)
        assert abs(middle.transform.location.y - through.transform.location.y) < 1e-3


def test_one_way_streets_have_lanes_in_one_direction_only(network: Network, town: carla.Map) -> None:
    lanes = {(begin.road_id, begin.lane_id) for begin, _ in town.get_topology()}
    for name, count in (("one-way row", 1), ("quay", 1)):
        found = {lane_id for road_id, lane_id in lanes if road_id == network.road_ids[name]}
        assert found == set(range(-count, 0))


def test_the_roundabout_is_driven_counter_clockwise_and_entered_by_those_who_yield(
    network: Network, town: carla.Map
) -> None:
    arms = [junction for junction in network.junctions.values() if junction.crossing.at == CIRCLE]
    assert len(arms) == 4
    here = town.get_waypoint_xodr(network.road_ids["circle ring after rose street"], -1, 1.0)
    turned_deg, visited = 0.0, set()
    for _ in range(400):
        there = max(here.next(2.0), key=lambda one: _left_turn_deg(here, one))  # the exits lead to the right
        turned_deg += _left_turn_deg(here, there)
        here = there
        distance_m = math.hypot(here.transform.location.x - CIRCLE.x, here.transform.location.y + CIRCLE.y)
        assert distance_m == pytest.approx(ISLAND_RADIUS_M + 2.0, abs=0.1)
        visited.add(here.junction_id)
        if turned_deg >= 360.0:
            break
    assert visited >= {junction.junction_id for junction in arms}


def _left_turn_deg(here: carla.Waypoint, there: carla.Waypoint) -> float:
    return -math.remainder(there.transform.rotation.yaw - here.transform.rotation.yaw, 360.0)


def test_speed_limits_are_30_and_50(town: carla.Map) -> None:
    assert {landmark.value for landmark in town.get_all_landmarks_of_type("274")} == {30.0, 50.0}
