"""Things that stand on the route and that one has to drive around: which they are, on which side, and when it is safe.

Found without knowing the scenario: a prop or vehicle that has stood for a while, whose box reaches into the ego's
corridor, and that is not simply waiting like everybody else in front of a light, a stop sign or a junction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.drive.privileged_route import POINT_GAP_M, POINTS_PER_M, PrivilegedRoute
from harness.drive.scene import Others, Scene

STANDING_MPS = 0.1
STANDING_S = 2.0
SEEN_AHEAD_M = 50.0
NEAR_ROUTE_M = 6.0
QUEUE_M = 15.0
# The head of a queue may stand further away than the obstacles that matter.
QUEUE_SEEN_M = 120
SAME_LEVEL_M = 3.0
MARGIN_M = 0.6
OUTER_MARGIN_M = 0.3
TRANSITION_M = 8.0
LEAST_TRANSITION_M = 2.5
EXTRA_M = 1.5
# Further right than this is the kerb.
MOST_RIGHT_M = 1.0
PASSING_MPS = 5.0
GAP_SPARE_S = 1.0
GAP_SPARE_M = 10.0


class StandingClock:
    """How long each actor has stood."""

    def __init__(self) -> None:
        self._since_s: dict[int, float] = {}

    def update(self, scene: Scene) -> npt.NDArray[np.float64]:
        """Return for each other actor for how long it has stood [s]; shape (N,)."""
        standing = scene.others.speed_mps < STANDING_MPS
        ids = scene.others.ids.tolist()
        self._since_s = {
            key: self._since_s.get(key, scene.time_s)
            for key, stands in zip(ids, standing.tolist(), strict=True)
            if stands
        }
        return np.array([scene.time_s - self._since_s.get(key, scene.time_s) for key in ids], np.float64)


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Something to drive around.

    Attributes:
        first_index, last_index: points of the route beside its ends.
        left_m, right_m: how far its sides reach from the route's line, positive to the right.
    """

    actor_id: int
    first_index: int
    last_index: int
    left_m: float
    right_m: float


@dataclass(frozen=True, kw_only=True)
class Bypass:
    """A stretch of route to shift.

    Attributes:
        offset_m: how far.
        outer_m: how far the ego's outer side then is from the present line, with some room.
        transition_m: length of the ramps; short where the ego stands right behind the obstacle.
        needs_gap: the stretch lies in the lane beside.
    """

    start_index: int
    end_index: int
    side: Literal["left", "right"]
    offset_m: float
    outer_m: float
    transition_m: float
    needs_gap: bool


def find_obstacle(
    scene: Scene,
    route: PrivilegedRoute,
    index: int,
    standing_s: npt.NDArray[np.float64],
    *,
    half_width_m: float,
    waits_at: Sequence[int],
    ignored: set[int],
) -> Obstacle | None:
    """Return the nearest obstacle on the route ahead.

    Args:
        index: where the ego is on the route.
        standing_s: from `StandingClock`, shape (N,).
        half_width_m: of the ego.
        waits_at: route points at which traffic waits: lights and stop signs.
        ignored: ids of obstacles that are being passed.
    """
    found, queue_ends = None, list(waits_at)
    for obstacle, is_vehicle in _standing_ahead(scene.others, route, index, standing_s, half_width_m):
        if _may_be_queue(route, index, obstacle, queue_ends):
            # Who stands behind a waiting vehicle waits too.
            queue_ends += [obstacle.first_index] if is_vehicle else []
        elif obstacle.actor_id not in ignored and obstacle.last_index < index + SEEN_AHEAD_M * POINTS_PER_M:
            found = obstacle
    return found


def _standing_ahead(
    others: Others, route: PrivilegedRoute, index: int, standing_s: npt.NDArray[np.float64], half_width_m: float
) -> list[tuple[Obstacle, bool]]:
    """Return what stands in the ego's corridor, the furthest first, and whether it is a vehicle."""
    rows = np.flatnonzero((standing_s > STANDING_S) & ~others.is_walker)
    grid = np.arange(index, min(index + QUEUE_SEEN_M * POINTS_PER_M, len(route) - 1), POINTS_PER_M)
    if not len(rows) or not len(grid):
        return []
    points = route.xy[grid]
    gaps = np.hypot(others.x_m[rows, None] - points[None, :, 0], others.y_m[rows, None] - points[None, :, 1])
    nearest = np.argmin(gaps, axis=1)
    found = []
    for row, place, gap_m in zip(rows.tolist(), nearest, gaps[np.arange(len(rows)), nearest], strict=True):
        if gap_m > NEAR_ROUTE_M:
            continue
        obstacle = _beside_route(others, row, route, index, int(grid[place]))
        if obstacle and obstacle.right_m >= -half_width_m - 0.3 and obstacle.left_m <= half_width_m + 0.3:
            found.append((obstacle, bool(others.is_vehicle[row])))
    return sorted(found, key=lambda item: item[0].first_index, reverse=True)


