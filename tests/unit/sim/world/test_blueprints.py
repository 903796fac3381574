"""The tables of what can be spawned: whole, consistent, and of the sizes that CARLA's models have."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drive.traffic import TRAFFIC_MODELS
from harness.errors import SimError
from harness.sim.world.blueprints import LIBRARY, Attribute, AttributeType, Blueprint
from harness.sim.world.blueprints.props import PROPS
from harness.sim.world.blueprints.sensors import SENSORS
from harness.sim.world.blueprints.vehicles import VEHICLES
from harness.sim.world.blueprints.walkers import WALKERS

PARKED = "/Game/Carla/Static/Car/4Wheeled/ParkedVehicles/Charger/SM_ChargerParked.SM_ChargerParked"
MESH = LIBRARY["static.prop.mesh"]
# Lengths, widths and heights as CARLA 0.9.16 reports them [m].
SIZES_M = {
    "vehicle.lincoln.mkz_2020": (4.8924, 1.8367, 1.4903),
    "vehicle.tesla.model3": (4.7918, 2.1635, 1.4877),
    "vehicle.carlamotors.firetruck": (8.4680, 2.8911, 3.8274),
    "vehicle.mitsubishi.fusorosa": (10.2727, 3.9442, 4.2528),
    "vehicle.bh.crossbike": (1.5093, 0.8659, 1.6124),
    "walker.pedestrian.0001": (0.3754, 0.3754, 1.86),
    "walker.pedestrian.0009": (0.5, 0.5, 1.1),
    "walker.pedestrian.0013": (0.3754, 0.3754, 1.3),
    "static.prop.container": (1.9318, 1.0124, 1.7142),
    "static.prop.trafficcone01": (0.8828, 0.8822, 1.1333),
    "static.prop.trafficwarning": (2.3734, 2.8706, 3.5695),
    "static.prop.foodcart": (2.2847, 4.6384, 3.5731),
    "static.prop.bike helmet": (0.1855, 0.2770, 0.1713),
}


def values(blueprint: Blueprint) -> dict[str, str]:
    return {attribute.id: attribute.value for attribute in blueprint.attributes}


def test_the_library_has_everything_once() -> None:
    assert len(LIBRARY) == len(VEHICLES) + len(WALKERS) + len(PROPS) + len(SENSORS)
    kinds = Counter(type_id.rsplit(".", 1)[0] for type_id in LIBRARY if not type_id.startswith("vehicle"))
    assert len(VEHICLES) == 41
    assert kinds == {
        "walker.pedestrian": 52,
        "controller.ai": 1,
        "static.prop": 99,
        "static.trigger": 1,
        "util.actor": 1,
        "sensor.other": 5,
    }


def is_readable(attribute: Attribute, value: str) -> bool:
    """Return whether the client's accessor of the declared type understands a value."""
    match attribute.type:
        case AttributeType.BOOL:
            return value in ("true", "false")
        case AttributeType.INT:
            return value.lstrip("-").isdecimal()
        case AttributeType.FLOAT:
            return (attribute.id, value) == ("mass", "") or math.isfinite(float(value))
        case AttributeType.RGB_COLOR:
            return [0 <= int(part) <= 255 for part in value.split(",")] == [True] * 3
        case AttributeType.STRING:
            return True


@pytest.mark.parametrize("blueprint", LIBRARY.values(), ids=LIBRARY)
def test_attributes_are_consistent(blueprint: Blueprint) -> None:
    ids = [attribute.id for attribute in blueprint.attributes]
    assert len(ids) == len(set(ids))
    assert {"role_name", "ros_name"} <= set(ids)
    for attribute in blueprint.attributes:
        assert all(is_readable(attribute, value) for value in (attribute.value, *attribute.recommended))
        # CARLA recommends something for all that can be set, its default first, and nothing else.
        assert attribute.recommended[:1] == ((attribute.value,) if attribute.is_modifiable else ())
        assert len(set(attribute.recommended)) == len(attribute.recommended)


def test_everything_but_sensors_and_markers_has_a_body() -> None:
    without = {name for name, blueprint in LIBRARY.items() if not all(half > 0.0 for half in blueprint.half_m)}
    sensors = {sensor.type_id for sensor in SENSORS}
    markers = {"controller.ai.walker", "util.actor.empty", "static.trigger.friction", "static.prop.mesh"}
    assert without == sensors | markers
    assert all(LIBRARY[name].half_m == (0.0, 0.0, 0.0) for name in without)


