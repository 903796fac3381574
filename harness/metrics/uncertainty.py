"""How far a mean would move with other routes, and whether two agents differ on the same ones.

Routes are drawn with replacement (percentile bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13). All drives of a route stay together: seeds of one route are no independent routes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.errors import HarnessError

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
_SEED: Final = 20260101


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a value lies with probability `LEVEL`, both ends in the unit of the values."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two agents on the same routes.

    Attributes:
        routes: that both have; the others are not compared.
        difference: mean of second minus first over these routes.
        interval: of the difference.
        won, lost: routes on which the second is better, or worse.
    """

    routes: int
    difference: float
    interval: Interval
    won: tuple[str, ...]
    lost: tuple[str, ...]


def bootstrap(route_means: Sequence[float]) -> Interval:
    """Return the interval of the mean over routes; the same values in any order give the same interval.

    Args:
        route_means: one value per route, the mean over its drives; a route without a drive is a zero.

    Raises:
        HarnessError: there is no route.
    """
    if not route_means:
        raise HarnessError("found no route to draw from, expected at least one")
    values = sorted(route_means)
    count = len(values)
    generator = random.Random(_SEED)
    means = sorted(sum(generator.choices(values, k=count)) / count for _ in range(RESAMPLES))
    tail = round((1.0 - LEVEL) / 2.0 * RESAMPLES)
    return Interval(low=means[tail], high=means[RESAMPLES - 1 - tail])


def paired(first: Mapping[str, float], second: Mapping[str, float]) -> Paired:
    """Compare two agents route by route.

    Args:
        first, second: mean driving score by route.

    Raises:
        HarnessError: they have no route in common.
    """
    both = sorted(first.keys() & second.keys())
    if not both:
        raise HarnessError("found no route that both agents have driven, expected at least one")
    gains = {route: second[route] - first[route] for route in both}
    return Paired(
        routes=len(both),
        difference=sum(gains.values()) / len(both),
        interval=bootstrap(list(gains.values())),
        won=tuple(route for route in both if gains[route] > 0.0),
        lost=tuple(route for route in both if gains[route] < 0.0),
    )
