"""Walkers: they walk where their control says, bump into things, and fall when a vehicle hits them.

The origin of a walker is the centre of its box. Whoever has fallen slides to a stop, stays lying and touches nothing
any more, as the limp bodies of CARLA do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorTable, Kin, Kind
from harness.sim.world.bodies import fall, slide
from harness.sim.world.collisions import Contacts
from harness.sim.world.lanes import LaneSamples
from harness.sim.world.response import RESTITUTION

Array = NDArray[np.float64]

WALKER_MASS_KG = 75.0
# Values of CARLA's characters: top speed, acceleration and the speed of a jump.
MAX_WALK_MPS = 40.96
_ACCELERATION_MPS2 = 20.48
_JUMP_MPS = 5.0
_TURN_DPS = 360.0
# Rubber soles and cloth on asphalt.
_FRICTION_MPS2 = 6.5
# A vehicle or prop that comes faster than this knocks a walker over.
KNOCK_OVER_MPS = 1.0
# How long the fall takes, and how steeply the hit throws upwards.
_FALL_S = 0.5
_THROW_SLOPE = 0.15
_MOST_THROW_MPS = 2.5
# A vehicle that comes slower than this is a wall to a walker: nobody pushes cars around by walking against them.
_STANDING_MPS = 0.3


def walk(table: ActorTable, lanes: LaneSamples, dt_s: float) -> None:
    """Advance the walkers that have physics by one tick."""
    rows = table.walker_rows
    if not len(rows):
        return
    rows = rows[table.simulates_physics[rows] & ~table.is_dormant[rows]]
    upright = table.fallen_s[rows] == 0.0
    _walk_upright(table, rows[upright], dt_s)
    lying = np.zeros(len(rows))
    if not upright.all():
        lying[~upright] = _lie_down(table, rows[~upright], dt_s)
    kin, half_m = table.kin, table.box_half_m[rows]
    kin[rows, :2] += kin[rows, Kin.VX : Kin.VZ] * dt_s
    standing = fall(table, lanes, rows, half_m[:, 2] + lying * (half_m[:, 0] - half_m[:, 2]), dt_s)
    slide(table, rows[standing & ~upright], _FRICTION_MPS2, dt_s)


def set_course(table: ActorTable, row: int, speed_mps: float) -> None:
    """Have a walker walk where it looks."""
    yaw_rad = math.radians(table.kin[row, Kin.YAW])
    set_control(table, row, (math.cos(yaw_rad), math.sin(yaw_rad), 0.0), speed_mps, is_jumping=False)


def set_control(table: ActorTable, row: int, direction: Sequence[float], speed_mps: float, *, is_jumping: bool) -> None:
    """Set what a walker does from now on; directions longer than 1 are shortened, speeds brought into their range."""
    length = max(math.hypot(*direction), 1.0)
    table.walk[row, :3] = [part / length for part in direction]
    table.walk[row, 3] = min(max(speed_mps, 0.0), MAX_WALK_MPS)
    table.walk_jump[row] = is_jumping


def _walk_upright(table: ActorTable, rows: NDArray[np.intp], dt_s: float) -> None:
    """Bring velocities to what the controls want, and turn into the direction of walking."""
    kin, control = table.kin, table.walk[rows]
    length = np.hypot(control[:, 0], control[:, 1])
    wanted_mps = control[:, :2] * control[:, 3:]
    standing = ~table.is_airborne[rows]
    change_mps = (wanted_mps - kin[rows, Kin.VX : Kin.VZ]) * standing[:, None]
    size_mps = np.hypot(change_mps[:, 0], change_mps[:, 1])
    share = np.minimum(_ACCELERATION_MPS2 * dt_s / np.maximum(size_mps, 1e-9), 1.0)
    kin[rows, Kin.VX : Kin.VZ] += change_mps * share[:, None]

    walks = (length > 1e-3) & (control[:, 3] > 0.0)
    course_deg = np.degrees(np.arctan2(control[:, 1], control[:, 0]))
    left_deg = (course_deg - kin[rows, Kin.YAW] + 180.0) % 360.0 - 180.0
    turn_deg = np.where(walks, np.clip(left_deg, -_TURN_DPS * dt_s, _TURN_DPS * dt_s), 0.0)
    kin[rows, Kin.YAW] = (kin[rows, Kin.YAW] + turn_deg + 180.0) % 360.0 - 180.0
    kin[rows, Kin.WZ] = turn_deg / dt_s

    jumps = rows[standing & table.walk_jump[rows]]
    kin[jumps, Kin.VZ] = _JUMP_MPS
    table.is_airborne[jumps] = True


def _lie_down(table: ActorTable, rows: NDArray[np.intp], dt_s: float) -> Array:
    """Tilt those who fall; return how far each has got, 0 = upright, 1 = lying."""
    before_s = table.fallen_s[rows]
    table.fallen_s[rows] = before_s + dt_s
    share: Array = np.minimum((before_s + dt_s) / _FALL_S, 1.0)
    falling = before_s < _FALL_S
    table.kin[rows[falling], Kin.PITCH] = table.lying_deg[rows[falling], 0] * share[falling]
    table.kin[rows[falling], Kin.ROLL] = table.lying_deg[rows[falling], 1] * share[falling]
    return share


def knock_over(table: ActorTable, row: int) -> None:
    """Make a walker fall in the direction in which it moves; backwards if it stands."""
    if table.fallen_s[row] > 0.0:
        return
    vx_mps, vy_mps, vz_mps = table.kin[row, Kin.VX : Kin.WX].tolist()
    throw_mps = min(_THROW_SLOPE * float(np.hypot(vx_mps, vy_mps)), _MOST_THROW_MPS)
    table.set_velocity(row, (vx_mps, vy_mps, max(vz_mps, throw_mps)))
    along_mps, side_mps = float(table.along_mps[row]), float(table.side_mps[row])
    if abs(side_mps) > abs(along_mps):
        table.lying_deg[row] = 0.0, 90.0 if side_mps > 0.0 else -90.0
    else:
        table.lying_deg[row] = -90.0 if along_mps > 0.0 else 90.0, 0.0
    table.fallen_s[row] = 1e-6
    table.is_airborne[row] = table.simulates_physics[row] = True
    table.spin_dps[row] = table.kin[row, Kin.WZ] = 0.0


def bump(table: ActorTable, rows: NDArray[np.intp], contacts: Contacts) -> Array:
    """Solve contacts of which at least one side is a walker; return the impulse along each normal, (K,) [N s].

    Args:
        rows: row of the actor that each box of the contacts belongs to, -1 = a pole.
    """
    impulse_ns = np.zeros(len(contacts.first))
    for k in range(len(contacts.first)):
        pair = int(rows[contacts.first[k]]), int(rows[contacts.second[k]])
        impulse_ns[k] = _bump(table, pair, contacts.normal[k], float(contacts.depth_m[k]))
    return impulse_ns


def _bump(table: ActorTable, pair: tuple[int, int], normal: Array, depth_m: float) -> float:
    velocity = [_velocity(table, row) for row in pair]
    # How fast each side comes towards the other by itself.
    coming_mps = float(velocity[0] @ normal), float(-velocity[1] @ normal)
    closing_mps = coming_mps[0] + coming_mps[1]
    falls = [
        _is_knocked_over(table, pair[0], pair[1], min(coming_mps[1], closing_mps)),
        _is_knocked_over(table, pair[1], pair[0], min(coming_mps[0], closing_mps)),
    ]
    inverse = [_inverse_mass(table, pair[side], coming_mps[side], falls[side]) for side in (0, 1)]
    if sum(inverse) <= 0.0:
        return 0.0
    # People who walk into something stop there and do not bounce.
    impulse_ns = max(closing_mps, 0.0) * (1.0 + RESTITUTION * any(falls)) / sum(inverse)
    # A walker steps aside, a vehicle does not.
    yielding = [0.0 if row >= 0 and table.kind[row] == Kind.VEHICLE else inverse[k] for k, row in enumerate(pair)]
    for side, sign in ((0, -1.0), (1, 1.0)):
        row = pair[side]
        if inverse[side] > 0.0:
            x_mps, y_mps = (velocity[side] + sign * impulse_ns * inverse[side] * normal).tolist()
            table.set_velocity(row, (x_mps, y_mps, float(table.kin[row, Kin.VZ])))
            table.kin[row, :2] += sign * normal * depth_m * yielding[side] / max(sum(yielding), 1e-12)
        if falls[side]:
            knock_over(table, row)
    return impulse_ns


def _is_knocked_over(table: ActorTable, row: int, by: int, speed_mps: float) -> bool:
    if speed_mps <= KNOCK_OVER_MPS or row < 0 or by < 0:
        return False
    return bool(table.kind[row] == Kind.WALKER and table.kind[by] != Kind.WALKER)


def _velocity(table: ActorTable, row: int) -> Array:
    """Return the velocity on the ground of what moves by physics; what else reports a velocity stands like a wall."""
    if row < 0 or not table.simulates_physics[row]:
        return np.zeros(2)
    return np.array(table.kin[row, Kin.VX : Kin.VZ])


def _inverse_mass(table: ActorTable, row: int, coming_mps: float, falls: bool) -> float:
    if row < 0 or not (table.simulates_physics[row] or falls):
        return 0.0
    if table.kind[row] == Kind.VEHICLE and coming_mps < _STANDING_MPS:
        return 0.0
    return 1.0 / max(float(table.mass_kg[row]), 1.0)
