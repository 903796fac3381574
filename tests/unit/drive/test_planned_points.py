"""The points of the official plan, counted by hand; the published abilities in tests/golden depend on them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from harness.datatypes.route import Point
from harness.drive.dense_route import interpolate
from harness.drive.planned_points import first_in_junction, planned_points
from harness.drive.road_graph import RoadGraph
from harness.errors import RouteError
from harness.routes import read_routes
from tests.unit.drive.drawn_street import drawn_street

RIGHT, LEFT, BACK = 5.25, 1.75, -1.75  # middles of the lanes -2, -1 and 1


@pytest.fixture(scope="module")
def street() -> RoadGraph:
    return drawn_street()


def eastings(graph: RoadGraph, *keypoints: tuple[float, float]) -> list[tuple[float, int]]:
    points = planned_points([Point(x, y, 0.0) for x, y in keypoints], graph)
    return [(round(point.transform.location.x, 1), point.lane_id) for point in points]


def run(lane: int, *eastings_m: float) -> list[tuple[float, int]]:
    return [(float(x), lane) for x in eastings_m]


def test_a_stretch_ends_short_of_two_metres_before_its_goal(street: RoadGraph) -> None:
    assert eastings(street, (10.2, LEFT), (20.5, LEFT)) == run(-1, *range(10, 20))


def test_where_lanes_meet_the_place_comes_twice_and_the_last_metre_before_not_at_all(street: RoadGraph) -> None:
    found = eastings(street, (95.0, LEFT), (104.6, LEFT))
    assert found == run(-1, 95, 96, 97, 98, 100, 100, 101, 102, 103)
    found = eastings(street, (106.0, BACK), (95.0, BACK))
    assert found == run(1, 106, 105, 104, 103, 102, 100, 100, 99, 98, 97, 96)


def test_each_stretch_is_laid_out_for_itself(street: RoadGraph) -> None:
    """Positions 2 m apart give two points each, also across the seam at 100 m."""
    assert eastings(street, (20.0, LEFT), (22.0, LEFT), (24.0, LEFT)) == run(-1, 20, 21, 22, 23)
    found = eastings(street, *((float(x), LEFT) for x in range(94, 105, 2)))
    assert found == run(-1, 94, 95, 96, 97, 98, 100, 100, 100, 101, 102, 103)


def test_a_lane_change_is_left_and_reached_and_reached_again(street: RoadGraph) -> None:
    found = eastings(street, (10.0, LEFT), (20.5, RIGHT))
    assert found == [*run(-1, 10), *run(-2, 15, 15, 16, 17, 18, 19)]


def test_a_lane_change_ends_inside_the_lane(street: RoadGraph) -> None:
    found = eastings(street, (95.0, LEFT), (104.6, RIGHT))
    assert found == [*run(-1, 95), *run(-2, 98, 98, 100, 100, 101, 102, 103)]


def test_a_lane_that_leads_nowhere_ends_twice_in_the_same_place(street: RoadGraph) -> None:
    found = eastings(street, (197.0, LEFT), (205.0, LEFT))
    assert found == run(-1, 197, 198, 199, 200, 200)


def test_a_goal_just_behind_is_reached_at_once(street: RoadGraph) -> None:
    assert eastings(street, (94.0, LEFT), (91.0, LEFT)) == run(-1, 94)


def test_refused(street: RoadGraph) -> None:
    with pytest.raises(RouteError, match="route has 1 positions, expected at least 2"):
        eastings(street, (10.0, LEFT))
    with pytest.raises(RouteError, match="no way from"):
        eastings(street, (10.0, LEFT), (60.0, BACK))


def test_first_in_junction() -> None:
    points = [SimpleNamespace(is_junction=value) for value in (False, False, True, False, True)]
    assert first_in_junction(points) == 3
    assert first_in_junction(points[:2]) is None


def test_the_first_junction_is_as_far_away_as_on_the_plan_that_is_driven(repository: Path) -> None:
    graphs: dict[str, RoadGraph] = {}
    for file in sorted((repository / "routes" / "mini").glob("*.xml")):
        (route,) = read_routes(file)
        if route.town not in graphs:
            text = (repository / "routes" / "towns" / f"{route.town}.xodr").read_text(encoding="utf-8")
            graphs[route.town] = RoadGraph(carla.Map(route.town, text))
        points = planned_points(route.keypoints, graphs[route.town])
        number = first_in_junction(points)
        driven = interpolate(route.keypoints, graphs[route.town])
        assert (number is not None) == driven.is_junction.any(), file.name
        if number is not None:
            places = [point.transform.location for point in points[:number]]
            distance_m = sum(here.distance(there) for here, there in pairwise(places))
            expected_m = np.linalg.norm(np.diff(driven.xyz[: driven.is_junction.argmax() + 1], axis=0), axis=1).sum()
            assert distance_m == pytest.approx(expected_m, abs=1.0), file.name
