"""Rays through the town: what lies along a line, nearest first.

A ray meets every box that it enters from outside, and the ground wherever it comes through from above. A box in which
a ray begins is not met: a ray from the middle of a car does not see that car.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorTable
from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.oriented_boxes import OrientedBoxes, boxes_of_actors
from harness.sim.world.scenery import Scenery
from harness.sim.world.surfaces import Ground

Array = NDArray[np.float64]

# The ground counts as this much lower, so that a ray along it does not scrape over it all the way.
_SUNK_M = 0.002
# The ground is looked at in steps of this length, or longer ones on rays of many kilometres.
_STEP_M = 0.5
_MOST_STEPS = 8_000
_MOST_NARROWINGS, _EXACT_M = 40, 1e-6
# A ray that passes the edge of a bridge jumps through its height without meeting it.
_JUMP_M = 0.2


@dataclass(frozen=True)
class Hit:
    """Where a ray meets something: distance from its start [m], place [m] in the world frame, and what is there."""

    distance_m: float
    place_m: tuple[float, float, float]
    tag: int


def cast_ray(table: ActorTable, scenery: Scenery, hidden: frozenset[int], start_m: Array, end_m: Array) -> list[Hit]:
    """Return everything along a line, nearest first.

    Args:
        hidden: ids of scenery that is switched off.
        start_m, end_m: (3,), world frame.
    """
    path_m = end_m - start_m
    length_m = float(np.linalg.norm(path_m))
    if length_m < 1e-9:
        return []
    rows, boxes = boxes_of_actors(table)
    hits = []
    for share, row in _entries(boxes, start_m, path_m):
        tag = table.info[int(table.ids[rows[row]])].semantic_tag
        hits.append(_hit(start_m, path_m, length_m, share, tag))
    for share, row in _entries(scenery.standing, start_m, path_m):
        box = scenery.surfaces + row
        if int(scenery.ids[box]) not in hidden:
            hits.append(_hit(start_m, path_m, length_m, share, int(scenery.tag[box])))
    for share in _ground_crossings(scenery.ground, start_m, path_m):
        place_m = start_m + share * path_m
        x_m, y_m, z_m = place_m.tolist()
        hits.append(Hit(share * length_m, (x_m, y_m, z_m + _SUNK_M), _ground_tag(scenery, hidden, place_m)))
    return sorted(hits, key=lambda hit: (hit.distance_m, hit.tag))


def _hit(start_m: Array, path_m: Array, length_m: float, share: float, tag: int) -> Hit:
    x_m, y_m, z_m = (start_m + share * path_m).tolist()
    return Hit(share * length_m, (x_m, y_m, z_m), tag)


def _entries(boxes: OrientedBoxes, start_m: Array, path_m: Array) -> list[tuple[float, int]]:
    """Return where a line enters boxes: its share of the line from 0 to 1, and which box (slab method)."""
    local_start = np.einsum("kcd,kd->kc", boxes.axes, start_m - boxes.centre_m)
    local_path = boxes.axes @ path_m
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (-boxes.half_m - local_start) / local_path
        second = (boxes.half_m - local_start) / local_path
    parallel = np.abs(local_path) < 1e-12
    within = np.abs(local_start) <= boxes.half_m
    enter = np.where(parallel, np.where(within, -np.inf, np.inf), np.minimum(first, second)).max(
        axis=1, initial=-np.inf
    )
    leave = np.where(parallel, np.where(within, np.inf, -np.inf), np.maximum(first, second)).min(axis=1, initial=np.inf)
    met = np.flatnonzero((enter <= leave) & (enter > 0.0) & (enter <= 1.0))
    return [(float(enter[row]), int(row)) for row in met]


# --- the ground ------------------------------------------------------------------------------------------------------


def _ground_crossings(ground: Ground, start_m: Array, path_m: Array) -> list[float]:
    """Return the shares of a line at which it comes through the ground from above."""
    window = _height_window(ground, start_m, path_m)
    if window is None or (path_m[2] >= 0.0 and np.hypot(path_m[0], path_m[1]) == 0.0):
        return []
    first, last = window
    steps = int(min(np.hypot(path_m[0], path_m[1]) * (last - first) / _STEP_M, _MOST_STEPS)) + 1
    shares = np.linspace(first, last, steps + 1)
    above = np.stack(_clearance_m(ground, start_m, path_m, shares))
    found: list[float] = []
    for surface in (0, 1) if (above[0] != above[1]).any() else (0,):
        falls = np.flatnonzero((above[surface, :-1] > 0.0) & (above[surface, 1:] <= 0.0))
        brackets = shares[falls], shares[falls + 1], above[surface, falls], above[surface, falls + 1]
        found += _narrow(ground, start_m, path_m, surface, *brackets)
    found.sort()
    length_m = float(np.linalg.norm(path_m))
    # Where there is one surface, both look the same.
    return [share for number, share in enumerate(found) if not number or (share - found[number - 1]) * length_m > 0.01]


def _height_window(ground: Ground, start_m: Array, path_m: Array) -> tuple[float, float] | None:
    """Return the part of a line that is neither above all ground nor below it, None if there is no such part."""
    low_m, high_m = ground.lowest_m - 1.0, ground.highest_m + 1.0
    if abs(path_m[2]) < 1e-9:
        return (0.0, 1.0) if low_m <= start_m[2] <= high_m else None
    ends = sorted(((low_m - start_m[2]) / path_m[2], (high_m - start_m[2]) / path_m[2]))
    first, last = max(ends[0], 0.0), min(ends[1], 1.0)
    return (first, last) if first < last else None


def _clearance_m(ground: Ground, start_m: Array, path_m: Array, shares: Array) -> tuple[Array, Array]:
    """Return how far points of a line are above the highest and above the lowest surface there."""
    places_m = start_m + shares[:, None] * path_m
    upper_m, lower_m = ground.heights_m(places_m[:, :2])
    return places_m[:, 2] - upper_m + _SUNK_M, places_m[:, 2] - lower_m + _SUNK_M


def _narrow(
    ground: Ground, start_m: Array, path_m: Array, surface: int, low: Array, high: Array, f_low: Array, f_high: Array
) -> list[float]:
    """Narrow brackets down to where the line meets a surface; brackets around a jump of the surface are dropped.

    Straight pieces need one step by the rule of false position; every other step halves, which ends everything else.

    Args:
        low, high: shares of the line, (B,).
        f_low, f_high: how far the line is above the surface there [m]; positive and not.
    """
    place, left_m = low, np.full(len(low), np.inf)
    for step in range(_MOST_NARROWINGS):
        if (np.abs(left_m) < _EXACT_M).all():
            break
        place = (low + high) / 2.0 if step % 2 else low + (high - low) * (f_low / (f_low - f_high))
        left_m = _clearance_m(ground, start_m, path_m, place)[surface]
        is_above = left_m > 0.0
        low, f_low = np.where(is_above, place, low), np.where(is_above, left_m, f_low)
        high, f_high = np.where(is_above, high, place), np.where(is_above, f_high, left_m)
    kept: list[float] = place[np.abs(left_m) < _JUMP_M].tolist()
    return kept


def _ground_tag(scenery: Scenery, hidden: frozenset[int], place_m: Array) -> int:
    """Return what the ground is at a place; under a surface that is switched off there is terrain."""
    samples = scenery.ground.samples_at(place_m).tolist()
    for sample in samples:
        if int(scenery.ids[scenery.box_of_sample[sample]]) not in hidden:
            return int(scenery.ground.strips.tag[sample])
    is_corner = not samples and scenery.ground.corners.cover(place_m)
    return int(SemanticTag.SIDEWALKS if is_corner else SemanticTag.TERRAIN)
