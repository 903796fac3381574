"""What the Bench2Drive fork of Leaderboard 2.0 writes beyond Leaderboard 2.0.

The fork judges min speed at 20 places of a route instead of 4 and logs every one, also above 100 %: they are the raw
data of its efficiency number and cost nothing, but count as infractions, so that hardly a route is ``Perfect``. A
drive is cut after 4000 ticks (``TickRuntime``), and an agent that cannot be set up ends the run. Those numbers stand in
`harness.metrics.engine`.

Source: Thinklab-SJTU/Bench2Drive, leaderboard/leaderboard/utils/statistics_manager.py and leaderboard_evaluator.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.datatypes.result import RouteOutcome
from harness.metrics import lb20
from harness.metrics.rules import RuleVersion


@dataclass(frozen=True, kw_only=True)
class RouteNames:
    """The four names that a record of Bench2Drive has in addition; None where the evaluator knows none.

    Attributes:
        scenario_name: of the route's first scenario, ``<type>_<n>``.
        weather_id: number of the weather preset, as text.
        save_name: folder of the drive's own logs, ``metric_info.json`` among them.
        town_name: CARLA map name.
    """

    scenario_name: str | None = None
    weather_id: str | None = None
    save_name: str | None = None
    town_name: str | None = None


def route_record(outcome: RouteOutcome, index: int, names: RouteNames) -> dict[str, Any]:
    """Return the record of one route for ``_checkpoint.records``, keys in the order of the file.

    Args:
        index: position of the route in the run, from 0.
    """
    record = lb20.route_record(outcome, index, version=RuleVersion.BENCH2DRIVE)
    return {
        "index": record.pop("index"),
        "route_id": record.pop("route_id"),
        "scenario_name": names.scenario_name,
        "weather_id": names.weather_id,
        "save_name": names.save_name,
        **record,
        "town_name": names.town_name,
    }
