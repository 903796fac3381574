"""Rays against planes and boxes whose crossings can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.rays import Hit, cast_ray
from harness.sim.world.town import Town, build_town
from harness.sim.world.world import World

# A road along +x at height 0, and one along +y (world frame) 8 m above it that crosses it at x = 50 m.
_ROAD = """
  <road name="{name}" length="100.0" id="{id}" junction="-1">
    <link/>
    <planView><geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="100.0"><line/></geometry></planView>
    <elevationProfile><elevation s="0" a="{height}" b="0" c="0" d="0"/></elevationProfile>
    <lateralProfile/>
    <lanes><laneSection s="0">
      <left><lane id="1" type="driving" level="false"><width sOffset="0" a="4.0" b="0" c="0" d="0"/></lane></left>
      <center><lane id="0" type="none" level="false"/></center>
      <right>
        <lane id="-1" type="driving" level="false"><width sOffset="0" a="4.0" b="0" c="0" d="0"/></lane>
        <lane id="-2" type="sidewalk" level="false"><width sOffset="0" a="2.0" b="0" c="0" d="0"/></lane>
      </right>
    </laneSection></lanes>
  </road>"""
BRIDGE = (
    '<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4"/>'
    + _ROAD.format(name="below", id=1, x=0, y=0, heading=0.0, height=0)
    + _ROAD.format(name="above", id=2, x=50, y=50, heading=-math.pi / 2, height=8)
    + "</OpenDRIVE>"
)
ROADS, SIDEWALKS, TERRAIN = SemanticTag.ROADS, SemanticTag.SIDEWALKS, SemanticTag.TERRAIN


@pytest.fixture(scope="module")
def bridge() -> World:
    return World(build_town("Bridge", BRIDGE), episode_id=1, first_actor_id=1, frame=1)


def _cast(world: World, start: tuple[float, ...], end: tuple[float, ...]) -> list[Hit]:
    return cast_ray(world.table, world.town.scenery, world.hidden_scenery, np.array(start), np.array(end))


def _tags(hits: list[Hit]) -> list[int]:
    return [hit.tag for hit in hits]


# --- the ground ------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.floats(2.0, 190.0), st.floats(-3.4, 3.4), st.floats(0.1, 5000.0))
def test_straight_down_is_the_road(hill: Town, x_m: float, y_m: float, up_m: float) -> None:
    world = World(hill, episode_id=1, first_actor_id=1, frame=1)
    height_m = 10.0 + 0.05 * x_m
    (hit,) = _cast(world, (x_m, y_m, height_m + up_m), (x_m, y_m, height_m - 3.0))
    assert hit.tag == ROADS
    assert hit.place_m == pytest.approx((x_m, y_m, height_m), abs=0.01)
    assert hit.distance_m == pytest.approx(up_m, abs=0.01)


@settings(max_examples=30)
@given(
    st.floats(2.0, 190.0), st.floats(-3.0, 3.0), st.floats(0.05, 30.0),
    st.floats(2.0, 190.0), st.floats(-3.0, 3.0), st.floats(0.05, 30.0),
)  # fmt: skip
def test_a_slanted_ray_meets_the_plane_of_the_road(
    hill: Town, x0: float, y0: float, up_m: float, x1: float, y1: float, down_m: float
) -> None:
    world = World(hill, episode_id=1, first_actor_id=1, frame=1)
    start, end = (x0, y0, 10.0 + 0.05 * x0 + up_m), (x1, y1, 10.0 + 0.05 * x1 - down_m)
    (hit,) = _cast(world, start, end)
    share = up_m / (up_m + down_m)
    expected = np.array(start) + share * (np.array(end) - np.array(start))
    # The nearer the ray runs along the road, the further a centimetre of height is along it.
    slack_m = 0.005 * math.dist(start, end) / (up_m + down_m) + 0.01
    assert math.dist(hit.place_m, expected) < slack_m
    assert _cast(world, end, start) == []  # from below there is nothing


def test_ground_along_which_a_ray_runs_is_not_met(bridge: World) -> None:
    assert _cast(bridge, (10.0, 2.0, 0.0), (40.0, 2.0, 0.0)) == []
    assert _tags(_cast(bridge, (10.0, 2.0, 0.0), (10.0, 2.0, -1.0))) == [ROADS]
    assert _cast(bridge, (10.0, 2.0, 0.0), (10.0, 2.0, 5.0)) == []
    assert _cast(bridge, (10.0, 2.0, 1.0), (10.0, 2.0, 1.0)) == []


@pytest.mark.parametrize(
    ("y_m", "tag"), [(2.0, ROADS), (5.0, SIDEWALKS), (7.0, TERRAIN), (-1.0, ROADS), (-5.0, TERRAIN)]
)
def test_the_ground_is_named_after_its_lane(bridge: World, y_m: float, tag: int) -> None:
    (hit,) = _cast(bridge, (20.0, y_m, 5.0), (20.0, y_m, -5.0))
    assert (hit.tag, hit.place_m[2]) == (tag, pytest.approx(0.0, abs=1e-3))


def test_a_bridge_and_the_road_below_are_both_met(bridge: World) -> None:
    over = (48.0, 2.0)
    hits = _cast(bridge, (*over, 20.0), (*over, -5.0))
    assert [(hit.tag, round(hit.place_m[2], 3)) for hit in hits] == [(ROADS, 8.0), (ROADS, 0.0)]
    (below,) = _cast(bridge, (*over, 7.0), (*over, -5.0))
    assert below.place_m[2] == pytest.approx(0.0, abs=1e-3)


def test_nothing_is_met_under_a_bridge_or_at_its_edge(bridge: World) -> None:
    assert _cast(bridge, (20.0, 2.0, 4.0), (80.0, 2.0, 4.0)) == []
    assert _tags(_cast(bridge, (20.0, 2.0, 4.0), (80.0, 2.0, -0.5))) == [ROADS]


def test_a_surface_that_is_switched_off_leaves_terrain(bridge: World) -> None:
    scenery = bridge.town.scenery
    pieces = {int(key) for key, name in zip(scenery.ids, scenery.names, strict=True) if name.startswith("Road_1_")}
    start, end = np.array([20.0, 2.0, 5.0]), np.array([20.0, 2.0, -5.0])
    assert _tags(cast_ray(bridge.table, scenery, frozenset(pieces), start, end)) == [TERRAIN]


# --- boxes -----------------------------------------------------------------------------------------------------------


def test_a_ray_enters_a_turned_and_sloped_box_at_its_face(world: World) -> None:
    info = world.spawn("vehicle.audi.tt", {}, (50.0, 0.0, 30.0, 20.0, 35.0, 10.0))
    centre = np.array(world.table.kin[-1, :3])
    forward = np.array(
        [
            math.cos(math.radians(20.0)) * math.cos(math.radians(35.0)),
            math.cos(math.radians(20.0)) * math.sin(math.radians(35.0)),
            math.sin(math.radians(20.0)),
        ]
    )
    # Along the length of the box, a little above its underside where the origin lies.
    up = np.cross(forward, [-math.sin(math.radians(35.0)), math.cos(math.radians(35.0)), 0.0])
    start = centre - 10.0 * forward + 0.3 * up
    (hit,) = [hit for hit in _cast(world, tuple(start), tuple(start + 20.0 * forward)) if hit.tag == SemanticTag.CAR]
    assert hit.distance_m == pytest.approx(10.0 - info.box_half_m[0], abs=1e-6)


def test_a_box_in_which_a_ray_begins_is_not_met(world: World) -> None:
    world.spawn("vehicle.audi.tt", {}, (50.0, 0.0, 12.5, 0.0, 0.0, 0.0))
    world.spawn("vehicle.audi.tt", {}, (60.0, 0.0, 13.0, 0.0, 0.0, 0.0))
    hits = _cast(world, (50.0, 0.0, 13.2), (70.0, 0.0, 13.51))
    assert _tags(hits) == [SemanticTag.CAR]
    assert hits[0].place_m[0] == pytest.approx(60.0 - 2.09, abs=0.1)


@settings(max_examples=30)
@given(st.lists(st.floats(-40.0, 40.0), min_size=6, max_size=6))
def test_hits_are_in_order_and_on_the_ray(borough: Town, offsets: list[float]) -> None:
    world = World(borough, episode_id=1, first_actor_id=1, frame=1)
    for number in range(6):
        world.spawn("static.prop.container", {}, (470.0 + 7.0 * number, -184.75, 0.0, 0.0, 30.0 * number, 0.0))
    middle = np.array([490.0, -184.75, 2.0])
    start, end = middle + offsets[:3], middle + offsets[3:]
    hits = _cast(world, tuple(start), tuple(end))
    assert [hit.distance_m for hit in hits] == sorted(hit.distance_m for hit in hits)
    for hit in hits:
        assert 0.0 <= hit.distance_m <= math.dist(start, end) + 1e-9
        assert math.dist(start, hit.place_m) == pytest.approx(hit.distance_m, abs=0.01)
    backwards = [hit for hit in _cast(world, tuple(end), tuple(start)) if hit.tag == SemanticTag.STATIC]
    inside = _containers_around(world, start) or _containers_around(world, end)
    if not inside:
        assert len(backwards) == sum(hit.tag == SemanticTag.STATIC for hit in hits)


def _containers_around(world: World, place: np.ndarray) -> bool:
    rows = world.table.solid_rows
    return bool((np.linalg.norm(world.table.kin[rows, :3] - place, axis=1) < 4.5).any())
