"""Numbers of a scoreboard: means with their denominators, and the spread over seeds.

Every mean is given twice. *Official* divides by what was expected, so a missing route counts as zero; *available*
divides by what was found. Means are taken over unrounded record scores; rounding is for whoever prints.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.datatypes.infraction import InfractionKind
from harness.errors import HarnessError
from harness.metrics import lb20

Record = Mapping[str, Any]

# Beyond any score, metre or second; larger numbers, infinity included, are damage.
_LARGEST = 1e12


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Driving score and route completion in percent (0 to 100), infraction penalty as a factor (0 to 1)."""

    driving_score: float
    route_completion: float
    infraction_penalty: float


@dataclass(frozen=True, kw_only=True)
class RouteRow:
    """One route driven with one seed.

    Attributes:
        route: file stem of the route.
        is_crashed: the agent or the simulator broke; the scores are those at that moment.
        infractions: number of entries by result-file key; all twelve keys.
    """

    route: str
    seed: int
    status: str
    is_crashed: bool
    scores: Scores
    infractions: Mapping[str, int]
    length_m: float
    duration_sim_s: float
    duration_wall_s: float


@dataclass(frozen=True, kw_only=True)
class SeedMeans:
    """Official means of one seed."""

    seed: int
    expected: int
    found: int
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a scoreboard shows.

    Attributes:
        expected: routes times seeds.
        found: drives with a record, crashed ones included.
        missing: (route, seed) of the drives without a record.
        crashed: drives whose record says that the agent or the simulator broke.
        official: sums over records divided by ``expected``.
        available: sums over records divided by ``found``; None without records.
        seed_std: sample standard deviation (divisor n - 1) of the official means of the seeds; None for one seed.
        seeds: the means that ``seed_std`` is taken over; their number is its n.
        rows: one per record, by route then seed, in the expected order.
    """

    expected: int
    found: int
    missing: tuple[tuple[str, int], ...]
    crashed: int
    official: Scores
    available: Scores | None
    seed_std: Scores | None
    seeds: tuple[SeedMeans, ...]
    rows: tuple[RouteRow, ...]


def summarize(records: Mapping[tuple[str, int], Record], routes: Sequence[str], seeds: Sequence[int]) -> Summary:
    """Summarise the records of a run.

    Args:
        records: by (file stem of the route, seed).
        routes: expected routes, at least one.
        seeds: expected seeds, at least one.

    Raises:
        HarnessError: nothing is expected, a record that nobody expects, or one without its scores.
    """
    keys = [(route, seed) for route in routes for seed in seeds]
    if not keys:
        raise HarnessError(
            f"found {len(routes)} routes and {len(seeds)} seeds to summarise, expected at least one each"
        )
    unexpected = sorted(set(records) - set(keys))
    if unexpected:
        route, seed = unexpected[0]
        raise HarnessError(f"found a record of route {route!r} seed {seed}, expected only the routes of the run")
    rows = tuple(_read_row(route, seed, records[route, seed]) for route, seed in keys if (route, seed) in records)
    by_seed = tuple(_seed_means(seed, rows, len(routes)) for seed in seeds)
    return Summary(
        expected=len(keys),
        found=len(rows),
        missing=tuple(key for key in keys if key not in records),
        crashed=sum(row.is_crashed for row in rows),
        official=_mean(rows, len(keys)),
        available=_mean(rows, len(rows)) if rows else None,
        seed_std=_each([means.scores for means in by_seed], statistics.stdev) if len(by_seed) > 1 else None,
        seeds=by_seed,
        rows=rows,
    )


def result_problem(content: Any) -> str | None:
    """Return why the content of a result file cannot go on a scoreboard, None if it can.

    Our own section ``harness`` may be absent: files of other programs have none.
    """
    match content:
        case {"_checkpoint": {"records": [dict() as record, *_]}}:
            pass
        case _:
            return "holds no record"
    try:
        _row("", 0, record)
        _check_own_section(content.get("harness", {}))
    except (KeyError, TypeError, ValueError) as error:
        return f"holds no usable {error}"
    return None


def _check_own_section(section: Mapping[str, Any]) -> None:
    for key in ("scenarios_not_built", "wall"):
        _check_type(_check_type(section, dict, "section harness").get(key, {}), dict, key)
    for kind, count in section.get("scenarios_not_built", {}).items():
        _check_type(count, int, f"count of {kind}")
    _number(section.get("wall", {}), "simulated_per_wall", 0.0)


def _row(route: str, seed: int, record: Record) -> RouteRow:
    """Raises KeyError, TypeError or ValueError with the name of what is missing or not of its kind."""
    scores, meta = _check_type(record["scores"], dict, "scores"), _check_type(record["meta"], dict, "meta")
    infractions = _check_type(record["infractions"], dict, "infractions")
    status = _check_type(record["status"], str, "status")
    return RouteRow(
        route=route,
        seed=seed,
        status=status,
        is_crashed=lb20.is_crash(status),
        scores=Scores(
            driving_score=_number(scores, "score_composed"),
            route_completion=_number(scores, "score_route"),
            infraction_penalty=_number(scores, "score_penalty"),
        ),
        infractions={
            kind.value: len(_check_type(infractions[kind.value], list, kind.value)) for kind in InfractionKind
        },
        length_m=_number(meta, "route_length"),
        duration_sim_s=_number(meta, "duration_game"),
        duration_wall_s=_number(meta, "duration_system"),
    )


def _check_type(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{name}, found {str(value)[:60]!r}")
    return value


def _number(values: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = values[name] if default is None else values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{name}, found {str(value)[:60]!r}")
    return float(value)


def _read_row(route: str, seed: int, record: Record) -> RouteRow:
    try:
        return _row(route, seed, record)
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(f"record of route {route!r} seed {seed}: found no usable {error}, expected one") from error


def _seed_means(seed: int, rows: Sequence[RouteRow], expected: int) -> SeedMeans:
    of_seed = [row for row in rows if row.seed == seed]
    return SeedMeans(seed=seed, expected=expected, found=len(of_seed), scores=_mean(of_seed, expected))


def _mean(rows: Sequence[RouteRow], divisor: int) -> Scores:
    return _each([row.scores for row in rows], lambda values: sum(values) / divisor)


def _each(scores: Sequence[Scores], aggregate: Callable[[list[float]], float]) -> Scores:
    return Scores(
        driving_score=aggregate([score.driving_score for score in scores]),
        route_completion=aggregate([score.route_completion for score in scores]),
        infraction_penalty=aggregate([score.infraction_penalty for score in scores]),
    )
