"""From a route and a target speed to steering and pedals.

Both controllers are functions without memory of their own, so that the forecast can run them ahead without a trace.

Source of the constants: PDM-Lite (Sima et al., DriveLM, ECCV 2024, and its successor LEAD), where they were fitted to
the Lincoln MKZ 2020 in CARLA at 20 Hz. They are not valid for another vehicle or tick length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LOOKAHEAD_PER_KMH = 0.9755321901954155
LOOKAHEAD_OFFSET = 1.9152884533402488
LOOKAHEAD_LEAST = 24
LOOKAHEAD_MOST = 105

STEER_P = 3.118357
STEER_D = 1.378251
STEER_I = 0.640607
STEER_WINDOW = 6

KMH_PER_MPS = 3.6
LEAST_TARGET_KMH = 1.0
STOP_TARGET_MPS = 1e-5
FULL_THROTTLE_ERROR_KMH = 1.89
BRAKE_RATIO = 1.031266635497984


@dataclass(frozen=True, slots=True)
class LateralState:
    """The last heading errors, newest last, scaled so that 1 is 90 degrees."""

    errors: tuple[float, ...] = ()


def lookahead_points(speed_mps: float) -> int:
    """Return how many points of a 10 cm route ahead to aim at."""
    points = LOOKAHEAD_PER_KMH * speed_mps * KMH_PER_MPS + LOOKAHEAD_OFFSET
    return int(min(max(points, LOOKAHEAD_LEAST), LOOKAHEAD_MOST))


def heading_error_rad(x: float, y: float, yaw_rad: float, target_x: float, target_y: float) -> float:
    """Return the angle from the car's heading to a point, positive to the right, in [-pi, pi]."""
    return math.remainder(math.atan2(target_y - y, target_x - x) - yaw_rad, math.tau)


def steer(state: LateralState, error_rad: float) -> tuple[LateralState, float]:
    """Advance the steering controller by one tick.

        steer = P e + D (e - e_previous) + I mean(last 6 e),  e = error / 90 deg

    Returns:
        The state after the tick, and the steering in [-1, 1], rounded to 3 digits, positive to the right.
    """
    error = error_rad * (2.0 / math.pi)
    errors = (*state.errors[-(STEER_WINDOW - 1) :], error)
    change = error - errors[-2] if len(errors) > 1 else 0.0
    command = STEER_P * error + STEER_D * change + STEER_I * (sum(errors) / len(errors))
    return LateralState(errors), round(min(max(command, -1.0), 1.0), 3)


def throttle_and_brake(speed_mps: float, target_speed_mps: float, *, is_hazard: bool = False) -> tuple[float, bool]:
    """Return the throttle in [0, 1] and whether to brake, from a regression on speed and speed error.

    A target of zero or a hazard brakes; a target below 1 km/h counts as 1 km/h.
    """
    if is_hazard or target_speed_mps < STOP_TARGET_MPS:
        return 0.0, True
    speed_kmh = speed_mps * KMH_PER_MPS
    target_kmh = max(target_speed_mps * KMH_PER_MPS, LEAST_TARGET_KMH)
    error_kmh = target_kmh - speed_kmh
    if error_kmh > FULL_THROTTLE_ERROR_KMH:
        return 1.0, False
    if speed_kmh / target_kmh > BRAKE_RATIO:
        return 0.0, True
    s, d = speed_kmh / 100.0, max(error_kmh, 0.0) / 100.0
    throttle = (
        1.1990342 * s
        - 0.8057602 * s * s
        + 1.7108187 * 100.0 * d
        + 0.9218903 * d * d
        + 1.5564975 * s * d
        - 0.7013480 * s * s * d
    )
    return min(max(throttle, 0.0), 1.0), False
