"""What the expert plans, as keys of a meta: its route, its controls and what it reacts to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.decision import NOBODY, Decision
from harness.drive.expert import Expert
from harness.drive.idm import Cause
from harness.drive.privileged_route import POINT_GAP_M, POINTS_PER_M
from harness.drive.road_option import LANE_CHANGES
from harness.drive.scene import Scene
from harness.record.frames import EgoFrame
from harness.record.others import ActorBook
from harness.record.schema import ROUTE_FIRST_M, ROUTE_POINTS

#: How far to look for a lane change, and for curves [m].
LANE_CHANGE_NEAR_M, CURVATURE_AHEAD_M = 25.0, 20.0
#: A light further along the route than this is not yet the ego's [m].
LIGHT_AHEAD_M = 50.0
_LANE_CHANGES = [int(option) for option in LANE_CHANGES]


def route_fields(expert: Expert, frame: EgoFrame) -> dict[str, Any]:
    """Return what there is to say about the route from here on."""
    route, index = expert.route, expert.index
    ahead = route.xyz[index:]
    junction_m = float(route.distance_to_junction_m[index])
    return {
        "route": _route_ahead(ahead, frame),
        "changed_route": bool((route.xyz[index] != expert.original_route.xyz[index]).any()),
        "route_curvature": _curvature(route.xy[index : index + int(CURVATURE_AHEAD_M * POINTS_PER_M)]),
        "route_left_length": float(np.hypot(*np.diff(ahead[:, :2], axis=0).T).sum()),
        "distance_ego_to_route": float(np.hypot(*(ahead[0, :2] - frame.xyz[:2]))),
        "signed_dist_to_lane_change": _to_lane_change_m(route.option, index),
        "dist_to_junction": junction_m if math.isfinite(junction_m) else None,
        "distance_to_next_junction": junction_m,
        "distance_to_intersection_index_ego": math.inf,
    }


def light_ahead(expert: Expert) -> int | None:
    """Return the actor id of the light that the ego comes to within 50 m of route."""
    light = expert.next_light
    is_near = light is not None and (light.index - expert.index) * POINT_GAP_M < LIGHT_AHEAD_M
    return light.actor_id if light is not None and is_near else None


def decision_fields(decision: Decision, scene: Scene, book: ActorBook) -> dict[str, Any]:
    """Return controls, speeds and causes; the flags name what the target speed follows from and nothing else."""
    reason, is_hazard = decision.reason, decision.is_hazard
    # What the forecast runs into makes the ego stop; another cause counts beside it only if it stops the ego too.
    cause = reason.cause if not is_hazard or reason.speed_mps == 0.0 else ""
    walker_id = reason.actor_id if cause == Cause.PEDESTRIAN else None
    limit_mps = scene.ego.speed_limit_kmh / 3.6
    return {
        "target_speed": 0.0 if is_hazard else reason.speed_mps,
        "target_speed_limit": decision.cruise_mps,
        "speed_limit": limit_mps,
        "last_encountered_speed_limit_sign": limit_mps,
        "steer": decision.steer,
        "throttle": decision.throttle,
        "brake": decision.brake,
        "vehicle_hazard": is_hazard,
        "vehicle_affecting_id": decision.hit_id if is_hazard else None,
        "light_hazard": cause == Cause.LIGHT,
        "stop_sign_hazard": cause == Cause.STOP_SIGN,
        "stop_sign_close": cause == Cause.STOP_SIGN,
        "walker_hazard": walker_id is not None,
        "walker_affecting_id": walker_id,
        "walker_close": walker_id is not None,
        "walker_close_id": walker_id,
        "does_emergency_brake_for_pedestrians": walker_id is not None and decision.brake,
        **_slowed_by(decision, scene, book),
    }


def _slowed_by(decision: Decision, scene: Scene, book: ActorBook) -> dict[str, Any]:
    actor_id, distance_m = decision.reason.actor_id, decision.reason.distance_m
    if decision.is_hazard:
        others, ego = scene.others, scene.ego
        actor_id = decision.hit_id
        row = int(np.flatnonzero(others.ids == actor_id)[0])
        distance_m = math.hypot(others.x_m[row] - ego.x_m, others.y_m[row] - ego.y_m)
    is_nobody = actor_id == NOBODY
    return {
        "speed_reduced_by_obj_type": None if is_nobody else book.type_id(actor_id),
        "speed_reduced_by_obj_id": None if is_nobody else actor_id,
        "speed_reduced_by_obj_distance": None if is_nobody else float(distance_m),
    }


def _route_ahead(ahead: npt.NDArray[np.float64], frame: EgoFrame) -> npt.NDArray[np.float32]:
    """Return the route in the ego frame, 50 points 1 m apart; beyond the end of the road it goes straight on."""
    points = ahead[int(ROUTE_FIRST_M * POINTS_PER_M) :: POINTS_PER_M][:ROUTE_POINTS]
    missing = ROUTE_POINTS - len(points)
    if missing:
        straight = ahead[-1] - ahead[-min(len(ahead), 2)]
        length_m = float(np.linalg.norm(straight))
        straight = straight / length_m if length_m > 0.0 else frame.rotation[:, 0]
        last = points[-1] if len(points) else ahead[-1]
        points = np.concatenate((points, last + straight * np.arange(1, missing + 1)[:, None]))
    return np.ascontiguousarray(frame.to_ego(points)[:, :2], np.float32)


def _curvature(xy: npt.NDArray[np.float64]) -> float:
    """Return the sum of |sin| of the turns from point to point."""
    steps = np.diff(xy, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    steps, lengths = steps[lengths > 0.0], lengths[lengths > 0.0]
    crossed = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    return float((np.abs(crossed) / (lengths[:-1] * lengths[1:])).sum())


def _to_lane_change_m(option: npt.NDArray[np.int8], index: int) -> float:
    """Return the way to the nearest lane-change point, negative if it lies behind, inf if none is within 25 m."""
    reach = int(LANE_CHANGE_NEAR_M * POINTS_PER_M)
    first = max(0, index - reach)
    away = first + np.flatnonzero(np.isin(option[first : index + reach], _LANE_CHANGES)) - index
    return float(away[np.argmin(np.abs(away))]) * POINT_GAP_M if len(away) else math.inf