@pytest.mark.parametrize("type_id", SIZES_M)
def test_boxes_are_those_of_carla(type_id: str) -> None:
    assert [2.0 * half_m for half_m in LIBRARY[type_id].half_m] == pytest.approx(SIZES_M[type_id], abs=2e-4)


def test_walkers_have_their_origin_in_the_middle_and_all_else_on_the_ground() -> None:
    for blueprint in LIBRARY.values():
        (_, _, centre_z_m), half_m = blueprint.box(values(blueprint))
        is_centred = blueprint.type_id.startswith("walker.") or blueprint.is_area
        assert centre_z_m == (0.0 if is_centred else half_m[2])


@pytest.mark.parametrize("vehicle", VEHICLES, ids=lambda vehicle: vehicle.type_id)
def test_vehicles_are_plausible(vehicle: Blueprint) -> None:
    x_m, y_m, z_m = (2.0 * half_m for half_m in vehicle.half_m)
    assert 0.4 * x_m < vehicle.wheelbase_m < 0.8 * x_m
    # Bicycles are light for their size; nothing on wheels is as dense as water.
    assert 20.0 < vehicle.mass_kg / (x_m * y_m * z_m) < 300.0
    assert 0.2 < vehicle.response < 1.2
    wheels = {"bicycle": "2", "motorcycle": "2"}.get(values(vehicle)["base_type"])
    assert wheels is None or values(vehicle)["number_of_wheels"] == wheels


def test_classes_of_vehicles_are_those_of_the_catalogue() -> None:
    classes = Counter(values(vehicle)["base_type"] for vehicle in VEHICLES)
    assert classes == {"car": 25, "truck": 4, "van": 4, "bus": 1, "motorcycle": 4, "bicycle": 3}
    special = Counter(values(vehicle)["special_type"] for vehicle in VEHICLES)
    assert special == {"": 31, "emergency": 4, "taxi": 1, "electric": 5}
    assert Counter(values(vehicle)["generation"] for vehicle in VEHICLES) == {"1": 27, "2": 14}
    doors = [vehicle for vehicle in VEHICLES if values(vehicle)["has_dynamic_doors"] == "true"]
    assert len(doors) == 11 and all(values(vehicle)["has_lights"] == "true" for vehicle in doors)


def test_traffic_is_made_of_cars_that_there_are() -> None:
    assert len(TRAFFIC_MODELS) == 18
    assert {values(LIBRARY[name])["base_type"] for name in TRAFFIC_MODELS} == {"car"}


# --- meshes ----------------------------------------------------------------------------------------------------------


def test_a_mesh_has_the_size_of_what_it_shows() -> None:
    centre_m, half_m = MESH.box({"mesh_path": PARKED, "scale": "1.0"})
    assert half_m == (2.5039, 0.9408, 0.7674)
    assert centre_m == (0.0, 0.0, 0.7674)


@pytest.mark.parametrize("scale", ["0.9", "0.9f"])
def test_a_mesh_can_be_scaled(scale: str) -> None:
    centre_m, half_m = MESH.box({"mesh_path": PARKED, "scale": scale})
    assert half_m == pytest.approx((0.9 * 2.5039, 0.9 * 0.9408, 0.9 * 0.7674))
    assert centre_m[2] == half_m[2]


def test_without_a_mesh_there_is_no_body() -> None:
    assert MESH.box(values(MESH)) == MESH.box({}) == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_an_area_is_as_large_as_a_client_says() -> None:
    area = LIBRARY["static.trigger.friction"]
    assert area.box(values(area) | {"extent_x": "700.0f"}) == ((0.0, 0.0, 0.0), (7.0, 0.01, 0.01))


def test_an_unknown_mesh_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        SimError, match=r"mesh 'SM_Castle' is not one this server knows: SM_ChargerParked, .*SM_TeslaM3"
    ):
        MESH.box({"mesh_path": "/Game/Castle/SM_Castle.SM_Castle"})


@given(st.one_of(st.text(), st.floats().map(str), st.sampled_from(["nan", "-1", "0", "inf", "1e300", "ff"])))
def test_any_scale_gives_a_body_or_an_error(scale: str) -> None:
    try:
        _, half_m = MESH.box({"mesh_path": PARKED, "scale": scale})
    except SimError as error:
        assert "expected a number in (0, 100]" in error.message
    else:
        assert all(0.0 < half <= 100.0 * 2.5039 for half in half_m)
