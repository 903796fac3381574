"""Scores result files of anybody by the rules of one benchmark, and says what the number hides.

Files are read by `harness.results`, sums are made by `harness.metrics`; here they are put beside the routes that the
benchmark has, so that a missing route is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import stdev
from typing import Any, Final

from harness.config import SUITES_DIR
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import ConfigError, HarnessError
from harness.metrics import bench2drive, fail2drive, lb20, lead_parser
from harness.metrics.audit import AuditReport, audit
from harness.metrics.route_set import SetScores, score_set
from harness.metrics.rules import TITLES, RuleVersion
from harness.metrics.success import SuccessRule
from harness.metrics.uncertainty import LEVEL, Interval, Paired, bootstrap, paired
from harness.results.read import read_results
from harness.results.result_set import OnDuplicate, ReadRecord, ResultSet
from harness.suites import Suite, load_suite

#: Benchmarks that say themselves what a success is; the others get the rule that forgives nothing.
SUCCESS_RULES: Final[Mapping[str, SuccessRule]] = {"bench2drive": SuccessRule.B2D, "fail2drive": SuccessRule.F2D}


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What to score.

    Attributes:
        paths: result files, folders, archives.
        bench: name of the suite whose routes are expected.
    """

    paths: tuple[Path, ...]
    bench: str
    on_duplicate: OnDuplicate = OnDuplicate.ERROR


@dataclass(frozen=True, kw_only=True)
class SeedScores:
    """One seed; None if no folder and no file names it."""

    seed: int | None
    scores: SetScores
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreReport:
    """Everything that was found, and what it makes.

    Attributes:
        scores: over all seeds; its ``expected`` is routes times seeds.
        interval: of the official driving score, over routes drawn anew.
        completion_percent: mean route completion over the records; None without any.
        crashed: records whose status says that something broke outside the driving.
        outside: XML ids of records that are no route of the benchmark; they count for nothing.
        statuses: number of records by status.
        efficiency: of Bench2Drive.
        splits: of Fail2Drive.
        parser: the figures of LEAD's and carla_garage's parser; else why there are none.
    """

    suite: Suite
    rule: SuccessRule
    results: ResultSet
    scores: SetScores
    interval: Interval
    completion_percent: float | None
    seeds: tuple[SeedScores, ...]
    crashed: int
    outside: tuple[str, ...]
    statuses: Mapping[str, int]
    audit: AuditReport
    efficiency: bench2drive.Efficiency | None
    splits: fail2drive.Fail2DriveScores | None
    parser: lead_parser.Summary | str

    @property
    def missing(self) -> int:
        """Drives that are expected and have no record."""
        return sum(len(seed.missing) for seed in self.seeds)

    @property
    def is_complete(self) -> bool:
        """Every expected drive has a record, and every file could be read."""
        return not self.missing and not self.results.problems

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation (divisor n - 1) of the seeds' official driving scores; None for one seed."""
        means = [seed.scores.driving_score for seed in self.seeds]
        return stdev(means) if len(means) > 1 else None

    @cached_property
    def driven(self) -> dict[str, float]:
        """Driving score of every route that has a record, by file stem; mean over its drives."""
        stems = {route.route_id: route.stem for route in self.suite.routes}
        found: dict[str, list[float]] = {}
        for record in self.results.records:
            if record.route.xml_id in stems:
                found.setdefault(stems[record.route.xml_id], []).append(record.route.driving_score)
        return {stem: sum(scores) / len(scores) for stem, scores in found.items()}

    @cached_property
    def rule_version(self) -> RuleVersion:
        """The rules that the benchmark is published with."""
        return RuleVersion(self.suite.rule_version)


def score(request: ScoreRequest) -> ScoreReport:
    """Read and score.

    Raises:
        RouteError: no such suite.
        ConfigError: a path does not exist, or what lies below the paths is of another benchmark.
        DuplicateError: two results of one drive.
    """
    suite = load_suite(request.bench, SUITES_DIR)
    results = read_results(request.paths, benchmark=suite.name, on_duplicate=request.on_duplicate)
    stems = {route.route_id: route.stem for route in suite.routes}
    inside = [record for record in results.records if record.route.xml_id in stems]
    if not inside:
        raise ConfigError(_nothing_found(results, suite), hint="harness score PATH --bench NAME; make list shows them")
    outside = tuple(sorted({r.route.xml_id for r in results.records if r.route.xml_id not in stems}))
    if len(outside) > len({record.route.xml_id for record in inside}):
        # Ids are small numbers in most benchmarks, so that some always seem to fit.
        shown = ", ".join(outside[:5])
        raise ConfigError(
            f"found results of {len(outside)} routes that {suite.name} does not have ({shown}), expected its own",
            hint="--bench with the benchmark that they are of; make list shows all",
        )
    rule = SUCCESS_RULES.get(suite.name, SuccessRule.PERFECT)
    routes = [record.route for record in inside]
    seeds = tuple(_seed_scores(seed, inside, suite, rule) for seed in results.seeds if _of(seed, inside))
    return ScoreReport(
        suite=suite,
        rule=rule,
        results=results,
        scores=score_set(routes, suite.size * len(seeds), rule),
        interval=bootstrap(list(route_means(inside, suite, len(seeds)).values())),
        completion_percent=sum(route.completion_percent for route in routes) / len(routes),
        seeds=seeds,
        crashed=sum(lb20.is_crash(route.status) for route in routes),
        outside=outside,
        statuses=dict(sorted(Counter(route.status for route in routes).items())),
        audit=audit(routes),
        efficiency=bench2drive.efficiency(routes) if suite.name == "bench2drive" else None,
        splits=_fail2drive(inside, suite) if suite.name == "fail2drive" else None,
        parser=_parser_figures(routes, suite),
    )


