"""The composite messages of the CARLA client protocol, one NamedTuple each; field order is wire order.

The annotations are wire types (`harness.sim.wire.types`), from which the codec is derived. Checked against the
unmodified `carla` 0.9.16 client.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from harness.sim.wire.types import F32, F64, I32, U8, U16, U32, U64, LooseF32

# --- composite types -------------------------------------------------------------------------------------------------


class Vector3D(NamedTuple):
    """Metres, metres per second and so on; left-handed: x forward, y right, z up."""

    x: F32
    y: F32
    z: F32


class LooseVector3D(NamedTuple):
    x: LooseF32
    y: LooseF32
    z: LooseF32


class Vector2D(NamedTuple):
    x: F32
    y: F32


class Rotation(NamedTuple):
    """Degrees."""

    pitch: F32
    yaw: F32
    roll: F32


class Transform(NamedTuple):
    location: Vector3D
    rotation: Rotation


class BoundingBox(NamedTuple):
    """Centre in the actor's frame and half sizes [m]."""

    location: Vector3D
    extent: Vector3D
    rotation: Rotation
    actor_id: U32


class Token(NamedTuple):
    data: bytes


class ActorAttributeValue(NamedTuple):
    id: str
    type: U8
    value: str


class ActorDescription(NamedTuple):
    uid: U32
    type_id: str
    attributes: list[ActorAttributeValue]


class ActorAttribute(NamedTuple):
    """An attribute of a blueprint."""

    id: str
    type: U8
    value: str
    recommended_values: list[str]
    is_modifiable: bool
    restrict_to_recommended: bool


class ActorDefinition(NamedTuple):
    """A blueprint."""

    uid: U32
    type_id: str
    tags: str
    attributes: list[ActorAttribute]


class Actor(NamedTuple):
    """A live actor; `parent_id` 0 = none; `stream_token` is empty unless the actor is a streaming sensor."""

    id: U32
    parent_id: U32
    description: ActorDescription
    bounding_box: BoundingBox
    semantic_tags: bytes
    stream_token: bytes


class EpisodeSettings(NamedTuple):
    synchronous_mode: bool
    no_rendering_mode: bool
    fixed_delta_seconds: F64 | None
    substepping: bool
    max_substep_delta_time: F64
    max_substeps: I32
    max_culling_distance: F32
    deterministic_ragdolls: bool
    tile_stream_distance: F32
    actor_active_distance: F32
    spectator_as_ego: bool


class WeatherParameters(NamedTuple):
    cloudiness: F32
    precipitation: F32
    precipitation_deposits: F32
    wind_intensity: F32
    sun_azimuth_angle: F32
    sun_altitude_angle: F32
    fog_density: F32
    fog_distance: F32
    fog_falloff: F32
    wetness: F32
    scattering_intensity: F32
    mie_scattering_scale: F32
    rayleigh_scattering_scale: F32
    dust_storm: F32


class VehicleControl(NamedTuple):
    """The Traffic Manager is known to send NaN in `brake`."""

    throttle: LooseF32
    steer: LooseF32
    brake: LooseF32
    hand_brake: bool
    reverse: bool
    manual_gear_shift: bool
    gear: I32


class VehicleAckermannControl(NamedTuple):
    """Wheel angle [rad, to the right], its rate [rad/s], speed, acceleration and jerk in metres and seconds."""

    steer: LooseF32
    steer_speed: LooseF32
    speed: LooseF32
    acceleration: LooseF32
    jerk: LooseF32


class AckermannControllerSettings(NamedTuple):
    speed_kp: F32
    speed_ki: F32
    speed_kd: F32
    accel_kp: F32
    accel_ki: F32
    accel_kd: F32


class Gear(NamedTuple):
    ratio: F32
    down_ratio: F32
    up_ratio: F32


class Wheel(NamedTuple):
    """`radius` in centimetres, `max_steer_angle` in degrees, `position` in world centimetres."""

    tire_friction: F32
    damping_rate: F32
    max_steer_angle: F32
    radius: F32
    max_brake_torque: F32
    max_handbrake_torque: F32
    lat_stiff_max_load: F32
    lat_stiff_value: F32
    long_stiff_value: F32
    position: Vector3D


class VehiclePhysicsControl(NamedTuple):
    torque_curve: list[Vector2D]
    max_rpm: F32
    moi: F32
    damping_rate_full_throttle: F32
    damping_rate_zero_throttle_clutch_engaged: F32
    damping_rate_zero_throttle_clutch_disengaged: F32
    use_gear_autobox: bool
    gear_switch_time: F32
    clutch_strength: F32
    final_ratio: F32
    forward_gears: list[Gear]
    mass: F32
    drag_coefficient: F32
    center_of_mass: Vector3D
    steering_curve: list[Vector2D]
    wheels: list[Wheel]
    use_sweep_wheel_collision: bool


class WheelTelemetryData(NamedTuple):
    tire_friction: F32
    lat_slip: F32
    long_slip: F32
    omega: F32
    tire_load: F32
    normalized_tire_load: F32
    torque: F32
    long_force: F32
    lat_force: F32
    normalized_long_force: F32
    normalized_lat_force: F32


class VehicleTelemetryData(NamedTuple):
    speed: F32
    steer: F32
    throttle: F32
    brake: F32
    engine_rpm: F32
    gear: I32
    drag: F32
    wheels: list[WheelTelemetryData]


class VehicleLightState(NamedTuple):
    flags: U32


class LabelledPoint(NamedTuple):
    """A place in the world frame and what is there."""

    location: Vector3D
    label: U8


class EnvironmentObject(NamedTuple):
    """A thing of the town; transform and box are in the world frame."""

    transform: Transform
    bounding_box: BoundingBox
    id: U64
    name: str
    type: U8


class OpendriveGenerationParameters(NamedTuple):
    vertex_distance: F64
    max_road_length: F64
    wall_height: F64
    additional_width: F64
    smooth_junctions: bool
    enable_mesh_visibility: bool
    enable_pedestrian_navigation: bool


class WalkerControl(NamedTuple):
    """Direction of walking, a unit vector in the world frame, and speed [m/s]; scripts divide zero by zero for it."""

    direction: LooseVector3D
    speed: LooseF32
    jump: bool


class BonePose(NamedTuple):
    """A bone and its pose relative to its parent."""

    name: str
    transform: Transform


class WalkerBoneControlIn(NamedTuple):
    bones: list[BonePose]


class BonePlace(NamedTuple):
    """Where a bone is: in the world, in the frame of the actor, and relative to its parent."""

    name: str
    world: Transform
    component: Transform
    relative: Transform


class WalkerBoneControlOut(NamedTuple):
    bones: list[BonePlace]


class TrafficManagerAddress(NamedTuple):
    host: str
    port: U16


# --- enumerations ----------------------------------------------------------------------------------------------------
# Attribute types, semantic tags and light states are the world's, which may not import the wire: here they are numbers.


class ActorState(IntEnum):
    INVALID = 0
    ACTIVE = 1
    DORMANT = 2
