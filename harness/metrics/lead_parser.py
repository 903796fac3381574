"""The figures of the carla_garage and LEAD result parsers: rates per kilometre, normalised driving score, tables.

Source: kesai-labs/lead ``scripts/tools/result_parser.py``; autonomousvision/plant2 and fail2drive have the same
logic in ``tools/result_parser.py``. Every mean is over the records found, all seeds pooled; crashed ones are kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import rules
from harness.metrics.checkpoint import RATES
from harness.metrics.route_set import LEAD_CRASHES

#: What a fixed coefficient is multiplied with before it is spread over the driven kilometres.
NORMALISED_WEIGHT: Final = 0.2
#: Up to this completion [percent] the parser says that the agent did not start to drive.
NOT_STARTED_PERCENT: Final = 1e-7
_MIN_SPEED: Final = re.compile(r"\b(\d+\.\d+)%")
_OUTSIDE: Final = re.compile(r"for about (\d+\.\d+) meters \((\d+\.\d+)%")


@dataclass(frozen=True, kw_only=True)
class RouteFigures:
    """What the parser takes from one record.

    Attributes:
        driven_km: length times completion.
        normalised_penalty: PN, see `route_figures`.
        normalised_driving_score: completion times PN, 0 to 100.
        amounts: by infraction key: number of entries; kilometres outside the lanes; share of the traffic's speed
            that was lacking (0 to 1).
    """

    route: ScoredRoute
    driven_km: float
    normalised_penalty: float
    normalised_driving_score: float
    amounts: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The head of the parser's table.

    Attributes:
        routes: records; divisor of every mean.
        kilometres, hours: driven, in simulated time.
        rates: by infraction key: entries per kilometre; percent of the kilometres driven outside the lanes; percent
            of the traffic's speed that was lacking. None where nothing was driven (the peer divides by zero).
        average_speed_kmph: None without simulated time.
    """

    routes: int
    kilometres: float
    hours: float
    driving_score: float
    route_completion: float
    infraction_penalty: float
    rates: Mapping[str, float | None]
    average_speed_kmph: float | None
    normalised_driving_score: float
    normalised_penalty: float

    def rows(self) -> tuple[tuple[str, float | None], ...]:
        """Return the 18 labels and values in the order of the parser's file."""
        return (
            ("Avg. driving score", self.driving_score),
            ("Avg. route completion", self.route_completion),
            ("Avg. infraction penalty", self.infraction_penalty),
            *((label, self.rates[kind.value]) for label, kind in RATES),
            ("Avg. speed km/h", self.average_speed_kmph),
            ("Avg. Normalized DS", self.normalised_driving_score),
            ("Avg. Normalized IS", self.normalised_penalty),
        )


