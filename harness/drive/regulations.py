"""Where traffic lights and stop signs govern the road, as the client's map and actors tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.drive.dense_route import DenseRoute
from harness.drive.privileged_route import POINTS_PER_M, PrivilegedRoute

# A drive ends 30 m off its route, and nothing looks further than 250 m around the ego.
AROUND_ROUTE_M = 300.0


@dataclass(frozen=True, kw_only=True)
class StopPlace:
    """The last waypoint of a governed lane before its junction.

    Attributes:
        x_m, y_m, yaw_rad: lane centre and direction, world frame.
    """

    x_m: float
    y_m: float
    yaw_rad: float
    lane_width_m: float
    road_id: int
    lane_id: int


@dataclass(frozen=True, kw_only=True)
class Light:
    """A traffic light: its trigger centre and the places where one stops for it."""

    actor_id: int
    x_m: float
    y_m: float
    z_m: float
    centre_x_m: float
    centre_y_m: float
    centre_z_m: float
    stops: tuple[StopPlace, ...]


@dataclass(frozen=True, kw_only=True)
class StopSign:
    """A stop sign: where it stands and its trigger area, an upright box along the world's axes [m]."""

    actor_id: int
    x_m: float
    y_m: float
    z_m: float
    centre_x_m: float
    centre_y_m: float
    centre_z_m: float
    half_x_m: float
    half_y_m: float

    def contains(self, x_m: float, y_m: float, factor: float = 1.0) -> bool:
        """Tell whether a point lies in the area, whose half sizes are multiplied by `factor`."""
        return (
            abs(x_m - self.centre_x_m) < factor * self.half_x_m and abs(y_m - self.centre_y_m) < factor * self.half_y_m
        )


def around_route(actors: list[Any], route: DenseRoute) -> list[Any]:
    """Return the lights and signs that stand, or whose areas lie, within `AROUND_ROUTE_M` of a route.

    The largest towns have thousands, and every one that is kept is asked for its state at every tick.
    """
    places = np.array([_places(actor) for actor in actors], np.float64).reshape(-1, 2, 1, 2)
    along = np.concatenate([route.xyz[::20, :2], route.xyz[-1:, :2]])
    reach_m = AROUND_ROUTE_M + 20.0  # from point to point of the route
    return [
        actor
        for actor, place in zip(actors, places, strict=True)
        if np.hypot(*np.moveaxis(place - along, -1, 0)).min() < reach_m
    ]


def _places(actor: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    import carla

    pose, area = actor.get_transform(), actor.trigger_volume.location
    centre = pose.transform(carla.Location(area.x, area.y, area.z))  # a copy: transforming a location changes it
    return (pose.location.x, pose.location.y), (centre.x, centre.y)


def read_lights(actors: list[Any]) -> list[Light]:
    """Return the lights among carla.TrafficLight actors, ordered by id."""
    lights = []
    for actor in sorted(actors, key=lambda item: int(item.id)):
        pose = actor.get_transform()
        centre = pose.transform(actor.trigger_volume.location)
        lights.append(
            Light(
                actor_id=actor.id,
                x_m=pose.location.x,
                y_m=pose.location.y,
                z_m=pose.location.z,
                centre_x_m=centre.x,
                centre_y_m=centre.y,
                centre_z_m=centre.z,
                stops=tuple(_stop_place(waypoint) for waypoint in actor.get_stop_waypoints()),
            )
        )
    return lights


def _stop_place(waypoint: Any) -> StopPlace:
    pose = waypoint.transform
    return StopPlace(
        x_m=pose.location.x,
        y_m=pose.location.y,
        yaw_rad=math.radians(pose.rotation.yaw),
        lane_width_m=waypoint.lane_width,
        road_id=waypoint.road_id,
        lane_id=waypoint.lane_id,
    )


def read_stop_signs(actors: list[Any]) -> list[StopSign]:
    """Return the stop signs among carla.TrafficSign actors, ordered by id."""
    signs = []
    for actor in sorted(actors, key=lambda item: int(item.id)):
        if actor.type_id != "traffic.stop":
            continue
        pose, box = actor.get_transform(), actor.trigger_volume
        centre = pose.transform(box.location)
        signs.append(
            StopSign(
                actor_id=actor.id,
                x_m=pose.location.x,
                y_m=pose.location.y,
                z_m=pose.location.z,
                centre_x_m=centre.x,
                centre_y_m=centre.y,
                centre_z_m=centre.z,
                half_x_m=box.extent.x,
                half_y_m=box.extent.y,
            )
        )
    return signs


@dataclass(frozen=True)
class OnRoute:
    """Something that governs the route: the point of the 10 cm route where one stops, and whose it is."""

    index: int
    actor_id: int


_LATERAL_M = 1.5
_TURNED_RAD = math.radians(45.0)
_SIGN_LATERAL_M = 2.0


def lights_on_route(route: PrivilegedRoute, lights: list[Light]) -> list[OnRoute]:
    """Return the stops that the route passes, ordered along it; a route can pass one light more than once."""
    found = [
        OnRoute(index, light.actor_id)
        for light in lights
        for stop in light.stops
        for index in _passes(route, stop.x_m, stop.y_m, stop.yaw_rad, _LATERAL_M)
    ]
    return sorted(set(found), key=lambda item: (item.index, item.actor_id))


def stop_signs_on_route(route: PrivilegedRoute, signs: list[StopSign]) -> list[OnRoute]:
    """Return where the route passes the centre of a stop sign's area, ordered along it."""
    found = []
    for sign in signs:
        for index in _passes(route, sign.centre_x_m, sign.centre_y_m, None, _SIGN_LATERAL_M):
            if sign.contains(float(route.xyz[index, 0]), float(route.xyz[index, 1]), 1.2):
                found.append(OnRoute(index, sign.actor_id))
    return sorted(found, key=lambda item: (item.index, item.actor_id))


def _passes(route: PrivilegedRoute, x_m: float, y_m: float, yaw_rad: float | None, reach_m: float) -> list[int]:
    """Return one index for each time the route comes within reach of a place (in its direction, if one is given)."""
    distance_m = np.hypot(route.xyz[:, 0] - x_m, route.xyz[:, 1] - y_m)
    near = distance_m < reach_m
    if yaw_rad is not None:
        turned = np.abs(np.remainder(np.radians(route.yaw_deg) - yaw_rad + np.pi, 2.0 * np.pi) - np.pi)
        near &= turned < _TURNED_RAD
    indices = np.flatnonzero(near)
    if not len(indices):
        return []
    visits = np.split(indices, np.flatnonzero(np.diff(indices) > 5 * POINTS_PER_M) + 1)
    return [int(visit[np.argmin(distance_m[visit])]) for visit in visits]
