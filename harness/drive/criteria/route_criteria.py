"""All criteria of one route under the rules of one evaluator: shown every tick, asked for everything afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.drive.criteria.completion import RouteCompletion
from harness.drive.criteria.lanes import OutsideLanes
from harness.drive.criteria.limits import Blocked, Deviation, MinimumSpeed, TimeBudget
from harness.drive.criteria.red_light import RedLight
from harness.drive.criteria.stop_sign import StopSignTest
from harness.drive.dense_route import DenseRoute
from harness.drive.regulations import Light, StopSign
from harness.drive.scene import Scene
from harness.metrics.engine import Engine


class RouteCriteria:
    """The Leaderboard's criteria but for collisions, which are judged once the route is over.

    Args:
        carla_map: answers `get_waypoint`.
        first: scene at the start.
        half_length_m: of the ego.
    """

    def __init__(
        self,
        engine: Engine,
        route: DenseRoute,
        carla_map: Any,
        first: Scene,
        *,
        half_length_m: float,
        lights: list[Light],
        signs: list[StopSign],
    ) -> None:
        self._completion = RouteCompletion(route)
        self._lanes = OutsideLanes(route, carla_map, first.ego)
        self._red_light = RedLight(lights, carla_map, half_length_m)
        self._stop_sign = StopSignTest(signs, carla_map)
        self._min_speed = MinimumSpeed(route, engine.speed_checks, logs_all=engine.logs_every_speed)
        self._deviation = Deviation(route)
        self._blocked = Blocked(engine.most_standing_s)
        self._budget = TimeBudget(route)

    @property
    def completion_percent(self) -> float:
        """Share of the route that has been driven, 0 to 100."""
        return self._completion.percent

    def update(self, scene: Scene, time_s: float) -> bool:
        """Look at a tick; True when the route is over."""
        self._completion.update(scene.ego)
        for criterion in (
            self._lanes,
            self._red_light,
            self._stop_sign,
            self._min_speed,
            self._deviation,
            self._blocked,
            self._budget,
        ):
            criterion.update(scene, time_s)
        ended = self._deviation.infractions or self._blocked.infractions or self._budget.infractions
        return self._completion.has_arrived or bool(ended)

    def finish(self, scene: Scene, time_s: float) -> None:
        """Judge what is judged at the end; once, with the last tick."""
        self._min_speed.finish(scene, time_s)

    def infractions(self, collisions: Sequence[Infraction]) -> tuple[Infraction, ...]:
        """Return all infractions in the order in which the official evaluator lists its criteria."""
        found = list(collisions)
        for criterion in (self._lanes, self._red_light, self._stop_sign, self._deviation, self._blocked):
            found += criterion.infractions
        found += self._min_speed.infractions + self._budget.infractions
        order = list(InfractionKind)
        return tuple(sorted(found, key=lambda infraction: order.index(infraction.kind)))
