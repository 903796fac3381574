"""Calls that few programs make: snapshots in detail, the map's own searches, states and lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, TOWN, Server, attach

Spawn = Callable[..., Any]


def test_a_snapshot_knows_its_time(world: Any) -> None:
    first = world.get_snapshot()
    frame = world.tick()
    second = world.get_snapshot()
    assert second.frame == second.frame_count == frame
    assert second.elapsed_seconds - first.elapsed_seconds == pytest.approx(DT_S)
    assert second.delta_seconds == pytest.approx(DT_S)
    assert second.platform_timestamp > first.platform_timestamp > 0.0
    assert second.id == first.id == world.id


def test_a_snapshot_shows_how_an_actor_turns_and_speeds_up(world: Any, spawn: Spawn) -> None:
    car = spawn()
    car.apply_control(carla.VehicleControl(throttle=1.0, steer=0.5))
    for _ in range(20):
        world.tick()
    seen = world.get_snapshot().find(car.id)
    assert seen.get_acceleration() == car.get_acceleration()
    assert seen.get_angular_velocity() == car.get_angular_velocity()
    assert seen.get_acceleration().length() > 1.0
    assert seen.get_angular_velocity().z > 1.0


def test_an_actor_knows_its_world_and_its_state(world: Any, spawn: Spawn) -> None:
    car = spawn()
    world.tick()
    assert car.get_world().id == world.id
    assert car.actor_state == carla.ActorState.Active


def test_blueprints_know_their_tags(world: Any) -> None:
    car = world.get_blueprint_library().find("vehicle.tesla.model3")
    assert car.has_tag("tesla") and not car.has_tag("audi")
    assert car.match_tags("*model3") and not car.match_tags("walker.*")


def test_the_state_of_a_light_is_an_attribute_too(world: Any) -> None:
    light = world.get_actors().filter("traffic.traffic_light")[0]
    light.set_state(carla.TrafficLightState.Yellow)
    world.tick()
    assert light.state == light.get_state() == carla.TrafficLightState.Yellow


def test_a_sensor_can_be_told_to_ignore_vehicles(world: Any, spawn: Spawn) -> None:
    car = spawn()
    sensor = attach(world, "sensor.other.obstacle", car)
    sensor.set_ignored_vehicles([car.id])
    world.tick()
    assert sensor.is_alive


def test_the_world_is_loaded_only_if_it_is_another(client: Any, world: Any) -> None:
    episode = world.id
    client.load_world_if_different(TOWN)
    world.tick()
    assert client.get_world().id == episode


def test_a_client_can_keep_its_files_elsewhere(server: Server, tmp_path: Path) -> None:
    client = server.client()
    client.set_files_base_folder(str(tmp_path))
    (name,) = client.get_required_files("Nav", True)
    assert (tmp_path / "carlaCache").is_dir() or list(tmp_path.rglob(Path(name).name))


def test_the_map_finds_its_landmarks(world: Any, tmp_path: Path) -> None:
    town = world.get_map()
    everything = town.get_all_landmarks()
    lights = town.get_all_landmarks_of_type("1000001")
    assert len(everything) > len(lights) > 0
    (same, *_) = town.get_all_landmarks_from_id(lights[0].id)
    assert same.id == lights[0].id
    assert {found.id for found in town.get_landmark_group(lights[0])} >= {lights[0].id}
    assert world.get_traffic_light(lights[0]).get_opendrive_id() == lights[0].id
    town.save_to_disk(str(tmp_path / "town.xodr"))
    assert (tmp_path / "town.xodr").read_text().strip() == town.to_opendrive().strip()


def test_the_map_finds_its_road_marks(world: Any) -> None:
    town = world.get_map()
    marks = town.get_all_road_marks()
    assert list(town.get_all_road_marks_of_type("no such type")) == []
    assert len(town.get_road_marks_from_id("no such id")) == 0 <= len(marks)


def test_a_map_can_be_prepared_for_the_traffic_manager(world: Any, tmp_path: Path) -> None:
    world.get_map().cook_in_memory_map(str(tmp_path / "town.bin"))
    assert (tmp_path / "town.bin").stat().st_size > 10_000


def test_a_place_on_earth_leads_back_to_the_place_in_the_town(world: Any) -> None:
    town = world.get_map()
    place = town.get_spawn_points()[3].location
    back = town.geolocation_to_transform(town.transform_to_geolocation(place))
    assert back.distance(place) < 0.5


def test_calls_on_no_lights_change_nothing(world: Any) -> None:
    manager = world.get_lightmanager()
    manager.turn_off([])
    manager.set_active([], [])
    manager.set_color([], carla.Color(1, 2, 3))
    manager.set_colors([], [])
    manager.set_intensity([], 3.0)
    manager.set_intensities([], [])
    manager.set_light_group([], carla.LightGroup.Street)
    manager.set_light_groups([], [])
    manager.set_light_state([], carla.LightState())
    manager.set_light_states([], [])
    found = [ask([]) for ask in (manager.is_active, manager.get_color, manager.get_intensity)]
    found += [ask([]) for ask in (manager.get_light_group, manager.get_light_state)]
    assert [list(answer) for answer in found] == [[]] * 5
    world.tick()


def test_a_sensor_cannot_speak_ros(server: Server, world: Any, spawn: Spawn) -> None:
    sensor = attach(world, "sensor.other.obstacle", spawn())
    assert not sensor.is_enabled_for_ros()
    sensor.enable_for_ros()
    sensor.disable_for_ros()
    world.tick()
    log = server.log.read_text()
    assert "call enable_sensor_for_ros was refused: " in log
    assert "call disable_sensor_for_ros was refused: " in log


@pytest.mark.parametrize("count", ["object", "objects"])
def test_nothing_can_be_painted(world: Any, count: str) -> None:
    name: Any = "Road_0_0" if count == "object" else ["Road_0_0"]
    diffuse, plain, exact = carla.MaterialParameter.Diffuse, carla.TextureColor(4, 4), carla.TextureFloatColor(4, 4)
    with pytest.raises(RuntimeError, match="textures are not built"):
        getattr(world, f"apply_color_texture_to_{count}")(name, diffuse, plain)
    with pytest.raises(RuntimeError, match="textures are not built"):
        getattr(world, f"apply_float_color_texture_to_{count}")(name, diffuse, exact)
    with pytest.raises(RuntimeError, match="textures are not built"):
        getattr(world, f"apply_textures_to_{count}")(name, plain, exact, exact, exact)


@pytest.mark.parametrize("call", ["enable_carsim", "use_carsim_road", "enable_chrono_physics", "restore_physx_physics"])
def test_other_physics_engines_are_refused_in_the_log(server: Server, world: Any, spawn: Spawn, call: str) -> None:
    car = spawn()
    arguments: dict[str, tuple[Any, ...]] = {
        "enable_carsim": ("file.sim",),
        "use_carsim_road": (True,),
        "enable_chrono_physics": (5000, 0.002, "vehicle.json", "powertrain.json", "tires.json", "folder/"),
        "restore_physx_physics": (),
    }
    getattr(car, call)(*arguments[call])
    world.tick()
    assert f"call {call} is not built in this simulator" in server.log.read_text()
    assert car.is_alive
