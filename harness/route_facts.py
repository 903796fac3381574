"""What is known of a suite's routes without reading a route file or loading a town: a small table beside the manifest.

Scores need the town (a map of infractions), the first scenario (Bench2Drive's abilities) and where the first junction
lies (its traffic-sign ability), also on a machine that has neither routes nor towns. ``make route-facts`` writes the
tables.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from harness.errors import RouteError

COLUMNS = ("xml_id", "town", "scenario", "junction_point", "plan_points")
_JUNCTION_COLUMNS = ("xml_id", "percent")
_JUNCTION_HINT = "docs/scores.md describes the table"
# Junctions near the end of a short route count as passed some points behind it.
_MOST_PERCENT = 200.0
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?")
# A junction counts as passed this many points of the plan after its first one.
_POINTS_INTO_JUNCTION = 8
# Of a table that a user gives; it has a short line per route.
_LARGEST_TABLE_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteFacts:
    """One route.

    Attributes:
        scenario: type of its first scenario; "" if it has none.
        junction_point: which point of the official plan is the first in a junction, counted from 1; None if none is.
        plan_points: points of that plan (`harness.drive.planned_points`); None where it was not laid out.
    """

    xml_id: str
    town: str
    scenario: str
    junction_point: int | None
    plan_points: int | None


def read_route_facts(suite: str, suites_dir: Path) -> Mapping[str, RouteFacts]:
    """Return the routes of a suite by XML id, in the order of the table.

    Raises:
        RouteError: there is no such table, or a row is malformed (names file and line).
    """
    file = suites_dir / f"{suite}.csv"
    facts = [_facts(row, f"{file} line {number}") for number, row in _rows(file)]
    return {each.xml_id: each for each in facts}


def render_route_facts(facts: Iterable[RouteFacts]) -> str:
    """Return the text of a table, which `read_route_facts` reads back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(each) for each in facts)
    return text.getvalue()


def junction_percent(facts: Mapping[str, RouteFacts]) -> dict[str, float]:
    """Return the route completion [percent] above which the first junction counts as passed, by XML id.

    100 (k + 8) / n for the k-th of n points of the plan, counted from 1; routes without a junction are absent.
    Source: Thinklab-SJTU/Bench2Drive ``tools/ability_benchmark.py``.
    """
    return {
        xml_id: 100.0 * (route.junction_point + _POINTS_INTO_JUNCTION) / route.plan_points
        for xml_id, route in facts.items()
        if route.junction_point is not None and route.plan_points
    }


def read_junctions(file: Path, routes: Collection[str]) -> dict[str, float]:
    """Return the same as `junction_percent` from a table that somebody made: columns ``xml_id`` and ``percent``.

    Args:
        routes: XML ids of the suite.

    Raises:
        RouteError: the file cannot be read, or a row is not a route of the suite, once, with a percentage above 0 and
            up to 200 (names file and line); or all are shares of 1 instead of percentages.
    """
    percents: dict[str, float] = {}
    lines: dict[str, int] = {}
    for line, row in _junction_rows(file):
        if len(row) != len(_JUNCTION_COLUMNS):
            raise _wrong_junction(file, line, f"{','.join(row)!r:.80}", ",".join(_JUNCTION_COLUMNS))
        xml_id, text = row
        if xml_id not in routes:
            raise _wrong_junction(file, line, f"xml_id {xml_id!r:.60}", f"one of the {len(routes)} of the suite")
        if xml_id in lines:
            raise _wrong_junction(file, line, f"xml_id {xml_id!r:.60} of line {lines[xml_id]} again", "each once")
        percent = float(text) if _DECIMAL.fullmatch(text) else math.nan
        if not 0.0 < percent <= _MOST_PERCENT:
            expected = f"a plain decimal number above 0 and up to {_MOST_PERCENT:g}"
            raise _wrong_junction(file, line, f"percent {text!r:.60}", expected)
        percents[xml_id], lines[xml_id] = percent, line
    if not percents:
        raise _wrong_junction(file, 1, "no row below the headings", "at least one")
    if max(percents.values()) <= 1.0:
        line = min(lines.values())
        raise _wrong_junction(file, line, f"no number above 1 in {len(lines)} row(s)", "percent", "write 35 for 0.35")
    return percents


def _junction_rows(file: Path) -> list[tuple[int, list[str]]]:
    """Return the rows below the headings with the number of their last line; a mark and blank lines are passed over."""
    reader = csv.reader(io.StringIO(_text(file, "table of junctions"), newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip()]
    except csv.Error as error:
        raise _wrong_junction(file, reader.line_num, f"{error}", "CSV") from error
    if not rows or tuple(rows[0][1]) != _JUNCTION_COLUMNS:
        line, row = rows[0] if rows else (1, [])
        raise _wrong_junction(file, line, f"{','.join(row)!r:.80}", ",".join(_JUNCTION_COLUMNS))
    return rows[1:]


def _wrong_junction(file: Path, line: int, found: str, expected: str, hint: str = _JUNCTION_HINT) -> RouteError:
    return RouteError(f"table of junctions {file} line {line}: found {found}, expected {expected}", hint=hint)


def _rows(file: Path) -> list[tuple[int, list[str]]]:
    """Return the rows below the headings of a table of routes with their line numbers."""
    try:
        rows = list(csv.reader(_text(file, "table of routes").splitlines()))
    except csv.Error as error:
        raise RouteError(f"cannot read the table of routes {file}: {error}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise RouteError(f"table of routes {file} line 1: found {rows[:1]!r:.80}, expected {','.join(COLUMNS)}")
    return list(enumerate(rows[1:], start=2))


def _text(file: Path, what: str) -> str:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_TABLE_BYTES:
            raise RouteError(f"cannot read the {what} {file}: expected a file of at most 1 MB")
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise RouteError(f"cannot read the {what} {file}: {error}") from error


def _facts(row: list[str], place: str) -> RouteFacts:
    if len(row) != len(COLUMNS) or not all(number.isdecimal() or not number for number in row[3:]):
        raise RouteError(f"table of routes {place}: found {','.join(row)!r:.80}, expected {','.join(COLUMNS)}")
    xml_id, town, scenario, point, points = row
    return RouteFacts(
        xml_id=xml_id,
        town=town,
        scenario=scenario,
        junction_point=int(point) if point else None,
        plan_points=int(points) if points else None,
    )
