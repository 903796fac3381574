"""Calls about the parts of actors: components, bones and sockets.

A vehicle has a mesh with bones and a bounding box, a walker the bones of its skeleton; beside those, actors here are a
single component, their root.
"""

from __future__ import annotations

from harness.errors import SimError
from harness.sim.calls.walkers import get_bones_transform
from harness.sim.describe import transform_of
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import BonePlace, Transform
from harness.sim.world.actors import Kind
from harness.sim.world.poses import Pose
from harness.sim.world.vehicle_parts import bone_names, bone_poses, component_poses, in_world

_ROOT = "DefaultSceneRoot"
_AT_ORIGIN: Pose = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def get_actor_component_names(simulation: Simulation, actor_id: int) -> list[str]:
    return list(_components(simulation, actor_id, "get_actor_component_names"))


def get_actor_component_world_transform(simulation: Simulation, actor_id: int, name: str) -> Transform:
    method = "get_actor_component_world_transform"
    pose, row = _component(simulation, actor_id, name, method), simulation.find_row(actor_id, method)
    return transform_of(in_world(simulation.world.table, row, pose))


def get_actor_component_relative_transform(simulation: Simulation, actor_id: int, name: str) -> Transform:
    return transform_of(_component(simulation, actor_id, name, "get_actor_component_relative_transform"))


def get_actor_bone_names(simulation: Simulation, actor_id: int) -> list[str]:
    return [bone.name for bone in _bones(simulation, actor_id, "get_actor_bone_names")]


def get_actor_bone_world_transforms(simulation: Simulation, actor_id: int) -> list[Transform]:
    return [bone.world for bone in _bones(simulation, actor_id, "get_actor_bone_world_transforms")]


def get_actor_bone_relative_transforms(simulation: Simulation, actor_id: int) -> list[Transform]:
    return [bone.relative for bone in _bones(simulation, actor_id, "get_actor_bone_relative_transforms")]


def get_actor_socket_names(simulation: Simulation, actor_id: int) -> list[str]:
    """Return the names of the sockets: every bone is one, and there are no others."""
    return [bone.name for bone in _bones(simulation, actor_id, "get_actor_socket_names")]


def get_actor_socket_world_transforms(simulation: Simulation, actor_id: int) -> list[Transform]:
    return [bone.world for bone in _bones(simulation, actor_id, "get_actor_socket_world_transforms")]


def get_actor_socket_relative_transforms(simulation: Simulation, actor_id: int) -> list[Transform]:
    return [bone.relative for bone in _bones(simulation, actor_id, "get_actor_socket_relative_transforms")]


def get_vehicle_bone_world_transforms(simulation: Simulation, actor_id: int) -> list[Transform]:
    simulation.find_row(actor_id, "get_vehicle_bone_world_transforms", Kind.VEHICLE)
    return get_actor_bone_world_transforms(simulation, actor_id)


def _components(simulation: Simulation, actor_id: int, method: str) -> dict[str, Pose]:
    row, table = simulation.find_row(actor_id, method), simulation.world.table
    return component_poses(table, row) if table.kind[row] == Kind.VEHICLE else {_ROOT: _AT_ORIGIN}


def _component(simulation: Simulation, actor_id: int, name: str, method: str) -> Pose:
    components = _components(simulation, actor_id, method)
    if name not in components:
        raise SimError(f"{method}: Component could not be found. Component Name: {name[:80]}. Actor Id: {actor_id}")
    return components[name]


def _bones(simulation: Simulation, actor_id: int, method: str) -> list[BonePlace]:
    row, table = simulation.find_row(actor_id, method), simulation.world.table
    if table.kind[row] == Kind.WALKER:
        return get_bones_transform(simulation, actor_id).bones
    if table.kind[row] != Kind.VEHICLE:
        return []
    return [
        BonePlace(name, transform_of(in_world(table, row, pose)), transform_of(pose), transform_of(pose))
        for name, pose in zip(bone_names(table, row), bone_poses(table, row), strict=True)
    ]
