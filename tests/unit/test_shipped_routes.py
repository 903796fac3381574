"""The routes in this repository: what `mini` and `routes/train` promise."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.datatypes.route import Point, Route
from harness.drive.dense_route import DenseRoute, interpolate
from harness.drive.junctions import JunctionKind, junction_kinds
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.drive.route_sampler import sample_routes
from harness.routes import read_routes, render_routes
from harness.suites import load_suite

APART_M = 15.0
TOWNS = ("Borough01", "Grid01", "Highland01")
# As written down in CONTRIBUTING.md: folder, town, numbers, seed, shortest and longest route.
RECIPES = (
    ("mini", "Borough01", (1, 8), 5, (250.0, 600.0)),
    ("mini", "Grid01", (9, 12), 1, (250.0, 600.0)),
    ("mini", "Highland01", (13, 16), 1, (250.0, 600.0)),
    ("train", "Borough01", (1, 40), 2, (100.0, 600.0)),
    ("train", "Grid01", (41, 80), 1, (150.0, 400.0)),
    ("train", "Highland01", (81, 120), 1, (150.0, 600.0)),
)


@pytest.fixture(scope="module")
def graph_of(repository: Path) -> Callable[[str], RoadGraph]:
    @cache
    def read(town: str) -> RoadGraph:
        return RoadGraph(carla.Map(town, (repository / f"routes/towns/{town}.xodr").read_text(encoding="utf-8")))

    return read


def read_folder(folder: Path) -> list[Route]:
    files = sorted(folder.glob("*.xml"), key=lambda file: int(file.stem))
    return [route for file in files for route in read_routes(file)]


@pytest.fixture(scope="module")
def mini(repository: Path) -> list[Route]:
    return read_folder(repository / "routes" / "mini")


@pytest.fixture(scope="module")
def train(repository: Path) -> list[Route]:
    return read_folder(repository / "routes" / "train")


@pytest.fixture(scope="module")
def routes_in(mini: list[Route], train: list[Route]) -> dict[str, list[Route]]:
    return {"mini": mini, "train": train}


def passed_junctions(dense: DenseRoute, town: Any) -> set[int]:
    inside = [index for index in range(len(dense)) if dense.is_junction[index]]
    return {town.get_waypoint(dense.transform(index).location).junction_id for index in inside}


def slopes_deg(dense: DenseRoute) -> list[float]:
    return [math.remainder(pitch_deg, 360.0) for pitch_deg in dense.pitch_deg.tolist()]


def test_mini_is_what_its_manifest_says(repository: Path, mini: list[Route]) -> None:
    suite = load_suite("mini", repository / "routes" / "suites")
    assert [(r.stem, r.route_id) for r in suite.routes] == [(route.file.stem, route.route_id) for route in mini]
    assert [route.route_id for route in mini] == [str(number) for number in range(1, 17)]
    assert Counter(route.town for route in mini) == {"Borough01": 8, "Grid01": 4, "Highland01": 4}


def test_train_has_forty_routes_in_each_town(train: list[Route]) -> None:
    assert [(route.file.stem, route.route_id) for route in train] == [(f"{n:02d}", str(n)) for n in range(1, 121)]
    assert Counter(route.town for route in train) == dict.fromkeys(TOWNS, 40)


def test_mini_passes_every_kind_of_junction_and_turns_every_way(
    mini: list[Route], graph_of: Callable[[str], RoadGraph]
) -> None:
    passed, options = set(), set()
    for route in mini:
        graph = graph_of(route.town)
        kinds = junction_kinds(graph.carla_map, graph.lanes)
        dense = interpolate(route.keypoints, graph)
        passed |= {kinds[junction] for junction in passed_junctions(dense, graph.carla_map) if junction in kinds}
        options |= {RoadOption(int(option)) for option in dense.option}
    assert passed == set(JunctionKind)
    assert options >= {RoadOption.LEFT, RoadOption.RIGHT, RoadOption.STRAIGHT, RoadOption.LANEFOLLOW}
    assert options & LANE_CHANGES


@pytest.mark.parametrize("name", ["mini", "train"])
def test_routes_go_round_the_roundabout_and_over_the_hill_and_off_the_motorway_and_onto_it(
    name: str, routes_in: dict[str, list[Route]], graph_of: Callable[[str], RoadGraph]
) -> None:
    seen = set()
    for route in routes_in[name]:
        graph = graph_of(route.town)
        dense = interpolate(route.keypoints, graph)
        slopes = slopes_deg(dense)
        seen |= {"up"} if max(slopes) > 4.5 else set()
        seen |= {"down"} if min(slopes) < -4.5 else set()
        limits_kmh = [_type_speed_kmh(graph, int(road_id)) for road_id in dense.road_id.tolist()]
        if route.town == "Highland01":
            seen |= {"off the motorway"} if limits_kmh[0] == 110 and limits_kmh[-1] < 110 else set()
            seen |= {"onto the motorway"} if limits_kmh[0] < 110 and limits_kmh[-1] == 110 else set()
        if route.town == "Grid01" and sum(abs(step) for step in _turns_deg(dense)) > 250.0:
            seen.add("round")
    assert seen == {"up", "down", "off the motorway", "onto the motorway", "round"}


def _type_speed_kmh(graph: RoadGraph, road_id: int) -> int:
    signs = _signs(graph.carla_map)
    return max(signs.get(road_id, {0}))


@cache
def _signs(town: Any) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for landmark in town.get_all_landmarks_of_type("274"):
        found.setdefault(landmark.road_id, set()).add(round(landmark.value))
    return found


def _turns_deg(dense: DenseRoute) -> list[float]:
    yaws = dense.yaw_deg.tolist()
    return [math.remainder(after - before, 360.0) for before, after in itertools.pairwise(yaws)]


@pytest.mark.parametrize("name", ["mini", "train"])
def test_routes_are_100_to_600_m_long(
    name: str, routes_in: dict[str, list[Route]], graph_of: Callable[[str], RoadGraph]
) -> None:
    for route in routes_in[name]:
        assert 100.0 <= interpolate(route.keypoints, graph_of(route.town)).length_m <= 600.0, route.file


def test_train_shares_no_start_and_no_goal_with_mini(mini: list[Route], train: list[Route]) -> None:
    def ends(routes: list[Route], town: str, index: int) -> list[Point]:
        return [route.keypoints[index] for route in routes if route.town == town]

    for town in TOWNS:
        for index in (0, -1):
            taken = ends(mini, town, index)
            for place in ends(train, town, index):
                assert min(math.hypot(place.x - one.x, place.y - one.y) for one in taken) >= APART_M


@pytest.mark.parametrize(("folder", "town", "numbers", "seed", "length_range_m"), RECIPES)
def test_files_are_what_the_sampler_writes(
    folder: str,
    town: str,
    numbers: tuple[int, int],
    seed: int,
    length_range_m: tuple[float, float],
    routes_in: dict[str, list[Route]],
    graph_of: Callable[[str], RoadGraph],
) -> None:
    first, last = numbers
    committed = routes_in[folder][first - 1 : last]
    sampled = sample_routes(
        graph_of(town).carla_map,
        town=town,
        count=last - first + 1,
        seed=seed,
        length_range_m=length_range_m,
        avoid=routes_in["mini"] if folder == "train" else (),
    )
    for number, (route, file) in enumerate(zip(sampled, (one.file for one in committed), strict=True), start=first):
        assert render_routes([replace(route, route_id=str(number))]) == file.read_text(encoding="utf-8")
