"""Pushing, dropping and holding actors, and switching what acts on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, STRAIGHT_X_M, STRAIGHT_Y_M, tick, xyz
from tests.unit.sim.conftest import SLOPED_ROAD

Spawn = Callable[..., Any]
CONE = "static.prop.trafficcone01"


# --- falling ---------------------------------------------------------------------------------------------------------


def test_a_vehicle_high_above_the_road_falls_onto_it(world: Any, spawn: Spawn) -> None:
    car = spawn(z=3.0)
    heights_m = []
    for _ in range(20):
        world.tick()
        heights_m.append(car.get_location().z)
    falls = [before - after for before, after in itertools.pairwise(heights_m) if after > 0.0]
    assert len(falls) > 10
    assert [b - a for a, b in itertools.pairwise(falls)] == pytest.approx([9.81 * DT_S**2] * (len(falls) - 1), abs=1e-3)
    assert heights_m[-1] == pytest.approx(0.0, abs=1e-3)
    assert car.get_velocity().z == pytest.approx(0.0, abs=1e-3)


def test_gravity_can_be_taken_away(client: Any, world: Any, spawn: Spawn) -> None:
    cars = [spawn(z=2.0), spawn(x=STRAIGHT_X_M + 10.0, z=2.0)]
    cars[0].set_enable_gravity(False)
    client.apply_batch_sync([carla.command.SetEnableGravity(cars[1], False)], False)
    tick(world, 10)
    assert [car.get_location().z for car in cars] == [2.0, 2.0]
    for car in cars:
        car.set_enable_gravity(True)
    tick(world, 20)
    assert [car.get_location().z for car in cars] == pytest.approx([0.0, 0.0], abs=1e-3)


def test_a_prop_moves_only_with_physics(world: Any, spawn: Spawn) -> None:
    cone = spawn(CONE, z=3.0)
    cone.set_target_velocity(carla.Vector3D(4.0, 0.0, 0.0))
    tick(world, 5)
    assert xyz(cone.get_location()) == (STRAIGHT_X_M, STRAIGHT_Y_M, 3.0)
    cone.set_simulate_physics(True)
    tick(world, 30)
    assert xyz(cone.get_location()) == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M, 0.0), abs=1e-3)
    cone.set_target_velocity(carla.Vector3D(4.0, 0.0, 0.0))
    tick(world, 40)
    assert cone.get_location().x - STRAIGHT_X_M == pytest.approx(4.0**2 / (2.0 * 5.0), abs=0.2)
    assert xyz(cone.get_velocity()) == (0.0, 0.0, 0.0)


def test_a_prop_whose_mass_is_named_moves_from_the_start(world: Any, spawn: Spawn) -> None:
    parked = spawn("static.prop.mesh", z=2.0, mesh_path="/Game/Carla/SM_ChargerParked", mass="1500")
    still = spawn("static.prop.mesh", x=STRAIGHT_X_M + 10.0, z=2.0, mesh_path="/Game/Carla/SM_ChargerParked")
    tick(world, 30)
    assert parked.get_location().z == pytest.approx(0.0, abs=1e-3)
    assert still.get_location().z == 2.0


# --- pushes ----------------------------------------------------------------------------------------------------------


def test_impulses_and_forces_push_by_calls_and_batches(client: Any, world: Any, spawn: Spawn) -> None:
    cars = [spawn(x=STRAIGHT_X_M + 15.0 * k) for k in range(4)]
    tick(world)
    push, force = carla.Vector3D(0.0, 1800.0 * 3.0, 0.0), carla.Vector3D(0.0, 1800.0 * 3.0 / DT_S, 0.0)
    cars[0].add_impulse(push)
    cars[1].add_force(force)
    client.apply_batch_sync([carla.command.ApplyImpulse(cars[2], push), carla.command.ApplyForce(cars[3], force)], True)
    speeds = [car.get_velocity().y for car in cars]
    assert speeds == pytest.approx([3.0 - 12.0 * DT_S] * 4, abs=0.3)  # the tyres hold against it
    tick(world, 20)
    assert all(car.get_velocity().y == pytest.approx(0.0, abs=0.05) for car in cars)
    assert all(0.3 < car.get_location().y - STRAIGHT_Y_M < 0.8 for car in cars)


def test_turning_pushes_have_carlas_unit(client: Any, world: Any, spawn: Spawn) -> None:
    cars = [spawn(x=STRAIGHT_X_M + 15.0 * k) for k in range(5)]
    tick(world)
    # Degrees and square centimetres: 4.1e9 is 7.2e3 N m s, on 4.1e3 kg m^2.
    turn = carla.Vector3D(0.0, 0.0, 4.1e9)
    cars[0].add_angular_impulse(turn)
    cars[1].add_torque(turn)  # this client sends it as an angular impulse
    client.apply_batch_sync(
        [carla.command.ApplyAngularImpulse(cars[2], turn), carla.command.ApplyTorque(cars[3], turn / DT_S)], True
    )
    spins = [car.get_angular_velocity().z for car in cars]
    assert spins[4] == 0.0 and 40.0 < spins[0] < 110.0
    assert spins[1:4] == pytest.approx([spins[0]] * 3, rel=0.01)


def test_a_push_upwards_throws(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    car.add_impulse(carla.Vector3D(0.0, 0.0, 1800.0 * 6.0))
    heights_m = []
    for _ in range(30):
        world.tick()
        heights_m.append(car.get_location().z)
    assert max(heights_m) == pytest.approx(6.0**2 / (2.0 * 9.81), abs=0.2)
    assert heights_m[-1] == pytest.approx(0.0, abs=1e-3)


# --- kept velocities and collisions ----------------------------------------------------------------------------------


def test_a_constant_velocity_is_in_the_frame_of_the_car_whatever_its_control_says(world: Any, spawn: Spawn) -> None:
    car = spawn(yaw=90.0, x=STRAIGHT_X_M, y=-190.0)
    car.enable_constant_velocity(carla.Vector3D(5.0, 0.0, 0.0))
    car.apply_control(carla.VehicleControl(brake=1.0, hand_brake=True))
    tick(world, 10)
    assert xyz(car.get_velocity()) == pytest.approx((0.0, 5.0, 0.0), abs=1e-3)
    assert car.get_location().y == pytest.approx(-190.0 + 2.5, abs=1e-2)
    car.disable_constant_velocity()
    tick(world, 20)
    assert xyz(car.get_velocity()) == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)


def test_without_collisions_things_pass_through_each_other(world: Any, spawn: Spawn, listen: Any) -> None:
    car, barrier = spawn(), spawn("static.prop.streetbarrier", x=STRAIGHT_X_M + 8.0, z=0.0)
    events = listen(car)
    barrier.set_collisions(False)
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    tick(world, 40)
    assert car.get_location().x > STRAIGHT_X_M + 12.0
    assert events == []
    barrier.set_collisions(True)
    car.set_transform(carla.Transform(carla.Location(STRAIGHT_X_M, STRAIGHT_Y_M, 0.0)))
    tick(world, 40)
    assert car.get_location().x < STRAIGHT_X_M + 8.0
    assert events


def test_calls_on_unknown_actors_harm_nobody(world: Any, spawn: Spawn) -> None:
    car, walker = spawn(), spawn("walker.pedestrian.0001", x=STRAIGHT_X_M + 20.0, z=1.0)
    walker.enable_constant_velocity(carla.Vector3D(1.0, 0.0, 0.0))  # vehicles alone can
    world.get_spectator().add_impulse(carla.Vector3D(1e9, 0.0, 0.0))
    world.get_spectator().set_enable_gravity(False)
    for push in (car.add_impulse, car.add_force, car.add_torque, car.add_angular_impulse):
        push(carla.Vector3D(3e38, -3e38, 3e38))
    tick(world, 3)
    assert all(abs(value) < 1e7 for value in (*xyz(car.get_location()), *xyz(car.get_velocity())))
    assert xyz(world.get_spectator().get_location()) == (0.0, 0.0, 10.0)


# --- sleep -----------------------------------------------------------------------------------------------------------


def test_in_a_large_town_what_is_far_from_the_hero_sleeps(client: Any) -> None:
    road = SLOPED_ROAD.replace('"200.0"', '"2500.0"').replace('b="0.05"', 'b="0"')
    world = client.generate_opendrive_world(road)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    settings.actor_active_distance = 500.0
    world.apply_settings(settings)

    def put(x_m: float, role: str) -> Any:
        blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
        blueprint.set_attribute("role_name", role)
        return world.spawn_actor(blueprint, carla.Transform(carla.Location(x_m, 1.75, 10.3)))

    hero, near, far = put(100.0, "hero"), put(300.0, "scenario"), put(1500.0, "scenario")
    for car in (near, far):
        car.apply_control(carla.VehicleControl(throttle=1.0))
    tick(world, 20)
    assert [car.is_dormant for car in (hero, near, far)] == [False, False, True]
    assert [car.is_active for car in (hero, near, far)] == [True, True, False]
    assert near.get_location().x > 301.0 and far.get_location().x == 1500.0
    hero.set_location(carla.Location(1200.0, 1.75, 10.3))
    tick(world, 20)
    assert [car.is_dormant for car in (hero, near, far)] == [False, True, False]
    assert far.get_location().x > 1501.0
