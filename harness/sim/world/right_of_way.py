"""Whose turn it is at stop and yield signs.

CARLA's server shows a red light to a vehicle in the area of such a sign until it may go; the Traffic Manager, which
knows no signs, obeys that. Here a junction is given to one vehicle at a time, first come, first served: after two
seconds at a stop sign, at once at a yield sign, as soon as nobody is in the junction and nobody comes near on a lane
without a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.lanes import LaneSamples
from harness.sim.world.signals import STOP_TYPE, YIELD_TYPE, LanePlace, Signal

STOP_S = 2.0
# Somebody with priority counts as near if he reaches the junction within this time, or stands right before it.
GAP_S = 4.0
MAJOR_REACH_M = 45.0
STANDING_BEFORE_M = 8.0
# A vehicle that does not use its turn loses it.
TURN_S = 6.0
_STEP_M = 2.0


@dataclass(frozen=True, kw_only=True)
class SignedJunctions:
    """Places that matter at junctions with stop or yield signs; per lane sample, shape (N,).

    Attributes:
        waiting: id of the junction whose sign governs this place, -1 = none.
        wait_s: how long one has to wait there.
        inside: id of the signed junction that this place lies in, -1 = none.
        major: id of the signed junction that a lane without a sign leads to from here, -1 = none.
        major_m: distance to it.
    """

    waiting: NDArray[np.int64]
    wait_s: NDArray[np.float64]
    inside: NDArray[np.int64]
    major: NDArray[np.int64]
    major_m: NDArray[np.float64]


def find_signed_junctions(
    lanes: LaneSamples, signs: Sequence[Signal], topology: Sequence[tuple[Any, Any]], around: Any
) -> SignedJunctions:
    """Mark the places at junctions with signs.

    Args:
        topology: of the carla.Map: pairs of waypoints, the first at the beginning of each lane.
        around: (LanePlace, reach in metres) -> rows of the samples there.
    """
    count = len(lanes.z_m)
    found = SignedJunctions(
        waiting=np.full(count, -1, np.int64),
        wait_s=np.zeros(count),
        inside=np.full(count, -1, np.int64),
        major=np.full(count, -1, np.int64),
        major_m=np.full(count, np.inf),
    )
    for sign in (sign for sign in signs if sign.type in (STOP_TYPE, YIELD_TYPE)):
        for line in sign.stop_lines:
            for place in line.approach if line.junction_id >= 0 else ():
                rows = around(place, 0.75)
                found.waiting[rows] = line.junction_id
                found.wait_s[rows] = STOP_S if sign.type == STOP_TYPE else 0.0
    signed = {int(junction) for junction in found.waiting if junction >= 0}
    for entry, _ in topology:
        if entry.is_junction and entry.junction_id in signed:
            # A road of a junction lies inside it from end to end.
            found.inside[around(LanePlace(entry.road_id, entry.lane_id, entry.s), np.inf)] = entry.junction_id
            _mark_major(found, around, entry)
    return found


def _mark_major(found: SignedJunctions, around: Any, entry: Any) -> None:
    waypoint = entry
    for step in range(1, int(MAJOR_REACH_M / _STEP_M) + 1):
        behind = waypoint.previous(_STEP_M)
        if not behind or behind[0].is_junction:
            return
        waypoint = behind[0]
        rows = around(LanePlace(waypoint.road_id, waypoint.lane_id, waypoint.s), _STEP_M / 2.0)
        if step <= 2 and (found.waiting[rows] == entry.junction_id).any():
            return
        found.major[rows] = entry.junction_id
        found.major_m[rows] = step * _STEP_M


@dataclass
class _Waiting:
    """A vehicle in the area of a sign."""

    junction: int
    wait_s: float
    elapsed_s: float = 0.0
    turn_s: float | None = None


class RightOfWay:
    """Gives turns; keeps who waits where, in order of arrival."""

    def __init__(self, places: SignedJunctions) -> None:
        self._places = places
        self._waiting: dict[int, _Waiting] = {}
        self._has_signs = bool((places.waiting >= 0).any())

    def step(
        self,
        ids: NDArray[np.uint32],
        here: NDArray[np.intp],
        ahead: NDArray[np.intp],
        speed_mps: NDArray[np.float64],
        dt_s: float,
    ) -> NDArray[np.bool_]:
        """Let `dt_s` pass and return which of M vehicles have to wait, shape (M,).

        Args:
            ids: actor ids, shape (M,).
            here, ahead: lane samples under the centre and the front of each vehicle, shape (M,).
        """
        held = np.zeros(len(ids), np.bool_)
        if not self._has_signs:
            return held
        places = self._places
        junction = np.where(places.waiting[ahead] >= 0, places.waiting[ahead], places.waiting[here])
        at_sign = np.flatnonzero(junction >= 0)
        self._note_arrivals(ids, junction, at_sign, ahead, here)
        if not len(at_sign):
            return held
        for vehicle in self._waiting.values():
            vehicle.elapsed_s += dt_s
            if vehicle.turn_s is not None:
                vehicle.turn_s += dt_s
        self._end_unused_turns()
        self._give_turns(ids, here, speed_mps)
        for row in at_sign:
            held[row] = self._waiting[int(ids[row])].turn_s is None
        return held

    def _note_arrivals(
        self,
        ids: NDArray[np.uint32],
        junction: NDArray[np.int64],
        at_sign: NDArray[np.intp],
        ahead: NDArray[np.intp],
        here: NDArray[np.intp],
    ) -> None:
        present = {int(ids[row]): row for row in at_sign}
        self._waiting = {key: vehicle for key, vehicle in self._waiting.items() if key in present}
        for key, row in present.items():
            if key not in self._waiting:
                wait_s = max(self._places.wait_s[ahead[row]], self._places.wait_s[here[row]])
                self._waiting[key] = _Waiting(int(junction[row]), float(wait_s))

    def _end_unused_turns(self) -> None:
        for key in [key for key, vehicle in self._waiting.items() if (vehicle.turn_s or 0.0) > TURN_S]:
            vehicle = self._waiting.pop(key)
            # To the end of the queue.
            self._waiting[key] = _Waiting(vehicle.junction, vehicle.wait_s)

    def _give_turns(self, ids: NDArray[np.uint32], here: NDArray[np.intp], speed_mps: NDArray[np.float64]) -> None:
        busy = {vehicle.junction for vehicle in self._waiting.values() if vehicle.turn_s is not None}
        for vehicle in self._waiting.values():
            if vehicle.junction in busy or vehicle.elapsed_s < vehicle.wait_s:
                continue
            busy.add(vehicle.junction)
            if self._is_clear(vehicle.junction, ids, here, speed_mps):
                vehicle.turn_s = 0.0

    def _is_clear(
        self, junction: int, ids: NDArray[np.uint32], here: NDArray[np.intp], speed_mps: NDArray[np.float64]
    ) -> bool:
        places = self._places
        inside = places.inside[here] == junction
        comes = places.major[here] == junction
        distance_m = places.major_m[here]
        soon = (distance_m < GAP_S * speed_mps) | (distance_m < STANDING_BEFORE_M)
        return not (inside | (comes & soon)).any()
