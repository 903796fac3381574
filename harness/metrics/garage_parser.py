"""The figures of carla_garage's own parser, from result files of Leaderboard 1.0.

Source: autonomousvision/carla_garage (branch main) ``tools/result_parser.py`` and
``leaderboard/leaderboard/utils/statistics_manager_local.py``.

A file states the means of its run in ``values``, with the planned routes as the divisor; the parser recombines them,
weighted with the number of records of each file. The rates that a file states are sums of the rates of its routes over
percents taken for shares, so the parser counts infractions and kilometres anew, from the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import checkpoint
from harness.metrics.audit import TOLERANCE
from harness.metrics.lead_parser import GroupRow, mean_deviation
from harness.metrics.rules import leaderboard_20
from harness.metrics.sentences import outside_km, read_messages

#: Label and kind of each rate of Leaderboard 1.0, in the order of ``values`` and ``labels``; 2.0 has three more behind.
RATES: Final = checkpoint.RATES[:9]
SCORE_LABEL: Final = "Avg. driving score"
COMPLETION_LABEL: Final = "Avg. route completion"
PENALTY_LABEL: Final = "Avg. infraction penalty"
#: By how much a mean that a file states may differ from that of its records; ``values`` have three decimals.
TOLERANCES: Final[Mapping[str, float]] = {SCORE_LABEL: 0.01, COMPLETION_LABEL: 0.01, PENALTY_LABEL: 0.001}
_DAYTIMES: Final = ("Night", "Twilight", "Dawn", "Sunset", "Morning", "Noon")
# XML ids of Longest6 by weather and time of day (autonomousvision/transfuser, leaderboard/data/longest6/longest6.xml).
_LONGEST6: Final[Mapping[str, tuple[int, ...]]] = {
    "Cloudy": (7, 8, 1, 22, 2, 34),
    "Wet": (16, 33, 31, 23, 32, 6),
    "WetCloudy": (14, 18, 29, 35, 27, 9),
    "SoftRain": (20, 12, 19, 30, 26, 25),
    "MidRain": (11, 13, 0, 24, 28, 15),
    "HardRain": (21, 4, 17, 10, 5, 3),
}
#: Weather and time of day of Longest6 by XML id: 6 x 6, each once.
LONGEST6_WEATHERS: Final[Mapping[str, tuple[str, str]]] = {
    str(xml_id): (weather, daytime)
    for weather, xml_ids in _LONGEST6.items()
    for xml_id, daytime in zip(xml_ids, _DAYTIMES, strict=True)
}
_KEYS: Final = frozenset(kind.value for _, kind in RATES)


@dataclass(frozen=True, kw_only=True)
class GarageFile:
    """A result file of Leaderboard 1.0.

    Attributes:
        stated: what it states of itself by label, see `TOLERANCES`; empty where a run did not come to its end.
        routes: its records, at least one.
    """

    name: str
    stated: Mapping[str, float]
    routes: tuple[ScoredRoute, ...]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A mean that a file states and its records do not give."""

    file: str
    label: str
    stated: float
    expected: float

    def __str__(self) -> str:
        return f"{self.file}: states {self.label} {self.stated:.3f}, its records give {self.expected:.3f}"


