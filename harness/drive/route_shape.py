"""Steps from the dense route to a line that a car can follow; each takes rows and returns rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.dense_route import DenseRoute
from harness.drive.road_option import RoadOption

FloatArray = npt.NDArray[np.float64]

JUMP_M = 1.0
"""A sideways step larger than this between neighbouring rows is a change of lane."""
LANE_CHANGE_M = 15.0
"""Length over which one lane change is drawn out."""
SHORTEST_LANE_CHANGE_M = 6.0
NARROW_LANE_M = 2.5
LEAST_STEP_M = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Route points with what is known about them; every array has N rows.

    Attributes:
        xyz: positions [m, world], shape (N, 3), float64.
        yaw_rad: lane heading, float64.
        option: RoadOption numbers, int8.
        is_junction: bool.
        lane_width_m: float64.
        dense_index: point of the dense route that a row belongs to, int64.
        is_route: False on the lengthened ends, bool.
    """

    xyz: FloatArray
    yaw_rad: FloatArray
    option: npt.NDArray[np.int8]
    is_junction: npt.NDArray[np.bool_]
    lane_width_m: FloatArray
    dense_index: npt.NDArray[np.int64]
    is_route: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, dense: DenseRoute) -> Rows:
        """Return the rows of a dense route."""
        return cls(
            xyz=dense.xyz,
            yaw_rad=np.radians(dense.yaw_deg),
            option=dense.option,
            is_junction=dense.is_junction,
            lane_width_m=dense.lane_width_m,
            dense_index=np.arange(len(dense)),
            is_route=np.ones(len(dense), dtype=np.bool_),
        )

    def take(self, indices: npt.NDArray[np.int64]) -> Rows:
        """Return the rows at the given indices, in that order."""
        return Rows(**{column.name: getattr(self, column.name)[indices] for column in fields(self)})

    def then(self, other: Rows) -> Rows:
        """Return these rows followed by others."""
        names = [column.name for column in fields(self)]
        return Rows(**{name: np.concatenate((getattr(self, name), getattr(other, name))) for name in names})


def follow_wide_lanes(rows: Rows, carla_map: Any) -> Rows:
    """Stay in the lane one comes from while the route's own lane is narrower than 2.5 m and still opening.

    A stretch that has no wide neighbour lane, or with which the route begins, stays as it is.
    """
    is_narrow = (rows.lane_width_m < NARROW_LANE_M) & ~rows.is_junction
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_narrow, [False])).astype(np.int8)))
    xyz, width_m = rows.xyz.copy(), rows.lane_width_m.copy()
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        neighbour_of = _lane_one_comes_from(carla_map, xyz[first], xyz[first - 1]) if first > 0 else None
        if neighbour_of is None:
            continue
        for index in range(first, last):
            neighbour = _wide(neighbour_of, carla_map.get_waypoint(_location(rows.xyz[index])))
            if neighbour is not None:
                at = neighbour.transform.location
                xyz[index], width_m[index] = (at.x, at.y, at.z), neighbour.lane_width
    return replace(rows, xyz=xyz, lane_width_m=width_m)


def extend(rows: Rows, carla_map: Any, length_m: int) -> Rows:
    """Add rows 1 m apart along the lane before the first and after the last, as far as there is road."""
    start = carla_map.get_waypoint(_location(rows.xyz[0]))
    end = carla_map.get_waypoint(_location(rows.xyz[-1]))
    before = _walk(start, lambda waypoint: waypoint.previous(1.0), length_m)[::-1]
    after = _walk(end, lambda waypoint: waypoint.next(1.0), length_m)
    return _outside(before, 0).then(rows).then(_outside(after, int(rows.dense_index[-1])))


def smooth_lane_changes(rows: Rows) -> Rows:
    """Draw the sideways steps of the route out into cosine ramps on the new lane.

    The dense route changes lane within 5 m, or on the spot where a lane ends. A ramp is 15 m long, several changes at
    one place take that length each, and it ends before the next junction where 6 m are left for it.
    """
    rows, jumps = _fill_jumps(rows)
    steps = np.diff(rows.xyz[:, :2], axis=0)
    heading = np.stack((np.cos(rows.yaw_rad), np.sin(rows.yaw_rad)), axis=1)
    along_m = np.concatenate(([0.0], np.cumsum(np.abs(np.einsum("ij,ij->i", steps, heading[1:])))))
    offset_m = np.zeros(len(along_m))
    places_m = along_m[[row for row, _ in jumps]] if jumps else np.zeros(0)
    for row, sideways_m in jumps:
        count = int((np.abs(places_m - along_m[row]) < LANE_CHANGE_M).sum())
        junctions = along_m[row:][rows.is_junction[row:]]
        room_m = float(junctions[0] - along_m[row]) if len(junctions) else math.inf
        ramp_m = count * min(LANE_CHANGE_M, max(SHORTEST_LANE_CHANGE_M, room_m / count))
        done = np.clip((along_m[row:] - along_m[row]) / ramp_m, 0.0, 1.0)
        offset_m[row:] += sideways_m * 0.5 * (1.0 + np.cos(np.pi * done))
    xyz = rows.xyz.copy()
    xyz[:, 0] -= heading[:, 1] * offset_m
    xyz[:, 1] += heading[:, 0] * offset_m
    return replace(rows, xyz=xyz)


