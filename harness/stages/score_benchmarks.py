"""What single benchmarks print beyond driving score and success rate, made from read records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.metrics import bench2drive, fail2drive, lead_parser
from harness.metrics.bench2drive import Abilities, AbilityFormula
from harness.metrics.rules import RuleVersion
from harness.metrics.smoothness import FEWEST_STEPS, RouteComfort, Smoothness, route_comfort, smoothness
from harness.metrics.success import SuccessRule
from harness.results.motion import read_motion
from harness.results.motion_owners import motion_owners
from harness.results.result_set import Problem, ProblemKind, ReadRecord, ResultFile, ResultSet, Sweep
from harness.route_facts import RouteFacts
from harness.stages.garage import GarageReport, garage_report
from harness.suites import Suite


@dataclass(frozen=True, kw_only=True)
class AbilityTable:
    """Bench2Drive's abilities by one formula; each value is the mean over the seeds, None if a seed has none."""

    formula: AbilityFormula
    per_seed: tuple[Abilities, ...]

    @property
    def values(self) -> dict[str, float | None]:
        """The abilities by name, 0 to 1."""
        return {name: _mean([seed.value_of(name) for seed in self.per_seed]) for name in bench2drive.ABILITIES}

    @property
    def mean(self) -> float | None:
        """Mean of the five, 0 to 1."""
        return _mean([seed.mean for seed in self.per_seed])


@dataclass(frozen=True, kw_only=True)
class ParserTables:
    """The further tables of LEAD's parser and what it would complain about."""

    by_route: tuple[lead_parser.GroupRow, ...]
    by_town: tuple[lead_parser.GroupRow, ...]
    notices: lead_parser.Notices


def ability_tables(
    records: Sequence[ReadRecord], facts: Mapping[str, RouteFacts], junction_percent: Mapping[str, float]
) -> tuple[AbilityTable, ...]:
    """Return the abilities by both formulas.

    Args:
        records: in the order of the files, since the first of several results of a drive counts.
        facts: every route of the set.
        junction_percent: route completion above which the first junction counts as passed, by XML id.
    """
    types = {xml_id: route.scenario for xml_id, route in facts.items()}
    sweeps: dict[Sweep, list[ReadRecord]] = {}
    for record in records:
        sweeps.setdefault(record.sweep, []).append(record)
    return tuple(
        AbilityTable(
            formula=formula,
            per_seed=tuple(
                bench2drive.abilities([record.route for record in of_sweep], types, junction_percent, formula)
                for of_sweep in sweeps.values()
            ),
        )
        for formula in AbilityFormula
    )


def efficiency(records: Sequence[ReadRecord]) -> tuple[bench2drive.Efficiency, tuple[Problem, ...]]:
    """Return the driving efficiency of the records whose minimum-speed log can be read, and which cannot."""
    logs: list[tuple[str, list[float]]] = []
    problems: list[Problem] = []
    for record in records:
        try:
            logs.append((record.route.route_id, bench2drive.speed_entries(record.route)))
        except HarnessError as error:
            problems.append(_unreadable(record, error))
    return bench2drive.efficiency(logs), tuple(problems)


def _unreadable(record: ReadRecord, error: HarnessError) -> Problem:
    return Problem(
        kind=ProblemKind.WRONG_RECORD,
        file=record.file.name,
        found=error.message,
        expected="a sentence of an evaluator",
        position=record.position,
    )


def comfort(results: ResultSet, records: Sequence[ReadRecord]) -> tuple[Smoothness | None, tuple[Problem, ...]]:
    """Return the comfort of those records that have a metric info, None if none has; and what could not be read.

    Raises:
        HarnessError: a file is no longer what was read before.
    """
    wanted = {_name(record) for record in records}
    owners = motion_owners(results)
    problems = list(owners.problems)
    of_file = {file.identity: _name(record) for record, file in owners.pairs if _name(record) in wanted}
    comforts: dict[str, RouteComfort | None] = {}
    for file, motion in read_motion(file for _, file in owners.pairs if file.identity in of_file):
        if isinstance(motion, Problem):
            problems.append(motion)
            continue
        of_route = comforts[of_file[file.identity]] = route_comfort(motion)
        if of_route is None:
            problems.append(_too_short(file, len(motion)))
    names = [_name(record) for record in records]
    return (smoothness(names, comforts) if of_file else None), tuple(problems)


def _too_short(file: ResultFile, steps: int) -> Problem:
    return Problem(
        kind=ProblemKind.MALFORMED, file=file.name, found=f"{steps} steps", expected=f"at least {FEWEST_STEPS}"
    )


def fail2drive_scores(
    records: Sequence[ReadRecord], suite: Suite, sweeps: Sequence[Sweep], rule: SuccessRule
) -> fail2drive.Fail2DriveScores:
    """Return Base and Generalization, classes and scenarios."""
    names = [name for route in suite.routes if (name := fail2drive.route_name(route.stem)) is not None]
    drives = [
        fail2drive.Drive(seed=str(record.sweep), number=int(record.route.xml_id), route=record.route)
        for record in records
    ]
    return fail2drive.aggregate(drives, names, sorted(map(str, sweeps)), rule=rule)


def garage(results: ResultSet, suite: Suite) -> tuple[GarageReport | None, tuple[Problem, ...]]:
    """Return the figures of files of Leaderboard 1.0, None without such files; and what cannot be read."""
    try:
        return garage_report(results, suite.name), ()
    except HarnessError as error:
        expected = "a sentence of an evaluator"
        return None, (Problem(kind=ProblemKind.WRONG_RECORD, file=suite.name, found=error.message, expected=expected),)


def parser_figures(records: Sequence[ReadRecord], suite: Suite) -> tuple[lead_parser.RouteFigures, ...] | str:
    """Return the figures of LEAD's parser per record; else why there are none."""
    if suite.rule_version == RuleVersion.BENCH2DRIVE:
        return "the parsers that print them do not read Bench2Drive's files"
    try:
        return tuple(lead_parser.route_figures(record.route) for record in records)
    except HarnessError as error:
        return error.message


def parser_tables(figures: Sequence[lead_parser.RouteFigures], facts: Mapping[str, RouteFacts]) -> ParserTables:
    """Return the parser's tables per route and per town, and its complaints."""
    towns = {xml_id: route.town for xml_id, route in facts.items()}
    return ParserTables(
        by_route=lead_parser.by_route(figures, towns),
        by_town=lead_parser.by_town(figures, towns),
        notices=lead_parser.notices([figure.route for figure in figures], len(facts)),
    )


def scenario_names(suite: Suite, facts: Mapping[str, RouteFacts]) -> dict[str, str]:
    """Return the scenario that a route is grouped by, by XML id; "none" where nothing is played.

    Fail2Drive names its scenarios in the files, since most of its Base routes play none.
    """
    if suite.name == "fail2drive":
        named = {route.route_id: fail2drive.route_name(route.stem) for route in suite.routes}
        return {xml_id: name.scenario for xml_id, name in named.items() if name is not None}
    return {xml_id: route.scenario or "none" for xml_id, route in facts.items()}


def _name(record: ReadRecord) -> str:
    return f"{record.file.name} record {record.position}"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