@dataclass(frozen=True, kw_only=True)
class GarageSummary:
    """The head of the parser's table.

    Attributes:
        routes: records; divisor of every mean.
        kilometres, hours: driven, in simulated time.
        means: over the records, by the labels of `TOLERANCES`.
        recombined: the same from what the files state, as the parser has it; None if a file states nothing.
        rates: by infraction key: entries per kilometre; percent of the kilometres driven outside the lanes. None where
            nothing was driven (the parser divides by zero).
        average_speed_kmph: None without simulated time.
        disagreements: means that do not follow from the records of their file.
        silent: files that state nothing.
    """

    routes: int
    kilometres: float
    hours: float
    means: Mapping[str, float]
    recombined: Mapping[str, float] | None
    rates: Mapping[str, float | None]
    average_speed_kmph: float | None
    disagreements: tuple[Disagreement, ...]
    silent: tuple[str, ...]

    def rows(self) -> tuple[tuple[str, float | None], ...]:
        """Return the 13 labels and values in the order of the parser's file."""
        return (
            *(self.means if self.recombined is None else self.recombined).items(),
            *((label, self.rates[kind.value]) for label, kind in RATES),
            ("Avg. speed km/h", self.average_speed_kmph),
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and when a route is driven; ``weather`` and ``daytime`` are "" where nobody says."""

    town: str
    weather: str = ""
    daytime: str = ""


@dataclass(frozen=True, kw_only=True)
class PenaltyFits:
    """How many penalties follow from their events, with stop signs at 0.8 as everywhere and at 1.

    carla_garage drives Longest6 with stop signs that cost nothing.
    """

    records: int
    with_stops: int
    without_stops: int


def is_leaderboard_10(route: ScoredRoute) -> bool:
    """Tell whether a record has exactly the nine infraction lists of Leaderboard 1.0."""
    return route.messages.keys() == _KEYS


def summarize(files: Sequence[GarageFile]) -> GarageSummary:
    """Return the head of the table.

    Raises:
        HarnessError: there is no record, or an off-lane sentence names no metres.
    """
    routes = [route for file in files for route in file.routes]
    if not routes:
        raise HarnessError("found no record to summarise, expected at least one")
    kilometres = sum(map(_driven_km, routes))
    hours = sum(route.duration_sim_s / 3600.0 for route in routes)
    silent = tuple(file.name for file in files if not file.stated.keys() >= TOLERANCES.keys())
    return GarageSummary(
        routes=len(routes),
        kilometres=kilometres,
        hours=hours,
        means=_means(routes),
        recombined=None if silent else _recombined(files, len(routes)),
        rates={kind.value: _rate(kind, routes, kilometres) for _, kind in RATES},
        average_speed_kmph=kilometres / hours if hours > 0.0 else None,
        disagreements=tuple(each for file in files for each in _disagreements(file)),
        silent=silent,
    )


def tables(routes: Iterable[ScoredRoute], places: Mapping[str, Place]) -> dict[str, tuple[GroupRow, ...]]:
    """Return the parser's tables by ``route``, ``town``, ``weather``, ``daytime`` and ``status``, rows by name.

    Means and population deviations of DS, RC, duration [s], length [m] and the number of entries per infraction key;
    those are counts, also of outside_route_lanes. Tables of what nobody says are absent.

    Args:
        places: by XML id.

    Raises:
        HarnessError: the place of a route is not known.
    """
    placed = [(route, _place(route, places)) for route in routes]
    tables: dict[str, tuple[GroupRow, ...]] = {}
    for heading, name_of in _HEADINGS.items():
        groups: dict[str, list[tuple[ScoredRoute, Place]]] = {}
        for route, place in placed:
            groups.setdefault(name_of(route, place), []).append((route, place))
        if groups.keys() - {""}:
            tables[heading] = tuple(_row(name, groups[name]) for name in sorted(groups))
    return tables


def penalty_fits(routes: Iterable[ScoredRoute]) -> PenaltyFits:
    """Return how many penalties follow from their events; sentences that cannot be read fit nothing."""
    records = with_stops = without_stops = 0
    for route in routes:
        records += 1
        try:
            events = read_messages(route.messages)
        except HarnessError:
            continue
        free = [event for event in events if event.kind is not InfractionKind.STOP]
        with_stops += abs(leaderboard_20(events) - route.penalty) <= TOLERANCE
        without_stops += abs(leaderboard_20(free) - route.penalty) <= TOLERANCE
    return PenaltyFits(records=records, with_stops=with_stops, without_stops=without_stops)


_FIGURES: Final[Mapping[str, Callable[[ScoredRoute], float]]] = {
    SCORE_LABEL: lambda route: route.driving_score,
    COMPLETION_LABEL: lambda route: route.completion_percent,
    PENALTY_LABEL: lambda route: route.penalty,
}
_HEADINGS: Final[Mapping[str, Callable[[ScoredRoute, Place], str]]] = {
    "route": lambda route, _: route.route_id,
    "town": lambda _, place: place.town,
    "weather": lambda _, place: place.weather,
    "daytime": lambda _, place: place.daytime,
    "status": lambda route, _: route.status,
}


def _means(routes: Sequence[ScoredRoute]) -> dict[str, float]:
    return {label: sum(map(figure, routes)) / len(routes) for label, figure in _FIGURES.items()}


def _recombined(files: Sequence[GarageFile], routes: int) -> dict[str, float]:
    return {label: sum(file.stated[label] * len(file.routes) for file in files) / routes for label in TOLERANCES}


def _disagreements(file: GarageFile) -> list[Disagreement]:
    expected = _means(file.routes)
    return [
        Disagreement(file=file.name, label=label, stated=file.stated[label], expected=expected[label])
        for label, tolerance in TOLERANCES.items()
        if label in file.stated and abs(file.stated[label] - expected[label]) > tolerance
    ]


def _driven_km(route: ScoredRoute) -> float:
    return route.completion_percent / 100.0 * route.length_m / 1000.0


def _rate(kind: InfractionKind, routes: Sequence[ScoredRoute], kilometres: float) -> float | None:
    if kilometres == 0.0:
        return None
    if kind is InfractionKind.OUTSIDE_LANES:
        return 100.0 * sum(outside_km(route.route_id, route.messages) for route in routes) / kilometres
    return sum(len(route.messages.get(kind.value, ())) for route in routes) / kilometres


def _place(route: ScoredRoute, places: Mapping[str, Place]) -> Place:
    if route.xml_id not in places:
        raise HarnessError(f"record {route.route_id}: found no town for id {route.xml_id!r}, expected it in the routes")
    return places[route.xml_id]


def _row(name: str, group: Sequence[tuple[ScoredRoute, Place]]) -> GroupRow:
    routes = [route for route, _ in group]
    columns = {
        "DS": [route.driving_score for route in routes],
        "RC": [route.completion_percent for route in routes],
        "duration": [route.duration_sim_s for route in routes],
        "length": [route.length_m for route in routes],
        **{kind.value: [float(len(route.messages.get(kind.value, ()))) for route in routes] for _, kind in RATES},
    }
    towns = {place.town for _, place in group}
    return GroupRow(
        name=name,
        town=towns.pop() if len(towns) == 1 else "",
        routes=len(group),
        figures={key: mean_deviation(values) for key, values in columns.items()},
    )
