"""Calls about the connection, the episode, the map and the weather."""

from __future__ import annotations

from functools import partial
from typing import Any

from harness.errors import SimError
from harness.sim.describe import definitions
from harness.sim.simulation import CLIENT_TOWN, OBSERVER_STREAM_ID, Later, Simulation
from harness.sim.wire.messages import (
    EpisodeSettings,
    OpendriveGenerationParameters,
    Token,
    TrafficManagerAddress,
    WeatherParameters,
)
from harness.sim.wire.rpc import Packed
from harness.sim.wire.stream import encode_token
from harness.sim.wire.types import optional_to_wire
from harness.sim.world.town import Town

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
    town = simulation.world.town
    # Transforms, as lists at once: the largest towns have 20,000.
    return [_MAP_FOLDER + town.name, town.spawn_poses.reshape(-1, 2, 3).tolist()]


def get_map_data(simulation: Simulation) -> str:
    return simulation.world.town.opendrive


def get_available_maps(simulation: Simulation) -> list[str]:
    names = [*simulation.shelf.names(), *([CLIENT_TOWN] if simulation.client_town else [])]
    return [f"/Game/{_MAP_FOLDER}{name}" for name in dict.fromkeys(names)]


def load_new_episode(simulation: Simulation, name: str, reset_settings: bool, layers: int) -> Later | None:
    """Have an episode in a town begin as soon as the client is ready for it.

    The town's map layers have no counterpart here, so any choice of them gives the same town.
    """

    def take(town: Town) -> None:
        simulation.prepare_episode(town, reset_settings=reset_settings)
        simulation.map_layers = layers

    wanted = simulation.full_town_name(name)
    town = simulation.town_at_hand(wanted)
    if town is None:
        return Later(partial(simulation.shelf.load, wanted), take, is_sent=False)
    take(town)
    return None


def copy_opendrive_to_file(simulation: Simulation, opendrive: str, parameters: OpendriveGenerationParameters) -> Later:
    """Take an OpenDRIVE text as the town `CLIENT_TOWN`, which the client loads next; no file is written.

    The parameters shape walls and meshes, of which there are none here.
    """

    def take(town: Town) -> None:
        simulation.client_town = town

    return Later(partial(simulation.shelf.parse, CLIENT_TOWN, opendrive), take, is_sent=True)


def get_actor_definitions(simulation: Simulation) -> Packed:
    return definitions()


def get_weather_parameters(simulation: Simulation) -> WeatherParameters:
    return WeatherParameters(*simulation.world.weather)


def set_weather_parameters(simulation: Simulation, weather: WeatherParameters) -> None:
    simulation.world.weather = tuple(weather)


def get_imui_gravity(simulation: Simulation) -> float:
    return simulation.imu_gravity_mps2


def set_imui_gravity(simulation: Simulation, gravity_mps2: float) -> None:
    """Set what inertial sensors feel at rest; vehicles go on falling as before."""
    simulation.imu_gravity_mps2 = gravity_mps2


def get_sensor_token(simulation: Simulation, stream_id: int) -> Token:
    sensors = simulation.world.table.streaming.values()
    if stream_id == OBSERVER_STREAM_ID or any(info.stream_id == stream_id for info in sensors):
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
