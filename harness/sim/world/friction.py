"""Boxes in which the road has another friction, as CARLA's friction triggers: oil, ice, gravel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorTable, Kin, Kind
from harness.sim.world.blueprints.blueprint import MAX_FRICTION, read_number
from harness.sim.world.vehicle_dynamics import GRIP_MPS2, Tuning

Array = NDArray[np.float64]

# CARLA's friction of tyres on an ordinary road.
ROAD_FRICTION = 3.5


def friction_of(attributes: Mapping[str, str]) -> float:
    """Return the friction of an area.

    Raises:
        SimError: it makes no sense.
    """
    return read_number(attributes, "friction", MAX_FRICTION)


def tuning_on(table: ActorTable, rows: NDArray[np.intp], tuning: Tuning) -> Tuning:
    """Return the tuning of the vehicles of some rows on the road under them.

    The tyres hold what the friction of the box under a vehicle's centre allows, whatever tyres it has; where boxes
    overlap, the one that was spawned last counts. Elsewhere the tuning stays as it is.
    """
    areas = np.flatnonzero(table.kind == Kind.AREA)
    if not len(areas):
        return tuning
    friction = np.full(len(rows), np.nan)
    for area in areas.tolist():
        info = table.info[int(table.ids[area])]
        friction[_is_inside(table, rows, area)] = friction_of(info.attributes)
    inside = ~np.isnan(friction)
    if not inside.any():
        return tuning
    holds_mps2 = GRIP_MPS2 * friction / ROAD_FRICTION
    # More friction than that of the road does not make engine and brakes stronger.
    limit_mps2 = np.where(friction < ROAD_FRICTION, holds_mps2, np.inf)
    return replace(
        tuning,
        grip_mps2=np.where(inside, holds_mps2, tuning.grip_mps2),
        limit_mps2=np.where(inside, limit_mps2, tuning.limit_mps2),
    )


def _is_inside(table: ActorTable, rows: NDArray[np.intp], area: int) -> NDArray[np.bool_]:
    """Return which vehicles have their centre in the box of an area; the box may be turned about the vertical."""
    vehicle_m = table.kin[rows, Kin.X : Kin.PITCH]
    offset_m = vehicle_m - table.kin[area, Kin.X : Kin.PITCH]
    yaw_rad = np.radians(table.kin[area, Kin.YAW])
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    along_m = offset_m[:, 0] * cos + offset_m[:, 1] * sin
    side_m = -offset_m[:, 0] * sin + offset_m[:, 1] * cos
    half_m = table.box_half_m[area]
    # The wheels touch the road below the centre, so anywhere within the height of the vehicle will do.
    height_m = 2.0 * table.box_half_m[rows, 2]
    is_level = (offset_m[:, 2] < half_m[2]) & (offset_m[:, 2] + height_m > -half_m[2])
    inside: NDArray[np.bool_] = (np.abs(along_m) < half_m[0]) & (np.abs(side_m) < half_m[1]) & is_level
    return inside
