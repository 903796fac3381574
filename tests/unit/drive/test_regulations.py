"""Lights and stop signs as places, and where a route passes them."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import carla
import numpy as np
import pytest

from harness.drive.privileged_route import PrivilegedRoute
from harness.drive.regulations import (
    AROUND_ROUTE_M,
    Light,
    OnRoute,
    StopPlace,
    StopSign,
    around_route,
    lights_on_route,
    read_lights,
    read_stop_signs,
    stop_signs_on_route,
)
from tests.unit.drive.criteria.drawn import straight_route


def drawn_actor(actor_id: int, type_id: str, *, x: float, y: float, yaw: float, area: Any, **more: Any) -> Any:
    pose = carla.Transform(carla.Location(x, y, 1.0), carla.Rotation(yaw=yaw))
    return SimpleNamespace(id=actor_id, type_id=type_id, get_transform=lambda: pose, trigger_volume=area, **more)


def waypoint(x: float, y: float, yaw: float) -> Any:
    pose = carla.Transform(carla.Location(x, y), carla.Rotation(yaw=yaw))
    return SimpleNamespace(transform=pose, lane_width=3.5, road_id=5, lane_id=-2)


def area_4_m_ahead() -> Any:
    """Draw a trigger volume; a new one each time, because transforming a carla.Location changes it."""
    return carla.BoundingBox(carla.Location(4.0, 0.0, 0.0), carla.Vector3D(1.5, 2.5, 1.0))


def test_light_knows_its_trigger_centre_and_stop_places() -> None:
    actor = drawn_actor(
        7,
        "traffic.traffic_light",
        x=10.0,
        y=20.0,
        yaw=90.0,
        area=area_4_m_ahead(),
        get_stop_waypoints=lambda: [waypoint(1.0, 2.0, 90.0)],
    )
    (light,) = read_lights([actor])
    assert (light.actor_id, light.x_m, light.y_m, light.z_m) == (7, 10.0, 20.0, 1.0)
    assert (light.centre_x_m, light.centre_y_m) == pytest.approx((10.0, 24.0), abs=1e-5)
    (stop,) = light.stops
    assert (stop.x_m, stop.y_m, stop.lane_width_m, stop.road_id, stop.lane_id) == (1.0, 2.0, 3.5, 5, -2)
    assert stop.yaw_rad == pytest.approx(math.pi / 2.0)


def test_stop_signs_are_told_from_other_signs_and_ordered() -> None:
    actors = [
        drawn_actor(9, "traffic.stop", x=0.0, y=0.0, yaw=180.0, area=area_4_m_ahead()),
        drawn_actor(8, "traffic.speed_limit.30", x=0.0, y=0.0, yaw=0.0, area=area_4_m_ahead()),
        drawn_actor(5, "traffic.stop", x=0.0, y=0.0, yaw=0.0, area=area_4_m_ahead()),
    ]
    signs = read_stop_signs(actors)
    assert [sign.actor_id for sign in signs] == [5, 9]
    assert [sign.centre_x_m for sign in signs] == pytest.approx([4.0, -4.0], abs=1e-5)
    assert (signs[0].half_x_m, signs[0].half_y_m) == (1.5, 2.5)


@pytest.mark.parametrize(
    ("x_m", "y_m", "factor", "inside"),
    [
        (11.4, 20.0, 1.0, True),
        (11.6, 20.0, 1.0, False),
        (11.6, 20.0, 1.2, True),
        (10.0, 17.6, 1.0, True),
        (10.0, 17.4, 1.0, False),
        (11.4, 17.6, 1.0, True),
    ],
)
def test_area_is_a_box_along_the_axes(x_m: float, y_m: float, factor: float, inside: bool) -> None:
    assert sign(1, 10.0, 20.0).contains(x_m, y_m, factor) is inside


def sign(actor_id: int, x_m: float, y_m: float, *, half_x_m: float = 1.5, half_y_m: float = 2.5) -> StopSign:
    return StopSign(
        actor_id=actor_id,
        x_m=x_m,
        y_m=y_m,
        z_m=1.0,
        centre_x_m=x_m,
        centre_y_m=y_m,
        centre_z_m=0.0,
        half_x_m=half_x_m,
        half_y_m=half_y_m,
    )


def light(actor_id: int, *stops: tuple[float, float, float]) -> Light:
    """Draw a light with stop places (x, y, yaw in degrees)."""
    return Light(
        actor_id=actor_id,
        x_m=0.0,
        y_m=0.0,
        z_m=5.0,
        centre_x_m=0.0,
        centre_y_m=0.0,
        centre_z_m=0.0,
        stops=tuple(
            StopPlace(x_m=x, y_m=y, yaw_rad=math.radians(yaw), lane_width_m=3.5, road_id=1, lane_id=-1)
            for x, y, yaw in stops
        ),
    )


def route_through(*corners: tuple[float, float]) -> PrivilegedRoute:
    """Draw a 10 cm route from corner to corner; 10 points a metre."""
    points: list[tuple[float, float]] = []
    for (ax, ay), (bx, by) in pairwise(corners):
        count = round(math.dist((ax, ay), (bx, by)) * 10)
        points += [(ax + (bx - ax) * n / count, ay + (by - ay) * n / count) for n in range(count)]
    xyz = np.array([(x, y, 0.0) for x, y in points])
    step = np.gradient(xyz[:, :2], axis=0)
    count = len(points)
    return PrivilegedRoute(
        xyz=xyz,
        yaw_deg=np.degrees(np.arctan2(step[:, 1], step[:, 0])),
        curvature_per_m=np.zeros(count),
        option=np.full(count, 4, np.int8),
        is_junction=np.zeros(count, np.bool_),
        lane_width_m=np.full(count, 3.5),
        dense_index=np.arange(count),
        start_index=0,
        end_index=count - 1,
    )


ALONG_X = route_through((0.0, 0.0), (100.0, 0.0))


def test_stop_place_on_the_route_gives_the_nearest_point() -> None:
    assert lights_on_route(ALONG_X, [light(7, (40.02, 0.3, 5.0))]) == [OnRoute(400, 7)]


@pytest.mark.parametrize(
    ("place", "governs"),
    [
        ((40.0, 1.4, 0.0), True),
        ((40.0, 1.6, 0.0), False),  # another lane
        ((40.0, 0.0, 44.0), True),
        ((40.0, 0.0, -46.0), False),  # another approach
        ((40.0, 0.0, 180.0), False),  # the opposite direction
        ((-5.0, 0.0, 0.0), False),  # before the route
    ],
)
def test_only_stop_places_of_the_routes_own_lane_govern_it(place: tuple[float, float, float], governs: bool) -> None:
    assert bool(lights_on_route(ALONG_X, [light(7, place)])) is governs


def test_lights_come_in_the_order_of_the_route() -> None:
    found = lights_on_route(ALONG_X, [light(3, (80.0, 0.0, 0.0)), light(9, (20.0, 0.0, 0.0), (60.0, 0.0, 0.0))])
    assert found == [OnRoute(200, 9), OnRoute(600, 9), OnRoute(800, 3)]


def test_light_passed_twice_is_found_twice() -> None:
    loop = route_through((0.0, 0.0), (50.0, 0.0), (50.0, 40.0), (-20.0, 40.0), (-20.0, 0.0), (60.0, 0.0))
    found = lights_on_route(loop, [light(7, (30.0, 0.0, 0.0))])
    assert [round(item.index / 10.0) for item in found] == [30, 250]


def test_two_stop_places_at_one_spot_are_one_stop() -> None:
    assert lights_on_route(ALONG_X, [light(7, (40.0, 0.2, 0.0), (40.0, -0.2, 0.0))]) == [OnRoute(400, 7)]


def test_stop_sign_area_over_the_lane_governs_the_route() -> None:
    assert stop_signs_on_route(ALONG_X, [sign(5, 70.0, 0.5)]) == [OnRoute(700, 5)]


@pytest.mark.parametrize(
    ("y_m", "half_y_m", "governs"), [(1.9, 2.5, True), (2.1, 2.5, False), (1.9, 1.6, True), (1.9, 1.5, False)]
)
def test_stop_sign_area_beside_the_lane_does_not(y_m: float, half_y_m: float, governs: bool) -> None:
    assert bool(stop_signs_on_route(ALONG_X, [sign(5, 70.0, y_m, half_y_m=half_y_m)])) is governs


# --- what is near the route ------------------------------------------------------------------------------------------


def test_signals_far_from_the_route_are_left_out() -> None:
    route = straight_route(1000)
    far_m = AROUND_ROUTE_M + 60.0
    distances_m = (-far_m, -AROUND_ROUTE_M, 0.0, AROUND_ROUTE_M, far_m)
    ahead = [
        drawn_actor(i, "traffic.stop", x=500.0, y=y, yaw=0.0, area=area_4_m_ahead()) for i, y in enumerate(distances_m)
    ]
    behind = [drawn_actor(9, "traffic.stop", x=-far_m, y=0.0, yaw=0.0, area=area_4_m_ahead())]
    assert [actor.id for actor in around_route([*ahead, *behind], route)] == [1, 2, 3]
    assert around_route([], route) == []


def test_a_far_pole_with_a_near_area_counts() -> None:
    area = carla.BoundingBox(carla.Location(0.0, 200.0, 0.0), carla.Vector3D(1.5, 2.5, 1.0))
    pole = drawn_actor(1, "traffic.stop", x=100.0, y=-AROUND_ROUTE_M - 100.0, yaw=0.0, area=area)
    assert around_route([pole], straight_route(200)) == [pole]
    assert (area.location.x, area.location.y) == (0.0, 200.0)
