"""Every message layout of the CARLA client protocol that this server speaks, as tables keyed by client version.

Composite types are NamedTuples whose annotations are wire types (`harness.sim.wire.types`); field order is wire order.
Binary layouts are numpy dtypes. `METHODS` lists each remote call with the types of its arguments (the leading metadata
excluded). Checked against the unmodified `carla` 0.9.16 client.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from harness.sim.wire.types import F32, F64, I32, U8, U16, U32, LooseF32

# --- composite types -------------------------------------------------------------------------------------------------


class Vector3D(NamedTuple):
    """Metres, metres per second and so on; left-handed: x forward, y right, z up."""

    x: F32
    y: F32
    z: F32


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


class Color(NamedTuple):
    r: U8
    g: U8
    b: U8


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


class VehicleLightState(NamedTuple):
    flags: U32


class TrafficManagerAddress(NamedTuple):
    host: str
    port: U16


# --- enumerations ----------------------------------------------------------------------------------------------------


class AttributeType(IntEnum):
    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    RGB_COLOR = 5


class ActorState(IntEnum):
    INVALID = 0
    ACTIVE = 1
    DORMANT = 2


class LightState(IntEnum):
    """State of a traffic light."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


class SemanticTag(IntEnum):
    NONE = 0
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    CAR = 14
    TRUCK = 15
    BUS = 16
    STATIC = 20
    DYNAMIC = 21


# --- batch commands: wire index -> body layout -----------------------------------------------------------------------


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


class ApplyTransform(NamedTuple):
    actor: U32
    transform: Transform


class ApplyTargetVelocity(NamedTuple):
    actor: U32
    velocity: Vector3D


class ApplyTargetAngularVelocity(NamedTuple):
    actor: U32
    angular_velocity: Vector3D


class SetSimulatePhysics(NamedTuple):
    actor: U32
    enabled: bool


class SetAutopilot(NamedTuple):
    actor: U32
    enabled: bool


class SetVehicleLightState(NamedTuple):
    actor: U32
    flags: U32


# --- binary layouts --------------------------------------------------------------------------------------------------

STREAM_HEADER = np.dtype([("sensor", "<u8"), ("frame", "<u8"), ("time_s", "<f8"), ("transform", "<f4", (6,))])

OBSERVER_HEADER = np.dtype(
    [
        ("episode", "<u8"),
        ("platform_time_s", "<f8"),
        ("delta_s", "<f4"),
        ("map_origin", "<i4", (3,)),
        ("simulation_state", "<u4"),
    ]
)

# The last 54 bytes are a union; its vehicle and traffic light readings overlap on purpose.
_UNION_AT = 65
_OBSERVER_FIELDS: list[tuple[str, Any, int]] = [
    ("id", "<u4", 0),
    ("state", "u1", 4),
    ("kinematics", ("<f4", (15,)), 5),
    ("union", "V54", _UNION_AT),
    ("throttle_steer_brake", ("<f4", (3,)), _UNION_AT),
    ("hand_brake", "u1", _UNION_AT + 12),
    ("reverse", "u1", _UNION_AT + 13),
    ("manual_gear_shift", "u1", _UNION_AT + 14),
    ("gear", "<i4", _UNION_AT + 15),
    ("speed_limit_kmh", "<f4", _UNION_AT + 19),
    ("light_state", "u1", _UNION_AT + 23),
    ("at_light", "u1", _UNION_AT + 24),
    ("light_id", "<u4", _UNION_AT + 25),
    ("failure", "u1", _UNION_AT + 29),
    ("signal_id", "S32", _UNION_AT),
    ("signal_times_s", ("<f4", (3,)), _UNION_AT + 32),
    ("signal_elapsed_s", "<f4", _UNION_AT + 44),
    ("signal_pole", "<u4", _UNION_AT + 48),
    ("signal_frozen", "u1", _UNION_AT + 52),
    ("signal_state", "u1", _UNION_AT + 53),
]
OBSERVER_RECORD = np.dtype(
    {
        "names": [name for name, _, _ in _OBSERVER_FIELDS],
        "formats": [kind for _, kind, _ in _OBSERVER_FIELDS],
        "offsets": [offset for _, _, offset in _OBSERVER_FIELDS],
        "itemsize": 119,
    }
)

STREAM_TOKEN = np.dtype(
    [("stream", "<u4"), ("port", "<u2"), ("protocol", "u1"), ("address_type", "u1"), ("address", "V16")]
)
PROTOCOL_TCP = 1
ADDRESS_OF_RPC_HOST = 0


