"""Running a stop sign: the ego passes its area without having stood in it.

Source: CARLA Leaderboard 2.0, RunningStopTest.
"""

from __future__ import annotations

import math
from typing import Any

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.route import Point
from harness.drive.regulations import StopSign
from harness.drive.scene import Scene

REACH_M = 4.0
STEP_M = 0.5
AREA_FACTOR = 1.2
STANDING_MPS = 0.1
# Backwards or against the lane by more than about 100 degrees: no sign applies.
_OPPOSITE_COSINE = -0.17


class StopSignTest:
    """Watches the stop signs around the ego."""

    def __init__(self, signs: list[StopSign], carla_map: Any) -> None:
        self._signs = signs
        self._map = carla_map
        self._target: StopSign | None = None
        self._has_stood = False
        self._last_id: int | None = None
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        if self._target is None and not self._is_any_near(scene):
            return
        places = self._places_ahead(scene)
        if self._target is None:
            self._target = self._find(scene, places)
            return
        self._has_stood = self._has_stood or scene.ego.speed_mps < STANDING_MPS
        if _affects(self._target, places):
            return
        if not self._has_stood and self._target.actor_id != self._last_id:
            self._last_id = self._target.actor_id
            self.infractions.append(
                Infraction(
                    kind=InfractionKind.STOP,
                    frame=scene.frame,
                    time_s=time_s,
                    location_world=Point(self._target.x_m, self._target.y_m, self._target.z_m),
                    other_id=self._target.actor_id,
                )
            )
        self._target, self._has_stood = None, False

    def _is_any_near(self, scene: Scene) -> bool:
        """Spare the map queries where no sign can be in reach; lanes are less than 10 m from the ego."""
        ego = scene.ego
        return any(
            abs(sign.centre_x_m - ego.x_m) < REACH_M + 10.0 and abs(sign.centre_y_m - ego.y_m) < REACH_M + 10.0
            for sign in self._signs
        )

    def _places_ahead(self, scene: Scene) -> list[Any]:
        """Return the transforms of the lane from beside the ego to 4 m ahead."""
        import carla

        waypoint = self._map.get_waypoint(carla.Location(scene.ego.x_m, scene.ego.y_m, scene.ego.z_m))
        places = [waypoint.transform]
        for _ in range(int(REACH_M / STEP_M)):
            following = waypoint.next(STEP_M)
            if not following:
                break
            waypoint = following[0]
            places.append(waypoint.transform)
        return places

    def _find(self, scene: Scene, places: list[Any]) -> StopSign | None:
        lane_yaw_rad = math.radians(places[0].rotation.yaw)
        is_backing = scene.ego.along_mps < _OPPOSITE_COSINE
        if is_backing or math.cos(scene.ego.yaw_rad - lane_yaw_rad) < _OPPOSITE_COSINE:
            return None
        return next((sign for sign in self._signs if _affects(sign, places)), None)


def _affects(sign: StopSign, places: list[Any]) -> bool:
    here = places[0].location
    if math.dist((here.x, here.y, here.z), (sign.centre_x_m, sign.centre_y_m, sign.centre_z_m)) > REACH_M:
        return False
    return any(sign.contains(place.location.x, place.location.y, AREA_FACTOR) for place in places)
