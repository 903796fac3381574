"""Bench2Drive: driving efficiency and the five abilities.

Rules and figures are those of Thinklab-SJTU/Bench2Drive ``tools/efficiency_smoothness_benchmark.py`` and
``tools/ability_benchmark.py``. Comfort is in `smoothness`, driving score and success rate are in `route_set`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.sentences import read_sentence
from harness.metrics.success import SuccessRule, is_success

#: Percent of the traffic's speed above which an entry is left out.
FASTEST_PERCENT: Final = 1000.0

_JUNCTION_TURNS: Final = (
    "NonSignalizedJunctionLeftTurn",
    "NonSignalizedJunctionLeftTurnEnterFlow",
    "NonSignalizedJunctionRightTurn",
    "SignalizedJunctionLeftTurn",
    "SignalizedJunctionLeftTurnEnterFlow",
    "SignalizedJunctionRightTurn",
)
TRAFFIC_SIGNS: Final = "Traffic_Signs"
#: Scenario types of each ability; a type may be in two.
ABILITIES: Final[Mapping[str, frozenset[str]]] = {
    "Overtaking": frozenset(
        {
            "Accident",
            "AccidentTwoWays",
            "ConstructionObstacle",
            "ConstructionObstacleTwoWays",
            "HazardAtSideLane",
            "HazardAtSideLaneTwoWays",
            "ParkedObstacle",
            "ParkedObstacleTwoWays",
            "VehicleOpensDoorTwoWays",
        }
    ),
    "Merging": frozenset(
        {
            "CrossingBicycleFlow",
            "EnterActorFlow",
            "HighwayCutIn",
            "HighwayExit",
            "InterurbanActorFlow",
            "InterurbanAdvancedActorFlow",
            "MergerIntoSlowTraffic",
            "MergerIntoSlowTrafficV2",
            "ParkingExit",
            "SequentialLaneChange",
            *_JUNCTION_TURNS,
        }
    ),
    "Emergency_Brake": frozenset(
        {
            "BlockedIntersection",
            "ControlLoss",
            "DynamicObjectCrossing",
            "HardBreakRoute",
            "OppositeVehicleRunningRedLight",
            "OppositeVehicleTakingPriority",
            "ParkingCrossingPedestrian",
            "ParkingCutIn",
            "PedestrianCrossing",
            "StaticCutIn",
            "VehicleTurningRoute",
            "VehicleTurningRoutePedestrian",
        }
    ),
    "Give_Way": frozenset({"InvadingTurn", "YieldToEmergencyVehicle"}),
    TRAFFIC_SIGNS: frozenset(
        {
            "BlockedIntersection",
            "CrossingBicycleFlow",
            "EnterActorFlow",
            "OppositeVehicleRunningRedLight",
            "OppositeVehicleTakingPriority",
            "PedestrianCrossing",
            "T_Junction",
            "VanillaNonSignalizedTurn",
            "VanillaNonSignalizedTurnEncounterStopsign",
            "VanillaSignalizedTurnEncounterGreenLight",
            "VanillaSignalizedTurnEncounterRedLight",
            "VehicleTurningRoute",
            "VehicleTurningRoutePedestrian",
            *_JUNCTION_TURNS,
        }
    ),
}


class AbilityFormula(StrEnum):
    """How Traffic_Signs counts a junction that was passed: S successes, J junctions passed, T routes.

    Attributes:
        V003: (S + J) / (2 T), of the set 0.0.3 and of LEAD's copy; published tables use it, on either set.
        V004: routes with S or J, divided by T.
    """

    V003 = "0.0.3"
    V004 = "0.0.4"


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """Mean speed in percent of the traffic's; above 100 is faster than traffic, and no praise by itself.

    Attributes:
        percent: mean over ``routes``; None without any.
        routes: records that have a usable entry; the divisor.
        without_entry: ``route_id`` of records without an entry, left out.
        only_too_fast: ``route_id`` of records all of whose entries are above `FASTEST_PERCENT`, left out
            (the official program divides by zero).
        entries_left_out: entries above `FASTEST_PERCENT`.
    """

    percent: float | None
    routes: int
    without_entry: tuple[str, ...]
    only_too_fast: tuple[str, ...]
    entries_left_out: int


@dataclass(frozen=True, kw_only=True)
class Ability:
    """One ability.

    Attributes:
        routes: routes of the set in the group that have a record.
        successes: S, by the Bench2Drive rule.
        junctions_passed: J, of the routes whose junction position is known; 0 outside Traffic_Signs.
        lowest, highest: 0 to 1; they differ as far as junction positions are not known. None without routes.
    """

    name: str
    routes: int
    successes: int
    junctions_passed: int
    lowest: float | None
    highest: float | None

    @property
    def value(self) -> float | None:
        """The ability, 0 to 1; None without routes or while positions that matter are not known."""
        return self.lowest if self.lowest == self.highest else None


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """The five abilities.

    Attributes:
        mean: plain mean of the five values; None if one has no value.
        without_junction: XML ids of Traffic_Signs routes with a record and without a junction position.
    """

    formula: AbilityFormula
    groups: tuple[Ability, ...]
    mean: float | None
    without_junction: tuple[str, ...]

    def value_of(self, name: str) -> float | None:
        """Return one ability, 0 to 1; None as in `Ability.value`."""
        return next(group.value for group in self.groups if group.name == name)


def efficiency(logs: Sequence[tuple[str, Sequence[float]]]) -> Efficiency:
    """Return the mean over records of the mean percentage of their minimum-speed entries.

    Args:
        logs: ``route_id`` of each record with its `speed_entries`.
    """
    means: list[float] = []
    without_entry: list[str] = []
    only_too_fast: list[str] = []
    left_out = 0
    for route_id, entries in logs:
        usable = [entry for entry in entries if entry <= FASTEST_PERCENT]
        left_out += len(entries) - len(usable)
        if usable:
            means.append(sum(usable) / len(usable))
        else:
            (only_too_fast if entries else without_entry).append(route_id)
    return Efficiency(
        percent=sum(means) / len(means) if means else None,
        routes=len(means),
        without_entry=tuple(without_entry),
        only_too_fast=tuple(only_too_fast),
        entries_left_out=left_out,
    )


def speed_entries(route: ScoredRoute) -> list[float]:
    """Return the minimum-speed log of a record: percent of the traffic's speed, by checkpoint.

    Raises:
        HarnessError: an entry does not name its percentage.
    """
    texts = route.messages.get(InfractionKind.MIN_SPEED.value, ())
    try:
        return [read_sentence(InfractionKind.MIN_SPEED, text).percentage for text in texts]
    except HarnessError as error:
        raise HarnessError(f"record {route.route_id}: {error.message}") from error


def abilities(
    routes: Sequence[ScoredRoute],
    scenario_types: Mapping[str, str],
    junction_percent: Mapping[str, float],
    formula: AbilityFormula,
) -> Abilities:
    """Return the five abilities over the routes of a set that have a record.

    Args:
        routes: records; the first one of a route counts.
        scenario_types: type of the first scenario by XML id, for every route of the set.
        junction_percent: route completion [percent] above which the first junction counts as passed, by XML id:
            100 (k + 8) / n for the k-th of n points of the 1 m plan, counted from 1. Needed for Traffic_Signs only.
    """
    first: dict[str, ScoredRoute] = {}
    for route in routes:
        first.setdefault(route.xml_id, route)
    groups = tuple(
        _ability(
            name,
            [first[xml_id] for xml_id, kind in scenario_types.items() if kind in kinds and xml_id in first],
            junction_percent,
            formula,
        )
        for name, kinds in ABILITIES.items()
    )
    values = [group.value for group in groups if group.value is not None]
    of_signs = [xml_id for xml_id, kind in scenario_types.items() if kind in ABILITIES[TRAFFIC_SIGNS]]
    return Abilities(
        formula=formula,
        groups=groups,
        mean=sum(values) / len(groups) if len(values) == len(groups) else None,
        without_junction=tuple(x for x in of_signs if x in first and x not in junction_percent),
    )


def _ability(
    name: str, routes: Sequence[ScoredRoute], junction_percent: Mapping[str, float], formula: AbilityFormula
) -> Ability:
    good = [is_success(route, SuccessRule.B2D) for route in routes]
    counts_junctions = name == TRAFFIC_SIGNS
    # A route that broke a traffic rule gets no credit wherever its junction lies.
    passed = [counts_junctions and _passed(route, junction_percent.get(route.xml_id)) for route in routes]
    maybe = [value is None for value in passed]
    sure = [value is True for value in passed]
    if counts_junctions and formula is AbilityFormula.V003:
        divisor = 2 * len(routes)
        lowest, highest = sum(good) + sum(sure), sum(good) + sum(sure) + sum(maybe)
    else:
        divisor = len(routes)
        lowest = sum(g or s for g, s in zip(good, sure, strict=True))
        highest = sum(g or s or m for g, s, m in zip(good, sure, maybe, strict=True))
    return Ability(
        name=name,
        routes=len(routes),
        successes=sum(good),
        junctions_passed=sum(sure),
        lowest=lowest / divisor if divisor else None,
        highest=highest / divisor if divisor else None,
    )


def _passed(route: ScoredRoute, junction_percent: float | None) -> bool | None:
    """Return whether the ego got past the first junction by the rules; None if that is not known."""
    if any(route.messages.get(kind.value) for kind in (InfractionKind.RED_LIGHT, InfractionKind.STOP)):
        return False
    if junction_percent is None:
        return None
    return route.completion_percent > junction_percent
