"""Calls about walkers: their control and their bones."""

from __future__ import annotations

from harness.sim.describe import transform_of
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import (
    BonePlace,
    WalkerBoneControlIn,
    WalkerBoneControlOut,
    WalkerControl,
)
from harness.sim.world.actors import Kin, Kind
from harness.sim.world.skeleton import BONES, animate, place_bones
from harness.sim.world.walkers import set_control


def apply_control_to_walker(simulation: Simulation, actor_id: int, control: WalkerControl) -> None:
    row = simulation.find_row(actor_id, "apply_control_to_walker", Kind.WALKER)
    set_control(simulation.world.table, row, control.direction, control.speed, is_jumping=control.jump)


def set_actor_dead(simulation: Simulation, actor_id: int) -> None:
    """Have a walker fall; like CARLA, take it away ten seconds later."""
    simulation.world.set_dead(simulation.find_row(actor_id, "set_actor_dead", Kind.WALKER))


def get_bones_transform(simulation: Simulation, actor_id: int) -> WalkerBoneControlOut:
    row = simulation.find_row(actor_id, "get_bones_transform", Kind.WALKER)
    world, table = simulation.world, simulation.world.table
    relative = world.skeletons.relative_poses(actor_id, *_gait(simulation, row))
    places = place_bones(tuple(table.kin[row, :6].tolist()), relative)
    return WalkerBoneControlOut(
        [
            BonePlace(bone.name, transform_of(bone.world), transform_of(bone.component), transform_of(bone.relative))
            for bone in places
        ]
    )


def set_bones_transform(simulation: Simulation, actor_id: int, bones: WalkerBoneControlIn) -> None:
    """Pose bones relative to their parents; they show as far as `blend_pose` says."""
    simulation.find_row(actor_id, "set_bones_transform", Kind.WALKER)
    poses = [(bone.name, (*bone.transform.location, *bone.transform.rotation)) for bone in bones.bones]
    simulation.world.skeletons.set_pose(actor_id, poses)


def blend_pose(simulation: Simulation, actor_id: int, share: float) -> None:
    """Show the animation (0), the client's pose (1), or something in between."""
    simulation.find_row(actor_id, "blend_pose", Kind.WALKER)
    simulation.world.skeletons.blend(actor_id, share)


def get_pose_from_animation(simulation: Simulation, actor_id: int) -> None:
    """Make the pose that the animation has now the client's pose."""
    row = simulation.find_row(actor_id, "get_pose_from_animation", Kind.WALKER)
    poses = animate(*_gait(simulation, row))
    simulation.world.skeletons.set_pose(actor_id, zip((bone.name for bone in BONES), poses, strict=True))


def _gait(simulation: Simulation, row: int) -> tuple[float, float, float]:
    """Return half the height [m], speed [m/s] and time [s], which the animation follows from."""
    table = simulation.world.table
    speed_mps = 0.0 if table.fallen_s[row] else float((table.kin[row, Kin.VX : Kin.VZ] ** 2).sum() ** 0.5)
    return float(table.box_half_m[row, 2]), speed_mps, simulation.world.elapsed_s
