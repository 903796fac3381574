"""Drawn routes and ticks: every coordinate stands where it is used. World frame, metres, y grows to the right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.drive.dense_route import DenseRoute, accumulated_percent
from harness.drive.road_option import RoadOption
from harness.drive.scene import Ego, Others, Scene


def straight_route(
    length_m: float = 100.0, *, from_x_m: float = 0.0, y_m: float = 0.0, gap_m: float = 1.0
) -> DenseRoute:
    """Draw a route along +x from (from_x_m, y_m, 0)."""
    x = from_x_m + np.arange(0.0, length_m + gap_m / 2.0, gap_m)
    return drawn_route([(value, y_m) for value in x])


def drawn_route(points: Sequence[tuple[float, float]]) -> DenseRoute:
    """Draw a route through points; each looks towards the one after it."""
    xyz = np.array([(x, y, 0.0) for x, y in points])
    steps = np.diff(xyz, axis=0)
    yaw_deg = np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))
    count = len(points)
    return DenseRoute(
        xyz=xyz,
        yaw_deg=np.append(yaw_deg, yaw_deg[-1]),
        pitch_deg=np.zeros(count),
        option=np.full(count, int(RoadOption.LANEFOLLOW), np.int8),
        accumulated_percent=accumulated_percent(xyz),
        road_id=np.zeros(count, np.int64),
        lane_id=np.full(count, -1, np.int64),
        is_junction=np.zeros(count, np.bool_),
        lane_width_m=np.full(count, 3.5),
    )


def ego_at(
    x_m: float,
    y_m: float = 0.0,
    *,
    z_m: float = 0.0,
    yaw_deg: float = 0.0,
    speed_mps: float = 10.0,
    along_mps: float | None = None,
    speed_limit_kmh: float = 36.0,
) -> Ego:
    """Draw the ego; it drives forward unless `along_mps` says otherwise."""
    return Ego(
        x_m=x_m,
        y_m=y_m,
        z_m=z_m,
        pitch_rad=0.0,
        yaw_rad=math.radians(yaw_deg),
        along_mps=speed_mps if along_mps is None else along_mps,
        speed_mps=speed_mps,
        speed_limit_kmh=speed_limit_kmh,
    )


def others_with(speeds_mps: Sequence[float] = (), *, background: Sequence[bool] | None = None) -> Others:
    """Draw other vehicles far away; all of them traffic unless told otherwise."""
    count = len(speeds_mps)
    zeros = np.zeros(count)
    return Others(
        ids=np.arange(1, count + 1),
        x_m=zeros + 1000.0,
        y_m=zeros,
        z_m=zeros,
        yaw_rad=zeros,
        speed_mps=np.array(speeds_mps, np.float64),
        half_length_m=zeros + 2.4,
        half_width_m=zeros + 1.0,
        steer=zeros,
        throttle=zeros,
        brake=zeros,
        is_vehicle=np.ones(count, np.bool_),
        is_walker=np.zeros(count, np.bool_),
        is_background=np.ones(count, np.bool_) if background is None else np.array(background, np.bool_),
    )


def tick(
    ego: Ego,
    *,
    frame: int = 1,
    time_s: float = 0.0,
    others: Others | None = None,
    lights: Mapping[int, int] | None = None,
) -> Scene:
    """Draw one tick."""
    return Scene(
        frame=frame,
        time_s=time_s,
        ego=ego,
        others=others if others is not None else others_with(),
        light_states=lights or {},
    )
