"""Calls about actors of any kind."""

from __future__ import annotations

from harness.errors import SimError
from harness.sim.describe import actor_message, bounding_box
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import Actor, ActorDescription, BoundingBox, Rotation, Transform, Vector3D
from harness.sim.world.actors import SOLID_KINDS, VELOCITY, Kind

_ZERO = Vector3D(0.0, 0.0, 0.0)


def get_spectator(simulation: Simulation) -> Actor:
    return actor_message(simulation.world.table.info[simulation.world.spectator_id], simulation.stream_port)


def get_actors_by_id(simulation: Simulation, actor_ids: list[int]) -> list[Actor]:
    known = simulation.world.table.info
    wanted = dict.fromkeys(actor_ids)
    return [actor_message(known[actor_id], simulation.stream_port) for actor_id in wanted if actor_id in known]


def spawn_actor(simulation: Simulation, description: ActorDescription, transform: Transform) -> Actor:
    attributes = {attribute.id: attribute.value for attribute in description.attributes}
    info = simulation.world.spawn(description.type_id, attributes, (*transform.location, *transform.rotation))
    return actor_message(info, simulation.stream_port)


def spawn_actor_with_parent(
    simulation: Simulation,
    description: ActorDescription,
    transform: Transform,
    parent_id: int,
    attachment: int,
    socket_name: str,
) -> Actor:
    """Spawn an attached actor; every attachment is rigid here: nothing has springs or sockets."""
    if parent_id not in simulation.world.table.info:
        raise SimError(f"unable to attach actor: parent actor not found. Actor Id: {parent_id}")
    attributes = {attribute.id: attribute.value for attribute in description.attributes}
    pose = (*transform.location, *transform.rotation)
    info = simulation.world.spawn(description.type_id, attributes, pose, parent_id=parent_id)
    return actor_message(info, simulation.stream_port)


def destroy_actor(simulation: Simulation, actor_id: int) -> bool:
    if not simulation.world.destroy(actor_id):
        raise SimError(f"unable to destroy actor: not found. Actor Id: {actor_id}")
    return True


def get_actor_bounding_box(simulation: Simulation, actor_id: int) -> BoundingBox:
    """Return the box of an actor; a zero box for an unknown id, because an error would abort the Traffic Manager."""
    info = simulation.world.table.info.get(actor_id)
    return bounding_box(info) if info else BoundingBox(_ZERO, _ZERO, Rotation(0.0, 0.0, 0.0), 0)


def set_actor_location(simulation: Simulation, actor_id: int, location: Vector3D) -> None:
    row = simulation.find_row(actor_id, "set_actor_location")
    offset = simulation.world.table.info[actor_id].offset
    _, _, _, pitch, yaw, roll = offset or simulation.world.table.kin[row, :6].tolist()
    simulation.world.set_pose(row, (*location, pitch, yaw, roll))


def set_actor_transform(simulation: Simulation, actor_id: int, transform: Transform) -> None:
    row = simulation.find_row(actor_id, "set_actor_transform")
    simulation.world.set_pose(row, (*transform.location, *transform.rotation))


def set_actor_target_velocity(simulation: Simulation, actor_id: int, velocity: Vector3D) -> None:
    """Set the velocity of a vehicle, or of a walker or prop with physics; without effect on anything else.

    Of a vehicle without physics the velocity is only shown: the Traffic Manager moves such vehicles by poses.
    """
    row, table = simulation.find_row(actor_id, "set_actor_target_velocity"), simulation.world.table
    if table.kind[row] == Kind.VEHICLE or (table.kind[row] in SOLID_KINDS and table.simulates_physics[row]):
        table.set_velocity(row, velocity)
        if table.kind[row] != Kind.VEHICLE and velocity.z > 0.0:
            table.is_airborne[row] = True


def set_actor_target_angular_velocity(simulation: Simulation, actor_id: int, velocity: Vector3D) -> None:
    """Set the angular velocity of a vehicle, or of a prop with physics; without effect on anything else."""
    row, table = simulation.find_row(actor_id, "set_actor_target_angular_velocity"), simulation.world.table
    if table.kind[row] == Kind.VEHICLE or (table.kind[row] == Kind.PROP and table.simulates_physics[row]):
        simulation.world.set_angular_velocity(row, velocity)


def set_actor_simulate_physics(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    """Switch physics of a vehicle, walker or prop; without effect on anything else and on unknown ids.

    What loses its physics stands still, in the air too; a vehicle until a client gives it a velocity. The Traffic
    Manager calls this while it registers a vehicle, and an error would abort the client.
    """
    table = simulation.world.table
    row = table.row(actor_id)
    if row is None or table.kind[row] not in SOLID_KINDS:
        return
    if table.simulates_physics[row] and not is_enabled:
        table.halt(row)
        table.is_airborne[row] = False
    table.simulates_physics[row] = is_enabled
    if is_enabled:
        table.set_velocity(row, table.kin[row, VELOCITY])


def set_actor_autopilot(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    """Take note of nothing: the driver runs in the client."""
    simulation.find_row(actor_id, "set_actor_autopilot")
