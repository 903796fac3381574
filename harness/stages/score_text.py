"""The lines that `harness score` prints."""

from __future__ import annotations

from collections.abc import Iterator

from harness.metrics import fail2drive, lead_parser
from harness.metrics.fail2drive import Split
from harness.metrics.rules import TITLES, RuleVersion
from harness.metrics.uncertainty import LEVEL, Paired
from harness.stages.score import ScoreReport, title

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
    yield title(report)
    seeds = ", ".join("unknown" if seed.seed is None else str(seed.seed) for seed in report.seeds)
    counts = f"{scores.expected} expected, {scores.found} found, {report.missing} missing, {report.crashed} crashed"
    yield f"drives: {counts}; {len(report.seeds)} seed(s): {seeds}"
    if with_means:
        yield from _means(report)
    else:
        yield "no score of an incomplete set; --allow-partial prints it with its divisor"
    yield from _audit(report)
    yield from _left_out(report)


def paired_lines(found: Paired) -> Iterator[str]:
    """Return a comparison as text."""
    low, high = found.interval.low, found.interval.high
    verdict = "they differ" if low > 0.0 or high < 0.0 else "no difference is shown"
    yield f"second against first on {found.routes} routes that both have: DS {found.difference:+.2f}"
    yield f"  {100.0 * LEVEL:.0f} % interval over routes {low:+.2f} to {high:+.2f}: {verdict}"
    tied = found.routes - len(found.won) - len(found.lost)
    yield f"  better on {len(found.won)}, worse on {len(found.lost)}, equal on {tied}"


def _means(report: ScoreReport) -> Iterator[str]:
    scores, deviation = report.scores, report.deviation
    spread = "" if deviation is None else f", spread {deviation:.2f} over {len(report.seeds)} seeds (sample formula)"
    yield (
        f"official (missing = 0, divisor {scores.expected}): DS {scores.driving_score:.2f}{spread}, "
        f"SR {100.0 * scores.success_rate:.2f} %"
    )
    yield (
        f"  {100.0 * LEVEL:.0f} % of the scores of routes drawn anew lie between {report.interval.low:.2f} and "
        f"{report.interval.high:.2f}"
    )
    if scores.available_driving_score is not None and scores.available_success_rate is not None:
        yield (
            f"over those found (divisor {scores.found}): DS {scores.available_driving_score:.2f}, "
            f"SR {100.0 * scores.available_success_rate:.2f} %, RC {report.completion_percent:.2f}"
        )
    yield f"success by rule {report.rule.value}: {scores.successes} of {scores.found}"
    if report.efficiency is not None and report.efficiency.percent is not None:
        yield f"driving efficiency: {report.efficiency.percent:.2f} % over {report.efficiency.routes} records"
    if report.splits is not None:
        yield from _splits(report.splits)
    if isinstance(report.parser, lead_parser.Summary):
        rates = {name: rate for name, rate in report.parser.rates.items() if rate is not None}
        counts = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items() if rate and name not in _PERCENT)
        yield f"per km over {report.parser.kilometres:.2f} km: {counts or 'nothing'}"
        for name, what in _PERCENT.items():
            if name in rates:
                yield f"{what}: {rates[name]:.2f} %"
    else:
        yield f"per km: no figures, {report.parser}"


def _splits(scores: fail2drive.Fail2DriveScores) -> Iterator[str]:
    for split in Split:
        half = scores.splits[split]
        yield (
            f"{split.value}: DS {half.driving_score:.1f}, SR {half.success_percent:.1f} %, HM {half.harmonic_mean:.1f} "
            f"over {half.scores.found} of {half.scores.expected}"
        )
    if scores.main is not None:
        printed = fail2drive.printed_row(scores.main)
        yield (
            "change to Generalization, rounded first as the parser does: "
            f"DS {printed.driving_score_change:+.1f} %, SR {printed.success_change:+.1f} %, "
            f"HM {printed.harmonic_mean_change:+.1f} %"
        )
        yield (
            "change to Generalization, unrounded as the leaderboard does: "
            f"DS {scores.main.driving_score_change:+.1f} %, SR {scores.main.success_change:+.1f} %, "
            f"HM {scores.main.harmonic_mean_change:+.1f} %"
        )


def _audit(report: ScoreReport) -> Iterator[str]:
    audit = report.audit
    wanted: RuleVersion = report.rule_version
    fits = f"{len(audit.audits) - len(audit.mismatches(wanted))} of {len(audit.audits)}"
    yield f"audit: {fits} penalties follow from their events by {TITLES[wanted]}"
    if wanted not in audit.best_fits:
        yield f"  the files fit better to: {', '.join(TITLES[version] for version in audit.best_fits) or 'no rules'}"
    for each in audit.mismatches(wanted)[:_SHOWN]:
        route = each.route
        yield f"  {route.route_id}: found penalty {route.penalty:.6f}, expected {each.expected[wanted]:.6f}"
    for route, reason in audit.unreadable[:_SHOWN]:
        yield f"  {route.route_id}: not audited: {reason}"


def _left_out(report: ScoreReport) -> Iterator[str]:
    yield "statuses: " + ", ".join(f"{count} {status}" for status, count in report.statuses.items())
    for seed in report.seeds:
        if seed.missing:
            more = f" and {len(seed.missing) - _SHOWN} more" if len(seed.missing) > _SHOWN else ""
            yield f"missing of seed {seed.seed}: {', '.join(seed.missing[:_SHOWN])}{more}"
    if report.outside:
        yield f"records of other routes, not counted: {', '.join(report.outside[:_SHOWN])} ({len(report.outside)})"
    for problem in report.results.problems[:_SHOWN]:
        yield f"problem: {problem}"
    if len(report.results.problems) > _SHOWN:
        yield f"and {len(report.results.problems) - _SHOWN} more problems; --output json lists all"
    for note in report.results.notes[:_SHOWN]:
        yield f"note: {note}"
