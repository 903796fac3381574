"""Engine speed and gears: what a gearbox shows, and what a gear chosen by hand does to the driving force.

The driving force itself is that of `vehicle_dynamics`, measured on a car whose gearbox shifts by itself. The gearbox
here is one with which those measurements make sense: each gear ends at a speed that the next one still pulls from.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GEAR_RATIOS = (5.0, 3.1, 2.1, 1.5, 1.0, 0.8)
FINAL_RATIO = 4.0
MAX_RPM = 5800.0
IDLE_RPM = 800.0
WHEEL_RADIUS_M = 0.35
# Speeds at which an automatic gearbox shifts up: about two thirds of the engine's highest speed in the lower gear.
_SHIFT_UP_MPS = np.array([7.0, 12.0, 18.0, 25.0, 33.0])


def gear_of(along_mps: Array, reverse: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the gear an automatic gearbox would show: -1 in reverse, else 1 to 6 by speed."""
    forward = 1 + np.searchsorted(_SHIFT_UP_MPS, np.abs(along_mps))
    return np.where(reverse, -1, forward).astype(np.int32)


def pull_of_gear(along_mps: Array, gear: NDArray[np.int32], reverse: NDArray[np.bool_]) -> Array:
    """Return the share of the driving force that a gear chosen by hand brings to the road.

    A gear too high for the speed has the leverage of its ratio against that of the right one; in neutral, and where
    the engine would turn faster than it can, nothing drives.

    Args:
        gear: 0 = neutral, 1 to 6; in reverse only neutral matters.
    """
    ratios = np.array(GEAR_RATIOS)
    ratio = ratios[np.clip(gear, 1, len(ratios)) - 1]
    right = ratios[np.searchsorted(_SHIFT_UP_MPS, np.abs(along_mps))]
    top_mps = MAX_RPM / 60.0 * 2.0 * math.pi * WHEEL_RADIUS_M / (ratio * FINAL_RATIO)
    forward = np.where(np.abs(along_mps) > top_mps, 0.0, np.minimum(1.0, ratio / right))
    pull: Array = np.where(gear == 0, 0.0, np.where(reverse, 1.0, forward))
    return pull


def engine_rpm(wheel_radps: float, ratio: float, throttle: float, max_rpm: float) -> float:
    """Return the speed of the engine.

    Args:
        wheel_radps: speed of the driven wheels [rad/s].
        ratio: turns of the engine for one of the wheels; 0 = neutral, where the throttle alone decides.
        throttle: 0 to 1.
        max_rpm: of the engine.
    """
    if ratio == 0.0:
        return min(IDLE_RPM + throttle * max(max_rpm - IDLE_RPM, 0.0), max_rpm)
    return min(max(abs(wheel_radps) * ratio * 60.0 / (2.0 * math.pi), IDLE_RPM), max_rpm)
