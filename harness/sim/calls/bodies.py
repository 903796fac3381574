"""Calls that push actors, and that switch what acts on them."""

from __future__ import annotations

import math

from harness.sim.simulation import Simulation
from harness.sim.wire.messages import Vector3D
from harness.sim.world.actors import MAX_SPEED_MPS, SOLID_KINDS, Kind

# CARLA hands turning pushes to Unreal as degrees and centimetres: 1 of a client is so many N m s, or N m.
_TURN_UNIT = math.radians(1.0) * 1e-4


def add_actor_impulse(simulation: Simulation, actor_id: int, impulse_ns: Vector3D) -> None:
    simulation.world.pushes.add_impulse(simulation.find_row(actor_id, "add_actor_impulse"), impulse_ns)


def add_actor_impulse_at_location(
    simulation: Simulation, actor_id: int, impulse_ns: Vector3D, location: Vector3D
) -> None:
    row, pushes = simulation.find_row(actor_id, "add_actor_impulse_at_location"), simulation.world.pushes
    pushes.add_impulse(row, impulse_ns, pushes.lever_nm(row, impulse_ns, location))


def add_actor_force(simulation: Simulation, actor_id: int, force_n: Vector3D) -> None:
    """Have a force act during the next tick."""
    simulation.world.pushes.add_force(simulation.find_row(actor_id, "add_actor_force"), force_n)


def add_actor_force_at_location(simulation: Simulation, actor_id: int, force_n: Vector3D, location: Vector3D) -> None:
    row, pushes = simulation.find_row(actor_id, "add_actor_force_at_location"), simulation.world.pushes
    pushes.add_force(row, force_n, pushes.lever_nm(row, force_n, location))


def add_actor_angular_impulse(simulation: Simulation, actor_id: int, impulse: Vector3D) -> None:
    """Turn an actor about the vertical, in CARLA's unit."""
    row = simulation.find_row(actor_id, "add_actor_angular_impulse")
    simulation.world.pushes.add_impulse(row, (0.0, 0.0, 0.0), _TURN_UNIT * impulse.z)


def add_actor_torque(simulation: Simulation, actor_id: int, torque: Vector3D) -> None:
    """Have a torque about the vertical act during the next tick, in CARLA's unit."""
    row = simulation.find_row(actor_id, "add_actor_torque")
    simulation.world.pushes.add_force(row, (0.0, 0.0, 0.0), _TURN_UNIT * torque.z)


def enable_actor_constant_velocity(simulation: Simulation, actor_id: int, velocity_mps: Vector3D) -> None:
    """Keep a vehicle at a velocity in its own frame, whatever its control says; the road sets the vertical part."""
    row, table = simulation.find_row(actor_id, "enable_actor_constant_velocity", Kind.VEHICLE), simulation.world.table
    table.keeps_velocity[row] = True
    table.kept_mps[row] = [min(max(value, -MAX_SPEED_MPS), MAX_SPEED_MPS) for value in velocity_mps]


def disable_actor_constant_velocity(simulation: Simulation, actor_id: int) -> None:
    row = simulation.find_row(actor_id, "disable_actor_constant_velocity", Kind.VEHICLE)
    simulation.world.table.keeps_velocity[row] = False


def set_actor_collisions(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    """Switch whether anything touches an actor."""
    row, table = simulation.find_row(actor_id, "set_actor_collisions"), simulation.world.table
    table.is_intangible[row] = not is_enabled and table.kind[row] in SOLID_KINDS


def set_actor_enable_gravity(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    """Switch gravity; what has none floats at its height."""
    row, table = simulation.find_row(actor_id, "set_actor_enable_gravity"), simulation.world.table
    table.is_weightless[row] = not is_enabled and table.kind[row] in SOLID_KINDS


def set_ignored_vehicles(simulation: Simulation, sensor_id: int, actor_ids: list[int]) -> None:
    """Accept the vehicles that a sensor is not to see; only cameras look past them, and there are none."""
    simulation.find_row(sensor_id, "set_ignored_vehicles")
