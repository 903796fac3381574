"""The world observer: the state of every actor as the records that the client reads each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.wire.messages import ActorState
from harness.sim.wire.schema import OBSERVER_RECORD
from harness.sim.world.traffic_lights import LightState
from harness.sim.world.world import FIRST_SIGNAL_ROW, World


def observe(world: World) -> NDArray[Any]:
    """Return one `OBSERVER_RECORD` per live actor, shape (N,), in the order of the actor table."""
    table = world.table
    records = np.zeros(len(table), OBSERVER_RECORD)
    records["id"] = table.ids
    records["state"] = np.where(table.is_dormant, ActorState.DORMANT, ActorState.ACTIVE)
    records["kinematics"] = table.kin
    _observe_vehicles(world, records)
    _observe_walkers(world, records)
    _observe_signals(world, records)
    return records


def _observe_vehicles(world: World, records: NDArray[Any]) -> None:
    table, rows = world.table, world.table.vehicle_rows
    if not len(rows):
        return
    records["throttle_steer_brake"][rows] = table.control[rows]
    records["hand_brake"][rows] = table.hand_brake[rows]
    records["reverse"][rows] = table.reverse[rows]
    records["manual_gear_shift"][rows] = table.manual_gear_shift[rows]
    records["gear"][rows] = table.gear[rows]
    records["speed_limit_kmh"][rows] = table.speed_limit_kmh[rows]
    light = table.light_index[rows]
    governed = light >= 0
    records["at_light"][rows] = governed
    # CARLA reports green to a vehicle that no light governs, and red to one that a stop or yield sign holds.
    records["light_state"][rows] = np.where(table.must_yield[rows], LightState.RED, LightState.GREEN)
    if governed.any():
        at, light = rows[governed], light[governed]
        records["light_state"][at] = world.lights.state[light]
        records["light_id"][at] = table.ids[FIRST_SIGNAL_ROW + light]


def _observe_walkers(world: World, records: NDArray[Any]) -> None:
    table, rows = world.table, world.table.walker_rows
    if not len(rows):
        return
    records["walk_direction"][rows] = table.walk[rows, :3]
    records["walk_speed_mps"][rows] = table.walk[rows, 3]
    records["walk_jump"][rows] = table.walk_jump[rows]


def _observe_signals(world: World, records: NDArray[Any]) -> None:
    """Lights and signs come right behind the spectator in the table: town actors are never removed."""
    count = len(world.light_ids)
    signals = records[FIRST_SIGNAL_ROW : FIRST_SIGNAL_ROW + count + len(world.sign_ids)]
    signals["signal_id"] = world.signal_names
    lights = signals[:count]
    lights["signal_times_s"] = world.lights.times_s
    lights["signal_elapsed_s"] = world.lights.elapsed_s
    lights["signal_pole"] = world.lights.pole_index
    lights["signal_frozen"] = world.lights.frozen
    lights["signal_state"] = world.lights.state
