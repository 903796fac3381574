"""Walkers and their controller.

Gender, age, generation, wheelchair and speeds are those of CARLA's pedestrian catalogue. The boxes are CARLA's: one
size per build, centred on the actor's origin, which is in the middle of the body.
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


class _Build(NamedTuple):
    age: str
    half_m: tuple[float, float, float]
    mass_kg: float
    running_mps: str


class _Group(NamedTuple):
    """Walkers with consecutive numbers that have everything in common."""

    first: int
    last: int
    gender: str
    build: _Build
    generation: str
    walking_mps: str
    can_use_wheelchair: bool


_ADULT = _Build("adult", (0.1877, 0.1877, 0.93), 75.0, "4.0")
_TEENAGER = _Build("teenager", (0.1877, 0.1877, 0.93), 60.0, "2.0")
_BOY = _Build("child", (0.1877, 0.1877, 0.65), 30.0, "2.0")
_GIRL = _Build("child", (0.25, 0.25, 0.55), 20.0, "2.0")

_GROUPS = (
    _Group(1, 1, "female", _ADULT, "1", "1.8", True),
    _Group(2, 4, "male", _ADULT, "1", "1.7", True),
    _Group(5, 8, "female", _ADULT, "1", "1.8", True),
    _Group(9, 11, "female", _GIRL, "1", "1.1", False),
    _Group(12, 14, "male", _BOY, "1", "1.1", False),
    _Group(15, 15, "female", _ADULT, "2", "1.8", True),
    _Group(16, 18, "male", _ADULT, "2", "1.7", True),
    _Group(19, 23, "female", _ADULT, "2", "1.7", True),
    _Group(24, 29, "male", _ADULT, "2", "1.7", True),
    _Group(30, 30, "male", _ADULT, "2", "1.7", False),
    _Group(31, 31, "female", _ADULT, "2", "1.7", True),
    _Group(32, 32, "female", _ADULT, "2", "1.7", False),
    _Group(33, 34, "male", _ADULT, "2", "1.7", True),
    _Group(35, 37, "female", _ADULT, "2", "1.7", True),
    _Group(38, 39, "male", _ADULT, "2", "1.7", True),
    _Group(40, 41, "female", _ADULT, "2", "1.7", True),
    _Group(42, 44, "female", _ADULT, "2", "1.7", False),
    _Group(45, 47, "male", _ADULT, "2", "1.7", True),
    _Group(48, 49, "female", _GIRL, "2", "1.1", False),
    _Group(50, 50, "female", _TEENAGER, "3", "1.1", False),
    _Group(51, 51, "male", _TEENAGER, "3", "1.1", False),
    _Group(52, 52, "male", _ADULT, "3", "1.7", False),
)


def _walker(number: int, group: _Group) -> Blueprint:
    type_id, build = f"walker.pedestrian.{number:04d}", group.build
    return Blueprint(
        type_id=type_id,
        attributes=(
            *names(type_id, ("pedestrian",)),
            fixed("gender", AttributeType.STRING, group.gender),
            fixed("generation", AttributeType.INT, group.generation),
            fixed("age", AttributeType.STRING, build.age),
            fixed("can_use_wheelchair", AttributeType.BOOL, boolean(group.can_use_wheelchair)),
            # Standing, walking, running: scripts take the second and the third.
            Attribute("speed", AttributeType.FLOAT, "0.0", ("0.0", group.walking_mps, build.running_mps)),
            setting("is_invincible", AttributeType.BOOL, "true"),
            Attribute(
                "use_wheelchair",
                AttributeType.BOOL,
                "false",
                ("false", "true") if group.can_use_wheelchair else ("false",),
            ),
        ),
        half_m=build.half_m,
        mass_kg=build.mass_kg,
        semantic_tag=SemanticTag.PEDESTRIAN,
    )


_CONTROLLER = "controller.ai.walker"

WALKERS: tuple[Blueprint, ...] = (
    *(_walker(number, group) for group in _GROUPS for number in range(group.first, group.last + 1)),
    Blueprint(type_id=_CONTROLLER, attributes=names(_CONTROLLER, ("default",))),
)
