"""Layouts of the commands of a batch: which wire index has which body stands in `schema`."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.sim.wire.messages import (
    ActorDescription,
    Transform,
    Vector3D,
    VehicleAckermannControl,
    VehicleControl,
    VehiclePhysicsControl,
    WalkerControl,
)
from harness.sim.wire.types import F32, U32


class SpawnActor(NamedTuple):
    """`attachment` is uninitialised when there is no parent; `do_after` holds undecoded commands."""

    description: ActorDescription
    transform: Transform
    parent: U32 | None
    attachment: Any
    socket_name: str
    do_after: list[Any]


class DestroyActor(NamedTuple):
    actor: U32


class ApplyVehicleControl(NamedTuple):
    actor: U32
    control: VehicleControl


class ApplyVehicleAckermannControl(NamedTuple):
    actor: U32
    control: VehicleAckermannControl


class ApplyVehiclePhysicsControl(NamedTuple):
    actor: U32
    physics: VehiclePhysicsControl


class ApplyTransform(NamedTuple):
    actor: U32
    transform: Transform


class ApplyTargetVelocity(NamedTuple):
    actor: U32
    velocity: Vector3D


class ApplyTargetAngularVelocity(NamedTuple):
    actor: U32
    angular_velocity: Vector3D


class ApplyWalkerControl(NamedTuple):
    actor: U32
    control: WalkerControl


class ApplyWalkerState(NamedTuple):
    """Where the pedestrian AI in the client has a walker stand, by its feet, and how fast it walks."""

    actor: U32
    transform: Transform
    speed: F32


class ApplyImpulse(NamedTuple):
    actor: U32
    impulse: Vector3D


class ApplyForce(NamedTuple):
    actor: U32
    force: Vector3D


class ApplyAngularImpulse(NamedTuple):
    actor: U32
    impulse: Vector3D


class ApplyTorque(NamedTuple):
    actor: U32
    torque: Vector3D


class SetEnableGravity(NamedTuple):
    actor: U32
    enabled: bool


class SetSimulatePhysics(NamedTuple):
    actor: U32
    enabled: bool


class SetAutopilot(NamedTuple):
    actor: U32
    enabled: bool


class SetVehicleLightState(NamedTuple):
    actor: U32
    flags: U32
