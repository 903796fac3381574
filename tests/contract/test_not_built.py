"""What this simulator does not have answers with the error that CARLA gives for a call it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

# Calls that wait for an answer.
REFUSED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "start_recorder": lambda client, world, car: client.start_recorder("log"),
    "show_recorder_file_info": lambda client, world, car: client.show_recorder_file_info("log", True),
    "replay_file": lambda client, world, car: client.replay_file("log", 0.0, 0.0, 0),
    "copy_opendrive_to_file": lambda client, world, car: client.generate_opendrive_world("<OpenDRIVE/>"),
    "request_file": lambda client, world, car: client.request_file("file"),
    "get_environment_objects": lambda client, world, car: world.get_environment_objects(),
    "get_all_level_BBs": lambda client, world, car: world.get_level_bbs(),
    "get_names_of_all_objects": lambda client, world, car: world.get_names_of_all_objects(),
    "cast_ray": lambda client, world, car: world.cast_ray(carla.Location(), carla.Location(1.0, 0.0, 0.0)),
    "project_point": lambda client, world, car: world.ground_projection(carla.Location(0.0, 0.0, 1.0), 5.0),
    "load_map_layer": lambda client, world, car: world.load_map_layer(carla.MapLayer.Buildings),
    "unload_map_layer": lambda client, world, car: world.unload_map_layer(carla.MapLayer.Buildings),
    "get_telemetry_data": lambda client, world, car: car.get_telemetry_data(),
    "get_ackermann_controller_settings": lambda client, world, car: car.get_ackermann_controller_settings(),
    "get_wheel_steer_angle": lambda client, world, car: car.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel),
    "set_actor_collisions": lambda client, world, car: car.set_collisions(False),
    "get_actor_component_names": lambda client, world, car: car.get_component_names(),
    "get_light_boxes": lambda client, world, car: world.get_actors().filter("*traffic_light*")[0].get_light_boxes(),
}

# Calls that the client sends without waiting, so no error can reach it: they do nothing here, and the log says so.
IGNORED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "stop_recorder": lambda client, world, car: client.stop_recorder(),
    "set_replayer_time_factor": lambda client, world, car: client.set_replayer_time_factor(2.0),
    "enable_environment_objects": lambda client, world, car: world.enable_environment_objects({1}, True),
    "set_actor_enable_gravity": lambda client, world, car: car.set_enable_gravity(False),
    "add_actor_impulse": lambda client, world, car: car.add_impulse(carla.Vector3D(1e4, 0.0, 0.0)),
    "add_actor_force": lambda client, world, car: car.add_force(carla.Vector3D(1e4, 0.0, 0.0)),
    "add_actor_angular_impulse": lambda client, world, car: car.add_torque(carla.Vector3D(0.0, 0.0, 1e4)),
    "enable_actor_constant_velocity": lambda client, world, car: car.enable_constant_velocity(carla.Vector3D(5, 0, 0)),
    "disable_actor_constant_velocity": lambda client, world, car: car.disable_constant_velocity(),
    "apply_ackermann_control_to_vehicle": lambda client, world, car: car.apply_ackermann_control(
        carla.VehicleAckermannControl(speed=5.0)
    ),
    "apply_physics_control": lambda client, world, car: car.apply_physics_control(carla.VehiclePhysicsControl()),
    "open_vehicle_door": lambda client, world, car: car.open_door(carla.VehicleDoor.All),
    "show_vehicle_debug_telemetry": lambda client, world, car: car.show_debug_telemetry(True),
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_call_that_is_not_built_raises(client: Any, world: Any, spawn: Callable[..., Any], call: str) -> None:
    car = spawn()
    with pytest.raises(RuntimeError, match=f"rpc_error during call in function {call}"):
        REFUSED[call](client, world, car)
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1


def test_calls_without_an_answer_do_nothing_and_are_logged(
    server: Any, client: Any, world: Any, spawn: Callable[..., Any]
) -> None:
    car = spawn()
    world.tick()
    before = car.get_transform()
    for call in IGNORED.values():
        call(client, world, car)
    for _ in range(5):
        world.tick()
    assert car.get_transform() == before
    log = server.log.read_text()
    assert [name for name in IGNORED if f"call {name} is not built" not in log] == []


def test_what_cannot_be_spawned_is_not_in_the_library(world: Any) -> None:
    library = world.get_blueprint_library()
    kinds = {blueprint.id.split(".")[0] for blueprint in library}
    assert kinds == {"vehicle", "static", "sensor"}
    assert {blueprint.id for blueprint in library.filter("sensor.*")} == {
        "sensor.other.collision",
        "sensor.other.lane_invasion",
    }
    assert len(library.filter("walker.*")) == len(library.filter("controller.*")) == 0


def test_batch_commands_that_are_not_built_answer_with_an_error_each(
    client: Any, world: Any, spawn: Callable[..., Any]
) -> None:
    car = spawn()
    vector = carla.Vector3D(1.0, 0.0, 0.0)
    commands = [
        carla.command.ApplyVehicleAckermannControl(car, carla.VehicleAckermannControl()),
        carla.command.ApplyWalkerControl(car, carla.WalkerControl()),
        carla.command.ApplyVehiclePhysicsControl(car, carla.VehiclePhysicsControl()),
        carla.command.ApplyWalkerState(car, carla.Transform(), 1.0),
        carla.command.ApplyImpulse(car, vector),
        carla.command.ApplyForce(car, vector),
        carla.command.ApplyAngularImpulse(car, vector),
        carla.command.ApplyTorque(car, vector),
        carla.command.SetEnableGravity(car, False),
    ]
    answers = client.apply_batch_sync([*commands, carla.command.ApplyTransform(car, carla.Transform())], False)
    assert [answer.has_error() for answer in answers] == [True] * len(commands) + [False]
    assert all("expected a command this server has" in answer.error for answer in answers[:-1])


def test_calls_about_things_that_towns_here_lack_answer_with_nothing(client: Any, world: Any) -> None:
    assert client.get_required_files("Nav") == []
    assert len(world.get_lightmanager().get_all_lights()) == 0
    assert world.get_random_location_from_navigation() is None
