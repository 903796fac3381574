"""The privileged expert: follows its route, keeps its distance, obeys lights and signs, waits for crossing traffic.

It sees the true state of every actor and no camera. The target speed is the least over all causes to slow down, each
answered by
the Intelligent Driver Model; whatever else the next two seconds would run into makes it brake. One tick costs well
under 2 ms.

Source of the design and of the constants: PDM-Lite (Sima et al., DriveLM, ECCV 2024) as continued in LEAD.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.drive.controllers import LateralState, heading_error_rad, lookahead_points, steer, throttle_and_brake
from harness.drive.decision import NOBODY, Decision, Reason
from harness.drive.forecast import (
    STEPS,
    STEPS_NEAR_LANE_CHANGE,
    Boxes,
    ego_boxes,
    first_collision,
    forecast_ego,
    forecast_vehicles,
    forecast_walkers,
    vehicle_boxes,
    walker_boxes,
)
from harness.drive.idm import Cause, cause_target_speed
from harness.drive.obstacles import (
    PASSING_MPS,
    StandingClock,
    find_obstacle,
    is_gap_free,
    plan_bypass,
)
from harness.drive.privileged_route import POINT_GAP_M, POINTS_PER_M, PrivilegedRoute
from harness.drive.regulations import OnRoute
from harness.drive.scene import Ego, Others, Scene

LEAST_CRUISE_MPS, MOST_CRUISE_MPS = 6.75, 20.0
CRUISE_SHARE = 1.0
# Where the limit is low, junctions are crossed a little slower still.
JUNCTION_MPS, SLOW_LIMIT_KMH, NEAR_JUNCTION_M = 25.0 / 3.6, 40.0, 30.0
LATERAL_MPS2 = 4.0
APPROACH_MPS2 = 3.0
GREEN, YELLOW = 2, 1
# Harder braking than this is not attempted for a light that has just turned yellow.
YELLOW_BRAKE_MPS2 = 4.5
LOOK_AHEAD_M = 80
LEAD_LATERAL_M = 2.5
LEAD_TURNED_RAD = math.radians(35.0)
NEAR_M = 80.0
SAME_LEVEL_M = 3.0
STOP_NEAR_M, STOP_CLEARED_TICKS, STOP_FORGOTTEN_M, STANDING_MPS = 3.0, 25, 10.0, 0.1
STOP_SIGN_AHEAD_M, LIGHT_AHEAD_M = 60.0, 80.0


class Expert:
    """Drives one route.

    Args:
        route: 10 cm route.
        lights, stop_signs: where the route passes them, ordered along it.
        half_length_m, half_width_m: of the ego's box.

    Attributes:
        route: as it is driven, shifts around obstacles included.
        original_route: without the shifts; the same index is the same place.
        index: where the ego is on it.
    """

    def __init__(
        self,
        route: PrivilegedRoute,
        *,
        lights: Sequence[OnRoute],
        stop_signs: Sequence[OnRoute],
        half_length_m: float,
        half_width_m: float,
    ) -> None:
        self.route = self.original_route = route
        self.index = route.start_index
        self._lights = list(lights)
        self._stop_signs = list(stop_signs)
        self._half_length_m = half_length_m
        self._half_width_m = half_width_m
        self._curve_mps = curve_speeds(route.curvature_per_m)
        self._lateral = LateralState()
        self._stop_ticks = 0
        self._standing = StandingClock()
        self._passing: set[int] = set()
        self._passed_index = -1

    def step(self, scene: Scene) -> Decision:
        """Decide about one tick."""
        ego = scene.ego
        self.index = self.route.advance(self.index, ego.x_m, ego.y_m)
        waits_to_pass = self._get_around_obstacle(scene)
        cruise_mps, reason = self._target_speed(scene)
        if waits_to_pass is not None and waits_to_pass.speed_mps < reason.speed_mps:
            reason = waits_to_pass
        walker, hit_id = self._look_ahead(scene, reason.speed_mps)
        if walker.speed_mps < reason.speed_mps:
            reason = walker
        aim = min(self.index + lookahead_points(ego.speed_mps), len(self.route) - 1)
        error_rad = heading_error_rad(ego.x_m, ego.y_m, ego.yaw_rad, *self.route.xy[aim].tolist())
        self._lateral, steering = steer(self._lateral, error_rad)
        throttle, brake = throttle_and_brake(ego.speed_mps, reason.speed_mps, is_hazard=hit_id != NOBODY)
        return Decision(
            steer=steering, throttle=throttle, brake=brake, reason=reason, cruise_mps=cruise_mps, hit_id=hit_id
        )

    @property
    def next_light(self) -> OnRoute | None:
        """The next traffic light on the route."""
        return self._lights[0] if self._lights else None

    @property
    def next_stop_sign(self) -> OnRoute | None:
        """The stop sign at which the ego has to stop next."""
        return self._stop_signs[0] if self._stop_signs and self._stop_ticks <= STOP_CLEARED_TICKS else None

    # --- target speed ------------------------------------------------------------------------------------------------

    def _target_speed(self, scene: Scene) -> tuple[float, Reason]:
        """Return the speed without anybody in the way, and the least over all causes to be slower."""
        ego = scene.ego
        cruise_mps = min(max(CRUISE_SHARE * ego.speed_limit_kmh / 3.6, LEAST_CRUISE_MPS), MOST_CRUISE_MPS)
        if ego.speed_limit_kmh < SLOW_LIMIT_KMH and self._is_near_junction():
            cruise_mps = min(cruise_mps, JUNCTION_MPS)
        desired_mps = min(cruise_mps, float(self._curve_mps[self.index]))
        if self._passing:
            desired_mps = min(desired_mps, PASSING_MPS)
        reasons = [Reason(desired_mps, "cruise"), *self._behind_others(scene, desired_mps)]
        for place in (self._at_light(scene, desired_mps), self._at_stop_sign(ego, desired_mps)):
            if place is not None:
                reasons.append(place)
        return desired_mps, min(reasons, key=lambda reason: reason.speed_mps)

    def _is_near_junction(self) -> bool:
        return bool(self.route.distance_to_junction_m[self.index] < NEAR_JUNCTION_M)

    def _at_light(self, scene: Scene, desired_mps: float) -> Reason | None:
        while self._lights and self._lights[0].index < self.index:
            self._lights.pop(0)
        if not self._lights:
            return None
        distance_m = (self._lights[0].index - self.index) * POINT_GAP_M
        state = scene.light_states.get(self._lights[0].actor_id, GREEN)
        speed_mps = scene.ego.speed_mps
        if state == GREEN or distance_m > LIGHT_AHEAD_M:
            return None
        if state == YELLOW and speed_mps**2 / (2.0 * YELLOW_BRAKE_MPS2) > distance_m:
            return None
        target_mps = cause_target_speed(
            Cause.LIGHT, speed_mps=speed_mps, desired_speed_mps=desired_mps, distance_m=distance_m
        )
        return Reason(target_mps, Cause.LIGHT, self._lights[0].actor_id, distance_m)

    def _at_stop_sign(self, ego: Ego, desired_mps: float) -> Reason | None:
        """Stop within 3 m of the sign's area for 25 ticks, then go on; signs left 10 m behind are forgotten."""
        while self._stop_signs and self._stop_signs[0].index < self.index - STOP_FORGOTTEN_M * POINTS_PER_M:
            self._stop_signs.pop(0)
            self._stop_ticks = 0
        if not self._stop_signs:
            return None
        distance_m = (self._stop_signs[0].index - self.index) * POINT_GAP_M
        if abs(distance_m) < STOP_NEAR_M and ego.speed_mps < STANDING_MPS:
            self._stop_ticks += 1
        if self._stop_ticks > STOP_CLEARED_TICKS or distance_m > STOP_SIGN_AHEAD_M:
            return None
        target_mps = cause_target_speed(
            Cause.STOP_SIGN, speed_mps=ego.speed_mps, desired_speed_mps=desired_mps, distance_m=distance_m
        )
        return Reason(target_mps, Cause.STOP_SIGN, self._stop_signs[0].actor_id, distance_m)

    def _behind_others(self, scene: Scene, desired_mps: float) -> list[Reason]:
        others = scene.others
        ahead_m = self._leading(scene)
        reasons = []
        for row in np.flatnonzero(np.isfinite(ahead_m)):
            target_mps = cause_target_speed(
                Cause.LEADING_VEHICLE,
                speed_mps=scene.ego.speed_mps,
                desired_speed_mps=desired_mps,
                distance_m=float(ahead_m[row]),
                lead_speed_mps=float(others.speed_mps[row]),
                lead_length_m=2.0 * float(others.half_length_m[row]),
            )
            reasons.append(Reason(target_mps, Cause.LEADING_VEHICLE, int(others.ids[row]), float(ahead_m[row])))
        return reasons

    def _leading(self, scene: Scene) -> npt.NDArray[np.float64]:
        """Return how far ahead on the route each other actor is that drives like the ego, inf for the rest; (N,)."""
        ego, others = scene.ego, scene.others
        ahead_m = np.full(len(others), np.inf)
        rows = _near(ego, others)
        rows = rows[~others.is_walker[rows] & ~np.isin(others.ids[rows], list(self._passing))]
        if not len(rows):
            return ahead_m
        grid = np.arange(self.index, min(self.index + LOOK_AHEAD_M * POINTS_PER_M, len(self.route)), POINTS_PER_M)
        points = self.route.xy[grid]
        gap_m = np.hypot(others.x_m[rows, None] - points[None, :, 0], others.y_m[rows, None] - points[None, :, 1])
        nearest = np.argmin(gap_m, axis=1)
        turned = _wrapped(others.yaw_rad[rows] - np.radians(self.route.yaw_deg[grid[nearest]]))
        leads = (gap_m[np.arange(len(rows)), nearest] < LEAD_LATERAL_M) & (np.abs(turned) < LEAD_TURNED_RAD)
        leads &= nearest > 0
        ahead_m[rows[leads]] = nearest[leads].astype(np.float64)
        return ahead_m

    # --- obstacles ---------------------------------------------------------------------------------------------------

    def _get_around_obstacle(self, scene: Scene) -> Reason | None:
        """Shift the route around something that stands on it; return a reason to be slow while that has to wait."""
        standing_s = self._standing.update(scene)
        if self.index > self._passed_index:
            self._passing.clear()
        obstacle = find_obstacle(
            scene,
            self.route,
            self.index,
            standing_s,
            half_width_m=self._half_width_m,
            waits_at=[place.index for place in (*self._lights, *self._stop_signs)],
            ignored=self._passing,
        )
        if obstacle is None:
            return None
        bypass = plan_bypass(
            obstacle, self.route, self.index, half_length_m=self._half_length_m, half_width_m=self._half_width_m
        )
        if bypass.needs_gap and not is_gap_free(scene, self.route, self.index, bypass, standing_s):
            distance_m = (bypass.start_index - self.index) * POINT_GAP_M + 1.0
            target_mps = cause_target_speed(
                Cause.TWO_WAY_WAIT,
                speed_mps=scene.ego.speed_mps,
                desired_speed_mps=LEAST_CRUISE_MPS,
                distance_m=distance_m,
                ego_length_m=2.0 * self._half_length_m,
            )
            return Reason(target_mps, Cause.TWO_WAY_WAIT, obstacle.actor_id, distance_m)
        self.route = self.route.shift(
            bypass.start_index, bypass.end_index, bypass.side, bypass.offset_m, bypass.transition_m
        )
        self._curve_mps = curve_speeds(self.route.curvature_per_m)
        self._passing.add(obstacle.actor_id)
        self._passed_index = bypass.end_index
        return None

    # --- forecast ----------------------------------------------------------------------------------------------------

    def _look_ahead(self, scene: Scene, target_mps: float) -> tuple[Reason, int]:
        """Return the reason of pedestrians who come into the way (inf without any), and who else is hit."""
        ego, others = scene.ego, scene.others
        rows = _near(ego, others)
        rows = rows[~_follows(ego, others, rows) & ~np.isfinite(self._leading(scene)[rows])]
        if not len(rows):
            return Reason(math.inf, Cause.PEDESTRIAN), NOBODY
        changes_lane = self.route.is_near_lane_change(self.index, ego.speed_mps)
        track = forecast_ego(
            self.route,
            self.index,
            x=ego.x_m,
            y=ego.y_m,
            yaw_rad=ego.yaw_rad,
            speed_mps=ego.speed_mps,
            target_speed_mps=target_mps,
            lateral=self._lateral,
            steps=STEPS_NEAR_LANE_CHANGE if changes_lane else STEPS,
        )
        mine = ego_boxes(
            track, half_length_m=self._half_length_m, half_width_m=self._half_width_m, speed_mps=ego.speed_mps
        )
        walkers, rest = rows[others.is_walker[rows]], rows[~others.is_walker[rows]]
        hit = walkers[_walkers_hit(mine, others, walkers)]
        return self._for_walkers(scene, hit, target_mps), _hit_first(mine, others, rest, changes_lane)

    def _for_walkers(self, scene: Scene, rows: npt.NDArray[np.intp], desired_mps: float) -> Reason:
        ego, others = scene.ego, scene.others
        least = Reason(math.inf, Cause.PEDESTRIAN)
        for row in rows:
            distance_m = math.hypot(others.x_m[row] - ego.x_m, others.y_m[row] - ego.y_m)
            target_mps = cause_target_speed(
                Cause.PEDESTRIAN,
                speed_mps=ego.speed_mps,
                desired_speed_mps=desired_mps,
                distance_m=distance_m,
                ego_length_m=2.0 * self._half_length_m,
            )
            if target_mps < least.speed_mps:
                least = Reason(target_mps, Cause.PEDESTRIAN, int(others.ids[row]), distance_m)
        return least


