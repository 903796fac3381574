"""Driving beside the road or in a lane of the wrong direction, as a share of the distance driven.

Source: CARLA Leaderboard 2.0, OutsideRouteLanesTest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.drive.criteria.completion import RouteProgress
from harness.drive.dense_route import DenseRoute
from harness.drive.scene import Ego, Scene

# The mini-shoulder between lane and sidewalk does not count as outside.
ALLOWED_OUT_M = 0.5
MAX_EGO_TURN_DEG = 120.0
MAX_LANE_TURN_DEG = 150.0


class OutsideLanes:
    """Adds up the metres of route passed while the ego is outside its lanes."""

    WINDOW = 3

    def __init__(self, route: DenseRoute, carla_map: Any, ego: Ego) -> None:
        self._map = carla_map
        self._progress = RouteProgress(route, self.WINDOW)
        self._gap_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1).tolist()
        self._total_m = 0.0
        self._wrong_m = 0.0
        self._is_wrong_lane = False
        self._last = self._lane(ego, "Driving")
        self._frame = 0
        self._time_s = 0.0

    @property
    def infractions(self) -> list[Infraction]:
        """At most one, about the whole drive so far."""
        if self._wrong_m <= 0.0:
            return []
        return [
            Infraction(
                kind=InfractionKind.OUTSIDE_LANES,
                frame=self._frame,
                time_s=self._time_s,
                distance_m=self._wrong_m,
                percentage=self._wrong_m / self._total_m * 100.0,
            )
        ]

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        ego = scene.ego
        lane = self._lane(ego, "Driving")
        is_outside = self._is_outside(ego, lane)
        self._judge_direction(ego, lane)
        before = self._progress.index
        for index in (point for point in self._progress.passed(ego) if point > before):
            step_m = sum(self._gap_m[before:index])
            before = index
            self._total_m += step_m
            if is_outside or self._is_wrong_lane:
                self._wrong_m += step_m
                self._frame, self._time_s = scene.frame, time_s

    def _lane(self, ego: Ego, lane_type: str) -> Any:
        import carla

        place = carla.Location(ego.x_m, ego.y_m, ego.z_m)
        return self._map.get_waypoint(place, lane_type=getattr(carla.LaneType, lane_type))

    def _is_outside(self, ego: Ego, driving: Any) -> bool:
        distance_m, width_m = _distance_m(ego, driving), driving.lane_width
        if distance_m <= width_m / 2.0 + ALLOWED_OUT_M:
            return False
        parking = self._lane(ego, "Parking")
        if parking is not None and _distance_m(ego, parking) <= distance_m:
            distance_m, width_m = _distance_m(ego, parking), parking.lane_width
        return bool(distance_m > width_m / 2.0 + ALLOWED_OUT_M)

    def _judge_direction(self, ego: Ego, lane: Any) -> None:
        """Notice when the ego enters a lane of the opposite direction, or leaves it again.

        Lanes of a junction tell nothing; on leaving one the ego's own heading decides, elsewhere a sudden turn of the
        lane under the ego.
        """
        if lane.is_junction:
            self._is_wrong_lane = False
        elif (lane.road_id, lane.lane_id) != (self._last.road_id, self._last.lane_id):
            yaw_deg = lane.transform.rotation.yaw
            if self._last.is_junction:
                self._is_wrong_lane = _turn_deg(yaw_deg, math.degrees(ego.yaw_rad)) >= MAX_EGO_TURN_DEG
            elif _turn_deg(self._last.transform.rotation.yaw, yaw_deg) > MAX_LANE_TURN_DEG:
                self._is_wrong_lane = not self._is_wrong_lane
        self._last = lane


def _turn_deg(first_deg: float, second_deg: float) -> float:
    return abs((first_deg - second_deg + 180.0) % 360.0 - 180.0)


def _distance_m(ego: Ego, waypoint: Any) -> float:
    place = waypoint.transform.location
    return math.dist((ego.x_m, ego.y_m, ego.z_m), (place.x, place.y, place.z))
