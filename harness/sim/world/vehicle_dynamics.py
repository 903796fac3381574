"""How a car answers to throttle, brake and steering.

The reference car is the Lincoln MKZ 2020 of CARLA, whose answer the constants of published controllers are fitted to:
full throttle gives 7.6, 6.2, 5.0, 3.9 and 3.0 m/s^2 at 0, 5, 10, 15 and 20 m/s, full brake 7.3, 7.9 and 7.3 m/s^2 at
10, 15 and 20 m/s, and the throttle that holds a speed is the one that those controllers send at zero error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

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
# CARLA's tyres have a friction of 3.5 and hold more than a car takes without tipping over: half a track of 0.8 m over a
# centre of mass at 0.6 m allows 13 m/s^2.
GRIP_MPS2 = 12.0
_SPIN_DECAY_DPS2 = 360.0
AIR_DENSITY_KGPM3 = 1.2
# The longest steering curve that a vehicle can have.
MAX_CURVE_POINTS = 16
# Below this speed a braked or idle car stands still: no creeping, no reversing under braking.
_STANDSTILL_MPS = 0.02
# What slows a car that rolls freely at any speed; it holds one on a slope of less than 2.5 %.
_ROLLING_MPS2 = 0.25


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


class Tuned(IntEnum):
    """Columns of what a client may change of a vehicle; the fields of `Tuning` with these names say what they are."""

    REACH = 0
    MAX_STEER_RAD = 1
    GRIP_MPS2 = 2
    LIMIT_MPS2 = 3
    BRAKE_MPS2 = 4
    HAND_BRAKE_MPS2 = 5
    DRAG_PER_M = 6


# What the reference car has in these columns.
REFERENCE_ROW = (1.0, float(MAX_STEER_RAD), GRIP_MPS2, np.inf, FULL_BRAKE_MPS2, HAND_BRAKE_MPS2, 0.0)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How N vehicles differ from the reference car; scalars, or arrays of shape (N,).

    Attributes:
        reach: the throttle table holds for speeds this many times as high.
        max_steer_rad: angle of the front wheels at full steer and standstill.
        grip_mps2: acceleration that the tyres hold across.
        limit_mps2: acceleration that they hold along; infinite where nothing was changed that could exceed it.
        brake_mps2, hand_brake_mps2: deceleration of full brake, drag included, and of the hand brake.
        drag_per_m: air drag beyond that of the throttle table: deceleration over the speed squared.
        curves: steering curves, (N, 2, P): speeds [km/h] and shares of the wheel angle; None = the reference car's.
        has_own_curve: (N,), whether a vehicle steers by its row of `curves` and not like the reference car.
        pull: share of the driving force that a gear chosen by hand brings to the road; None = all of it.
    """

    reach: Array | float = REFERENCE_ROW[Tuned.REACH]
    max_steer_rad: Array | float = REFERENCE_ROW[Tuned.MAX_STEER_RAD]
    grip_mps2: Array | float = REFERENCE_ROW[Tuned.GRIP_MPS2]
    limit_mps2: Array | float = REFERENCE_ROW[Tuned.LIMIT_MPS2]
    brake_mps2: Array | float = REFERENCE_ROW[Tuned.BRAKE_MPS2]
    hand_brake_mps2: Array | float = REFERENCE_ROW[Tuned.HAND_BRAKE_MPS2]
    drag_per_m: Array | float = REFERENCE_ROW[Tuned.DRAG_PER_M]
    curves: Array | None = None
    has_own_curve: NDArray[np.bool_] | None = None
    pull: Array | None = None


REFERENCE = Tuning()


def tuning_of(columns: Array, curves: Array, has_own_curve: NDArray[np.bool_], pull: Array | None) -> Tuning:
    """Return the tuning of N vehicles; `columns` has the shape (N, 7), in the order of `Tuned`."""
    values = {column.name.lower(): columns[:, column] for column in Tuned}
    return Tuning(**values, curves=curves, has_own_curve=has_own_curve, pull=pull)


def driving_mps2(speed_mps: Array, throttle: Array) -> Array:
    """Return the acceleration by engine and drag of a car that is not braked, at forward speeds >= 0 [m/s].

    Between coasting (throttle 0) and the holding throttle, and from there to full throttle, it is linear.
    """
    full = np.interp(speed_mps, _SPEED_MPS, _FULL_THROTTLE_MPS2)
    hold = holding_throttle(speed_mps)
    coasting = np.where(speed_mps > _STANDSTILL_MPS, _ROLLING_MPS2 + 0.06 * speed_mps, 0.0)
    above = full * (throttle - hold) / np.maximum(1.0 - hold, 1e-6)
    below = -coasting * (1.0 - throttle / np.maximum(hold, 1e-6))
    return np.where(throttle >= hold, above, below)


