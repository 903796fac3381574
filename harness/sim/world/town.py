"""A town as the world needs it: lanes, signals, spawn points and solid poles, derived once from its OpenDRIVE text.

The text is parsed by `carla.Map`, the client's own parser, so that client and server cannot disagree about the road.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import SimError
from harness.sim.world.cross_sections import read_roads
from harness.sim.world.lanes import LaneSamples, sample_lanes
from harness.sim.world.navigation import Walkways, find_walkways
from harness.sim.world.opendrive import parse_map
from harness.sim.world.right_of_way import SignedJunctions, find_signed_junctions
from harness.sim.world.scenery import Scenery, build_scenery
from harness.sim.world.signals import (
    LIGHT_TYPE,
    SPEED_TYPE,
    Controller,
    LanePlace,
    Signal,
    read_controllers,
    read_signals,
)
from harness.sim.world.surfaces import Beside, find_beside

POLE_HALF_M = 0.15
POLE_HEIGHT_M = 3.0
_POLE_CLEARANCE_M = 0.3
_SIGN_REACH_M = 3.0
_SPAWN_SPACING_M = 40.0
_SPAWN_MARGIN_M = 8.0
SPAWN_HEIGHT_M = 0.3


@dataclass(frozen=True, kw_only=True)
class Town:
    """A town, ready to be simulated.

    Attributes:
        name: as in the route files, ``Town01``.
        opendrive: the text that clients receive.
        lights, signs: ordered by type and id.
        spawn_poses: (M, 6) x, y, z [m], pitch, yaw, roll [deg]; on every driving lane outside junctions.
        poles_m: (P, 3) feet of the poles that are solid.
        pole_signals: ids of the signals on them.
        signed_junctions: where stop and yield signs hold vehicles.
        beside: surfaces beside the driving lanes.
        walkways: where people walk.
    """

    name: str
    opendrive: str
    lanes: LaneSamples
    lights: tuple[Signal, ...]
    signs: tuple[Signal, ...]
    controllers: tuple[Controller, ...]
    spawn_poses: NDArray[np.float64]
    poles_m: NDArray[np.float64]
    pole_signals: tuple[str, ...]
    signed_junctions: SignedJunctions
    beside: Beside
    walkways: Walkways

    @cached_property
    def scenery(self) -> Scenery:
        """Surfaces and standing things; derived when first asked for, because few clients do."""
        signals = (*self.lights, *self.signs)
        return build_scenery(self.name, self.lanes, self.beside, signals, self.pole_signals, self.walkways)


def build_town(name: str, opendrive: str) -> Town:
    """Parse a town.

    Raises:
        SimError: the client's parser finds no driving lane in the text.
    """
    carla_map = parse_map(name, opendrive)
    topology = carla_map.get_topology()
    try:
        controllers = tuple(read_controllers(opendrive))
    except (ValueError, OverflowError) as error:
        raise SimError(f"town {name!r} cannot be read: {error}; expected an OpenDRIVE road network") from error
    lanes, roads = sample_lanes(carla_map), read_roads(opendrive)
    signals = read_signals(carla_map)
    lights = tuple(signal for signal in signals if signal.type == LIGHT_TYPE)
    signs = tuple(signal for signal in signals if signal.type != LIGHT_TYPE)
    index = _LaneIndex(lanes)
    _mark_lights(lanes, lights, index)
    _mark_speed_signs(lanes, signs, index)
    poles_m, pole_signals = _poles(lanes, signals)
    return Town(
        name=name,
        opendrive=opendrive,
        lanes=lanes,
        lights=lights,
        signs=signs,
        controllers=controllers,
        spawn_poses=_spawn_poses(topology),
        poles_m=poles_m,
        pole_signals=pole_signals,
        signed_junctions=find_signed_junctions(lanes, signs, topology, index.around),
        beside=find_beside(lanes, roads),
        walkways=find_walkways(carla_map, roads),
    )


class _LaneIndex:
    """Finds the samples around a place on a lane."""

    def __init__(self, lanes: LaneSamples) -> None:
        self._s_m = lanes.s_m
        self._rows: dict[tuple[int, int], NDArray[np.intp]] = {}
        order = np.lexsort((lanes.s_m, lanes.lane_id, lanes.road_id))
        keys = np.stack([lanes.road_id[order], lanes.lane_id[order]], axis=1)
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        for start, rows in zip(starts, np.split(order, starts[1:]), strict=True):
            self._rows[int(keys[start, 0]), int(keys[start, 1])] = rows

    def around(self, place: LanePlace, reach_m: float) -> NDArray[np.intp]:
        rows = self._rows.get((place.road_id, place.lane_id), np.zeros(0, np.intp))
        return rows[np.abs(self._s_m[rows] - place.s_m) <= reach_m]


def _mark_lights(lanes: LaneSamples, lights: Sequence[Signal], index: _LaneIndex) -> None:
    for number, light in enumerate(lights):
        for line in light.stop_lines:
            for place in line.approach:
                lanes.light_index[index.around(place, 0.75)] = number


def _mark_speed_signs(lanes: LaneSamples, signs: Sequence[Signal], index: _LaneIndex) -> None:
    for sign in signs:
        if sign.type == SPEED_TYPE:
            for place in sign.places:
                lanes.sign_limit_kmh[index.around(place, _SIGN_REACH_M)] = sign.limit_kmh


def _spawn_poses(topology: Sequence[tuple[Any, Any]]) -> NDArray[np.float64]:
    """Return spawn poses on each lane of the topology that is no junction, ordered by road, lane and s."""
    found: dict[tuple[int, int, float], tuple[float, ...]] = {}
    for entry, _ in topology:
        if entry.is_junction:
            continue
        waypoint, place = entry, (entry.road_id, entry.section_id, entry.lane_id)
        travelled_m, since_m = 0.0, _SPAWN_SPACING_M - _SPAWN_MARGIN_M
        while (waypoint.road_id, waypoint.section_id, waypoint.lane_id) == place and travelled_m < 20_000.0:
            ahead = waypoint.next(_SPAWN_MARGIN_M) if since_m >= _SPAWN_SPACING_M else []
            if ahead and not ahead[0].is_junction:
                pose, turn = waypoint.transform.location, waypoint.transform.rotation
                key = (waypoint.road_id, waypoint.lane_id, round(waypoint.s, 1))
                found[key] = (pose.x, pose.y, pose.z + SPAWN_HEIGHT_M, turn.pitch, turn.yaw, 0.0)
                since_m = 0.0
            following = waypoint.next(2.0)
            if not following:
                break
            waypoint, travelled_m, since_m = following[0], travelled_m + 2.0, since_m + 2.0
    poses = np.array([found[key] for key in sorted(found)], dtype=np.float64).reshape(len(found), 6)
    poses[:, 3] = (poses[:, 3] + 180.0) % 360.0 - 180.0
    return poses


def _poles(lanes: LaneSamples, signals: Sequence[Signal]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the feet of the poles and whose they are.

    A light or sign whose place lies over a driving lane hangs there; its pole is not in the town file.
    """
    feet = {(round(s.x_m, 2), round(s.y_m, 2)): s for s in reversed(signals)}
    table = np.array([(s.x_m, s.y_m, s.z_m) for s in feet.values()], dtype=np.float64).reshape(len(feet), 3)
    if not feet:
        return table, ()
    distance_m, nearest = lanes.tree.query(table[:, :2], k=min(8, len(lanes.z_m)))
    distance_m, nearest = distance_m.reshape(len(table), -1), nearest.reshape(len(table), -1)
    clear = (distance_m > lanes.half_width_m[nearest] + POLE_HALF_M + _POLE_CLEARANCE_M).all(axis=1)
    names = [signal.signal_id for signal in feet.values()]
    return table[clear], tuple(name for name, keep in zip(names, clear, strict=True) if keep)
