"""The lines that `harness score` prints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import stdev

from harness import __version__
from harness.metrics import fail2drive
from harness.metrics.bench2drive import TRAFFIC_SIGNS
from harness.metrics.fail2drive import Split
from harness.metrics.rules import TITLES, RuleVersion
from harness.metrics.uncertainty import LEVEL, Paired
from harness.results.result_set import named
from harness.stages.garage import garage_lines
from harness.stages.score import ScoreReport
from harness.stages.score_compare import Comparison
from harness.stages.score_data import digest

_SHOWN = 5
# What the parser of LEAD gives as a percentage under the name of an infraction.
_PERCENT = {
    "outside_route_lanes": "off the route's lanes, of the kilometres driven",
    "min_speed_infractions": "slower than the traffic, mean over the records",
}


def score_lines(report: ScoreReport, *, with_means: bool) -> Iterator[str]:
    """Return a report as text.

    Args:
        with_means: means of an incomplete set are easily mistaken for those of the whole one; say whether to show them.
    """
    scores = report.scores
    yield report.title
    seeds = named((str(seed.sweep) for seed in report.seeds), _SHOWN)
    counts = (
        f"{scores.expected} expected, {scores.found} found, {report.missing} missing, {report.crashed} crashed, "
        f"{report.retried} retried"
    )
    yield f"drives: {counts}; {len(report.seeds)} seed(s): {seeds}"
    yield from _counts(report)
    if with_means:
        yield from _means(report)
    else:
        yield f"no score of {why_no_headline(report)}; --allow-partial prints it with its divisor"
    yield from _audit(report)
    yield from _left_out(report)


def _counts(report: ScoreReport) -> Iterator[str]:
    found, expected = report.scores.found, report.scores.expected
    if found > expected:
        yield f"  {found - expected} more than expected: repeated drives are added, as the benchmarks' own tools do"
    if report.dropped:
        yield f"  {report.dropped} whose agent could not be set up: zeros in the official number, dropped in the splits"
    if len(report.lead_repeats):
        yield f"  LEAD's scripts would throw {len(report.lead_repeats)} of the files away and drive again"
    published = set(report.suite.seeds)
    if len(report.seeds) < len(published):
        seeds = ",".join(map(str, sorted(published)))
        yield f"  the benchmark has {len(published)} seeds; --seeds {seeds} counts those without a record as missing"


def why_no_headline(report: ScoreReport) -> str:
    """Return what keeps a report's means from being quoted."""
    if report.missing:
        return "an incomplete set"
    if report.dropped:
        return "a set whose agent could not always be set up"
    return "drives by other rules" if report.foreign_rules else "repeated drives"


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Return a comparison as text."""
    found = comparison.overall
    low, high = found.interval.low, found.interval.high
    verdict = "they differ" if low > 0.0 or high < 0.0 else "no difference is shown"
    who = f"{comparison.second} against {comparison.first}"
    yield f"{who} on {found.routes} routes that both have: DS {found.difference:+.2f}"
    yield f"  {100.0 * LEVEL:.0f} % interval over routes {low:+.2f} to {high:+.2f}: {verdict}"
    yield f"  {_won_and_lost(found)}"
    width = max(map(len, comparison.scenarios))
    for name, each in comparison.scenarios.items():
        yield f"  {name:<{width}}  {each.difference:+7.2f} on {each.routes:>3}: {_won_and_lost(each)}"


def _won_and_lost(found: Paired) -> str:
    tied = found.routes - len(found.won) - len(found.lost)
    return f"better on {len(found.won)}, worse on {len(found.lost)}, equal on {tied}"


def _means(report: ScoreReport) -> Iterator[str]:
    scores, deviation = report.scores, report.deviation
    yield (
        f"official (missing = 0, divisor {scores.expected}): DS {scores.driving_score:.2f}, "
        f"SR {100.0 * scores.success_rate:.2f} % ({report.rule})"
    )
    yield (
        f"  {100.0 * LEVEL:.0f} % of routes drawn anew: DS {report.interval.low:.2f} to {report.interval.high:.2f}, "
        f"SR {100.0 * report.success_interval.low:.2f} to {100.0 * report.success_interval.high:.2f} %"
    )
    if deviation is not None and report.success_deviation is not None:
        yield (
            f"  spread over {len(report.seeds)} seeds (sample formula): DS {deviation:.2f}, "
            f"SR {100.0 * report.success_deviation:.2f} %"
        )
    if scores.available_driving_score is not None and scores.available_success_rate is not None:
        yield (
            f"over those found (divisor {scores.found}): DS {scores.available_driving_score:.2f}, "
            f"SR {100.0 * scores.available_success_rate:.2f} %, RC {report.completion_percent:.2f}"
        )
    yield f"success by rule {report.rule.value}: {scores.successes} of {scores.found}"
    if report.efficiency is not None and report.efficiency.percent is not None:
        left_out = len(report.efficiency.without_entry) + len(report.efficiency.only_too_fast)
        without = f", {left_out} have no usable entry" if left_out else ""
        yield f"driving efficiency: {report.efficiency.percent:.2f} % over {report.efficiency.routes} records{without}"
    yield from _comfort_and_abilities(report)
    if report.splits is not None:
        yield from _splits(report.splits)
    yield from _parser(report)
    if report.garage is not None:
        yield from garage_lines(report.garage)


def _comfort_and_abilities(report: ScoreReport) -> Iterator[str]:
    if report.comfort is not None and report.comfort.value is not None:
        yield f"comfort: {100.0 * report.comfort.value:.2f} % over {report.comfort.routes} records with a motion log"
    elif report.abilities:
        yield "comfort: none, no record has a metric_info.json"
    for table in report.abilities:
        if table is report.abilities[0]:
            others = {name: value for name, value in table.values.items() if name != TRAFFIC_SIGNS}
            yield "abilities: " + ", ".join(f"{name} {percent_text(value)}" for name, value in others.items())
        signs, mean = table.values[TRAFFIC_SIGNS], table.mean
        yield (f"  by the formula of {table.formula}: {TRAFFIC_SIGNS} {percent_text(signs)}, mean {percent_text(mean)}")


def percent_text(share: float | None) -> str:
    """Return a share as percent; a dash where there is none."""
    return "-" if share is None else f"{100.0 * share:.2f} %"


def change_text(percent: float) -> str:
    """Return by how much something changed; from zero there is no such number."""
    return "none from 0" if math.isnan(percent) else f"{percent:+.1f} %"


def _parser(report: ScoreReport) -> Iterator[str]:
    if isinstance(report.parser, str):
        yield f"per km: no figures, {report.parser}"
        return
    rates = {name: rate for name, rate in report.parser.rates.items() if rate is not None}
    counts = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items() if rate and name not in _PERCENT)
    yield f"per km over {report.parser.kilometres:.2f} km: {counts or 'nothing'}"
    for name, what in _PERCENT.items():
        if name in rates:
            yield f"{what}: {rates[name]:.2f} %"
    speed = "" if report.parser.average_speed_kmph is None else f"; {report.parser.average_speed_kmph:.1f} km/h"
    yield f"normalised as LEAD's parser does: DS {report.parser.normalised_driving_score:.2f}{speed}"


def _splits(scores: fail2drive.Fail2DriveScores) -> Iterator[str]:
    for split in Split:
        half = scores.splits[split]
        yield (
            f"{split.value}: DS {half.driving_score:.1f}, SR {half.success_percent:.1f} %, HM {half.harmonic_mean:.1f} "
            f"over {half.scores.found} of {half.scores.expected}{_split_spread(scores, split)}"
        )
    if scores.main is not None:
        printed = fail2drive.printed_row(scores.main)
        yield (
            "change to Generalization, rounded first as the parser does: "
            f"DS {change_text(printed.driving_score_change)}, SR {change_text(printed.success_change)}, "
            f"HM {change_text(printed.harmonic_mean_change)}"
        )
        yield (
            "change to Generalization, unrounded as the leaderboard does: "
            f"DS {change_text(scores.main.driving_score_change)}, SR {change_text(scores.main.success_change)}, "
            f"HM {change_text(scores.main.harmonic_mean_change)}"
        )


def _split_spread(scores: fail2drive.Fail2DriveScores, split: Split) -> str:
    halves = [half.scores for (_, of_split), half in scores.per_seed.items() if of_split is split]
    if len(halves) < 2:
        return ""
    driving_score = stdev(half.driving_score for half in halves)
    success = 100.0 * stdev(half.success_rate for half in halves)
    return f"; spread over {len(halves)} seeds DS {driving_score:.1f}, SR {success:.1f} %"


def _audit(report: ScoreReport) -> Iterator[str]:
    audit = report.audit
    wanted: RuleVersion = report.rule_version
    fits = f"{len(audit.audits) - len(audit.mismatches(wanted))} of {len(audit.audits)}"
    yield f"audit: {fits} penalties follow from their events by {TITLES[wanted]}"
    if wanted not in audit.best_fits:
        yield f"  the files fit better to: {', '.join(TITLES[version] for version in audit.best_fits) or 'no rules'}"
    mismatches = audit.mismatches(wanted)
    for each in mismatches[:_SHOWN]:
        expected = f"expected {each.expected[wanted]:.6f}, found fits {', '.join(each.fits) or 'no rules'}"
        yield f"  {each.route.route_id}: found penalty {each.route.penalty:.6f}, {expected}"
    if len(mismatches) > _SHOWN:
        yield f"  and {len(mismatches) - _SHOWN} more; --output json lists all"
    for route, reason in audit.unreadable[:_SHOWN]:
        yield f"  {route.route_id}: not audited: {reason}"


def _left_out(report: ScoreReport) -> Iterator[str]:
    yield "statuses: " + ", ".join(f"{count} {status}" for status, count in report.statuses.items())
    lacking = [seed for seed in report.seeds if seed.missing]
    for seed in lacking[:_SHOWN]:
        yield f"missing of seed {seed.sweep}: {named(seed.missing, _SHOWN)}"
    if len(lacking) > _SHOWN:
        yield f"and {len(lacking) - _SHOWN} more seeds with missing routes; --output json lists all"
    if report.outside:
        yield f"records of other routes, not counted: {', '.join(report.outside[:_SHOWN])} ({len(report.outside)})"
    for problem in report.problems[:_SHOWN]:
        yield f"problem: {problem}"
    if len(report.problems) > _SHOWN:
        yield f"and {len(report.problems) - _SHOWN} more problems; --output json lists all"
    for note in report.results.notes[:_SHOWN]:
        yield f"note: {note}"
    yield provenance(report)


def provenance(report: ScoreReport) -> str:
    """Return what a number came from, on one line."""
    counted = sum(file.counted > 0 for file in report.results.files)
    return f"from {counted} file(s), digest {digest(report)}, rules {report.rule_version}, carla-harness {__version__}"
