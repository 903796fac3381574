"""The 10 cm route that the expert steers along, with what it needs to know about each point.

Built once from the dense route: lengthened at both ends, lane changes drawn out, resampled to ten points per metre.
Everything that runs each tick is a lookup or works on a short window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.drive.dense_route import DenseRoute
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.drive.route_shape import Rows, extend, follow_wide_lanes, resample, smooth_lane_changes, without_backsteps

FloatArray = npt.NDArray[np.float64]

POINTS_PER_M = 10
POINT_GAP_M = 1.0 / POINTS_PER_M
EXTENSION_M = 50
SEARCH_POINTS = 40
"""The position on the route is searched in the next 4 m and never behind."""
CURVATURE_HALF_WINDOW = 10
CHANGE_BEHIND_M = 15.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PrivilegedRoute:
    """A route of M points 0.1 m apart; world frame, left-handed.

    Attributes:
        xyz: positions [m], shape (M, 3), float64.
        yaw_deg: direction of travel by central difference, in (-180, 180], shape (M,), float64.
        curvature_per_m: change of direction per metre over 2 m, positive to the right, shape (M,), float64.
        option: RoadOption numbers, shape (M,), int8.
        is_junction: shape (M,), bool.
        lane_width_m: shape (M,), float64.
        dense_index: nearest point of the dense route, shape (M,), int64.
        start_index: where the dense route begins; before it lies the extension.
        end_index: where the dense route ends.
    """

    xyz: FloatArray
    yaw_deg: FloatArray
    curvature_per_m: FloatArray
    option: npt.NDArray[np.int8]
    is_junction: npt.NDArray[np.bool_]
    lane_width_m: FloatArray
    dense_index: npt.NDArray[np.int64]
    start_index: int
    end_index: int

    def __len__(self) -> int:
        return len(self.xyz)

    @cached_property
    def xy(self) -> FloatArray:
        """Positions without height [m], shape (M, 2), contiguous."""
        return np.ascontiguousarray(self.xyz[:, :2])

    @cached_property
    def distance_to_junction_m(self) -> FloatArray:
        """Distance along the route to the next junction point, 0 inside, inf where none follows; shape (M,)."""
        return _distance_to_next(self.is_junction)

    @cached_property
    def _lane_change_points(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.option, [int(option) for option in LANE_CHANGES]))

    def advance(self, index: int, x: float, y: float) -> int:
        """Return the index of the point nearest to (x, y) [m, world] among the next 4 m, the present one included."""
        window = self.xy[index : index + SEARCH_POINTS]
        dx, dy = window[:, 0] - x, window[:, 1] - y
        return index + int((dx * dx + dy * dy).argmin())

    def is_near_lane_change(self, index: int, speed_mps: float) -> bool:
        """Tell whether a lane change lies from 15 m behind to a braking distance (20 m at least) ahead."""
        ahead_m = max(20.0, (speed_mps * 3.6 / 10.0) ** 2 / 2.0 + 10.0)
        first = index - int(CHANGE_BEHIND_M * POINTS_PER_M)
        last = index + int(ahead_m * POINTS_PER_M)
        position = int(np.searchsorted(self._lane_change_points, first))
        return position < len(self._lane_change_points) and int(self._lane_change_points[position]) <= last

    def shift(
        self,
        start_index: int,
        end_index: int,
        side: Literal["left", "right"],
        lane_width_m: float,
        transition_m: float,
    ) -> PrivilegedRoute:
        """Return a route that leaves its lane sideways and comes back, to pass an obstacle.

            offset(i) = lane_width * (1 - cos(pi * u)) / 2,  u from 0 to 1 over the transition, back to 0 at the end

        The points of the two ramps get the lane-change commands. A stretch shorter than two transitions turns back
        before it has reached the other lane.

        Args:
            start_index: first point that moves.
            end_index: last point that moves.
            lane_width_m: sideways distance to the lane to use [m].
            transition_m: length of each ramp [m].
        """
        start, end = max(0, start_index), min(len(self) - 1, end_index)
        indices = np.arange(start, end + 1)
        ramp_points = max(1.0, transition_m * POINTS_PER_M)
        weight = np.clip(np.minimum(indices - start_index, end_index - indices) / ramp_points, 0.0, 1.0)
        offset_m = lane_width_m * 0.5 * (1.0 - np.cos(np.pi * weight)) * (1.0 if side == "right" else -1.0)
        yaw = np.radians(self.yaw_deg[indices])
        xyz = self.xyz.copy()
        xyz[indices, 0] -= np.sin(yaw) * offset_m
        xyz[indices, 1] += np.cos(yaw) * offset_m
        out, back = RoadOption.CHANGELANERIGHT, RoadOption.CHANGELANELEFT
        if side == "left":
            out, back = back, out
        option = self.option.copy()
        is_ramp = weight < 1.0
        is_first_half = indices - start_index < end_index - indices
        option[indices[is_ramp & is_first_half]] = int(out)
        option[indices[is_ramp & ~is_first_half]] = int(back)
        yaw_deg = headings_deg(xyz)
        return replace(self, xyz=xyz, option=option, yaw_deg=yaw_deg, curvature_per_m=curvatures(yaw_deg))


def build_privileged_route(dense: DenseRoute, carla_map: Any) -> PrivilegedRoute:
    """Return the 10 cm route of a dense route.

    Args:
        dense: at least two points.
        carla_map: carla.Map of the route's town; gives the lanes before, after and beside the route.
    """
    rows = follow_wide_lanes(Rows.of(dense), carla_map)
    rows = extend(rows, carla_map, EXTENSION_M)
    rows = resample(without_backsteps(smooth_lane_changes(rows)), POINT_GAP_M)
    yaw_deg = headings_deg(rows.xyz)
    on_route = np.flatnonzero(rows.is_route)
    return PrivilegedRoute(
        xyz=rows.xyz,
        yaw_deg=yaw_deg,
        curvature_per_m=curvatures(yaw_deg),
        option=rows.option,
        is_junction=rows.is_junction,
        lane_width_m=rows.lane_width_m,
        dense_index=rows.dense_index,
        start_index=int(on_route[0]),
        end_index=int(on_route[-1]),
    )


def headings_deg(xyz: FloatArray) -> FloatArray:
    """Return the direction of travel at each point by central difference [deg], shape (M,)."""
    difference = np.gradient(xyz[:, :2], axis=0)
    heading: FloatArray = np.degrees(np.arctan2(difference[:, 1], difference[:, 0]))
    return heading


def curvatures(yaw_deg: FloatArray) -> FloatArray:
    """Return the change of direction per metre, taken over 2 m [rad/m], shape (M,)."""
    yaw = np.unwrap(np.radians(yaw_deg))
    padded = np.pad(yaw, CURVATURE_HALF_WINDOW, mode="edge")
    change = padded[2 * CURVATURE_HALF_WINDOW :] - padded[: -2 * CURVATURE_HALF_WINDOW]
    curvature: FloatArray = change / (2 * CURVATURE_HALF_WINDOW * POINT_GAP_M)
    return curvature


def _distance_to_next(flags: npt.NDArray[np.bool_]) -> FloatArray:
    places = np.flatnonzero(flags)
    indices = np.arange(len(flags))
    following = np.searchsorted(places, indices)
    distance_m = np.full(len(flags), math.inf)
    has_next = following < len(places)
    distance_m[has_next] = (places[following[has_next]] - indices[has_next]) * POINT_GAP_M
    return distance_m
