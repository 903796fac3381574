"""The 10 cm route: lookups per tick and the sideways shift."""

from __future__ import annotations

import math
from pathlib import Path

import carla
import numpy as np
import pytest

from harness.datatypes.route import Point
from harness.drive.dense_route import interpolate
from harness.drive.privileged_route import (
    POINT_GAP_M,
    PrivilegedRoute,
    build_privileged_route,
    curvatures,
    headings_deg,
)
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import RoadOption


def route_along(xyz: np.ndarray, *, change_at: tuple[int, ...] = (), junction: slice | None = None) -> PrivilegedRoute:
    count = len(xyz)
    option = np.full(count, int(RoadOption.LANEFOLLOW), dtype=np.int8)
    option[list(change_at)] = int(RoadOption.CHANGELANELEFT)
    is_junction = np.zeros(count, dtype=np.bool_)
    if junction is not None:
        is_junction[junction] = True
    yaw_deg = headings_deg(xyz)
    return PrivilegedRoute(
        xyz=xyz,
        yaw_deg=yaw_deg,
        curvature_per_m=curvatures(yaw_deg),
        option=option,
        is_junction=is_junction,
        lane_width_m=np.full(count, 3.5),
        dense_index=np.arange(count) // 10,
        start_index=0,
        end_index=count - 1,
    )


def straight(count: int = 1000, **marks: object) -> PrivilegedRoute:
    """100 m east along y = 0."""
    xyz = np.zeros((count, 3))
    xyz[:, 0] = np.arange(count) * 0.1
    return route_along(xyz, **marks)  # type: ignore[arg-type]


def test_circle_to_the_right_has_its_heading_and_curvature() -> None:
    angle = np.arange(0.0, 3.0, 0.1 / 20.0)
    circle = np.stack((20.0 * np.sin(angle), 20.0 * (1.0 - np.cos(angle)), np.zeros_like(angle)), axis=1)
    route = route_along(circle)
    assert route.yaw_deg[1:-1] == pytest.approx(np.degrees(angle[1:-1]), abs=0.01)
    assert route.curvature_per_m[20:-20] == pytest.approx(1.0 / 20.0, rel=1e-3)


def test_curvature_does_not_jump_where_the_heading_wraps() -> None:
    angle = np.arange(2.8, 3.5, 0.1 / 20.0)
    circle = np.stack((20.0 * np.sin(angle), 20.0 * (1.0 - np.cos(angle)), np.zeros_like(angle)), axis=1)
    route = route_along(circle)
    assert route.yaw_deg.min() < -170.0 < 170.0 < route.yaw_deg.max()
    assert np.abs(route.curvature_per_m).max() < 0.06


@pytest.mark.parametrize(("x", "index"), [(50.0, 500), (50.3, 503), (53.9, 539), (60.0, 539), (49.0, 500), (0.0, 500)])
def test_index_moves_forward_only_and_four_metres_at_most(x: float, index: int) -> None:
    assert straight().advance(500, x, 1.0) == index


def test_index_stops_at_the_last_point() -> None:
    route = straight()
    assert route.advance(len(route) - 1, 500.0, 0.0) == len(route) - 1


def test_distance_to_the_next_junction() -> None:
    distance_m = straight(junction=slice(300, 400)).distance_to_junction_m
    assert distance_m[[0, 299, 300, 399]] == pytest.approx([30.0, 0.1, 0.0, 0.0])
    assert math.isinf(distance_m[400])


@pytest.mark.parametrize(
    ("index", "speed_mps", "is_near"),
    [
        (500, 0.0, True),
        (500, 20.0, True),
        (650, 0.0, True),
        (651, 0.0, False),
        (300, 5.0, True),
        (299, 5.0, False),
        (142, 20.0, True),
        (140, 20.0, False),
    ],
)
def test_lane_change_is_near_from_15_m_behind_to_a_braking_distance_ahead(
    index: int, speed_mps: float, is_near: bool
) -> None:
    assert straight(change_at=(500,)).is_near_lane_change(index, speed_mps) is is_near


