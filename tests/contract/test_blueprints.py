"""The blueprint library as scripts written for CARLA read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

from harness.sim.world.blueprints import LIBRARY
from tests.contract.conftest import CAR, STRAIGHT_X_M, exists, tick, xyz

Spawn = Callable[..., Any]
# What the client's accessors give for each declared type, and which they are.
READERS: dict[Any, tuple[str, type]] = {
    carla.ActorAttributeType.Bool: ("as_bool", bool),
    carla.ActorAttributeType.Int: ("as_int", int),
    carla.ActorAttributeType.Float: ("as_float", float),
    carla.ActorAttributeType.String: ("as_str", str),
    carla.ActorAttributeType.RGBColor: ("as_color", carla.Color),
}
PARKED = "/Game/Carla/Static/Car/4Wheeled/ParkedVehicles/TeslaM3/SM_TeslaM3_parked.SM_TeslaM3_parked"
# Side of the field that a tree fits into [m].
_FIELD_M = 15.0


@pytest.fixture
def library(world: Any) -> Any:
    return world.get_blueprint_library()


def read(blueprint: Any, name: str) -> Any:
    """Return an attribute in its declared type."""
    attribute = blueprint.get_attribute(name)
    return getattr(attribute, READERS[attribute.type][0])()


def choose(library: Any, pattern: str, **wanted: Any) -> set[str]:
    """Return the ids that scenario frameworks choose from: those that match a pattern and have these attributes."""
    return {
        blueprint.id
        for blueprint in library.filter(pattern)
        if all(blueprint.has_attribute(name) and read(blueprint, name) == value for name, value in wanted.items())
    }


def test_the_client_sees_every_blueprint_once(library: Any) -> None:
    ids = [blueprint.id for blueprint in library]
    assert len(ids) == len(set(ids)) == len(LIBRARY)
    assert set(ids) == set(LIBRARY)
    assert all(set(blueprint.tags) == set(blueprint.id.split(".")) for blueprint in library)


def test_every_attribute_can_be_read_in_its_type(library: Any) -> None:
    for blueprint in library:
        for attribute in blueprint:
            name, kind = READERS[attribute.type]
            assert type(getattr(attribute, name)()) is kind, (blueprint.id, attribute.id)
            with pytest.raises(RuntimeError, match="bad attribute cast"):
                getattr(attribute, "as_bool" if kind is not bool else "as_int")()


def test_every_recommended_value_can_be_set(library: Any) -> None:
    for blueprint in library:
        for attribute in blueprint:
            for value in attribute.recommended_values:
                blueprint.set_attribute(attribute.id, value)
            assert bool(attribute.recommended_values) is attribute.is_modifiable
    with pytest.raises(ValueError, match="read-only attribute"):
        library.find(CAR).set_attribute("number_of_wheels", "3")


def test_patterns_and_attributes_filter(library: Any) -> None:
    assert len(library.filter("vehicle.*")) == len(library.filter("vehicle")) == 41
    assert {found.id for found in library.filter("*mkz*")} == {"vehicle.lincoln.mkz_2017", "vehicle.lincoln.mkz_2020"}
    assert len(library.filter("walker.pedestrian.*")) == 52
    assert len(library.filter("static.prop.*")) == 99 and len(library.filter("static.trigger.*")) == 1
    assert {found.id for found in library.filter("controller.*")} == {"controller.ai.walker"}
    assert {found.id.split(".")[0] for found in library.filter_by_attribute("generation", "2")} == {"vehicle", "walker"}
    two_wheels = library.filter_by_attribute("number_of_wheels", "2")
    assert {found.get_attribute("base_type").as_str() for found in two_wheels} == {"motorcycle", "bicycle"}
    assert [found.id for found in library.filter_by_attribute("special_type", "taxi")] == ["vehicle.ford.crown"]


def test_scenarios_find_the_vehicles_that_they_ask_for(library: Any) -> None:
    ordinary = choose(library, "vehicle.*", base_type="car", special_type="", has_lights=True)
    assert CAR in ordinary and "vehicle.ford.crown" not in ordinary and len(ordinary) == 5
    assert len(choose(library, "vehicle.*", base_type="car")) == 25
    assert choose(library, "vehicle.*.*", special_type="emergency") == {
        "vehicle.carlamotors.firetruck",
        "vehicle.dodge.charger_police",
        "vehicle.dodge.charger_police_2020",
        "vehicle.ford.ambulance",
    }
    doors = choose(library, "*vehicle.*", has_dynamic_doors=True, base_type="car")
    assert len(doors) == 7 and doors <= choose(library, "vehicle.*", generation=2)
    assert choose(library, "vehicle.*", base_type="bicycle", number_of_wheels=2) == {
        "vehicle.bh.crossbike",
        "vehicle.diamondback.century",
        "vehicle.gazelle.omafiets",
    }


def test_walkers_recommend_speeds_to_walk_and_to_run(library: Any) -> None:
    for walker in library.filter("walker.pedestrian.*"):
        standing, walking, running = (float(text) for text in walker.get_attribute("speed").recommended_values)
        assert standing == 0.0 < walking < running <= 4.0
        assert read(walker, "is_invincible") is True
        assert read(walker, "generation") in (1, 2, 3)
        choices = walker.get_attribute("use_wheelchair").recommended_values
        assert (len(choices) == 2) is read(walker, "can_use_wheelchair")
    assert {read(walker, "age") for walker in library.filter("walker.*")} == {"adult", "child", "teenager"}


def test_every_blueprint_can_be_spawned(client: Any, world: Any, library: Any) -> None:
    blueprints = [found for found in library if not found.id.startswith("controller.")]
    places = [(_FIELD_M * (k % 20), 5_000.0 + _FIELD_M * (k // 20)) for k in range(len(blueprints))]
    batch = [
        carla.command.SpawnActor(found, carla.Transform(carla.Location(x, y, 1.0)))
        for found, (x, y) in zip(blueprints, places, strict=True)
    ]
    answers = client.apply_batch_sync(batch, False)
    assert [answer.error for answer in answers if answer.error] == []
    tick(world)
    for actor in world.get_actors([answer.actor_id for answer in answers]):
        centre_m, half_m = LIBRARY[actor.type_id].box(actor.attributes)
        assert xyz(actor.bounding_box.extent) == pytest.approx(half_m, abs=1e-5), actor.type_id
        assert xyz(actor.bounding_box.location) == pytest.approx(centre_m, abs=1e-5), actor.type_id
        assert list(actor.semantic_tags) == [LIBRARY[actor.type_id].semantic_tag]
        assert {name: actor.attributes[name] for name in actor.attributes} == {
            attribute.id: attribute.value for attribute in LIBRARY[actor.type_id].attributes
        }


def test_trucks_and_bicycles_drive_and_cars_are_faster(world: Any, spawn: Spawn) -> None:
    models = ("vehicle.audi.tt", "vehicle.carlamotors.firetruck", "vehicle.gazelle.omafiets")
    actors = [spawn(model, x=STRAIGHT_X_M + 40.0 * k) for k, model in enumerate(models)]
    tick(world)
    for actor in actors:
        actor.apply_control(carla.VehicleControl(throttle=1.0))
    tick(world, 20)
    car, truck, bicycle = (actor.get_velocity().x for actor in actors)
    assert car > 2.0 * truck > 0.0 and car > 2.0 * bicycle > 0.0


def test_a_parked_car_is_a_mesh_that_one_can_hit(world: Any, spawn: Spawn) -> None:
    parked = spawn("static.prop.mesh", x=STRAIGHT_X_M + 10.0, z=0.0, mesh_path=PARKED, scale="0.9")
    assert xyz(parked.bounding_box.extent) == pytest.approx((0.9 * 2.3959, 0.9 * 1.0817, 0.9 * 0.7438), abs=1e-4)
    with pytest.raises(RuntimeError, match="collision at spawn position"):
        spawn(x=STRAIGHT_X_M + 8.0)
    with pytest.raises(RuntimeError, match="mesh 'SM_Castle' is not one this server knows"):
        spawn("static.prop.mesh", mesh_path="/Game/SM_Castle.SM_Castle")


def test_a_friction_trigger_makes_the_road_slippery(world: Any, spawn: Spawn) -> None:
    ice = {"friction": "0.35", "extent_x": "3000", "extent_y": "100", "extent_z": "100"}
    spawn("static.trigger.friction", x=STRAIGHT_X_M, z=0.0, **ice)
    cars = [spawn(x=STRAIGHT_X_M + x) for x in (-10.0, 60.0)]
    tick(world)
    for car in cars:
        car.set_target_velocity(carla.Vector3D(x=15.0))
        car.apply_control(carla.VehicleControl(brake=1.0))
    tick(world, 20)
    on_ice, on_road = (car.get_velocity().x for car in cars)
    assert on_ice > 13.5 and on_road < 8.5


def test_an_actor_without_a_body_stands_in_nobodys_way(world: Any, spawn: Spawn) -> None:
    types = ("util.actor.empty", "static.prop.mesh", "static.trigger.friction")
    markers = [spawn(type_id, x=STRAIGHT_X_M) for type_id in types]
    car = spawn()
    tick(world)
    car.set_target_velocity(carla.Vector3D(x=5.0))
    tick(world, 10)
    assert car.get_location().x > STRAIGHT_X_M + 2.0
    assert all(exists(world, marker) for marker in markers)
    assert xyz(markers[0].get_location()) == pytest.approx((STRAIGHT_X_M, car.get_location().y, 0.3), abs=0.2)
