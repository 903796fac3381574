"""The rule versions by which routes are scored, and the infraction penalty of each.

A result file does not say which rules made it, so a score is worth nothing without its version. Statuses, route
completion, averages and the sentences are the same in all versions; what the Bench2Drive fork does otherwise stands
in `harness.metrics.engine` and `harness.metrics.bench2drive_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final, Protocol

from harness.datatypes.infraction import InfractionKind


class RuleVersion(StrEnum):
    """Names of the rule versions, as suites state them."""

    LEADERBOARD_20 = "lb20"
    LEADERBOARD_21 = "lb21"
    BENCH2DRIVE = "bench2drive"
    FAIL2DRIVE = "fail2drive"


#: What a version is called on a page.
TITLES: Final[Mapping[RuleVersion, str]] = {
    RuleVersion.LEADERBOARD_20: "Leaderboard 2.0",
    RuleVersion.LEADERBOARD_21: "Leaderboard 2.1",
    RuleVersion.BENCH2DRIVE: "Bench2Drive (Leaderboard 2.0, min speed costs nothing)",
    RuleVersion.FAIL2DRIVE: "Fail2Drive (Leaderboard 2.0)",
}


class Costed(Protocol):
    """What a penalty needs to know of an infraction; an `Infraction`, or the facts of a sentence."""

    @property
    def kind(self) -> InfractionKind:
        """Which of the twelve kinds."""
        ...

    @property
    def percentage(self) -> float:
        """Share in percent, for OUTSIDE_LANES and MIN_SPEED."""
        ...


#: Leaderboard 2.0: factor per infraction of a kind that costs a fixed amount.
COEFFICIENTS: Final[Mapping[InfractionKind, float]] = {
    InfractionKind.COLLISION_PEDESTRIAN: 0.5,
    InfractionKind.COLLISION_VEHICLE: 0.6,
    InfractionKind.COLLISION_LAYOUT: 0.65,
    InfractionKind.RED_LIGHT: 0.7,
    InfractionKind.STOP: 0.8,
    InfractionKind.SCENARIO_TIMEOUT: 0.7,
    InfractionKind.YIELD_EMERGENCY: 0.7,
}
#: Leaderboard 2.0: share of the score that standing still between two speed checks costs.
MIN_SPEED_WEIGHT: Final = 0.3
#: Leaderboard 2.1: what an infraction adds to the sum in the denominator.
WEIGHTS_21: Final[Mapping[InfractionKind, float]] = {
    InfractionKind.COLLISION_PEDESTRIAN: 1.0,
    InfractionKind.COLLISION_VEHICLE: 0.7,
    InfractionKind.COLLISION_LAYOUT: 0.6,
    InfractionKind.RED_LIGHT: 0.4,
    InfractionKind.STOP: 0.25,
    InfractionKind.SCENARIO_TIMEOUT: 0.4,
    InfractionKind.YIELD_EMERGENCY: 0.4,
}
MIN_SPEED_WEIGHT_21: Final = 0.4


def same_penalties(one: RuleVersion, other: RuleVersion) -> bool:
    """Tell whether two versions give a record the same penalty; Fail2Drive differs from 2.0 in its sentences only."""
    return PENALTIES[one] is PENALTIES[other]


def penalty(infractions: Iterable[Costed], version: RuleVersion) -> float:
    """Return the factor, 0 to 1, by which the infractions reduce route completion under a rule version."""
    return PENALTIES[version](infractions)


def leaderboard_20(infractions: Iterable[Costed]) -> float:
    """Return the penalty of Leaderboard 2.0.

        product of COEFFICIENTS * product of (1 - 0.3 (1 - speed% / 100)) * (1 - outside% / 100)

    No floor and no cap per kind; what ends the route (deviation, blocked, timeout) costs nothing by itself. A speed
    above that of the traffic is no gain.

    Source: carla-simulator/leaderboard, leaderboard/utils/statistics_manager.py (branch master).
    """
    factor = 1.0
    for infraction in infractions:
        if infraction.kind is InfractionKind.MIN_SPEED:
            factor *= 1.0 - MIN_SPEED_WEIGHT * _shortfall(infraction)
        else:
            factor *= _factor(infraction)
    return factor


def leaderboard_21(infractions: Iterable[Costed]) -> float:
    """Return the penalty of Leaderboard 2.1.

        (1 - outside% / 100) / (1 + sum of WEIGHTS_21 + 0.4 * sum of (1 - speed% / 100))

    Source: carla-simulator/leaderboard, leaderboard/utils/statistics_manager.py (branch leaderboard-2.1).
    """
    factor, weight = 1.0, 0.0
    for infraction in infractions:
        if infraction.kind is InfractionKind.MIN_SPEED:
            weight += MIN_SPEED_WEIGHT_21 * _shortfall(infraction)
        elif infraction.kind is InfractionKind.OUTSIDE_LANES:
            factor *= _factor(infraction)
        else:
            weight += WEIGHTS_21.get(infraction.kind, 0.0)
    return factor / (1.0 + weight)


def bench2drive(infractions: Iterable[Costed]) -> float:
    """Return the penalty of the Bench2Drive fork: Leaderboard 2.0, but min-speed entries cost nothing.

    Source: Thinklab-SJTU/Bench2Drive, leaderboard/leaderboard/utils/statistics_manager.py.
    """
    factor = 1.0
    for infraction in infractions:
        if infraction.kind is not InfractionKind.MIN_SPEED:
            factor *= _factor(infraction)
    return factor


#: Fail2Drive drives with an unchanged Leaderboard 2.0 engine (autonomousvision/fail2drive, leaderboard/).
PENALTIES: Final[Mapping[RuleVersion, Callable[[Iterable[Costed]], float]]] = {
    RuleVersion.LEADERBOARD_20: leaderboard_20,
    RuleVersion.LEADERBOARD_21: leaderboard_21,
    RuleVersion.BENCH2DRIVE: bench2drive,
    RuleVersion.FAIL2DRIVE: leaderboard_20,
}


def _factor(infraction: Costed) -> float:
    if infraction.kind is InfractionKind.OUTSIDE_LANES:
        return 1.0 - min(max(infraction.percentage, 0.0), 100.0) / 100.0
    return COEFFICIENTS.get(infraction.kind, 1.0)


def _shortfall(infraction: Costed) -> float:
    return 1.0 - min(max(infraction.percentage, 0.0), 100.0) / 100.0
