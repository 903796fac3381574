"""The road surface as samples of the driving lanes, so that many positions are looked up at once.

`carla.Map` answers one position per call; the world needs height, slope, the governing light and the speed sign of
every vehicle at every tick. Each driving lane is therefore sampled once, and a k-d tree finds the nearest sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

SAMPLE_SPACING_M = 1.0
# The slope of a road goes on this far beside it and behind its end.
_VERGE_M = 4.0
# A road this much above a place is a bridge over it.
_OVERHEAD_M = 2.5


@dataclass(frozen=True, kw_only=True)
class LaneSamples:
    """N samples of driving lanes, world frame.

    Attributes:
        xy_m: (N, 2) float64.
        z_m: (N,) float64, height of the road surface.
        yaw_deg: (N,) float64, direction of travel.
        pitch_deg: (N,) float64, slope along the direction of travel, positive uphill.
        half_width_m: (N,) float64, half lane width.
        s_m: (N,) float64, OpenDRIVE s.
        road_id, lane_id: (N,) int32.
        is_junction: (N,) bool.
        light_index: (N,) int32, index of the traffic light that governs this place, -1 = none; filled by the town.
        sign_limit_kmh: (N,) float32, speed limit of a sign that stands here, 0 = no sign; filled by the town.
        tree: over `xy_m`.
    """

    xy_m: NDArray[np.float64]
    z_m: NDArray[np.float64]
    yaw_deg: NDArray[np.float64]
    pitch_deg: NDArray[np.float64]
    half_width_m: NDArray[np.float64]
    s_m: NDArray[np.float64]
    road_id: NDArray[np.int32]
    lane_id: NDArray[np.int32]
    is_junction: NDArray[np.bool_]
    light_index: NDArray[np.int32]
    sign_limit_kmh: NDArray[np.float32]
    tree: cKDTree

    def nearest(
        self,
        xy_m: NDArray[np.float64],
        yaw_deg: NDArray[np.float64] | None = None,
        z_m: NDArray[np.float64] | None = None,
    ) -> NDArray[np.intp]:
        """Return the index of the sample nearest to each position.

        Args:
            xy_m: (M, 2).
            yaw_deg: (M,) headings; if given, a lane that runs within 60 degrees of it is preferred to a nearer one that
                does not, which tells the lanes of a junction apart.
            z_m: (M,) heights, of use with headings only; if given, a lane that is not overhead is preferred, too.
        """
        count = 1 if yaw_deg is None else min(6, len(self.xy_m))
        distance_m, index = self.tree.query(xy_m, k=count)
        if yaw_deg is None or count == 1:
            return np.asarray(index).reshape(len(xy_m))
        turned_deg = np.abs((self.yaw_deg[index] - yaw_deg[:, None] + 180.0) % 360.0 - 180.0)
        rank = distance_m + 100.0 * (turned_deg > 60.0)
        if z_m is not None:
            rank = rank + 1000.0 * (self.z_m[index] > z_m[:, None] + _OVERHEAD_M)
        best = np.argmin(rank, axis=1)
        return np.asarray(np.take_along_axis(index, best[:, None], axis=1)[:, 0])

    def surface_m(self, index: NDArray[np.intp], xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the road height at each position, extrapolated along the slope of its nearest sample; (M,)."""
        yaw_rad = np.radians(self.yaw_deg[index])
        offset_m = xy_m - self.xy_m[index]
        along_m = offset_m[:, 0] * np.cos(yaw_rad) + offset_m[:, 1] * np.sin(yaw_rad)
        along_m = np.clip(along_m, -2.0 * SAMPLE_SPACING_M, 2.0 * SAMPLE_SPACING_M)
        return self.z_m[index] + along_m * np.tan(np.radians(self.pitch_deg[index]))

    def carries(self, index: NDArray[np.intp], xy_m: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether each position is on the road at its nearest sample or close beside it; (M,)."""
        reach_m = self.half_width_m[index] + _VERGE_M
        return np.asarray(np.hypot(*(xy_m - self.xy_m[index]).T) <= reach_m)


def sample_lanes(carla_map: Any) -> LaneSamples:
    """Sample every driving lane of a `carla.Map`."""
    from scipy.spatial import cKDTree

    rows = []
    for waypoint in carla_map.generate_waypoints(SAMPLE_SPACING_M):
        pose = waypoint.transform
        place, turn = pose.location, pose.rotation
        rows.append(
            (
                place.x,
                place.y,
                place.z,
                turn.yaw,
                turn.pitch,
                waypoint.lane_width / 2.0,
                waypoint.s,
                waypoint.road_id,
                waypoint.lane_id,
                waypoint.is_junction,
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 10)
    xy_m = np.ascontiguousarray(table[:, :2])
    return LaneSamples(
        xy_m=xy_m,
        z_m=table[:, 2].copy(),
        yaw_deg=table[:, 3].copy(),
        pitch_deg=(table[:, 4] + 180.0) % 360.0 - 180.0,
        half_width_m=table[:, 5].copy(),
        s_m=table[:, 6].copy(),
        road_id=table[:, 7].astype(np.int32),
        lane_id=table[:, 8].astype(np.int32),
        is_junction=table[:, 9] > 0.5,
        light_index=np.full(len(table), -1, np.int32),
        sign_limit_kmh=np.zeros(len(table), np.float32),
        tree=cKDTree(xy_m),
    )
