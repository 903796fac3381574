"""The driving lanes of a town and how they connect, read from a carla.Map.

How lanes follow each other is read at once; what lies along a lane only when somebody asks for that lane: the largest
towns have 3,000 km of them, and a route needs a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from harness.drive.road_option import RoadOption

LaneKey: TypeAlias = tuple[int, int, int]
"""(road id, section id, lane id)."""


@dataclass(eq=False)
class Lane:
    """One driving lane of one road section.

    Attributes:
        entry: its first carla.Waypoint.
        exit_waypoint: start of a lane that follows, or this lane's end where none follows.
        successors: lanes that continue this one.
        town: all lanes of the town, this one included.
        resolution_m: distance between its waypoints.
    """

    key: LaneKey
    entry: Any
    exit_waypoint: Any
    is_junction: bool
    successors: list[LaneKey] = field(default_factory=list)
    town: Mapping[LaneKey, Lane] = field(default_factory=dict, repr=False)
    resolution_m: float = 1.0

    @cached_property
    def waypoints(self) -> list[Any]:
        """carla.Waypoint about one resolution apart, from the lane's start to its end."""
        waypoints = sample_lane(self.entry, self.resolution_m)
        gap_m = waypoints[-1].transform.location.distance(self.exit_waypoint.transform.location)
        if len(waypoints) > 1 and gap_m < 0.5 * self.resolution_m:
            waypoints.pop()
        return waypoints

    @cached_property
    def changes(self) -> dict[LaneKey, RoadOption]:
        """Neighbour lane -> the lane change that leads there."""
        return dict(_lane_changes(self, self.town))

    @cached_property
    def xyz(self) -> npt.NDArray[np.float64]:
        """Positions of the waypoints [m, world frame], shape (n, 3)."""
        locations = (waypoint.transform.location for waypoint in self.waypoints)
        return np.array([(at.x, at.y, at.z) for at in locations], dtype=np.float64)

    @property
    def cost(self) -> float:
        """Length in samples, the unit in which ways are compared."""
        return float(len(self.waypoints))

    def nearest_index(self, location: Any) -> int:
        """Return the index of the waypoint nearest to a carla.Location."""
        offsets = self.xyz - (location.x, location.y, location.z)
        return int(np.argmin(np.einsum("ij,ij->i", offsets, offsets)))


def build_lanes(carla_map: Any, resolution_m: float) -> dict[LaneKey, Lane]:
    """Return every driving lane of a carla.Map with its successors and lane changes.

    Lanes that no other lane names as its entry, where a road leads out of the town, are included.
    """
    lanes: dict[LaneKey, Lane] = {}
    beginnings: dict[LaneKey, Any] = {}

    def add(entry: Any, leaving: Any) -> Lane:
        lane = Lane(lane_key(entry), entry, leaving, bool(entry.is_junction), town=lanes, resolution_m=resolution_m)
        lanes[lane.key] = lane
        return lane

    for entry, leaving in carla_map.get_topology():
        lane = lanes.get(lane_key(entry)) or add(entry, leaving)
        following = lane_key(leaving)
        if following != lane.key and following not in lane.successors:
            lane.successors.append(following)
            beginnings.setdefault(following, leaving)
    for key, entry in beginnings.items():
        if key not in lanes:
            add(entry, entry)
    return lanes


def lane_key(waypoint: Any) -> LaneKey:
    """Return (road id, section id, lane id) of a carla.Waypoint."""
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def sample_lane(entry: Any, resolution_m: float) -> list[Any]:
    """Return waypoints from a lane's first to its last, one resolution apart.

    Steps with ``next``: ``next_until_lane_end`` of carla 0.9.16 ends the process on some lanes of large towns.
    """
    key, waypoints, direction = lane_key(entry), [entry], -1.0 if entry.lane_id > 0 else 1.0
    while True:
        here = waypoints[-1]
        ahead = here.next(resolution_m)
        if not ahead or lane_key(ahead[0]) != key or (ahead[0].s - here.s) * direction <= 0.0:
            return waypoints
        waypoints.append(ahead[0])


def _lane_changes(lane: Lane, lanes: Mapping[LaneKey, Lane]) -> Iterator[tuple[LaneKey, RoadOption]]:
    """Yield the neighbour lanes that the markings let a driver change to somewhere along the lane."""
    if lane.is_junction:
        return
    wanted: dict[int, tuple[RoadOption, Callable[[Any], Any]]] = {
        1: (RoadOption.CHANGELANERIGHT, lambda waypoint: waypoint.get_right_lane()),
        2: (RoadOption.CHANGELANELEFT, lambda waypoint: waypoint.get_left_lane()),
    }
    for waypoint in lane.waypoints:
        allowed = int(waypoint.lane_change)
        for bit, (option, neighbour_of) in list(wanted.items()):
            neighbour = neighbour_of(waypoint) if allowed & bit else None
            if neighbour is not None and lane_key(neighbour) in lanes and _run_alongside(waypoint, neighbour):
                del wanted[bit]
                yield lane_key(neighbour), option
        if not wanted:
            return


def _run_alongside(waypoint: Any, neighbour: Any) -> bool:
    return bool(neighbour.road_id == waypoint.road_id and (neighbour.lane_id > 0) == (waypoint.lane_id > 0))
