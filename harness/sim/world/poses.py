"""Poses: x, y, z [m], pitch, yaw, roll [deg], left-handed, as CARLA writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pose = tuple[float, float, float, float, float, float]

# The coordinates a client may send; the largest town is 15 km wide.
MAX_COORDINATE_M = 1.0e6


def normalized(pose: Sequence[float] | NDArray[np.float64]) -> Pose:
    """Return the pose with its place within `MAX_COORDINATE_M` and its angles within [-180, 180)."""
    x, y, z = (min(max(float(value), -MAX_COORDINATE_M), MAX_COORDINATE_M) for value in pose[:3])
    pitch, yaw, roll = ((float(angle) + 180.0) % 360.0 - 180.0 for angle in pose[3:6])
    return x, y, z, pitch, yaw, roll


def compose(parent: Sequence[float] | NDArray[np.float64], offset: Pose) -> Pose:
    """Return the world pose of something attached to `parent` at `offset` (x, y, z [m], pitch, yaw, roll [deg]).

    The rotation of the offset is added to the parent's, exact for the level parents of this world.
    """
    pitch, yaw, roll = (math.radians(float(angle)) for angle in parent[3:6])
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch),
        math.sin(pitch),
        math.cos(yaw),
        math.sin(yaw),
        math.cos(roll),
        math.sin(roll),
    )
    x, y, z = offset[0], offset[1], offset[2]
    return (
        float(parent[0]) + x * cp * cy + y * (cy * sp * sr - sy * cr) - z * (cy * sp * cr + sy * sr),
        float(parent[1]) + x * cp * sy + y * (sy * sp * sr + cy * cr) - z * (sy * sp * cr - cy * sr),
        float(parent[2]) + x * sp - y * cp * sr + z * cp * cr,
        float(parent[3]) + offset[3],
        float(parent[4]) + offset[4],
        float(parent[5]) + offset[5],
    )
