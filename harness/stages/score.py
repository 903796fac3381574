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

from harness.config import SUITES_DIR
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import ConfigError
from harness.metrics import bench2drive, fail2drive, lb20, lead_parser
from harness.metrics.audit import AuditReport, audit
from harness.metrics.route_set import SetScores, lead_repeats, missing_ids, score_set
from harness.metrics.rules import TITLES, RuleVersion
from harness.metrics.smoothness import Smoothness
from harness.metrics.success import SuccessRule
from harness.metrics.uncertainty import Interval, bootstrap
from harness.results.read import read_results
from harness.results.result_set import FileKind, OnDuplicate, Problem, ReadRecord, ResultSet, Sweep
from harness.route_facts import RouteFacts, junction_percent, read_junctions, read_route_facts
from harness.stages import score_benchmarks
from harness.stages.garage import GarageReport
from harness.stages.score_benchmarks import AbilityTable, ParserTables
from harness.suites import Suite, load_suite


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What to score.

    Attributes:
        paths: result files, folders, archives.
        bench: name of the suite whose routes are expected.
        success: what counts as a success, if not what the benchmark says.
        junctions: table that says where first junctions lie, instead of the suite's own.
    """

    paths: tuple[Path, ...]
    bench: str
    on_duplicate: OnDuplicate = OnDuplicate.ERROR
    success: SuccessRule | None = None
    junctions: Path | None = None


@dataclass(frozen=True, kw_only=True)
class SeedScores:
    """One seed, or one of its repetitions if there are several."""

    sweep: Sweep
    scores: SetScores
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ScoreReport:
    """Everything that was found, and what it makes.

    Attributes:
        facts: the routes of the suite by XML id.
        records: of the benchmark, by seed, route and repetition.
        scores: over all seeds; its ``expected`` is routes times seeds and repetitions.
        interval: of the official driving score, over routes drawn anew.
        completion_percent: mean route completion over the records; None without any.
        crashed: records whose status says that something broke outside the driving.
        retried: drives that were tried more than once, as far as files tell: attempts of our own runs, and results
            that another of the same drive replaced.
        lead_repeats: files that LEAD's scripts would throw away and drive again.
        outside: XML ids of records that are no route of the benchmark; they count for nothing.
        statuses: number of records by status.
        scenarios: by the scenario of a route.
        efficiency, abilities, comfort: of Bench2Drive; comfort only where a motion log was found.
        splits: of Fail2Drive.
        garage: what carla_garage's own parser gives for files of Leaderboard 1.0; None without such files.
        figures: what LEAD's and carla_garage's parser takes from each record; else why it takes nothing.
        problems: what may be a result and does not count, or not as it stands.
    """

    suite: Suite
    facts: Mapping[str, RouteFacts]
    rule: SuccessRule
    results: ResultSet
    records: tuple[ReadRecord, ...]
    scores: SetScores
    interval: Interval
    completion_percent: float | None
    seeds: tuple[SeedScores, ...]
    crashed: int
    retried: int
    lead_repeats: tuple[str, ...]
    outside: tuple[str, ...]
    statuses: Mapping[str, int]
    scenarios: Mapping[str, SetScores]
    audit: AuditReport
    efficiency: bench2drive.Efficiency | None
    abilities: tuple[AbilityTable, ...]
    comfort: Smoothness | None
    splits: fail2drive.Fail2DriveScores | None
    garage: GarageReport | None
    figures: tuple[lead_parser.RouteFigures, ...] | str
    problems: tuple[Problem, ...]

    @property
    def missing(self) -> int:
        """Drives that are expected and have no record."""
        return sum(len(seed.missing) for seed in self.seeds)

    @property
    def has_headline(self) -> bool:
        """Every expected drive has a record, so that its means are those of the whole set."""
        return not self.missing

    @property
    def is_complete(self) -> bool:
        """Every expected drive has a record, and every file could be read."""
        return not self.missing and not self.problems

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation (divisor n - 1) of the seeds' official driving scores; None for one seed."""
        means = [seed.scores.driving_score for seed in self.seeds]
        return stdev(means) if len(means) > 1 else None

    @cached_property
    def stems(self) -> dict[str, str]:
        """Names of the route files by XML id."""
        return {route.route_id: route.stem for route in self.suite.routes}

    @cached_property
    def driven(self) -> dict[str, float]:
        """Driving score of every route that has a record, by file stem; mean over its drives."""
        found: dict[str, list[float]] = {}
        for record in self.records:
            found.setdefault(self.stems[record.route.xml_id], []).append(record.route.driving_score)
        return {stem: sum(scores) / len(scores) for stem, scores in found.items()}

    @cached_property
    def parser(self) -> lead_parser.Summary | str:
        """Head of the table of LEAD's parser; else why there is none."""
        return self.figures if isinstance(self.figures, str) else lead_parser.summarize(self.figures)

    @cached_property
    def parser_tables(self) -> ParserTables | None:
        """The parser's further tables; None if it takes nothing from the records."""
        return None if isinstance(self.figures, str) else score_benchmarks.parser_tables(self.figures, self.facts)

    @cached_property
    def rule_version(self) -> RuleVersion:
        """The rules that the benchmark is published with."""
        return RuleVersion(self.suite.rule_version)

    @property
    def title(self) -> str:
        """Which benchmark, edition and rules this is about."""
        edition = f" ({self.suite.set_version})" if self.suite.set_version else ""
        return f"{self.suite.title}{edition}, rules {TITLES[self.rule_version]}"


