"""What can be spawned: vehicles, props and sensors that really work here. What is not built is not in the library.

Box sizes are those of CARLA's models (half sizes as `actor.bounding_box.extent` reports them), masses are documented
kerb weights of the cars. Acceleration is relative to the reference car of `vehicle_dynamics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class AttributeType(IntEnum):
    """CARLA's ActorAttributeType; no attribute here is a FLOAT (3)."""

    BOOL = 1
    INT = 2
    STRING = 4
    RGB_COLOR = 5


class SemanticTag(IntEnum):
    """CARLA's CityObjectLabel, as far as anything here carries it."""

    NONE = 0
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    CAR = 14
    STATIC = 20


@dataclass(frozen=True)
class Attribute:
    """An attribute of a blueprint."""

    id: str
    type: AttributeType
    value: str
    recommended: tuple[str, ...] = ()
    is_modifiable: bool = True


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Something that can be spawned.

    Attributes:
        half_m: half sizes of the bounding box.
        centre_z_m: height of the box centre above the actor's origin, which lies on the road.
    """

    type_id: str
    attributes: tuple[Attribute, ...]
    half_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre_z_m: float = 0.0
    mass_kg: float = 0.0
    wheelbase_m: float = 0.0
    response: float = 1.0
    semantic_tag: SemanticTag = SemanticTag.NONE

    @property
    def tags(self) -> str:
        """The words of the id, comma separated, as CARLA lists them."""
        return ",".join(self.type_id.split("."))


# type id: (half sizes [m], mass [kg], wheelbase [m], response, base type, generation, colours)
_WHITE, _BLACK, _RED, _BLUE = "255,255,255", "10,10,10", "150,10,10", "20,40,120"
_VEHICLES: dict[str, tuple[tuple[float, float, float], float, float, float, str, str]] = {
    "vehicle.audi.a2": ((1.8527, 0.8943, 0.7745), 1030.0, 2.405, 0.80, "car", "1"),
    "vehicle.audi.etron": ((2.4279, 1.0164, 0.8247), 2490.0, 2.928, 1.00, "car", "1"),
    "vehicle.audi.tt": ((2.0906, 0.9971, 0.6926), 1335.0, 2.505, 1.05, "car", "1"),
    "vehicle.bmw.grandtourer": ((2.3056, 1.1209, 0.8336), 1540.0, 2.780, 0.90, "car", "1"),
    "vehicle.chevrolet.impala": ((2.6787, 1.0166, 0.7053), 1690.0, 2.837, 0.95, "car", "1"),
    "vehicle.citroen.c3": ((1.9938, 0.9254, 0.8086), 1050.0, 2.540, 0.80, "car", "1"),
    "vehicle.dodge.charger_2020": ((2.5030, 1.0485, 0.7674), 1850.0, 3.052, 1.10, "car", "2"),
    "vehicle.ford.mustang": ((2.3588, 0.9474, 0.6505), 1300.0, 2.743, 1.05, "car", "1"),
    "vehicle.jeep.wrangler_rubicon": ((1.9331, 0.9526, 0.9390), 1900.0, 2.423, 0.80, "car", "1"),
    "vehicle.lincoln.mkz_2017": ((2.4508, 1.0642, 0.7554), 1700.0, 2.850, 1.00, "car", "1"),
    "vehicle.lincoln.mkz_2020": ((2.4462, 0.9184, 0.7451), 1800.0, 2.860, 1.00, "car", "2"),
    "vehicle.mercedes.coupe_2020": ((2.3368, 1.0011, 0.7210), 1565.0, 2.840, 1.05, "car", "2"),
    "vehicle.mini.cooper_s": ((1.9029, 0.9851, 0.7375), 1190.0, 2.467, 1.00, "car", "1"),
    "vehicle.nissan.micra": ((1.8167, 0.9226, 0.7506), 950.0, 2.430, 0.80, "car", "1"),
    "vehicle.nissan.patrol": ((2.3023, 0.9658, 0.9274), 2200.0, 2.950, 0.80, "car", "1"),
    "vehicle.seat.leon": ((2.0964, 0.9082, 0.7369), 1250.0, 2.578, 0.95, "car", "1"),
    "vehicle.tesla.model3": ((2.3959, 1.0817, 0.7438), 1850.0, 2.875, 1.10, "car", "1"),
    "vehicle.toyota.prius": ((2.2568, 1.0034, 0.7624), 1360.0, 2.700, 0.85, "car", "1"),
    "vehicle.volkswagen.t2": ((2.2402, 1.0347, 1.0190), 1400.0, 2.400, 0.70, "van", "1"),
}

# type id: half sizes [m]
_PROPS = {
    "static.prop.barrel": (0.27, 0.27, 0.42),
    "static.prop.constructioncone": (0.17, 0.17, 0.29),
    "static.prop.container": (3.03, 1.22, 1.30),
    "static.prop.streetbarrier": (0.60, 0.18, 0.53),
    "static.prop.trafficcone01": (0.21, 0.21, 0.36),
    "static.prop.trafficwarning": (1.02, 0.90, 1.45),
}


def _vehicle(type_id: str) -> Blueprint:
    half_m, mass_kg, wheelbase_m, response, base_type, generation = _VEHICLES[type_id]
    colours = (_WHITE, _BLACK, _RED, _BLUE)
    return Blueprint(
        type_id=type_id,
        attributes=(
            Attribute("role_name", AttributeType.STRING, "autopilot", ("autopilot", "scenario", "ego_vehicle", "hero")),
            Attribute("color", AttributeType.RGB_COLOR, colours[0], colours),
            Attribute("driver_id", AttributeType.INT, "0", ("0",)),
            Attribute("sticky_control", AttributeType.BOOL, "true"),
            Attribute("terramechanics", AttributeType.BOOL, "false"),
            Attribute("number_of_wheels", AttributeType.INT, "4", is_modifiable=False),
            Attribute("generation", AttributeType.INT, generation, is_modifiable=False),
            Attribute("base_type", AttributeType.STRING, base_type, is_modifiable=False),
            Attribute("special_type", AttributeType.STRING, "", is_modifiable=False),
            Attribute("has_lights", AttributeType.BOOL, "true", is_modifiable=False),
            Attribute("has_dynamic_doors", AttributeType.BOOL, "false", is_modifiable=False),
        ),
        half_m=half_m,
        centre_z_m=half_m[2],
        mass_kg=mass_kg,
        wheelbase_m=wheelbase_m,
        response=response,
        semantic_tag=SemanticTag.CAR,
    )


def _prop(type_id: str) -> Blueprint:
    half_m = _PROPS[type_id]
    return Blueprint(
        type_id=type_id,
        attributes=(
            Attribute("role_name", AttributeType.STRING, "prop", ("prop",)),
            Attribute("size", AttributeType.STRING, "medium", is_modifiable=False),
        ),
        half_m=half_m,
        centre_z_m=half_m[2],
        semantic_tag=SemanticTag.STATIC,
    )


def _sensor(type_id: str) -> Blueprint:
    return Blueprint(type_id=type_id, attributes=(Attribute("role_name", AttributeType.STRING, "front"),))


LIBRARY: dict[str, Blueprint] = {
    blueprint.type_id: blueprint
    for blueprint in (
        *(_vehicle(name) for name in _VEHICLES),
        *(_prop(name) for name in _PROPS),
        _sensor("sensor.other.collision"),
        _sensor("sensor.other.lane_invasion"),
    )
}
