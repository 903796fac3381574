"""What is known of a suite's routes without reading a route file or loading a town: a small table beside the manifest.

Scores need the town (a map of infractions), the first scenario (Bench2Drive's abilities) and where the first junction
lies (its traffic-sign ability), also on a machine that has neither routes nor towns. ``make route-facts`` writes the
tables.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from harness.errors import RouteError

COLUMNS = ("xml_id", "town", "scenario", "junction_point", "plan_points")
_JUNCTION_COLUMNS = ("xml_id", "percent")
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
    facts = [_facts(row, f"{file} line {number}") for number, row in _rows(file, COLUMNS)]
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


def read_junctions(file: Path) -> dict[str, float]:
    """Return the same as `junction_percent` from a table that somebody made: columns ``xml_id`` and ``percent``.

    Raises:
        RouteError: the file cannot be read, or a row is malformed (names file and line).
    """
    found: dict[str, float] = {}
    for number, row in _rows(file, _JUNCTION_COLUMNS):
        try:
            xml_id, percent = row[0], float(row[1])
        except (IndexError, ValueError):
            percent = math.nan
        if len(row) != len(_JUNCTION_COLUMNS) or not math.isfinite(percent):
            text = ",".join(row)
            raise RouteError(f"table of junctions {file} line {number}: found {text!r:.80}, expected xml_id,percent")
        found[xml_id] = percent
    return found


def _rows(file: Path, columns: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Return the rows below the headings with their line numbers."""
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_TABLE_BYTES:
            raise RouteError(f"cannot read the table of routes {file}: expected a file of at most 1 MB")
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RouteError(f"cannot read the table of routes {file}: {error}") from error
    if not rows or tuple(rows[0]) != columns:
        raise RouteError(f"table of routes {file} line 1: found {rows[:1]!r:.80}, expected {','.join(columns)}")
    return list(enumerate(rows[1:], start=2))


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
