"""Drawn scenes for the expert: a straight 10 cm route along +x, bodies on it, and a car that drives in them.

World frame, metres, y grows to the right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.drive.expert import Decision, Expert
from harness.drive.privileged_route import PrivilegedRoute, curvatures, headings_deg
from harness.drive.regulations import OnRoute
from harness.drive.road_option import RoadOption
from harness.drive.scene import Others
from harness.sim.world.vehicle_dynamics import advance
from tests.unit.drive.criteria.drawn import ego_at, tick

HALF_LENGTH_M, HALF_WIDTH_M, WHEELBASE_M = 2.4462, 0.9184, 2.86  # of the Lincoln MKZ 2020
DT_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Body:
    """Another actor: a car unless `kind` says "walker" or "prop"."""

    x_m: float
    y_m: float = 0.0
    z_m: float = 0.0
    yaw_deg: float = 0.0
    speed_mps: float = 0.0
    half_length_m: float = 2.4
    half_width_m: float = 1.0
    kind: str = "vehicle"


def others_of(bodies: Mapping[int, Body]) -> Others:
    """Return the bodies by actor id."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(bodies[key], name) for key in ids], np.float64)

    ids = sorted(bodies)
    zeros = np.zeros(len(ids))
    vehicle = np.array([bodies[key].kind == "vehicle" for key in ids], np.bool_)
    return Others(
        ids=np.array(ids, np.int64),
        x_m=column("x_m"),
        y_m=column("y_m"),
        z_m=column("z_m"),
        yaw_rad=np.radians(column("yaw_deg")),
        speed_mps=column("speed_mps"),
        half_length_m=column("half_length_m"),
        half_width_m=column("half_width_m"),
        steer=zeros,
        throttle=zeros,
        brake=zeros,
        is_vehicle=vehicle,
        is_walker=np.array([bodies[key].kind == "walker" for key in ids], np.bool_),
        is_background=vehicle,
    )


def route_through(xyz: np.ndarray, *, junction: slice | None = None) -> PrivilegedRoute:
    """Return a route through points 0.1 m apart; lanes are 3.5 m wide."""
    count = len(xyz)
    yaw_deg = headings_deg(xyz)
    is_junction = np.zeros(count, np.bool_)
    if junction is not None:
        is_junction[junction] = True
    return PrivilegedRoute(
        xyz=xyz,
        yaw_deg=yaw_deg,
        curvature_per_m=curvatures(yaw_deg),
        option=np.full(count, int(RoadOption.LANEFOLLOW), np.int8),
        is_junction=is_junction,
        lane_width_m=np.full(count, 3.5),
        dense_index=np.arange(count) // 10,
        start_index=0,
        end_index=count - 1,
    )


def straight_way(length_m: float = 200.0, *, junction_m: tuple[float, float] | None = None) -> PrivilegedRoute:
    """Return a route along y = 0 from x = 0; point k lies at x = k / 10."""
    xyz = np.zeros((round(length_m * 10), 3))
    xyz[:, 0] = np.arange(len(xyz)) * 0.1
    junction = None if junction_m is None else slice(round(junction_m[0] * 10), round(junction_m[1] * 10))
    return route_through(xyz, junction=junction)


def expert_on(
    route: PrivilegedRoute, *, lights: tuple[OnRoute, ...] = (), stop_signs: tuple[OnRoute, ...] = ()
) -> Expert:
    """Return an expert in the reference car."""
    return Expert(route, lights=lights, stop_signs=stop_signs, half_length_m=HALF_LENGTH_M, half_width_m=HALF_WIDTH_M)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A tick of a closed loop: where the car was and what the expert decided there."""

    time_s: float
    x_m: float
    y_m: float
    yaw_deg: float
    speed_mps: float
    decision: Decision


def drive(
    expert: Expert,
    seconds: float,
    *,
    speed_mps: float = 0.0,
    speed_limit_kmh: float = 36.0,
    bodies: Callable[[float], Mapping[int, Body]] = lambda time_s: {},
    lights: Callable[[float], Mapping[int, int]] = lambda time_s: {},
) -> list[Moment]:
    """Let the expert drive the simulator's car in a drawn world, from the origin along +x, until the route ends.

    Args:
        bodies, lights: what there is at a time [s].
    """
    x, y, yaw_deg, zero = 0.0, 0.0, 0.0, np.zeros(1)
    along, no, moments = np.array([speed_mps]), np.zeros(1, np.bool_), []
    for number in range(round(seconds / DT_S)):
        if len(expert.route) - expert.index < 150:
            break
        time_s = number * DT_S
        ego = ego_at(x, y, yaw_deg=yaw_deg, speed_mps=float(along[0]), speed_limit_kmh=speed_limit_kmh)
        scene = tick(ego, frame=number, time_s=time_s, others=others_of(bodies(time_s)), lights=lights(time_s))
        decision = expert.step(scene)
        moments.append(
            Moment(time_s=time_s, x_m=x, y_m=y, yaw_deg=yaw_deg, speed_mps=float(along[0]), decision=decision)
        )
        control = np.array([[decision.throttle, decision.steer, float(decision.brake)]])
        motion = advance(along, zero, zero, control, no, no, np.array([WHEELBASE_M]), np.ones(1), DT_S)
        along, rate_dps = motion.along_mps, float(motion.yaw_rate_dps[0])
        course_rad = np.radians(yaw_deg + 0.5 * rate_dps * DT_S) + float(motion.slip_rad[0])
        x += float(along[0] * np.cos(course_rad)) * DT_S
        y += float(along[0] * np.sin(course_rad)) * DT_S
        yaw_deg += rate_dps * DT_S
    return moments


def gap_m(ego: Moment, body: Body) -> float:
    """Return the distance between the ego's box and a body's, negative where they overlap (separating axes)."""
    ego_yaw, yaw = np.radians(ego.yaw_deg), np.radians(body.yaw_deg)
    away = np.array([body.x_m - ego.x_m, body.y_m - ego.y_m])
    axes = [np.array([np.cos(a), np.sin(a)]) for a in (ego_yaw, ego_yaw + np.pi / 2, yaw, yaw + np.pi / 2)]
    sides = [
        *((axes[0], HALF_LENGTH_M), (axes[1], HALF_WIDTH_M)),
        *((axes[2], body.half_length_m), (axes[3], body.half_width_m)),
    ]
    return max(float(abs(away @ axis) - sum(half * abs(side @ axis) for side, half in sides)) for axis in axes)
