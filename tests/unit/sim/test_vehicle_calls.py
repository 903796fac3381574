"""Calls about vehicles without a client: what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import SimError
from harness.sim.calls import parts, vehicle_physics, vehicles
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.wire.messages import VehicleAckermannControl
from harness.sim.world.town import Town
from harness.sim.world.vehicle_physics import settings_of


@pytest.fixture
def simulation(hill: Town) -> Simulation:
    """Return a simulation of the sloped road."""
    shelf = TownShelf(load=lambda name, given_up: hill, names=lambda: [hill.name])
    return Simulation(shelf, hill.name, stream_port=2001, wall_clock_s=lambda: 0.0)


@pytest.fixture
def car(simulation: Simulation) -> int:
    return simulation.world.spawn("vehicle.lincoln.mkz_2020", {}, (50.0, 1.75, 12.6, 0.0, 0.0, 0.0)).id


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (vehicle_physics.enable_carsim, ("vehicle.sim",)),
        (vehicle_physics.use_carsim_road, (True,)),
        (vehicle_physics.enable_chrono_physics, (30, 0.002, "a", "b", "c", "d")),
        (vehicle_physics.restore_physx_physics, ()),
    ],
)
def test_other_engines_of_physics_are_refused_by_name(
    simulation: Simulation,
    car: int,
    caplog: pytest.LogCaptureFixture,
    call: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    with pytest.raises(SimError, match=f"^{call.__name__}: .* is not built in this simulator. Actor Id: {car}$"):
        call(simulation, car, *arguments)
    assert f"call {call.__name__} is not built" in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        lambda simulation, actor: vehicle_physics.get_physics_control(simulation, actor),
        lambda simulation, actor: vehicles.get_telemetry_data(simulation, actor),
        lambda simulation, actor: vehicles.open_vehicle_door(simulation, actor, 0),
        lambda simulation, actor: vehicles.apply_ackermann_control_to_vehicle(
            simulation, actor, VehicleAckermannControl(0.0, 0.0, 1.0, 0.0, 0.0)
        ),
        lambda simulation, actor: vehicles.get_wheel_pitch_angle(simulation, actor, 0),
        lambda simulation, actor: parts.get_vehicle_bone_world_transforms(simulation, actor),
    ],
)
def test_what_is_no_vehicle_is_an_error_in_carlas_words(simulation: Simulation, call: Callable[..., Any]) -> None:
    cone = simulation.world.spawn("static.prop.trafficcone01", {}, (80.0, 1.75, 14.1, 0.0, 0.0, 0.0)).id
    with pytest.raises(SimError, match=f"Actor is not a vehicle. Actor Id: {cone}"):
        call(simulation, cone)
    with pytest.raises(SimError, match=r"Actor could not be found in the registry\. Actor Id: 77777"):
        call(simulation, 77777)


def test_doors_are_remembered(simulation: Simulation, car: int) -> None:
    row = simulation.world.table.row(car)
    assert row is not None
    settings = settings_of(simulation.world.table, row)
    vehicles.open_vehicle_door(simulation, car, 6)
    assert settings.open_doors == {0, 1, 2, 3}
    vehicles.close_vehicle_door(simulation, car, 2)
    assert settings.open_doors == {0, 1, 3}
    with pytest.raises(SimError, match="door is 5, expected 0 to 3 or 6 for all"):
        vehicles.open_vehicle_door(simulation, car, 5)
    vehicles.close_vehicle_door(simulation, car, 6)
    assert settings.open_doors == set()


def test_a_gear_by_hand_is_one_that_the_vehicle_has(simulation: Simulation, car: int) -> None:
    row = simulation.world.table.row(car)
    assert row is not None
    for wanted, expected in ((99, 6), (-7, -1), (2, 2)):
        control = vehicles.VehicleControl(0.0, 0.0, 0.0, False, False, True, wanted)
        vehicles.apply_control_to_vehicle(simulation, car, control)
        assert simulation.world.table.gear[row] == expected
