"""Vehicles.

Half sizes are those of CARLA's models. Masses are documented kerb weights, those of two-wheelers with a rider of 75 kg.
Wheelbases are documented too, longer where CARLA's model is longer than the real vehicle. Response is acceleration
relative to the reference car of `vehicle_dynamics`. Base type, special type, generation, lights and doors follow
CARLA's vehicle catalogue, colours and drivers its blueprint library.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.sim.world.blueprints.blueprint import (
    Attribute,
    AttributeType,
    Blueprint,
    SemanticTag,
    boolean,
    fixed,
    names,
    setting,
)


class _Body(NamedTuple):
    base_type: str
    half_m: tuple[float, float, float]
    mass_kg: float
    wheelbase_m: float
    response: float


_BODIES = {
    "audi.a2": _Body("car", (1.8527, 0.8943, 0.7745), 1030.0, 2.405, 0.80),
    "audi.etron": _Body("car", (2.4279, 1.0164, 0.8247), 2490.0, 2.928, 1.00),
    "audi.tt": _Body("car", (2.0906, 0.9971, 0.6926), 1335.0, 2.505, 1.05),
    "bmw.grandtourer": _Body("car", (2.3056, 1.1209, 0.8336), 1540.0, 2.780, 0.90),
    "chevrolet.impala": _Body("car", (2.6787, 1.0166, 0.7053), 1690.0, 2.837, 0.95),
    "citroen.c3": _Body("car", (1.9938, 0.9254, 0.8086), 1050.0, 2.540, 0.80),
    "dodge.charger_2020": _Body("car", (2.5030, 1.0485, 0.7674), 1850.0, 3.052, 1.10),
    "dodge.charger_police": _Body("car", (2.4871, 1.0192, 0.7711), 1850.0, 3.048, 1.05),
    "dodge.charger_police_2020": _Body("car", (2.6188, 0.9649, 0.8192), 1950.0, 3.052, 1.10),
    "ford.crown": _Body("car", (2.6828, 0.9004, 0.7875), 1870.0, 2.913, 0.90),
    "ford.mustang": _Body("car", (2.3588, 0.9474, 0.6505), 1300.0, 2.743, 1.05),
    "jeep.wrangler_rubicon": _Body("car", (1.9331, 0.9526, 0.9390), 1900.0, 2.423, 0.80),
    "lincoln.mkz_2017": _Body("car", (2.4508, 1.0642, 0.7554), 1700.0, 2.850, 1.00),
    "lincoln.mkz_2020": _Body("car", (2.4462, 0.9184, 0.7451), 1800.0, 2.860, 1.00),
    "mercedes.coupe": _Body("car", (2.5134, 1.0758, 0.8253), 2045.0, 2.955, 1.05),
    "mercedes.coupe_2020": _Body("car", (2.3368, 1.0011, 0.7210), 1565.0, 2.840, 1.05),
    "micro.microlino": _Body("car", (1.1036, 0.7405, 0.6880), 535.0, 1.566, 0.55),
    "mini.cooper_s": _Body("car", (1.9029, 0.9851, 0.7375), 1190.0, 2.467, 1.00),
    "mini.cooper_s_2021": _Body("car", (2.2763, 1.0485, 0.8836), 1400.0, 2.750, 1.00),
    "nissan.micra": _Body("car", (1.8167, 0.9226, 0.7506), 950.0, 2.430, 0.80),
    "nissan.patrol": _Body("car", (2.3023, 0.9658, 0.9274), 2200.0, 2.950, 0.80),
    "nissan.patrol_2021": _Body("car", (2.7829, 1.0750, 1.0226), 2750.0, 3.300, 0.90),
    "seat.leon": _Body("car", (2.0964, 0.9082, 0.7369), 1250.0, 2.578, 0.95),
    "tesla.model3": _Body("car", (2.3959, 1.0817, 0.7438), 1850.0, 2.875, 1.10),
    "toyota.prius": _Body("car", (2.2568, 1.0034, 0.7624), 1360.0, 2.700, 0.85),
    "carlamotors.carlacola": _Body("truck", (2.6019, 1.3135, 1.2337), 5500.0, 3.400, 0.45),
    "carlamotors.european_hgv": _Body("truck", (3.9679, 1.4455, 1.7310), 8500.0, 4.000, 0.35),
    "carlamotors.firetruck": _Body("truck", (4.2340, 1.4455, 1.9137), 12_000.0, 4.300, 0.40),
    "tesla.cybertruck": _Body("truck", (3.1368, 1.1948, 1.0491), 3000.0, 3.810, 1.10),
    "ford.ambulance": _Body("van", (3.1828, 1.1756, 1.2157), 4400.0, 3.505, 0.60),
    "mercedes.sprinter": _Body("van", (2.9576, 0.9942, 1.2803), 2300.0, 3.665, 0.65),
    "volkswagen.t2": _Body("van", (2.2402, 1.0347, 1.0190), 1400.0, 2.400, 0.70),
    "volkswagen.t2_2021": _Body("van", (2.2211, 0.8873, 0.9936), 1400.0, 2.400, 0.70),
    "mitsubishi.fusorosa": _Body("bus", (5.1363, 1.9721, 2.1264), 5500.0, 5.300, 0.35),
    "harley-davidson.low_rider": _Body("motorcycle", (1.1751, 0.3831, 0.8247), 380.0, 1.630, 0.90),
    "kawasaki.ninja": _Body("motorcycle", (1.0218, 0.3985, 0.7616), 245.0, 1.370, 0.95),
    "vespa.zx125": _Body("motorcycle", (0.9086, 0.4330, 0.7950), 190.0, 1.280, 0.55),
    "yamaha.yzf": _Body("motorcycle", (1.0954, 0.4330, 0.7652), 265.0, 1.375, 0.95),
    "bh.crossbike": _Body("bicycle", (0.7547, 0.4330, 0.8062), 90.0, 1.050, 0.30),
    "diamondback.century": _Body("bicycle", (0.8281, 0.2912, 0.8099), 85.0, 1.000, 0.35),
    "gazelle.omafiets": _Body("bicycle", (0.9217, 0.3295, 0.8879), 95.0, 1.130, 0.30),
}

# Where the box centre is not above the origin [m].
_CENTRES_M = {
    "dodge.charger_police_2020": (0.1095, 0.0),
    "ford.crown": (0.1854, 0.0),
    "carlamotors.firetruck": (-0.2534, 0.0053),
    "ford.ambulance": (-0.2886, 0.0019),
    "volkswagen.t2_2021": (0.1167, -0.0004),
    "mitsubishi.fusorosa": (-0.4452, -0.1209),
}

_SPECIAL_TYPES = {
    "carlamotors.firetruck": "emergency",
    "dodge.charger_police": "emergency",
    "dodge.charger_police_2020": "emergency",
    "ford.ambulance": "emergency",
    "ford.crown": "taxi",
    "audi.etron": "electric",
    "micro.microlino": "electric",
    "tesla.cybertruck": "electric",
    "tesla.model3": "electric",
    "toyota.prius": "electric",
}

_WITH_LIGHTS_AND_DOORS = frozenset(
    {
        "carlamotors.firetruck",
        "dodge.charger_2020",
        "dodge.charger_police_2020",
        "ford.ambulance",
        "ford.crown",
        "lincoln.mkz_2020",
        "mercedes.coupe_2020",
        "mercedes.sprinter",
        "mini.cooper_s_2021",
        "nissan.patrol_2021",
        "volkswagen.t2_2021",
    }
)
_WITH_LIGHTS = _WITH_LIGHTS_AND_DOORS | {"mitsubishi.fusorosa"}
_SECOND_GENERATION = _WITH_LIGHTS | {"carlamotors.european_hgv", "tesla.cybertruck"}

_WHEELS = {"carlamotors.european_hgv": "6"}
_WHEELS_OF_TYPE = {"motorcycle": "2", "bicycle": "2"}

# Numbers of the people that may sit on it. What is missing here has no such attribute, as in CARLA.
_DRIVERS = {
    "lincoln.mkz_2020": "0",
    "harley-davidson.low_rider": "0 3 7 4",
    "kawasaki.ninja": "0 7 3 4",
    "vespa.zx125": "0 2 3 6",
    "yamaha.yzf": "0 2 3 6",
    "bh.crossbike": "2 3 7 8",
    "diamondback.century": "4 5 6 7",
    "gazelle.omafiets": "0 1 3 5",
}

# The paints that several share.
_FOUR = "168,0,27 0,39,105 16,44,21 33,33,33"
_FIVE = f"217,217,217 {_FOUR}"
_T2 = "73,12,12 22,31,73 215,89,0 105,103,0 0,33,5 158,40,82"
# The steel of the Cybertruck has no colour.
_COLOURS = {
    "audi.a2": _FOUR,
    "audi.etron": "168,0,27 0,39,105 33,33,33 195,168,228",
    "audi.tt": _FOUR,
    "bmw.grandtourer": "109,109,109 12,38,88 68,68,77 255,255,255 255,21,0 0,0,0",
    "chevrolet.impala": "61,86,143 0,12,49 0,0,0 71,12,12",
    "citroen.c3": _FIVE,
    "dodge.charger_2020": "73,0,0 0,39,105 0,0,0 211,142,0",
    "dodge.charger_police": "0,0,0 8,53,0",
    "dodge.charger_police_2020": "0,0,0",
    "ford.crown": "255,185,0",
    "ford.mustang": "0,12,58 85,0,0 160,160,160 0,21,0 0,0,0",
    "jeep.wrangler_rubicon": _FIVE,
    "lincoln.mkz_2017": "16,16,16",
    "lincoln.mkz_2020": "0,0,0",
    "mercedes.coupe": _FIVE,
    "mercedes.coupe_2020": "73,0,0 0,21,81 0,0,0 187,187,187",
    "micro.microlino": "21,158,255 145,255,181 255,33,0 255,208,0 181,255,0",
    "mini.cooper_s": _FIVE,
    "mini.cooper_s_2021": "73,0,0 22,31,73 215,88,0 0,28,0",
    "nissan.micra": "243,243,243 83,83,86 187,0,0 28,0,46 0,0,0 17,21,99",
    "nissan.patrol": "183,187,162 0,0,0 66,52,33 22,24,43 201,147,0",
    "nissan.patrol_2021": "217,217,217 159,0,0 0,38,105 12,42,12 0,0,0",
    "seat.leon": "42,61,214 21,38,98 38,38,38 79,33,85 155,0,0 0,0,0",
    "tesla.model3": "17,37,103 75,86,173 180,42,42 0,0,0 137,0,0",
    "toyota.prius": "255,0,0 215,255,143 96,102,99 28,46,58 23,51,236 227,227,227 0,0,0",
    "carlamotors.carlacola": "255,68,0",
    "carlamotors.european_hgv": "231,0,0 255,255,255 28,28,28 42,61,156 127,127,127 255,103,0",
    "carlamotors.firetruck": "234,0,0",
    "ford.ambulance": "231,231,231",
    "mercedes.sprinter": "167,166,175 255,255,255 115,115,115",
    "volkswagen.t2": _T2,
    "volkswagen.t2_2021": _T2,
    "mitsubishi.fusorosa": "255,255,255",
    "harley-davidson.low_rider": "67,67,67 255,0,0 255,154,0 0,38,132",
    "kawasaki.ninja": "11,129,0 255,203,39 168,0,0 0,0,0",
    "vespa.zx125": "255,203,39 30,121,154 168,0,0 0,0,0 208,208,208",
    "yamaha.yzf": "0,0,0 206,206,206 0,12,49 42,99,159 61,68,66 33,55,61 255,0,0 58,21,21 155,0,0 255,213,0 "
    "127,130,135 141,0,58",
    "bh.crossbike": "20,78,217 0,112,39 255,202,0 180,0,0",
    "diamondback.century": "214,0,0 50,96,242 78,247,119",
    "gazelle.omafiets": "0,0,0 41,73,217 202,88,176",
}

_TAGS = {
    "car": SemanticTag.CAR,
    "van": SemanticTag.CAR,
    "truck": SemanticTag.TRUCK,
    "bus": SemanticTag.BUS,
    "motorcycle": SemanticTag.MOTORCYCLE,
    "bicycle": SemanticTag.BICYCLE,
}


def _choice(key: str, kind: AttributeType, values: str | None) -> tuple[Attribute, ...]:
    if values is None:
        return ()
    recommended = tuple(values.split())
    return (Attribute(key, kind, recommended[0], recommended),)


def _vehicle(name: str, body: _Body) -> Blueprint:
    type_id = f"vehicle.{name}"
    return Blueprint(
        type_id=type_id,
        attributes=(
            *names(type_id, ("autopilot", "scenario", "ego_vehicle")),
            *_choice("color", AttributeType.RGB_COLOR, _COLOURS.get(name)),
            *_choice("driver_id", AttributeType.INT, _DRIVERS.get(name)),
            setting("sticky_control", AttributeType.BOOL, "true"),
            setting("terramechanics", AttributeType.BOOL, "false"),
            fixed("object_type", AttributeType.STRING, ""),
            fixed("base_type", AttributeType.STRING, body.base_type),
            fixed("special_type", AttributeType.STRING, _SPECIAL_TYPES.get(name, "")),
            fixed("number_of_wheels", AttributeType.INT, _WHEELS.get(name, _WHEELS_OF_TYPE.get(body.base_type, "4"))),
            fixed("generation", AttributeType.INT, "2" if name in _SECOND_GENERATION else "1"),
            fixed("has_dynamic_doors", AttributeType.BOOL, boolean(name in _WITH_LIGHTS_AND_DOORS)),
            fixed("has_lights", AttributeType.BOOL, boolean(name in _WITH_LIGHTS)),
        ),
        half_m=body.half_m,
        centre_z_m=body.half_m[2],
        centre_xy_m=_CENTRES_M.get(name, (0.0, 0.0)),
        mass_kg=body.mass_kg,
        wheelbase_m=body.wheelbase_m,
        response=body.response,
        semantic_tag=_TAGS[body.base_type],
    )


VEHICLES: tuple[Blueprint, ...] = tuple(_vehicle(name, body) for name, body in _BODIES.items())
