"""Driving by targets: from a wanted wheel angle and speed to throttle, steer and brake, tick by tick.

Two controllers in a row, as in CARLA: one turns the error of the speed into a wanted acceleration, the next one the
error of the acceleration into the position of the pedals. Both correct what they last said, and both are limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Target(IntEnum):
    """Columns of what a client wants; rates and limits of zero mean as fast as possible."""

    STEER_RAD = 0  # positive to the right
    STEER_SPEED_RADPS = 1
    SPEED_MPS = 2  # negative = in reverse
    ACCELERATION_MPS2 = 3
    JERK_MPS3 = 4  # noted; CARLA's controller does not limit it either


class Gain(IntEnum):
    """Columns of the gains, in the order of CARLA's settings."""

    SPEED_P = 0
    SPEED_I = 1
    SPEED_D = 2
    ACCELERATION_P = 3
    ACCELERATION_I = 4
    ACCELERATION_D = 5


class Memory(IntEnum):
    """Columns of what the controllers remember of the tick before."""

    SPEED_MPS = 0
    ACCELERATION_MPS2 = 1  # measured, smoothed
    SPEED_INTEGRAL = 2
    ACCELERATION_INTEGRAL = 3
    WANTED_MPS2 = 4
    PEDAL = 5  # 1 = full throttle, -1 = full brake; in reverse the other way round


# What CARLA 0.9.16 starts with.
DEFAULT_GAINS = (0.15, 0.0, 0.25, 0.01, 0.0, 0.01)
# Limits of the wanted acceleration when the client sets none.
MAX_ACCELERATION_MPS2, MAX_DECELERATION_MPS2 = 3.0, 8.0
_STANDING_MPS = 0.1
_NO_ACCELERATION_MPS2 = 1e-4
_NO_STEER_SPEED_RADPS = 1e-3
# Share of the newest measurement in the smoothed acceleration.
_NEWEST = 0.2


@dataclass(frozen=True, kw_only=True)
class Drive:
    """What N vehicles are driven by; `control` is throttle, steer, brake (N, 3), `memory` that of the next tick."""

    control: Array
    reverse: NDArray[np.bool_]
    memory: Array


def fresh_memory(speed_mps: float) -> Array:
    """Return the memory of a controller that takes over at a forward speed."""
    memory = np.zeros(len(Memory))
    memory[Memory.SPEED_MPS] = speed_mps
    return memory


def follow(
    target: Array,
    gain: Array,
    memory: Array,
    speed_mps: Array,
    control: Array,
    reverse: NDArray[np.bool_],
    max_steer_rad: Array,
    dt_s: float,
) -> Drive:
    """Return what drives N vehicles towards their targets during the next tick.

        wanted' = wanted + pid(target speed - speed)         within what the client allows, else -8 and 3 m/s^2
        pedal'  = pedal + pid(wanted' - acceleration)        within -1 and 1

    Each correction is within -1 and 1. A vehicle changes its direction only at standstill; one that is to stand and
    stands is braked fully.

    Args:
        target, gain, memory: (N, 5), (N, 6), (N, 6), in the order of `Target`, `Gain` and `Memory`.
        speed_mps: forward speed, negative in reverse.
        control: throttle, steer, brake in force, (N, 3).
        max_steer_rad: wheel angle at full steer.
    """
    measured_mps2 = (speed_mps - memory[:, Memory.SPEED_MPS]) / dt_s
    acceleration = memory[:, Memory.ACCELERATION_MPS2] + _NEWEST * (measured_mps2 - memory[:, Memory.ACCELERATION_MPS2])
    aim_mps, stands = target[:, Target.SPEED_MPS], np.abs(speed_mps) < _STANDING_MPS
    is_held = stands & (np.abs(aim_mps) < _STANDING_MPS)
    reverse = np.where(stands & ~is_held, aim_mps < 0.0, reverse)
    turns_round = ~stands & (np.sign(speed_mps) * np.sign(aim_mps) == -1.0)

    after = memory.copy()
    after[:, Memory.SPEED_MPS], after[:, Memory.ACCELERATION_MPS2] = speed_mps, acceleration
    change, after[:, Memory.SPEED_INTEGRAL] = _correct(
        gain[:, : Gain.ACCELERATION_P],
        np.where(turns_round, 0.0, aim_mps) - speed_mps,
        measured_mps2,
        memory[:, Memory.SPEED_INTEGRAL],
        dt_s,
    )
    wanted = _limited(memory[:, Memory.WANTED_MPS2] + change, np.abs(target[:, Target.ACCELERATION_MPS2]))
    after[:, Memory.WANTED_MPS2] = wanted
    change, after[:, Memory.ACCELERATION_INTEGRAL] = _correct(
        gain[:, Gain.ACCELERATION_P :],
        wanted - acceleration,
        (acceleration - memory[:, Memory.ACCELERATION_MPS2]) / dt_s,
        memory[:, Memory.ACCELERATION_INTEGRAL],
        dt_s,
    )
    after[:, Memory.PEDAL] = np.clip(memory[:, Memory.PEDAL] + change, -1.0, 1.0)
    # What holds a standing vehicle is no part of the control loop.
    after[is_held, Memory.SPEED_INTEGRAL :] = memory[is_held, Memory.SPEED_INTEGRAL :]

    push = np.where(reverse, -1.0, 1.0) * after[:, Memory.PEDAL]
    driven = np.empty_like(control)
    driven[:, 0] = np.where(is_held, 0.0, np.maximum(push, 0.0))
    driven[:, 1] = _steer(target, control[:, 1] * max_steer_rad, max_steer_rad, dt_s)
    driven[:, 2] = np.where(is_held, 1.0, np.maximum(-push, 0.0))
    return Drive(control=driven, reverse=reverse, memory=after)


def _correct(gain: Array, error: Array, slope: Array, integral: Array, dt_s: float) -> tuple[Array, Array]:
    """Return correction and integral of a PID controller that damps by the slope of what it measures."""
    integral = np.clip(integral + gain[:, 1] * error * dt_s, -1.0, 1.0)
    return np.clip(gain[:, 0] * error + integral - gain[:, 2] * slope, -1.0, 1.0), integral


def _limited(wanted_mps2: Array, most_mps2: Array) -> Array:
    is_free = most_mps2 < _NO_ACCELERATION_MPS2
    lowest = np.where(is_free, -MAX_DECELERATION_MPS2, -most_mps2)
    highest = np.where(is_free, MAX_ACCELERATION_MPS2, most_mps2)
    limited: Array = np.clip(wanted_mps2, lowest, highest)
    return limited


def _steer(target: Array, angle_rad: Array, max_steer_rad: Array, dt_s: float) -> Array:
    """Return the steer, -1 to 1, that brings the wheels nearer to the wanted angle."""
    wanted_rad = np.clip(target[:, Target.STEER_RAD], -max_steer_rad, max_steer_rad)
    rate_radps = np.abs(target[:, Target.STEER_SPEED_RADPS])
    step_rad = np.where(rate_radps < _NO_STEER_SPEED_RADPS, np.inf, rate_radps * dt_s)
    next_rad = angle_rad + np.clip(wanted_rad - angle_rad, -step_rad, step_rad)
    steer: Array = np.clip(next_rad / np.maximum(max_steer_rad, 1e-6), -1.0, 1.0)
    return steer
