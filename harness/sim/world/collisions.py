"""Contacts between oriented boxes.

Solid are vehicles, walkers, props and the poles of lights and signs that stand clear of the driving lanes. Road edges,
kerbs and sidewalks are not: a town file declares no buildings or walls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """N oriented boxes on the ground, world frame: centre [m], heading [rad], half sizes [m], height range [m]."""

    centre_m: Array  # (N, 2)
    yaw_rad: Array  # (N,)
    half_m: Array  # (N, 2)
    bottom_m: Array  # (N,)
    top_m: Array  # (N,)

    def take(self, rows: NDArray[np.intp]) -> Boxes:
        """Return the boxes of some rows."""
        return Boxes(
            centre_m=self.centre_m[rows],
            yaw_rad=self.yaw_rad[rows],
            half_m=self.half_m[rows],
            bottom_m=self.bottom_m[rows],
            top_m=self.top_m[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """K overlapping pairs.

    Attributes:
        first, second: (K,) indices into the boxes.
        normal: (K, 2) unit vectors that point from first to second.
        depth_m: (K,) overlap along the normal.
        point_m: (K, 2) place of the contact.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    normal: Array
    depth_m: Array
    point_m: Array

    def take(self, kept: NDArray[np.bool_]) -> Contacts:
        """Return some of the pairs."""
        return Contacts(
            first=self.first[kept],
            second=self.second[kept],
            normal=self.normal[kept],
            depth_m=self.depth_m[kept],
            point_m=self.point_m[kept],
        )

    def limited(self, depth_m: Array) -> Contacts:
        """Return the pairs with overlaps of at most `depth_m`, (K,)."""
        return replace(self, depth_m=np.minimum(self.depth_m, depth_m))


# Of so many boxes all pairs may be looked at; of more only those of each with so many nearest, where it is crowded.
_ALL_PAIRS_OF = 200
_NEIGHBOURS = 24
_MOST_PAIRS_PER_BOX = 32