def route_means(records: Sequence[ReadRecord], suite: Suite, seeds: int) -> dict[str, float]:
    """Return the driving score of every route of a suite, mean over so many seeds; a missing drive is a zero."""
    totals = {route.route_id: 0.0 for route in suite.routes}
    for record in records:
        totals[record.route.xml_id] += record.route.driving_score
    return {xml_id: total / seeds for xml_id, total in totals.items()}


def _nothing_found(results: ResultSet, suite: Suite) -> str:
    if results.problems:
        return f"no record of {suite.name} found; first problem: {results.problems[0]}"
    ids = sorted({record.route.xml_id for record in results.records})
    found = f"routes {', '.join(ids[:5])}" if ids else "no record at all"
    return f"no record of {suite.name} found in {len(results.files)} files: {found}, expected routes of the suite"


def _of(seed: int | None, records: Sequence[ReadRecord]) -> list[ScoredRoute]:
    return [record.route for record in records if record.seed == seed]


def _seed_scores(seed: int | None, records: Sequence[ReadRecord], suite: Suite, rule: SuccessRule) -> SeedScores:
    routes = _of(seed, records)
    found = {route.xml_id for route in routes}
    return SeedScores(
        seed=seed,
        scores=score_set(routes, suite.size, rule),
        missing=tuple(route.stem for route in suite.routes if route.route_id not in found),
    )


def _fail2drive(records: Sequence[ReadRecord], suite: Suite) -> fail2drive.Fail2DriveScores:
    names = [name for route in suite.routes if (name := fail2drive.route_name(route.stem)) is not None]
    drives = [
        fail2drive.Drive(seed=str(record.seed), number=int(record.route.xml_id), route=record.route)
        for record in records
    ]
    return fail2drive.aggregate(drives, names, sorted({drive.seed for drive in drives}))


def _parser_figures(routes: Sequence[ScoredRoute], suite: Suite) -> lead_parser.Summary | str:
    if suite.rule_version == RuleVersion.BENCH2DRIVE:
        return "the parsers that print them do not read Bench2Drive's files"
    try:
        return lead_parser.summarize([lead_parser.route_figures(route) for route in routes])
    except HarnessError as error:
        return error.message


def compare(first: ScoreReport, second: ScoreReport) -> Paired:
    """Compare two agents on the routes that both have driven: the second against the first.

    Raises:
        HarnessError: there is no such route.
    """
    return paired(first.driven, second.driven)


# --- the same as data ------------------------------------------------------------------------------------------------


def report_data(report: ScoreReport) -> dict[str, Any]:
    """Return a report as the ``data`` of a JSON document; rates and scores are not rounded."""
    data: dict[str, Any] = {
        "benchmark": report.suite.name,
        "set_version": report.suite.set_version,
        "rules": report.suite.rule_version,
        "success_rule": report.rule.value,
        "expected": report.scores.expected,
        "found": report.scores.found,
        "missing": report.missing,
        "crashed": report.crashed,
        "official": {"driving_score": report.scores.driving_score, "success_rate": report.scores.success_rate},
        "available": {
            "driving_score": report.scores.available_driving_score,
            "success_rate": report.scores.available_success_rate,
            "route_completion": report.completion_percent,
        },
        "successes": report.scores.successes,
        "seeds": [
            {
                "seed": seed.seed,
                "found": seed.scores.found,
                "missing": list(seed.missing),
                "driving_score": seed.scores.driving_score,
                "success_rate": seed.scores.success_rate,
            }
            for seed in report.seeds
        ],
        "driving_score_std": report.deviation,
        "driving_score_interval": {"level": LEVEL, "low": report.interval.low, "high": report.interval.high},
        "statuses": dict(report.statuses),
        "outside": list(report.outside),
        "audit": {
            "fits": {version.value: count for version, count in report.audit.fit_counts.items()},
            "unexplained": [each.route.route_id for each in report.audit.audits if not each.fits],
            "unreadable": [reason for _, reason in report.audit.unreadable],
        },
        "per_km": report.parser if isinstance(report.parser, str) else dict(report.parser.rates),
        "problems": [str(problem) for problem in report.results.problems],
        "notes": [str(note) for note in report.results.notes],
        "files": [
            {"file": file.name, "kind": file.kind.value, "sha256": file.sha256, "counted": file.counted}
            for file in report.results.files
        ],
    }
    if report.efficiency is not None:
        data["efficiency"] = {"percent": report.efficiency.percent, "routes": report.efficiency.routes}
    if report.splits is not None:
        data["splits"] = _splits_data(report.splits)
    return data


def paired_data(found: Paired) -> dict[str, Any]:
    """Return a comparison as part of the ``data`` of a JSON document."""
    return {
        "routes": found.routes,
        "difference": found.difference,
        "interval": {"level": LEVEL, "low": found.interval.low, "high": found.interval.high},
        "won": list(found.won),
        "lost": list(found.lost),
    }


def _splits_data(scores: fail2drive.Fail2DriveScores) -> dict[str, Any]:
    return {
        split.value: {
            "found": half.scores.found,
            "expected": half.scores.expected,
            "driving_score": half.scores.available_driving_score,
            "success_rate": half.scores.available_success_rate,
        }
        for split, half in scores.splits.items()
    }


def title(report: ScoreReport) -> str:
    """Return which benchmark, edition and rules a report is about."""
    edition = f" ({report.suite.set_version})" if report.suite.set_version else ""
    return f"{report.suite.title}{edition}, rules {TITLES[report.rule_version]}"
