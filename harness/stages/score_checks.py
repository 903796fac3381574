"""What makes a number untrustworthy though it can be computed: records that contradict themselves or the benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.errors import ConfigError
from harness.metrics import fail2drive, lb20
from harness.metrics.audit import AuditReport
from harness.metrics.rules import TITLES, RuleVersion, same_penalties
from harness.results.result_set import DuplicateError, Problem, ProblemKind, ReadRecord, ResultSet, Sweep, shown
from harness.suites import Suite

# Completion has two decimals, the other two factors six.
_SCORE_TOLERANCE = 0.011
# Below this share a benchmark's rules do not explain a set of penalties, whatever else does.
_LEAST_EXPLAINED = 0.5


def check_benchmark(results: ResultSet, inside: Sequence[ReadRecord], outside: Sequence[str], suite: Suite) -> None:
    """Refuse results of another benchmark.

    Raises:
        ConfigError: nothing of the suite is there, or most of what is there is not of it.
    """
    if not inside:
        raise ConfigError(_nothing_found(results, suite), hint="make list shows the suites, --bench takes one")
    # Ids are small numbers in most benchmarks, so that some always seem to fit; a town that fits too is no accident.
    is_sure = all(record.route.town for record in inside)
    if len(outside) > len({record.route.xml_id for record in inside}) and not is_sure:
        ids = ", ".join(map(shown, outside[:5]))
        raise ConfigError(
            f"found results of {len(outside)} routes that {suite.name} does not have ({ids}), expected its own",
            hint="--bench with the benchmark that they are of; make list shows all",
        )
    named = [record.file for record in inside if fail2drive.route_name(record.file.file_name.removesuffix(".json"))]
    if suite.name != "fail2drive" and 2 * len(named) > len(inside):
        raise ConfigError(
            f"found files named as Fail2Drive's routes ({named[0].file_name}), expected results of {suite.name}",
            hint="--bench fail2drive",
        )


def _nothing_found(results: ResultSet, suite: Suite) -> str:
    if results.problems:
        return f"no record of {suite.name} found; first problem: {results.problems[0]}"
    ids = sorted({record.route.xml_id for record in results.records})
    found = f"routes {', '.join(map(shown, ids[:5]))}" if ids else "no record at all"
    return f"no record of {suite.name} found in {len(results.files)} files: {found}, expected routes of the suite"


def check_drives(inside: Sequence[ReadRecord]) -> None:
    """Refuse two results of one drive that runs of two suites with the same routes hold.

    Raises:
        DuplicateError: names both files.
    """
    first: dict[tuple[Sweep, str], ReadRecord] = {}
    for record in inside:
        other = first.setdefault((record.sweep, record.route.xml_id), record)
        if other is not record:
            files = " and ".join(sorted((other.file.name, record.file.name)))
            raise DuplicateError(
                f"found two results of route {record.route.xml_id} seed {record.sweep}: {files}, expected one",
                hint="give only the files that count",
            )


def contradictions(records: Sequence[ReadRecord], suite: Suite) -> Iterator[Problem]:
    """Yield records that cannot be as an evaluator writes them."""
    for record in records:
        route = record.route
        product = max(route.completion_percent * route.penalty, 0.0)
        if abs(product - route.driving_score) > _SCORE_TOLERANCE:
            found = f"driving score {route.driving_score:.2f} of {route.route_id}"
            yield _problem(record, found, f"completion x penalty, {product:.2f}")
        is_finished = route.completion_percent >= 100.0 and not any(route.messages.values())
        if route.status == lb20.STATUS_PERFECT and not is_finished:
            yield _problem(record, f"status Perfect of {route.route_id}", "a finished route without any infraction")
        stated = record.file.rule_version
        if stated and not (stated in set(RuleVersion) and same_penalties(RuleVersion(stated), _rules(suite))):
            yield _problem(record, f"a drive by rules {shown(stated)}", f"rules {suite.rule_version}")


def _problem(record: ReadRecord, found: str, expected: str) -> Problem:
    return Problem(
        kind=ProblemKind.INCONSISTENT,
        file=record.file.name,
        found=found,
        expected=expected,
        position=record.position,
    )


def foreign_rules(audits: Mapping[Sweep, AuditReport], suite: Suite) -> Iterator[Problem]:
    """Yield the sweeps whose penalties other rules explain better, or the benchmark's hardly.

    Only records count whose penalty depends on the rules at all.
    """
    wanted = _rules(suite)
    for sweep, report in audits.items():
        telling, counts = len(report.telling), report.telling_fit_counts
        best = max(counts, key=lambda version: counts[version])
        is_explained = counts[wanted] == counts[best] and counts[wanted] >= _LEAST_EXPLAINED * telling
        if is_explained:
            continue
        found = f"{counts[wanted]} of {telling} penalties that tell"
        better = f"{found}, {counts[best]} by {TITLES[best]}"
        hardly = f"{found} follow from their events by {TITLES[wanted]}"
        yield Problem(
            kind=ProblemKind.INCONSISTENT,
            file=f"seed {sweep}",
            found=better if counts[best] > counts[wanted] else hardly,
            expected=f"the rules of {suite.name}, {TITLES[wanted]}",
        )


def _rules(suite: Suite) -> RuleVersion:
    return RuleVersion(suite.rule_version)
