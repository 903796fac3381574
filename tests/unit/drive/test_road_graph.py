"""The lane graph, the way through it and the commands."""

from __future__ import annotations

import gzip
import itertools
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import carla
import networkx
import pytest

from harness.drive.lanes import Lane, lane_key
from harness.drive.road_graph import LANE_CHANGES, RoadGraph, RoadOption, turn_option, turn_options
from harness.errors import RouteError
from tests.unit.drive.drawn_street import drawn_street


@pytest.fixture(scope="module")
def borough(repository: Path) -> RoadGraph:
    text = (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8")
    return RoadGraph(carla.Map("Borough01", text))


@pytest.fixture(scope="module")
def street() -> RoadGraph:
    """200 m east in two roads: lanes -1 and -2 (y = 1.75 and 5.25), and lane 1 the other way (y = -1.75)."""
    return drawn_street()


def locations(trace: Sequence[tuple[Any, RoadOption]]) -> list[Any]:
    return [waypoint.transform.location for waypoint, _ in trace]


@pytest.mark.parametrize(
    ("deviation_deg", "others_deg", "option"),
    [
        (10.0, [90.0, -90.0], RoadOption.STRAIGHT),
        (-34.9, [0.0], RoadOption.STRAIGHT),
        (-90.0, [0.0], RoadOption.LEFT),
        (90.0, [0.0], RoadOption.RIGHT),
        (-40.0, [-80.0], RoadOption.RIGHT),
        (40.0, [80.0], RoadOption.LEFT),
        (-40.0, [-80.0, 90.0], RoadOption.LEFT),
        (40.0, [-90.0, 80.0], RoadOption.RIGHT),
        (60.0, [], RoadOption.RIGHT),
        (-60.0, [], RoadOption.LEFT),
        (40.0, [50.0, 90.0], RoadOption.LEFT),
    ],
)
def test_turn_depends_on_heading_and_on_the_other_ways_out(
    deviation_deg: float, others_deg: list[float], option: RoadOption
) -> None:
    others = [math.sin(math.radians(other)) for other in others_deg]
    assert turn_option(math.radians(deviation_deg), others) is option


def test_lanes_are_sampled_within_themselves(borough: RoadGraph) -> None:
    assert len(borough.lanes) > 40
    for key, lane in borough.lanes.items():
        assert {lane_key(waypoint) for waypoint in lane.waypoints} == {key}
        gaps_m = [a.transform.location.distance(b.transform.location) for a, b in pairwise(lane.waypoints)]
        assert all(0.5 < gap_m < 1.6 for gap_m in gaps_m)


def test_successors_begin_where_a_lane_ends(borough: RoadGraph) -> None:
    for lane in borough.lanes.values():
        assert lane.successors
        for key in lane.successors:
            start = borough.lanes[key].waypoints[0].transform.location
            assert 0.45 < lane.waypoints[-1].transform.location.distance(start) < 1.6


def test_lane_changes_follow_the_markings_but_not_into_oncoming_traffic(street: RoadGraph) -> None:
    changes = {(road, lane): found.changes for (road, _, lane), found in street.lanes.items()}
    for road in (1, 2):
        assert changes[road, 1] == {}
        assert changes[road, -1] == {(road, 0, -2): RoadOption.CHANGELANERIGHT}
        assert changes[road, -2] == {(road, 0, -1): RoadOption.CHANGELANELEFT}


def test_route_follows_the_lane_to_the_destination(street: RoadGraph) -> None:
    trace = street.trace_route(carla.Location(10.2, 1.75, 0.0), carla.Location(60.0, 1.75, 0.0))
    xs = [location.x for location in locations(trace)]
    assert {option for _, option in trace} == {RoadOption.LANEFOLLOW}
    assert xs[0] == pytest.approx(10.0, abs=0.5)
    assert 58.0 <= xs[-1] <= 59.5
    assert all(b - a == pytest.approx(1.0, abs=0.01) for a, b in pairwise(xs))


def test_lane_change_is_a_pair_of_points_five_metres_apart(street: RoadGraph) -> None:
    trace = street.trace_route(carla.Location(10.0, 1.75, 0.0), carla.Location(60.0, 5.25, 0.0))
    assert [option for _, option in trace[:3]] == [6, 6, 4]
    first, second = locations(trace)[:2]
    assert second.y - first.y == pytest.approx(3.5, abs=0.01)
    assert second.x - first.x == pytest.approx(5.0, abs=0.5)
    assert all(option not in LANE_CHANGES for _, option in trace[2:])


def test_no_way_names_both_ends(street: RoadGraph) -> None:
    with pytest.raises(
        RouteError, match=r"no way from \(10\.0, 1\.8\) on road 1 lane -1 to \(60\.0, -1\.8\) .* lane 1"
    ):
        street.trace_route(carla.Location(10.0, 1.75, 0.0), carla.Location(60.0, -1.75, 0.0))


def test_place_off_the_lanes_is_an_error() -> None:
    graph = RoadGraph(SimpleNamespace(name="Empty", get_topology=list, get_waypoint=lambda _: None))
    with pytest.raises(RouteError, match=r"no driving lane near \(5\.0, 6\.0\) in Empty"):
        graph.trace_route(carla.Location(5.0, 6.0, 0.0), carla.Location(0.0, 0.0, 0.0))


def junction_fork(graph: RoadGraph) -> tuple[Lane, list[Lane]]:
    """Return a lane that leads into a junction, and its ways through, at least two."""
    for lane in graph.lanes.values():
        ways = [graph.lanes[key] for key in lane.successors]
        if len(ways) > 1 and all(way.is_junction for way in ways) and len(lane.waypoints) > 20:
            return lane, ways
    raise AssertionError("the town has no fork")


def test_junction_lanes_carry_the_turn(borough: RoadGraph) -> None:
    lane, ways = junction_fork(borough)
    found = set()
    for way in ways:
        following = borough.lanes[way.successors[0]]
        trace = borough.trace_route(lane.waypoints[-15].transform.location, following.waypoints[5].transform.location)
        inside = {option for waypoint, option in trace if waypoint.is_junction}
        outside = {option for waypoint, option in trace if not waypoint.is_junction}
        assert len(inside) == 1
        assert outside == {RoadOption.LANEFOLLOW}
        yaw_deg = following.waypoints[0].transform.rotation.yaw - lane.waypoints[-1].transform.rotation.yaw
        turned_deg = math.remainder(yaw_deg, 360.0)
        expected = (
            RoadOption.STRAIGHT if abs(turned_deg) < 35.0 else RoadOption.RIGHT if turned_deg > 0 else RoadOption.LEFT
        )
        assert inside == {expected}
        found |= inside
    assert len(found) == len(ways)


def test_turn_is_unknown_where_the_way_begins_inside_a_junction(borough: RoadGraph) -> None:
    _, ways = junction_fork(borough)
    start, goal = ways[0].waypoints[0], borough.lanes[ways[0].successors[0]].waypoints[5]
    steps = borough.find_way(start, ways[0], goal, borough.lanes[lane_key(goal)])
    assert turn_options(steps, borough.lanes)[0] is RoadOption.LANEFOLLOW


def test_start_on_overlapping_junction_lanes_may_take_any_of_them(borough: RoadGraph) -> None:
    _, ways = junction_fork(borough)
    for way in ways:
        goal = borough.lanes[way.successors[0]].waypoints[5]
        steps = borough.find_way(ways[0].waypoints[0], ways[0], goal, borough.lanes[lane_key(goal)])
        assert [step.lane.key for step in steps] == [way.key, lane_key(goal)]


def test_destination_behind_on_the_same_lane_is_reached_by_driving_around(borough: RoadGraph) -> None:
    lane = max((lane for lane in borough.lanes.values() if not lane.is_junction), key=lambda lane: len(lane.waypoints))
    origin, goal = lane.waypoints[40].transform.location, lane.waypoints[20].transform.location
    trace = borough.trace_route(origin, goal)
    assert len(trace) > len(lane.waypoints) - 40
    assert any(waypoint.is_junction for waypoint, _ in trace)
    assert trace[-1][0].transform.location.distance(goal) < 2.0
    assert all(a.distance(b) < 2.5 for a, b in pairwise(locations(trace)))


def test_every_lane_of_the_town_can_be_reached_from_every_other(borough: RoadGraph) -> None:
    lanes = [lane for lane in borough.lanes.values() if not lane.is_junction][:12]
    for first in lanes:
        for last in lanes:
            if first is not last:
                assert borough.find_way(first.waypoints[0], first, last.waypoints[0], last)[-1].lane is last


def test_way_is_the_shortest(borough: RoadGraph) -> None:
    drawn = networkx.DiGraph()
    for key, lane in borough.lanes.items():
        drawn.add_weighted_edges_from((key, following, len(lane.waypoints)) for following in lane.successors)
        drawn.add_weighted_edges_from((key, neighbour, 0) for neighbour in lane.changes)
    keys = [key for key, lane in borough.lanes.items() if not lane.is_junction]
    for first, last in itertools.product(keys[:12], keys[-12:]):
        if first != last:
            start, goal = borough.lanes[first], borough.lanes[last]
            steps = borough.find_way(start.waypoints[0], start, goal.waypoints[0], goal)
            driven = sum(len(a.lane.waypoints) for a, b in pairwise(steps) if b.entered_by is RoadOption.LANEFOLLOW)
            assert driven <= 1.02 * networkx.dijkstra_path_length(drawn, first, last)


def test_large_town_keeps_every_lane(harness_data: Path) -> None:
    text = gzip.decompress((harness_data / "maps" / "Town04.xodr.gz").read_bytes()).decode()
    carla_map = carla.Map("Town04", text)
    graph = RoadGraph(carla_map)
    expected = {lane_key(waypoint) for pair in carla_map.get_topology() for waypoint in pair}
    assert set(graph.lanes) == expected
