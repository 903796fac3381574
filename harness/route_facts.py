"""What is known of a suite's routes without reading a route file or loading a town: a small table beside the manifest.

Scores need the town (a map of infractions), the first scenario (Bench2Drive's abilities) and where the first junction
lies (its traffic-sign ability), also on a machine that has neither routes nor towns.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RouteError

COLUMNS = ("xml_id", "town", "scenario", "junction_point", "plan_points")


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteFacts:
    """One route.

    Attributes:
        scenario: type of its first scenario; "" if it has none.
        junction_point: which point of the dense plan is the first in a junction, counted from 1; None if none is.
        plan_points: points of the dense plan; None where it was not computed.
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
    try:
        with file.open(encoding="utf-8", newline="") as text:
            rows = list(csv.reader(text))
    except OSError as error:
        raise RouteError(f"cannot read the table of routes {file}: {error.strerror or error}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise RouteError(f"table of routes {file} line 1: found {rows[:1]}, expected {','.join(COLUMNS)}")
    facts = [_facts(row, f"{file} line {number}") for number, row in enumerate(rows[1:], start=2)]
    return {each.xml_id: each for each in facts}


def _facts(row: list[str], place: str) -> RouteFacts:
    if len(row) != len(COLUMNS) or not all(number.isdecimal() or not number for number in row[3:]):
        raise RouteError(f"table of routes {place}: found {','.join(row)!r}, expected {','.join(COLUMNS)}")
    xml_id, town, scenario, point, points = row
    return RouteFacts(
        xml_id=xml_id,
        town=town,
        scenario=scenario,
        junction_point=int(point) if point else None,
        plan_points=int(points) if points else None,
    )
