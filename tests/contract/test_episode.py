"""Connecting, settings, maps, ticks and snapshots."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, TOWN, Server, tick, wait_until


def test_client_and_server_name_the_same_version(client: Any) -> None:
    assert client.get_server_version() == client.get_client_version() == "0.9.16"


def test_every_map_that_can_be_loaded_is_listed(client: Any) -> None:
    assert f"/Game/Carla/Maps/{TOWN}" in client.get_available_maps()


def test_an_episode_has_an_id_that_a_load_changes(client: Any, world: Any) -> None:
    again = client.get_world()
    assert again.id == world.id
    assert client.load_world(TOWN).id == world.id + 1


def test_a_new_episode_has_its_own_actors_with_new_ids(client: Any, world: Any) -> None:
    before = {actor.id for actor in world.get_actors()}
    world.spawn_actor(world.get_blueprint_library().find("static.prop.barrel"), carla.Transform())
    reloaded = client.reload_world()
    after = {actor.id for actor in reloaded.get_actors()}
    assert not before & after
    assert len(after) == len(before)  # the town's own actors; the barrel is gone


def test_reload_keeps_settings_only_when_told_to(client: Any, world: Any) -> None:
    assert client.reload_world(reset_settings=False).get_settings().synchronous_mode
    assert not client.reload_world(reset_settings=True).get_settings().synchronous_mode


@pytest.mark.parametrize("name", [TOWN, f"Carla/Maps/{TOWN}", f"/Game/Carla/Maps/{TOWN}"])
def test_a_town_answers_to_every_form_of_its_name(client: Any, world: Any, name: str) -> None:
    assert client.load_world(name).get_map().name == f"Carla/Maps/{TOWN}"


@pytest.mark.parametrize("name", ["Atlantis", "../../etc/passwd", "..", "Town\0", "x" * 4_000])
def test_an_unknown_map_is_refused_and_the_episode_goes_on(client: Any, world: Any, name: str) -> None:
    with pytest.raises(RuntimeError, match=r"^Map '"):
        client.load_world(name)
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1


def test_settings_come_back_as_they_were_applied(world: Any) -> None:
    wanted = carla.WorldSettings(
        synchronous_mode=True,
        no_rendering_mode=True,
        fixed_delta_seconds=0.1,
        substepping=False,
        max_substep_delta_time=0.02,
        max_substeps=5,
        max_culling_distance=50.0,
        deterministic_ragdolls=False,
        tile_stream_distance=1000.0,
        actor_active_distance=500.0,
        spectator_as_ego=False,
    )
    world.apply_settings(wanted)
    assert world.get_settings() == wanted
    world.tick()
    assert world.get_snapshot().timestamp.delta_seconds == pytest.approx(0.1)


@pytest.mark.parametrize("delta_s", [1e-9, 0.5, 1e9])
def test_a_tick_length_that_cannot_be_stepped_is_refused(world: Any, delta_s: float) -> None:
    settings = world.get_settings()
    settings.fixed_delta_seconds = delta_s
    with pytest.raises(RuntimeError, match=r"fixed_delta_seconds is .*, expected 0\.0001 to 0\.2"):
        world.apply_settings(settings)
    assert world.get_settings().fixed_delta_seconds == DT_S


@pytest.mark.parametrize("delta_s", [0.0, -1.0, None])
def test_no_tick_length_means_that_none_is_fixed(world: Any, delta_s: float | None) -> None:
    settings = world.get_settings()
    settings.fixed_delta_seconds = delta_s
    world.apply_settings(settings)
    assert world.get_settings().fixed_delta_seconds is None


def test_the_map_is_the_town_file_and_parses(world: Any, repository: Path) -> None:
    town = world.get_map()
    assert town.to_opendrive() == (repository / f"routes/towns/{TOWN}.xodr").read_text()
    assert len(town.get_topology()) > 50


def test_spawn_points_stand_on_driving_lanes_and_are_free(world: Any) -> None:
    points = world.get_map().get_spawn_points()
    assert len(points) > 100
    for point in points:
        waypoint = world.get_map().get_waypoint(point.location, project_to_road=False)
        assert waypoint is not None and waypoint.lane_type == carla.LaneType.Driving
        assert waypoint.transform.location.distance(point.location) < 0.35  # 0.3 m above the road
        assert abs((waypoint.transform.rotation.yaw - point.rotation.yaw + 180.0) % 360.0 - 180.0) < 1.0
    car = world.get_blueprint_library().find("vehicle.volkswagen.t2")
    assert all(world.try_spawn_actor(car, point) is not None for point in points)


# --- ticks and snapshots ---------------------------------------------------------------------------------------------


def test_a_tick_returns_the_frame_that_the_client_then_sees(world: Any) -> None:
    before = world.get_snapshot()
    for number in range(1, 4):
        assert world.tick() == before.frame + number
        now = world.get_snapshot()
        assert now.frame == before.frame + number
        assert now.timestamp.elapsed_seconds == pytest.approx(before.timestamp.elapsed_seconds + number * DT_S)
        assert now.timestamp.delta_seconds == pytest.approx(DT_S)
    assert now.timestamp.platform_timestamp == pytest.approx(time.time(), abs=5.0)


def test_a_snapshot_lists_every_actor(world: Any) -> None:
    vehicle = world.spawn_actor(
        world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()[0]
    )
    assert not world.get_snapshot().has_actor(vehicle.id)
    world.tick()
    snapshot = world.get_snapshot()
    assert {item.id for item in snapshot} == {actor.id for actor in world.get_actors()}
    assert snapshot.find(vehicle.id).get_transform() == vehicle.get_transform()
    assert snapshot.find(4_000_000_000) is None


def test_on_tick_and_wait_for_tick_see_the_tick(world: Any) -> None:
    seen: list[int] = []
    callback = world.on_tick(lambda snapshot: seen.append(snapshot.frame))
    frames = [world.tick() for _ in range(3)]
    wait_until(lambda: seen == frames, f"the callback saw {seen}, expected {frames}")
    world.remove_on_tick(callback)
    world.tick()

    waited: list[int] = []
    waiter = threading.Thread(target=lambda: waited.append(world.wait_for_tick(5.0).frame))
    waiter.start()
    frames = []
    while waiter.is_alive():
        frames.append(world.tick())
        time.sleep(0.01)
    assert waited[0] in frames
    assert len(seen) == 3


def test_in_asynchronous_mode_the_world_goes_by_itself(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, 0.02
    world.apply_settings(settings)
    first = world.wait_for_tick(5.0)
    second = world.wait_for_tick(5.0)
    assert second.frame > first.frame
    assert second.timestamp.delta_seconds == pytest.approx(0.02)
    wait_until(lambda: world.get_snapshot().frame >= first.frame + 10, "ten more frames")


def test_a_tick_cue_in_asynchronous_mode_is_accepted(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
    assert world.tick() > 0


def test_back_in_synchronous_mode_the_world_stands_still(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, None
    world.apply_settings(settings)
    world.wait_for_tick(5.0)
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    frame = world.get_snapshot().frame
    time.sleep(0.15)
    assert world.get_snapshot().frame == frame
    assert world.tick() == frame + 1


# --- several clients -------------------------------------------------------------------------------------------------


def test_a_second_client_sees_the_same_world(server: Server, world: Any) -> None:
    vehicle = world.spawn_actor(
        world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()[0]
    )
    frame = world.tick()
    other = server.client().get_world()
    wait_until(lambda: other.get_snapshot().frame == frame, "the other client has the frame")
    assert other.id == world.id
    seen = other.get_actor(vehicle.id)
    assert (seen.type_id, seen.get_transform()) == ("vehicle.audi.tt", vehicle.get_transform())
    assert seen.destroy()
    tick(world)
    assert not world.get_snapshot().has_actor(vehicle.id)
    assert vehicle.id not in [actor.id for actor in world.get_actors()]


def test_weather_comes_back_as_it_was_set(world: Any) -> None:
    values = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5, 13.5, 14.5]
    world.set_weather(carla.WeatherParameters(*values))
    weather = world.get_weather()
    assert [
        weather.cloudiness,
        weather.precipitation,
        weather.precipitation_deposits,
        weather.wind_intensity,
        weather.sun_azimuth_angle,
        weather.sun_altitude_angle,
        weather.fog_density,
        weather.fog_distance,
        weather.fog_falloff,
        weather.wetness,
        weather.scattering_intensity,
        weather.mie_scattering_scale,
        weather.rayleigh_scattering_scale,
        weather.dust_storm,
    ] == values
    world.set_weather(carla.WeatherParameters.HardRainSunset)
    assert world.get_weather() == carla.WeatherParameters.HardRainSunset


def test_debug_shapes_are_accepted(world: Any) -> None:
    here, there = carla.Location(0.0, 0.0, 1.0), carla.Location(5.0, 0.0, 1.0)
    world.debug.draw_point(here)
    world.debug.draw_line(here, there)
    world.debug.draw_arrow(here, there, life_time=1.0)
    world.debug.draw_box(carla.BoundingBox(here, carla.Vector3D(1.0, 1.0, 1.0)), carla.Rotation())
    world.debug.draw_string(here, "words", color=carla.Color(1, 2, 3))
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1