def _hit_first(mine: Boxes, others: Others, rows: npt.NDArray[np.intp], changes_lane: bool) -> int:
    """Return the vehicle or prop that is hit first within the forecast, if everybody keeps his controls."""
    if not len(rows):
        return NOBODY
    moving = forecast_vehicles(
        others.x_m[rows],
        others.y_m[rows],
        others.yaw_rad[rows],
        others.speed_mps[rows],
        steer=others.steer[rows],
        throttle=others.throttle[rows],
        brake=others.brake[rows],
        steps=len(mine.track.x),
    )
    theirs = vehicle_boxes(
        moving,
        half_length_m=others.half_length_m[rows],
        half_width_m=others.half_width_m[rows],
        speed_mps=others.speed_mps[rows],
        is_near_lane_change=changes_lane,
    )
    steps = first_collision(mine, theirs)
    hits = np.flatnonzero(steps >= 0)
    return int(others.ids[rows[hits[np.argmin(steps[hits])]]]) if len(hits) else NOBODY


def _walkers_hit(mine: Boxes, others: Others, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Tell which pedestrians, walking straight on, come into the ego's way within the forecast; shape of `rows`."""
    if not len(rows):
        return np.zeros(0, np.bool_)
    walking = forecast_walkers(
        others.x_m[rows], others.y_m[rows], others.yaw_rad[rows], others.speed_mps[rows], steps=len(mine.track.x)
    )
    theirs = walker_boxes(walking, half_length_m=others.half_length_m[rows], half_width_m=others.half_width_m[rows])
    return np.asarray(first_collision(mine, theirs) >= 0)


def curve_speeds(curvature_per_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for each point of a 10 cm route the speed from which all curves ahead can be driven [m/s].

    v(i) = min(sqrt(lateral / |curvature(i)|), sqrt(v(i+1)^2 + 2 approach gap))
    """
    squared = (LATERAL_MPS2 / np.maximum(np.abs(curvature_per_m), 1e-4)).tolist()
    gain = 2.0 * APPROACH_MPS2 * POINT_GAP_M
    for index in range(len(squared) - 2, -1, -1):
        squared[index] = min(squared[index], squared[index + 1] + gain)
    speeds: npt.NDArray[np.float64] = np.sqrt(np.array(squared))
    return speeds


def _near(ego: Ego, others: Others) -> npt.NDArray[np.intp]:
    close = np.hypot(others.x_m - ego.x_m, others.y_m - ego.y_m) < NEAR_M
    return np.flatnonzero(close & (np.abs(others.z_m - ego.z_m) < SAME_LEVEL_M))


def _follows(ego: Ego, others: Others, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Tell which actors are behind the ego in its own direction; the one behind keeps the distance."""
    dx, dy = others.x_m[rows] - ego.x_m, others.y_m[rows] - ego.y_m
    cos, sin = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    alike = np.abs(_wrapped(others.yaw_rad[rows] - ego.yaw_rad)) < LEAD_TURNED_RAD
    return (along < 0.0) & (np.abs(across) < 3.0) & alike


def _wrapped(angle_rad: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.remainder(angle_rad + np.pi, 2.0 * np.pi) - np.pi
