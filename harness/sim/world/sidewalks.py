"""Sidewalks as bands of cross sections, joined end to end where one road's sidewalk goes on as the next one's.

Where their lanes lie says `carla.Map`, the client's own parser.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.cross_sections import CrossLane, Road

Array = NDArray[np.float64]

# A person's radius in CARLA's navigation: so far inside the kerb their centre stays.
MARGIN_M = 0.3
# A strip narrower than this has no room between the margins.
_NARROWEST_M = 0.7
_WIDEST_M = 1000.0
_FIRST_STEP_M, _LAST_STEP_M, _LONGEST_M = 6.0, 0.7, 15.0
_CHORD_ERROR_M = 0.1
# Off the ends of a lane section, where the parser would round into the next one.
_INSIDE_M = 1e-3
# Ends nearer than this are one cross section; across a wider gap the sidewalk goes straight on.
_MERGE_M, _GAP_M, _STEP_UP_M = 0.5, 4.0, 0.5
_OVERLAP_M = 0.4


@dataclass(frozen=True)
class Band:
    """A sidewalk along one lane section, in the direction of its lanes.

    Attributes:
        section: index of the lane section.
        side: +1 = left of the reference line, -1 = right of it.
        is_innermost: no other sidewalk lies between it and the reference line.
        edges_m: (N, 2, 3) the edge towards the road, the edge away from it, margins taken off.
    """

    road_id: int
    section: int
    side: int
    is_innermost: bool
    edges_m: Array


@dataclass(frozen=True)
class Placed:
    """A band in a sidewalk: the first and the last of its cross sections; if it is turned, its edges change places."""

    band: Band
    first: int
    last: int
    is_turned: bool


@dataclass(frozen=True)
class Sidewalk:
    """Bands one behind the other.

    Attributes:
        edges_m: (N, 2, 3) cross sections from one edge to the other.
        bands: what it is made of.
        is_closed: it goes round a block: the last cross section is the first one again.
    """

    edges_m: Array
    bands: list[Placed]
    is_closed: bool


def find_sidewalks(carla_map: Any, roads: Sequence[Road]) -> list[Sidewalk]:
    """Return the sidewalks of a town; in a town without any, the shoulders of its roads."""
    types = {lane.type for road in roads for section in road.sections for lane in section.lanes.values()}
    wanted = "sidewalk" if "sidewalk" in types else "shoulder"
    bands = [band for road in roads for band in _bands_of(carla_map, road, wanted)]
    return _join(bands)


# --- along one lane section ------------------------------------------------------------------------------------------


def _bands_of(carla_map: Any, road: Road, wanted: str) -> Iterator[Band]:
    starts_m = [section.start_m for section in road.sections] + [road.length_m]
    for number, (start_m, end_m) in enumerate(itertools.pairwise(starts_m)):
        if end_m - start_m < _LAST_STEP_M:
            continue
        for side in (1, -1):
            for order, run in enumerate(_runs(road.sections[number].lanes, side, wanted)):
                sampler = _Sampler(carla_map, road.road_id, run[0], run[-1])
                for edges_m in sampler.sample(start_m + _INSIDE_M, end_m - _INSIDE_M):
                    # Lanes on the left run against the reference line.
                    yield Band(road.road_id, number, side, order == 0, edges_m[::-side].copy())


def _runs(lanes: dict[int, CrossLane], side: int, wanted: str) -> Iterator[list[int]]:
    """Return the lanes of a type on one side of the road, side by side, from the inside to the outside."""
    ids = sorted((number for number, lane in lanes.items() if number * side > 0 and lane.type == wanted), key=abs)
    for _, group in itertools.groupby(enumerate(ids), key=lambda pair: abs(pair[1]) - pair[0]):
        yield [lane for _, lane in group]


class _Sampler:
    """Measures a run of lanes of one road."""

    def __init__(self, carla_map: Any, road_id: int, inner: int, outer: int) -> None:
        self._map, self._road_id, self._inner, self._outer = carla_map, road_id, inner, outer

    def sample(self, start_m: float, end_m: float) -> Iterator[Array]:
        """Return pieces (N, 2, 3) of the strip, in the direction of the reference line, where it is wide enough."""
        count = max(2, math.ceil((end_m - start_m) / _FIRST_STEP_M) + 1)
        stations = np.linspace(start_m, end_m, count).tolist()
        known = [(s_m, self._measure(s_m)) for s_m in stations]
        piece: list[Array] = []
        for before, after in itertools.pairwise(known):
            for edges in self._refine(before, after):
                if edges is not None:
                    piece.append(edges)
                elif len(piece) > 1:
                    yield _simplified(np.array(piece))
                    piece = []
                else:
                    piece = []
        if known[-1][1] is not None:
            piece.append(known[-1][1])
        if len(piece) > 1:
            yield _simplified(np.array(piece))

    def _refine(self, before: tuple[float, Array | None], after: tuple[float, Array | None]) -> Iterator[Array | None]:
        """Return the cross sections from `before` on, without `after`, so dense that chords lie on the curve."""
        if after[0] - before[0] > _LAST_STEP_M and not (before[1] is None and after[1] is None):
            between = self._measure(0.5 * (before[0] + after[0]))
            if (
                between is None
                or before[1] is None
                or after[1] is None
                or np.abs(0.5 * (before[1] + after[1]) - between).max() > 0.5 * _CHORD_ERROR_M
            ):
                middle = (0.5 * (before[0] + after[0]), between)
                yield from self._refine(before, middle)
                yield from self._refine(middle, after)
                return
        yield before[1]

    def _measure(self, s_m: float) -> Array | None:
        """Return the inner and the outer edge at a place (2, 3); None where the strip is too narrow."""
        ends = []
        for lane_id, sign in ((self._inner, -0.5), (self._outer, 0.5)):
            waypoint = self._map.get_waypoint_xodr(self._road_id, lane_id, s_m)
            if waypoint is None:
                return None
            pose = waypoint.transform
            # The right-hand side of a lane is away from the road's middle, on either side of it.
            right, reach_m = pose.get_right_vector(), sign * max(waypoint.lane_width, 0.0)
            place = pose.location
            ends.append((place.x + right.x * reach_m, place.y + right.y * reach_m, place.z))
        edges = np.array(ends)
        across = edges[1] - edges[0]
        width_m = math.hypot(across[0], across[1])
        if not (_NARROWEST_M <= width_m < _WIDEST_M and np.isfinite(edges).all()):
            return None
        edges[0] += across * (MARGIN_M / width_m)
        edges[1] -= across * (MARGIN_M / width_m)
        return edges


def _simplified(edges_m: Array) -> Array:
    """Return a strip without the cross sections that lie on straight lines between others."""
    kept = [0]
    while kept[-1] < len(edges_m) - 1:
        first = last = kept[-1]
        for candidate in range(first + 1, len(edges_m)):
            chord = edges_m[candidate] - edges_m[first]
            if candidate > first + 1 and np.abs(chord[:, :2]).max() > _LONGEST_M:
                break
            # Stations are not evenly spaced after refinement: compare with the nearest point of the chord.
            between = edges_m[first + 1 : candidate] - edges_m[first]
            length2 = np.maximum((chord**2).sum(axis=1), 1e-12)
            share = (between * chord).sum(axis=2) / length2
            if candidate > first + 1 and np.abs(between - share[..., None] * chord).max() > _CHORD_ERROR_M:
                break
            last = candidate
        kept.append(last)
    return edges_m[kept]


# --- end to end ------------------------------------------------------------------------------------------------------

# An end of a band: its number, and whether it is the last cross section or the first.
_End = tuple[int, bool]


@dataclass(frozen=True)
class _Joint:
    """Where an end goes on, and the cross section that both share, None = there is a gap.

    The cross section is seen by who walks out through the end that the joint belongs to.
    """

    end: _End
    shared: Array | None


def _join(bands: Sequence[Band]) -> list[Sidewalk]:
    """Return the bands as sidewalks: each end goes on at the end of another that fits it best."""
    joints = _joints(bands)
    seen: set[int] = set()
    ends = [(number, is_last) for number in range(len(bands)) for is_last in (False, True)]
    loose = [end for end in ends if end not in joints]
    # What has no loose end goes round a block.
    return [_follow(bands, joints, end, seen) for end in (*loose, *ends) if end[0] not in seen]


def _turned(edges_m: Array, is_turned: bool) -> Array:
    return edges_m[::-1, ::-1] if is_turned else edges_m


def _joints(bands: Sequence[Band]) -> dict[_End, _Joint]:
    from scipy.spatial import cKDTree

    ends = [(number, is_last) for number in range(len(bands)) for is_last in (False, True)]
    if not ends:
        return {}
    middles = np.array([bands[number].edges_m[-1 if is_last else 0].mean(axis=0) for number, is_last in ends])
    fits = []
    for a, b in sorted(cKDTree(middles).query_pairs(_GAP_M + 3.0)):
        if ends[a][0] == ends[b][0] and len(bands[ends[a][0]].edges_m) < 4:
            continue
        before = _turned(bands[ends[a][0]].edges_m, not ends[a][1])
        after = _turned(bands[ends[b][0]].edges_m, ends[b][1])
        fit = _fit(before, after)
        if fit is not None:
            fits.append((fit[0], a, b, fit[1]))
    fits.sort(key=lambda fit: fit[:3])
    joints: dict[_End, _Joint] = {}
    for _, a, b, shared in fits:
        if ends[a] not in joints and ends[b] not in joints:
            joints[ends[a]] = _Joint(ends[b], shared)
            joints[ends[b]] = _Joint(ends[a], None if shared is None else shared[::-1])
    return joints


def _fit(before: Array, after: Array) -> tuple[float, Array | None] | None:
    """Return how badly a strip goes on as another [m] and the cross section they share, None if it does not."""
    end, start = before[-1], after[0]
    if abs(end[:, 2].mean() - start[:, 2].mean()) > _STEP_UP_M:
        return None
    across = end[1, :2] - end[0, :2]
    width_m = max(float(np.hypot(*across)), 1e-9)
    across = across / width_m
    ahead = _heading(before[-2], end)
    if ahead @ _heading(start, after[1]) < 0.3:
        return None
    offset = start[:, :2] - end[0, :2]
    sideways, forward_m = offset @ across, offset @ ahead
    low, high = max(0.0, sideways.min()), min(width_m, sideways.max())
    gap_m = float(np.abs(forward_m).max())
    if high - low < _OVERLAP_M or sideways[1] <= sideways[0] or gap_m > _GAP_M:
        return None
    lost_m = width_m + (sideways[1] - sideways[0]) - 2.0 * (high - low)
    if gap_m > _MERGE_M:
        return (gap_m + 0.2 * lost_m, None) if forward_m.min() > 0.0 else None
    shares = np.array([low, high]) / width_m
    shared = end[0] + shares[:, None] * (end[1] - end[0])
    if lost_m < _MERGE_M:
        shared = 0.5 * (end + start)
    return gap_m + 0.2 * lost_m, shared


def _heading(behind: Array, ahead: Array) -> Array:
    step = (ahead - behind).mean(axis=0)[:2]
    return np.asarray(step / max(float(np.hypot(*step)), 1e-9))


def _follow(bands: Sequence[Band], joints: dict[_End, _Joint], start: _End, seen: set[int]) -> Sidewalk:
    """Return the sidewalk that is entered through an end."""
    pieces: list[Array] = []
    placed: list[Placed] = []
    count, entrance = 0, start
    shared: Array | None = None
    while entrance[0] not in seen:
        number, is_turned = entrance
        seen.add(number)
        edges_m = _turned(bands[number].edges_m, is_turned).copy()
        first = count
        if shared is not None:
            # The shared cross section stands for the last one of the band before and the first one of this.
            pieces[-1][-1] = shared
            edges_m, first = edges_m[1:], count - 1
        pieces.append(edges_m)
        count += len(edges_m)
        placed.append(Placed(bands[number], first, count - 1, is_turned))
        joint = joints.get((number, not is_turned))
        if joint is None:
            return Sidewalk(np.concatenate(pieces), placed, is_closed=False)
        entrance, shared = joint.end, joint.shared
    joined = np.concatenate(pieces)
    if shared is None:
        joined = np.concatenate([joined, joined[:1]])
    else:
        joined[0] = joined[-1] = shared
    return Sidewalk(joined, placed, is_closed=True)
