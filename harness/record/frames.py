"""The ego frame of a tick, and boxes in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True, eq=False)
class EgoFrame:
    """Where the ego is, world frame.

    Attributes:
        matrix: ego to world, shape (4, 4), float64.
        yaw_rad: in (-pi, pi].
    """

    matrix: npt.NDArray[np.float64]
    yaw_rad: float

    @classmethod
    def of(cls, pose: Any) -> EgoFrame:
        """Return the frame of a carla.Transform."""
        return cls(matrix=np.array(pose.get_matrix()), yaw_rad=math.radians(pose.rotation.yaw))

    @property
    def xyz(self) -> npt.NDArray[np.float64]:
        """Origin [m], shape (3,)."""
        return self.matrix[:3, 3]

    @property
    def rotation(self) -> npt.NDArray[np.float64]:
        """Axes as columns, shape (3, 3)."""
        return self.matrix[:3, :3]

    def to_ego(self, xyz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return world points in the ego frame; shape (3,) or (N, 3)."""
        return (xyz - self.xyz) @ self.rotation

    def box(self, kind: str, box_id: int, semantics_id: int, pose: Any, extent: list[float]) -> dict[str, Any]:
        """Return what every box says.

        Args:
            pose: carla.Transform.
            extent: half sizes [m].
        """
        place = pose.location
        position = self.to_ego(np.array((place.x, place.y, place.z)))
        return {
            "class": kind,
            "extent": extent,
            "position": position.tolist(),
            "yaw": math.remainder(math.radians(pose.rotation.yaw) - self.yaw_rad, math.tau),
            "distance": float(np.linalg.norm(position)),
            "id": box_id,
            "matrix": pose.get_matrix(),
            "transfuser_semantics_id": semantics_id,
        }
