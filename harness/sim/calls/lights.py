"""Calls about traffic lights."""

from __future__ import annotations

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.world.traffic_lights import LightState


def set_traffic_light_state(simulation: Simulation, actor_id: int, state: int) -> None:
    light = _light(simulation, actor_id, "set_traffic_light_state")
    if state > LightState.UNKNOWN:
        raise SimError(f"set_traffic_light_state: found state {state}, expected 0 to {int(LightState.UNKNOWN)}")
    simulation.world.lights.set_state(light, state)


def set_traffic_light_green_time(simulation: Simulation, actor_id: int, seconds: float) -> None:
    _set_time(simulation, actor_id, LightState.GREEN, seconds)


def set_traffic_light_yellow_time(simulation: Simulation, actor_id: int, seconds: float) -> None:
    _set_time(simulation, actor_id, LightState.YELLOW, seconds)


def set_traffic_light_red_time(simulation: Simulation, actor_id: int, seconds: float) -> None:
    _set_time(simulation, actor_id, LightState.RED, seconds)


def freeze_traffic_light(simulation: Simulation, actor_id: int, is_frozen: bool) -> None:
    simulation.world.lights.freeze(_light(simulation, actor_id, "freeze_traffic_light"), is_frozen)


def freeze_all_traffic_lights(simulation: Simulation, is_frozen: bool) -> None:
    simulation.world.lights.freeze_all(is_frozen)


def reset_traffic_light_group(simulation: Simulation, actor_id: int) -> None:
    simulation.world.lights.reset_group(_light(simulation, actor_id, "reset_traffic_light_group"))


def reset_all_traffic_lights(simulation: Simulation) -> None:
    simulation.world.lights.reset_all()


def get_group_traffic_lights(simulation: Simulation, actor_id: int) -> list[int]:
    light = _light(simulation, actor_id, "get_group_traffic_lights")
    return [simulation.world.light_ids[other] for other in simulation.world.lights.group(light)]


def _set_time(simulation: Simulation, actor_id: int, state: LightState, seconds: float) -> None:
    simulation.world.lights.set_time(_light(simulation, actor_id, "set_traffic_light_time"), state, seconds)


def _light(simulation: Simulation, actor_id: int, method: str) -> int:
    light = simulation.world.light_of(actor_id)
    if light is None:
        raise SimError(f"{method}: Actor is not a traffic light. Actor Id: {actor_id}")
    return light
