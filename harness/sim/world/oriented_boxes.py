"""Oriented boxes in space, and those of the actors that are solid: vehicles, walkers and props."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorTable, Kin

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OrientedBoxes:
    """N oriented boxes, world frame.

    Attributes:
        centre_m: (N, 3).
        axes: (N, 3, 3), forward, right and up unit vectors as rows.
        half_m: (N, 3).
    """

    centre_m: Array
    axes: Array
    half_m: Array

    def take(self, rows: NDArray[np.intp]) -> OrientedBoxes:
        """Return the boxes of some rows."""
        return OrientedBoxes(centre_m=self.centre_m[rows], axes=self.axes[rows], half_m=self.half_m[rows])

    @classmethod
    def join(cls, first: OrientedBoxes, second: OrientedBoxes) -> OrientedBoxes:
        """Return the boxes of both."""
        return cls(
            centre_m=np.concatenate([first.centre_m, second.centre_m]),
            axes=np.concatenate([first.axes, second.axes]),
            half_m=np.concatenate([first.half_m, second.half_m]),
        )


def axes_of(rotation_deg: Array) -> Array:
    """Return the forward, right and up unit vectors of rotations (pitch, yaw, roll [deg]); (N, 3) -> (N, 3, 3)."""
    (sp, sy, sr), (cp, cy, cr) = np.sin(np.radians(rotation_deg)).T, np.cos(np.radians(rotation_deg)).T
    axes = np.empty((len(rotation_deg), 3, 3))
    axes[:, 0, 0], axes[:, 0, 1], axes[:, 0, 2] = cp * cy, cp * sy, sp
    axes[:, 1, 0], axes[:, 1, 1], axes[:, 1, 2] = cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, -cp * sr
    axes[:, 2, 0], axes[:, 2, 1], axes[:, 2, 2] = -(cy * sp * cr + sy * sr), cy * sr - sy * sp * cr, cp * cr
    return axes


def boxes_of_actors(table: ActorTable) -> tuple[NDArray[np.intp], OrientedBoxes]:
    """Return the rows of the solid actors, without those whose collisions a client took away, and their boxes."""
    rows = table.solid_rows[~table.is_intangible[table.solid_rows]]
    axes = axes_of(table.kin[rows, Kin.PITCH : Kin.ROLL + 1])
    centre_m = table.kin[rows, : Kin.PITCH] + np.einsum("kc,kcd->kd", table.box_centre_m[rows], axes)
    return rows, OrientedBoxes(centre_m=centre_m, axes=axes, half_m=table.box_half_m[rows])
