"""How each junction of a town is regulated, read from the signals of its OpenDRIVE map."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from harness.drive.lanes import Lane, LaneKey, build_lanes

TRAFFIC_LIGHT, STOP_SIGN, YIELD_SIGN = "1000001", "206", "205"
"""Landmark types of CARLA's maps."""


class JunctionKind(StrEnum):
    """Who may go first."""

    SIGNALISED = "signalised"
    ALL_WAY_STOP = "all_way_stop"
    PRIORITY = "priority"
    NONE = "none"


def junction_kinds(carla_map: Any, lanes: dict[LaneKey, Lane] | None = None) -> dict[int, JunctionKind]:
    """Return junction id -> how it is regulated, for every junction that a driving lane crosses.

    A traffic light makes a junction signalised. Else stop signs on every way in make it an all-way stop, a stop or
    yield sign on some of them gives the others priority, and without any sign it is NONE.

    Args:
        carla_map: carla.Map; needs no server.
        lanes: its lanes, if the caller has them already.
    """
    lanes = build_lanes(carla_map, 1.0) if lanes is None else lanes
    lights = set(_regulated(carla_map, lanes, TRAFFIC_LIGHT))
    stops = set(_regulated(carla_map, lanes, STOP_SIGN))
    yields = set(_regulated(carla_map, lanes, YIELD_SIGN))
    kinds: dict[int, JunctionKind] = {}
    for junction_id, inner in _lanes_of_junctions(lanes).items():
        if inner & lights:
            kinds[junction_id] = JunctionKind.SIGNALISED
        elif inner & stops and _ways_in(inner & stops, lanes) == _ways_in(inner, lanes):
            kinds[junction_id] = JunctionKind.ALL_WAY_STOP
        else:
            kinds[junction_id] = JunctionKind.PRIORITY if inner & (stops | yields) else JunctionKind.NONE
    return kinds


def _lanes_of_junctions(lanes: dict[LaneKey, Lane]) -> dict[int, set[LaneKey]]:
    junctions: dict[int, set[LaneKey]] = {}
    for key, lane in lanes.items():
        if lane.is_junction:
            junctions.setdefault(int(lane.entry.junction_id), set()).add(key)
    return junctions


def _regulated(carla_map: Any, lanes: dict[LaneKey, Lane], landmark_type: str) -> Iterator[LaneKey]:
    """Yield the junction lanes that signals of a type stand for: their own, or those their lane leads into."""
    for landmark in carla_map.get_all_landmarks_of_type(landmark_type):
        validities = [(min(pair), max(pair)) for pair in landmark.get_lane_validities()]
        for key, lane in lanes.items():
            road_id, _, lane_id = key
            if road_id != landmark.road_id or (validities and not any(a <= lane_id <= b for a, b in validities)):
                continue
            yield from [key] if lane.is_junction else [one for one in lane.successors if lanes[one].is_junction]


def _ways_in(inner: set[LaneKey], lanes: dict[LaneKey, Lane]) -> set[tuple[int, bool]]:
    """Return the (road, runs with the road) from which the given junction lanes are entered."""
    ways: set[tuple[int, bool]] = set()
    for (road_id, _, lane_id), lane in lanes.items():
        if not lane.is_junction and any(key in inner for key in lane.successors):
            ways.add((road_id, lane_id < 0))
    return ways
