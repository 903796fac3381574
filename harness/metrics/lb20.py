"""Leaderboard 2.0: from the facts of a route to its penalty, status, sentences and record.

Numbers, order of keys, rounding and texts are those of the evaluator of CARLA Leaderboard 2.0 (branch master of
carla-simulator/leaderboard, ``statistics_manager.py`` and the criteria that feed it). Other programs read the
sentences back, so their wording is part of the format; `harness.metrics.sentences` does.

Later rule versions and forks kept all of this but the penalty, hence the argument ``version``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.datatypes.route import Point
from harness.metrics import rules
from harness.metrics.rules import RuleVersion

SCORE_DIGITS: Final = 6
DIGITS: Final = 3

STATUS_PERFECT: Final = "Perfect"
STATUS_COMPLETED: Final = "Completed"
STATUS_FAILED: Final = "Failed"

# A drive that was cut for its length ended by the driving.
_NO_CRASHES: Final = (Failure.NONE, Failure.TICK_RUNTIME)
_PLACED_BY_FAIL2DRIVE: Final = (InfractionKind.YIELD_EMERGENCY, InfractionKind.SCENARIO_TIMEOUT)
_REASONS: Final[Mapping[InfractionKind, str]] = {
    InfractionKind.ROUTE_DEVIATION: "Agent deviated from the route",
    InfractionKind.BLOCKED: "Agent got blocked",
}


def route_status(outcome: RouteOutcome) -> str:
    """Return ``Perfect``, ``Completed``, ``Failed`` or ``Failed - <reason>``.

    The last word on the reason has, in this order: what broke from outside, the route timeout, then deviation and
    blocked as the criteria list them. A route that was completed has no reason.
    """
    if outcome.completion_percent >= 100.0:
        return STATUS_COMPLETED if outcome.infractions else STATUS_PERFECT
    reason: str = outcome.failure.value
    kinds = [infraction.kind for infraction in outcome.infractions]
    if InfractionKind.ROUTE_TIMEOUT in kinds:
        reason = "Agent timed out"
    for kind in kinds:
        reason = _REASONS.get(kind, reason)
    return f"{STATUS_FAILED} - {reason}" if reason else STATUS_FAILED


def message(infraction: Infraction, version: RuleVersion = RuleVersion.LEADERBOARD_20) -> str:
    """Return the sentence of one infraction, as the criteria of a rule version write it."""
    sentence = _SENTENCES[infraction.kind](infraction)
    if version is RuleVersion.FAIL2DRIVE and infraction.kind in _PLACED_BY_FAIL2DRIVE:
        sentence += f" at {_place(infraction.location_world)}"
    return sentence


def messages(outcome: RouteOutcome, version: RuleVersion = RuleVersion.LEADERBOARD_20) -> dict[str, list[str]]:
    """Return the sentences of a route by result-file key; all twelve keys, in the order of the file."""
    sentences: dict[str, list[str]] = {kind.value: [] for kind in InfractionKind}
    for infraction in outcome.infractions:
        sentences[infraction.kind.value].append(message(infraction, version))
    return sentences


def route_record(
    outcome: RouteOutcome, index: int, *, version: RuleVersion = RuleVersion.LEADERBOARD_20
) -> dict[str, Any]:
    """Return the record of one route for ``_checkpoint.records``, keys in the order of the file.

    Args:
        index: position of the route in the run, from 0.
        version: rules of penalty and sentences; a record of Bench2Drive has more keys, see
            `harness.metrics.bench2drive_rules.route_record`.
    """
    factor = rules.penalty(outcome.infractions, version)
    finished = outcome.completion_percent >= 100.0
    completion = 100 if finished else outcome.completion_percent  # the official evaluator writes 100, not 100.0
    return {
        "index": index,
        "route_id": outcome.route_id,
        "status": route_status(outcome),
        "num_infractions": len(outcome.infractions),
        "infractions": messages(outcome, version),
        "scores": {
            "score_route": round(completion, SCORE_DIGITS),
            "score_penalty": round(factor, SCORE_DIGITS),
            "score_composed": round(max(completion * factor, 0.0), SCORE_DIGITS),
        },
        "meta": {
            "route_length": round(outcome.route_length_m, DIGITS),
            "duration_game": round(outcome.duration_sim_s, DIGITS),
            "duration_system": round(outcome.duration_wall_s, DIGITS),
        },
    }


def failed_status(failure: Failure) -> str:
    """Return the status of a route that something broke outside the driving, or that was cut for its length."""
    return f"{STATUS_FAILED} - {failure.value}"


def is_crash(status: str) -> bool:
    """Return whether a status names something that broke outside the driving, in the agent or in the simulator."""
    return status in _CRASH_STATUSES


_CRASH_STATUSES: Final = frozenset(failed_status(failure) for failure in Failure if failure not in _NO_CRASHES)


def _place(point: Point) -> str:
    return f"(x={round(point.x, DIGITS)}, y={round(point.y, DIGITS)}, z={round(point.z, DIGITS)})"


def _collision(infraction: Infraction) -> str:
    other = f"type={infraction.other_type} and id={infraction.other_id}"
    return f"Agent collided against object with {other} at {_place(infraction.location_world)}"


def _outside_lanes(infraction: Infraction) -> str:
    metres, percent = round(infraction.distance_m, DIGITS), round(infraction.percentage, 2)
    return f"Agent went outside its route lanes for about {metres} meters ({percent}% of the completed route)"


_SENTENCES: Final[Mapping[InfractionKind, Callable[[Infraction], str]]] = {
    InfractionKind.COLLISION_LAYOUT: _collision,
    InfractionKind.COLLISION_PEDESTRIAN: _collision,
    InfractionKind.COLLISION_VEHICLE: _collision,
    InfractionKind.RED_LIGHT: lambda i: f"Agent ran a red light {i.other_id} at {_place(i.location_world)}",
    InfractionKind.STOP: lambda i: f"Agent ran a stop with id={i.other_id} at {_place(i.location_world)}",
    InfractionKind.OUTSIDE_LANES: _outside_lanes,
    InfractionKind.MIN_SPEED: lambda i: f"Average speed is {round(i.percentage, 2)}% of the surrounding traffic's one",
    InfractionKind.YIELD_EMERGENCY: lambda _: "Agent failed to yield to an emergency vehicle",
    InfractionKind.SCENARIO_TIMEOUT: lambda _: "Agent timed out a scenario",
    InfractionKind.ROUTE_DEVIATION: lambda i: f"Agent deviated from the route at {_place(i.location_world)}",
    InfractionKind.BLOCKED: lambda i: f"Agent got blocked at {_place(i.location_world)}",
    InfractionKind.ROUTE_TIMEOUT: lambda _: "Route timeout.",
}
