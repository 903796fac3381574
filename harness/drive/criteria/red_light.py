"""Running a red light: the tail crosses the stop line of a red light in the ego's own lane.

Source: CARLA Leaderboard 2.0, RunningRedLightTest.
"""

from __future__ import annotations

import math
from typing import Any

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.route import Point
from harness.drive.regulations import Light, StopPlace
from harness.drive.scene import Scene

LIGHT_REACH_M = 15.0
RED = 0
Segment = tuple[tuple[float, float], tuple[float, float]]


class RedLight:
    """Watches the lights around the ego.

    Args:
        carla_map: answers `get_waypoint`.
        half_length_m: of the ego.
    """

    def __init__(self, lights: list[Light], carla_map: Any, half_length_m: float) -> None:
        self._lights = lights
        self._map = carla_map
        self._half_length_m = half_length_m
        self._last_id: int | None = None
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        ego = scene.ego
        for light in self._lights:
            distance_m = math.dist((light.centre_x_m, light.centre_y_m, light.centre_z_m), (ego.x_m, ego.y_m, ego.z_m))
            if distance_m > LIGHT_REACH_M or light.actor_id == self._last_id:
                continue
            if scene.light_states.get(light.actor_id) == RED and self._is_run(light, scene):
                self._last_id = light.actor_id
                self.infractions.append(
                    Infraction(
                        kind=InfractionKind.RED_LIGHT,
                        frame=scene.frame,
                        time_s=time_s,
                        location_world=Point(light.x_m, light.y_m, light.z_m),
                        other_id=light.actor_id,
                    )
                )

    def _is_run(self, light: Light, scene: Scene) -> bool:
        import carla

        ego = scene.ego
        cos, sin = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
        near_m, far_m = -0.8 * self._half_length_m, -self._half_length_m - 1.0
        near = (ego.x_m + near_m * cos, ego.y_m + near_m * sin)
        far = (ego.x_m + far_m * cos, ego.y_m + far_m * sin)
        lane = self._map.get_waypoint(carla.Location(far[0], far[1], ego.z_m))
        return any(
            (lane.road_id, lane.lane_id) == (stop.road_id, stop.lane_id)
            and math.cos(ego.yaw_rad - stop.yaw_rad) > 0.0
            and segments_cross((near, far), _stop_line(stop))
            for stop in light.stops
        )


def _stop_line(stop: StopPlace) -> Segment:
    reach_m = 0.6 * stop.lane_width_m
    dx, dy = -reach_m * math.sin(stop.yaw_rad), reach_m * math.cos(stop.yaw_rad)
    return (stop.x_m - dx, stop.y_m - dy), (stop.x_m + dx, stop.y_m + dy)


def segments_cross(first: Segment, second: Segment) -> bool:
    """Tell whether two segments have a point in common (parallel ones count as apart)."""
    (ax, ay), (bx, by) = first
    (cx, cy), (dx, dy) = second
    rx, ry, sx, sy = bx - ax, by - ay, dx - cx, dy - cy
    cross = rx * sy - ry * sx
    if cross == 0.0:
        return False
    t = ((cx - ax) * sy - (cy - ay) * sx) / cross
    u = ((cx - ax) * ry - (cy - ay) * rx) / cross
    return 0.0 <= t <= 1.0 and 0.0 <= u <= 1.0
