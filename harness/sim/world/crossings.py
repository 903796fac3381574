"""Ways across the road, from the edge of one sidewalk to that of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.cross_sections import Road
from harness.sim.world.sidewalks import MARGIN_M, Placed, Sidewalk

Array = NDArray[np.float64]

# The end of a crosswalk may lie so far from the sidewalk that it leads to, along the ground and in height.
_REACH_M, _STEP_UP_M = 6.0, 1.5
# Cosine of the angle between the way and the direction that the edge faces.
_FACING = 0.3
_NARROWEST_WAY_M = 0.8
# Ways across at junctions, for towns without crosswalks.
_WAY_WIDTH_M, _WAY_OFFSET_M, _LONGEST_WAY_M = 3.0, 3.0, 40.0


@dataclass(frozen=True)
class Side:
    """A stretch of one edge of a sidewalk, by distance along it [m]."""

    sidewalk: int
    edge: int
    start_m: float
    end_m: float


@dataclass(frozen=True)
class Way:
    """A way across from one sidewalk to another: a crosswalk, or just road."""

    here: Side
    there: Side
    is_crosswalk: bool = True


def find_ways(carla_map: Any, roads: Sequence[Road], sidewalks: Sequence[Sidewalk]) -> list[Way]:
    """Return the ways over a town's crosswalks; in a town without any, ways across where roads end at junctions."""
    ledger = _Ledger(sidewalks)
    outlines = split_outlines([(place.x, place.y, place.z) for place in carla_map.get_crosswalks()])
    found = _crosswalks(outlines, sidewalks, ledger) if outlines else _ways_at_junctions(roads, sidewalks, ledger)
    return list(found)


def split_outlines(places_m: Sequence[tuple[float, float, float]]) -> list[Array]:
    """Return the crosswalks in the list of corners that `carla.Map` gives: each ends with its first corner again."""
    outlines: list[Array] = []
    corners: list[tuple[float, float, float]] = []
    for place in places_m:
        if corners and place == corners[0]:
            if len(corners) > 2:
                outlines.append(np.array(corners))
            corners = []
        else:
            corners.append(place)
    return outlines


def edge_lengths_m(sidewalk: Sidewalk) -> list[Array]:
    """Return how far along each of its two edges every cross section of a sidewalk lies."""
    steps_m = np.diff(sidewalk.edges_m[..., :2], axis=0)
    return [np.r_[0.0, np.cumsum(np.hypot(*steps_m[:, edge].T))] for edge in (0, 1)]


# Road, section and side -> sidewalk and the band in it that is nearest to the road.
BandsOfRoads = dict[tuple[int, int, int], list[tuple[int, Placed]]]


def bands_of_roads(sidewalks: Sequence[Sidewalk]) -> BandsOfRoads:
    """Return where the sidewalks next to the carriageways are; a band with holes in it comes in pieces."""
    bands: BandsOfRoads = {}
    for number, walk in enumerate(sidewalks):
        for placed in walk.bands:
            band = placed.band
            if band.is_innermost:
                bands.setdefault((band.road_id, band.section, band.side), []).append((number, placed))
    return bands


class _Ledger:
    """Which stretches of the sidewalks' edges lead across already: an edge of a polygon has one neighbour at most."""

    def __init__(self, sidewalks: Sequence[Sidewalk]) -> None:
        self.along_m = [edge_lengths_m(walk) for walk in sidewalks]
        self._taken: dict[tuple[int, int], list[tuple[float, float]]] = {}

    def find_room(self, sidewalk: int, edge: int, centre_m: float, width_m: float) -> Side | None:
        """Return the stretch around a place that is free and wide enough, None if there is none."""
        length_m = float(self.along_m[sidewalk][edge][-1])
        start_m = min(max(centre_m - 0.5 * width_m, 0.0), max(length_m - width_m, 0.0))
        end_m = min(start_m + width_m, length_m)
        for low_m, high_m in self._taken.get((sidewalk, edge), ()):
            if low_m < end_m and start_m < high_m:
                if low_m + high_m < start_m + end_m:
                    start_m = high_m
                else:
                    end_m = low_m
        return Side(sidewalk, edge, start_m, end_m) if end_m - start_m >= _NARROWEST_WAY_M else None

    def take(self, here: Side | None, there: Side | None) -> Iterator[Way]:
        """Return the way between two stretches if there are both, and note them as taken."""
        if here is None or there is None:
            return
        for side in (here, there):
            self._taken.setdefault((side.sidewalk, side.edge), []).append((side.start_m, side.end_m))
        yield Way(here, there)


