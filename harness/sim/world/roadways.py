"""The carriageway between two sidewalks, for those who cross where there is no crosswalk.

A client lets a share of its walkers do that (`set_pedestrians_cross_factor`). Junctions are left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.cross_sections import Road
from harness.sim.world.crossings import BandsOfRoads, Side, Way, bands_of_roads, edge_lengths_m
from harness.sim.world.sidewalks import Placed, Sidewalk

Array = NDArray[np.float64]

_SHORTEST_M, _WIDEST_M = 1.0, 60.0
# A stretch of an edge, by distance along it, and the number of the way that leads across there.
_Stretch = tuple[float, float, int]


def find_roadways(roads: Sequence[Road], sidewalks: Sequence[Sidewalk], ways: Sequence[Way]) -> list[Way]:
    """Return the stretches of road between sidewalks that no way across takes."""
    lengths_m = [edge_lengths_m(walk) for walk in sidewalks]
    taken: dict[tuple[int, int], list[_Stretch]] = {}
    for number, way in enumerate(ways):
        for side in (way.here, way.there):
            taken.setdefault((side.sidewalk, side.edge), []).append((side.start_m, side.end_m, number))
    found = []
    bands = bands_of_roads(sidewalks)
    for road in roads:
        if road.is_junction:
            continue
        for section in range(len(road.sections)):
            for right, left in _pairs(bands, road.road_id, section):
                for here, there in _free(right, left, taken, lengths_m):
                    if _width_m(here, there, sidewalks, lengths_m) <= _WIDEST_M:
                        found.append(Way(here, there, is_crosswalk=False))
    return found


def _pairs(bands: BandsOfRoads, road_id: int, section: int) -> Iterator[tuple[tuple[int, Placed], tuple[int, Placed]]]:
    right, left = (bands.get((road_id, section, side), []) for side in (-1, 1))
    if len(right) == len(left) == 1:
        yield right[0], left[0]


def _free(
    right: tuple[int, Placed],
    left: tuple[int, Placed],
    taken: dict[tuple[int, int], list[_Stretch]],
    lengths_m: Sequence[Sequence[Array]],
) -> Iterator[tuple[Side, Side]]:
    """Return the stretches of two facing edges between the ways across, side by side."""
    gaps = []
    across = []
    for sidewalk, placed in (right, left):
        edge = int(placed.is_turned)
        start_m, end_m = lengths_m[sidewalk][edge][[placed.first, placed.last]].tolist()
        cuts = sorted(
            (max(low, start_m), min(high, end_m), way)
            for low, high, way in taken.get((sidewalk, edge), ())
            if low < end_m and start_m < high
        )
        bounds = [start_m, *itertools.chain.from_iterable(cut[:2] for cut in cuts), end_m]
        gaps.append([Side(sidewalk, edge, low, high) for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
        across.append([way for _, _, way in cuts])
    # Both run with their lanes, and those run against each other.
    if right[1].is_turned == left[1].is_turned:
        gaps[1].reverse()
        across[1].reverse()
    if across[0] == across[1]:  # otherwise something leads from one of them to elsewhere
        for here, there in zip(*gaps, strict=True):
            if min(here.end_m - here.start_m, there.end_m - there.start_m) >= _SHORTEST_M:
                yield here, there


def _width_m(here: Side, there: Side, sidewalks: Sequence[Sidewalk], lengths_m: Sequence[Sequence[Array]]) -> float:
    """Return the distance between the middles of two stretches."""
    middles = []
    for side in (here, there):
        line, along_m = sidewalks[side.sidewalk].edges_m[:, side.edge], lengths_m[side.sidewalk][side.edge]
        at_m = 0.5 * (side.start_m + side.end_m)
        middles.append([np.interp(at_m, along_m, line[:, axis]) for axis in (0, 1)])
    return math.dist(*middles)