def candidate_pairs(boxes: Boxes, movers: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return index pairs i < j, ordered, whose bounding circles overlap, at least one of them a mover.

    Clients can put thousands of actors on one point; then each is looked at with its nearest neighbours alone.
    """
    from scipy.spatial import cKDTree

    if len(boxes.yaw_rad) < 2:
        none = np.zeros(0, np.intp)
        return none, none
    radius_m = np.hypot(boxes.half_m[:, 0], boxes.half_m[:, 1])
    pairs = _near_pairs(cKDTree(boxes.centre_m), 2.0 * float(radius_m.max()))
    pairs.sort(axis=1)
    first, second = pairs[:, 0], pairs[:, 1]
    offset_m = boxes.centre_m[second] - boxes.centre_m[first]
    kept = np.hypot(offset_m[:, 0], offset_m[:, 1]) < radius_m[first] + radius_m[second]
    kept &= movers[first] | movers[second]
    first, second = first[kept], second[kept]
    order = np.lexsort((second, first))
    return first[order], second[order]


def _near_pairs(tree: cKDTree, reach_m: float) -> NDArray[np.intp]:
    """Return index pairs of boxes whose centres are near each other, (K, 2)."""
    count = tree.n
    if count <= _ALL_PAIRS_OF or tree.count_neighbors(tree, reach_m) <= (2 * _MOST_PAIRS_PER_BOX + 1) * count:
        near: NDArray[np.intp] = tree.query_pairs(reach_m, output_type="ndarray")
        return near
    distance_m, neighbour = tree.query(tree.data, k=_NEIGHBOURS, distance_upper_bound=reach_m)
    one, rank = np.nonzero(np.isfinite(distance_m))
    other = neighbour[one, rank]
    pairs = np.sort(np.stack([one, other], axis=1)[one != other], axis=1)
    return np.unique(pairs, axis=0)


def find_contacts(
    boxes: Boxes, first: NDArray[np.intp], second: NDArray[np.intp], approach_mps: Array | None = None
) -> Contacts:
    """Return the pairs that overlap, by the separating axis theorem on the ground plus overlapping height ranges.

    The normal is the axis of the least overlap. That is the side that was hit as long as both boxes are much longer
    than their way in a tick. For others `approach_mps` tells it: the axis along which they came to overlap last.

    Args:
        approach_mps: (K, 2) velocity of first relative to second; zero = not known.
    """
    if not len(first):
        return _NO_CONTACTS
    a, b = boxes.take(first), boxes.take(second)
    axes_of_a, axes_of_b = _axes(a.yaw_rad), _axes(b.yaw_rad)
    axes = np.concatenate([axes_of_a, axes_of_b], axis=1)
    distance_m = np.einsum("kad,kd->ka", axes, b.centre_m - a.centre_m)
    overlap_m = _reach(a, axes_of_a, axes) + _reach(b, axes_of_b, axes) - np.abs(distance_m)
    touching = (overlap_m > 0.0).all(axis=1) & (a.bottom_m < b.top_m) & (b.bottom_m < a.top_m)
    kept = np.flatnonzero(touching)
    if not len(kept):
        return _NO_CONTACTS
    best = np.argmin(overlap_m[kept], axis=1)
    if approach_mps is not None:
        best = _entered(axes[kept], distance_m[kept], overlap_m[kept], approach_mps[kept], best)
    normal = axes[kept, best] * np.where(distance_m[kept, best] < 0.0, -1.0, 1.0)[:, None]
    side_of_a = _support(a.take(kept), axes_of_a[kept], normal)
    side_of_b = _support(b.take(kept), axes_of_b[kept], -normal)
    return Contacts(
        first=first[kept],
        second=second[kept],
        normal=normal,
        depth_m=overlap_m[kept, best],
        point_m=(side_of_a + side_of_b) / 2.0,
    )


def _entered(
    axes: Array, distance_m: Array, overlap_m: Array, approach_mps: Array, otherwise: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the axis along which each pair came to overlap last; `otherwise` for pairs that do not close in."""
    closing_mps = np.einsum("kad,kd->ka", axes, approach_mps) * np.where(distance_m < 0.0, -1.0, 1.0)
    closes = closing_mps > _CLOSING_MPS
    since_s = np.where(closes, overlap_m / np.where(closes, closing_mps, 1.0), np.inf)
    return np.where(closes.any(axis=1), np.argmin(since_s, axis=1), otherwise)


# Slower than this, the last axis to overlap says nothing.
_CLOSING_MPS = 1e-2
_NO_CONTACTS = Contacts(
    first=np.zeros(0, np.intp),
    second=np.zeros(0, np.intp),
    normal=np.zeros((0, 2)),
    depth_m=np.zeros(0),
    point_m=np.zeros((0, 2)),
)


def _axes(yaw_rad: Array) -> Array:
    """Return the forward and right unit vectors of each box; (K, 2, 2)."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    axes = np.empty((len(yaw_rad), 2, 2))
    axes[:, 0, 0], axes[:, 0, 1], axes[:, 1, 0], axes[:, 1, 1] = cos, sin, -sin, cos
    return axes


def _reach(box: Boxes, own_axes: Array, axes: Array) -> Array:
    """Return how far each box extends from its centre along each axis; axes (K, A, 2) -> (K, A)."""
    reach: Array = np.einsum("kac,kc->ka", np.abs(np.einsum("kad,kcd->kac", axes, own_axes)), box.half_m)
    return reach


def _support(box: Boxes, own_axes: Array, direction: Array) -> Array:
    """Return the centre of the side that lies furthest along a direction; (K, 2).

    Near-parallel sides give their midpoint, so that a straight hit does not make the cars spin.
    """
    share = np.clip(np.einsum("kcd,kd->kc", own_axes, direction) * 3.0, -1.0, 1.0)
    place: Array = box.centre_m + np.einsum("kc,kcd->kd", share * box.half_m, own_axes)
    return place
