"""Fail2Drive: driving score, success rate, their harmonic mean, and what generalisation costs.

Classes, rules of what is left out and both roundings are those of autonomousvision/fail2drive
``tools/f2d_result_parser.py``. All means pool the drives of all seeds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.datatypes.result import Failure
from harness.datatypes.scored_route import ScoredRoute
from harness.metrics import lb20
from harness.metrics.route_set import SetScores, score_set
from harness.metrics.success import SuccessRule

#: Scenario names of each class, classes and names in the order of the paper's tables.
CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "Visual-lon": ("ObscuredStop", "HardBrake", "RightOfWay", "Animals", "PedestrianOtherBlocker"),
    "Visual-lat": ("BadParking", "ConstructionPermutations", "CustomObstacles"),
    "Behavior": ("Wall", "FullyBlocked", "PedestriansOnRoad", "ConstructionPedestrian"),
    "Robustness": (
        "RightConstruction",
        "OppositeConstruction",
        "ImageOnObject",
        "PassableObstacles",
        "PedestrianCrowd",
    ),
}
#: The table of scenarios has its classes in another order than the table of classes.
SCENARIOS: Final = tuple(
    scenario for name in ("Behavior", "Visual-lat", "Visual-lon", "Robustness") for scenario in CLASSES[name]
)
#: Routes of a pair have the same number modulo this.
PAIR_MODULUS: Final = 1000
_SEED_FACTOR: Final = 10_000
_AGENT_NOT_SET_UP: Final = lb20.failed_status(Failure.AGENT_SETUP)
_FILE_STEM: Final = re.compile(r"(Base|Generalization)_(.+)_(\d{4})")


class Split(StrEnum):
    """Half of the benchmark; each Generalization route has a Base route that it is a variant of."""

    BASE = "Base"
    GENERALIZATION = "Generalization"


@dataclass(frozen=True, kw_only=True)
class RouteName:
    """What the name of a route file says; ``TwoWays`` is taken out of the scenario's name."""

    split: Split
    scenario: str
    number: int

    @property
    def pair(self) -> int:
        """Number that both halves of the pair share."""
        return self.number % PAIR_MODULUS


@dataclass(frozen=True, kw_only=True)
class Drive:
    """One route driven with one seed; ``number`` is that of the route file."""

    seed: str
    number: int
    route: ScoredRoute


