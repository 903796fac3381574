"""Where everybody will be during the next two seconds, and who would touch the ego.

The ego follows its route with its own controllers; others keep their last control; pedestrians keep walking.

Source of the constants: kinematic bicycle of World on Rails (Chen et al., ICCV 2021); ego speed polynomials and box
factors of PDM-Lite. Valid for steps of 0.05 s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.drive.controllers import (
    KMH_PER_MPS,
    LOOKAHEAD_MOST,
    LateralState,
    heading_error_rad,
    lookahead_points,
    steer,
    throttle_and_brake,
)
from harness.drive.privileged_route import POINTS_PER_M, SEARCH_POINTS, PrivilegedRoute

FloatArray = npt.NDArray[np.float64]

STEP_S = 0.05
STEPS = 40
STEPS_NEAR_LANE_CHANGE = 22

REAR_AXLE_M = 1.4178275
WHEELBASE_M = 1.4178275 - 0.090769015
SLIP_GAIN = REAR_AXLE_M / WHEELBASE_M
STEER_GAIN = 0.36848336
OTHERS_BRAKE_MPS2 = -4.952399
OTHERS_THROTTLE_MPS2 = 0.5633837
LEAST_EFFECTIVE_THROTTLE = 0.3
MOST_SPEED_GAIN_MPS = 16.0

EGO_FAST_MPS = 5.0
EGO_FAST_LENGTH, EGO_FAST_WIDTH = 1.3, 1.2
OTHERS_FAST_MPS = 1.0
OTHERS_FAST_LENGTH, OTHERS_FAST_WIDTH, OTHERS_CHANGE_LENGTH = 1.2, 1.3, 2.0
WALKER_LEAST_MPS = 0.5
WALKER_LEAST_HALF_M = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """Poses after each of T steps, of one body (shape (T,)) or of N (shape (N, T)); world frame, m and rad."""

    x: FloatArray
    y: FloatArray
    yaw_rad: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """Upright boxes around a track; half sizes [m] broadcast against its shape."""

    track: Track
    half_length_m: FloatArray
    half_width_m: FloatArray


def forecast_ego(
    route: PrivilegedRoute,
    index: int,
    *,
    x: float,
    y: float,
    yaw_rad: float,
    speed_mps: float,
    target_speed_mps: float,
    lateral: LateralState,
    steps: int = STEPS,
) -> Track:
    """Drive the ego along its route towards a target speed; nothing outside changes.

    Args:
        index: present point of the route.
        lateral: state of the steering controller now.
    """
    reach = int((speed_mps + MOST_SPEED_GAIN_MPS) * steps * STEP_S * POINTS_PER_M) + LOOKAHEAD_MOST + SEARCH_POINTS
    route_x = route.xy[index : index + reach, 0].tolist()
    route_y = route.xy[index : index + reach, 1].tolist()
    last = len(route_x) - 1
    nearest = 0
    poses: list[tuple[float, float, float]] = []
    for _ in range(steps):
        nearest = _descend(route_x, route_y, nearest, x, y)
        aim = min(nearest + lookahead_points(speed_mps), last)
        lateral, steering = steer(lateral, heading_error_rad(x, y, yaw_rad, route_x[aim], route_y[aim]))
        throttle, brake = throttle_and_brake(speed_mps, target_speed_mps)
        slip = math.atan(SLIP_GAIN * math.tan(STEER_GAIN * steering))
        x += speed_mps * math.cos(yaw_rad + slip) * STEP_S
        y += speed_mps * math.sin(yaw_rad + slip) * STEP_S
        yaw_rad += speed_mps / REAR_AXLE_M * math.sin(slip) * STEP_S
        speed_mps = next_ego_speed(speed_mps, throttle, brake)
        poses.append((x, y, yaw_rad))
    track = np.array(poses, dtype=np.float64)
    return Track(x=track[:, 0], y=track[:, 1], yaw_rad=track[:, 2])


def next_ego_speed(speed_mps: float, throttle: float, brake: bool) -> float:
    """Return the ego's speed one step later [m/s]; a throttle below 0.3 only holds the speed."""
    v = speed_mps * KMH_PER_MPS
    if brake:
        slope = -2.83832427e-3 + v * (5.06587474e-5 + v * (-4.90357228e-7 + v * (2.44419284e-9 - 4.91381935e-12 * v)))
        after = v * (9.31711370e-3 + v * (8.20967431e-2 + v * slope))
    elif throttle < LEAST_EFFECTIVE_THROTTLE:
        return speed_mps
    else:
        t = min(throttle, 1.0)
        after = 9.63873001e-1 * v + 4.37535692e-4 * v * v - 3.80192912e-1 * t + 1.74950069 * t * t
        after += v * t * (9.16787414e-2 - 7.05461530e-2 * t + v * (-1.05996152e-3 + 6.71079346e-4 * t))
    return max(0.0, after / KMH_PER_MPS)