# --- one table per client version ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Method:
    """A remote call.

    Attributes:
        arguments: wire types, the leading metadata excluded.
        is_wrapped: False where the result is sent bare instead of as ``Response<T>``.
    """

    arguments: tuple[Any, ...] = ()
    is_wrapped: bool = True


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What one client version expects."""

    version: str
    methods: dict[str, Method]
    commands: dict[int, type[Any]]
    sensor_index: dict[str, int]


WORLD_OBSERVER = "world_observer"

_METHODS_0_9_16 = {
    "version": Method(),
    "get_episode_info": Method(),
    "get_episode_settings": Method(),
    "set_episode_settings": Method(arguments=(EpisodeSettings,)),
    "tick_cue": Method(),
    "get_map_info": Method(),
    "get_map_data": Method(),
    "get_available_maps": Method(),
    "load_new_episode": Method(arguments=(str, bool, U16)),
    "get_required_files": Method(arguments=(str,)),
    "get_actor_definitions": Method(),
    "get_weather_parameters": Method(),
    "set_weather_parameters": Method(arguments=(WeatherParameters,)),
    "draw_debug_shape": Method(arguments=(Any,)),
    "query_lights_state": Method(arguments=(str,)),
    "update_day_night_cycle": Method(arguments=(str, bool)),
    "get_spectator": Method(),
    "get_actors_by_id": Method(arguments=(list[U32],)),
    "spawn_actor": Method(arguments=(ActorDescription, Transform)),
    "spawn_actor_with_parent": Method(arguments=(ActorDescription, Transform, U32, U8, str)),
    "destroy_actor": Method(arguments=(U32,)),
    "get_sensor_token": Method(arguments=(U32,)),
    "get_actor_bounding_box": Method(arguments=(U32,)),
    "set_actor_location": Method(arguments=(U32, Vector3D)),
    "set_actor_transform": Method(arguments=(U32, Transform)),
    "set_actor_target_velocity": Method(arguments=(U32, Vector3D)),
    "set_actor_target_angular_velocity": Method(arguments=(U32, Vector3D)),
    "set_actor_simulate_physics": Method(arguments=(U32, bool)),
    "set_actor_autopilot": Method(arguments=(U32, bool)),
    "apply_control_to_vehicle": Method(arguments=(U32, VehicleControl)),
    "get_physics_control": Method(arguments=(U32,)),
    "get_vehicle_light_state": Method(arguments=(U32,)),
    "set_vehicle_light_state": Method(arguments=(U32, VehicleLightState)),
    "get_vehicle_light_states": Method(),
    "set_traffic_light_state": Method(arguments=(U32, U8)),
    "set_traffic_light_green_time": Method(arguments=(U32, F32)),
    "set_traffic_light_yellow_time": Method(arguments=(U32, F32)),
    "set_traffic_light_red_time": Method(arguments=(U32, F32)),
    "freeze_traffic_light": Method(arguments=(U32, bool)),
    "freeze_all_traffic_lights": Method(arguments=(bool,)),
    "reset_traffic_light_group": Method(arguments=(U32,)),
    "reset_all_traffic_lights": Method(),
    "get_group_traffic_lights": Method(arguments=(U32,)),
    "is_traffic_manager_running": Method(arguments=(U16,)),
    "get_traffic_manager_running": Method(arguments=(U16,)),
    "add_traffic_manager_running": Method(arguments=(TrafficManagerAddress,)),
    "destroy_traffic_manager": Method(arguments=(U16,)),
    "apply_batch": Method(arguments=(list[Any], bool), is_wrapped=False),
}

_COMMANDS_0_9_16: dict[int, type[Any]] = {
    0: SpawnActor,
    1: DestroyActor,
    2: ApplyVehicleControl,
    6: ApplyTransform,
    8: ApplyTargetVelocity,
    9: ApplyTargetAngularVelocity,
    14: SetSimulatePhysics,
    16: SetAutopilot,
    18: SetVehicleLightState,
}

SCHEMAS = {
    "0.9.16": Schema(
        version="0.9.16",
        methods=_METHODS_0_9_16,
        commands=_COMMANDS_0_9_16,
        sensor_index={"sensor.other.collision": 0, "sensor.other.lane_invasion": 6, WORLD_OBSERVER: 17},
    ),
}
