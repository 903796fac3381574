"""What the evaluators of the rule versions do differently while a route is driven, and with its record. All of it data.

Everything that is not listed here is the same in all of them: the other criteria, the time budget of a route, the
order of the criteria. Penalties stand in `harness.metrics.rules`.

Sources: carla-simulator/leaderboard, leaderboard/scenarios/route_scenario.py (branches master and leaderboard-2.1);
Thinklab-SJTU/Bench2Drive, leaderboard/leaderboard/scenarios/{route_scenario,scenario_manager}.py,
leaderboard/leaderboard/leaderboard_evaluator.py and scenario_runner, MinimumSpeedRouteTest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.metrics.rules import RuleVersion


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How an evaluator drives and what it writes; the defaults are Leaderboard 2.0.

    Attributes:
        speed_checks: into how many equal lengths a route is cut, to compare the ego's speed with the traffic's on each.
        logs_every_speed: every comparison is an entry, not only those in which the ego was slower.
        most_standing_s: standing longer than this ends the route.
        most_ticks: a route is cut after so many; None for no limit but the time budget.
        setup_failure_ends_run: an agent that cannot be set up ends the run, not its route only.
        names_routes: a record carries `harness.metrics.bench2drive_rules.RouteNames`.
        logs_motion: the motion of the ego is kept beside the record, for comfort.
    """

    speed_checks: int = 4
    logs_every_speed: bool = False
    most_standing_s: float = 180.0
    most_ticks: int | None = None
    setup_failure_ends_run: bool = False
    names_routes: bool = False
    logs_motion: bool = False


LEADERBOARD_20: Final = Engine()
#: At 20 Hz the limit of ticks is 200 s. Motion is logged by the agents there, with a function of the fork's.
BENCH2DRIVE: Final = Engine(
    speed_checks=20,
    logs_every_speed=True,
    most_standing_s=60.0,
    most_ticks=4000,
    setup_failure_ends_run=True,
    names_routes=True,
    logs_motion=True,
)
ENGINES: Final[Mapping[RuleVersion, Engine]] = {
    RuleVersion.LEADERBOARD_20: LEADERBOARD_20,
    RuleVersion.LEADERBOARD_21: LEADERBOARD_20,
    RuleVersion.BENCH2DRIVE: BENCH2DRIVE,
    RuleVersion.FAIL2DRIVE: LEADERBOARD_20,
}