def _forces(
    forward_mps: Array,
    control: Array,
    hand_brake: NDArray[np.bool_],
    response: Array,
    tuning: Tuning,
    dt_s: float,
) -> tuple[Array, Array]:
    """Return acceleration by engine and drag, and deceleration by the brakes (>= 0) [m/s^2].

    A brake takes the drag's place in proportion, so that full brake is full brake at any speed; a braked wheel is not
    driven.
    """
    throttle, brake = control[:, 0], control[:, 2]
    if tuning.pull is not None:
        throttle = np.where(tuning.pull > 0.0, throttle, 0.0)
    drive = driving_mps2(np.maximum(forward_mps, 0.0) / tuning.reach, throttle)
    if tuning.pull is not None:
        drive = np.where(drive > 0.0, drive * tuning.pull, drive)
    drive = np.where((brake > 0.0) | hand_brake, np.minimum(drive, 0.0), drive) * (1.0 - brake) * response
    braking = tuning.brake_mps2 * brake + tuning.hand_brake_mps2 * hand_brake
    if tuning is REFERENCE:
        return drive, braking
    moving_mps = np.maximum(forward_mps, 0.0)
    air = tuning.drag_per_m * moving_mps**2
    drive = np.clip(drive - np.minimum(air, 0.0), -tuning.limit_mps2, tuning.limit_mps2)
    braking = np.minimum(braking, tuning.limit_mps2 + np.minimum(drive, 0.0))
    drive = drive - np.maximum(air, 0.0)
    # No drag turns a car around.
    return np.where(drive < 0.0, np.maximum(drive, -moving_mps / dt_s), drive), braking


def _rolling_mps2(forward_mps: Array, push_mps2: Array) -> Array:
    """Return what resists a car that stands or rolls against its gear: the engine's table knows forward speeds only."""
    is_in_table = (forward_mps > _STANDSTILL_MPS) | ((forward_mps >= 0.0) & (push_mps2 > 0.0))
    return np.where(is_in_table, 0.0, _ROLLING_MPS2 + 0.06 * np.abs(forward_mps))


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
    tuning: Tuning = REFERENCE,
    slope_mps2: Array | float = 0.0,
) -> Motion:
    """Advance the body-frame motion of N vehicles by one tick.

        v'     = v + (drive + slope - brake) dt   never through zero by braking
        slip   = atan(tan(steer) / 2)             centre of gravity midway between the axles
        yaw'   = v / (wheelbase / 2) sin(slip) / (1 + K v^2), limited by the tyres' grip

    Args:
        control: throttle, steer, brake, shape (N, 3), within [0, 1], [-1, 1], [0, 1].
        response: acceleration relative to the reference car.
        dt_s: tick length [s].
        tuning: what clients changed.
        slope_mps2: what gravity does along the body, negative uphill; scalar, or (N,).

    Source: Kong et al., Kinematic and Dynamic Vehicle Models for Autonomous Driving Control Design, IV 2015;
        understeer as in Gillespie, Fundamentals of Vehicle Dynamics, chapter 6.
    """
    direction = np.where(reverse, -1.0, 1.0)
    forward_mps = along_mps * direction
    drive, braking = _forces(forward_mps, control, hand_brake, response, tuning, dt_s)
    push = np.where(reverse & (drive > 0.0), REVERSE_SHARE * drive, drive) + slope_mps2 * direction
    braking = braking + _rolling_mps2(forward_mps, push) * (1.0 - control[:, 2])
    forward_mps = forward_mps + push * dt_s
    slowed = np.sign(forward_mps) * np.maximum(np.abs(forward_mps) - braking * dt_s, 0.0)
    is_held = np.abs(slope_mps2) <= np.maximum(braking, _ROLLING_MPS2)
    resting = (np.abs(slowed) < _STANDSTILL_MPS) & (control[:, 0] < 1e-3) & is_held
    forward_mps = np.where(resting, 0.0, slowed)
    along = forward_mps * direction

    side = np.sign(side_mps) * np.maximum(np.abs(side_mps) - tuning.grip_mps2 * dt_s, 0.0)
    spin_decay_dps = _SPIN_DECAY_DPS2 * (tuning.grip_mps2 / GRIP_MPS2) * dt_s
    spin = np.sign(spin_dps) * np.maximum(np.abs(spin_dps) - spin_decay_dps, 0.0)

    wheel_rad = control[:, 1] * tuning.max_steer_rad * steering_share(along, tuning)
    slip = np.arctan(0.5 * np.tan(wheel_rad))
    slip = slip / (1.0 + _UNDERSTEER_S2PM2 * along**2)
    rate = along / (0.5 * wheelbase_m) * np.sin(slip)
    limit = tuning.grip_mps2 / np.maximum(np.abs(along), 0.5)
    gripping = np.minimum(1.0, limit / np.maximum(np.abs(rate), 1e-9))
    return Motion(
        along_mps=along,
        side_mps=side,
        spin_dps=spin,
        yaw_rate_dps=np.degrees(rate * gripping) + spin,
        slip_rad=slip * gripping,
    )


def steering_share(along_mps: Array, tuning: Tuning = REFERENCE) -> Array:
    """Return the share of the wheel angle that is left at a speed [m/s]."""
    speed_kmh = np.abs(along_mps) * 3.6
    share: Array = np.interp(speed_kmh, STEERING_CURVE_KMH, STEERING_CURVE_SHARE)
    if tuning.curves is not None and tuning.has_own_curve is not None:
        own = np.flatnonzero(tuning.has_own_curve)
        share[own] = _interpolate_rows(speed_kmh[own], tuning.curves[own, 0], tuning.curves[own, 1])
    return share


def _interpolate_rows(x: Array, places: Array, values: Array) -> Array:
    """Return what row k of a table, ascending in `places`, has at ``x[k]``; flat outside; both (N, P), padded with inf.

    The padding of `values` repeats the last value.
    """
    rows = np.arange(len(x))
    right = np.clip((x[:, None] >= places).sum(axis=1), 1, places.shape[1] - 1)
    left_x, right_x = places[rows, right - 1], places[rows, right]
    share = np.clip((x - left_x) / np.maximum(right_x - left_x, 1e-9), 0.0, 1.0)
    found: Array = values[rows, right - 1] + share * (values[rows, right] - values[rows, right - 1])
    return found
