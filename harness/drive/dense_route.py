"""The route that is driven and scored: one point about every metre, with a command each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datatypes.route import Point
from harness.drive.road_graph import RoadGraph
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.errors import RouteError

FloatArray = npt.NDArray[np.float64]

SHORTEST_M = 5.0
OFF_ROAD_M = 20.0
FURTHEST_M = 1.0e6
SEAM_GAP_M = 0.5
"""Points nearer than this to the one before add nothing."""
SEAM_OVERLAP_M = 10.0
"""Where two stretches meet, the second may begin this far behind the end of the first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseRoute:
    """A route of N points about 1 m apart; world frame, left-handed.

    Attributes:
        xyz: positions [m], shape (N, 3), float64.
        yaw_deg: lane heading, shape (N,), float64.
        pitch_deg: lane slope, positive uphill, shape (N,), float64.
        option: RoadOption numbers, shape (N,), int8.
        accumulated_percent: share of the 3-D length up to each point, 0 to 100, shape (N,), float64.
        road_id: OpenDRIVE road, shape (N,), int64.
        lane_id: OpenDRIVE lane, shape (N,), int64.
        is_junction: shape (N,), bool.
        lane_width_m: shape (N,), float64.
    """

    xyz: FloatArray
    yaw_deg: FloatArray
    pitch_deg: FloatArray
    option: npt.NDArray[np.int8]
    accumulated_percent: FloatArray
    road_id: npt.NDArray[np.int64]
    lane_id: npt.NDArray[np.int64]
    is_junction: npt.NDArray[np.bool_]
    lane_width_m: FloatArray

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def length_m(self) -> float:
        """Sum of the 3-D distances between points."""
        return float(_step_lengths(self.xyz).sum())

    def transform(self, index: int) -> Any:
        """Return the carla.Transform of a point."""
        import carla

        x, y, z = (float(value) for value in self.xyz[index])
        rotation = carla.Rotation(pitch=float(self.pitch_deg[index]), yaw=float(self.yaw_deg[index]))
        return carla.Transform(carla.Location(x, y, z), rotation)

    def plan(self, indices: Sequence[int] | None = None) -> list[tuple[Any, RoadOption]]:
        """Return (carla.Transform, RoadOption) of the given points, or of all: what ``set_global_plan`` takes."""
        chosen = range(len(self)) if indices is None else indices
        return [(self.transform(index), RoadOption(int(self.option[index]))) for index in chosen]


def interpolate(keypoints: Sequence[Point], graph: RoadGraph) -> DenseRoute:
    """Fill in the way between the sparse points of a route file.

    Args:
        keypoints: at least two points [m, world frame]; each pair is joined by the shortest way.
        graph: lanes of the route's town.

    Raises:
        RouteError: fewer than two points, a point off the lanes, no way between two of them, or no way to go at all.
    """
    import carla

    if len(keypoints) < 2:
        raise RouteError(f"route has {len(keypoints)} positions, expected at least 2")
    places = [carla.Location(point.x, point.y, point.z) for point in keypoints]
    for place in places:
        _refuse_off_road(place, graph)
    trace: list[tuple[Any, RoadOption]] = []
    for origin, destination in pairwise(places):
        stretch = graph.trace_route(origin, destination)
        trace += stretch[_overlap(trace[-1][0], stretch) :] if trace else stretch
    dense = _dense_route(trace)
    if dense.length_m < SHORTEST_M:
        raise RouteError(f"route is {dense.length_m:.1f} m long, expected at least {SHORTEST_M:g} m")
    return dense


def _refuse_off_road(place: Any, graph: RoadGraph) -> None:
    """Refuse a point that no planner would find the road of; the client would take the nearest one, however far."""
    if max(abs(place.x), abs(place.y), abs(place.z)) > FURTHEST_M:
        raise RouteError(f"point ({place.x:.3g}, {place.y:.3g}, {place.z:.3g}) lies in no town, expected metres")
    waypoint, _ = graph.locate(place)
    away_m = math.hypot(waypoint.transform.location.x - place.x, waypoint.transform.location.y - place.y)
    if away_m > OFF_ROAD_M:
        raise RouteError(
            f"point ({place.x:.1f}, {place.y:.1f}) is {away_m:.0f} m off the road, expected at most {OFF_ROAD_M:g} m",
            hint="check that the route file and the town belong together",
        )