def _beside_route(others: Others, row: int, route: PrivilegedRoute, index: int, place: int) -> Obstacle | None:
    """Return where an actor near a point of the route is, None unless all of it lies ahead and on its level."""
    reach = int((float(others.half_length_m[row]) + NEAR_ROUTE_M) * POINTS_PER_M)
    first, last = max(index, place - reach), min(place + reach, len(route) - 1)
    points = route.xy[first:last]
    x, y = float(others.x_m[row]), float(others.y_m[row])
    cos, sin = np.cos(others.yaw_rad[row]), np.sin(others.yaw_rad[row])
    along = np.array([1.0, 1.0, -1.0, -1.0]) * others.half_length_m[row]
    across = np.array([1.0, -1.0, 1.0, -1.0]) * others.half_width_m[row]
    corners = np.stack([x + along * cos - across * sin, y + along * sin + across * cos], axis=1)
    gaps = np.hypot(points[None, :, 0] - corners[:, None, 0], points[None, :, 1] - corners[:, None, 1])
    nearest = first + np.argmin(gaps, axis=1)
    if nearest.min() <= index or abs(float(others.z_m[row]) - float(route.xyz[nearest[0], 2])) > SAME_LEVEL_M:
        return None
    yaw_rad = np.radians(route.yaw_deg[nearest])
    away = corners - route.xy[nearest]
    lateral_m = away[:, 1] * np.cos(yaw_rad) - away[:, 0] * np.sin(yaw_rad)
    return Obstacle(
        actor_id=int(others.ids[row]),
        first_index=int(nearest.min()),
        last_index=int(nearest.max()),
        left_m=float(lateral_m.min()),
        right_m=float(lateral_m.max()),
    )


def _may_be_queue(route: PrivilegedRoute, index: int, obstacle: Obstacle, waits_at: Sequence[int]) -> bool:
    reach = obstacle.last_index + int(QUEUE_M * POINTS_PER_M)
    if any(index <= place <= reach for place in waits_at):
        return True
    return bool(route.distance_to_junction_m[obstacle.last_index] < QUEUE_M)


def plan_bypass(
    obstacle: Obstacle, route: PrivilegedRoute, index: int, *, half_length_m: float, half_width_m: float
) -> Bypass:
    """Return how to get past: on the right if the lane has room for it, else on the left."""
    right_m = obstacle.right_m + half_width_m + MARGIN_M
    left_m = half_width_m + MARGIN_M - obstacle.left_m
    side: Literal["left", "right"] = "right" if right_m < min(left_m, MOST_RIGHT_M) else "left"
    offset_m = right_m if side == "right" else left_m
    room_m = (obstacle.first_index - index) * POINT_GAP_M - half_length_m
    transition_m = min(max(room_m, LEAST_TRANSITION_M), TRANSITION_M)
    reach = int((half_length_m + transition_m + EXTRA_M) * POINTS_PER_M)
    spare_m = float(route.lane_width_m[obstacle.first_index]) / 2.0 - half_width_m
    return Bypass(
        start_index=max(index + 1, obstacle.first_index - reach),
        end_index=obstacle.last_index + reach,
        side=side,
        offset_m=offset_m,
        outer_m=offset_m + half_width_m + OUTER_MARGIN_M,
        transition_m=transition_m,
        needs_gap=side == "left" and offset_m > spare_m,
    )


def is_gap_free(
    scene: Scene, route: PrivilegedRoute, index: int, bypass: Bypass, standing_s: npt.NDArray[np.float64]
) -> bool:
    """Tell whether the lane beside stays free until the ego is past.

    Oncoming vehicles may not reach the stretch before the ego has left it; nobody may drive in it or come from behind,
    and nobody may stand where the ego's way lies: two that face each other there would wait for ever.
    """
    others = scene.others
    length_m = (bypass.end_index - index) * POINT_GAP_M
    needed_s = length_m / PASSING_MPS + GAP_SPARE_S
    reach = min(len(route) - 1, bypass.end_index + int(20.0 * needed_s * POINTS_PER_M))
    grid = np.arange(max(0, index - 20 * POINTS_PER_M), reach, POINTS_PER_M)
    for row in np.flatnonzero(others.is_vehicle):
        gap_m = np.hypot(route.xy[grid, 0] - others.x_m[row], route.xy[grid, 1] - others.y_m[row])
        nearest = int(grid[int(np.argmin(gap_m))])
        yaw_rad = np.radians(route.yaw_deg[nearest])
        away_x, away_y = others.x_m[row] - route.xy[nearest, 0], others.y_m[row] - route.xy[nearest, 1]
        lateral_m = away_y * np.cos(yaw_rad) - away_x * np.sin(yaw_rad)
        if not -1.5 * route.lane_width_m[nearest] < lateral_m < -0.5 * half_lane(route, nearest):
            continue
        ahead_m = (nearest - bypass.end_index) * POINT_GAP_M
        if standing_s[row] > STANDING_S:
            in_the_way = -bypass.outer_m - others.half_width_m[row] < lateral_m < -half_lane(route, nearest)
            if in_the_way and nearest > index and ahead_m < GAP_SPARE_M:
                return False
            continue
        is_oncoming = np.cos(others.yaw_rad[row] - yaw_rad) < 0.0
        if not is_oncoming and nearest <= bypass.end_index:
            return False
        if is_oncoming and nearest > index and ahead_m < others.speed_mps[row] * needed_s + GAP_SPARE_M:
            return False
    return True


def half_lane(route: PrivilegedRoute, index: int) -> float:
    """Return half the lane width at a point of the route [m]."""
    return float(route.lane_width_m[index]) / 2.0