def score(request: ScoreRequest) -> ScoreReport:
    """Read and score.

    Raises:
        RouteError: no such suite.
        ConfigError: a path does not exist, or what lies below the paths is of another benchmark.
        DuplicateError: two results of one drive.
    """
    suite = load_suite(request.bench, SUITES_DIR)
    facts = read_route_facts(suite.name, SUITES_DIR)
    results = read_results(request.paths, benchmark=suite.name, on_duplicate=request.on_duplicate)
    inside = [record for record in results.records if _is_of(record.route, facts)]
    outside = tuple(sorted({r.route.xml_id for r in results.records if not _is_of(r.route, facts)}))
    _check_benchmark(results, inside, outside, suite)
    rule = request.success or _success_rule(suite)
    routes = [record.route for record in inside]
    by_sweep = _by_sweep(results, inside, suite)
    sweeps = tuple(by_sweep)
    is_bench2drive = suite.rule_version == RuleVersion.BENCH2DRIVE
    efficiency, wrong_logs = score_benchmarks.efficiency(inside) if is_bench2drive else (None, ())
    comfort, wrong_motion = score_benchmarks.comfort(results, inside) if is_bench2drive else (None, ())
    garage, wrong_lanes = score_benchmarks.garage(results, suite)
    junctions = junction_percent(facts) if request.junctions is None else read_junctions(request.junctions)
    in_file_order = [record for record in results.in_file_order() if _is_of(record.route, facts)]
    return ScoreReport(
        suite=suite,
        facts=facts,
        rule=rule,
        results=results,
        records=tuple(inside),
        scores=score_set(routes, suite.size * len(sweeps), rule),
        interval=bootstrap(list(route_means(routes, suite, len(sweeps)).values())),
        completion_percent=sum(route.completion_percent for route in routes) / len(routes),
        seeds=tuple(_seed_scores(sweep, by_sweep[sweep], suite, rule) for sweep in sweeps),
        crashed=sum(lb20.is_crash(route.status) for route in routes),
        retried=sum(record.file.attempts > 1 for record in inside) + results.replaced,
        lead_repeats=_repeated_by_lead(results, in_file_order),
        outside=outside,
        statuses=dict(sorted(Counter(route.status for route in routes).items())),
        scenarios=_by_scenario(routes, score_benchmarks.scenario_names(suite, facts), len(sweeps), rule),
        audit=audit(routes),
        efficiency=efficiency,
        abilities=score_benchmarks.ability_tables(in_file_order, facts, junctions) if is_bench2drive else (),
        comfort=comfort,
        splits=score_benchmarks.fail2drive_scores(inside, suite, sweeps, rule) if suite.name == "fail2drive" else None,
        garage=garage,
        figures=score_benchmarks.parser_figures(inside, suite),
        problems=(*results.problems, *wrong_logs, *wrong_motion, *wrong_lanes),
    )


