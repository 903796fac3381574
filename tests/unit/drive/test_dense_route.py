"""Filling in a sparse route, and what agents get of it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from harness.datatypes.route import Point
from harness.drive.dense_route import DenseRoute, accumulated_percent, down_sample, interpolate, to_gps
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.errors import RouteError
from harness.routes import read_routes

FOLLOW, LEFT, CHANGE_LEFT = RoadOption.LANEFOLLOW, RoadOption.LEFT, RoadOption.CHANGELANELEFT

#: Length [m] of official routes as CARLA's own route planner lays them out at 1 m.
OFFICIAL_LENGTHS = {
    ("Town01", "00"): 1186.6,
    ("Town01", "01"): 1069.8,
    ("Town02", "06"): 1042.6,
    ("Town02", "08"): 874.0,
    ("Town04", "19"): 2116.6,
    ("Town04", "20"): 2901.1,
}


@pytest.fixture(scope="module")
def borough(repository: Path) -> RoadGraph:
    text = (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8")
    return RoadGraph(carla.Map("Borough01", text))


@pytest.fixture(scope="module")
def town(harness_data: Path) -> Callable[[str], RoadGraph]:
    graphs: dict[str, RoadGraph] = {}

    def load(name: str) -> RoadGraph:
        if name not in graphs:
            text = gzip.decompress((harness_data / "maps" / f"{name}.xodr.gz").read_bytes()).decode()
            graphs[name] = RoadGraph(carla.Map(name, text))
        return graphs[name]

    return load


def straight_route(options: list[int], gap_m: float = 1.0) -> DenseRoute:
    """East along y = 0, one point per option."""
    count = len(options)
    xyz = np.zeros((count, 3))
    xyz[:, 0] = np.arange(count) * gap_m
    return DenseRoute(
        xyz=xyz,
        yaw_deg=np.zeros(count),
        pitch_deg=np.zeros(count),
        option=np.array(options, dtype=np.int8),
        accumulated_percent=accumulated_percent(xyz),
        road_id=np.ones(count, dtype=np.int64),
        lane_id=-np.ones(count, dtype=np.int64),
        is_junction=np.zeros(count, dtype=np.bool_),
        lane_width_m=np.full(count, 3.5),
    )


def along_longest_lane(graph: RoadGraph, *indices: int) -> list[Point]:
    lane = max((lane for lane in graph.lanes.values() if not lane.is_junction), key=lambda lane: len(lane.waypoints))
    places = [lane.waypoints[index].transform.location for index in indices]
    return [Point(place.x, place.y, place.z) for place in places]


def assert_sound(route: DenseRoute, keypoints: tuple[Point, ...]) -> None:
    step_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1)
    changes = np.isin(route.option, list(LANE_CHANGES))
    assert step_m[~(changes[:-1] & changes[1:])].max() <= 2.5
    assert step_m.min() > 0.1
    assert np.hypot(route.xyz[-1, 0] - keypoints[-1].x, route.xyz[-1, 1] - keypoints[-1].y) < 2.0
    turned_deg = np.abs((np.diff(route.yaw_deg) + 180.0) % 360.0 - 180.0)
    assert turned_deg.max() < 60.0


def test_one_point_is_no_route(borough: RoadGraph) -> None:
    with pytest.raises(RouteError, match="route has 1 positions, expected at least 2"):
        interpolate([Point(0.0, 0.0, 0.0)], borough)


def test_stretches_meet_without_repeating_points(borough: RoadGraph) -> None:
    keypoints = along_longest_lane(borough, 5, 25, 26, 27, 60)
    route = interpolate(keypoints, borough)
    step_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1)
    assert step_m.min() > 0.45
    assert step_m.max() < 2.5
    assert route.length_m == pytest.approx(54.0, abs=2.0)


def test_points_nearly_in_the_same_place_are_one_point(borough: RoadGraph) -> None:
    lane = max(borough.lanes.values(), key=lambda lane: len(lane.waypoints))
    start = lane.waypoints[10]
    stretches = [
        [start, *(start.next(metres)[0] for metres in ahead)] for ahead in ([1.0, 2.0], [2.2, 3.2, 4.2, 5.2, 6.2])
    ]
    stretches[1] = stretches[1][1:]
    traces = iter([[(waypoint, FOLLOW) for waypoint in stretch] for stretch in stretches])
    planner = SimpleNamespace(trace_route=lambda _origin, _destination: next(traces), locate=borough.locate)
    place = start.transform.location
    route = interpolate([Point(place.x, place.y, place.z)] * 3, planner)  # type: ignore[arg-type]
    steps_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1)
    assert steps_m == pytest.approx([1.0, 1.0, 1.2, 1.0, 1.0, 1.0], abs=0.02)


def test_arrays_have_one_row_per_point(borough: RoadGraph) -> None:
    route = interpolate(along_longest_lane(borough, 5, 60), borough)
    assert route.xyz.shape == (len(route), 3)
    assert (route.xyz.dtype, route.option.dtype, route.is_junction.dtype) == (np.float64, np.int8, np.bool_)
    for name in ("yaw_deg", "pitch_deg", "option", "accumulated_percent", "road_id", "lane_id", "lane_width_m"):
        assert getattr(route, name).shape == (len(route),)
    assert (route.accumulated_percent[0], route.accumulated_percent[-1]) == (0.0, 100.0)
    assert (np.diff(route.accumulated_percent) > 0).all()


def test_length_counts_height() -> None:
    xyz = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0], [3.0, 5.0, 4.0]])
    assert accumulated_percent(xyz).tolist() == [0.0, 50.0, 100.0]


def test_route_without_length_is_complete() -> None:
    assert accumulated_percent(np.zeros((2, 3))).tolist() == [100.0, 100.0]


@pytest.mark.parametrize(
    ("options", "gap_m", "kept"),
    [
        ([FOLLOW] * 5, 1.0, [0, 4]),
        ([FOLLOW, FOLLOW, LEFT, LEFT, FOLLOW, FOLLOW], 1.0, [0, 2, 4, 5]),
        ([FOLLOW, FOLLOW, CHANGE_LEFT, CHANGE_LEFT, FOLLOW, FOLLOW, FOLLOW], 1.0, [0, 2, 3, 6]),
        ([FOLLOW] * 6, 90.0, [0, 2, 4, 5]),
        ([FOLLOW, FOLLOW, FOLLOW, LEFT, LEFT, LEFT], 100.0, [0, 2, 3, 5]),
    ],
)
def test_sparse_plan_keeps_commands_and_bounds_gaps(options: list[int], gap_m: float, kept: list[int]) -> None:
    assert down_sample(straight_route(options, gap_m)) == kept


def test_sparse_plan_holds_the_gap_on_a_long_route() -> None:
    route = straight_route([FOLLOW] * 1000)
    kept = down_sample(route, max_gap_m=200.0)
    assert max(np.diff(route.xyz[kept, 0])) == 200.0
    assert len(kept) == 6


def test_plan_carries_transforms_and_options() -> None:
    plan = straight_route([FOLLOW, LEFT, LEFT]).plan([1, 2])
    assert [(transform.location.x, option) for transform, option in plan] == [(1.0, LEFT), (2.0, LEFT)]
    assert isinstance(plan[0][0], carla.Transform)


def test_gps_plan_is_the_maps_projection(borough: RoadGraph) -> None:
    route = straight_route([FOLLOW, LEFT, FOLLOW], 1000.0)
    plan = to_gps(route, borough.carla_map, [0, 2])
    assert [option for _, option in plan] == [FOLLOW, FOLLOW]
    assert set(plan[0][0]) == {"lat", "lon", "z"}
    east_m = np.radians(plan[1][0]["lon"] - plan[0][0]["lon"]) * 6378137.0 * np.cos(np.radians(plan[0][0]["lat"]))
    assert east_m == pytest.approx(2000.0, rel=0.01)


@pytest.mark.parametrize(("name", "number"), list(OFFICIAL_LENGTHS))
def test_official_routes_fill_in_like_the_official_planner(
    town: Callable[[str], RoadGraph], harness_data: Path, name: str, number: str
) -> None:
    (route,) = read_routes(harness_data / "routes" / "longest6" / f"{number}.xml")
    dense = interpolate(route.keypoints, town(name))
    assert_sound(dense, route.keypoints)
    assert dense.length_m == pytest.approx(OFFICIAL_LENGTHS[name, number], abs=0.5)


def test_every_bench2drive_route_of_the_small_towns_is_sound(
    town: Callable[[str], RoadGraph], harness_data: Path
) -> None:
    checked = 0
    for file in sorted((harness_data / "routes" / "bench2drive").glob("*.xml")):
        (route,) = read_routes(file)
        if route.town in ("Town01", "Town02", "Town03", "Town04", "Town05"):
            dense = interpolate(route.keypoints, town(route.town))
            assert_sound(dense, route.keypoints)
            polyline_m = sum(
                float(np.hypot(b.x - a.x, b.y - a.y))
                for a, b in zip(route.keypoints[:-1], route.keypoints[1:], strict=True)
            )
            assert 0.95 < dense.length_m / polyline_m < 1.6
            checked += 1
    assert checked == 40


@pytest.mark.parametrize(
    ("keypoints", "text"),
    [
        ([Point(250.0, -378.25, 0.0)] * 2, "route is 0.0 m long, expected at least 5 m"),
        ([Point(250.0, -378.25, 0.0), Point(10_000.0, 0.0, 0.0)], "m off the road, expected at most 20 m"),
        ([Point(250.0, -378.25, 0.0), Point(1e300, 0.0, 0.0)], "lies in no town, expected metres"),
    ],
)
def test_points_that_make_no_route_are_refused(borough: RoadGraph, keypoints: list[Point], text: str) -> None:
    with pytest.raises(RouteError, match=re.escape(text)):
        interpolate(keypoints, borough)
