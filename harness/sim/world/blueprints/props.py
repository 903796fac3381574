"""Props, and what else CARLA counts as static.

Half sizes are those of CARLA's models.
"""

from __future__ import annotations

from harness.sim.world.blueprints.blueprint import (
    AttributeType,
    Blueprint,
    HalfSizes,
    SemanticTag,
    fixed,
    names,
    setting,
)

# name: half sizes [m]
_PROPS: dict[str, HalfSizes] = {
    "advertisement": (0.7746, 0.1434, 1.2214),
    "aporosatree": (6.4791, 6.2925, 7.8165),
    "atm": (0.3566, 0.4369, 1.1379),
    "barbeque": (0.4728, 0.2494, 0.6320),
    "barrel": (0.2298, 0.2357, 0.4034),
    "bench01": (0.7720, 0.3679, 0.4849),
    "bench02": (0.7818, 0.2723, 0.2545),
    "bench03": (0.7917, 0.2563, 0.2563),
    "bike helmet": (0.0928, 0.1385, 0.0857),
    "bin": (0.2741, 0.3191, 0.5296),
    "box01": (0.3261, 0.3261, 0.3458),
    "box02": (0.3243, 0.3243, 0.3243),
    "box03": (0.3304, 0.3350, 0.3243),
    "briefcase": (0.2717, 0.0906, 0.2164),
    "brokentile01": (0.0672, 0.0880, 0.0033),
    "brokentile02": (0.1048, 0.0761, 0.0038),
    "brokentile03": (0.0772, 0.0725, 0.0043),
    "brokentile04": (0.0649, 0.0632, 0.0051),
    "busstop": (1.9380, 0.9468, 1.3695),
    "busstoplb": (0.9468, 1.9380, 1.3695),
    "calibrator": (0.7738, 0.3451, 0.1010),
    "chainbarrier": (0.7471, 0.1193, 0.4444),
    "chainbarrierend": (0.1193, 0.1193, 0.4444),
    "clothcontainer": (0.6197, 0.9433, 0.9051),
    "clothesline": (3.3262, 0.5590, 1.0305),
    "coconutpalm": (4.3019, 4.4429, 10.1574),
    "colacan": (0.0341, 0.0358, 0.0548),
    "constructioncone": (0.1720, 0.1720, 0.2929),
    "container": (0.9659, 0.5062, 0.8571),
    "creasedbox01": (0.4044, 0.3565, 0.0589),
    "creasedbox02": (0.8166, 0.3565, 0.1058),
    "creasedbox03": (0.8344, 0.3565, 0.0109),
    "cypresstree": (2.3050, 2.3141, 7.8394),
    "dirtdebris01": (0.9287, 0.7570, 0.0745),
    "dirtdebris02": (0.9287, 0.7570, 0.0745),
    "dirtdebris03": (0.9287, 0.7570, 0.0942),
    "doghouse": (0.5396, 0.6361, 0.5468),
    "foodcart": (1.1423, 2.3192, 1.7866),
    "fountain": (4.2009, 4.2009, 3.4622),
    "garbage01": (0.0267, 0.0267, 0.0434),
    "garbage02": (0.0267, 0.0267, 0.0046),
    "garbage03": (0.0298, 0.0297, 0.0396),
    "garbage04": (0.0286, 0.0278, 0.0344),
    "garbage05": (0.1159, 0.1163, 0.0288),
    "garbage06": (0.1831, 0.1067, 0.0384),
    "gardenlamp": (0.1486, 0.1406, 0.3239),
    "glasscontainer": (0.9774, 1.0044, 0.8942),
    "gnome": (0.1833, 0.1878, 0.4415),
    "guitarcase": (0.6212, 0.0626, 0.2472),
    "haybale": (0.6239, 0.5967, 0.5975),
    "haybalelb": (0.6239, 0.5967, 0.5975),
    "ironplank": (0.7259, 0.5872, 0.0103),
    "kiosk_01": (0.8126, 0.8270, 1.6227),
    "mailbox": (0.2633, 0.2192, 0.5786),
    "maptable": (0.7866, 0.3085, 0.5905),
    "mobile": (0.0402, 0.0036, 0.0832),
    "motorhelmet": (0.1002, 0.1296, 0.1291),
    "pergola": (2.5147, 2.5425, 1.7708),
    "plantpot01": (0.5446, 0.2379, 0.2787),
    "plantpot02": (0.5256, 0.2154, 0.2435),
    "plantpot03": (0.5256, 0.2154, 0.2435),
    "plantpot04": (2.4837, 0.3683, 0.0624),
    "plantpot05": (0.2001, 0.2001, 0.1400),
    "plantpot06": (0.7966, 0.7966, 0.4248),
    "plantpot07": (0.2473, 0.2379, 0.2787),
    "plantpot08": (0.2652, 0.2652, 0.2445),
    "plasticbag": (0.1555, 0.2013, 0.2762),
    "plasticchair": (0.3652, 0.3752, 0.6357),
    "plastictable": (1.2411, 1.2411, 1.2399),
    "platformgarbage01": (1.8166, 0.8557, 0.1658),
    "purse": (0.0796, 0.1663, 0.2926),
    "shoppingbag": (0.2372, 0.1216, 0.3003),
    "shoppingcart": (0.3347, 0.6038, 0.5396),
    "shoppingtrolley": (0.2528, 0.1656, 0.5468),
    "slide": (0.4713, 2.0612, 0.9883),
    "streetbarrier": (0.6075, 0.1858, 0.5346),
    "streetfountain": (0.1435, 0.3351, 0.6297),
    "streetsign": (0.5322, 0.0626, 1.0772),
    "streetsign01": (1.2352, 0.1515, 1.9390),
    "streetsign04": (0.5854, 0.0624, 1.3864),
    "swing": (2.0526, 0.7884, 1.2862),
    "swingcouch": (0.6787, 1.1812, 1.1247),
    "table": (1.0781, 1.0759, 0.4232),
    "trafficcone01": (0.4414, 0.4411, 0.5666),
    "trafficcone02": (0.2278, 0.1973, 0.5914),
    "trafficwarning": (1.1867, 1.4353, 1.7848),
    "trampoline": (2.0658, 2.0658, 1.4009),
    "trashbag": (0.1890, 0.2148, 0.3511),
    "trashcan01": (0.3176, 0.2839, 0.4241),
    "trashcan02": (0.2619, 0.2568, 0.5227),
    "trashcan03": (0.3147, 0.2727, 0.4668),
    "trashcan04": (0.3944, 0.2902, 0.5082),
    "trashcan05": (0.3944, 0.2902, 0.5082),
    "travelcase": (0.2837, 0.1638, 0.6313),
    "vendingmachine": (0.4364, 0.5510, 1.0541),
    "warningaccident": (0.6525, 0.5275, 0.9301),
    "warningconstruction": (0.6525, 0.5275, 0.9301),
    "wateringcan": (0.0352, 0.0970, 0.0674),
}

