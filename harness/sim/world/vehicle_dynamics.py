"""How a car answers to throttle, brake and steering.

The reference car is the Lincoln MKZ 2020 of CARLA, whose answer the constants of published controllers are fitted to:
full throttle gives 7.6, 6.2, 5.0, 3.9 and 3.0 m/s^2 at 0, 5, 10, 15 and 20 m/s, full brake about 7.6 m/s^2, and the
throttle that holds a speed is the one that those controllers send at zero error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SPEED_MPS = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0])
_FULL_THROTTLE_MPS2 = np.array([7.6, 6.2, 5.0, 3.9, 3.0, 1.8, 0.6, 0.0])
FULL_BRAKE_MPS2 = 7.6
HAND_BRAKE_MPS2 = 5.0
REVERSE_SHARE = 0.5
MAX_STEER_RAD = np.radians(70.0)
# CARLA's steering curve for this car: share of the wheel angle over the speed [km/h].
STEERING_CURVE_KMH = np.array([0.0, 20.0, 60.0, 120.0])
STEERING_CURVE_SHARE = np.array([1.0, 0.9, 0.8, 0.7])
# Understeer: yaw rate falls to 1 / (1 + K v^2) of the kinematic value (characteristic speed 18 m/s).
_UNDERSTEER_S2PM2 = 1.0 / 18.0**2
GRIP_MPS2 = 8.5
_SPIN_DECAY_DPS2 = 360.0
# Below this speed a braked or idle car stands still: no creeping, no reversing under braking.
_STANDSTILL_MPS = 0.02


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Body-frame motion of N vehicles; arrays of shape (N,).

    Attributes:
        along_mps: forward velocity, negative in reverse.
        side_mps: velocity to the right.
        spin_dps: yaw rate beyond what steering makes.
        yaw_rate_dps: total yaw rate.
        slip_rad: angle of the velocity of the centre against the heading, from the bicycle model.
    """

    along_mps: Array
    side_mps: Array
    spin_dps: Array
    yaw_rate_dps: Array
    slip_rad: Array


def holding_throttle(speed_mps: Array) -> Array:
    """Return the throttle that holds a speed: the constant terms of the published longitudinal regression."""
    share = np.minimum(speed_mps * 3.6, 74.0) / 100.0
    return 1.1990342 * share - 0.8057602 * share**2


def longitudinal_mps2(
    along_mps: Array, throttle: Array, brake: Array, hand_brake: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Return driving acceleration and braking deceleration (both >= 0 except coasting) at forward speeds [m/s].

    Between coasting (throttle 0) and the holding throttle, and from there to full throttle, the acceleration is linear.
    """
    speed_mps = np.abs(along_mps)
    full = np.interp(speed_mps, _SPEED_MPS, _FULL_THROTTLE_MPS2)
    hold = holding_throttle(speed_mps)
    coasting = np.where(speed_mps > _STANDSTILL_MPS, 0.25 + 0.06 * speed_mps, 0.0)
    above = full * (throttle - hold) / np.maximum(1.0 - hold, 1e-6)
    below = -coasting * (1.0 - throttle / np.maximum(hold, 1e-6))
    drive = np.where(throttle >= hold, above, below)
    return drive, FULL_BRAKE_MPS2 * brake + HAND_BRAKE_MPS2 * hand_brake


def advance(
    along_mps: Array,
    side_mps: Array,
    spin_dps: Array,
    control: NDArray[np.float64],
    hand_brake: NDArray[np.bool_],
    reverse: NDArray[np.bool_],
    wheelbase_m: Array,
    response: Array,
    dt_s: float,
) -> Motion:
    """Advance the body-frame motion of N vehicles by one tick.

        v'     = v + (drive - brake) dt           never through zero by braking
        slip   = atan(tan(steer) / 2)             centre of gravity midway between the axles
        yaw'   = v / (wheelbase / 2) sin(slip) / (1 + K v^2), limited by the tyres' grip

    Args:
        control: throttle, steer, brake, shape (N, 3), within [0, 1], [-1, 1], [0, 1].
        response: acceleration relative to the reference car.
        dt_s: tick length [s].

    Source: Kong et al., Kinematic and Dynamic Vehicle Models for Autonomous Driving Control Design, IV 2015;
        understeer as in Gillespie, Fundamentals of Vehicle Dynamics, chapter 6.
    """
    direction = np.where(reverse, -1.0, 1.0)
    forward_mps = along_mps * direction
    drive, braking = longitudinal_mps2(np.maximum(forward_mps, 0.0), control[:, 0], control[:, 2], hand_brake)
    drive = np.where(control[:, 2] > 0.0, np.minimum(drive, 0.0), drive) * response
    forward_mps = forward_mps + np.where(reverse & (drive > 0.0), REVERSE_SHARE * drive, drive) * dt_s
    slowed = np.sign(forward_mps) * np.maximum(np.abs(forward_mps) - braking * dt_s, 0.0)
    resting = (np.abs(slowed) < _STANDSTILL_MPS) & (control[:, 0] < 1e-3)
    forward_mps = np.where(resting, 0.0, slowed)
    along = forward_mps * direction

    side = np.sign(side_mps) * np.maximum(np.abs(side_mps) - GRIP_MPS2 * dt_s, 0.0)
    spin = np.sign(spin_dps) * np.maximum(np.abs(spin_dps) - _SPIN_DECAY_DPS2 * dt_s, 0.0)

    share = np.interp(np.abs(along) * 3.6, STEERING_CURVE_KMH, STEERING_CURVE_SHARE)
    slip = np.arctan(0.5 * np.tan(control[:, 1] * MAX_STEER_RAD * share))
    slip = slip / (1.0 + _UNDERSTEER_S2PM2 * along**2)
    rate = along / (0.5 * wheelbase_m) * np.sin(slip)
    limit = GRIP_MPS2 / np.maximum(np.abs(along), 0.5)
    gripping = np.minimum(1.0, limit / np.maximum(np.abs(rate), 1e-9))
    return Motion(
        along_mps=along,
        side_mps=side,
        spin_dps=spin,
        yaw_rate_dps=np.degrees(rate * gripping) + spin,
        slip_rad=slip * gripping,
    )


def gear_of(along_mps: Array, reverse: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the gear an automatic gearbox would show: -1 in reverse, else 1 to 6 by speed."""
    forward = 1 + np.searchsorted(np.array([7.0, 12.0, 18.0, 25.0, 33.0]), np.abs(along_mps))
    return np.where(reverse, -1, forward).astype(np.int32)
