"""What a blueprint is: the type of an actor, its attributes, its body."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from harness.errors import SimError

HalfSizes = tuple[float, float, float]

_MAX_SCALE = 100.0
MAX_FRICTION = 100.0
# Scripts lay one area over a whole town.
_MAX_EXTENT_CM = 1e7


class AttributeType(IntEnum):
    """CARLA's ActorAttributeType."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    RGB_COLOR = 5


class SemanticTag(IntEnum):
    """CARLA's CityObjectLabel, as far as anything here carries it."""

    NONE = 0
    ROADS = 1
    SIDEWALKS = 2
    POLES = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    TERRAIN = 10
    PEDESTRIAN = 12
    CAR = 14
    TRUCK = 15
    BUS = 16
    MOTORCYCLE = 18
    BICYCLE = 19
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
        half_m: half sizes of the bounding box; zero for what has no body.
        centre_z_m: height of the box centre above the actor's origin: vehicles and props have it on the ground, walkers
            in the middle of the body.
        centre_xy_m: place of the box centre, forward and to the right of the origin.
        response: acceleration relative to the reference car of `vehicle_dynamics`.
        meshes: half sizes by the name of the mesh, for the actor whose body is the mesh that a client names.
        is_area: the box is the area that the attributes `extent_x` to `extent_z` [cm] span around the origin.
    """

    type_id: str
    attributes: tuple[Attribute, ...]
    half_m: HalfSizes = (0.0, 0.0, 0.0)
    centre_z_m: float = 0.0
    centre_xy_m: tuple[float, float] = (0.0, 0.0)
    mass_kg: float = 0.0
    wheelbase_m: float = 0.0
    response: float = 1.0
    semantic_tag: SemanticTag = SemanticTag.NONE
    meshes: Mapping[str, HalfSizes] = field(default_factory=dict)
    is_area: bool = False

    @property
    def tags(self) -> str:
        """The words of the id, comma separated, as CARLA lists them."""
        return ",".join(self.type_id.split("."))

    def box(self, attributes: Mapping[str, str]) -> tuple[HalfSizes, HalfSizes]:
        """Return centre and half sizes [m] of the bounding box in the actor's frame.

        Args:
            attributes: those of the actor; an area and the body of a mesh depend on them. No mesh, no body.

        Raises:
            SimError: the mesh is none of `meshes`, or a number makes no sense.
        """
        if self.is_area:
            x_cm, y_cm, z_cm = (read_number(attributes, f"extent_{axis}", _MAX_EXTENT_CM) for axis in "xyz")
            return (0.0, 0.0, 0.0), (x_cm / 100.0, y_cm / 100.0, z_cm / 100.0)
        path = attributes.get("mesh_path", "")
        if not self.meshes or not path:
            return (*self.centre_xy_m, self.centre_z_m), self.half_m
        name = path.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
        if name not in self.meshes:
            raise SimError(f"Spawn failed: mesh '{name[:80]}' is not one this server knows: {', '.join(self.meshes)}")
        scale = read_number(attributes, "scale", _MAX_SCALE)
        x_m, y_m, z_m = self.meshes[name]
        return (0.0, 0.0, scale * z_m), (scale * x_m, scale * y_m, scale * z_m)


def read_number(attributes: Mapping[str, str], key: str, most: float) -> float:
    """Return a positive number among the attributes of an actor; CARLA writes some like ``1.0f``.

    Raises:
        SimError: it is none, or not in (0, most].
    """
    text = attributes.get(key, "")
    try:
        number = float(text.removesuffix("f"))
    except ValueError:
        number = math.nan
    if not 0.0 < number <= most:
        raise SimError(f"Spawn failed: {key} is '{text[:80]}', expected a number in (0, {most:g}]")
    return number


def names(type_id: str, roles: Iterable[str]) -> tuple[Attribute, Attribute]:
    """Return the two attributes that every CARLA actor has; the first of `roles` is the default."""
    recommended = tuple(roles)
    return (
        Attribute("role_name", AttributeType.STRING, recommended[0], recommended),
        Attribute("ros_name", AttributeType.STRING, type_id, (type_id,)),
    )


def fixed(key: str, kind: AttributeType, value: str) -> Attribute:
    """Return an attribute that no client can set."""
    return Attribute(key, kind, value, is_modifiable=False)


def setting(key: str, kind: AttributeType, value: str) -> Attribute:
    """Return an attribute that clients set, with its default, which is also what CARLA recommends."""
    return Attribute(key, kind, value, (value,))


def boolean(value: bool) -> str:
    """Return a boolean in CARLA's words."""
    return "true" if value else "false"
