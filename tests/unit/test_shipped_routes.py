"""The routes in this repository: what `mini` and `routes/train` promise."""

from __future__ import annotations

import math
from pathlib import Path

import carla
import pytest

from harness.datatypes.route import Point, Route
from harness.drive.dense_route import DenseRoute, interpolate
from harness.drive.junctions import JunctionKind, junction_kinds
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import RoadOption
from harness.routes import read_routes
from harness.suites import load_suite

APART_M = 15.0


@pytest.fixture(scope="module")
def town(repository: Path) -> carla.Map:
    return carla.Map("Borough01", (repository / "routes/towns/Borough01.xodr").read_text())


@pytest.fixture(scope="module")
def graph(town: carla.Map) -> RoadGraph:
    return RoadGraph(town)


def read_folder(folder: Path) -> list[Route]:
    return [route for file in sorted(folder.glob("*.xml")) for route in read_routes(file)]


@pytest.fixture(scope="module")
def mini(repository: Path) -> list[Route]:
    return read_folder(repository / "routes" / "mini")


@pytest.fixture(scope="module")
def train(repository: Path) -> list[Route]:
    return read_folder(repository / "routes" / "train")


def passed_junctions(dense: DenseRoute, town: carla.Map) -> set[int]:
    inside = [index for index in range(len(dense)) if dense.is_junction[index]]
    return {town.get_waypoint(dense.transform(index).location).junction_id for index in inside}


def test_mini_is_what_its_manifest_says(repository: Path, mini: list[Route]) -> None:
    suite = load_suite("mini", repository / "routes" / "suites")
    assert len(suite.routes) >= 8
    assert [(r.stem, r.route_id) for r in suite.routes] == [(route.file.stem, route.route_id) for route in mini]


def test_mini_passes_every_kind_of_junction_and_turns_every_way(
    mini: list[Route], town: carla.Map, graph: RoadGraph
) -> None:
    kinds = junction_kinds(town, graph.lanes)
    dense = [interpolate(route.keypoints, graph) for route in mini]
    passed = {kinds[junction] for one in dense for junction in passed_junctions(one, town) if junction in kinds}
    assert passed >= set(JunctionKind) - {JunctionKind.NONE}
    options = {int(option) for one in dense for option in one.option}
    assert options >= {RoadOption.LEFT, RoadOption.RIGHT, RoadOption.STRAIGHT, RoadOption.LANEFOLLOW}


@pytest.mark.parametrize("name", ["mini", "train"])
def test_routes_are_100_to_600_m_long(name: str, graph: RoadGraph, request: pytest.FixtureRequest) -> None:
    routes: list[Route] = request.getfixturevalue(name)
    for route in routes:
        assert 100.0 <= interpolate(route.keypoints, graph).length_m <= 600.0, route.file


def test_train_shares_no_start_and_no_goal_with_mini(mini: list[Route], train: list[Route]) -> None:
    assert len(train) == 40

    def ends(routes: list[Route], index: int) -> list[Point]:
        return [route.keypoints[index] for route in routes]

    for index in (0, -1):
        taken = ends(mini, index)
        for place in ends(train, index):
            assert min(math.hypot(place.x - one.x, place.y - one.y) for one in taken) >= APART_M
