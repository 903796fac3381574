"""Calls about the connection, the episode, the map and the weather."""

from __future__ import annotations

from typing import Any

from harness.errors import SimError
from harness.sim.describe import definitions
from harness.sim.simulation import OBSERVER_STREAM_ID, Simulation
from harness.sim.wire.messages import (
    ActorDefinition,
    EpisodeSettings,
    Rotation,
    Token,
    TrafficManagerAddress,
    Transform,
    Vector3D,
    WeatherParameters,
)
from harness.sim.wire.stream import encode_token
from harness.sim.wire.types import optional_to_wire

_MAP_FOLDER = "Carla/Maps/"


def version(simulation: Simulation) -> str:
    return simulation.schema.version


def get_episode_info(simulation: Simulation) -> list[Any]:
    return [simulation.world.episode_id, Token(encode_token(OBSERVER_STREAM_ID, simulation.stream_port))]


def get_episode_settings(simulation: Simulation) -> tuple[Any, ...]:
    settings = simulation.settings
    return settings._replace(fixed_delta_seconds=optional_to_wire(settings.fixed_delta_seconds))  # type: ignore[arg-type]


def set_episode_settings(simulation: Simulation, settings: EpisodeSettings) -> int:
    simulation.set_settings(settings)
    return simulation.world.frame


def tick_cue(simulation: Simulation) -> int:
    return simulation.tick()


def get_map_info(simulation: Simulation) -> list[Any]:
    poses = [Transform(Vector3D(*pose[:3]), Rotation(*pose[3:])) for pose in simulation.world.town.spawn_poses.tolist()]
    return [_MAP_FOLDER + simulation.world.town.name, poses]


def get_map_data(simulation: Simulation) -> str:
    return simulation.world.town.opendrive


def get_available_maps(simulation: Simulation) -> list[str]:
    return [f"/Game/{_MAP_FOLDER}{name}" for name in simulation.shelf.names()]


def load_new_episode(simulation: Simulation, name: str, reset_settings: bool, layers: int) -> None:
    """Have an episode in a town begin as soon as the client is ready for it.

    The town's map layers have no counterpart here, so any choice of them gives the same town.
    """
    simulation.prepare_town(name, reset_settings=reset_settings)


def get_required_files(simulation: Simulation, folder: str) -> list[str]:
    """Return no files: there is no navigation mesh, and the Traffic Manager's map cache is the client's affair."""
    return []


def get_actor_definitions(simulation: Simulation) -> tuple[ActorDefinition, ...]:
    return definitions()


def get_weather_parameters(simulation: Simulation) -> WeatherParameters:
    return WeatherParameters(*simulation.world.weather)


def set_weather_parameters(simulation: Simulation, weather: WeatherParameters) -> None:
    simulation.world.weather = tuple(weather)


def draw_debug_shape(simulation: Simulation, shape: Any) -> None:
    """Accept a shape; there is no picture to draw it into."""


def query_lights_state(simulation: Simulation, client: str) -> list[Any]:
    """Return the street lamps: these towns have none."""
    return []


def update_day_night_cycle(simulation: Simulation, client: str, is_active: bool) -> None:
    """Accept the switch: there are no street lamps that would follow the sun."""


def get_sensor_token(simulation: Simulation, stream_id: int) -> Token:
    if stream_id == OBSERVER_STREAM_ID or any(
        info.stream_id == stream_id for info in simulation.world.table.info.values()
    ):
        return Token(encode_token(stream_id, simulation.stream_port))
    raise SimError(f"get_sensor_token: no stream with id {stream_id}")


def is_traffic_manager_running(simulation: Simulation, port: int) -> bool:
    return port in simulation.traffic_managers


def get_traffic_manager_running(simulation: Simulation, port: int) -> list[Any]:
    host = simulation.traffic_managers.get(port)
    return ["", 0] if host is None else [host, port]


def add_traffic_manager_running(simulation: Simulation, address: TrafficManagerAddress) -> bool:
    if address.port in simulation.traffic_managers:
        return False
    simulation.traffic_managers[address.port] = address.host
    return True


def destroy_traffic_manager(simulation: Simulation, port: int) -> bool:
    return simulation.traffic_managers.pop(port, None) is not None
