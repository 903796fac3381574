"""Instruments and parts of a vehicle: they agree with its motion and with each other."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.sim.world.blueprints import LIBRARY
from harness.sim.world.telemetry import Telemetry, read_telemetry
from harness.sim.world.vehicle_parts import bone_names, bone_poses, component_poses, wheel_angles_deg, wheel_places
from harness.sim.world.vehicle_physics import set_physics, settings_of
from harness.sim.world.world import World

DT_S = 0.05
GRAVITY_MPS2 = 9.81

pytestmark = pytest.mark.level_road


def _car(world: World, type_id: str = "vehicle.lincoln.mkz_2020", speed_mps: float = 0.0) -> int:
    info = world.spawn(type_id, {}, (60.0, 1.75, 10.1, 0.0, 0.0, 0.0))
    row = world.table.row(info.id)
    assert row is not None
    world.step(DT_S)
    world.table.set_velocity(row, (speed_mps, 0.0, 0.0))
    return row


def _after(world: World, row: int, control: tuple[float, float, float], ticks: int = 2) -> Telemetry:
    world.table.control[row] = control
    for _ in range(ticks):
        world.step(DT_S)
    return read_telemetry(world.table, row)


@pytest.mark.parametrize(
    "control", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.6, 0.0), (0.2, -0.6, 0.1)]
)
@pytest.mark.parametrize("speed_mps", [0.0, 12.0])
def test_wheels_carry_the_car_and_push_it(world: World, speed_mps: float, control: tuple[float, float, float]) -> None:
    row = _car(world, speed_mps=speed_mps)
    told = _after(world, row, control)
    mass_kg, radius_m = world.table.mass_kg[row], 0.35
    assert (told.throttle, told.steer, told.brake) == control
    assert told.speed == world.table.along_mps[row] and told.gear == world.table.gear[row]
    assert sum(wheel.tire_load for wheel in told.wheels) == pytest.approx(mass_kg * GRAVITY_MPS2)
    assert all(wheel.tire_load > 0.0 for wheel in told.wheels)
    assert all(wheel.omega == pytest.approx(told.speed / radius_m) for wheel in told.wheels)
    assert all(wheel.torque == pytest.approx(wheel.long_force * radius_m) for wheel in told.wheels)
    ax, ay = world.table.kin[row, 12:14]
    yaw_rad = math.radians(world.table.kin[row, 4])
    along_mps2 = ax * math.cos(yaw_rad) + ay * math.sin(yaw_rad)
    assert sum(wheel.long_force for wheel in told.wheels) == pytest.approx(mass_kg * along_mps2 + told.drag, abs=1e-3)


def test_loads_shift_backwards_under_throttle_and_outwards_in_a_turn(world: World) -> None:
    row = _car(world)
    front_left, front_right, rear_left, rear_right = _after(world, row, (1.0, 0.0, 0.0)).wheels
    assert rear_left.tire_load == rear_right.tire_load > front_left.tire_load == front_right.tire_load
    assert rear_left.normalized_tire_load + front_left.normalized_tire_load == pytest.approx(2.0)
    world.table.set_velocity(row, (12.0, 0.0, 0.0))
    front_left, front_right, _, _ = _after(world, row, (0.3, 0.4, 0.0)).wheels
    assert front_left.tire_load > front_right.tire_load  # a turn to the right
    assert front_left.lat_force > 0.0


def test_the_engine_turns_with_wheels_and_gear(world: World) -> None:
    row = _car(world, speed_mps=6.0)
    told = _after(world, row, (0.2, 0.0, 0.0))
    assert told.gear == 1
    assert told.engine_rpm == pytest.approx(told.speed / 0.35 * 5.0 * 4.0 * 30.0 / math.pi)
    world.table.manual_gear_shift[row], world.table.gear[row] = True, 0
    assert _after(world, row, (0.5, 0.0, 0.0)).engine_rpm == pytest.approx(800.0 + 0.5 * 5000.0)


def test_a_hand_brake_locks_the_rear_wheels(world: World) -> None:
    row = _car(world, speed_mps=10.0)
    world.table.hand_brake[row] = True
    wheels = _after(world, row, (0.0, 0.0, 0.0)).wheels
    assert [wheel.omega > 0.0 for wheel in wheels] == [True, True, False, False]
    assert [wheel.long_slip for wheel in wheels] == [0.0, 0.0, -1.0, -1.0]


def test_drag_grows_with_the_square_of_the_speed_and_its_coefficient(world: World) -> None:
    row = _car(world, speed_mps=10.0)
    slow = _after(world, row, (0.0, 0.0, 0.0))
    world.table.set_velocity(row, (20.0, 0.0, 0.0))
    fast = _after(world, row, (0.0, 0.0, 0.0))
    assert fast.drag / slow.drag == pytest.approx((fast.speed / slow.speed) ** 2)
    assert 20.0 < slow.drag < 80.0


@pytest.mark.parametrize("type_id", [name for name in LIBRARY if name.startswith("vehicle.")])
def test_every_vehicle_has_all_its_parts(world: World, type_id: str) -> None:
    row = _car(world, type_id)
    count = int(world.table.info[int(world.table.ids[row])].attributes["number_of_wheels"])
    told = _after(world, row, (0.0, 0.3, 0.0))
    assert len(told.wheels) == len(wheel_places(world.table, row)) == len(wheel_angles_deg(world.table, row)) == count
    names, poses = bone_names(world.table, row), bone_poses(world.table, row)
    assert len(names) == len(set(names)) == len(poses) == count + 1
    assert sum(wheel.tire_load for wheel in told.wheels) == pytest.approx(world.table.mass_kg[row] * GRAVITY_MPS2)
    half_m = world.table.box_half_m[row]
    assert all(abs(x) < half_m[0] + 0.6 and abs(y) <= half_m[1] and z >= 0.0 for x, y, z, *_ in poses)
    assert component_poses(world.table, row)["VehicleBounds"][2] == world.table.box_centre_m[row, 2]


def test_the_wheel_inside_the_turn_turns_further(world: World) -> None:
    row = _car(world)
    world.table.control[row] = 0.0, 0.5, 0.0
    left, right, *rear = wheel_angles_deg(world.table, row)
    assert right == pytest.approx(35.0) and 20.0 < left < right and rear == [0.0, 0.0]
    places = wheel_places(world.table, row)
    centres_m = [2.86 / math.tan(math.radians(angle)) for angle in (left, right)]
    assert centres_m[0] - centres_m[1] == pytest.approx(places[1].y_m - places[0].y_m)  # one circle
    world.table.control[row] = 0.0, -0.5, 0.0
    assert wheel_angles_deg(world.table, row)[:2] == pytest.approx([-right, -left])
    world.table.control[row] = 0.0, 0.0, 0.0
    assert wheel_angles_deg(world.table, row) == [0.0] * 4


def test_wheels_follow_the_parameters(world: World) -> None:
    row = _car(world)
    physics = settings_of(world.table, row).physics
    wheels = tuple(wheel._replace(max_steer_angle=40.0, radius=50.0) for wheel in physics.wheels)
    set_physics(world.table, row, physics._replace(wheels=wheels, steering_curve=((0.0, 0.5),)))
    world.table.control[row] = 0.0, 1.0, 0.0
    assert wheel_angles_deg(world.table, row)[1] == pytest.approx(20.0)
    assert [place.z_m for place in wheel_places(world.table, row)] == [0.5] * 4


def test_without_physics_wheels_stand_as_they_were_set(world: World) -> None:
    row = _car(world)
    settings: Any = settings_of(world.table, row)
    settings.wheel_steer_deg[1], settings.wheel_pitch_deg[2] = 25.0, 90.0
    world.table.control[row] = 0.0, 1.0, 0.0
    assert wheel_angles_deg(world.table, row)[1] == pytest.approx(70.0)
    world.table.simulates_physics[row] = False
    assert wheel_angles_deg(world.table, row) == [0.0, 25.0, 0.0, 0.0]
    assert bone_poses(world.table, row)[3][3] == 90.0
