"""Where people walk: sidewalks and ways across the road as convex polygons that share their vertices.

Two polygons that touch along an edge have both of its vertices in common, so that whoever plans a way over them finds
the neighbours by number.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.cross_sections import Road
from harness.sim.world.crossings import Way, edge_lengths_m, find_ways
from harness.sim.world.roadways import find_roadways
from harness.sim.world.sidewalks import Sidewalk, find_sidewalks

Array = NDArray[np.float64]

_SNAP_M = 0.1
# Two lines along a way go on together if their next points differ by less than this part of the step.
_SAME_SHARE = 0.3
# A piece of sidewalk smaller than this that leads nowhere would only hold people captive.
_SMALLEST_ISLAND_M2 = 20.0


class Ground(IntEnum):
    """What people walk on."""

    SIDEWALK = 1
    CROSSWALK = 2
    ROAD = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Walkways:
    """Where people walk in a town; world frame.

    Attributes:
        vertices_m: (V, 3) float64.
        polygons: (P, 4) int32, vertices of convex polygons with 3 or 4 corners, clockwise in a plot with x to the right
            and y upwards; -1 behind the last one.
        ground: (P,) uint8, see `Ground`.
    """

    vertices_m: Array
    polygons: NDArray[np.int32]
    ground: NDArray[np.uint8]


def find_walkways(carla_map: Any, roads: Sequence[Road]) -> Walkways:
    """Return where people walk in a town.

    The sidewalks are joined by the town's crosswalks. A town without crosswalks gets ways across where its roads end at
    junctions, and one without sidewalks has people walk on the shoulders. The road between two sidewalks is there for
    those who cross anywhere.
    """
    sidewalks = find_sidewalks(carla_map, roads)
    ways = find_ways(carla_map, roads, sidewalks)
    return _drop_islands(_assemble(sidewalks, [*ways, *find_roadways(roads, sidewalks, ways)]))


def _assemble(sidewalks: Sequence[Sidewalk], ways: Sequence[Way]) -> Walkways:
    lengths_m = [edge_lengths_m(walk) for walk in sidewalks]
    stations: list[list[float]] = [[] for _ in sidewalks]
    for way in ways:
        for side in (way.here, way.there):
            along_m = lengths_m[side.sidewalk][side.edge]
            stations[side.sidewalk] += [_station(along_m, side.start_m), _station(along_m, side.end_m)]
    vertices: list[Array] = []
    numbers: list[NDArray[np.int64]] = []
    all_stations = []
    count = 0
    for walk, extra in zip(sidewalks, stations, strict=True):
        edges_m, at = _with_sections(walk.edges_m, extra)
        all_stations.append(at)
        number = count + np.arange(2 * len(edges_m)).reshape(-1, 2)
        if walk.is_closed:
            number[-1] = number[0]
            edges_m = edges_m[:-1]
        vertices.append(edges_m.reshape(-1, 3))
        numbers.append(number)
        count += 2 * len(edges_m)
    vertices_m = np.concatenate(vertices) if vertices else np.zeros((0, 3))
    corners = [np.column_stack([n[:-1, 0], n[1:, 0], n[1:, 1], n[:-1, 1]]) for n in numbers]
    kinds = [Ground.SIDEWALK] * len(corners)
    for way in ways:
        lines = []
        for side in (way.here, way.there):
            along_m, at = lengths_m[side.sidewalk][side.edge], all_stations[side.sidewalk]
            low, high = np.searchsorted(at, [_station(along_m, side.start_m), _station(along_m, side.end_m)])
            lines.append(numbers[side.sidewalk][low : high + 1, side.edge])
        corners.append(_between(vertices_m, lines[0], lines[1]))
        kinds.append(Ground.CROSSWALK if way.is_crosswalk else Ground.ROAD)
    polygons = np.concatenate(corners) if corners else np.zeros((0, 4), np.int64)
    ground = np.repeat(np.array(kinds, np.uint8), [len(part) for part in corners])
    return _convex(vertices_m, polygons, ground)


def _station(along_m: Array, at_m: float) -> float:
    """Return a place along an edge as the number of its cross section, with a fraction between two."""
    near = int(np.argmin(np.abs(along_m - at_m)))
    if abs(along_m[near] - at_m) <= _SNAP_M:
        return float(near)
    return float(np.interp(at_m, along_m, np.arange(len(along_m))))


def _with_sections(edges_m: Array, extra: Sequence[float]) -> tuple[Array, Array]:
    """Return a sidewalk with cross sections at more stations, and the stations of all of them."""
    at = np.unique(np.r_[np.arange(len(edges_m), dtype=np.float64), np.asarray(extra, np.float64)])
    low = np.minimum(at.astype(np.int64), len(edges_m) - 2)
    share = (at - low)[:, None, None]
    return edges_m[low] * (1.0 - share) + edges_m[low + 1] * share, at


def _between(vertices_m: Array, here: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return polygons (N, 4) that fill the way between two lines of vertices."""
    ends, opposite = vertices_m[here[[0, -1]]], vertices_m[there[[0, -1]]]
    if np.hypot(*(ends - opposite)[:, :2].T).sum() > np.hypot(*(ends - opposite[::-1])[:, :2].T).sum():
        there = there[::-1]
    found = []
    share, other_share = _shares(vertices_m[here]), _shares(vertices_m[there])
    a = b = 0
    while a < len(here) - 1 or b < len(there) - 1:
        # Whichever line is behind goes on, both where they are equal.
        next_share = share[a + 1] if a < len(here) - 1 else np.inf
        next_other = other_share[b + 1] if b < len(there) - 1 else np.inf
        if abs(next_share - next_other) <= _SAME_SHARE * min(next_share - share[a], next_other - other_share[b]):
            found.append([here[a], here[a + 1], there[b + 1], there[b]])
            a, b = a + 1, b + 1
        elif next_share < next_other:
            found.append([here[a], here[a + 1], there[b], -1])
            a += 1
        else:
            found.append([here[a], there[b + 1], there[b], -1])
            b += 1
    return np.array(found, np.int64).reshape(-1, 4)


