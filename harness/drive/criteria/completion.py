"""How far along the route the ego is, and whether it has arrived."""

from __future__ import annotations

import math

import numpy as np

from harness.drive.dense_route import DenseRoute
from harness.drive.scene import Ego

ARRIVED_PERCENT = 99.0
ARRIVED_DISTANCE_M = 10.0


class RouteProgress:
    """Moves an index along the dense route as points are passed.

    A point is passed when the ego is ahead of it in the direction of the lane.

    Args:
        window: how many points ahead are looked at each tick.
    """

    def __init__(self, route: DenseRoute, window: int) -> None:
        self.index = 0
        self._window = window
        self._points = route.xyz.tolist()
        yaw, pitch = np.radians(route.yaw_deg), np.radians(route.pitch_deg)
        forward = np.stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)], axis=1)
        self._forward = forward.tolist()

    def passed(self, ego: Ego) -> list[int]:
        """Advance to where the ego is and return the points passed on the way, the present one included if passed."""
        found = []
        for index in range(self.index, min(self.index + self._window + 1, len(self._points))):
            x, y, z = self._points[index]
            ahead = self._forward[index]
            if (ego.x_m - x) * ahead[0] + (ego.y_m - y) * ahead[1] + (ego.z_m - z) * ahead[2] > 0.0:
                found.append(index)
        if found:
            self.index = found[-1]
        return found


class RouteCompletion:
    """Percentage of the route's length that has been passed; 100 on arrival.

    Arrival means more than 99 percent passed and less than 10 m to the end.

    Source: CARLA Leaderboard 2.0, RouteCompletionTest.
    """

    WINDOW = 2

    def __init__(self, route: DenseRoute) -> None:
        self._progress = RouteProgress(route, self.WINDOW)
        self._accumulated = route.accumulated_percent.tolist()
        self._end = route.xyz[-1].tolist()
        self.percent: float = 0.0
        self.has_arrived = False

    def update(self, ego: Ego) -> None:
        """Look at a tick."""
        if self.has_arrived:
            return
        if self._progress.passed(ego):
            self.percent = self._accumulated[self._progress.index]
        self.percent = round(self.percent, 2)
        distance_m = math.dist((ego.x_m, ego.y_m, ego.z_m), self._end)
        if self.percent > ARRIVED_PERCENT and distance_m < ARRIVED_DISTANCE_M:
            self.has_arrived = True
            self.percent = 100