@pytest.mark.parametrize(("side", "sign", "out", "back"), [("left", -1.0, 5, 6), ("right", 1.0, 6, 5)])
def test_shift_goes_to_the_neighbour_lane_and_back(side: str, sign: float, out: int, back: int) -> None:
    shifted = straight().shift(300, 700, side, 3.5, 8.0)  # type: ignore[arg-type]
    y = shifted.xyz[:, 1] * sign
    assert y[:301] == pytest.approx(0.0)
    assert y[380:621] == pytest.approx(3.5)
    assert y[700:] == pytest.approx(0.0)
    assert y[340] == pytest.approx(1.75)
    assert set(shifted.option[300:380].tolist()) == {out}
    assert set(shifted.option[621:701].tolist()) == {back}
    assert set(shifted.option[380:620].tolist()) == {4}


def test_shift_starts_and_ends_without_a_kink() -> None:
    shifted = straight().shift(300, 700, "left", 3.5, 8.0)
    slope = np.gradient(shifted.xyz[:, 1], 0.1)
    assert np.abs(np.diff(slope)).max() < 0.03
    assert np.abs(slope).max() == pytest.approx(math.pi / 2.0 * 3.5 / 8.0, rel=0.01)
    assert np.abs(shifted.yaw_deg).max() == pytest.approx(math.degrees(math.atan(math.pi / 2.0 * 3.5 / 8.0)), rel=0.01)


def test_shift_follows_the_bend_and_leaves_the_original_alone() -> None:
    angle = np.arange(0.0, 3.0, 0.1 / 20.0)
    route = route_along(np.stack((20 * np.sin(angle), 20 * (1 - np.cos(angle)), np.zeros_like(angle)), axis=1))
    before = route.xyz.copy()
    shifted = route.shift(100, 500, "left", 3.5, 8.0)
    radius_m = np.hypot(shifted.xyz[200:400, 0], shifted.xyz[200:400, 1] - 20.0)
    assert radius_m == pytest.approx(23.5, abs=0.01)
    assert np.array_equal(route.xyz, before)


def test_short_shift_turns_back_early() -> None:
    shifted = straight().shift(300, 380, "right", 3.5, 8.0)
    assert shifted.xyz[:, 1].max() == pytest.approx(1.75)


def test_shift_beyond_the_end_of_the_route_is_cut_there() -> None:
    shifted = straight().shift(900, 2000, "right", 3.5, 5.0)
    assert shifted.xyz[-1, 1] == pytest.approx(3.5)
    assert len(shifted) == 1000


@pytest.fixture(scope="module")
def borough(repository: Path) -> RoadGraph:
    text = (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8")
    return RoadGraph(carla.Map("Borough01", text))


def test_built_route_is_even_and_knows_its_ends(borough: RoadGraph) -> None:
    lane = max((lane for lane in borough.lanes.values() if not lane.is_junction), key=lambda lane: len(lane.waypoints))
    after = borough.lanes[borough.lanes[lane.successors[0]].successors[0]]
    places = [lane.waypoints[60].transform.location, after.waypoints[10].transform.location]
    dense = interpolate([Point(place.x, place.y, place.z) for place in places], borough)
    route = build_privileged_route(dense, borough.carla_map)
    assert np.linalg.norm(np.diff(route.xyz, axis=0), axis=1).max() < 0.101
    assert route.start_index == pytest.approx(500, abs=10)
    assert len(route) - route.end_index == pytest.approx(500, abs=20)
    assert route.xyz[route.start_index] == pytest.approx(dense.xyz[0], abs=0.6)
    assert route.xyz[route.end_index] == pytest.approx(dense.xyz[-1], abs=0.6)
    assert (route.end_index - route.start_index) * POINT_GAP_M == pytest.approx(dense.length_m, abs=1.5)
    assert (np.diff(route.dense_index) >= 0).all()
    assert route.is_junction[route.start_index : route.end_index].any()
    offset_m = np.linalg.norm(route.xyz - dense.xyz[route.dense_index], axis=1)[route.start_index : route.end_index]
    assert offset_m.max() < 1.3
