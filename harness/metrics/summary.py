"""Numbers of a scoreboard: means with their denominators, and the spread over seeds.

Every mean is given twice. *Official* divides by what was expected, so a missing route counts as zero; *available*
divides by what was found. Means are taken over unrounded record scores; rounding is for whoever prints.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import lb20


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Driving score and route completion in percent (0 to 100), infraction penalty as a factor (0 to 1)."""

    driving_score: float
    route_completion: float
    infraction_penalty: float


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
    """

    expected: int
    found: int
    missing: tuple[tuple[str, int], ...]
    crashed: int
    official: Scores
    available: Scores | None
    seed_std: Scores | None
    seeds: tuple[SeedMeans, ...]


def summarize(records: Mapping[tuple[str, int], ScoredRoute], routes: Sequence[str], seeds: Sequence[int]) -> Summary:
    """Summarise the records of a run.

    Args:
        records: by (file stem of the route, seed).
        routes: expected routes, at least one.
        seeds: expected seeds, at least one.

    Raises:
        HarnessError: nothing is expected, or a record that nobody expects.
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
    found = [records[key] for key in keys if key in records]
    by_seed = tuple(
        _seed_means(seed, [records[route, seed] for route in routes if (route, seed) in records], len(routes))
        for seed in seeds
    )
    return Summary(
        expected=len(keys),
        found=len(found),
        missing=tuple(key for key in keys if key not in records),
        crashed=sum(lb20.is_crash(record.status) for record in found),
        official=_mean(found, len(keys)),
        available=_mean(found, len(found)) if found else None,
        seed_std=_each([means.scores for means in by_seed], statistics.stdev) if len(by_seed) > 1 else None,
        seeds=by_seed,
    )


def _seed_means(seed: int, records: Sequence[ScoredRoute], expected: int) -> SeedMeans:
    return SeedMeans(seed=seed, expected=expected, found=len(records), scores=_mean(records, expected))


def scores_of(record: ScoredRoute) -> Scores:
    """Return the three scores of a record."""
    return Scores(
        driving_score=record.driving_score,
        route_completion=record.completion_percent,
        infraction_penalty=record.penalty,
    )


def _mean(records: Sequence[ScoredRoute], divisor: int) -> Scores:
    return _each([scores_of(record) for record in records], lambda values: sum(values) / divisor)


def _each(scores: Sequence[Scores], aggregate: Callable[[list[float]], float]) -> Scores:
    return Scores(
        driving_score=aggregate([score.driving_score for score in scores]),
        route_completion=aggregate([score.route_completion for score in scores]),
        infraction_penalty=aggregate([score.infraction_penalty for score in scores]),
    )