# CARLA's size classes by the longest edge [m].
_SIZE_CLASSES = ((0.25, "tiny"), (1.0, "small"), (2.5, "medium"), (5.0, "big"))
# Classes that CARLA gives whatever the edges are.
_CLASS_OF = {"plantpot04": "small", "streetsign04": "small"}


def _size_class(name: str, half_m: HalfSizes) -> str:
    if name in _CLASS_OF:
        return _CLASS_OF[name]
    return next((size for limit_m, size in _SIZE_CLASSES if 2.0 * max(half_m) <= limit_m), "huge")


def _prop(name: str, half_m: HalfSizes) -> Blueprint:
    type_id = f"static.prop.{name}"
    return Blueprint(
        type_id=type_id,
        attributes=(*names(type_id, ("prop",)), fixed("size", AttributeType.STRING, _size_class(name, half_m))),
        half_m=half_m,
        centre_z_m=half_m[2],
        semantic_tag=SemanticTag.STATIC,
    )


# The parked cars among CARLA's meshes, which are what scripts place; name of the mesh: half sizes [m].
_MESHES: dict[str, HalfSizes] = {
    "SM_ChargerParked": (2.5039, 0.9408, 0.7674),
    "SM_FordCrown_parked": (2.6828, 0.9004, 0.7875),
    "SM_LincolnParked": (2.4462, 0.9184, 0.7451),
    "SM_MercedesCCC_Parked": (2.3368, 0.9059, 0.7210),
    "SM_Mini2021_parked": (2.2763, 1.0485, 0.8836),
    "SM_NissanPatrol2021_parked": (2.7829, 1.0750, 1.0226),
    "SM_TeslaM3_parked": (2.3959, 1.0817, 0.7438),
    "SM_VolkswagenT2_2021_Parked": (2.2402, 1.0347, 1.0190),
}
_MESH = "static.prop.mesh"
_EMPTY = "util.actor.empty"
_FRICTION = "static.trigger.friction"

PROPS: tuple[Blueprint, ...] = (
    *(_prop(name, half_m) for name, half_m in _PROPS.items()),
    Blueprint(
        type_id=_MESH,
        attributes=(
            *names(_MESH, ("default",)),
            setting("mesh_path", AttributeType.STRING, ""),
            setting("mass", AttributeType.FLOAT, ""),
            setting("scale", AttributeType.FLOAT, "1.0"),
        ),
        meshes=_MESHES,
        semantic_tag=SemanticTag.STATIC,
    ),
    Blueprint(
        type_id=_FRICTION,
        attributes=(
            *names(_FRICTION, ("default",)),
            setting("friction", AttributeType.FLOAT, "3.5"),
            *(setting(f"extent_{axis}", AttributeType.FLOAT, "1.0") for axis in "xyz"),
        ),
        is_area=True,
    ),
    Blueprint(type_id=_EMPTY, attributes=names(_EMPTY, ("default",))),
)
