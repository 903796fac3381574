"""Sampled routes: where they begin and end, what they cover, that they are the same every time."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.datatypes.route import Point, Route
from harness.drive import route_sampler
from harness.drive.dense_route import interpolate
from harness.drive.junctions import JunctionKind, junction_kinds
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.drive.route_sampler import sample_routes
from harness.errors import RouteError
from harness.routes import read_routes, write_routes

TURNS = {RoadOption.LEFT, RoadOption.STRAIGHT, RoadOption.RIGHT}


@pytest.fixture(scope="module")
def borough(repository: Path) -> Any:
    text = (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8")
    return carla.Map("Borough01", text)


@pytest.fixture(scope="module")
def graph(borough: Any) -> RoadGraph:
    return RoadGraph(borough)


@pytest.fixture(scope="module")
def routes(borough: Any) -> list[Route]:
    return sample_routes(borough, town="Borough01", count=12, seed=1)


@pytest.fixture(scope="module")
def many_routes(borough: Any) -> list[Route]:
    return sample_routes(borough, town="Borough01", count=40, seed=2)


def distance_m(a: Point, b: Point) -> float:
    return math.dist((a.x, a.y), (b.x, b.y))


def ends(route: Route) -> tuple[Point, Point]:
    return route.keypoints[0], route.keypoints[-1]


def waypoint_at(carla_map: Any, point: Point) -> Any:
    return carla_map.get_waypoint(carla.Location(point.x, point.y, point.z))


def test_same_arguments_give_the_same_routes(borough: Any, routes: list[Route]) -> None:
    assert sample_routes(borough, town="Borough01", count=12, seed=1) == routes
    other = sample_routes(borough, town="Borough01", count=12, seed=2)
    assert [route.keypoints for route in other] != [route.keypoints for route in routes]


def test_every_junction_kind_and_turn_and_a_lane_change_are_covered(
    borough: Any, graph: RoadGraph, routes: list[Route]
) -> None:
    kinds = junction_kinds(borough)
    junction_of = {key[0]: lane.waypoints[0].junction_id for key, lane in graph.lanes.items() if lane.is_junction}
    covered: set[tuple[JunctionKind, int]] = set()
    options: set[int] = set()
    for route in routes:
        dense = interpolate(route.keypoints, graph)
        options |= set(dense.option.tolist())
        for index in dense.is_junction.nonzero()[0]:
            covered.add((kinds[junction_of[int(dense.road_id[index])]], int(dense.option[index])))
    assert {kind for kind, _ in covered} == set(kinds.values())
    assert {option for _, option in covered} == TURNS
    assert options & LANE_CHANGES
    assert len(covered) == 3 * len(set(kinds.values()))


def test_lengths_lie_in_the_range(borough: Any, graph: RoadGraph, routes: list[Route]) -> None:
    lengths_m = [interpolate(route.keypoints, graph).length_m for route in routes]
    assert all(100.0 <= length_m <= 600.0 for length_m in lengths_m)
    short = sample_routes(borough, town="Borough01", count=3, seed=1, length_range_m=(60.0, 120.0))
    assert all(60.0 <= interpolate(route.keypoints, graph).length_m <= 120.0 for route in short)


def test_starts_are_straight_and_before_a_junction(borough: Any, many_routes: list[Route]) -> None:
    for route in many_routes:
        start = waypoint_at(borough, route.keypoints[0])
        ahead = [start.next(float(distance)) for distance in range(1, 16)]
        assert not start.is_junction
        assert not any(waypoint.is_junction for waypoints in ahead for waypoint in waypoints)
        bend_deg = math.remainder(ahead[9][0].transform.rotation.yaw - start.transform.rotation.yaw, 360.0)
        assert abs(bend_deg) < 5.0


def test_goals_keep_away_from_junctions(borough: Any, many_routes: list[Route]) -> None:
    for route in many_routes:
        goal = waypoint_at(borough, route.keypoints[-1])
        around = [*goal.next(9.9), *goal.previous(9.9), goal]
        assert not any(waypoint.is_junction for waypoint in around)


def test_one_point_per_junction_lies_between(graph: RoadGraph, routes: list[Route]) -> None:
    for route in routes:
        inside = interpolate(route.keypoints, graph).is_junction
        passed = sum(1 for a, b in itertools.pairwise(inside) if b and not a)
        assert len(route.keypoints) == passed + 2


def test_drive_that_a_planner_would_do_differently_is_no_route(graph: RoadGraph) -> None:
    drives = route_sampler._candidates(graph, random.Random(1), 300, (100.0, 600.0))
    drive = next(one for one in drives if any(step.lane.is_junction for step in one.steps))
    without_junctions = replace(drive, steps=(drive.steps[0], drive.steps[-1]))
    assert route_sampler._is_drivable(drive, graph, (0.0, 1e9))
    assert not route_sampler._is_drivable(without_junctions, graph, (0.0, 1e9))


def test_starts_and_goals_differ(many_routes: list[Route]) -> None:
    for a, b in itertools.combinations(many_routes, 2):
        assert distance_m(a.keypoints[0], b.keypoints[0]) >= 15.0
        assert distance_m(a.keypoints[-1], b.keypoints[-1]) >= 15.0
    assert len({route.route_id for route in many_routes}) == len(many_routes) == 40


def test_new_routes_keep_off_the_given_ones(borough: Any, routes: list[Route]) -> None:
    others = sample_routes(borough, town="Borough01", count=20, seed=3, avoid=routes)
    for other, route in itertools.product(others, routes):
        assert all(distance_m(a, b) >= 15.0 for a in ends(other) for b in ends(route))


def test_routes_in_other_towns_do_not_matter(borough: Any, routes: list[Route]) -> None:
    elsewhere = [replace(route, town="Grid01") for route in routes]
    assert sample_routes(borough, town="Borough01", count=12, seed=1, avoid=elsewhere) == routes


def test_a_town_without_room_says_how_many_fit(borough: Any) -> None:
    with pytest.raises(RouteError, match=r"town Borough01 has room for \d+ routes of 5000 to 6000 m, expected 2"):
        sample_routes(borough, town="Borough01", count=2, seed=1, length_range_m=(5000.0, 6000.0))


def test_routes_survive_the_route_file(routes: list[Route], tmp_path: Path) -> None:
    file = tmp_path / "sampled.xml"
    write_routes(routes, file)
    assert [(route.route_id, route.keypoints) for route in read_routes(file)] == [
        (route.route_id, route.keypoints) for route in routes
    ]
