"""A score report as data, for the JSON document of `harness score`. docs/scores.md describes every key.

Rates, shares and scores are not rounded. A key never changes its meaning; `SCHEMA` counts up when one goes away.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness import __version__
from harness.metrics import fail2drive
from harness.metrics.fail2drive import Fail2DriveScores, SplitScores
from harness.metrics.lead_parser import GroupRow
from harness.metrics.route_set import SetScores
from harness.metrics.success import is_success
from harness.metrics.uncertainty import LEVEL, Interval, Paired
from harness.results.result_set import ReadRecord
from harness.stages.garage import garage_data
from harness.stages.score import ScoreReport
from harness.stages.score_benchmarks import AbilityTable, ParserTables
from harness.stages.score_compare import Comparison, may_compare

#: Edition of the document.
SCHEMA: Final = 1
_DIGEST_LENGTH: Final = 16


def document(
    reports: Mapping[str, ScoreReport], comparison: Comparison | None = None, *, allow_partial: bool = False
) -> dict[str, Any]:
    """Return the whole ``data`` of the document.

    Args:
        allow_partial: give the means of an incomplete set too; else they are null.
    """
    is_compared = comparison is not None and may_compare(reports, comparison, allow_partial=allow_partial)
    return {
        "schema": SCHEMA,
        "harness_version": __version__,
        "agents": {
            name: report_data(report, with_means=report.has_headline or allow_partial)
            for name, report in reports.items()
        },
        "comparison": comparison_data(comparison) if comparison is not None and is_compared else None,
    }


def digest(report: ScoreReport) -> str:
    """Return what scorings of the same files have in common."""
    return digest_of(file.sha256 for file in report.results.files if file.counted)


def digest_of(hashes: Iterable[str]) -> str:
    """Return SHA-256 over the sorted hashes of some files, shortened."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()[:_DIGEST_LENGTH]


def report_data(report: ScoreReport, *, with_means: bool) -> dict[str, Any]:
    """Return one agent; without ``with_means`` every mean is null, and what was found is there all the same."""
    means = _means_data(report)
    return {
        "benchmark": report.suite.name,
        "set_version": report.suite.set_version,
        "rules": report.suite.rule_version,
        "success_rule": report.rule.value,
        "digest": digest(report),
        "has_headline": report.has_headline,
        "is_complete": report.is_complete,
        **_counts(report),
        **(means if with_means else dict.fromkeys(means)),
        "seeds": [
            {**seed.sweep._asdict(), "found": seed.scores.found, "missing": list(seed.missing)} for seed in report.seeds
        ],
        "statuses": dict(report.statuses),
        "audit": _audit_data(report),
        "routes": [_route_data(report, record) for record in report.records],
        "lead_repeats": list(report.lead_repeats),
        "outside": list(report.outside),
        "problems": [str(problem) for problem in report.problems],
        "notes": [str(note) for note in report.results.notes],
        "files": [
            {"file": file.name, "kind": file.kind.value, "sha256": file.sha256, "counted": file.counted}
            for file in report.results.files
        ],
    }


def _means_data(report: ScoreReport) -> dict[str, Any]:
    return {
        "official": {"driving_score": report.scores.driving_score, "success_rate": report.scores.success_rate},
        "available": {
            "driving_score": report.scores.available_driving_score,
            "success_rate": report.scores.available_success_rate,
            "route_completion": report.completion_percent,
        },
        "driving_score_std": report.deviation,
        "success_rate_std": report.success_deviation,
        "driving_score_interval": _interval_data(report.interval),
        "success_rate_interval": _interval_data(report.success_interval),
        "seed_means": [{**seed.sweep._asdict(), **_set_data(seed.scores)} for seed in report.seeds],
        "scenarios": {name: _set_data(scores) for name, scores in report.scenarios.items()},
        **_bench2drive_data(report),
        "fail2drive": None if report.splits is None else _fail2drive_data(report.splits),
        "lead_parser": _parser_data(report),
        "carla_garage": None if report.garage is None else garage_data(report.garage),
    }


def comparison_data(found: Comparison) -> dict[str, Any]:
    """Return a comparison."""
    return {
        "first": found.first,
        "second": found.second,
        **_paired_data(found.overall),
        "scenarios": {name: _paired_data(of_scenario) for name, of_scenario in found.scenarios.items()},
    }


def _counts(report: ScoreReport) -> dict[str, int]:
    return {
        "expected": report.scores.expected,
        "found": report.scores.found,
        "missing": report.missing,
        "crashed": report.crashed,
        "retried": report.retried,
        "dropped": report.dropped,
        "successes": report.scores.successes,
    }


def _set_data(scores: SetScores) -> dict[str, Any]:
    return {
        "expected": scores.expected,
        "found": scores.found,
        "successes": scores.successes,
        "driving_score": scores.driving_score,
        "success_rate": scores.success_rate,
        "available_driving_score": scores.available_driving_score,
        "available_success_rate": scores.available_success_rate,
    }


def _interval_data(interval: Interval) -> dict[str, float]:
    return {"level": LEVEL, "low": interval.low, "high": interval.high}


