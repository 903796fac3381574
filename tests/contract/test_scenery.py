"""What clients ask about the town itself: its objects, rays, lamps, layers and drawing; and towns of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, STRAIGHT_X_M, STRAIGHT_Y_M, TOWN, tick, xyz

Spawn = Callable[..., Any]
Label = carla.CityObjectLabel


def _at(x_m: float, y_m: float, z_m: float = 0.0) -> Any:
    return carla.Location(x_m, y_m, z_m)


# --- objects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", [Label.Roads, Label.Sidewalks, Label.Poles, Label.TrafficLight, Label.TrafficSigns], ids=str
)
def test_the_objects_of_a_kind_have_boxes_where_they_are(world: Any, label: Any) -> None:
    objects = world.get_environment_objects(label)
    assert objects and {item.type for item in objects} == {label}
    boxes = world.get_level_bbs(label)
    assert [xyz(item.bounding_box.location) for item in objects] == [xyz(box.location) for box in boxes]
    for item, box in zip(objects, boxes, strict=True):
        assert xyz(item.transform.location) == xyz(box.location)
        assert min(xyz(box.extent)) > 0.0
        assert box.contains(box.location, carla.Transform())


def test_objects_have_one_name_and_one_id_each_that_stay(client: Any, world: Any) -> None:
    objects = world.get_environment_objects()
    assert len({item.id for item in objects}) == len({item.name for item in objects}) == len(objects)
    assert world.get_names_of_all_objects() == [item.name for item in objects]
    again = client.load_world(TOWN).get_environment_objects()
    assert [(item.id, item.name) for item in again] == [(item.id, item.name) for item in objects]


def test_what_a_town_file_does_not_have_is_no_object(world: Any) -> None:
    for label in (Label.Buildings, Label.Vegetation, Label.Car, Label.Fences):
        assert world.get_environment_objects(label) == []
        assert world.get_level_bbs(label) == []


def test_vehicles_of_clients_are_no_objects_of_the_level(world: Any, spawn: Spawn) -> None:
    before = len(world.get_level_bbs())
    spawn()
    tick(world)
    assert len(world.get_level_bbs()) == before


def test_the_boxes_of_a_light_are_where_the_light_is(world: Any) -> None:
    for light in world.get_actors().filter("traffic.traffic_light"):
        (box,) = light.get_light_boxes()
        place = light.get_location()
        assert (box.location.x, box.location.y) == pytest.approx((place.x, place.y), abs=0.01)
        assert 2.0 < box.location.z - place.z < 6.0
        assert xyz(box.location) in [xyz(other.location) for other in world.get_level_bbs(Label.TrafficLight)]


# --- rays ------------------------------------------------------------------------------------------------------------


def test_the_ground_is_found_below_a_place_and_named(world: Any) -> None:
    on_road = world.ground_projection(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 5.0), 10.0)
    assert on_road.label == Label.Roads
    assert xyz(on_road.location) == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M, 0.0), abs=1e-3)
    sidewalks = [box.location for box in world.get_level_bbs(Label.Sidewalks)]
    labels = {str(world.ground_projection(_at(place.x, place.y, 5.0), 10.0).label) for place in sidewalks}
    assert "Sidewalks" in labels
    assert world.ground_projection(_at(-500.0, -500.0, 5.0), 10.0).label == Label.Terrain


def test_a_projection_ends_where_it_is_told_to(world: Any) -> None:
    assert world.ground_projection(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 5.0), 4.9) is None
    assert world.ground_projection(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 5.0)) is not None
    up = world.project_point(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 5.0), carla.Vector3D(0.0, 0.0, 3.0), 100.0)
    nowhere = world.project_point(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 5.0), carla.Vector3D(), 100.0)
    assert up is None and nowhere is None


def test_every_spawn_point_stands_above_a_road(world: Any) -> None:
    for point in world.get_map().get_spawn_points()[:40]:
        below = world.ground_projection(point.location, 2.0)
        assert below.label == Label.Roads
        assert point.location.z - below.location.z == pytest.approx(0.3, abs=0.02)


def test_a_ray_lists_what_is_in_its_way_in_order(world: Any, spawn: Spawn) -> None:
    near, far = spawn(x=STRAIGHT_X_M + 10.0), spawn("static.prop.streetbarrier", x=STRAIGHT_X_M + 20.0, z=0.0)
    tick(world)
    points = world.cast_ray(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 1.0), _at(STRAIGHT_X_M + 60.0, STRAIGHT_Y_M, -1.0))
    assert [point.label for point in points] == [Label.Car, Label.Static, Label.Roads]
    expected = [
        near.get_location().x - near.bounding_box.extent.x,
        far.get_location().x - far.bounding_box.extent.x,
        STRAIGHT_X_M + 30.0,
    ]
    assert [point.location.x for point in points] == pytest.approx(expected, abs=0.1)
    assert world.cast_ray(_at(STRAIGHT_X_M, STRAIGHT_Y_M, 3.0), _at(STRAIGHT_X_M + 60.0, STRAIGHT_Y_M, 3.0)) == []


def test_what_is_switched_off_is_not_in_the_way_of_rays(client: Any, world: Any) -> None:
    pole = world.get_environment_objects(Label.Poles)[0]
    place = pole.transform.location

    def labels() -> list[str]:
        return [
            str(p.label) for p in world.cast_ray(_at(place.x - 1.0, place.y, 1.0), _at(place.x + 1.0, place.y, 1.0))
        ]

    assert labels() == ["Poles"]
    world.enable_environment_objects({pole.id}, False)
    assert labels() == []
    world.enable_environment_objects({pole.id}, True)
    assert labels() == ["Poles"]
    world.enable_environment_objects({pole.id}, False)
    world = client.reload_world(reset_settings=False)
    assert labels() == ["Poles"]  # a new episode has everything


# --- lamps, layers, drawing ------------------------------------------------------------------------------------------


def test_a_town_without_lamps_has_a_light_manager_that_works(world: Any) -> None:
    manager = world.get_lightmanager()
    for group in (carla.LightGroup.NONE, carla.LightGroup.Street, carla.LightGroup.Building):
        assert list(manager.get_all_lights(group)) == []
        assert list(manager.get_turned_on_lights(group)) == list(manager.get_turned_off_lights(group)) == []
    manager.turn_on([])
    manager.set_intensity([], 100.0)
    manager.set_day_night_cycle(False)
    tick(world, 2)


def test_map_layers_can_be_loaded_and_unloaded(client: Any, world: Any) -> None:
    before = len(world.get_environment_objects())
    world.unload_map_layer(carla.MapLayer.Buildings)
    world.load_map_layer(carla.MapLayer.All)
    assert len(world.get_environment_objects()) == before
    assert client.load_world(TOWN, map_layers=carla.MapLayer.NONE).get_map().name.endswith(TOWN)


def test_every_debug_shape_is_accepted_and_cleared(world: Any) -> None:
    here, there, box = _at(0.0, 0.0, 1.0), _at(5.0, 0.0, 1.0), carla.BoundingBox(_at(0.0, 0.0), carla.Vector3D(1, 1, 1))
    debug, colour = world.debug, carla.Color(1, 2, 3)
    debug.draw_point(here)
    debug.draw_line(here, there)
    debug.draw_arrow(here, there)
    debug.draw_box(box, carla.Rotation())
    debug.draw_string(here, "words", True, colour, 1.0, False)
    debug.draw_hud_point(here)
    debug.draw_hud_line(here, there)
    debug.draw_hud_arrow(here, there)
    debug.draw_hud_box(box, carla.Rotation())
    debug.clear_debug_shape()
    debug.clear_debug_string()
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1


def test_every_weather_of_the_client_survives(world: Any) -> None:
    presets = {
        name: value
        for name, value in vars(carla.WeatherParameters).items()
        if isinstance(value, carla.WeatherParameters)
    }
    assert len(presets) > 20
    for name, preset in presets.items():
        world.set_weather(preset)
        assert world.get_weather() == preset, name


# --- a town that a client brings -------------------------------------------------------------------------------------


def test_a_client_can_bring_its_own_town(client: Any, world: Any, repository: Path) -> None:
    text = (repository / f"routes/towns/{TOWN}.xodr").read_text().replace('"1015"', '"91015"')
    parameters = carla.OpendriveGenerationParameters(wall_height=1.0, max_road_length=500.0)
    brought = client.generate_opendrive_world(text, parameters)
    assert brought.get_map().name == "Carla/Maps/OpenDriveMap"
    assert brought.get_map().to_opendrive() == text
    assert "/Game/Carla/Maps/OpenDriveMap" in client.get_available_maps()
    settings = brought.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    brought.apply_settings(settings)
    point = brought.get_map().get_spawn_points()[0]
    car = brought.spawn_actor(brought.get_blueprint_library().find("vehicle.audi.tt"), point)
    tick(brought, 2)
    assert car.get_location().distance(point.location) < 0.5
    assert brought.get_traffic_light_from_opendrive_id("91015") is not None
    assert client.reload_world().get_map().name == "Carla/Maps/OpenDriveMap"


@pytest.mark.parametrize("text", ["words", '<OpenDRIVE><road id="1" length="nan" junction="-1"/></OpenDRIVE>'])
def test_a_text_that_is_no_town_is_refused_and_the_episode_goes_on(client: Any, world: Any, text: str) -> None:
    with pytest.raises(RuntimeError, match="town 'OpenDriveMap' cannot be read"):
        client.generate_opendrive_world(text)
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1