def _shares(line_m: Array) -> Array:
    """Return how far along a line its points lie, from 0 to 1."""
    along_m = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line_m[:, :2], axis=0).T))]
    return np.asarray(along_m / max(float(along_m[-1]), 1e-9))


def _convex(vertices_m: Array, polygons: NDArray[np.int64], ground: NDArray[np.uint8]) -> Walkways:
    """Return the polygons convex and clockwise: a quadrilateral that is not convex becomes two triangles."""
    places = vertices_m[polygons, :2]
    sides = np.roll(places, -1, axis=1) - places
    before = np.roll(sides, 1, axis=1)
    turns = before[..., 0] * sides[..., 1] - before[..., 1] * sides[..., 0]
    is_bent = (polygons[:, 3] >= 0) & (turns.min(axis=1) < -1e-9) & (turns.max(axis=1) > 1e-9)
    bent = polygons[is_bent]
    # The cut begins at the corner that turns the other way, or at the one opposite to it.
    oriented = turns[is_bent] * np.sign(turns[is_bent].sum(axis=1, keepdims=True))
    begin = np.argmin(oriented, axis=1)[:, None]
    turned = np.take_along_axis(bent, (begin + np.arange(4)) % 4, axis=1)
    nothing = np.full((len(bent), 1), -1)
    first, second = np.hstack([turned[:, :3], nothing]), np.hstack([turned[:, [0, 2, 3]], nothing])
    polygons = np.concatenate([polygons[~is_bent], first, second])
    ground = np.concatenate([ground[~is_bent], ground[is_bent], ground[is_bent]])
    area_m2 = signed_area_m2(vertices_m, polygons)
    reverse = np.where(polygons[:, 3:] >= 0, polygons[:, ::-1], polygons[:, [2, 1, 0, 3]])
    polygons = np.where(area_m2[:, None] > 0.0, reverse, polygons)
    is_real = np.abs(area_m2) > 1e-4
    return Walkways(vertices_m=vertices_m, polygons=polygons[is_real].astype(np.int32), ground=ground[is_real])


def signed_area_m2(vertices_m: Array, polygons: NDArray[Any]) -> Array:
    """Return the areas of polygons (P, 4), positive for those that run counterclockwise in a plot."""
    corners = vertices_m[np.where(polygons >= 0, polygons, polygons[:, :1]), :2]
    following = np.roll(corners, -1, axis=1)
    return np.asarray(0.5 * (corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]).sum(axis=1))


def neighbours(polygons: NDArray[Any]) -> list[tuple[int, int]]:
    """Return the pairs of polygons that share an edge."""
    owner: dict[tuple[int, int], int] = {}
    pairs = []
    for number, polygon in enumerate(polygons.tolist()):
        corners = [corner for corner in polygon if corner >= 0]
        for edge in itertools.pairwise([*corners, corners[0]]):
            key = (min(edge), max(edge))
            if key in owner:
                pairs.append((owner[key], number))
            else:
                owner[key] = number
    return pairs


def _drop_islands(walkways: Walkways) -> Walkways:
    """Return the walkways without small pieces that lead nowhere but onto the road."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(walkways.polygons)
    if not count:
        return walkways
    is_road = walkways.ground == Ground.ROAD
    pairs = np.array(neighbours(walkways.polygons)).reshape(-1, 2)
    pairs = pairs[~is_road[pairs].any(axis=1)]
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, piece = connected_components(links, directed=False)
    area_m2 = np.bincount(piece, np.abs(signed_area_m2(walkways.vertices_m, walkways.polygons)))
    kept = is_road | (area_m2[piece] >= min(_SMALLEST_ISLAND_M2, float(area_m2[piece[~is_road]].max(initial=0.0))))
    polygons = walkways.polygons[kept]
    used, polygons_flat = np.unique(polygons[polygons >= 0], return_inverse=True)
    renumbered = np.full(polygons.shape, -1, np.int32)
    renumbered[polygons >= 0] = polygons_flat
    return Walkways(vertices_m=walkways.vertices_m[used], polygons=renumbered, ground=walkways.ground[kept])
