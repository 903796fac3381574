"""Physics parameters of vehicles: read, set, refused, and felt."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import STRAIGHT_X_M, tick

Spawn = Callable[..., Any]
NUMBERS = {
    "max_rpm": 7000.0,
    "moi": 2.0,
    "damping_rate_full_throttle": 0.25,
    "damping_rate_zero_throttle_clutch_engaged": 2.5,
    "damping_rate_zero_throttle_clutch_disengaged": 0.45,
    "use_gear_autobox": False,
    "gear_switch_time": 0.25,
    "clutch_strength": 12.0,
    "final_ratio": 3.5,
    "mass": 2345.0,
    "drag_coefficient": 0.4,
    "use_sweep_wheel_collision": True,
}
WHEEL = {
    "tire_friction": 2.5,
    "damping_rate": 0.5,
    "max_steer_angle": 45.0,
    "radius": 40.0,
    "max_brake_torque": 900.0,
    "max_handbrake_torque": 1000.0,
    "lat_stiff_max_load": 2.0,
    "lat_stiff_value": 15.0,
    "long_stiff_value": 2000.0,
}


def _pairs(points: Any) -> list[tuple[float, float]]:
    return [(point.x, point.y) for point in points]


def _change(car: Any, **changes: Any) -> Any:
    physics = car.get_physics_control()
    for name, value in changes.items():
        setattr(physics, name, value)
    car.apply_physics_control(physics)
    return car.get_physics_control()


def _with_wheels(car: Any, **changes: Any) -> list[Any]:
    wheels = car.get_physics_control().wheels
    for wheel in wheels:
        for name, value in changes.items():
            setattr(wheel, name, value)
    return list(wheels)


def _speed_after(world: Any, car: Any, ticks: int, **control: Any) -> float:
    car.apply_control(carla.VehicleControl(**control))
    tick(world, ticks)
    return float(car.get_velocity().x)


def test_physics_parameters_describe_the_model(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    physics = car.get_physics_control()
    assert physics.mass == 1800.0
    assert [wheel.max_steer_angle for wheel in physics.wheels] == pytest.approx([70.0, 70.0, 0.0, 0.0])
    front, rear = physics.wheels[0].position, physics.wheels[2].position
    assert (front.x - rear.x) / 100.0 == pytest.approx(2.86, abs=1e-3)  # centimetres; the wheelbase of the MKZ 2020
    assert physics.wheels[1].position.y > front.y  # the right wheel
    assert [point.x for point in physics.steering_curve] == [0.0, 20.0, 60.0, 120.0]
    assert [point.y for point in physics.steering_curve] == pytest.approx([1.0, 0.9, 0.8, 0.7])
    assert len(physics.forward_gears) == 6


def test_every_field_that_is_set_is_read_back(client: Any, world: Any, spawn: Spawn) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 10.0)
    tick(world)
    wanted = car.get_physics_control()
    for name, value in NUMBERS.items():
        setattr(wanted, name, value)
    wanted.torque_curve = [carla.Vector2D(0.0, 300.0), carla.Vector2D(4000.0, 350.0)]
    wanted.steering_curve = [carla.Vector2D(0.0, 0.9), carla.Vector2D(50.0, 0.5), carla.Vector2D(90.0, 0.25)]
    wanted.forward_gears = [carla.GearPhysicsControl(4.5, 0.4, 0.7), carla.GearPhysicsControl(2.0, 0.5, 0.6)]
    wanted.center_of_mass = carla.Location(0.25, 0.0, -0.5)
    wanted.wheels = _with_wheels(car, **WHEEL)
    before, positions = str(other.get_physics_control()), [wheel.position for wheel in wanted.wheels]
    answer = client.apply_batch_sync([carla.command.ApplyVehiclePhysicsControl(car, wanted)], False)[0]
    assert not answer.has_error()
    found = car.get_physics_control()
    assert {name: getattr(found, name) for name in NUMBERS} == pytest.approx(NUMBERS)
    assert _pairs(found.torque_curve) == [(0.0, 300.0), (4000.0, 350.0)]
    assert _pairs(found.steering_curve) == [(0.0, pytest.approx(0.9)), (50.0, 0.5), (90.0, 0.25)]
    assert [(gear.ratio, gear.down_ratio, gear.up_ratio) for gear in found.forward_gears] == [
        (4.5, pytest.approx(0.4), pytest.approx(0.7)),
        (2.0, 0.5, pytest.approx(0.6)),
    ]
    assert found.center_of_mass == carla.Location(0.25, 0.0, -0.5)
    for wheel, position in zip(found.wheels, positions, strict=True):
        assert {name: getattr(wheel, name) for name in WHEEL} == WHEEL
        assert (wheel.position.x, wheel.position.y) == pytest.approx((position.x, position.y), abs=0.01)
        assert wheel.position.z == pytest.approx(car.get_location().z * 100.0 + 40.0, abs=0.01)
    assert str(other.get_physics_control()) == before
    car.apply_physics_control(found)
    assert str(car.get_physics_control()) == str(found)


def test_what_no_vehicle_can_have_changes_nothing(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    before = str(car.get_physics_control())
    for changes in (
        {"mass": -100.0},
        {"mass": 0.0},
        {"max_rpm": -1.0},
        {"drag_coefficient": 1e30},
        {"final_ratio": 0.0},
        {"wheels": []},
        {"torque_curve": []},
        {"forward_gears": []},
        {"forward_gears": [carla.GearPhysicsControl()] * 5000},
        {"steering_curve": [carla.Vector2D(float(k), 1.0) for k in range(5000)]},
        {"steering_curve": [carla.Vector2D(50.0, 1.0), carla.Vector2D(0.0, 1.0)]},
    ):
        assert str(_change(car, **changes)) == before, changes
    assert _speed_after(world, car, 5, throttle=1.0) == pytest.approx(1.9, abs=0.1)


def test_parameters_that_are_no_numbers_are_refused(client: Any, world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    before = car.get_physics_control()
    nan, infinite = float("nan"), float("inf")
    refused: list[dict[str, Any]] = [{"mass": nan}, {"moi": infinite}, {"wheels": _with_wheels(car, radius=nan)}]
    for changes in refused:
        assert str(_change(car, **changes)) == str(before)
        wanted = car.get_physics_control()
        for name, value in changes.items():
            setattr(wanted, name, value)
        answer = client.apply_batch_sync([carla.command.ApplyVehiclePhysicsControl(car, wanted)], False)[0]
        assert answer.has_error() and "expected a finite number" in answer.error
    assert math.isfinite(_speed_after(world, car, 3, throttle=1.0))


def test_parameters_of_nothing_but_defaults_leave_the_wheels(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    before = car.get_physics_control()
    car.apply_physics_control(carla.VehiclePhysicsControl())
    found = car.get_physics_control()
    assert found.mass == 1000.0 and len(found.forward_gears) == 6
    assert [str(wheel) for wheel in found.wheels] == [str(wheel) for wheel in before.wheels]


def test_a_heavier_car_is_slower_and_one_sent_back_as_read_is_not(world: Any, spawn: Spawn) -> None:
    speeds = []
    for changes in (None, {"use_sweep_wheel_collision": True}, {"mass": 3600.0}):
        car = spawn()
        tick(world)
        if changes:
            _change(car, **changes)
        speeds.append(_speed_after(world, car, 20, throttle=1.0))
        car.destroy()
        tick(world)
    assert speeds[0] == speeds[1]
    assert speeds[2] == pytest.approx(0.5 * speeds[0], rel=0.15)


def test_a_car_on_ice_slides(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    _change(car, wheels=_with_wheels(car, tire_friction=0.0))
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    assert _speed_after(world, car, 20, brake=1.0, steer=0.5) == pytest.approx(10.0)
    assert car.get_transform().rotation.yaw == pytest.approx(0.0, abs=1e-4)


def test_the_wheel_angle_limits_the_turn(world: Any, spawn: Spawn) -> None:
    yaws = []
    for angle_deg in (70.0, 20.0):
        car = spawn()
        tick(world)
        _change(car, wheels=_with_wheels(car, max_steer_angle=angle_deg))
        _speed_after(world, car, 20, throttle=0.4, steer=0.5)
        yaws.append(car.get_transform().rotation.yaw)
        car.destroy()
        tick(world)
    assert 0.0 < yaws[1] < 0.5 * yaws[0]
