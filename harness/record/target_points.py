"""The sparse points that an agent is given to drive to, and which of them count as reached.

A point is reached when the ego comes near it, "near" being one of many distances: each distance makes a history of its
own. The points reached lie behind, the others ahead; two always stay ahead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.dense_route import DenseRoute, down_sample

#: Points further along the plan than this are not looked at.
LOOK_AHEAD_M = 50.0


class TargetPoints:
    """The plan of one route with its commands.

    Args:
        xyz: points [m, world], shape (K, 3).
        commands: RoadOption numbers.
    """

    def __init__(self, xyz: npt.NDArray[np.float64], commands: list[int]) -> None:
        steps_m = np.hypot(np.diff(xyz[:, 0]), np.diff(xyz[:, 1]))
        self._xy = xyz[:, :2]
        self._along_m = np.concatenate(([0.0], np.cumsum(steps_m)))
        self._points: list[list[float]] = xyz.tolist()
        self._commands = commands

    @classmethod
    def of(cls, route: DenseRoute) -> TargetPoints:
        """Return the thinned plan of a route, as agents get it."""
        kept = down_sample(route)
        return cls(route.xyz[kept], [int(route.option[index]) for index in kept])

    def window(self, reached: int) -> slice:
        """Return which points can be reached next, if so many are behind."""
        last_m = self._along_m[reached] + LOOK_AHEAD_M
        # One point beyond the limit is looked at too.
        return slice(reached + 1, int(np.searchsorted(self._along_m, last_m, side="right")) + 1)

    def distances_m(self, x_m: float, y_m: float) -> npt.NDArray[np.float64]:
        """Return the distances of all points, shape (K,)."""
        return np.hypot(self._xy[:, 0] - x_m, self._xy[:, 1] - y_m)

    def __len__(self) -> int:
        return len(self._points)

    def split(self, reached: int) -> dict[str, list[Any]]:
        """Return the points and commands behind and ahead."""
        return {
            "previous_target_points": self._points[:reached],
            "previous_commands": self._commands[:reached],
            "next_target_points": self._points[reached:],
            "next_commands": self._commands[reached:],
        }


class Pursuit:
    """How far along the plan the ego is, for each of several distances.

    Args:
        distances_m: ascending.
    """

    def __init__(self, plan: TargetPoints, distances_m: tuple[float, ...]) -> None:
        self._plan = plan
        self._distances_m = distances_m
        self.reached = [0] * len(distances_m)

    def advance(self, x_m: float, y_m: float) -> None:
        """See the ego at a place [m, world].

        Of the points within the distance the furthest counts, and with it all before it.
        """
        away_m = self._plan.distances_m(x_m, y_m)
        if away_m.min() > self._distances_m[-1]:
            return
        most = len(self._plan) - 2
        for number, (reached, near_m) in enumerate(zip(self.reached, self._distances_m, strict=True)):
            if reached >= most:
                continue
            ahead = self._plan.window(reached)
            away = away_m[ahead]
            within = np.where(away <= near_m, away, -np.inf)
            if len(within) and within.max() >= 0.0:
                self.reached[number] = min(most, ahead.start + int(within.argmax()))

    def fields(self, infix: str, suffixes: list[str]) -> dict[str, Any]:
        """Return the keys of a meta, one group per distance: ``next<infix>_commands<suffix>`` and so on.

        Groups that say the same share their lists; a pickle stores those once.
        """
        shared = {reached: self._plan.split(reached) for reached in set(self.reached)}
        fields = {}
        for suffix, reached in zip(suffixes, self.reached, strict=True):
            for name, values in shared[reached].items():
                when, _, what = name.partition("_")
                fields[f"{when}{infix}_{what}{suffix}"] = values
        return fields