def route_means(routes: Sequence[ScoredRoute], suite: Suite, sweeps: int) -> dict[str, float]:
    """Return the driving score of every route of a suite, mean over so many sweeps; a missing drive is a zero."""
    totals = {route.route_id: 0.0 for route in suite.routes}
    for route in routes:
        totals[route.xml_id] += route.driving_score
    return {xml_id: total / sweeps for xml_id, total in totals.items()}


def _success_rule(suite: Suite) -> SuccessRule:
    """Return what the benchmark itself calls a success; those that say nothing get the rule that forgives nothing."""
    if suite.rule_version == RuleVersion.BENCH2DRIVE:
        return SuccessRule.B2D
    return SuccessRule.F2D if suite.name == "fail2drive" else SuccessRule.PERFECT


def _is_of(route: ScoredRoute, facts: Mapping[str, RouteFacts]) -> bool:
    """Tell whether a record is of the suite; two editions have routes of one id in different towns."""
    known = facts.get(route.xml_id)
    return known is not None and (not route.town or route.town.rpartition("/")[2] == known.town)


def _check_benchmark(results: ResultSet, inside: Sequence[ReadRecord], outside: Sequence[str], suite: Suite) -> None:
    if not inside:
        raise ConfigError(_nothing_found(results, suite), hint="harness score PATH --bench NAME; make list shows them")
    # Ids are small numbers in most benchmarks, so that some always seem to fit; a town that fits too is no accident.
    is_sure = all(record.route.town for record in inside)
    if len(outside) > len({record.route.xml_id for record in inside}) and not is_sure:
        shown = ", ".join(outside[:5])
        raise ConfigError(
            f"found results of {len(outside)} routes that {suite.name} does not have ({shown}), expected its own",
            hint="--bench with the benchmark that they are of; make list shows all",
        )


def _nothing_found(results: ResultSet, suite: Suite) -> str:
    if results.problems:
        return f"no record of {suite.name} found; first problem: {results.problems[0]}"
    ids = sorted({record.route.xml_id for record in results.records})
    found = f"routes {', '.join(ids[:5])}" if ids else "no record at all"
    return f"no record of {suite.name} found in {len(results.files)} files: {found}, expected routes of the suite"


def _by_sweep(results: ResultSet, inside: Sequence[ReadRecord], suite: Suite) -> dict[Sweep, list[ScoredRoute]]:
    """Return the records of each sweep that has one, and of each that a run of ours was to drive."""
    planned = {Sweep(unit.seed, unit.repetition) for unit in results.planned_units if unit.benchmark == suite.name}
    sweeps = sorted({record.sweep for record in inside} | planned, key=lambda sweep: sweep.order)
    by_sweep: dict[Sweep, list[ScoredRoute]] = {sweep: [] for sweep in sweeps}
    for record in inside:
        by_sweep[record.sweep].append(record.route)
    return by_sweep


def _seed_scores(sweep: Sweep, routes: Sequence[ScoredRoute], suite: Suite, rule: SuccessRule) -> SeedScores:
    stems = {route.route_id: route.stem for route in suite.routes}
    return SeedScores(
        sweep=sweep,
        scores=score_set(routes, suite.size, rule),
        missing=tuple(stems[xml_id] for xml_id in missing_ids(routes, stems)),
    )


def _by_scenario(
    routes: Sequence[ScoredRoute], names: Mapping[str, str], sweeps: int, rule: SuccessRule
) -> dict[str, SetScores]:
    expected = Counter(names.values())
    found: dict[str, list[ScoredRoute]] = {name: [] for name in sorted(expected)}
    for route in routes:
        found[names[route.xml_id]].append(route)
    return {name: score_set(of_name, expected[name] * sweeps, rule) for name, of_name in found.items()}


def _repeated_by_lead(results: ResultSet, in_file_order: Sequence[ReadRecord]) -> tuple[str, ...]:
    by_file: dict[str, list[ScoredRoute]] = {
        file.name: [] for file in results.files if file.kind in (FileKind.ROUTE, FileKind.CHECKPOINT) and not file.found
    }
    for record in in_file_order:
        by_file.setdefault(record.file.name, []).append(record.route)
    return tuple(name for name, routes in by_file.items() if lead_repeats(routes))
