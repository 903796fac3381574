"""Calls for things that this simulator does not have; each answers with an error that says what is missing.

Calls that change something fail. Questions whether something is on are answered: it is off.
"""

from __future__ import annotations

from typing import Any, NoReturn

from harness.errors import SimError
from harness.sim.simulation import Simulation


def _refuse(what: str) -> NoReturn:
    raise SimError(f"{what} not built in this simulator")


# --- recorder and replayer -------------------------------------------------------------------------------------------

_RECORDER = "the recorder is"
_REPLAYER = "the replayer is"


def start_recorder(simulation: Simulation, name: str, has_additional_data: bool) -> str:
    _refuse(_RECORDER)


def stop_recorder(simulation: Simulation) -> None:
    _refuse(_RECORDER)


def show_recorder_file_info(simulation: Simulation, name: str, shows_all: bool) -> str:
    _refuse(_RECORDER)


def show_recorder_collisions(simulation: Simulation, name: str, first_kind: Any, second_kind: Any) -> str:
    _refuse(_RECORDER)


def show_recorder_actors_blocked(simulation: Simulation, name: str, min_time_s: float, min_distance_m: float) -> str:
    _refuse(_RECORDER)


def replay_file(
    simulation: Simulation,
    name: str,
    start_s: float,
    duration_s: float,
    follow_id: int,
    replays_sensors: bool,
    offset: Any,
) -> str:
    _refuse(_REPLAYER)


def set_replayer_time_factor(simulation: Simulation, factor: float) -> None:
    _refuse(_REPLAYER)


def set_replayer_ignore_hero(simulation: Simulation, is_ignored: bool) -> None:
    _refuse(_REPLAYER)


def set_replayer_ignore_spectator(simulation: Simulation, is_ignored: bool) -> None:
    _refuse(_REPLAYER)


def stop_replayer(simulation: Simulation, keeps_actors: bool) -> None:
    _refuse(_REPLAYER)


# --- what needs the Unreal engine ------------------------------------------------------------------------------------


def console_command(simulation: Simulation, command: str) -> bool:
    _refuse("a console is")


def apply_color_texture_to_objects(simulation: Simulation, names: list[str], kind: int, texture: Any) -> None:
    _refuse("textures are")


def apply_float_color_texture_to_objects(simulation: Simulation, names: list[str], kind: int, texture: Any) -> None:
    _refuse("textures are")


def set_annotations_traverse_translucency(simulation: Simulation, is_enabled: bool) -> None:
    _refuse("annotations of translucent things are")


def enable_gbuffers(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    _refuse("g-buffers are")


def are_gbuffers_enabled(simulation: Simulation, actor_id: int) -> bool:
    return False


def get_gbuffer_token(simulation: Simulation, actor_id: int, buffer_id: int) -> bytes:
    _refuse("g-buffers are")


def enable_sensor_for_ros(simulation: Simulation, stream_id: int) -> None:
    _refuse("a ROS bridge is")


def disable_sensor_for_ros(simulation: Simulation, stream_id: int) -> None:
    _refuse("a ROS bridge is")


def is_sensor_enabled_for_ros(simulation: Simulation, stream_id: int) -> bool:
    return False


def send(simulation: Simulation, actor_id: int, message: str) -> None:
    """Refuse a message to other vehicles."""
    _refuse("radio between vehicles is")
