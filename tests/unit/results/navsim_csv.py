"""CSV files as NAVSIM's scripts write them with pandas: an index, tokens, rows of averages, empty cells for nothing."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

NC, DAC, DDC, TLC = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "driving_direction_compliance",
    "traffic_light_compliance",
)
EP, TTC, LK, HC, EC, C = (
    "ego_progress",
    "time_to_collision_within_bound",
    "lane_keeping",
    "history_comfort",
    "two_frame_extended_comfort",
    "comfort",
)
V1 = (NC, DAC, EP, TTC, C, DDC)
V2 = (NC, DAC, DDC, TLC, EP, TTC, LK, HC, EC)
_GATES = {NC, DAC, TLC}
_WEIGHTS = {EP: 5, TTC: 5, LK: 2, HC: 2, EC: 2, C: 2}

Row = dict[str, Any]


def row(number: int, *, columns: Sequence[str] = V1, is_valid: bool = True, **values: float | None) -> Row:
    """Return a token with sub-scores of 1 except those given; its score follows from them.

    Worked out with the weights as a table, not as a formula: only what has a value is weighed.
    """
    token = f"{number:016x}"
    if not is_valid:
        return {"token": token, "valid": False}
    subscores = {column: values.get(column, 1.0) for column in columns}
    gates = _GATES | ({DDC} if columns is V2 else set())
    weighed = {column: weight for column, weight in _WEIGHTS.items() if subscores.get(column) is not None}
    mean = sum(weight * subscores[column] for column, weight in weighed.items()) / sum(weighed.values())
    score = mean * math.prod(value for column, value in subscores.items() if column in gates)
    return {"token": token, "valid": True, **subscores, "score": score}


def staged(each: Row, stage: str) -> Row:
    """Return a row of version 2 with its sub-scores under the columns of a stage, ``one`` or ``two``."""
    return {f"{key}_stage_{stage}" if key in V2 else key: value for key, value in each.items()}


def average(rows: Sequence[Row], columns: Sequence[str], name: str = "average") -> Row:
    """Return the row of averages, over what there is."""
    means: Row = {"token": name, "valid": all(each["valid"] for each in rows)}
    for column in (*columns, "score"):
        values = [each[column] for each in rows if each.get(column) is not None]
        means[column] = sum(values) / len(values) if values else None
    return means


def text_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return the file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", "token", "valid", *columns, "score"])
    for index, each in enumerate(rows):
        cells = [each.get(column) for column in ("token", "valid", *columns, "score")]
        writer.writerow([index, *("" if cell is None else str(cell) for cell in cells)])
    return text.getvalue()


def v1(*rows: Row) -> str:
    """Return a file of version 1."""
    return text_of([*rows, average(rows, V1)], V1)


def v2(*rows: Row) -> str:
    """Return a file of version 2 with one stage."""
    return text_of([*rows, average(rows, V2, "average_all_frames")], V2)


def two_stages(first: Sequence[Row], second: Sequence[Row], *, two: float, combined: float) -> str:
    """Return a file of the two-stage benchmark; stage two and combined state what is given."""
    columns = [f"{name}_stage_{stage}" for stage in ("one", "two") for name in V2]
    rows = [*(staged(each, "one") for each in first), *(staged(each, "two") for each in second)]
    mean = sum(each["score"] for each in first if each["valid"]) / sum(each["valid"] for each in first)
    ends = {"stage_one": mean, "stage_two": two, "combined": combined}
    rows += [{"token": f"extended_pdm_score_{name}", "valid": True, "score": value} for name, value in ends.items()]
    return text_of(rows, columns)
