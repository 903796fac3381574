"""What is wrong with recorded frames: types, and whether frames agree with themselves and with their neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.record.history import wrapped
from harness.record.kinds import Kind, describe
from harness.record.schema import BOX_FIELDS, EGO_TICKS, META_FIELDS, TICKS_PER_FRAME

#: How far two ways to say the same may be apart [m, rad, m/s]: matrices are float32, futures of boxes float16.
EXACT, COARSE = 5e-3, 0.1
_FUTURES = ("future_positions", "future_yaws", "future_speeds")
_PASTS = ("past_positions", "past_filtered_state", "privileged_past_positions", "past_speeds", "past_yaws")


class Finding(NamedTuple):
    """Something wrong: what was found, and what was expected."""

    found: str
    expected: str


def meta_findings(meta: Any) -> list[Finding]:
    """Check the keys and types of a meta; keys of sensors may be there or not."""
    if not isinstance(meta, dict):
        return [Finding(describe(meta), "a dict")]
    return _field_findings("", meta, META_FIELDS)


def boxes_findings(boxes: Any) -> list[Finding]:
    """Check the keys and types of the boxes of a frame, their order and ids."""
    if not isinstance(boxes, list) or not all(isinstance(box, dict) for box in boxes):
        return [Finding(describe(boxes), "a list of dicts")]
    findings: list[Finding] = []
    for number, box in enumerate(boxes):
        kind = box.get("class")
        if not isinstance(kind, str) or kind not in BOX_FIELDS:
            findings.append(Finding(f"box {number} of class {str(kind)[:40]!r}", f"one of {', '.join(BOX_FIELDS)}"))
        else:
            findings += _field_findings(f"{kind} ", box, BOX_FIELDS[kind])
    if findings:
        return findings
    egos = [number for number, box in enumerate(boxes) if box["class"] == "ego_car"]
    if egos != [0]:
        findings.append(Finding(f"ego_car at {egos}", "one ego_car, the first box"))
    distances = [box["distance"] for box in boxes]
    if any(far < near for near, far in pairwise(distances)):
        findings.append(Finding("boxes in another order", "boxes sorted by distance"))
    ids = [box["id"] for box in boxes]
    if len(set(ids)) < len(ids):
        findings.append(Finding("an id twice", "ids that differ"))
    for box in boxes:
        if abs(math.hypot(*box["position"]) - box["distance"]) > EXACT:
            findings.append(Finding(f"{box['class']} at another distance than its position says", "the same"))
        if "future_positions" in box:
            findings += _box_future_findings(box)
    return findings


def frame_findings(meta: Mapping[str, Any], boxes: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Check that a sound meta and its sound boxes say the same, and that the looks ahead begin with now."""
    findings = []
    if not _is_near(meta["ego_matrix"][:3, 3], meta["pos_global"]):
        findings.append(Finding("ego_matrix at another place than pos_global", "the same"))
    if not _is_near(np.array(boxes[0]["matrix"]), meta["ego_matrix"]):
        findings.append(Finding("an ego_car with another matrix than ego_matrix", "the same"))
    if len({len(meta[key]) for key in _FUTURES}) > 1:
        findings.append(Finding("futures of different length", f"{', '.join(_FUTURES)} of one length"))
    if len({len(meta[key]) for key in _PASTS}) > 1:
        findings.append(Finding("pasts of different length", f"{', '.join(_PASTS)} of one length"))
    for key, now in (("future_positions", 0.0), ("future_yaws", 0.0), ("future_speeds", meta["speed"])):
        if not _is_near(meta[key][0], now):
            findings.append(Finding(f"{key} that do not begin with now", f"{now:g} at index 0"))
    return findings


def length_findings(meta: Mapping[str, Any], number: int, count: int) -> list[Finding]:
    """Check that a frame looks as far back and ahead as its place among all frames allows."""
    past = min(EGO_TICKS, number * TICKS_PER_FRAME) + 1
    least = min(EGO_TICKS, (count - 1 - number) * TICKS_PER_FRAME) + 1
    most = min(EGO_TICKS + 1, least + TICKS_PER_FRAME - 1)
    findings = []
    if len(meta["past_speeds"]) != past:
        findings.append(Finding(f"past_speeds of length {len(meta['past_speeds'])}", f"{past}"))
    if not least <= len(meta["future_speeds"]) <= most:
        findings.append(Finding(f"future_speeds of length {len(meta['future_speeds'])}", f"{least} to {most}"))
    return findings


def following_findings(
    meta: Mapping[str, Any],
    boxes: Sequence[Mapping[str, Any]],
    next_meta: Mapping[str, Any],
    next_boxes: Sequence[Mapping[str, Any]],
) -> list[Finding]:
    """Check that the future of a sound frame is what the next frame shows."""
    findings = []
    matrix = meta["ego_matrix"].astype(np.float64)
    step = TICKS_PER_FRAME
    if len(meta["future_positions"]) > step:
        future = meta["future_positions"][step].astype(np.float64)
        if not _is_near(matrix[:3, :3] @ future + matrix[:3, 3], next_meta["pos_global"]):
            findings.append(Finding(f"future_positions[{step}] elsewhere than the next frame", "its pos_global"))
        turned_rad = wrapped(np.array(next_meta["theta"] - meta["theta"] - meta["future_yaws"][step]))
        if not _is_near(turned_rad, 0.0):
            findings.append(Finding(f"future_yaws[{step}] other than the next frame's", "its theta"))
        if not _is_near(meta["future_speeds"][step], next_meta["speed"]):
            findings.append(Finding(f"future_speeds[{step}] other than the next frame's", "its speed"))
    followers = {box["id"]: box for box in next_boxes}
    for box in boxes:
        follower = followers.get(box["id"])
        if follower is None or len(box.get("future_positions", ())) <= step:
            continue
        place = np.array(follower["matrix"])[:3, 3]
        if not _is_near((place - matrix[:3, 3]) @ matrix[:3, :2], box["future_positions"][step], COARSE):
            findings.append(Finding(f"{box['class']} with future_positions[{step}] elsewhere", "as in the next frame"))
    return findings


def _box_future_findings(box: Mapping[str, Any]) -> list[Finding]:
    findings = []
    if len(box["future_positions"]) != len(box["future_yaws"]):
        findings.append(Finding(f"{box['class']} with futures of different length", "one length"))
    if not _is_near(box["future_positions"][0], box["position"][:2], COARSE):
        findings.append(Finding(f"{box['class']} with future_positions that do not begin with now", "its position"))
    if not _is_near(wrapped(np.array(box["future_yaws"][0] - box["yaw"], np.float64)), 0.0, COARSE):
        findings.append(Finding(f"{box['class']} with future_yaws that do not begin with now", "its yaw"))
    return findings


def _field_findings(prefix: str, values: Mapping[str, Any], fields: Mapping[str, Kind]) -> list[Finding]:
    findings = []
    # The many groups of target points share their lists.
    accepted: set[tuple[int, int]] = set()
    for key, kind in fields.items():
        if key not in values:
            findings.append(Finding(f"no {prefix}key {key}", str(kind)))
            continue
        mark = (id(values[key]), id(kind))
        if mark in accepted:
            continue
        if kind.accepts(values[key]):
            accepted.add(mark)
        else:
            findings.append(Finding(f"{prefix}key {key}: {describe(values[key])}", str(kind)))
    return findings


def _is_near(value: npt.ArrayLike, wanted: npt.ArrayLike, tolerance: float = EXACT) -> bool:
    return bool((np.abs(np.asarray(value, np.float64) - np.asarray(wanted, np.float64)) <= tolerance).all())
