"""Calls on a simulation without sockets: what moves, what is logged, what numbers go out."""

from __future__ import annotations

from typing import Any

import carla
import pytest

import harness.sim.calls.batch as batch_module
from harness.sim.calls import actors
from harness.sim.calls.batch import apply_batch
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.wire.messages import Vector3D
from harness.sim.world.actors import Kin
from harness.sim.world.blueprints import LIBRARY, AttributeType, SemanticTag
from harness.sim.world.town import Town
from harness.sim.world.traffic_lights import LightState

FAST, TURNING = Vector3D(20.0, 0.0, 0.0), Vector3D(0.0, 0.0, 90.0)


@pytest.fixture
def simulation(level: Town) -> Simulation:
    """Return a simulation of a level road."""
    shelf = TownShelf(load=lambda name, given_up: level, names=lambda: [level.name])
    return Simulation(shelf, level.name, stream_port=2001, wall_clock_s=lambda: 0.0)


def _spawn(simulation: Simulation, type_id: str, x_m: float = 50.0) -> tuple[int, Any]:
    """Return id and kinematic state."""
    info = simulation.world.spawn(type_id, {}, (x_m, 1.75, 12.5, 0.0, 0.0, 0.0))
    row = simulation.world.table.row(info.id)
    return info.id, simulation.world.table.kin[row]


def _motion(kin: Any) -> list[float]:
    return [float(value) for value in kin[Kin.VX : Kin.AX]]


# --- what does not move reports no velocity --------------------------------------------------------------------------


@pytest.mark.parametrize("type_id", ["static.prop.barrel", "sensor.other.collision"])
def test_what_cannot_move_takes_no_velocity(simulation: Simulation, type_id: str) -> None:
    actor_id, kin = _spawn(simulation, type_id)
    actors.set_actor_target_velocity(simulation, actor_id, FAST)
    actors.set_actor_target_angular_velocity(simulation, actor_id, TURNING)
    simulation.tick()
    assert _motion(kin) == [0.0] * 6


def test_a_vehicle_stands_still_when_its_physics_goes_off(simulation: Simulation) -> None:
    actor_id, kin = _spawn(simulation, "vehicle.audi.tt")
    actors.set_actor_target_velocity(simulation, actor_id, FAST)
    actors.set_actor_target_angular_velocity(simulation, actor_id, TURNING)
    simulation.tick()
    assert kin[Kin.VX] > 10.0 and kin[Kin.WZ] > 10.0
    actors.set_actor_simulate_physics(simulation, actor_id, False)
    place = kin[Kin.X]
    simulation.tick()
    assert _motion(kin) == [0.0] * 6 and kin[Kin.X] == place
    actors.set_actor_simulate_physics(simulation, actor_id, True)
    simulation.tick()
    assert kin[Kin.VX] == 0.0 and kin[Kin.WZ] == 0.0


def test_a_velocity_set_without_physics_is_shown_and_driven_with_later(simulation: Simulation) -> None:
    actor_id, kin = _spawn(simulation, "vehicle.audi.tt")
    actors.set_actor_simulate_physics(simulation, actor_id, False)
    actors.set_actor_target_velocity(simulation, actor_id, FAST)
    actors.set_actor_simulate_physics(simulation, actor_id, False)  # as the Traffic Manager repeats it
    place = kin[Kin.X]
    simulation.tick()
    assert kin[Kin.VX] == 20.0 and kin[Kin.X] == place
    actors.set_actor_simulate_physics(simulation, actor_id, True)
    simulation.tick()
    assert kin[Kin.X] > place + 0.5


def test_a_velocity_that_is_only_shown_pushes_nobody(simulation: Simulation) -> None:
    ghost_id, _ = _spawn(simulation, "vehicle.audi.tt")
    _, kin = _spawn(simulation, "vehicle.audi.tt", x_m=60.0)
    actors.set_actor_simulate_physics(simulation, ghost_id, False)
    actors.set_actor_target_velocity(simulation, ghost_id, FAST)
    actors.set_actor_location(simulation, ghost_id, Vector3D(56.5, 1.75, 12.8))  # into the other's back
    simulation.tick()
    assert kin[Kin.X] > 60.1 and abs(kin[Kin.VX]) < 0.1


# --- the log ---------------------------------------------------------------------------------------------------------


def test_a_command_that_fails_inside_is_logged_once(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(batch_module.actors, "destroy_actor", lambda *_: 1 / 0)
    monkeypatch.setattr(batch_module.actors, "set_actor_autopilot", lambda *_: 1 / 0)
    commands: list[Any] = [[[1, [number]]] for number in range(300)] + [[[16, [1, True]]]] * 300
    answers = _apply_all(simulation, commands)
    assert all(answer[0][0] == 0 and "internal error" in answer[0][1][0] for answer in answers)
    assert caplog.text.count("ZeroDivisionError") == caplog.text.count("(said once)") == 2
    assert "batch command DestroyActor" in caplog.text and "batch command SetAutopilot" in caplog.text
    simulation.reset()
    _apply_all(simulation, commands[:1])
    assert caplog.text.count("ZeroDivisionError") == 2


def _apply_all(simulation: Simulation, commands: list[Any]) -> list[Any]:
    steps = apply_batch(simulation, commands, False)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return list(end.value)


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_client() -> None:
    labels, kinds, states = carla.CityObjectLabel, carla.ActorAttributeType, carla.TrafficLightState
    theirs = {name.lower().rstrip("s"): int(label) for name, label in labels.names.items()}
    ours = {tag.name.lower().replace("_", "").rstrip("s"): int(tag) for tag in SemanticTag}
    assert ours.items() <= theirs.items()
    assert list(AttributeType) == [int(k) for k in (kinds.Bool, kinds.Int, kinds.Float, kinds.String, kinds.RGBColor)]
    assert list(LightState) == [int(s) for s in (states.Red, states.Yellow, states.Green, states.Off, states.Unknown)]


def test_every_number_in_use_has_its_name(simulation: Simulation) -> None:
    types = {attribute.type for blueprint in LIBRARY.values() for attribute in blueprint.attributes}
    assert all(isinstance(kind, AttributeType) for kind in types) and types == set(AttributeType)
    assert all(isinstance(blueprint.semantic_tag, SemanticTag) for blueprint in LIBRARY.values())