def down_sample(route: DenseRoute, max_gap_m: float = 200.0) -> list[int]:
    """Return the indices of the sparse plan that agents get.

    Kept are the first and the last point, every point of a lane change, every point where the command becomes another
    one (not the return to the lane after a lane change), and as many between as hold the gaps below ``max_gap_m``.
    """
    step_m = _step_lengths(route.xyz)
    kept = [0]
    gap_m = 0.0
    for index in range(1, len(route)):
        gap_m += float(step_m[index - 1])
        before, here = int(route.option[index - 1]), int(route.option[index])
        is_change = here in LANE_CHANGES or (here != before and before not in LANE_CHANGES)
        next_step_m = float(step_m[index]) if index + 1 < len(route) else 0.0
        if is_change or gap_m + next_step_m > max_gap_m or index + 1 == len(route):
            kept.append(index)
            gap_m = 0.0
    return kept


def to_gps(
    route: DenseRoute, carla_map: Any, indices: Sequence[int] | None = None
) -> list[tuple[dict[str, float], RoadOption]]:
    """Return ({lat, lon [deg], z [m]}, RoadOption) of the given points, or of all, by the map's own projection."""
    plan = []
    for transform, option in route.plan(indices):
        place = carla_map.transform_to_geolocation(transform.location)
        plan.append(({"lat": place.latitude, "lon": place.longitude, "z": place.altitude}, option))
    return plan


def _overlap(end: Any, stretch: list[tuple[Any, RoadOption]]) -> int:
    """Return how many points of a stretch to drop because the route has already been there."""
    pose = end.transform
    forward = pose.get_forward_vector()
    for index, (waypoint, option) in enumerate(stretch):
        offset = waypoint.transform.location - pose.location
        distance_m = offset.length()
        ahead_m = offset.x * forward.x + offset.y * forward.y + offset.z * forward.z
        is_behind = ahead_m <= 0.0 and distance_m < SEAM_OVERLAP_M
        if option in LANE_CHANGES or (distance_m >= SEAM_GAP_M and not is_behind):
            return index
    return len(stretch)


def _dense_route(trace: list[tuple[Any, RoadOption]]) -> DenseRoute:
    waypoints = [waypoint for waypoint, _ in trace]
    poses = [waypoint.transform for waypoint in waypoints]
    xyz = np.array([(pose.location.x, pose.location.y, pose.location.z) for pose in poses], dtype=np.float64)
    return DenseRoute(
        xyz=xyz,
        yaw_deg=np.array([pose.rotation.yaw for pose in poses], dtype=np.float64),
        pitch_deg=np.array([pose.rotation.pitch for pose in poses], dtype=np.float64),
        option=np.array([option for _, option in trace], dtype=np.int8),
        accumulated_percent=accumulated_percent(xyz),
        road_id=np.array([waypoint.road_id for waypoint in waypoints], dtype=np.int64),
        lane_id=np.array([waypoint.lane_id for waypoint in waypoints], dtype=np.int64),
        is_junction=np.array([waypoint.is_junction for waypoint in waypoints], dtype=np.bool_),
        lane_width_m=np.array([waypoint.lane_width for waypoint in waypoints], dtype=np.float64),
    )


def accumulated_percent(xyz: FloatArray) -> FloatArray:
    """Return the share of the 3-D length up to each point, 0 to 100; shape (N,). A route without length is at 100."""
    travelled_m = np.concatenate(([0.0], np.cumsum(_step_lengths(xyz))))
    total_m = travelled_m[-1]
    return travelled_m / total_m * 100.0 if total_m > 0.0 else np.full(len(xyz), 100.0)


def _step_lengths(xyz: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    return lengths
