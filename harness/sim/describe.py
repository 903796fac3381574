"""Live actors, blueprints and readings of sensors in the client's layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from harness.sim.sensors.gnss import GnssFix
from harness.sim.sensors.imu import InertialReading
from harness.sim.sensors.rig import Reading
from harness.sim.wire.messages import (
    Actor,
    ActorAttribute,
    ActorAttributeValue,
    ActorDefinition,
    ActorDescription,
    BoundingBox,
    Rotation,
    Transform,
    Vector3D,
)
from harness.sim.wire.rpc import Packed, pack
from harness.sim.wire.stream import encode_collision, encode_gnss, encode_imu, encode_obstacle, encode_token
from harness.sim.world.actors import ActorInfo
from harness.sim.world.blueprints import LIBRARY, AttributeType
from harness.sim.world.impacts import Collision

_LEVEL = Rotation(0.0, 0.0, 0.0)


@cache
def definitions() -> Packed:
    """Return the blueprint library, a list of `ActorDefinition`; clients ask for it whenever they look something up."""
    return pack(
        [
            ActorDefinition(
                uid=number,
                type_id=blueprint.type_id,
                tags=blueprint.tags,
                attributes=[
                    ActorAttribute(a.id, a.type, a.value, list(a.recommended), a.is_modifiable, False)
                    for a in blueprint.attributes
                ],
            )
            for number, blueprint in enumerate(LIBRARY.values(), start=1)
        ]
    )


@cache
def _attribute_types(type_id: str) -> dict[str, int]:
    blueprint = LIBRARY.get(type_id)
    return {a.id: a.type for a in blueprint.attributes} if blueprint else {}


@cache
def _uid(type_id: str) -> int:
    return list(LIBRARY).index(type_id) + 1 if type_id in LIBRARY else 0


def bounding_box(info: ActorInfo) -> BoundingBox:
    """Return the bounding box of an actor in its own frame; of a light or sign, the trigger volume."""
    return BoundingBox(Vector3D(*info.box_centre_m), Vector3D(*info.box_half_m), _LEVEL, info.id)


def actor_message(info: ActorInfo, stream_port: int) -> Actor:
    """Return a live actor; a streaming sensor carries the token of its stream on `stream_port`."""
    types = _attribute_types(info.type_id)
    return Actor(
        id=info.id,
        parent_id=info.parent_id,
        description=ActorDescription(
            uid=_uid(info.type_id),
            type_id=info.type_id,
            attributes=[
                ActorAttributeValue(key, types.get(key, AttributeType.STRING), value)
                for key, value in info.attributes.items()
            ],
        ),
        bounding_box=bounding_box(info),
        semantic_tags=bytes([info.semantic_tag]),
        stream_token=encode_token(info.stream_id, stream_port) if info.stream_id else b"",
    )


def transform_of(pose: Sequence[float]) -> Transform:
    """Return a pose (x, y, z [m], pitch, yaw, roll [deg]) as the client's type."""
    return Transform(Vector3D(*pose[:3]), Rotation(*pose[3:]))


def reading_payload(reading: Reading, actors: Mapping[int, ActorInfo], stream_port: int) -> bytes:
    """Return what a sensor has read as the payload of its stream.

    Args:
        actors: those that are alive, by id; a reading is about such actors.
    """
    value = reading.value
    if isinstance(value, GnssFix):
        return encode_gnss(value.latitude_deg, value.longitude_deg, value.altitude_m)
    if isinstance(value, InertialReading):
        return encode_imu(Vector3D(*value.accelerometer_mps2), Vector3D(*value.gyroscope_radps), value.compass_rad)
    this, other = (actor_message(actors[key], stream_port) for key in (value.this, value.other))
    if isinstance(value, Collision):
        return encode_collision(this, other, Vector3D(*value.impulse_ns))
    return encode_obstacle(this, other, value.distance_m)