@dataclass(frozen=True, kw_only=True)
class MeanDeviation:
    """Mean and population standard deviation (divisor n)."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """One row of a table per route, town or the like.

    Attributes:
        name: ``route_id``, or whatever the table is about.
        town: of all records of the group; "" if they have several.
        routes: records in the group; n.
        figures: by DS, RC, NDS (of LEAD's parser only), duration [s], length [m] and infraction key, in that order.
    """

    name: str
    town: str
    routes: int
    figures: Mapping[str, MeanDeviation]


@dataclass(frozen=True, kw_only=True)
class Notices:
    """What the parser complains about; it drops nothing.

    Attributes:
        not_started: ``route_id`` of records that completed nothing.
        by_status: ``route_id`` of records by each of `LEAD_CRASHES`.
        expected: routes of the XML file.
        found: records.
    """

    not_started: tuple[str, ...]
    by_status: Mapping[str, tuple[str, ...]]
    expected: int
    found: int

    @property
    def is_multiple(self) -> bool:
        """Whether the records could be whole seeds; a missing route and a repeated one cancel out."""
        return self.found % self.expected == 0

    @property
    def is_refused_when_strict(self) -> bool:
        """Whether ``--strict`` keeps the parser from writing its table."""
        return not self.is_multiple or any(self.by_status.values())


def route_figures(route: ScoredRoute) -> RouteFigures:
    """Return the figures of one record.

        PN = product over fixed kinds of (0.2 coefficient) ^ (entries / driven km)
             * product of (1 - 0.3 (1 - speed% / 100)) * (1 - outside% / 100)

    The first product is 1 where nothing was driven.

    Raises:
        HarnessError: a sentence is not one of Leaderboard 2.0. Bench2Drive writes whole percentages, and its
            min-speed entries are a log, not infractions, so its files do not belong here.
    """
    driven_km = route.completion_percent / 100.0 * (route.length_m / 1000.0)
    speeds = [_numbers(route, _MIN_SPEED, text)[0] for text in _texts(route, InfractionKind.MIN_SPEED)]
    outside = [_numbers(route, _OUTSIDE, text) for text in _texts(route, InfractionKind.OUTSIDE_LANES)]
    amounts = {kind.value: float(len(_texts(route, kind))) for kind in InfractionKind}
    amounts[InfractionKind.OUTSIDE_LANES.value] = outside[0][0] / 1000.0 if outside else 0.0
    clipped = [min(speed / 100.0, 1.0) for speed in speeds]
    amounts[InfractionKind.MIN_SPEED.value] = 1.0 - sum(clipped) / len(clipped) if clipped else 0.0

    penalty = 1.0
    for kind, coefficient in rules.COEFFICIENTS.items():
        if driven_km > 0.0:
            penalty *= math.pow(NORMALISED_WEIGHT * coefficient, amounts[kind.value] / driven_km)
    for speed in speeds:
        penalty *= 1.0 - rules.MIN_SPEED_WEIGHT * (1.0 - speed / 100.0)
    for _, percent in outside:
        penalty *= 1.0 - percent / 100.0
    return RouteFigures(
        route=route,
        driven_km=driven_km,
        normalised_penalty=penalty,
        normalised_driving_score=route.completion_percent * penalty,
        amounts=amounts,
    )


def summarize(figures: Sequence[RouteFigures]) -> Summary:
    """Return the head of the table.

    Raises:
        HarnessError: there is no record.
    """
    if not figures:
        raise HarnessError("found no record to summarise, expected at least one")
    kilometres = sum(figure.driven_km for figure in figures)
    hours = sum(figure.route.duration_sim_s / 3600.0 for figure in figures)
    return Summary(
        routes=len(figures),
        kilometres=kilometres,
        hours=hours,
        driving_score=_mean([figure.route.driving_score for figure in figures]),
        route_completion=_mean([figure.route.completion_percent for figure in figures]),
        infraction_penalty=_mean([figure.route.penalty for figure in figures]),
        rates={kind.value: _rate(kind, figures, kilometres) for kind in InfractionKind},
        average_speed_kmph=kilometres / hours if hours > 0.0 else None,
        normalised_driving_score=_mean([figure.normalised_driving_score for figure in figures]),
        normalised_penalty=_mean([figure.normalised_penalty for figure in figures]),
    )


def by_route(figures: Sequence[RouteFigures], towns: Mapping[str, str]) -> tuple[GroupRow, ...]:
    """Return one row per ``route_id``, all its seeds together, by XML id in number order.

    Args:
        towns: by XML id.

    Raises:
        HarnessError: the town of a route is not known.
    """
    groups = _grouped(figures, [figure.route.route_id for figure in figures])
    rows = [_row(name, _town(group[0].route, towns), group) for name, group in groups.items()]
    return tuple(sorted(rows, key=lambda row: _number_order(groups[row.name][0].route)))


def by_town(figures: Sequence[RouteFigures], towns: Mapping[str, str]) -> tuple[GroupRow, ...]:
    """Return one row per town, by name; arguments and errors as for `by_route`."""
    groups = _grouped(figures, [_town(figure.route, towns) for figure in figures])
    return tuple(_row(name, name, groups[name]) for name in sorted(groups))


def notices(routes: Sequence[ScoredRoute], expected: int) -> Notices:
    """Return what the parser would complain about.

    Args:
        expected: routes of the XML file, at least one.
    """
    return Notices(
        not_started=tuple(r.route_id for r in routes if r.completion_percent <= NOT_STARTED_PERCENT),
        by_status={status: tuple(r.route_id for r in routes if r.status == status) for status in LEAD_CRASHES},
        expected=expected,
        found=len(routes),
    )


def mean_deviation(values: Sequence[float]) -> MeanDeviation:
    """Return mean and population deviation of at least one value."""
    mean = _mean(values)
    return MeanDeviation(mean=mean, deviation=math.sqrt(_mean([(value - mean) ** 2 for value in values])))


def _texts(route: ScoredRoute, kind: InfractionKind) -> tuple[str, ...]:
    return route.messages.get(kind.value, ())


def _numbers(route: ScoredRoute, pattern: re.Pattern[str], text: str) -> tuple[float, ...]:
    found = pattern.search(text)
    if found is None:
        raise HarnessError(
            f"record {route.route_id}: found {text!r}, expected a sentence of Leaderboard 2.0 with decimals",
            hint="files of Bench2Drive are scored by its own rules",
        )
    return tuple(float(group) for group in found.groups())


def _rate(kind: InfractionKind, figures: Sequence[RouteFigures], kilometres: float) -> float | None:
    total = sum(figure.amounts[kind.value] for figure in figures)
    if kind is InfractionKind.MIN_SPEED:
        return total / len(figures) * 100.0
    if kilometres == 0.0:
        return None
    return total / kilometres * (100.0 if kind is InfractionKind.OUTSIDE_LANES else 1.0)


def _grouped(figures: Sequence[RouteFigures], names: Sequence[str]) -> dict[str, list[RouteFigures]]:
    groups: dict[str, list[RouteFigures]] = {}
    for name, figure in zip(names, figures, strict=True):
        groups.setdefault(name, []).append(figure)
    return groups


def _town(route: ScoredRoute, towns: Mapping[str, str]) -> str:
    if route.xml_id not in towns:
        raise HarnessError(f"record {route.route_id}: found no town for id {route.xml_id!r}, expected it in the routes")
    return towns[route.xml_id]


def _number_order(route: ScoredRoute) -> tuple[bool, int, str]:
    is_number = route.xml_id.isdecimal()
    return not is_number, int(route.xml_id) if is_number else 0, route.route_id


def _row(name: str, town: str, group: Sequence[RouteFigures]) -> GroupRow:
    columns = {
        "DS": [figure.route.driving_score for figure in group],
        "RC": [figure.route.completion_percent for figure in group],
        "NDS": [figure.normalised_driving_score for figure in group],
        "duration": [figure.route.duration_sim_s for figure in group],
        "length": [figure.route.length_m for figure in group],
        **{kind.value: [figure.amounts[kind.value] for figure in group] for kind in InfractionKind},
    }
    figures = {key: mean_deviation(values) for key, values in columns.items()}
    return GroupRow(name=name, town=town, routes=len(group), figures=figures)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
