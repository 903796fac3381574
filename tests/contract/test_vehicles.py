"""Driving, putting and pushing vehicles; their physics parameters and lights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, STRAIGHT_X_M, STRAIGHT_Y_M, tick, xyz

Spawn = Callable[..., Any]


def _drive(world: Any, car: Any, ticks: int, **control: Any) -> None:
    car.apply_control(carla.VehicleControl(**control))
    tick(world, ticks)


def test_throttle_drives_forward_and_brake_stops(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 20, throttle=1.0)
    assert 6.0 < car.get_velocity().x < 7.6
    assert car.get_location().x == pytest.approx(STRAIGHT_X_M + 3.5, abs=0.5)
    assert car.get_location().y == pytest.approx(STRAIGHT_Y_M, abs=1e-3)
    assert 5.0 < car.get_acceleration().x < 7.6
    speed_mps = car.get_velocity().x
    _drive(world, car, 1, brake=1.0)
    slowed_mps2 = (speed_mps - car.get_velocity().x) / DT_S
    assert slowed_mps2 == pytest.approx(7.6, rel=1e-3)
    assert car.get_acceleration().x == pytest.approx(-slowed_mps2, rel=1e-3)
    tick(world, 30)
    assert xyz(car.get_velocity()) == (0.0, 0.0, 0.0)
    place = car.get_transform()
    tick(world, 5)
    assert car.get_transform() == place


def test_reverse_drives_backwards(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 20, throttle=1.0, reverse=True)
    assert car.get_velocity().x < -1.0
    assert car.get_location().x < STRAIGHT_X_M - 0.5
    assert car.get_control().gear == -1


@pytest.mark.parametrize(("steer", "sign"), [(0.5, 1.0), (-0.5, -1.0)])
def test_steering_to_the_right_turns_clockwise(world: Any, spawn: Spawn, steer: float, sign: float) -> None:
    car = spawn()
    _drive(world, car, 20, throttle=0.5, steer=steer)
    assert sign * car.get_transform().rotation.yaw > 5.0
    assert sign * (car.get_location().y - STRAIGHT_Y_M) > 0.1
    assert sign * car.get_angular_velocity().z > 5.0


def test_the_control_in_force_can_be_read(world: Any, spawn: Spawn) -> None:
    car = spawn()
    control = carla.VehicleControl(0.25, -0.5, 0.125, True, True, True, 3)
    car.apply_control(control)
    world.tick()
    assert car.get_control() == control


def test_controls_outside_their_range_are_brought_into_it(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 1, throttle=7.0, steer=-3.0, brake=-1.0)
    control = car.get_control()
    assert (control.throttle, control.steer, control.brake) == (1.0, -1.0, 0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_control_that_is_no_number_counts_as_zero(world: Any, spawn: Spawn, value: float) -> None:
    car = spawn()
    _drive(world, car, 3, throttle=value, steer=value, brake=value)
    control = car.get_control()
    assert (control.throttle, control.steer, control.brake) == (0.0, 0.0, 0.0)
    assert all(math.isfinite(number) for number in xyz(car.get_location()))


def test_an_actor_can_be_put_anywhere(world: Any, spawn: Spawn) -> None:
    car = spawn()
    car.set_transform(carla.Transform(carla.Location(620.0, -181.0, 0.9), carla.Rotation(yaw=-170.0)))
    tick(world)
    assert xyz(car.get_location()) == pytest.approx((620.0, -181.0, 0.0), abs=1e-3)  # down on the road
    assert car.get_transform().rotation.yaw == pytest.approx(-170.0)
    car.set_location(carla.Location(630.0, -182.0, 0.0))
    tick(world)
    assert xyz(car.get_location()) == pytest.approx((630.0, -182.0, 0.0), abs=1e-3)
    assert car.get_transform().rotation.yaw == pytest.approx(-170.0)


def test_velocities_can_be_given(world: Any, spawn: Spawn) -> None:
    car = spawn(yaw=90.0)
    car.set_target_velocity(carla.Vector3D(0.0, 8.0, 0.0))
    tick(world)
    assert xyz(car.get_velocity()) == pytest.approx((0.0, 8.0, 0.0), abs=0.1)
    car.set_target_velocity(carla.Vector3D())
    car.set_target_angular_velocity(carla.Vector3D(0.0, 0.0, 90.0))
    tick(world)
    assert car.get_angular_velocity().z > 30.0
    assert car.get_transform().rotation.yaw > 91.0


def test_without_physics_a_vehicle_stays_where_it_is_put(world: Any, spawn: Spawn) -> None:
    car = spawn()
    car.set_simulate_physics(False)
    car.set_transform(carla.Transform(carla.Location(500.0, -184.0, 5.0), carla.Rotation(pitch=10.0)))
    _drive(world, car, 5, throttle=1.0)
    assert xyz(car.get_location()) == (500.0, -184.0, 5.0)
    assert car.get_transform().rotation.pitch == pytest.approx(10.0)
    car.set_simulate_physics(True)
    tick(world, 30)  # down on the road, and off
    assert car.get_location().x > 500.2
    assert car.get_location().z == pytest.approx(0.0, abs=1e-3)


def test_lights_of_a_vehicle_are_kept(world: Any, spawn: Spawn) -> None:
    cars = [spawn(), spawn(x=STRAIGHT_X_M + 10.0)]
    flags = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.LeftBlinker)
    cars[0].set_light_state(flags)
    tick(world)
    assert cars[0].get_light_state() == flags
    states = world.get_vehicles_light_states()
    assert {key: int(value) for key, value in states.items()} == {cars[0].id: int(flags), cars[1].id: 0}


def test_ground_speed_follows_the_published_table(world: Any, spawn: Spawn) -> None:
    car = spawn(x=440.0)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    speeds = []
    for _ in range(100):
        world.tick()
        speeds.append(car.get_velocity().x)
    gains = {round(a, 1): (b - a) / DT_S for a, b in itertools.pairwise(speeds)}
    for speed_mps, expected_mps2 in ((5.0, 6.2), (10.0, 5.0), (15.0, 3.9)):
        nearest = min(gains, key=lambda value, target=speed_mps: abs(value - target))
        assert gains[nearest] == pytest.approx(expected_mps2, rel=0.06)


# --- gears and hand brake --------------------------------------------------------------------------------------------


def test_a_gear_by_hand_is_kept_and_neutral_does_not_drive(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 10, throttle=1.0, manual_gear_shift=True, gear=0)
    assert car.get_velocity().x == 0.0 and car.get_control().gear == 0
    _drive(world, car, 10, throttle=1.0, manual_gear_shift=True, gear=3)
    in_third = car.get_velocity().x
    assert 0.3 < in_third < 2.5 and car.get_control().gear == 3
    _drive(world, car, 20, throttle=1.0)
    assert car.get_velocity().x > in_third + 5.0 and car.get_control().gear == 2


def test_a_negative_gear_drives_backwards(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 20, throttle=1.0, manual_gear_shift=True, gear=-1)
    assert car.get_velocity().x < -1.0
    control = car.get_control()
    assert control.reverse and control.gear == -1


def test_the_hand_brake_holds_a_car(world: Any, spawn: Spawn) -> None:
    car = spawn()
    _drive(world, car, 10, throttle=1.0, hand_brake=True)
    assert xyz(car.get_velocity()) == (0.0, 0.0, 0.0)
    _drive(world, car, 20, throttle=1.0)
    _drive(world, car, 40, hand_brake=True)
    assert xyz(car.get_velocity()) == (0.0, 0.0, 0.0)


# --- driving by targets ----------------------------------------------------------------------------------------------


def test_a_target_speed_and_angle_are_driven(world: Any, spawn: Spawn) -> None:
    car = spawn(x=440.0)
    car.apply_ackermann_control(carla.VehicleAckermannControl(speed=6.0))
    tick(world, 30)
    assert car.get_control().throttle > 0.1 and car.get_control().brake == 0.0  # what the controller does is shown
    tick(world, 250)
    assert car.get_velocity().x == pytest.approx(6.0, abs=0.3)
    car.apply_ackermann_control(carla.VehicleAckermannControl(steer=0.122, steer_speed=0.61, speed=6.0))
    tick(world, 2)
    assert math.radians(70.0) * car.get_control().steer == pytest.approx(2 * 0.61 * DT_S, rel=1e-3)
    tick(world, 4)
    assert car.get_control().steer == pytest.approx(0.122 / math.radians(70.0), rel=1e-3)
    assert car.get_transform().rotation.yaw > 1.0
    car.apply_control(carla.VehicleControl(brake=1.0))
    tick(world, 1)
    assert (car.get_control().throttle, car.get_control().steer, car.get_control().brake) == (0.0, 0.0, 1.0)


def test_a_negative_target_speed_backs_up(client: Any, world: Any, spawn: Spawn) -> None:
    car = spawn()
    target = carla.VehicleAckermannControl(speed=-2.0)
    answers = client.apply_batch_sync([carla.command.ApplyVehicleAckermannControl(car, target)], False)
    assert not answers[0].has_error()
    tick(world, 200)
    assert car.get_velocity().x == pytest.approx(-2.0, abs=0.4)
    assert car.get_control().reverse


def test_gains_of_the_controllers_start_as_in_carla_and_are_kept(world: Any, spawn: Spawn) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 10.0)
    tick(world)
    stock = carla.AckermannControllerSettings(0.15, 0.0, 0.25, 0.01, 0.0, 0.01)
    assert car.get_ackermann_controller_settings() == stock
    mine = carla.AckermannControllerSettings(0.2, 0.01, 0.3, 0.02, 0.03, 0.04)
    car.apply_ackermann_controller_settings(mine)
    assert car.get_ackermann_controller_settings() == mine
    assert other.get_ackermann_controller_settings() == stock


def test_a_target_that_makes_no_sense_leaves_a_car_in_this_world(world: Any, spawn: Spawn) -> None:
    car = spawn()
    for value in (float("nan"), float("inf"), -float("inf"), 3e38):
        car.apply_ackermann_controller_settings(carla.AckermannControllerSettings(*[value] * 6))
        car.apply_ackermann_control(carla.VehicleAckermannControl(*[value] * 5))
        tick(world, 10)
        control = car.get_control()
        assert 0.0 <= control.throttle <= 1.0 and -1.0 <= control.steer <= 1.0 and 0.0 <= control.brake <= 1.0
        assert all(math.isfinite(number) for number in (*xyz(car.get_location()), *xyz(car.get_velocity())))
