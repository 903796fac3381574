"""Scores result files of anybody by the rules of one benchmark, and says what the number hides.

Files are read by `harness.results`, sums are made by `harness.metrics`; here they are put beside the routes that the
benchmark has, so that a missing route is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import stdev

from harness.config import SUITES_DIR
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import ConfigError, HarnessError
from harness.jobs.run_folder import RunFolder
from harness.metrics import bench2drive, fail2drive, lb20, lead_parser
from harness.metrics.audit import AuditReport, audit, joined
from harness.metrics.route_set import SetScores, lead_repeats, missing_ids, score_set
from harness.metrics.rules import TITLES, RuleVersion
from harness.metrics.smoothness import Smoothness
from harness.metrics.success import SuccessRule, is_success
from harness.metrics.uncertainty import Interval, bootstrap
from harness.results.read import read_results
from harness.results.result_set import FileIdentity, FileKind, OnDuplicate, Problem, ReadRecord, ResultSet, Sweep
from harness.route_facts import RouteFacts, junction_percent, read_junctions, read_route_facts
from harness.stages import score_benchmarks
from harness.stages.garage import GarageReport
from harness.stages.score_benchmarks import AbilityTable, ParserTables
from harness.stages.score_checks import check_benchmark, check_drives, contradictions, foreign_rules
from harness.suites import Suite, SuiteRoute, list_suites, load_suite


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What to score.

    Attributes:
        paths: result files, folders, archives.
        bench: name of the suite whose routes are expected; empty if runs of ours say it.
        seeds: that are expected, also those without a record.
        rules: of the drives, if not those of the benchmark.
        success: what counts as a success, if not what the benchmark says.
        junctions: table that says where first junctions lie, instead of the suite's own.
    """

    paths: tuple[Path, ...]
    bench: str
    on_duplicate: OnDuplicate = OnDuplicate.ERROR
    seeds: tuple[int, ...] = ()
    rules: RuleVersion | None = None
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
        interval, success_interval: of the official driving score and success rate, over routes drawn anew. Routes of
            a pair, which share way, weather and traffic, are drawn together.
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
        foreign_rules: seeds whose penalties the rules of the benchmark do not explain.
        problems: what may be a result and does not count, or not as it stands; those of ``foreign_rules`` too.
    """

    suite: Suite
    facts: Mapping[str, RouteFacts]
    rule: SuccessRule
    results: ResultSet
    records: tuple[ReadRecord, ...]
    scores: SetScores
    interval: Interval
    success_interval: Interval
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
    foreign_rules: tuple[Problem, ...]
    problems: tuple[Problem, ...]

    @property
    def missing(self) -> int:
        """Drives that are expected and have no record."""
        return sum(len(seed.missing) for seed in self.seeds)

    @property
    def dropped(self) -> int:
        """Drives that Fail2Drive's parser drops, because their agent could not be set up."""
        return 0 if self.splits is None else len(self.splits.agent_not_set_up)

    @property
    def has_headline(self) -> bool:
        """Whether the means are those of the whole set by the rules of the benchmark, so that they may be quoted."""
        is_whole = not self.missing and self.scores.found <= self.scores.expected
        return is_whole and not self.dropped and not self.foreign_rules

    @property
    def is_complete(self) -> bool:
        """There is a headline, and every file could be read and agrees with itself."""
        return self.has_headline and not self.problems

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation (divisor n - 1) of the seeds' official driving scores; None for one seed."""
        means = [seed.scores.driving_score for seed in self.seeds]
        return stdev(means) if len(means) > 1 else None

    @property
    def success_deviation(self) -> float | None:
        """The same of the seeds' official success rates."""
        rates = [seed.scores.success_rate for seed in self.seeds]
        return stdev(rates) if len(rates) > 1 else None

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
        ConfigError: a path does not exist, or what lies below the paths is of another benchmark, or of an unknown one.
        DuplicateError: two results of one drive.
    """
    results = read_results(_with_all_seeds(request.paths), benchmark=request.bench, on_duplicate=request.on_duplicate)
    suite = load_suite(request.bench or _stated_benchmark(results), SUITES_DIR)
    if request.rules is not None:
        suite = replace(suite, rule_version=request.rules.value)
    facts = read_route_facts(suite.name, SUITES_DIR)
    names = _same_routes(suite, {record.file.benchmark for record in results.records})

    def is_of(record: ReadRecord) -> bool:
        return record.file.benchmark in names and _is_of(record.route, facts)

    inside = [record for record in results.records if is_of(record)]
    outside = tuple(sorted({record.route.xml_id for record in results.records if not is_of(record)}))
    check_benchmark(results, inside, outside, suite)
    if request.on_duplicate is not OnDuplicate.ALL:
        check_drives(inside)
    sweeps = _by_sweep(results, inside, suite, request.seeds)
    rule = request.success or _success_rule(suite)
    routes = [record.route for record in inside]
    is_bench2drive = suite.rule_version == RuleVersion.BENCH2DRIVE
    efficiency, wrong_logs = score_benchmarks.efficiency(inside) if is_bench2drive else (None, ())
    comfort, wrong_motion = score_benchmarks.comfort(results, inside) if is_bench2drive else (None, ())
    garage, wrong_lanes = score_benchmarks.garage(results, suite)
    junctions = _junctions(request.junctions, facts, suite)
    in_file_order = [record for record in results.in_file_order() if is_of(record)]
    audits = {sweep: audit(record.route for record in of_sweep) for sweep, of_sweep in sweeps.items()}
    foreign = tuple(foreign_rules(audits, suite))
    return ScoreReport(
        suite=suite,
        facts=facts,
        rule=rule,
        results=results,
        records=tuple(inside),
        scores=score_set(routes, suite.size * len(sweeps), rule),
        interval=bootstrap(list(_by_pair(routes, suite, len(sweeps), lambda route: route.driving_score))),
        success_interval=bootstrap(list(_by_pair(routes, suite, len(sweeps), lambda route: is_success(route, rule)))),
        completion_percent=sum(route.completion_percent for route in routes) / len(routes),
        seeds=tuple(_seed_scores(sweep, of_sweep, suite, rule) for sweep, of_sweep in sweeps.items()),
        crashed=sum(lb20.is_crash(route.status) for route in routes),
        retried=sum(record.file.attempts > 1 for record in inside) + results.replaced,
        lead_repeats=_repeated_by_lead(results, in_file_order),
        outside=outside,
        statuses=dict(sorted(Counter(route.status for route in routes).items())),
        scenarios=_by_scenario(routes, score_benchmarks.scenario_names(suite, facts), len(sweeps), rule),
        audit=joined(audits.values()),
        efficiency=efficiency,
        abilities=score_benchmarks.ability_tables(in_file_order, facts, junctions) if is_bench2drive else (),
        comfort=comfort,
        splits=score_benchmarks.fail2drive_scores(inside, suite, tuple(sweeps), rule)
        if suite.name == "fail2drive"
        else None,
        garage=garage,
        figures=score_benchmarks.parser_figures(inside, suite),
        foreign_rules=foreign,
        problems=(
            *results.problems,
            *wrong_logs,
            *wrong_motion,
            *wrong_lanes,
            *contradictions(inside, suite),
            *foreign,
        ),
    )


def _by_pair(
    routes: Sequence[ScoredRoute], suite: Suite, sweeps: int, value_of: Callable[[ScoredRoute], float]
) -> Iterable[float]:
    """Return the mean value of every route of a suite, or pair of routes; a missing drive is a zero."""
    pairs = {route.route_id: _pair_of(route) for route in suite.routes}
    sizes = Counter(pairs.values())
    totals = dict.fromkeys(sizes, 0.0)
    for route in routes:
        totals[pairs[route.xml_id]] += value_of(route)
    return (total / sizes[pair] / sweeps for pair, total in totals.items())


def _pair_of(route: SuiteRoute) -> str:
    """Return what names a pair of Fail2Drive; a route of another benchmark is alone."""
    name = fail2drive.route_name(route.stem)
    return route.route_id if name is None else str(name.pair)


def _success_rule(suite: Suite) -> SuccessRule:
    """Return what the benchmark itself calls a success; those that say nothing get the rule that forgives nothing."""
    if suite.rule_version == RuleVersion.BENCH2DRIVE:
        return SuccessRule.B2D
    return SuccessRule.F2D if suite.name == "fail2drive" else SuccessRule.PERFECT


def _is_of(route: ScoredRoute, facts: Mapping[str, RouteFacts]) -> bool:
    """Tell whether a record is of the suite; two editions have routes of one id in different towns."""
    known = facts.get(route.xml_id)
    return known is not None and (not route.town or route.town.rpartition("/")[2] == known.town)


def _with_all_seeds(paths: Sequence[Path]) -> list[Path]:
    """Return paths, and behind them the folders of the other seeds of runs of ours, which lie elsewhere."""
    found, known = list(paths), {path.resolve() for path in paths}
    for path in paths:
        for folder in _folders_of_seeds(RunFolder(path.resolve())):
            if folder not in known and folder.is_dir():
                found.append(folder)
                known.add(folder)
    return found


def _folders_of_seeds(run: RunFolder) -> list[Path]:
    if run.is_dataset or not run.manifest.is_file():
        return []
    try:
        return list(dict.fromkeys(run.unit_folder(unit).parent for unit in run.units()))
    except HarnessError:
        return []  # the reader meets the same manifest, and tells what is wrong with it


def _stated_benchmark(results: ResultSet) -> str:
    names = sorted({record.file.benchmark for record in results.records})
    if len(names) == 1 and names[0]:
        return names[0]
    found = f"results of {', '.join(name or 'no stated benchmark' for name in names)}" if names else "no record"
    raise ConfigError(f"found {found}, expected runs of one suite", hint="--bench NAME; make list shows the suites")


def _same_routes(suite: Suite, stated: set[str]) -> set[str]:
    """Return the suites whose results are of this one too, because they have its routes and rules."""
    same = {"", suite.name}
    for name in stated - same:
        if name in list_suites(SUITES_DIR):
            other = load_suite(name, SUITES_DIR)
            if (other.folder, other.rule_version) == (suite.folder, suite.rule_version):
                same.add(name)
    return same


def _junctions(file: Path | None, facts: Mapping[str, RouteFacts], suite: Suite) -> dict[str, float]:
    known = junction_percent(facts)
    if file is None:
        return known
    if suite.rule_version != RuleVersion.BENCH2DRIVE:
        raise ConfigError(f"found --junctions for {suite.name}, expected a suite of Bench2Drive, which has abilities")
    return known | read_junctions(file, facts)


def _by_sweep(
    results: ResultSet, inside: Sequence[ReadRecord], suite: Suite, seeds: Sequence[int]
) -> dict[Sweep, list[ReadRecord]]:
    """Return the records of each sweep: of those that have one, that a run of ours was to drive, that are asked for."""
    planned = {Sweep(unit.seed, unit.repetition) for unit in results.planned_units if unit.benchmark == suite.name}
    asked = {Sweep(seed, 0) for seed in seeds}
    order = sorted({record.sweep for record in inside} | planned | asked, key=lambda sweep: sweep.order)
    sweeps: dict[Sweep, list[ReadRecord]] = {sweep: [] for sweep in order}
    for record in inside:
        sweeps[record.sweep].append(record)
    return sweeps


def _seed_scores(sweep: Sweep, records: Sequence[ReadRecord], suite: Suite, rule: SuccessRule) -> SeedScores:
    routes = [record.route for record in records]
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
    by_file: dict[FileIdentity, list[ScoredRoute]] = {
        file.identity: []
        for file in results.files
        if file.kind in (FileKind.ROUTE, FileKind.CHECKPOINT) and not file.found
    }
    for record in in_file_order:
        by_file.setdefault(record.file.identity, []).append(record.route)
    repeated = {identity for identity, routes in by_file.items() if lead_repeats(routes)}
    return tuple(file.name for file in results.files if file.identity in repeated)
