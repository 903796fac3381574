"""Instruments, wheels, doors, bones and components of vehicles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import STRAIGHT_X_M, tick, xyz

Spawn = Callable[..., Any]


def _drive(world: Any, car: Any, ticks: int, **control: Any) -> None:
    car.apply_control(carla.VehicleControl(**control))
    tick(world, ticks)


# --- instruments, wheels, doors --------------------------------------------------------------------------------------


def test_the_instruments_agree_with_the_drive(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 25, throttle=0.75, steer=0.1)
    told = car.get_telemetry_data()
    speed_mps = math.hypot(car.get_velocity().x, car.get_velocity().y)
    assert told.speed == pytest.approx(speed_mps, rel=0.02)
    assert (told.throttle, told.steer, told.brake) == pytest.approx((0.75, 0.1, 0.0))
    assert told.gear == car.get_control().gear == 1
    assert told.engine_rpm == pytest.approx(told.speed / 0.35 * 20.0 * 30.0 / math.pi, rel=1e-3)
    assert 0.0 < told.drag < 100.0
    assert len(told.wheels) == 4
    assert sum(wheel.tire_load for wheel in told.wheels) == pytest.approx(1800.0 * 9.81, rel=1e-3)
    front_left, front_right, rear_left, _ = told.wheels
    for wheel in told.wheels:
        assert (wheel.tire_friction, wheel.lat_slip, wheel.long_slip) == (3.5, 0.0, 0.0)
        assert wheel.omega == pytest.approx(told.speed / 0.35, rel=1e-3)
        assert wheel.torque == pytest.approx(0.35 * wheel.long_force, rel=1e-3)
        assert wheel.normalized_long_force == pytest.approx(wheel.long_force / wheel.tire_load, rel=1e-3)
        assert wheel.normalized_lat_force == pytest.approx(wheel.lat_force / wheel.tire_load, rel=1e-3)
    assert front_left.tire_load > front_right.tire_load  # a turn to the right
    assert rear_left.normalized_tire_load > 1.0 > front_right.normalized_tire_load
    car.show_debug_telemetry(True)
    tick(world)


def test_wheels_stand_as_they_are_steered_or_set(world: Any, spawn: Spawn) -> None:
    car, wheels = spawn(), carla.VehicleWheelLocation
    _drive(world, car, 1, steer=0.5)
    left, right = (car.get_wheel_steer_angle(wheel) for wheel in (wheels.FL_Wheel, wheels.FR_Wheel))
    assert right == pytest.approx(35.0) and 20.0 < left < right
    assert car.get_wheel_steer_angle(wheels.BL_Wheel) == 0.0
    car.set_wheel_steer_direction(wheels.FL_Wheel, -12.0)  # the control decides while physics is on
    assert car.get_wheel_steer_angle(wheels.FL_Wheel) == left
    car.set_simulate_physics(False)
    car.set_wheel_steer_direction(wheels.FL_Wheel, -12.5)
    car.set_wheel_pitch_angle(wheels.BR_Wheel, 40.0)
    assert car.get_wheel_steer_angle(wheels.FL_Wheel) == -12.5
    assert car.get_wheel_steer_angle(wheels.FR_Wheel) == 0.0
    assert car.get_wheel_pitch_angle(wheels.BR_Wheel) == 40.0
    assert car.get_wheel_pitch_angle(wheels.BL_Wheel) == 0.0
    car.set_simulate_physics(True)
    assert car.get_wheel_steer_angle(wheels.FL_Wheel) == left


def test_a_wheel_that_a_vehicle_lacks_is_an_error(world: Any, spawn: Spawn) -> None:
    bike = spawn("vehicle.kawasaki.ninja")
    tick(world)
    assert bike.get_wheel_steer_angle(carla.VehicleWheelLocation.Front_Wheel) == 0.0
    assert len(bike.get_physics_control().wheels) == len(bike.get_telemetry_data().wheels) == 2
    with pytest.raises(RuntimeError, match="wheel is 3, expected 0 to 1"):
        bike.get_wheel_steer_angle(carla.VehicleWheelLocation.BR_Wheel)


def test_doors_open_and_close(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    for door in carla.VehicleDoor.names.values():
        car.open_door(door)
        car.close_door(door)
    before = car.get_transform()
    tick(world, 2)
    assert car.get_transform() == before


def test_a_sound_vehicle_has_no_failure(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    assert car.get_failure_state() == carla.VehicleFailureState.NONE


# --- parts -----------------------------------------------------------------------------------------------------------


def test_a_vehicle_has_bones_where_its_wheels_are(world: Any, spawn: Spawn) -> None:
    car = spawn(yaw=90.0)
    tick(world)
    names, places = list(car.get_bone_names()), list(car.get_bone_world_transforms())
    assert names == [
        "Vehicle_Base",
        "Wheel_Front_Left",
        "Wheel_Front_Right",
        "Wheel_Rear_Left",
        "Wheel_Rear_Right",
    ]
    assert places == list(car.get_vehicle_bone_world_transforms()) == list(car.get_socket_world_transforms())
    assert list(car.get_socket_names()) == names
    assert places[0] == car.get_transform()
    wheels = car.get_physics_control().wheels
    for wheel, place in zip(wheels, places[1:], strict=True):
        assert xyz(place.location) == pytest.approx([0.01 * value for value in xyz(wheel.position)], abs=1e-4)
    relative = [xyz(place.location) for place in car.get_bone_relative_transforms()]
    assert relative == [xyz(place.location) for place in car.get_socket_relative_transforms()]
    assert relative[1] == pytest.approx((1.43, -0.85 * 0.91836, 0.35), abs=1e-3)


def test_components_have_names_and_places(world: Any, spawn: Spawn) -> None:
    car, cone = spawn(), spawn("static.prop.trafficcone01", x=STRAIGHT_X_M + 10.0)
    tick(world)
    assert car.get_component_names() == ["VehicleMesh", "VehicleBounds"]
    assert car.get_component_world_transform("VehicleMesh") == car.get_transform()
    box = car.get_component_relative_transform("VehicleBounds").location
    assert xyz(box) == xyz(car.bounding_box.location)
    place = car.get_component_world_transform("VehicleBounds").location
    assert place.z == pytest.approx(car.get_location().z + box.z)
    assert (len(cone.get_component_names()), cone.get_bone_names()) == (1, [])
    with pytest.raises(RuntimeError, match="Component could not be found"):
        car.get_component_world_transform("Trailer")


def test_a_walker_has_bones_too(world: Any, spawn: Spawn) -> None:
    walker = spawn("walker.pedestrian.0001", z=1.0)
    tick(world)
    names = walker.get_bone_names()
    assert "crl_root" in names
    assert [bone.name for bone in walker.get_bones().bone_transforms] == names
    assert len(walker.get_bone_world_transforms()) == len(walker.get_bone_relative_transforms()) == len(names)