def forecast_vehicles(
    x: FloatArray,
    y: FloatArray,
    yaw_rad: FloatArray,
    speed_mps: FloatArray,
    *,
    steer: FloatArray,
    throttle: FloatArray,
    brake: FloatArray,
    steps: int = STEPS,
) -> Track:
    """Move N vehicles with constant controls; arguments have shape (N,), the track (N, steps).

    x' = x + v cos(yaw + slip) dt,   yaw' = yaw + v / rear * sin(slip) dt,   v' = max(0, v + a dt)
    """
    slip = np.arctan(SLIP_GAIN * np.tan(STEER_GAIN * steer))
    acceleration = np.where(brake > 0.0, OTHERS_BRAKE_MPS2, OTHERS_THROTTLE_MPS2 * throttle)
    time_s = np.arange(steps) * STEP_S
    travel_m = np.maximum(0.0, speed_mps[:, None] + acceleration[:, None] * time_s) * STEP_S
    turn = np.cumsum(travel_m, axis=1) * (np.sin(slip) / REAR_AXLE_M)[:, None]
    yaw_after = yaw_rad[:, None] + turn
    course = (yaw_rad + slip)[:, None] + np.concatenate((np.zeros((len(x), 1)), turn[:, :-1]), axis=1)
    return Track(
        x=x[:, None] + np.cumsum(travel_m * np.cos(course), axis=1),
        y=y[:, None] + np.cumsum(travel_m * np.sin(course), axis=1),
        yaw_rad=yaw_after,
    )


def forecast_walkers(
    x: FloatArray, y: FloatArray, direction_rad: FloatArray, speed_mps: FloatArray, *, steps: int = STEPS
) -> Track:
    """Move N pedestrians straight on, at no less than 0.5 m/s; arguments have shape (N,), the track (N, steps)."""
    travel_m = np.maximum(speed_mps, WALKER_LEAST_MPS)[:, None] * (np.arange(1, steps + 1) * STEP_S)
    return Track(
        x=x[:, None] + travel_m * np.cos(direction_rad)[:, None],
        y=y[:, None] + travel_m * np.sin(direction_rad)[:, None],
        yaw_rad=np.broadcast_to(direction_rad[:, None], travel_m.shape),
    )


def ego_boxes(track: Track, *, half_length_m: float, half_width_m: float, speed_mps: float) -> Boxes:
    """Return the ego's boxes, longer by 1.3 and wider by 1.2 above 5 m/s."""
    length, width = (EGO_FAST_LENGTH, EGO_FAST_WIDTH) if speed_mps > EGO_FAST_MPS else (1.0, 1.0)
    return Boxes(
        track=track,
        half_length_m=np.full(track.x.shape, half_length_m * length),
        half_width_m=np.full(track.x.shape, half_width_m * width),
    )


def vehicle_boxes(
    track: Track,
    *,
    half_length_m: FloatArray,
    half_width_m: FloatArray,
    speed_mps: FloatArray,
    is_near_lane_change: bool = False,
) -> Boxes:
    """Return the boxes of N other vehicles.

    Above 1 m/s they are longer by 1.2 (2.0 while the ego is near a lane change) and grow wider with time, up to 1.3.
    """
    steps = track.x.shape[1]
    is_fast = (speed_mps > OTHERS_FAST_MPS)[:, None]
    length = np.where(is_fast, OTHERS_CHANGE_LENGTH if is_near_lane_change else OTHERS_FAST_LENGTH, 1.0)
    growth = np.maximum(1.0, OTHERS_FAST_WIDTH * np.arange(1, steps + 1) / steps)
    return Boxes(
        track=track,
        half_length_m=half_length_m[:, None] * length,
        half_width_m=half_width_m[:, None] * np.where(is_fast, growth, 1.0),
    )


def walker_boxes(track: Track, *, half_length_m: FloatArray, half_width_m: FloatArray) -> Boxes:
    """Return the boxes of N pedestrians, no half size below 1.5 m."""
    return Boxes(
        track=track,
        half_length_m=np.maximum(half_length_m, WALKER_LEAST_HALF_M)[:, None],
        half_width_m=np.maximum(half_width_m, WALKER_LEAST_HALF_M)[:, None],
    )


def first_collision(ego: Boxes, others: Boxes) -> npt.NDArray[np.int64]:
    """Return for each of N others the first step at which its box overlaps the ego's, -1 for never; shape (N,).

    Boxes are compared at the same step only, by separating axes in the plane.

    Args:
        ego: boxes of shape (T,).
        others: boxes of shape (N, T); T may not exceed the ego's.
    """
    steps = others.track.x.shape[1]
    dx = others.track.x - ego.track.x[:steps]
    dy = others.track.y - ego.track.y[:steps]
    ego_cos, ego_sin = np.cos(ego.track.yaw_rad[:steps]), np.sin(ego.track.yaw_rad[:steps])
    cos, sin = np.cos(others.track.yaw_rad), np.sin(others.track.yaw_rad)
    parallel = np.abs(cos * ego_cos + sin * ego_sin)
    crossing = np.abs(sin * ego_cos - cos * ego_sin)
    length, width = others.half_length_m, others.half_width_m
    ego_length, ego_width = ego.half_length_m[:steps], ego.half_width_m[:steps]
    overlaps = np.abs(dx * ego_cos + dy * ego_sin) <= ego_length + length * parallel + width * crossing
    overlaps &= np.abs(dy * ego_cos - dx * ego_sin) <= ego_width + length * crossing + width * parallel
    overlaps &= np.abs(dx * cos + dy * sin) <= length + ego_length * parallel + ego_width * crossing
    overlaps &= np.abs(dy * cos - dx * sin) <= width + ego_length * crossing + ego_width * parallel
    step: npt.NDArray[np.int64] = np.where(overlaps.any(axis=1), overlaps.argmax(axis=1), -1)
    return step


def _descend(xs: list[float], ys: list[float], index: int, x: float, y: float) -> int:
    """Return the next point from which the route leads away from (x, y)."""
    last = len(xs) - 1
    here = (xs[index] - x) ** 2 + (ys[index] - y) ** 2
    while index < last:
        ahead = (xs[index + 1] - x) ** 2 + (ys[index + 1] - y) ** 2
        if ahead >= here:
            break
        index, here = index + 1, ahead
    return index
