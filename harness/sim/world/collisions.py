"""Contacts between oriented boxes, and the push that follows.

Solid are vehicles, props and the poles of lights and signs that stand clear of the driving lanes. Road edges, kerbs and
sidewalks are not: a town file declares no buildings or walls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Share of the approach speed that comes back; cars crumple.
RESTITUTION = 0.1


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


def candidate_pairs(boxes: Boxes, movers: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return index pairs i < j whose bounding circles overlap, at least one of them a mover."""
    moving = np.flatnonzero(movers)
    if len(moving) == 0 or len(boxes.yaw_rad) < 2:
        none = np.zeros(0, np.intp)
        return none, none
    radius_m = np.hypot(boxes.half_m[:, 0], boxes.half_m[:, 1])
    offset_m = boxes.centre_m[moving][:, None, :] - boxes.centre_m[None, :, :]
    reach_m = radius_m[moving][:, None] + radius_m[None, :]
    near = offset_m[..., 0] ** 2 + offset_m[..., 1] ** 2 < reach_m**2
    a, b = np.nonzero(near)
    a = moving[a]
    keep = (a < b) | ((a > b) & ~movers[b])
    a, b = a[keep], b[keep]
    first, second = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((second, first))
    return first[order], second[order]


def find_contacts(boxes: Boxes, first: NDArray[np.intp], second: NDArray[np.intp]) -> Contacts:
    """Return the pairs that overlap, by the separating axis theorem on the ground plus overlapping height ranges."""
    a, b = boxes.take(first), boxes.take(second)
    axes = np.stack([_axis(a.yaw_rad, 0), _axis(a.yaw_rad, 1), _axis(b.yaw_rad, 0), _axis(b.yaw_rad, 1)], axis=1)
    between_m = b.centre_m - a.centre_m
    distance_m = np.einsum("kad,kd->ka", axes, between_m)
    overlap_m = _reach(a, axes) + _reach(b, axes) - np.abs(distance_m)
    touching = (overlap_m > 0.0).all(axis=1) & (a.bottom_m < b.top_m) & (b.bottom_m < a.top_m)
    if not touching.any():
        none = np.zeros(0, np.intp)
        return Contacts(first=none, second=none, normal=np.zeros((0, 2)), depth_m=np.zeros(0), point_m=np.zeros((0, 2)))
    kept = np.flatnonzero(touching)
    best = np.argmin(overlap_m[kept], axis=1)
    normal = axes[kept, best] * np.where(distance_m[kept, best] < 0.0, -1.0, 1.0)[:, None]
    return Contacts(
        first=first[kept],
        second=second[kept],
        normal=normal,
        depth_m=overlap_m[kept, best],
        point_m=(_support(a.take(kept), normal) + _support(b.take(kept), -normal)) / 2.0,
    )


def _axis(yaw_rad: Array, which: int) -> Array:
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.stack([cos, sin] if which == 0 else [-sin, cos], axis=1)


def _reach(box: Boxes, axes: Array) -> Array:
    """Return how far each box extends from its centre along each axis; axes (K, A, 2) -> (K, A)."""
    along = np.abs(np.einsum("kad,kd->ka", axes, _axis(box.yaw_rad, 0))) * box.half_m[:, :1]
    across = np.abs(np.einsum("kad,kd->ka", axes, _axis(box.yaw_rad, 1))) * box.half_m[:, 1:]
    reach: Array = along + across
    return reach


def _support(box: Boxes, direction: Array) -> Array:
    """Return the centre of the side that lies furthest along a direction; (K, 2).

    Near-parallel sides give their midpoint, so that a straight hit does not make the cars spin.
    """
    forward, right = _axis(box.yaw_rad, 0), _axis(box.yaw_rad, 1)
    along = np.clip(np.einsum("kd,kd->k", forward, direction) * 3.0, -1.0, 1.0) * box.half_m[:, 0]
    across = np.clip(np.einsum("kd,kd->k", right, direction) * 3.0, -1.0, 1.0) * box.half_m[:, 1]
    place: Array = box.centre_m + forward * along[:, None] + right * across[:, None]
    return place


def impulses_ns(contacts: Contacts, velocity_mps: Array, inverse_mass: Array) -> Array:
    """Return the impulse along each normal that ends the approach of its pair; (K,) [N s], 0 where they part.

    Args:
        velocity_mps: (N, 2) world frame.
        inverse_mass: (N,) [1/kg], 0 = immovable.
    """
    relative = velocity_mps[contacts.second] - velocity_mps[contacts.first]
    closing_mps = -np.einsum("kd,kd->k", relative, contacts.normal)
    inverse = inverse_mass[contacts.first] + inverse_mass[contacts.second]
    impulse = (1.0 + RESTITUTION) * np.maximum(closing_mps, 0.0) / np.maximum(inverse, 1e-12)
    return np.where(inverse > 0.0, impulse, 0.0)
