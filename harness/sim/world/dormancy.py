"""Sleep of actors in large towns: what is far from every hero does not move and touches nothing until one comes near.

CARLA streams its large maps around the hero vehicles and puts the actors beyond `actor_active_distance` to sleep; its
other towns have no such thing.
"""

from __future__ import annotations

import numpy as np

from harness.sim.world.actors import ActorTable
from harness.sim.world.lanes import LaneSamples

# CARLA's setting when nobody changes it.
DEFAULT_ACTIVE_DISTANCE_M = 2000.0
# CARLA's large maps are longer than this, its other towns shorter.
_LARGE_TOWN_M = 2000.0


def is_large(lanes: LaneSamples) -> bool:
    """Return whether a town is one of those in which actors sleep."""
    span_m = lanes.xy_m.max(axis=0) - lanes.xy_m.min(axis=0)
    return bool(span_m.max() > _LARGE_TOWN_M)


def put_to_sleep(table: ActorTable, active_distance_m: float) -> None:
    """Mark who sleeps in this tick; nobody does while there is no hero."""
    heroes = np.flatnonzero(table.is_hero)
    table.is_dormant[:] = False
    if not len(heroes):
        return
    rows = table.solid_rows
    offset_m = table.kin[rows, None, :2] - table.kin[None, heroes, :2]
    near = (np.hypot(offset_m[..., 0], offset_m[..., 1]) <= active_distance_m).any(axis=1)
    table.is_dormant[rows] = ~near
