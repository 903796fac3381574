"""`apply_batch`: many commands in one call, each answered for itself."""

from __future__ import annotations

import reprlib
from collections.abc import Generator
from typing import Any

from harness.errors import SimError, WireError
from harness.sim.calls import actors, bodies, vehicle_physics, vehicles, walkers
from harness.sim.simulation import Simulation
from harness.sim.wire.commands import (
    ApplyAngularImpulse,
    ApplyForce,
    ApplyImpulse,
    ApplyTargetAngularVelocity,
    ApplyTargetVelocity,
    ApplyTorque,
    ApplyTransform,
    ApplyVehicleAckermannControl,
    ApplyVehicleControl,
    ApplyVehiclePhysicsControl,
    ApplyWalkerControl,
    ApplyWalkerState,
    DestroyActor,
    SetAutopilot,
    SetEnableGravity,
    SetSimulatePhysics,
    SetVehicleLightState,
    SpawnActor,
)
from harness.sim.wire.messages import (
    Transform,
    VehicleLightState,
)
from harness.sim.wire.rpc import failure
from harness.sim.wire.types import decoder
from harness.sim.world.actors import Kind
from harness.sim.world.walkers import set_course


def apply_batch(simulation: Simulation, commands: list[Any], do_tick_cue: bool) -> Generator[None, None, list[Any]]:
    """Run commands in order, a step each; return one ``[[1, actor id]]`` or ``[[0, [message]]]`` each."""
    results = []
    for command in commands:
        results.append((yield from _answer(simulation, command, future_actor=None)))
        yield
    if do_tick_cue:
        simulation.tick()
    return results


def _answer(simulation: Simulation, command: Any, future_actor: int | None) -> Generator[None, None, list[Any]]:
    """Run one command, whatever becomes of the others.

    Args:
        future_actor: id that replaces 0 in the commands to do after a spawn.
    """
    try:
        return [[1, (yield from _run(simulation, command, future_actor))]]
    except (SimError, WireError) as error:
        return failure(error.message)
    except Exception:
        subject = f"batch command {_name(simulation, command)}"
        simulation.complaints.log_once(subject, "failed inside the simulator", with_traceback=True)
        return failure("internal error of the simulator; its log has the traceback")


def _name(simulation: Simulation, command: Any) -> str:
    match command:
        case [[int(index), _]] if index in simulation.schema.commands:
            return simulation.schema.commands[index].__name__
        case _:
            return "of no known kind"


def _run(simulation: Simulation, command: Any, future_actor: int | None) -> Generator[None, None, int]:
    """Run one command and return the id of its actor."""
    match command:
        case [[int(index), body]] if index in simulation.schema.commands:
            layout: Any = simulation.schema.commands[index]
            decoded = decoder(layout)(body)
        case _:
            raise WireError(f"apply_batch: found {reprlib.repr(command)[:80]}, expected a command this server has")
    if isinstance(decoded, SpawnActor):
        return (yield from _spawn(simulation, decoded))
    if future_actor is not None and decoded.actor == 0:
        decoded = decoded._replace(actor=future_actor)
    _apply(simulation, decoded)
    return int(decoded.actor)


def _spawn(simulation: Simulation, command: SpawnActor) -> Generator[None, None, int]:
    if command.parent is None:
        actor = actors.spawn_actor(simulation, command.description, command.transform)
    else:
        actor = actors.spawn_actor_with_parent(
            simulation, command.description, command.transform, command.parent, 0, command.socket_name
        )
    for following in command.do_after:
        # CARLA reports the spawn alone; a client that needs the outcome sends the command by itself.
        yield from _answer(simulation, following, future_actor=actor.id)
        yield
    return actor.id


def _apply(simulation: Simulation, command: Any) -> None:
    match command:
        case DestroyActor(actor):
            actors.destroy_actor(simulation, actor)
        case ApplyVehicleControl(actor, control):
            vehicles.apply_control_to_vehicle(simulation, actor, control)
        case ApplyVehicleAckermannControl(actor, control):
            vehicles.apply_ackermann_control_to_vehicle(simulation, actor, control)
        case ApplyVehiclePhysicsControl(actor, physics):
            vehicle_physics.apply_physics_control(simulation, actor, physics)
        case ApplyTransform(actor, transform):
            actors.set_actor_transform(simulation, actor, transform)
        case ApplyTargetVelocity(actor, velocity):
            actors.set_actor_target_velocity(simulation, actor, velocity)
        case ApplyTargetAngularVelocity(actor, velocity):
            actors.set_actor_target_angular_velocity(simulation, actor, velocity)
        case ApplyWalkerControl(actor, control):
            walkers.apply_control_to_walker(simulation, actor, control)
        case ApplyWalkerState(actor, transform, speed_mps):
            _set_walker_state(simulation, actor, transform, speed_mps)
        case ApplyImpulse(actor, impulse):
            bodies.add_actor_impulse(simulation, actor, impulse)
        case ApplyForce(actor, force):
            bodies.add_actor_force(simulation, actor, force)
        case ApplyAngularImpulse(actor, impulse):
            bodies.add_actor_angular_impulse(simulation, actor, impulse)
        case ApplyTorque(actor, torque):
            bodies.add_actor_torque(simulation, actor, torque)
        case SetEnableGravity(actor, enabled):
            bodies.set_actor_enable_gravity(simulation, actor, enabled)
        case SetSimulatePhysics(actor, enabled):
            actors.set_actor_simulate_physics(simulation, actor, enabled)
        case SetAutopilot(actor, enabled):
            actors.set_actor_autopilot(simulation, actor, enabled)
        case SetVehicleLightState(actor, flags):
            vehicles.set_vehicle_light_state(simulation, actor, VehicleLightState(flags))


def _set_walker_state(simulation: Simulation, actor_id: int, feet: Transform, speed_mps: float) -> None:
    """Put a walker somewhere by its feet and have it walk on from there as it looks.

    Raises:
        SimError: no such walker, or it has fallen.
    """
    row, table = simulation.find_row(actor_id, "set_walker_state", Kind.WALKER), simulation.world.table
    if table.fallen_s[row]:
        raise SimError(f"set_walker_state: Walker is dead. Actor Id: {actor_id}")
    x_m, y_m, z_m = feet.location
    simulation.world.set_pose(row, (x_m, y_m, z_m + float(table.box_half_m[row, 2]), *feet.rotation))
    set_course(table, row, speed_mps)
