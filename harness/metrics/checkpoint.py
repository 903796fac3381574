"""The complete result file of a run ("checkpoint" in the Leaderboard's words) from its route records.

Records are plain dictionaries as `harness.metrics.lb20.route_record` or that of `harness.metrics.bench2drive_rules`
makes them, or as they were read from a file: the file is the interface between stages, and a record says everything
that the global record needs. All rule versions share the file; they differ in what ends a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.result import Failure
from harness.metrics import lb20
from harness.metrics.engine import ENGINES
from harness.metrics.rules import RuleVersion
from harness.metrics.sentences import outside_km

Record = Mapping[str, Any]

_SCORES: Final = ("score_composed", "score_route", "score_penalty")
_META: Final = (("total_length", "route_length"), ("duration_game",) * 2, ("duration_system",) * 2)

#: Label and key of each infraction rate, in the order of ``values`` and ``labels``.
RATES: Final = (
    ("Collisions with pedestrians", InfractionKind.COLLISION_PEDESTRIAN),
    ("Collisions with vehicles", InfractionKind.COLLISION_VEHICLE),
    ("Collisions with layout", InfractionKind.COLLISION_LAYOUT),
    ("Red lights infractions", InfractionKind.RED_LIGHT),
    ("Stop sign infractions", InfractionKind.STOP),
    ("Off-road infractions", InfractionKind.OUTSIDE_LANES),
    ("Route deviations", InfractionKind.ROUTE_DEVIATION),
    ("Route timeouts", InfractionKind.ROUTE_TIMEOUT),
    ("Agent blocked", InfractionKind.BLOCKED),
    ("Yield emergency vehicles infractions", InfractionKind.YIELD_EMERGENCY),
    ("Scenario timeouts", InfractionKind.SCENARIO_TIMEOUT),
    ("Min speed infractions", InfractionKind.MIN_SPEED),
)
_LABELS: Final = ("Avg. driving score", "Avg. route completion", "Avg. infraction penalty")


class EntryStatus(StrEnum):
    """How the run as a whole stands."""

    STARTED = "Started"
    FINISHED = "Finished"
    REJECTED = "Rejected"
    CRASHED = "Crashed"
    INVALID = "Invalid"  # set by whoever knows that a finished run lacks something


def checkpoint(
    records: Sequence[Record],
    planned: int,
    *,
    sensors: Sequence[str] = (),
    stopped_by: Failure = Failure.NONE,
    version: RuleVersion = RuleVersion.LEADERBOARD_20,
) -> dict[str, Any]:
    """Return the result file of a run, keys in the order of the file.

    Args:
        records: one per route that was begun, in the order of the run.
        planned: number of routes of the run; a route without a record counts as zero.
        sensors: icon names of the agent's sensors, such as ``carla_camera``; known once an agent has been set up.
        stopped_by: what ended the run before its last route, or in it; see `ends_run`. Then there is no global
            record.
    """
    is_cut = ends_run(stopped_by, version)
    status = _ENTRY_STATUSES.get(stopped_by, EntryStatus.STARTED) if is_cut else _entry_status(records, planned)
    is_over = len(records) == planned > 0 and not is_cut
    global_part = global_record(records, planned) if is_over else {}
    return {
        "_checkpoint": {
            "global_record": global_part,
            "progress": [len(records), planned],
            "records": [dict(record) for record in records],
        },
        "entry_status": status.value,
        "eligible": status is EntryStatus.FINISHED,
        "sensors": [] if status is EntryStatus.REJECTED else list(sensors),
        "values": _values(global_part) if global_part else [],
        "labels": [*_LABELS, *(label for label, _ in RATES)] if global_part else [],
    }


def ends_run(failure: Failure, version: RuleVersion = RuleVersion.LEADERBOARD_20) -> bool:
    """Return whether a failure ends a run, rather than its route only.

    A crash of the simulator and a rejected sensor set do under all rules; an agent that cannot be set up does in the
    Bench2Drive fork.
    """
    return failure in _ENTRY_STATUSES or (failure is Failure.AGENT_SETUP and ENGINES[version].setup_failure_ends_run)


def global_record(records: Sequence[Record], planned: int) -> dict[str, Any]:
    """Return means, deviations and rates over a run; a route without a record counts as zero.

        mean = sum of score / planned        deviation = sqrt(sum (score - mean)^2 / (planned - 1)), 0 for one route
        rate = entries / max(driven km, 0.001)        off-lane "rate" = kilometres outside, not divided

    Raises:
        HarnessError: an off-lane sentence does not name its metres.
    """
    means = {key: round(added(r["scores"][key] / planned for r in records), lb20.SCORE_DIGITS) for key in _SCORES}
    return {
        "index": -1,
        "route_id": -1,
        "status": _run_status(records),
        "infractions": _rates(records),
        "scores_mean": means,
        "scores_std_dev": {key: _deviation(records, key, means[key], planned) for key in _SCORES},
        "meta": {
            **{total: added(r["meta"][key] for r in records) for total, key in _META},
            "exceptions": [[r["route_id"], r["index"], r["status"]] for r in records if _has_failed(r)],
        },
    }


def added(numbers: Iterable[float]) -> float:
    """Add numbers one after the other, as the evaluators do: the last digits of a file depend on it.

    The built-in ``sum`` makes up for rounding from Python 3.12 on.
    """
    total: float = 0
    for number in numbers:
        total += number
    return total


_ENTRY_STATUSES: Final[Mapping[Failure, EntryStatus]] = {
    Failure.SIMULATION_CRASHED: EntryStatus.CRASHED,
    Failure.AGENT_SENSORS: EntryStatus.REJECTED,
}


def _entry_status(records: Sequence[Record], planned: int) -> EntryStatus:
    if len(records) < planned or not records:
        return EntryStatus.STARTED
    status = EntryStatus.FINISHED  # a merged file: what stopped one of its parts is known from the records only
    for record in records:
        for failure, entry_status in _ENTRY_STATUSES.items():
            if record["status"] == lb20.failed_status(failure):
                status = entry_status
    return status


def _has_failed(record: Record) -> bool:
    return str(record["status"]).startswith(lb20.STATUS_FAILED)


def _run_status(records: Sequence[Record]) -> str:
    if any(_has_failed(record) for record in records):
        return lb20.STATUS_FAILED
    is_perfect = all(record["status"] == lb20.STATUS_PERFECT for record in records)
    return lb20.STATUS_PERFECT if is_perfect else lb20.STATUS_COMPLETED


def _deviation(records: Sequence[Record], key: str, mean: float, planned: int) -> float:
    if planned == 1:
        return 0
    squares = added((record["scores"][key] - mean) ** 2 for record in records)
    return round(math.sqrt(squares / (planned - 1)), lb20.DIGITS)


def _rates(records: Sequence[Record]) -> dict[str, float]:
    driven_km = added(r["meta"]["route_length"] / 1000.0 * r["scores"]["score_route"] / 100.0 for r in records)
    driven_km = max(driven_km, 0.001)
    rates = {kind.value: sum(len(r["infractions"][kind.value]) for r in records) / driven_km for kind in InfractionKind}
    rates[InfractionKind.OUTSIDE_LANES.value] = added(outside_km(r["route_id"], r["infractions"]) for r in records)
    return {key: round(rate, lb20.DIGITS) for key, rate in rates.items()}


def _values(global_part: Mapping[str, Any]) -> list[str]:
    scores = [str(global_part["scores_mean"][key]) for key in _SCORES]
    return scores + [str(global_part["infractions"][kind.value]) for _, kind in RATES]