class _EdgeIndex:
    """Finds the edge of a sidewalk that a crosswalk leads to."""

    def __init__(self, sidewalks: Sequence[Sidewalk], ledger: _Ledger) -> None:
        from scipy.spatial import cKDTree

        keys, rows = [np.zeros((0, 2), np.int64)], [np.zeros((0, 9))]
        for number, walk in enumerate(sidewalks):
            for edge in (0, 1):
                line, outwards = walk.edges_m[:, edge], walk.edges_m[:, edge] - walk.edges_m[:, 1 - edge]
                along_m = ledger.along_m[number][edge]
                keys.append(np.tile((number, edge), (len(line) - 1, 1)))
                rows.append(np.column_stack([line[:-1], line[1:], (outwards[:-1] + outwards[1:])[:, :2], along_m[:-1]]))
        table = np.concatenate(rows)
        self._keys = np.concatenate(keys)
        self._start, self._step = table[:, :3], table[:, 3:6] - table[:, :3]
        self._outwards = table[:, 6:8] / np.maximum(np.hypot(table[:, 6], table[:, 7]), 1e-9)[:, None]
        self._along_m = table[:, 8]
        self._length_m = np.maximum(np.hypot(self._step[:, 0], self._step[:, 1]), 1e-6)
        self._tree = cKDTree((self._start + 0.5 * self._step)[:, :2])
        self._reach_m = _REACH_M + 0.5 * float(self._length_m.max(initial=0.0))

    def nearest(self, place_m: Array, across: Array) -> tuple[int, int, float] | None:
        """Return sidewalk, edge and the distance along it of the nearest place on an edge that faces `across`."""
        near = np.sort(np.asarray(self._tree.query_ball_point(place_m[:2], self._reach_m), np.int64))
        start, step = self._start[near], self._step[near]
        offset = place_m[:2] - start[:, :2]
        share = np.clip((offset * step[:, :2]).sum(axis=1) / self._length_m[near] ** 2, 0.0, 1.0)
        found = start + share[:, None] * step
        distance_m = np.hypot(*(found[:, :2] - place_m[:2]).T)
        is_out = (np.abs(found[:, 2] - place_m[2]) > _STEP_UP_M) | (self._outwards[near] @ across < _FACING)
        distance_m[is_out] = np.inf
        if distance_m.min(initial=np.inf) > _REACH_M:
            return None
        best = int(np.argmin(distance_m))
        sidewalk, edge = self._keys[near[best]].tolist()
        return sidewalk, edge, float(self._along_m[near[best]] + share[best] * self._length_m[near[best]])


def _crosswalks(outlines: Sequence[Array], sidewalks: Sequence[Sidewalk], ledger: _Ledger) -> Iterator[Way]:
    index = _EdgeIndex(sidewalks, ledger)
    for outline in outlines:
        ends_m, width_m = _long_axis(outline)
        across = ends_m[1, :2] - ends_m[0, :2]
        across = across / max(float(np.hypot(*across)), 1e-9)
        here, there = index.nearest(ends_m[0], across), index.nearest(ends_m[1], -across)
        if here is None or there is None or here[:2] == there[:2]:
            continue  # it leads to no sidewalk, or along one
        walked_m = max(width_m - 2.0 * MARGIN_M, _NARROWEST_WAY_M)
        yield from ledger.take(ledger.find_room(*here, walked_m), ledger.find_room(*there, walked_m))


def _long_axis(outline: Array) -> tuple[Array, float]:
    """Return the middles (2, 3) of the short sides of the smallest rectangle around an outline, and its width [m]."""
    best: tuple[float, Array, float] | None = None
    centre = outline.mean(axis=0)
    for corner, following in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        side = following[:2] - corner[:2]
        length_m = float(np.hypot(*side))
        if length_m < 1e-6:
            continue
        along = side / length_m
        axes = np.array([along, (-along[1], along[0])])
        spread = (outline[:, :2] - centre[:2]) @ axes.T
        low, high = spread.min(axis=0), spread.max(axis=0)
        size, middle = high - low, 0.5 * (low + high)
        longer = int(np.argmax(size))
        ends = np.array([middle, middle])
        ends[0, longer], ends[1, longer] = low[longer], high[longer]
        ends_m = np.column_stack([ends @ axes + centre[:2], np.full(2, centre[2])])
        if best is None or size.prod() < best[0]:
            best = (float(size.prod()), ends_m, float(size[1 - longer]))
    return (best[1], best[2]) if best else (np.stack([centre, centre]), 0.0)


def _ways_at_junctions(roads: Sequence[Road], sidewalks: Sequence[Sidewalk], ledger: _Ledger) -> Iterator[Way]:
    """Return a way across each end of a road at a junction that has sidewalks on both sides."""
    bands = bands_of_roads(sidewalks)
    for road in roads:
        if road.is_junction or not road.sections:
            continue
        for at_end in (False, True):
            if not road.ends_at_junction[at_end]:
                continue
            section = len(road.sections) - 1 if at_end else 0
            sides = [bands.get((road.road_id, section, side), []) for side in (-1, 1)]
            if len(sides[0]) == 1 and len(sides[1]) == 1:
                # On the left, sidewalks run against the road.
                right, left = _near_end(*sides[0][0], at_end, ledger), _near_end(*sides[1][0], not at_end, ledger)
                if right and left and _are_opposite(right, left, sidewalks, ledger):
                    rooms = [ledger.find_room(*place, _WAY_WIDTH_M) for place in (right, left)]
                    yield from ledger.take(*rooms)


def _near_end(sidewalk: int, placed: Placed, at_end: bool, ledger: _Ledger) -> tuple[int, int, float] | None:
    """Return the place on a band's inner edge that is a little away from one of its ends; None if it is short."""
    edge = int(placed.is_turned)
    start_m, end_m = ledger.along_m[sidewalk][edge][[placed.first, placed.last]].tolist()
    if end_m - start_m < 2.0 * _WAY_OFFSET_M:
        return None
    return sidewalk, edge, end_m - _WAY_OFFSET_M if at_end != placed.is_turned else start_m + _WAY_OFFSET_M


def _are_opposite(
    here: tuple[int, int, float], there: tuple[int, int, float], sidewalks: Sequence[Sidewalk], ledger: _Ledger
) -> bool:
    places = []
    for sidewalk, edge, at_m in (here, there):
        line = sidewalks[sidewalk].edges_m[:, edge]
        places.append([np.interp(at_m, ledger.along_m[sidewalk][edge], line[:, axis]) for axis in range(3)])
    step = np.subtract(places[1], places[0])
    return bool(1.0 < np.hypot(step[0], step[1]) <= _LONGEST_WAY_M and abs(step[2]) <= _STEP_UP_M)
