"""Blueprints, spawning, attaching, finding and destroying actors, one by one and in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import CAR, STRAIGHT_X_M, STRAIGHT_Y_M, attach, exists, tick, wait_until, xyz

Spawn = Callable[..., Any]


def _pose(x_m: float, yaw_deg: float = 0.0) -> Any:
    return carla.Transform(carla.Location(x_m, STRAIGHT_Y_M, 0.3), carla.Rotation(yaw=yaw_deg))


# --- blueprints ------------------------------------------------------------------------------------------------------


def test_blueprints_can_be_found_and_filtered(world: Any) -> None:
    library = world.get_blueprint_library()
    assert library.find(CAR).id == CAR
    assert set(library.find(CAR).tags) == {"vehicle", "lincoln", "mkz_2020"}
    assert len(library.filter("vehicle.*")) >= 10
    assert all(b.id.startswith("static.prop.") for b in library.filter("static.prop.*"))
    with pytest.raises(IndexError):
        library.find("vehicle.no.such")


def test_vehicle_attributes_have_the_types_that_scripts_read(world: Any) -> None:
    blueprint = world.get_blueprint_library().find(CAR)
    assert blueprint.get_attribute("number_of_wheels").as_int() == 4
    assert blueprint.get_attribute("base_type").as_str() == "car"
    assert blueprint.get_attribute("special_type").as_str() == ""
    assert blueprint.get_attribute("generation").as_int() == 2
    assert blueprint.get_attribute("has_lights").as_bool() is True
    assert blueprint.get_attribute("sticky_control").as_bool() is True
    assert blueprint.get_attribute("color").as_color() == carla.Color(0, 0, 0)
    assert blueprint.get_attribute("role_name").recommended_values == ["autopilot", "scenario", "ego_vehicle"]
    assert blueprint.get_attribute("role_name").is_modifiable
    assert not blueprint.get_attribute("number_of_wheels").is_modifiable


def test_attributes_reach_the_actor(world: Any, spawn: Spawn) -> None:
    car = spawn(role_name="hero", color="1,2,3")
    assert (car.attributes["role_name"], car.attributes["color"]) == ("hero", "1,2,3")
    assert car.attributes["base_type"] == "car"
    tick(world)
    assert world.get_actor(car.id).attributes["role_name"] == "hero"


# --- spawn and destroy -----------------------------------------------------------------------------------------------


def test_a_spawned_vehicle_is_where_it_was_put(world: Any, spawn: Spawn) -> None:
    car = spawn(yaw=5.0)
    assert (car.type_id, car.parent, list(car.semantic_tags)) == (CAR, None, [14])
    tick(world)
    assert xyz(car.get_location()) == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M, 0.0), abs=1e-3)
    assert car.get_transform().rotation.yaw == pytest.approx(5.0)
    box = car.bounding_box
    assert xyz(box.extent) == pytest.approx((2.4462, 0.9184, 0.7451), abs=1e-4)
    assert xyz(box.location) == pytest.approx((0.0, 0.0, 0.7451), abs=1e-4)


def test_a_place_that_is_taken_is_refused_in_carlas_words(world: Any, spawn: Spawn) -> None:
    first = spawn()
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    with pytest.raises(RuntimeError, match="Spawn failed because of collision at spawn position"):
        world.spawn_actor(blueprint, _pose(STRAIGHT_X_M + 4.0))
    assert world.try_spawn_actor(blueprint, _pose(STRAIGHT_X_M + 4.0)) is None
    assert world.try_spawn_actor(blueprint, _pose(STRAIGHT_X_M + 5.0)) is not None
    world.tick()  # a client destroys only what it has seen
    assert first.destroy()
    assert world.try_spawn_actor(blueprint, _pose(STRAIGHT_X_M)) is not None


def test_destroying_ends_an_actor_everywhere(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    assert car.destroy() is True
    tick(world)
    assert not car.is_alive
    assert not exists(world, car)
    assert car.id not in [actor.id for actor in world.get_actors()]


def test_actors_of_the_town_cannot_be_destroyed(world: Any) -> None:
    for type_id in ("spectator", "traffic.traffic_light", "traffic.stop"):
        actor = world.get_actors().filter(type_id)[0]
        assert actor.destroy() is False
        tick(world)
        assert exists(world, actor)


def test_ids_are_not_used_twice(world: Any, spawn: Spawn) -> None:
    seen = []
    for _ in range(5):
        actor = spawn()
        seen.append(actor.id)
        world.tick()
        assert actor.destroy()
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("coordinate", [1e30, -1e30, 3.0e38])
def test_a_place_beyond_the_world_is_brought_back_to_its_edge(world: Any, spawn: Spawn, coordinate: float) -> None:
    car = spawn(x=coordinate, y=coordinate, z=coordinate)
    other = spawn("vehicle.audi.tt")
    other.set_transform(carla.Transform(carla.Location(coordinate, 0.0, 0.0), carla.Rotation(yaw=coordinate)))
    tick(world, 2)
    assert abs(car.get_location().x) == abs(other.get_location().x) == 1e6
    assert abs(other.get_transform().rotation.yaw) <= 180.0


def test_not_a_number_is_refused(world: Any, spawn: Spawn) -> None:
    with pytest.raises(RuntimeError, match="rpc_error"):
        spawn(x=float("nan"))
    with pytest.raises(RuntimeError, match="rpc_error"):
        spawn(yaw=float("inf"))
    tick(world)


# --- attach ----------------------------------------------------------------------------------------------------------


def test_an_attached_actor_rides_with_its_parent(world: Any, spawn: Spawn) -> None:
    car = spawn(yaw=90.0)
    blueprint = world.get_blueprint_library().find("sensor.other.collision")
    offset = carla.Transform(carla.Location(2.0, 1.0, 1.5), carla.Rotation(yaw=30.0, pitch=-10.0))
    sensor = world.spawn_actor(blueprint, offset, attach_to=car)
    second = attach(world, "sensor.other.collision", sensor)
    assert sensor.parent.id == car.id
    for _ in range(2):
        tick(world)
        here, base = sensor.get_transform(), car.get_transform()
        expected = base.transform(carla.Location(2.0, 1.0, 1.5))
        assert xyz(here.location) == pytest.approx(xyz(expected), abs=1e-3)
        assert (here.rotation.yaw, here.rotation.pitch) == pytest.approx((120.0, -10.0), abs=1e-3)
        assert xyz(second.get_location()) == pytest.approx(xyz(here.location), abs=1e-3)
        car.set_location(carla.Location(600.0, STRAIGHT_Y_M, 0.0))


def test_the_pose_of_an_attached_actor_is_set_relative_to_its_parent(world: Any, spawn: Spawn) -> None:
    car = spawn()
    sensor = attach(world, "sensor.other.gnss", car)
    sensor.set_transform(carla.Transform(carla.Location(2.0, 0.0, 1.0), carla.Rotation(yaw=90.0)))
    tick(world)
    for step in range(2):
        if step:
            car.set_location(carla.Location(STRAIGHT_X_M + 30.0, STRAIGHT_Y_M, 0.0))
            sensor.set_location(carla.Location(3.0, 0.0, 1.0))
            tick(world)
        apart = sensor.get_location() - car.get_location()
        assert apart.dot(car.get_transform().get_forward_vector()) == pytest.approx(2.0 + step, abs=0.05)
        assert sensor.get_transform().rotation.yaw - car.get_transform().rotation.yaw == pytest.approx(90.0, abs=0.1)
    sensor.destroy()


def test_attaching_to_an_actor_that_is_gone_is_refused(world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    client_side = world.get_actor(car.id)
    car.destroy()
    blueprint = world.get_blueprint_library().find("sensor.other.collision")
    with pytest.raises(RuntimeError, match="parent actor not found"):
        world.spawn_actor(blueprint, carla.Transform(), attach_to=client_side)


def test_a_sensor_outlives_the_vehicle_it_rides_on(world: Any, spawn: Spawn) -> None:
    car = spawn()
    sensor = attach(world, "sensor.other.collision", car)
    second = attach(world, "sensor.other.collision", sensor)
    events: list[Any] = []
    sensor.listen(events.append)
    tick(world, 2)
    place = xyz(sensor.get_location())
    assert car.destroy()
    spawn()
    tick(world, 3)
    assert exists(world, sensor) and exists(world, second)
    assert xyz(sensor.get_location()) == place
    assert sensor.destroy() and second.destroy()
    tick(world)
    assert events == []


# --- finding ---------------------------------------------------------------------------------------------------------


def test_actors_can_be_listed_filtered_and_found(world: Any, spawn: Spawn) -> None:
    cars = [spawn(x=STRAIGHT_X_M + 10.0 * k) for k in range(3)]
    barrel = spawn("static.prop.barrel", x=STRAIGHT_X_M - 20.0)
    tick(world)
    actors = world.get_actors()
    assert {a.id for a in actors.filter("vehicle.*")} == {car.id for car in cars}
    assert [a.id for a in actors.filter("static.prop.barrel")] == [barrel.id]
    assert actors.find(barrel.id).type_id == "static.prop.barrel"
    assert {a.id for a in world.get_actors([cars[0].id, barrel.id, 4_000_000_000])} == {cars[0].id, barrel.id}
    assert world.get_actor(4_000_000_000) is None


def test_the_spectator_can_be_moved(world: Any) -> None:
    spectator = world.get_spectator()
    spectator.set_transform(carla.Transform(carla.Location(1.0, 2.0, 30.0), carla.Rotation(-80.0, 270.0, 0.0)))
    tick(world)
    pose = spectator.get_transform()
    assert xyz(pose.location) == (1.0, 2.0, 30.0)
    assert (pose.rotation.pitch, pose.rotation.yaw, pose.rotation.roll) == pytest.approx((-80.0, -90.0, 0.0), abs=1e-4)


# --- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_answers_every_command_for_itself(client: Any, world: Any, spawn: Spawn) -> None:
    library = world.get_blueprint_library()
    taken = spawn()
    answers = client.apply_batch_sync(
        [
            carla.command.SpawnActor(library.find("vehicle.audi.tt"), _pose(500.0)),
            carla.command.SpawnActor(library.find("vehicle.audi.tt"), _pose(STRAIGHT_X_M)),
            carla.command.DestroyActor(4_000_000_000),
            carla.command.DestroyActor(taken),
        ],
        False,
    )
    assert [answer.has_error() for answer in answers] == [False, True, True, False]
    assert "collision at spawn position" in answers[1].error
    assert "not found" in answers[2].error
    tick(world)
    assert world.get_actor(answers[0].actor_id).type_id == "vehicle.audi.tt"
    assert not exists(world, taken)


def test_commands_after_a_spawn_act_on_the_new_actor(client: Any, world: Any) -> None:
    library = world.get_blueprint_library()
    after = carla.command
    spawn = carla.command.SpawnActor(library.find(CAR), _pose(500.0))
    spawn = spawn.then(after.SetSimulatePhysics(after.FutureActor, True))
    spawn = spawn.then(after.ApplyTargetVelocity(after.FutureActor, carla.Vector3D(10.0, 0.0, 0.0)))
    # Both fail, and as in CARLA only the spawn is reported: a nested spawn is not told who its parent is to be.
    sensor = library.find("sensor.other.collision")
    spawn = spawn.then(after.SpawnActor(sensor, carla.Transform(), after.FutureActor))
    spawn = spawn.then(after.DestroyActor(4_000_000_000))
    (answer,) = client.apply_batch_sync([spawn], True)
    assert not answer.has_error()
    car = world.get_actor(answer.actor_id)
    assert car.get_velocity().x == pytest.approx(10.0, abs=0.1)
    assert len(world.get_actors().filter("sensor.other.collision")) == 0


def test_every_command_in_a_batch_does_what_its_call_does(client: Any, world: Any, spawn: Spawn) -> None:
    cars = [spawn(x=480.0 + 20.0 * k) for k in range(5)]
    tick(world)
    lights = carla.command.SetVehicleLightState(cars[4], carla.VehicleLightState.Position)
    frame = world.get_snapshot().frame
    answers = client.apply_batch_sync(
        [
            carla.command.ApplyVehicleControl(cars[0], carla.VehicleControl(throttle=1.0)),
            carla.command.ApplyTransform(cars[1], _pose(700.0, 3.0)),
            carla.command.ApplyTargetVelocity(cars[2], carla.Vector3D(5.0, 0.0, 0.0)),
            carla.command.ApplyTargetAngularVelocity(cars[3], carla.Vector3D(0.0, 0.0, 90.0)),
            lights,
            carla.command.SetSimulatePhysics(cars[4], False),
        ],
        True,
    )
    assert [answer.error for answer in answers if answer.has_error()] == []
    assert world.get_snapshot().frame == frame + 1
    assert cars[0].get_velocity().x == pytest.approx(7.6 * 0.05, rel=0.02)
    assert cars[1].get_location().x == pytest.approx(700.0)
    assert cars[2].get_velocity().x == pytest.approx(5.0, abs=0.1)
    assert cars[3].get_angular_velocity().z > 30.0
    assert cars[4].get_light_state() == carla.VehicleLightState.Position == lights.light_state


def test_an_asynchronous_batch_can_tick(client: Any, world: Any, spawn: Spawn) -> None:
    car = spawn()
    tick(world)
    frame = world.get_snapshot().frame
    client.apply_batch([carla.command.ApplyTransform(car, _pose(550.0))], True)
    wait_until(lambda: world.get_snapshot().frame == frame + 1, "the batch ticks")
    assert car.get_location().x == pytest.approx(550.0)
    client.apply_batch([carla.command.DestroyActor(car)])
    tick(world)
    assert world.get_snapshot().frame == frame + 2
    assert not exists(world, car)


def test_an_empty_batch_answers_with_nothing(client: Any, world: Any) -> None:
    assert client.apply_batch_sync([], False) == []


def test_the_world_has_room_for_a_limited_number_of_actors(client: Any, world: Any) -> None:
    library = world.get_blueprint_library()
    sensor = carla.command.SpawnActor(library.find("sensor.other.lane_invasion"), carla.Transform())
    answers = client.apply_batch_sync([sensor] * 5_003, False)
    refused = [answer.error for answer in answers if answer.has_error()]
    assert len(refused) == 3
    assert "the world holds 5000 actors" in refused[0]
    tick(world)
