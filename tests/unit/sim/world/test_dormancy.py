"""Who sleeps in a large town."""

from __future__ import annotations

import numpy as np
import pytest

from harness.sim.observer import observe
from harness.sim.wire.messages import ActorState
from harness.sim.world.actors import Kin
from harness.sim.world.dormancy import is_large
from harness.sim.world.town import Town, build_town
from harness.sim.world.world import World
from tests.unit.sim.conftest import SLOPED_ROAD

CAR, WALKER = "vehicle.audi.tt", "walker.pedestrian.0015"


@pytest.fixture(scope="module")
def long_road() -> Town:
    """Return a town of one road of 2.5 km."""
    return build_town("Long", SLOPED_ROAD.replace('"200.0"', '"2500.0"').replace('b="0.05"', 'b="0"'))


def _spawn(world: World, type_id: str, x_m: float, role: str = "scenario") -> int:
    centre_m = 0.93 if type_id == WALKER else 0.0
    world.spawn(type_id, {"role_name": role}, (x_m, 1.75, 10.0 + centre_m, 0.0, 0.0, 0.0))
    return len(world.table) - 1


def test_only_towns_of_kilometres_are_large(borough: Town, hill: Town, long_road: Town) -> None:
    assert [is_large(town.lanes) for town in (borough, hill, long_road)] == [False, False, True]


def test_what_is_far_from_the_hero_sleeps_until_it_comes(long_road: Town) -> None:
    world = World(long_road, episode_id=1, first_actor_id=1, frame=1)
    world.active_distance_m = 500.0
    hero, near, far, walker = (
        _spawn(world, CAR, 100.0, "hero"),
        _spawn(world, CAR, 400.0),
        _spawn(world, CAR, 900.0),
        _spawn(world, WALKER, 920.0),
    )
    world.table.control[:, 0] = 1.0
    world.table.walk[walker] = 1.0, 0.0, 0.0, 1.0
    before_m = world.table.kin[:, Kin.X].copy()
    for _ in range(20):
        world.step(0.05)
    moved = world.table.kin[:, Kin.X] != before_m
    assert moved[[hero, near, far, walker]].tolist() == [True, True, False, False]
    assert observe(world)["state"][[hero, near, far, walker]].tolist() == [
        ActorState.ACTIVE,
        ActorState.ACTIVE,
        ActorState.DORMANT,
        ActorState.DORMANT,
    ]
    world.set_pose(hero, (700.0, 1.75, 10.0, 0.0, 0.0, 0.0))
    for _ in range(20):
        world.step(0.05)
    assert world.table.kin[far, Kin.X] > 901.0 and world.table.kin[walker, Kin.X] > 920.5
    assert not np.isin(ActorState.DORMANT, observe(world)["state"][[far, walker]])


def test_without_a_hero_nobody_sleeps(long_road: Town) -> None:
    world = World(long_road, episode_id=1, first_actor_id=1, frame=1)
    world.active_distance_m = 500.0
    row = _spawn(world, CAR, 2000.0)
    world.step(0.05)
    assert not world.table.is_dormant[row]
