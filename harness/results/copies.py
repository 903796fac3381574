"""Drives that would count twice: copies of files under another seed, and drives whose seed nobody knows.

Either makes the spread over seeds too small and the number of drives too large, and no score shows it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from harness.datatypes.scored_route import ScoredRoute
from harness.results.duplicates import Source
from harness.results.result_set import Problem, ProblemKind, named, shown

# Whoever has a file under more seeds than that learns it from these.
_MOST_COPIES: Final = 20


def seed_problems(sources: Sequence[Source]) -> list[Problem]:
    """Return what is wrong with the seeds of the files whose records count."""
    by_benchmark: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if source.records:
            by_benchmark[source.benchmark].append(source)
    return [
        problem
        for of_benchmark in by_benchmark.values()
        for problem in (*_copies(of_benchmark), *_unknown_beside_known(of_benchmark))
    ]


def _copies(sources: Sequence[Source]) -> Iterator[Problem]:
    """Yield a problem for every two seeds that have files of the same bytes."""
    by_digest: dict[str, dict[int | None, Source]] = defaultdict(dict)
    for source in sources:
        if any(_has_begun(route) for _, route in source.records):
            by_digest[source.sha256].setdefault(source.seed, source)
    found: dict[tuple[str, str], list[tuple[Source, Source]]] = defaultdict(list)
    for of_digest in by_digest.values():
        for pair in itertools.combinations(sorted(of_digest.values(), key=_seed_order)[:_MOST_COPIES], 2):
            found[_seed_text(pair[0]), _seed_text(pair[1])].append(pair)
    for (first, second), pairs in found.items():
        one, other = min(pairs, key=lambda pair: pair[0].order)
        same = f"the same bytes as in {shown(other.name)}" + (f", {len(pairs)} such files" if len(pairs) > 1 else "")
        yield _problem(one, f"{same}: drives of {first} again as {second}", "every seed to be driven")


def _unknown_beside_known(sources: Sequence[Source]) -> Iterator[Problem]:
    known = sorted({source.seed for source in sources if source.seed is not None})
    unknown = [source for source in sources if source.seed is None]
    if known and unknown:
        count = sum(len(source.records) for source in unknown)
        seeds = named(map(str, known))
        found = f"unknown seed of {count} records beside seed{'s' if len(known) > 1 else ''} {seeds}"
        yield _problem(unknown[0], found, "a seed for each, as in a folder seed1")


def _has_begun(route: ScoredRoute) -> bool:
    """Tell whether a drive left figures of its own; of two that broke before the first tick, the files are equal."""
    return route.completion_percent > 0.0 or route.duration_sim_s > 0.0


def _seed_order(source: Source) -> tuple[bool, int]:
    return source.seed is not None, source.seed or 0


def _seed_text(source: Source) -> str:
    return "the unknown seed" if source.seed is None else f"seed {source.seed}"


def _problem(source: Source, found: str, expected: str) -> Problem:
    return Problem(kind=ProblemKind.INCONSISTENT, file=source.name, found=found, expected=expected)
