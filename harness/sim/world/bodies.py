"""How bodies move when nothing drives them: pushed by a client, in the air, sliding, or kept at a velocity.

Bodies turn about the vertical only: things that are pushed do not topple. Who stands on what is a matter of the driving
lanes; beside them the ground is as high as the road.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import SimError
from harness.sim.world.actors import GRAVITY_MPS2, MAX_SPEED_MPS, VELOCITY, ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.lanes import LaneSamples
from harness.sim.world.poses import MAX_COORDINATE_M

Array = NDArray[np.float64]

# A vehicle no higher than this above the road is put down on it: spawn points are that high, and drives begin at once.
DROP_M = 1.0
# A walker or prop follows the ground over steps of this height, and stands on ground up to so much above its feet.
_STEP_M = 0.3
_SUNK_M = 1.0
# Samples of lanes that are looked at for the ground under a body, and how far beside its lane a road reaches.
_NEIGHBOURS = 12
_BESIDE_M = 4.0
PROP_FRICTION_MPS2 = 5.0
# Mass over the volume of the box: hollow things, such as cones, barrels and containers.
_PROP_DENSITY_KGPM3 = 60.0
_SMALLEST_MASS_KG, _LARGEST_MASS_KG = 0.1, 1e6
_SPIN_DECAY_DPS2 = 180.0
_MAX_SPIN_DPS = 720.0
# A vehicle whose height changes by more in a tick was put down, which is no velocity.
_LARGEST_CLIMB_M = 0.5
# An upward push below this does not take a body off the ground.
_LIFT_OFF_MPS = 0.1
# The most that one push may change a velocity; more would only be cut by the speed limit of the table.
_MOST_CHANGE_MPS = 2.0 * MAX_SPEED_MPS


# --- falling ---------------------------------------------------------------------------------------------------------


def ground_below_m(lanes: LaneSamples, xy_m: Array, bottom_m: Array) -> Array:
    """Return the height of the ground under bodies, -inf where all roads around are far above.

    Of several roads the one level with the body counts, else the highest one below that reaches under it: so that
    nobody on a bridge falls through it, and nobody under a bridge is lifted onto it.

    Args:
        xy_m: (M, 2) places.
        bottom_m: (M,) heights of the undersides.
    """
    _, nearest = lanes.tree.query(xy_m)
    found_m = lanes.surface_m(nearest, xy_m)
    unclear = np.abs(bottom_m - found_m) > _STEP_M
    if unclear.any():
        found_m[unclear] = _look_down_m(lanes, xy_m[unclear], bottom_m[unclear])
    return found_m


def _look_down_m(lanes: LaneSamples, xy_m: Array, bottom_m: Array) -> Array:
    """Return the height of the ground under bodies that are not level with the nearest road."""
    count = min(_NEIGHBOURS, len(lanes.z_m))
    distance_m, index = lanes.tree.query(xy_m, k=count)
    distance_m, index = np.reshape(distance_m, (-1, count)), np.reshape(index, (-1, count))
    near_m = np.repeat(xy_m, count, axis=0)
    height_m = lanes.surface_m(index.ravel(), near_m).reshape(-1, count)
    down_m = bottom_m[:, None] - height_m
    reaches = distance_m < lanes.half_width_m[index] + _BESIDE_M
    rank = np.where(np.abs(down_m) <= _STEP_M, distance_m, 1e6 + np.where(reaches, down_m, 1e9 + distance_m))
    rank[down_m < -_SUNK_M] = np.inf
    best = np.argmin(rank, axis=1)[:, None]
    found_m = np.take_along_axis(height_m, best, axis=1)[:, 0]
    found_m[np.isinf(np.take_along_axis(rank, best, axis=1)[:, 0])] = -np.inf
    return np.asarray(found_m)


def fall(
    table: ActorTable, lanes: LaneSamples, rows: NDArray[np.intp], clearance_m: Array, dt_s: float
) -> NDArray[np.bool_]:
    """Let bodies fall or stand; return which stand.

        v' = v - g dt        z' = z + v' dt        until the ground

    Args:
        clearance_m: height of the origins above the ground when the bodies rest on it.
    """
    kin = table.kin
    bottom_m = kin[rows, Kin.Z] - clearance_m
    ground_m = ground_below_m(lanes, kin[rows, :2], bottom_m)
    weightless = table.is_weightless[rows]
    flying = table.is_airborne[rows] | weightless | (bottom_m - ground_m > _STEP_M)
    vz_mps = np.where(flying, kin[rows, Kin.VZ] - np.where(weightless, 0.0, GRAVITY_MPS2 * dt_s), 0.0)
    vz_mps = np.maximum(vz_mps, -MAX_SPEED_MPS)
    bottom_m = bottom_m + vz_mps * dt_s
    standing = ~flying | (bottom_m <= ground_m)
    height_m = np.where(standing, ground_m, bottom_m) + clearance_m
    kin[rows, Kin.Z] = np.maximum(height_m, -MAX_COORDINATE_M)
    kin[rows, Kin.VZ] = np.where(standing, 0.0, vz_mps)
    table.is_airborne[rows] = ~standing
    return np.asarray(standing)


def stand_on_road(
    table: ActorTable, lanes: LaneSamples, rows: NDArray[np.intp], here: NDArray[np.intp], dt_s: float
) -> None:
    """Set height, pitch, roll and vertical velocity of vehicles: those on the road follow it, others fly or fall.

    Args:
        here: sample of the lane that each is on.
    """
    kin = table.kin
    surface_m = lanes.surface_m(here, kin[rows, :2])
    flying = _fly(table, rows, surface_m, dt_s)
    if flying.any():
        table.slope_mps2[rows[flying]] = 0.0
        rows, here, surface_m = rows[~flying], here[~flying], surface_m[~flying]
    before_m = kin[rows, Kin.Z].copy()
    kin[rows, Kin.Z] = surface_m
    # The ground beside a road and behind its end is level.
    slope_deg = np.where(lanes.carries(here, kin[rows, :2]), lanes.pitch_deg[here], 0.0)
    # A body across the slope leans to its lower side.
    beside_rad = np.radians(lanes.yaw_deg[here] - kin[rows, Kin.YAW])
    kin[rows, Kin.PITCH] = slope_deg * np.cos(beside_rad)
    kin[rows, Kin.ROLL] = -slope_deg * np.sin(beside_rad)
    table.slope_mps2[rows] = -GRAVITY_MPS2 * np.sin(np.radians(kin[rows, Kin.PITCH]))
    climb_mps = np.tan(np.radians(kin[rows, Kin.PITCH])) * table.along_mps[rows]
    kin[rows, Kin.VZ] = np.where(np.abs(surface_m - before_m) > _LARGEST_CLIMB_M, 0.0, climb_mps)


def _fly(table: ActorTable, rows: NDArray[np.intp], surface_m: Array, dt_s: float) -> NDArray[np.bool_]:
    """Move the vehicles that are off the road up or down; return which of `rows` are still off it.

    Args:
        surface_m: height of the road under each.
    """
    kin = table.kin
    flying = table.is_airborne[rows] | table.is_weightless[rows] | (kin[rows, Kin.Z] - surface_m > DROP_M)
    if not flying.any():
        return np.asarray(flying)
    air = rows[flying]
    vz_mps = kin[air, Kin.VZ] - np.where(table.is_weightless[air], 0.0, GRAVITY_MPS2 * dt_s)
    vz_mps = np.maximum(vz_mps, -MAX_SPEED_MPS)
    height_m = kin[air, Kin.Z] + vz_mps * dt_s
    above = height_m > surface_m[flying]
    kin[air[above], Kin.Z], kin[air[above], Kin.VZ] = height_m[above], vz_mps[above]
    table.is_airborne[air] = above
    flying[flying] = above
    return np.asarray(flying)


def slide(table: ActorTable, rows: NDArray[np.intp], friction_mps2: float, dt_s: float) -> None:
    """Slow bodies that slide on the ground."""
    speed_mps = np.hypot(table.kin[rows, Kin.VX], table.kin[rows, Kin.VY])
    kept = np.maximum(speed_mps - friction_mps2 * dt_s, 0.0) / np.maximum(speed_mps, 1e-9)
    table.kin[rows, Kin.VX] *= kept
    table.kin[rows, Kin.VY] *= kept
    spin_dps = table.spin_dps[rows]
    table.spin_dps[rows] = np.sign(spin_dps) * np.maximum(np.abs(spin_dps) - _SPIN_DECAY_DPS2 * dt_s, 0.0)


def move_props(table: ActorTable, lanes: LaneSamples, dt_s: float) -> None:
    """Advance the props that have physics by one tick."""
    rows = table.solid_rows
    rows = rows[(table.kind[rows] == Kind.PROP) & table.simulates_physics[rows] & ~table.is_dormant[rows]]
    if not len(rows):
        return
    kin = table.kin
    kin[rows, :2] += kin[rows, Kin.VX : Kin.VZ] * dt_s
    kin[rows, Kin.YAW] = (kin[rows, Kin.YAW] + table.spin_dps[rows] * dt_s + 180.0) % 360.0 - 180.0
    kin[rows, Kin.WZ] = table.spin_dps[rows]
    clearance_m = table.box_half_m[rows, 2] - table.box_centre_m[rows, 2]
    standing = fall(table, lanes, rows, clearance_m, dt_s)
    slide(table, rows[standing], PROP_FRICTION_MPS2, dt_s)


def prop_body(info: ActorInfo) -> tuple[float, bool]:
    """Return the mass of a prop [kg] and whether it moves from the start: only one whose mass a client names does.

    Raises:
        SimError: that mass is no number of kilograms.
    """
    named = info.attributes.get("mass", "")
    try:
        mass_kg = float(named.rstrip("f") or "0")
    except ValueError:
        mass_kg = math.nan
    if not 0.0 <= mass_kg <= _LARGEST_MASS_KG:
        raise SimError(f"Spawn failed: mass is '{named[:80]}', expected a number in [0, {_LARGEST_MASS_KG:g}]")
    volume_m3 = 8.0 * math.prod(info.box_half_m)
    return max(mass_kg or _PROP_DENSITY_KGPM3 * volume_m3, _SMALLEST_MASS_KG), mass_kg > 0.0


# --- vehicles that their control does not move -----------------------------------------------------------------------


class Uncontrolled:
    """The vehicles that fly or are kept at a velocity, as they were before the controls acted in this tick."""

    def __init__(self, table: ActorTable) -> None:
        self._table = table
        rows = table.vehicle_rows
        free = (table.is_airborne[rows] | table.keeps_velocity[rows]) & table.simulates_physics[rows]
        self._rows = rows[free & ~table.is_dormant[rows]]
        self._before = table.kin[self._rows].copy()
        self._spin_dps = table.spin_dps[self._rows].copy()

    def move(self, dt_s: float) -> None:
        """Replace what the controls made of them.

        In the air a vehicle keeps its velocity and turns on; one that keeps a velocity has it in the direction that its
        steering gives.
        """
        if not len(self._rows):
            return
        table, rows, before = self._table, self._rows, self._before
        keeps = table.keeps_velocity[rows]
        turned_deg = before[:, Kin.YAW] + before[:, Kin.WZ] * dt_s
        yaw_deg = np.where(keeps, table.kin[rows, Kin.YAW], (turned_deg + 180.0) % 360.0 - 180.0)
        yaw_rad = np.radians(yaw_deg)
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        kept = table.kept_mps[rows]
        vx_mps = np.where(keeps, kept[:, 0] * cos - kept[:, 1] * sin, before[:, Kin.VX])
        vy_mps = np.where(keeps, kept[:, 0] * sin + kept[:, 1] * cos, before[:, Kin.VY])
        table.kin[rows, Kin.X] = before[:, Kin.X] + vx_mps * dt_s
        table.kin[rows, Kin.Y] = before[:, Kin.Y] + vy_mps * dt_s
        table.kin[rows, Kin.YAW] = yaw_deg
        table.kin[rows, Kin.VX], table.kin[rows, Kin.VY] = vx_mps, vy_mps
        table.along_mps[rows], table.side_mps[rows] = vx_mps * cos + vy_mps * sin, vy_mps * cos - vx_mps * sin
        flies = rows[~keeps]
        table.kin[flies, Kin.WZ], table.spin_dps[flies] = before[~keeps, Kin.WZ], self._spin_dps[~keeps]


# --- pushes ----------------------------------------------------------------------------------------------------------


class Pushes:
    """Impulses act at once, forces during the next tick; both on what has physics and a mass alone."""

    def __init__(self, table: ActorTable) -> None:
        self._table = table
        self._forces: dict[int, Array] = {}  # force x, y, z [N], torque about the vertical [N m]

    def add_impulse(self, row: int, impulse_ns: Sequence[float], turn_nms: float = 0.0) -> None:
        """Change the momentum of an actor, world frame, and its angular momentum about the vertical."""
        self._push(row, np.array([*impulse_ns, turn_nms]), _LIFT_OFF_MPS)

    def add_force(self, row: int, force_n: Sequence[float], torque_nm: float = 0.0) -> None:
        """Have a force, world frame, and a torque about the vertical act on an actor during the next tick."""
        actor_id = int(self._table.ids[row])
        self._forces[actor_id] = self._forces.get(actor_id, np.zeros(4)) + np.array([*force_n, torque_nm])

    def lever_nm(self, row: int, push: Sequence[float], place_m: Sequence[float]) -> float:
        """Return how much a push at a place, world frame, turns an actor about the vertical."""
        x_m, y_m = (float(place_m[axis] - self._table.kin[row, axis]) for axis in (Kin.X, Kin.Y))
        return x_m * push[1] - y_m * push[0]

    def apply(self, dt_s: float) -> None:
        """Let the forces act."""
        forces, self._forces = self._forces, {}
        for actor_id, force in forces.items():
            row = self._table.row(actor_id)
            if row is not None:
                self._push(row, force * dt_s, GRAVITY_MPS2 * dt_s)

    def _push(self, row: int, push: Array, lift_off_mps: float) -> None:
        table, mass_kg = self._table, float(self._table.mass_kg[row])
        if not table.simulates_physics[row] or table.is_dormant[row] or mass_kg <= 0.0:
            return
        change_mps = np.clip(push[:3] / mass_kg, -_MOST_CHANGE_MPS, _MOST_CHANGE_MPS)
        table.set_velocity(row, table.kin[row, VELOCITY] + change_mps)
        if change_mps[2] > lift_off_mps:
            table.is_airborne[row] = True
        inertia_kgm2 = mass_kg * (table.box_half_m[row, 0] ** 2 + table.box_half_m[row, 1] ** 2) / 3.0
        spin_dps = float(table.spin_dps[row]) + math.degrees(push[3] / max(inertia_kgm2, 1e-3))
        table.spin_dps[row] = min(max(spin_dps, -_MAX_SPIN_DPS), _MAX_SPIN_DPS)
