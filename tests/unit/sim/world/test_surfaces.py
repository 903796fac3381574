"""What the ground is, against `carla.Map`, the client's own parser."""

from __future__ import annotations

import random

import carla
import numpy as np
import pytest

from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.opendrive import parse_map
from harness.sim.world.rays import cast_ray
from harness.sim.world.surfaces import Patches
from harness.sim.world.town import Town
from harness.sim.world.world import World

# Two triangles and a square 10 m on each side, clockwise as the vertices of walkways are.
VERTICES_M = np.array([[0, 0, 5], [0, 10, 5], [10, 10, 5], [10, 0, 5], [20, 0, 5]], np.float64)
POLYGONS = np.array([[0, 1, 2, 3], [3, 2, 4, -1]], np.int32)


@pytest.mark.parametrize(
    ("x_m", "y_m", "z_m", "covered"),
    [
        (5.0, 5.0, 5.0, True),
        (5.0, 5.0, 5.9, True),
        (5.0, 5.0, 7.0, False),  # another deck
        (-0.4, 5.0, 5.0, True),
        (-0.6, 5.0, 5.0, False),
        (14.0, 5.0, 5.0, True),
        (17.0, 5.0, 5.0, False),
        (12.0, 9.0, 5.0, False),
    ],
)
def test_a_polygon_covers_its_inside_and_a_margin(x_m: float, y_m: float, z_m: float, covered: bool) -> None:
    assert Patches(VERTICES_M, POLYGONS, 0.5).cover(np.array([x_m, y_m, z_m])) is covered


def test_no_polygons_cover_nothing() -> None:
    assert not Patches(VERTICES_M, POLYGONS[:0], 0.5).cover(np.zeros(3))


def test_the_ground_is_what_the_clients_map_says(borough: Town) -> None:
    world, carla_map, rng = (
        World(borough, episode_id=1, first_actor_id=1, frame=1),
        parse_map(borough.name, borough.opendrive),
        random.Random(4),
    )
    scenery = borough.scenery
    expected = {
        "Driving": SemanticTag.ROADS,
        "Shoulder": SemanticTag.ROADS,
        "Parking": SemanticTag.ROADS,
        "Sidewalk": SemanticTag.SIDEWALKS,
    }
    right = asked = 0
    for _ in range(600):
        middle_m = borough.lanes.xy_m[rng.randrange(len(borough.lanes.xy_m))]
        x_m, y_m = middle_m + np.array([rng.uniform(-12.0, 12.0), rng.uniform(-12.0, 12.0)])
        start, end = np.array([x_m, y_m, 1.0]), np.array([x_m, y_m, -1.0])
        tag = cast_ray(world.table, scenery, frozenset(), start, end)[-1].tag
        waypoint = carla_map.get_waypoint(carla.Location(x_m, y_m, 0.0), False, carla.LaneType.Any)
        if waypoint is not None:  # it knows the narrow lanes only where no wide one is nearer
            asked += 1
            right += tag == expected.get(str(waypoint.lane_type), SemanticTag.TERRAIN)
    assert asked > 250
    assert right / asked > 0.99
