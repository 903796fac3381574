"""What ends a route early: leaving it, standing too long, running out of time. And the speed against the traffic's.

Sources: CARLA Leaderboard 2.0: InRouteTest, ActorBlockedTest, RouteTimeoutBehavior, MinimumSpeedRouteTest. Where rule
versions differ, `harness.metrics.engine` has the numbers.
"""

from __future__ import annotations

import math

import numpy as np

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.route import Point
from harness.drive.criteria.completion import RouteProgress
from harness.drive.dense_route import DenseRoute
from harness.drive.scene import Ego, Scene


class Deviation:
    """Further than 30 m from the route, or more than 30 percent of its length outside a corridor of 15 m."""

    WINDOW = 5
    MOST_M = 30.0
    CORRIDOR_M = 15.0
    MOST_OUTSIDE_PERCENT = 30.0

    def __init__(self, route: DenseRoute) -> None:
        self._xy = route.xyz[:, :2].tolist()
        steps_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1)
        self._along_m = np.concatenate([[0.0], np.cumsum(steps_m)]).tolist()
        self._index = 0
        self._outside_m = 0.0
        self._is_in_corridor = True
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        if self.infractions:
            return
        ego = scene.ego
        window = range(self._index, min(self._index + self.WINDOW + 1, len(self._xy)))
        distance_m, nearest = min((math.dist(self._xy[i], (ego.x_m, ego.y_m)), -i) for i in window)
        nearest = -nearest
        is_lost = distance_m >= self.MOST_M
        if not is_lost:
            self._is_in_corridor = distance_m < self.CORRIDOR_M
        if nearest != self._index:
            if not self._is_in_corridor:
                self._outside_m += self._along_m[nearest] - self._along_m[self._index]
                is_lost = is_lost or 100.0 * self._outside_m / self._along_m[-1] > self.MOST_OUTSIDE_PERCENT
            self._index = nearest
        if is_lost:
            self.infractions.append(_here(InfractionKind.ROUTE_DEVIATION, scene, time_s))


class Blocked:
    """Slower than 0.1 m/s for too long.

    Args:
        most_s: how long is still allowed.
    """

    STANDING_MPS = 0.1

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._moved_s: float | None = None
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        if self._moved_s is None or scene.ego.speed_mps >= self.STANDING_MPS:
            self._moved_s = time_s
        elif time_s - self._moved_s > self._most_s and not self.infractions:
            self.infractions.append(_here(InfractionKind.BLOCKED, scene, time_s))


class TimeBudget:
    """300 s, plus for each metre of route passed the time it takes at a tenth of the speed limit."""

    BASE_S = 300.0
    SPEED_SHARE = 0.1
    WINDOW = 3

    def __init__(self, route: DenseRoute) -> None:
        self._progress = RouteProgress(route, self.WINDOW)
        self._gap_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1).tolist()
        self._budget_s = self.BASE_S
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        before = self._progress.index
        self._progress.passed(scene.ego)
        passed_m = sum(self._gap_m[before : self._progress.index])
        speed_mps = max(scene.ego.speed_limit_kmh / 3.6 * self.SPEED_SHARE, 0.001)
        self._budget_s += passed_m / speed_mps
        if time_s > self._budget_s and not self.infractions:
            self.infractions.append(_here(InfractionKind.ROUTE_TIMEOUT, scene, time_s))


class MinimumSpeed:
    """Mean speed of the ego against that of the background traffic, on each part of the route.

    Args:
        checks: number of parts, of equal length.
        logs_all: a part is an infraction however fast it was driven, also where there was no traffic (100 %).
    """

    WINDOW = 2
    # Routes end a little before their last point; the last part counts all the same.
    LAST_COUNTS_FROM = 0.95

    def __init__(self, route: DenseRoute, checks: int, *, logs_all: bool = False) -> None:
        self._checks, self._logs_all = checks, logs_all
        self._progress = RouteProgress(route, self.WINDOW)
        steps_m = np.linalg.norm(np.diff(route.xyz, axis=0), axis=1)
        self._along_m = np.concatenate([[0.0], np.cumsum(steps_m)]).tolist()
        self._checkpoint_m = 0.0
        self._ego_sum, self._traffic_sum, self._ticks = 0.0, 0.0, 0
        self.infractions: list[Infraction] = []

    def update(self, scene: Scene, time_s: float) -> None:
        """Look at a tick."""
        self._progress.passed(scene.ego)
        along_m = self._along_m[self._progress.index]
        if along_m - self._checkpoint_m > self._along_m[-1] / self._checks:
            self._judge(scene, time_s)
            self._checkpoint_m = along_m
            self._ego_sum, self._traffic_sum, self._ticks = 0.0, 0.0, 0
        background = scene.others.is_background
        if background.any():
            self._traffic_sum += float(scene.others.speed_mps[background].mean())
            self._ego_sum += scene.ego.speed_mps
            self._ticks += 1

    def finish(self, scene: Scene, time_s: float) -> None:
        """Judge the last part, if the route was driven to its end."""
        if self._along_m[self._progress.index] / self._along_m[-1] > self.LAST_COUNTS_FROM:
            self._judge(scene, time_s)

    def _judge(self, scene: Scene, time_s: float) -> None:
        percentage: float = 100  # the sentence of the fork then says 100%, not 100.0%
        if self._ticks and self._traffic_sum:
            percentage = round(self._ego_sum / self._traffic_sum * 100.0, 2)
        if self._logs_all or percentage < 100.0:
            self.infractions.append(
                Infraction(kind=InfractionKind.MIN_SPEED, frame=scene.frame, time_s=time_s, percentage=percentage)
            )


def _here(kind: InfractionKind, scene: Scene, time_s: float) -> Infraction:
    return Infraction(kind=kind, frame=scene.frame, time_s=time_s, location_world=_place(scene.ego))


def _place(ego: Ego) -> Point:
    return Point(ego.x_m, ego.y_m, ego.z_m)
