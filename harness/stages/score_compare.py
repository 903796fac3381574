"""Two agents on one benchmark, route by route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.metrics.uncertainty import Paired, paired
from harness.stages.score import ScoreReport
from harness.stages.score_benchmarks import scenario_names


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The second agent against the first, on the routes that both have driven.

    Attributes:
        first, second: names of the agents.
        scenarios: by the scenario of a route; without those of which no route was driven by both.
    """

    first: str
    second: str
    overall: Paired
    scenarios: Mapping[str, Paired]


def compare(reports: Mapping[str, ScoreReport], first: str, second: str) -> Comparison:
    """Compare two of the agents; both reports are of one benchmark.

    Raises:
        HarnessError: they have no route in common.
    """
    before, after = reports[first], reports[second]
    names = scenario_names(before.suite, before.facts)
    by_scenario: dict[str, set[str]] = {}
    for xml_id, name in sorted(names.items(), key=lambda item: item[1]):
        stem = before.stems[xml_id]
        if stem in before.driven and stem in after.driven:
            by_scenario.setdefault(name, set()).add(stem)
    return Comparison(
        first=first,
        second=second,
        overall=paired(before.driven, after.driven),
        scenarios={
            name: paired({stem: before.driven[stem] for stem in stems}, {stem: after.driven[stem] for stem in stems})
            for name, stems in by_scenario.items()
        },
    )


def may_compare(reports: Mapping[str, ScoreReport], comparison: Comparison, *, allow_partial: bool) -> bool:
    """Tell whether a comparison may be shown: its difference is easily mistaken for one of two whole sets."""
    return allow_partial or all(reports[name].has_headline for name in (comparison.first, comparison.second))
