"""Binary layouts, and per client version which calls, batch commands and sensors this server speaks.

Binary layouts are numpy dtypes. the tables list each remote call with the types of its arguments (the leading
metadata excluded) and how its result is wrapped. Checked against the unmodified `carla` 0.9.16 client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

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
    AckermannControllerSettings,
    ActorDescription,
    EpisodeSettings,
    OpendriveGenerationParameters,
    TrafficManagerAddress,
    Transform,
    Vector3D,
    VehicleAckermannControl,
    VehicleControl,
    VehicleLightState,
    VehiclePhysicsControl,
    WalkerBoneControlIn,
    WalkerControl,
    WeatherParameters,
)
from harness.sim.wire.types import F32, F64, U8, U16, U32, U64, LongText, LooseF32

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

# The last 54 bytes are a union; its vehicle, walker and traffic light readings overlap on purpose.
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
    ("walk_direction", ("<f4", (3,)), _UNION_AT),
    ("walk_speed_mps", "<f4", _UNION_AT + 12),
    ("walk_jump", "u1", _UNION_AT + 16),
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
    "request_file": Method(arguments=(str,)),
    "get_navigation_mesh": Method(),
    "get_actor_definitions": Method(),
    "get_weather_parameters": Method(),
    "set_weather_parameters": Method(arguments=(WeatherParameters,), is_void=True),
    "copy_opendrive_to_file": Method(arguments=(LongText, OpendriveGenerationParameters), is_void=True),
    "load_map_layer": Method(arguments=(U16,), is_void=True),
    "unload_map_layer": Method(arguments=(U16,), is_void=True),
    "get_imui_gravity": Method(),
    "set_imui_gravity": Method(arguments=(F32,), is_void=True),
    "get_all_level_BBs": Method(arguments=(U8,)),
    "get_environment_objects": Method(arguments=(U8,)),
    "enable_environment_objects": Method(arguments=(list[U64], bool), is_void=True),
    "get_names_of_all_objects": Method(),
    "project_point": Method(arguments=(Vector3D, Vector3D, F32)),
    "cast_ray": Method(arguments=(Vector3D, Vector3D)),
    "draw_debug_shape": Method(arguments=(Any,), is_void=True),
    "clear_debug_shape": Method(is_void=True),
    "clear_debug_string": Method(is_void=True),
    "query_lights_state": Method(arguments=(str,)),
    "update_lights_state": Method(arguments=(str, list[Any], bool), is_void=True),
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
    "enable_actor_constant_velocity": Method(arguments=(U32, Vector3D), is_void=True),
    "disable_actor_constant_velocity": Method(arguments=(U32,), is_void=True),
    "add_actor_impulse": Method(arguments=(U32, Vector3D), is_void=True),
    "add_actor_impulse_at_location": Method(arguments=(U32, Vector3D, Vector3D), is_void=True),
    "add_actor_force": Method(arguments=(U32, Vector3D), is_void=True),
    "add_actor_force_at_location": Method(arguments=(U32, Vector3D, Vector3D), is_void=True),
    "add_actor_angular_impulse": Method(arguments=(U32, Vector3D), is_void=True),
    "add_actor_torque": Method(arguments=(U32, Vector3D), is_void=True),
    "set_actor_collisions": Method(arguments=(U32, bool), is_void=True),
    "set_actor_enable_gravity": Method(arguments=(U32, bool), is_void=True),
    "set_actor_dead": Method(arguments=(U32,), is_void=True),
    "set_ignored_vehicles": Method(arguments=(U32, list[U32]), is_void=True),
    "apply_control_to_walker": Method(arguments=(U32, WalkerControl), is_void=True),
    "get_bones_transform": Method(arguments=(U32,)),
    "set_bones_transform": Method(arguments=(U32, WalkerBoneControlIn), is_void=True),
    "blend_pose": Method(arguments=(U32, LooseF32), is_void=True),
    "get_pose_from_animation": Method(arguments=(U32,), is_void=True),
    "set_actor_simulate_physics": Method(arguments=(U32, bool), is_void=True),
    "set_actor_autopilot": Method(arguments=(U32, bool), is_void=True),
    "apply_control_to_vehicle": Method(arguments=(U32, VehicleControl), is_void=True),
    "apply_ackermann_control_to_vehicle": Method(arguments=(U32, VehicleAckermannControl), is_void=True),
    "get_ackermann_controller_settings": Method(arguments=(U32,)),
    "apply_ackermann_controller_settings": Method(arguments=(U32, AckermannControllerSettings), is_void=True),
    "get_physics_control": Method(arguments=(U32,)),
    "apply_physics_control": Method(arguments=(U32, VehiclePhysicsControl), is_void=True),
    "get_telemetry_data": Method(arguments=(U32,)),
    "show_vehicle_debug_telemetry": Method(arguments=(U32, bool), is_void=True),
    "open_vehicle_door": Method(arguments=(U32, U8), is_void=True),
    "close_vehicle_door": Method(arguments=(U32, U8), is_void=True),
    "set_wheel_steer_direction": Method(arguments=(U32, U8, LooseF32), is_void=True),
    "get_wheel_steer_angle": Method(arguments=(U32, U8)),
    "set_wheel_pitch_angle": Method(arguments=(U32, U8, LooseF32), is_void=True),
    "get_wheel_pitch_angle": Method(arguments=(U32, U8)),
    "enable_carsim": Method(arguments=(U32, str), is_void=True),
    "use_carsim_road": Method(arguments=(U32, bool), is_void=True),
    "enable_chrono_physics": Method(arguments=(U32, U64, F32, str, str, str, str), is_void=True),
    "restore_physx_physics": Method(arguments=(U32,), is_void=True),
    "get_actor_component_names": Method(arguments=(U32,)),
    "get_actor_component_world_transform": Method(arguments=(U32, str)),
    "get_actor_component_relative_transform": Method(arguments=(U32, str)),
    "get_actor_bone_names": Method(arguments=(U32,)),
    "get_actor_bone_world_transforms": Method(arguments=(U32,)),
    "get_actor_bone_relative_transforms": Method(arguments=(U32,)),
    "get_actor_socket_names": Method(arguments=(U32,)),
    "get_actor_socket_world_transforms": Method(arguments=(U32,)),
    "get_actor_socket_relative_transforms": Method(arguments=(U32,)),
    "get_vehicle_bone_world_transforms": Method(arguments=(U32,)),
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
    "get_light_boxes": Method(arguments=(U32,)),
    # Not built; each of these answers with an error that says so.
    "start_recorder": Method(arguments=(str, bool)),
    "stop_recorder": Method(is_void=True),
    "show_recorder_file_info": Method(arguments=(str, bool)),
    "show_recorder_collisions": Method(arguments=(str, Any, Any)),
    "show_recorder_actors_blocked": Method(arguments=(str, F64, F64)),
    "replay_file": Method(arguments=(str, F64, F64, U32, bool, Any)),
    "set_replayer_time_factor": Method(arguments=(F64,), is_void=True),
    "set_replayer_ignore_hero": Method(arguments=(bool,), is_void=True),
    "set_replayer_ignore_spectator": Method(arguments=(bool,), is_void=True),
    "stop_replayer": Method(arguments=(bool,), is_void=True),
    "console_command": Method(arguments=(str,)),
    "apply_color_texture_to_objects": Method(arguments=(list[str], U8, Any), is_void=True),
    "apply_float_color_texture_to_objects": Method(arguments=(list[str], U8, Any), is_void=True),
    "set_annotations_traverse_translucency": Method(arguments=(bool,), is_void=True),
    "enable_gbuffers": Method(arguments=(U32, bool), is_void=True),
    "are_gbuffers_enabled": Method(arguments=(U32,)),
    "get_gbuffer_token": Method(arguments=(U32, U32)),
    "enable_sensor_for_ros": Method(arguments=(U32,), is_void=True),
    "disable_sensor_for_ros": Method(arguments=(U32,), is_void=True),
    "is_sensor_enabled_for_ros": Method(arguments=(U32,)),
    "send": Method(arguments=(U32, str), is_void=True),
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
    3: ApplyVehicleAckermannControl,
    5: ApplyVehiclePhysicsControl,
    4: ApplyWalkerControl,
    6: ApplyTransform,
    7: ApplyWalkerState,
    8: ApplyTargetVelocity,
    9: ApplyTargetAngularVelocity,
    10: ApplyImpulse,
    11: ApplyForce,
    12: ApplyAngularImpulse,
    13: ApplyTorque,
    14: SetSimulatePhysics,
    15: SetEnableGravity,
    16: SetAutopilot,
    18: SetVehicleLightState,
}

SCHEMAS = {
    "0.9.16": Schema(
        version="0.9.16",
        methods=_METHODS_0_9_16,
        commands=_COMMANDS_0_9_16,
        sensor_index={
            "sensor.other.collision": 0,
            "sensor.other.gnss": 4,
            "sensor.other.imu": 5,
            "sensor.other.lane_invasion": 6,
            "sensor.other.obstacle": 7,
            WORLD_OBSERVER: 17,
        },
    ),
}
