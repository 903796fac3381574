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


def turn_of(pose: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix whose columns are the forward, right and up vectors of a pose, (3, 3)."""
    pitch, yaw, roll = (math.radians(float(angle)) for angle in pose[3:6])
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw), math.cos(roll), math.sin(roll)
    )  # fmt: skip
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -(cy * sp * cr + sy * sr)],
            [cp * sy, sy * sp * sr + cy * cr, cy * sr - sy * sp * cr],
            [sp, -cp * sr, cp * cr],
        ]
    )


def pose_of(place_m: NDArray[np.float64], turn: NDArray[np.float64]) -> Pose:
    """Return the pose at a place, (3,), that is turned by a matrix, (3, 3); the inverse of `turn_of`."""
    x, y, z = place_m.tolist()
    pitch = math.asin(min(max(float(turn[2, 0]), -1.0), 1.0))
    yaw = math.atan2(float(turn[1, 0]), float(turn[0, 0]))
    roll = math.atan2(-float(turn[2, 1]), float(turn[2, 2]))
    return x, y, z, math.degrees(pitch), math.degrees(yaw), math.degrees(roll)


def compose(parent: Sequence[float] | NDArray[np.float64], offset: Pose) -> Pose:
    """Return the world pose of something attached to `parent` at `offset` (x, y, z [m], pitch, yaw, roll [deg])."""
    turn = turn_of(parent)
    place_m = np.asarray(parent[:3], np.float64) + (turn * np.asarray(offset[:3], np.float64)).sum(axis=1)
    pitch, yaw, roll = (float(angle) for angle in parent[3:6])
    is_level = pitch == 0.0 and roll == 0.0
    if is_level or not any(offset[3:6]):
        # Exact, and without the rounding of a way there and back: most parents are level, most sensors look ahead.
        x, y, z = place_m.tolist()
        return x, y, z, pitch + offset[3], yaw + offset[4], roll + offset[5]
    return pose_of(place_m, turn @ turn_of(offset))
