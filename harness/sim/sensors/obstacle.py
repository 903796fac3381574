"""`sensor.other.obstacle`: the first thing that a ball meets which rolls from the sensor straight ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sim.sensors.settings import read_number, read_switch
from harness.sim.world.oriented_boxes import OrientedBoxes

Array = NDArray[np.float64]

_LONGEST_M, _THICKEST_M = 1_000.0, 100.0
_TOUCHING_M = 1e-3
_MOST_STEPS = 64


@dataclass(frozen=True)
class Obstacle:
    """`this` has `other` ahead at a distance [m]; ids of actors."""

    this: int
    other: int
    distance_m: float


@dataclass(frozen=True)
class ObstacleDetector:
    """What one sensor looks for.

    Attributes:
        reach_m: how far ahead.
        radius_m: of the ball.
        only_moving: leave out what cannot move.
    """

    reach_m: float
    radius_m: float
    only_moving: bool

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, str]) -> ObstacleDetector:
        """Read the blueprint's attributes."""
        return cls(
            min(read_number(attributes, "distance", 5.0, lowest=0.0), _LONGEST_M),
            min(read_number(attributes, "hit_radius", 0.5, lowest=0.0), _THICKEST_M),
            read_switch(attributes, "only_dynamics"),
        )


def roll_ball(
    boxes: OrientedBoxes, start_m: Array, forward: Array, reach_m: float, radius_m: float
) -> tuple[int, float] | None:
    """Return which box a ball meets first and how far it came [m], None if it meets none.

    The ball goes on by its distance to the nearest surface until it touches one (sphere tracing). One that touches
    a box from the beginning comes 0 m far.

    Args:
        start_m: centre of the ball, world frame, (3,).
        forward: unit vector, (3,).

    Source: Hart, Sphere tracing: a geometric method for the antialiased ray tracing of implicit surfaces, 1996.
    """
    near = _near_path(boxes, start_m, forward, reach_m, radius_m)
    if not len(near):
        return None
    boxes = boxes.take(near)
    local_start = np.einsum("kcd,kd->kc", boxes.axes, start_m - boxes.centre_m)
    local_forward = boxes.axes @ forward
    travelled_m = np.zeros(len(near))
    for _ in range(_MOST_STEPS):
        place = local_start + travelled_m[:, None] * local_forward
        gap_m = np.linalg.norm(np.maximum(np.abs(place) - boxes.half_m, 0.0), axis=1) - radius_m
        rolls = (gap_m > _TOUCHING_M) & (travelled_m <= reach_m)
        if not rolls.any():
            break
        travelled_m += np.where(rolls, gap_m, 0.0)
    travelled_m[gap_m > 10.0 * _TOUCHING_M] = np.inf
    first = int(np.argmin(travelled_m))
    return (int(near[first]), float(travelled_m[first])) if travelled_m[first] <= reach_m else None


def _near_path(
    boxes: OrientedBoxes, start_m: Array, forward: Array, reach_m: float, radius_m: float
) -> NDArray[np.intp]:
    """Return the boxes whose bounding spheres the ball can touch."""
    offset_m = boxes.centre_m - start_m
    along_m = np.clip(offset_m @ forward, 0.0, reach_m)
    apart_m = np.linalg.norm(offset_m - along_m[:, None] * forward, axis=1)
    return np.flatnonzero(apart_m <= np.linalg.norm(boxes.half_m, axis=1) + radius_m)