def _paired_data(found: Paired) -> dict[str, Any]:
    return {
        "routes": found.routes,
        "difference": found.difference,
        "interval": _interval_data(found.interval),
        "won": list(found.won),
        "lost": list(found.lost),
    }


def _bench2drive_data(report: ScoreReport) -> dict[str, Any]:
    efficiency, comfort = report.efficiency, report.comfort
    return {
        "efficiency": None
        if efficiency is None
        else {
            "percent": efficiency.percent,
            "routes": efficiency.routes,
            "without_entry": list(efficiency.without_entry),
            "only_too_fast": list(efficiency.only_too_fast),
            "entries_left_out": efficiency.entries_left_out,
        },
        "comfort": None
        if comfort is None
        else {
            "share": comfort.value,
            "routes": comfort.routes,
            "missing": list(comfort.missing),
            "too_short": list(comfort.too_short),
        },
        "abilities": {table.formula.value: _ability_data(table) for table in report.abilities},
    }


def _ability_data(table: AbilityTable) -> dict[str, Any]:
    return {
        **table.values,
        "mean": table.mean,
        "per_seed": [
            {
                "groups": {
                    group.name: {
                        "routes": group.routes,
                        "successes": group.successes,
                        "junctions_passed": group.junctions_passed,
                        "lowest": group.lowest,
                        "highest": group.highest,
                    }
                    for group in seed.groups
                },
                "mean": seed.mean,
                "without_junction": list(seed.without_junction),
            }
            for seed in table.per_seed
        ],
    }


def _fail2drive_data(scores: Fail2DriveScores) -> dict[str, Any]:
    return {
        "splits": {split.value: _split_data(half) for split, half in scores.splits.items()},
        "main": None if scores.main is None else _change_data(scores.main),
        "main_rounded_first": None
        if scores.main is None
        else {name: _number(value) for name, value in vars(fail2drive.printed_row(scores.main)).items()},
        "classes": {row.name: _change_data(row) for row in scores.classes},
        "scenarios": {row.name: _change_data(row) for row in scores.scenarios},
        "left_out": list(scores.left_out),
        "per_seed": {
            f"{seed}/{split.value}": _split_data(half) for (seed, split), half in sorted(scores.per_seed.items())
        },
        "agent_not_set_up": [list(key) for key in scores.agent_not_set_up],
    }


def _split_data(half: SplitScores) -> dict[str, Any]:
    return {
        **_set_data(half.scores),
        "route_completion": half.route_completion,
        "harmonic_mean": _number(half.harmonic_mean),
    }


def _change_data(row: fail2drive.Comparison) -> dict[str, Any]:
    return {
        "base": _split_data(row.base),
        "generalization": _split_data(row.generalization),
        "driving_score_change": _number(row.driving_score_change),
        "success_change": _number(row.success_change),
        "harmonic_mean_change": _number(row.harmonic_mean_change),
    }


def _number(value: float) -> float | None:
    """JSON has no nan; a change from zero, and a mean over nothing, are none."""
    return None if math.isnan(value) else value


def _parser_data(report: ScoreReport) -> dict[str, Any]:
    if isinstance(report.parser, str) or report.parser_tables is None:
        return {"none_because": report.parser}
    return {"none_because": None, "summary": dict(report.parser.rows()), **_parser_tables_data(report.parser_tables)}


def _parser_tables_data(tables: ParserTables) -> dict[str, Any]:
    notices = tables.notices
    return {
        "by_route": [_group_data(row) for row in tables.by_route],
        "by_town": [_group_data(row) for row in tables.by_town],
        "not_started": list(notices.not_started),
        "by_status": {status: list(ids) for status, ids in notices.by_status.items()},
        "is_multiple": notices.is_multiple,
        "is_refused_when_strict": notices.is_refused_when_strict,
    }


def _group_data(row: GroupRow) -> dict[str, Any]:
    figures = {name: {"mean": figure.mean, "std": figure.deviation} for name, figure in row.figures.items()}
    return {"name": row.name, "town": row.town, "routes": row.routes, **figures}


def _audit_data(report: ScoreReport) -> dict[str, Any]:
    audit = report.audit
    return {
        "fits": {version.value: count for version, count in audit.fit_counts.items()},
        "best_fits": [version.value for version in audit.best_fits],
        "mismatches": [
            {
                "route_id": each.route.route_id,
                "penalty": each.route.penalty,
                "expected": {version.value: value for version, value in each.expected.items()},
                "fits": [version.value for version in each.fits],
            }
            for each in audit.mismatches(report.rule_version)
        ],
        "unreadable": [reason for _, reason in audit.unreadable],
    }


def _route_data(report: ScoreReport, record: ReadRecord) -> dict[str, Any]:
    route = record.route
    return {
        "route": report.stems[route.xml_id],
        "route_id": route.route_id,
        **record.sweep._asdict(),
        "town": report.facts[route.xml_id].town,
        "scenario": report.facts[route.xml_id].scenario,
        "status": route.status,
        "route_completion": route.completion_percent,
        "penalty": route.penalty,
        "driving_score": route.driving_score,
        "is_success": is_success(route, report.rule),
        "infractions": {kind: len(texts) for kind, texts in route.messages.items() if texts},
        "length_m": route.length_m,
        "duration_sim_s": route.duration_sim_s,
        "file": record.file.name,
    }
