"""Binary layouts, and per client version which calls, batch commands and sensors this server speaks.

Binary layouts are numpy dtypes. the tables list each remote call with the types of its arguments (the leading
metadata excluded) and how its result is wrapped. Checked against the unmodified `carla` 0.9.16 client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.sim.wire.messages import (
    ActorDescription,
    ApplyTargetAngularVelocity,
    ApplyTargetVelocity,
    ApplyTransform,
    ApplyVehicleControl,
    DestroyActor,
    EpisodeSettings,
    SetAutopilot,
    SetSimulatePhysics,
    SetVehicleLightState,
    SpawnActor,
    TrafficManagerAddress,
    Transform,
    Vector3D,
    VehicleControl,
    VehicleLightState,
    WeatherParameters,
)
from harness.sim.wire.types import F32, U8, U16, U32

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
        is_void: the result is a ``Response<void>`` instead of a ``Response<T>``; its errors look different.
        is_wrapped: False where the result is sent bare.
    """

    arguments: tuple[Any, ...] = ()
    is_void: bool = False
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
    "load_new_episode": Method(arguments=(str, bool, U16), is_void=True),
    "get_required_files": Method(arguments=(str,)),
    "get_actor_definitions": Method(),
    "get_weather_parameters": Method(),
    "set_weather_parameters": Method(arguments=(WeatherParameters,), is_void=True),
    "draw_debug_shape": Method(arguments=(Any,), is_void=True),
    "query_lights_state": Method(arguments=(str,)),
    "update_day_night_cycle": Method(arguments=(str, bool), is_void=True),
    "get_spectator": Method(),
    "get_actors_by_id": Method(arguments=(list[U32],)),
    "spawn_actor": Method(arguments=(ActorDescription, Transform)),
    "spawn_actor_with_parent": Method(arguments=(ActorDescription, Transform, U32, U8, str)),
    "destroy_actor": Method(arguments=(U32,)),
    "get_sensor_token": Method(arguments=(U32,)),
    "get_actor_bounding_box": Method(arguments=(U32,)),
    "set_actor_location": Method(arguments=(U32, Vector3D), is_void=True),
    "set_actor_transform": Method(arguments=(U32, Transform), is_void=True),
    "set_actor_target_velocity": Method(arguments=(U32, Vector3D), is_void=True),
    "set_actor_target_angular_velocity": Method(arguments=(U32, Vector3D), is_void=True),
    "set_actor_simulate_physics": Method(arguments=(U32, bool), is_void=True),
    "set_actor_autopilot": Method(arguments=(U32, bool), is_void=True),
    "apply_control_to_vehicle": Method(arguments=(U32, VehicleControl), is_void=True),
    "get_physics_control": Method(arguments=(U32,)),
    "get_vehicle_light_state": Method(arguments=(U32,)),
    "set_vehicle_light_state": Method(arguments=(U32, VehicleLightState), is_void=True),
    "get_vehicle_light_states": Method(),
    "set_traffic_light_state": Method(arguments=(U32, U8), is_void=True),
    "set_traffic_light_green_time": Method(arguments=(U32, F32), is_void=True),
    "set_traffic_light_yellow_time": Method(arguments=(U32, F32), is_void=True),
    "set_traffic_light_red_time": Method(arguments=(U32, F32), is_void=True),
    "freeze_traffic_light": Method(arguments=(U32, bool), is_void=True),
    "freeze_all_traffic_lights": Method(arguments=(bool,), is_void=True),
    "reset_traffic_light_group": Method(arguments=(U32,), is_void=True),
    "reset_all_traffic_lights": Method(is_void=True),
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
