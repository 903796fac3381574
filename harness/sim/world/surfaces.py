"""The ground of a town: road, what lies beside it, and terrain at the height of the nearest road everywhere else.

Kerbs have no height here: a town file says nothing about them, so a sidewalk lies as high as its road.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.cross_sections import Road, Section, lanes_beside
from harness.sim.world.lanes import SAMPLE_SPACING_M, LaneSamples

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Array = NDArray[np.float64]

# What a lane of a type is to a sensor; types that are not listed are terrain.
_TAGS = {
    "sidewalk": SemanticTag.SIDEWALKS,
    "shoulder": SemanticTag.ROADS,
    "parking": SemanticTag.ROADS,
    "biking": SemanticTag.ROADS,
    "stop": SemanticTag.ROADS,
    "bidirectional": SemanticTag.ROADS,
}
_DRIVING = ("driving",)
_NARROWEST_M = 0.05
# Samples looked at around a place; where lanes cross in a junction, so many lie on top of each other.
_NEIGHBOURS = 12
# Decks of a bridge further apart than this are two surfaces.
_DECK_GAP_M = 2.0


@dataclass(frozen=True, kw_only=True)
class Strips:
    """N samples of surfaces, world frame: centre, direction [deg], slope [deg], half width; the road they belong to."""

    xy_m: Array  # (N, 2)
    z_m: Array
    yaw_deg: Array
    pitch_deg: Array
    half_width_m: Array
    s_m: Array
    road_id: NDArray[np.int32]
    tag: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """N samples of surfaces beside the driving lanes.

    Attributes:
        row: sample of the driving lane that they lie beside.
        right_m: how far to the right of it their middle lies; outwards is to the right on both sides of a road.
    """

    row: NDArray[np.int32]
    right_m: Array
    half_width_m: Array
    tag: NDArray[np.uint8]


def find_beside(lanes: LaneSamples, roads: Sequence[Road]) -> Beside:
    """Return what lies beside the driving lanes of a town that is no terrain."""
    sections = {road.road_id: road.sections for road in roads}
    strips = [strip for rows, lane_id in _lane_rows(lanes) for strip in _beside(lanes, rows, lane_id, sections)]
    return Beside(
        row=np.concatenate([np.zeros(0, np.int32), *(strip.row for strip in strips)]),
        right_m=np.concatenate([np.zeros(0), *(strip.right_m for strip in strips)]),
        half_width_m=np.concatenate([np.zeros(0), *(strip.half_width_m for strip in strips)]),
        tag=np.concatenate([np.zeros(0, np.uint8), *(strip.tag for strip in strips)]),
    )


def make_strips(lanes: LaneSamples, beside: Beside) -> Strips:
    """Return the surfaces of a town: the driving lanes as they are sampled, then what lies beside them."""
    rows = np.concatenate([np.arange(len(lanes.z_m)), beside.row])
    right_m = np.concatenate([np.zeros(len(lanes.z_m)), beside.right_m])
    yaw_rad = np.radians(lanes.yaw_deg[rows])
    return Strips(
        xy_m=lanes.xy_m[rows] + right_m[:, None] * np.stack([-np.sin(yaw_rad), np.cos(yaw_rad)], axis=1),
        z_m=lanes.z_m[rows],
        yaw_deg=lanes.yaw_deg[rows],
        pitch_deg=lanes.pitch_deg[rows],
        half_width_m=np.concatenate([lanes.half_width_m, beside.half_width_m]),
        s_m=lanes.s_m[rows],
        road_id=lanes.road_id[rows],
        tag=np.concatenate([np.full(len(lanes.z_m), SemanticTag.ROADS, np.uint8), beside.tag]),
    )


def _lane_rows(lanes: LaneSamples) -> list[tuple[NDArray[np.intp], int]]:
    """Return the samples of each lane, ordered by s, and its id."""
    order = np.lexsort((lanes.s_m, lanes.lane_id, lanes.road_id))
    road, lane = lanes.road_id[order], lanes.lane_id[order]
    starts = np.flatnonzero(np.r_[True, (road[1:] != road[:-1]) | (lane[1:] != lane[:-1])])
    return [(rows, int(lanes.lane_id[rows[0]])) for rows in np.split(order, starts[1:])]


def _beside(
    lanes: LaneSamples, rows: NDArray[np.intp], lane_id: int, roads: Mapping[int, list[Section]]
) -> Iterator[Beside]:
    """Return what lies beside one driving lane, on both sides, up to the next driving lane."""
    sections = roads.get(int(lanes.road_id[rows[0]]), [])
    if not sections:
        return
    starts_m = np.array([section.start_m for section in sections])
    which = np.maximum(np.searchsorted(starts_m, lanes.s_m[rows] + 1e-6, side="right") - 1, 0)
    for number in np.unique(which).tolist():
        here = rows[which == number]
        ds_m = lanes.s_m[here] - starts_m[number]
        for side in (1, -1):
            edge_m = lanes.half_width_m[here]
            for lane in lanes_beside(sections[number], lane_id, side, _DRIVING):
                width_m = lane.width_m(ds_m)
                tag = _TAGS.get(lane.type)
                if tag is not None:
                    kept = width_m > _NARROWEST_M
                    yield Beside(
                        row=here[kept].astype(np.int32),
                        right_m=side * (edge_m + width_m / 2.0)[kept],
                        half_width_m=width_m[kept] / 2.0,
                        tag=np.full(np.count_nonzero(kept), tag, np.uint8),
                    )
                edge_m = edge_m + width_m


class Patches:
    """Convex polygons on the ground.

    Args:
        vertices_m: (V, 3).
        polygons: (P, 4) vertices, clockwise in a plot with x to the right and y upwards; -1 behind the third if it has
            no fourth.
        margin_m: how far around them still counts.
    """

    def __init__(self, vertices_m: Array, polygons: NDArray[np.int32], margin_m: float) -> None:
        full = np.where(polygons >= 0, polygons, polygons[:, 2:3])
        self._corners_m = vertices_m[full]
        self._margin_m = margin_m
        reach_m = np.array([margin_m, margin_m, _DECK_GAP_M / 2.0])
        self._low_m = self._corners_m.min(axis=1, initial=np.inf) - reach_m
        self._high_m = self._corners_m.max(axis=1, initial=-np.inf) + reach_m

    def cover(self, place_m: Array) -> bool:
        """Return whether a point on the ground, (3,), lies on one of them."""
        near = np.flatnonzero(((self._low_m <= place_m) & (place_m <= self._high_m)).all(axis=1))
        corners_m = self._corners_m[near, :, :2]
        along = np.roll(corners_m, -1, axis=1) - corners_m
        offset_m = place_m[:2] - corners_m
        outside = along[..., 0] * offset_m[..., 1] - along[..., 1] * offset_m[..., 0]
        return bool((outside <= self._margin_m * np.hypot(along[..., 0], along[..., 1])).all(axis=1).any())


class Ground:
    """Finds the ground under many places at once.

    Attributes:
        strips: surfaces along the driving lanes.
        corners: sidewalks, also where there is no driving lane beside them.
    """

    def __init__(self, strips: Strips, corners: Patches) -> None:
        from scipy.spatial import cKDTree

        self.strips = strips
        self.corners = corners
        self._tree: cKDTree = cKDTree(strips.xy_m)
        yaw_rad = np.radians(strips.yaw_deg)
        self._forward = np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1)
        self._slope = np.tan(np.radians(strips.pitch_deg))
        self.lowest_m, self.highest_m = float(strips.z_m.min()), float(strips.z_m.max())

    def heights_m(self, xy_m: Array) -> tuple[Array, Array]:
        """Return the heights of the highest and of the lowest surface at each place, the same where there is one.

        Args:
            xy_m: (M, 2).
        """
        height_m, covers, _ = self._look(xy_m)
        none = ~covers.any(axis=1)
        upper_m = np.where(covers, height_m, -np.inf).max(axis=1)
        lower_m = np.where(covers, height_m, np.inf).min(axis=1)
        upper_m[none] = lower_m[none] = height_m[none, 0]
        joined = upper_m - lower_m < _DECK_GAP_M
        lower_m[joined] = upper_m[joined]
        return upper_m, lower_m

    def samples_at(self, place_m: Array) -> NDArray[np.intp]:
        """Return the samples of surfaces that a point on the ground, (3,), lies on; roads first, then the nearest."""
        height_m, covers, index = self._look(place_m[None, :2])
        on = covers[0] & (np.abs(height_m[0] - place_m[2]) < _DECK_GAP_M / 2.0)
        found = index[0][on]
        order = np.argsort(self.strips.tag[found] != SemanticTag.ROADS, kind="stable")
        return np.asarray(found[order])

    def _look(self, xy_m: Array) -> tuple[Array, NDArray[np.bool_], NDArray[np.intp]]:
        """Return height, whether it covers the place, and index of the samples around each place; (M, K) each."""
        count = min(_NEIGHBOURS, len(self.strips.z_m))
        _, index = self._tree.query(xy_m, k=count)
        index = np.asarray(index, np.intp).reshape(len(xy_m), count)
        offset_m = xy_m[:, None, :] - self.strips.xy_m[index]
        forward = self._forward[index]
        along_m = (offset_m * forward).sum(axis=2)
        right_m = offset_m[..., 1] * forward[..., 0] - offset_m[..., 0] * forward[..., 1]
        covers = (np.abs(along_m) <= SAMPLE_SPACING_M) & (np.abs(right_m) <= self.strips.half_width_m[index])
        reach_m = np.clip(along_m, -2.0 * SAMPLE_SPACING_M, 2.0 * SAMPLE_SPACING_M)
        return self.strips.z_m[index] + reach_m * self._slope[index], covers, index