def without_backsteps(rows: Rows) -> Rows:
    """Drop rows that do not lie ahead of the row kept before them."""
    x, y = rows.xyz[:, 0].tolist(), rows.xyz[:, 1].tolist()
    cos, sin = np.cos(rows.yaw_rad).tolist(), np.sin(rows.yaw_rad).tolist()
    kept = [0]
    for index in range(1, len(x)):
        last = kept[-1]
        if (x[index] - x[last]) * cos[last] + (y[index] - y[last]) * sin[last] > LEAST_STEP_M:
            kept.append(index)
    return rows.take(np.array(kept))


def resample(rows: Rows, gap_m: float) -> Rows:
    """Return rows ``gap_m`` apart on the straight lines between the given ones; other columns from the nearest."""
    step_m = np.linalg.norm(np.diff(rows.xyz, axis=0), axis=1)
    travelled_m = np.concatenate(([0.0], np.cumsum(step_m)))
    wanted_m = np.arange(0.0, travelled_m[-1], gap_m)
    nearest = np.searchsorted((travelled_m[:-1] + travelled_m[1:]) / 2.0, wanted_m)
    xyz = np.stack([np.interp(wanted_m, travelled_m, rows.xyz[:, axis]) for axis in range(3)], axis=1)
    return replace(rows.take(nearest), xyz=xyz)


def _fill_jumps(rows: Rows) -> tuple[Rows, list[tuple[int, float]]]:
    """Put rows on the new lane beside the point where a change of lane begins.

    Returns:
        The rows, and for each change the first row on the new lane and where the old lane lies from there [m, + right].
    """
    heading = np.stack((np.cos(rows.yaw_rad), np.sin(rows.yaw_rad)), axis=1)[1:]
    back = (rows.xyz[:-1] - rows.xyz[1:])[:, :2]
    sideways_m = heading[:, 0] * back[:, 1] - heading[:, 1] * back[:, 0]
    behind_m = -np.einsum("ij,ij->i", back, heading)
    jumps: list[tuple[int, float]] = []
    pieces: list[Rows] = []
    done = added = 0
    for before in np.flatnonzero(np.abs(sideways_m) > JUMP_M):
        landing = int(before) + 1
        distances = np.arange(math.floor(behind_m[before]), 0, -1, dtype=np.float64)
        filling = rows.take(np.full(len(distances), landing))
        filling.xyz[:, :2] -= distances[:, None] * heading[before]
        pieces += [rows.take(np.arange(done, landing)), filling]
        jumps.append((landing + added, float(sideways_m[before])))
        done, added = landing, added + len(distances)
    filled = rows.take(np.arange(done, len(rows.xyz)))
    for piece in reversed(pieces):
        filled = piece.then(filled)
    return filled, jumps


def _walk(waypoint: Any, step: Callable[[Any], list[Any]], length_m: int) -> list[Any]:
    """Follow the straightest lane 1 m at a time; the start is not included."""
    walked: list[Any] = []
    for _ in range(length_m):
        ahead = step(waypoint)
        if not ahead:
            break
        yaw_deg = waypoint.transform.rotation.yaw
        waypoint = min(ahead, key=lambda one: abs(math.remainder(one.transform.rotation.yaw - yaw_deg, 360.0)))
        walked.append(waypoint)
    return walked


def _outside(waypoints: list[Any], dense_index: int) -> Rows:
    """Return rows for waypoints that lie before or after the route."""
    count = len(waypoints)
    poses = [waypoint.transform for waypoint in waypoints]
    xyz = np.array([(pose.location.x, pose.location.y, pose.location.z) for pose in poses], dtype=np.float64)
    return Rows(
        xyz=xyz.reshape(count, 3),
        yaw_rad=np.radians(np.array([pose.rotation.yaw for pose in poses], dtype=np.float64)),
        option=np.full(count, int(RoadOption.LANEFOLLOW), dtype=np.int8),
        is_junction=np.array([waypoint.is_junction for waypoint in waypoints], dtype=np.bool_),
        lane_width_m=np.array([waypoint.lane_width for waypoint in waypoints], dtype=np.float64),
        dense_index=np.full(count, dense_index, dtype=np.int64),
        is_route=np.zeros(count, dtype=np.bool_),
    )


def _lane_one_comes_from(carla_map: Any, here: FloatArray, before: FloatArray) -> Callable[[Any], Any] | None:
    """Return how to get from the narrow lane's waypoint to the wide lane beside it that leads on from ``before``."""
    waypoint = carla_map.get_waypoint(_location(here))
    best: tuple[float, Callable[[Any], Any]] | None = None
    for neighbour_of in (lambda one: one.get_left_lane(), lambda one: one.get_right_lane()):
        neighbour = _wide(neighbour_of, waypoint)
        if neighbour is not None:
            distance_m = neighbour.transform.location.distance(_location(before))
            if best is None or distance_m < best[0]:
                best = distance_m, neighbour_of
    return None if best is None else best[1]


def _wide(neighbour_of: Callable[[Any], Any], waypoint: Any) -> Any:
    """Return the neighbour lane's waypoint if one can drive there in the same direction, else None."""
    import carla

    neighbour = neighbour_of(waypoint)
    if neighbour is None or neighbour.lane_type != carla.LaneType.Driving:
        return None
    same_direction = (neighbour.lane_id > 0) == (waypoint.lane_id > 0)
    return neighbour if same_direction and neighbour.lane_width >= NARROW_LANE_M else None


def _location(xyz: FloatArray) -> Any:
    import carla

    return carla.Location(float(xyz[0]), float(xyz[1]), float(xyz[2]))