@dataclass(frozen=True, kw_only=True)
class SplitScores:
    """One half of a comparison.

    Attributes:
        scores: with the official divisor (routes times seeds) and that of the drives found.
        route_completion: mean over the drives, percent; None without any.
    """

    scores: SetScores
    route_completion: float | None

    @property
    def driving_score(self) -> float:
        """Mean over the drives found, 0 to 100; nan without any."""
        return math.nan if self.scores.available_driving_score is None else self.scores.available_driving_score

    @property
    def success_percent(self) -> float:
        """Successes among the drives found; nan without any."""
        return math.nan if self.scores.available_success_rate is None else 100.0 * self.scores.available_success_rate

    @property
    def harmonic_mean(self) -> float:
        """Of driving score and success rate in percent."""
        return harmonic_mean(self.driving_score, self.success_percent)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Base against Generalization, for everything, a class or a scenario; nothing is rounded."""

    name: str
    base: SplitScores
    generalization: SplitScores

    @property
    def driving_score_change(self) -> float:
        """Percent by which the driving score rises."""
        return relative_change(self.generalization.driving_score, self.base.driving_score)

    @property
    def success_change(self) -> float:
        """Percent by which the success rate rises."""
        return relative_change(self.generalization.success_percent, self.base.success_percent)

    @property
    def harmonic_mean_change(self) -> float:
        """Percent by which the harmonic mean rises."""
        return relative_change(self.generalization.harmonic_mean, self.base.harmonic_mean)


@dataclass(frozen=True, kw_only=True)
class PrintedRow:
    """The row of the main table, to be printed with one decimal."""

    base_driving_score: float
    base_success: float
    base_harmonic_mean: float
    driving_score: float
    driving_score_change: float
    success: float
    success_change: float
    harmonic_mean: float
    harmonic_mean_change: float


@dataclass(frozen=True, kw_only=True)
class Fail2DriveScores:
    """Everything that the parser tabulates, and what it leaves out.

    Attributes:
        main: None if a split has no drive.
        classes, scenarios: in the order of the paper; without those that have no drive in one of the splits.
        left_out: names of those.
        per_seed: by seed, then split.
        agent_not_set_up: (seed, number) of drives left out because the agent never started.
    """

    main: Comparison | None
    splits: Mapping[Split, SplitScores]
    classes: tuple[Comparison, ...]
    scenarios: tuple[Comparison, ...]
    left_out: tuple[str, ...]
    per_seed: Mapping[tuple[str, Split], SplitScores]
    agent_not_set_up: tuple[tuple[str, int], ...]


def route_name(stem: str) -> RouteName | None:
    """Return what ``<Split>_<Scenario>_<4 digits>`` says; None for any other name."""
    found = _FILE_STEM.fullmatch(stem)
    if found is None:
        return None
    split, scenario, number = found.groups()
    return RouteName(split=Split(split), scenario=scenario.replace("TwoWays", ""), number=int(number))


def traffic_seed(number: int, seed: int) -> int:
    """Return the seed of the traffic, the same for both halves of a pair."""
    return number % PAIR_MODULUS + _SEED_FACTOR * seed


def harmonic_mean(a: float, b: float) -> float:
    """Return 2 / (1/a + 1/b); 0 if one is 0, nan if one is nan or negative."""
    if not (a >= 0.0 and b >= 0.0):
        return math.nan
    return 0.0 if a == 0.0 or b == 0.0 else 2.0 / (1.0 / a + 1.0 / b)


def relative_change(new: float, old: float) -> float:
    """Return by how many percent ``new`` is above ``old``; nan if that is 0."""
    return math.nan if old == 0.0 else 100.0 * new / old - 100.0


def printed_row(comparison: Comparison) -> PrintedRow:
    """Return the main row as the parser has it: scores are rounded to one decimal *before* anything is derived.

    The unrounded `Comparison` gives the row of the public leaderboard. Both are in circulation: 81.957 is 82.0 here
    and 81.9 there, where it was cut off.
    """
    base_score, base_success = _tenths(comparison.base.driving_score), _tenths(comparison.base.success_percent)
    score = _tenths(comparison.generalization.driving_score)
    success = _tenths(comparison.generalization.success_percent)
    base_mean, mean = harmonic_mean(base_score, base_success), harmonic_mean(score, success)
    return PrintedRow(
        base_driving_score=base_score,
        base_success=base_success,
        base_harmonic_mean=base_mean,
        driving_score=score,
        driving_score_change=relative_change(score, base_score),
        success=success,
        success_change=relative_change(success, base_success),
        harmonic_mean=mean,
        harmonic_mean_change=relative_change(mean, base_mean),
    )


def aggregate(
    drives: Sequence[Drive],
    routes: Sequence[RouteName],
    seeds: Sequence[str],
    *,
    rule: SuccessRule = SuccessRule.F2D,
) -> Fail2DriveScores:
    """Return the tables of Fail2Drive.

    Args:
        routes: every route of the benchmark.
        seeds: every seed that was to be driven; they and ``routes`` make the official divisor.
        rule: what counts as a success; the official one looks at no status.

    Raises:
        HarnessError: no seed is given, or no route of one of the splits.
    """
    by_number = {name.number: name for name in routes}
    known_seeds = frozenset(seeds)
    known = [drive for drive in drives if drive.number in by_number and drive.seed in known_seeds]
    kept = [drive for drive in known if drive.route.status != _AGENT_NOT_SET_UP]
    sizes = Counter((name.split, name.scenario) for name in routes)
    found: dict[tuple[Split, str], list[ScoredRoute]] = {}
    by_seed: dict[tuple[str, Split], list[ScoredRoute]] = {(seed, split): [] for seed in seeds for split in Split}
    for drive in kept:
        name = by_number[drive.number]
        found.setdefault((name.split, name.scenario), []).append(drive.route)
        by_seed[drive.seed, name.split].append(drive.route)

    def score(split: Split, scenarios: Collection[str]) -> SplitScores:
        of_split = [route for scenario in scenarios for route in found.get((split, scenario), ())]
        return _split_scores(of_split, sum(sizes[split, scenario] for scenario in scenarios) * len(seeds), rule)

    def compare(name: str, scenarios: Collection[str]) -> Comparison | None:
        if not all(any((split, scenario) in found for scenario in scenarios) for split in Split):
            return None
        base, generalization = (score(split, scenarios) for split in Split)
        return Comparison(name=name, base=base, generalization=generalization)

    everything = tuple({name.scenario: None for name in routes})
    half_sizes = Counter(name.split for name in routes)
    classes = {name: compare(name, scenarios) for name, scenarios in CLASSES.items()}
    scenarios = {name: compare(name, (name,)) for name in SCENARIOS}
    return Fail2DriveScores(
        main=compare("", everything),
        splits={split: score(split, everything) for split in Split},
        classes=tuple(row for row in classes.values() if row),
        scenarios=tuple(row for row in scenarios.values() if row),
        left_out=tuple(name for name, row in {**classes, **scenarios}.items() if not row),
        per_seed={key: _split_scores(of_seed, half_sizes[key[1]], rule) for key, of_seed in by_seed.items()},
        agent_not_set_up=tuple(_key(drive) for drive in known if drive.route.status == _AGENT_NOT_SET_UP),
    )


def _split_scores(routes: Sequence[ScoredRoute], expected: int, rule: SuccessRule) -> SplitScores:
    completion = sum(route.completion_percent for route in routes) / len(routes) if routes else None
    return SplitScores(scores=score_set(routes, expected, rule), route_completion=completion)


def _key(drive: Drive) -> tuple[str, int]:
    return drive.seed, drive.number


def _tenths(value: float) -> float:
    """Round as numpy does: scale, round half to even, scale back."""
    return round(value * 10.0) / 10.0
