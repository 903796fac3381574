"""Lane graph of a town and the shortest way through it.

A node is one lane of one road section, an edge is "drive on into" or "change to". The graph, the cost and the commands
follow the behaviour of the route planner in CARLA's agents package, because the official routes were laid out with it:
a sparse route must fill in to the same dense route here and there.

Two rules differ, both to refuse what nobody wants to drive: a lane change never leads into oncoming traffic, and a
destination that lies behind the origin on the same lane is reached by driving around.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from harness.drive.lanes import Lane, LaneKey, build_lanes, lane_key
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.errors import RouteError

__all__ = ["LANE_CHANGES", "RoadGraph", "RoadOption", "Step", "turn_option", "turn_options"]

Frontier: TypeAlias = dict[LaneKey, tuple[float, LaneKey | None]]

STRAIGHT_BELOW_RAD = math.radians(35.0)
LANE_CHANGE_STEPS = 5
"""A lane change ends this many samples further on in the new lane."""
OVERLAP_M = 3.5
"""Lanes that leave the same lane count as one place while they are this near: a lane's width."""
BEHIND_M = 10.0
"""A destination this far behind the origin on the same lane means "once around"; less is a slip of the pen."""


@dataclass(frozen=True)
class Step:
    """A lane on the way, and how it is entered: LANEFOLLOW by driving on, else the lane change."""

    lane: Lane
    entered_by: RoadOption


class RoadGraph:
    """The driving lanes of a town.

    Args:
        carla_map: carla.Map; needs no server.
        resolution_m: distance between the waypoints of a lane.
    """

    def __init__(self, carla_map: Any, resolution_m: float = 1.0) -> None:
        self.carla_map = carla_map
        self.resolution_m = resolution_m
        self.lanes = build_lanes(carla_map, resolution_m)
        self._predecessors: dict[LaneKey, list[LaneKey]] = {}
        for lane in self.lanes.values():
            for key in lane.successors:
                self._predecessors.setdefault(key, []).append(lane.key)

    def locate(self, location: Any) -> tuple[Any, Lane]:
        """Return the nearest driving waypoint to a carla.Location and its lane.

        Raises:
            RouteError: the town has no driving lane there that the graph knows.
        """
        waypoint = self.carla_map.get_waypoint(location)
        lane = None if waypoint is None else self.lanes.get(lane_key(waypoint))
        if lane is None:
            raise RouteError(
                f"no driving lane near ({location.x:.1f}, {location.y:.1f}) in {self.carla_map.name}",
                hint="check that the route file and the town belong together",
            )
        return waypoint, lane

    def trace_route(self, origin: Any, destination: Any) -> list[tuple[Any, RoadOption]]:
        """Return the way from one carla.Location to another, about one resolution apart.

        The last waypoint lies within two resolutions of the destination. A lane change is a pair of points that both
        carry the change command.

        Raises:
            RouteError: one of them is not on a lane, or no way leads there.
        """
        start, start_lane = self.locate(origin)
        goal, goal_lane = self.locate(destination)
        steps = self.find_way(start, start_lane, goal, goal_lane)
        trace: list[tuple[Any, RoadOption]] = []
        first = steps[0].lane.nearest_index(start.transform.location)
        current = start if steps[0].lane is start_lane else steps[0].lane.waypoints[first]
        for index, (step, option) in enumerate(zip(steps, turn_options(steps, self.lanes), strict=True)):
            if step.entered_by in LANE_CHANGES:
                target = _lane_change_target(step.lane, current)
                if not (index > 1 and steps[index - 1].entered_by in LANE_CHANGES):
                    trace.append((current, step.entered_by))
                trace.append((step.lane.waypoints[target], step.entered_by))
                current, first = step.lane.waypoints[target], target + 1
            elif index > 0:
                current, first = step.lane.waypoints[0], 0
            is_last = index + 1 == len(steps)
            if not is_last and steps[index + 1].entered_by in LANE_CHANGES:
                continue
            stretch = self._up_to(goal, destination, step.lane, first) if is_last else step.lane.waypoints[first:]
            trace += [(waypoint, option) for waypoint in stretch]
        return trace

    def _up_to(self, goal: Any, destination: Any, lane: Lane, first: int) -> Iterator[Any]:
        """Yield waypoints of a lane up to the first that is close enough to the destination, or level with it."""
        goal_index = lane.nearest_index(goal.transform.location)
        for waypoint in lane.waypoints[first : max(goal_index, first) + 1]:
            yield waypoint
            if waypoint.transform.location.distance(destination) < 2.0 * self.resolution_m:
                return

    def find_way(self, start: Any, start_lane: Lane, goal: Any, goal_lane: Lane) -> list[Step]:
        """Return the lanes of the shortest way (A*, straight-line heuristic) between two waypoints.

        A lane costs its length, a lane change nothing, wherever on the lane the way begins or ends. Where lanes
        fan out of one lane, as in a junction, several overlap and the nearest to the start may be the wrong one; the
        way may then begin on any of them.

        Raises:
            RouteError: no way leads there.
        """
        goes_around = start_lane is goal_lane and _ahead_m(start_lane, start, goal) < -BEHIND_M
        firsts: Frontier
        if goes_around:
            firsts = dict.fromkeys(start_lane.successors, (start_lane.cost, start_lane.key))
        else:
            firsts = {lane.key: (0.0, None) for lane in (start_lane, *self._overlapping(start, start_lane))}
        keys = _a_star(firsts, goal_lane, self.lanes)
        if keys is None:
            raise RouteError(
                f"no way from {_describe(start)} to {_describe(goal)} in {self.carla_map.name}",
                hint="check the order of the route's positions and their lanes",
            )
        steps = [Step(self.lanes[keys[0]], RoadOption.LANEFOLLOW)]
        for before, key in pairwise(keys):
            entered_by = self.lanes[before].changes.get(key, RoadOption.LANEFOLLOW)
            if key in self.lanes[before].successors:
                entered_by = RoadOption.LANEFOLLOW
            steps.append(Step(self.lanes[key], entered_by))
        return steps

    def _overlapping(self, start: Any, start_lane: Lane) -> Iterator[Lane]:
        """Yield the other lanes that leave the same lane as the start's and still run beside it there."""
        location = start.transform.location
        for before in self._predecessors.get(start_lane.key, ()):
            for key in self.lanes[before].successors:
                lane = self.lanes[key]
                nearest = lane.waypoints[lane.nearest_index(location)]
                if lane is not start_lane and nearest.transform.location.distance(location) < OVERLAP_M:
                    yield lane


def turn_options(steps: list[Step], lanes: dict[LaneKey, Lane]) -> list[RoadOption]:
    """Return the command of each lane on a way: a turn inside junctions, else lane follow.

    A way that begins inside a junction has no entry heading, so its first junction counts as lane follow.
    """
    options: list[RoadOption] = []
    turn: RoadOption | None = None
    for index, step in enumerate(steps):
        if not step.lane.is_junction:
            turn = None
        elif turn is None and index > 0:
            turn = _turn(steps, index, lanes)
        options.append(turn or RoadOption.LANEFOLLOW)
    return options


def turn_option(deviation_rad: float, others: Iterable[float]) -> RoadOption:
    """Decide a turn from heading changes, positive to the right.

    Args:
        deviation_rad: exit heading minus entry heading, in (-pi, pi].
        others: sine of the heading change of every other way out of the same lane.
    """
    bends = list(others) or [0.0]
    bend = math.sin(deviation_rad)
    if abs(deviation_rad) < STRAIGHT_BELOW_RAD:
        return RoadOption.STRAIGHT
    if bend < min(bends):
        return RoadOption.LEFT
    if bend > max(bends):
        return RoadOption.RIGHT
    return RoadOption.LEFT if bend < 0.0 else RoadOption.RIGHT


def _turn(steps: list[Step], index: int, lanes: dict[LaneKey, Lane]) -> RoadOption:
    last = index
    while last + 1 < len(steps) and steps[last + 1].lane.is_junction:
        last += 1
    entry_yaw = _yaw_rad(steps[index].lane.waypoints[0])
    leaving = steps[last + 1].lane.waypoints[0] if last + 1 < len(steps) else steps[last].lane.exit_waypoint
    others = [key for key in steps[index - 1].lane.successors if key != steps[index].lane.key]
    bends = [math.sin(_chord_rad(lanes[key]) - entry_yaw) for key in others]
    return turn_option(_wrap(_yaw_rad(leaving) - entry_yaw), bends)


def _a_star(firsts: Frontier, goal: Lane, lanes: dict[LaneKey, Lane]) -> list[LaneKey] | None:
    """Return lane keys from where the way begins to the goal, both included; None where no way leads there.

    Args:
        firsts: lanes to begin with -> (cost to get there, the lane before or None).
    """
    goal_at = goal.entry.transform.location
    reached = dict(firsts)
    frontier = [(cost, number, cost, key) for number, (key, (cost, _)) in enumerate(firsts.items())]
    pushed = len(frontier)
    while frontier:
        _, _, cost, key = heapq.heappop(frontier)
        if cost > reached[key][0]:
            continue
        if key == goal.key:
            return _walk_back(reached, key)
        for following, step_cost in _neighbours(lanes[key]):
            total = cost + step_cost
            if following in reached and reached[following][0] <= total:
                continue
            reached[following] = (total, key)
            estimate = total + lanes[following].entry.transform.location.distance(goal_at)
            heapq.heappush(frontier, (estimate, pushed, total, following))
            pushed += 1
    return None


def _neighbours(lane: Lane) -> Iterator[tuple[LaneKey, float]]:
    for key in lane.successors:
        yield key, lane.cost
    for key in lane.changes:
        yield key, 0.0


def _walk_back(reached: Frontier, last: LaneKey) -> list[LaneKey]:
    keys = [last]
    before = reached[last][1]
    while before is not None:
        keys.append(before)
        before = reached[before][1] if before in reached and before != last else None
    return keys[::-1]


def _lane_change_target(lane: Lane, leaving: Any) -> int:
    """Return where on the new lane a change that begins beside it ends."""
    beside = lane.nearest_index(leaving.transform.location)
    return min(len(lane.waypoints) - 1, beside + LANE_CHANGE_STEPS)


def _ahead_m(lane: Lane, start: Any, goal: Any) -> float:
    """Return how far the goal lies ahead of the start [m]; both are on the lane."""
    return float((goal.s - start.s) * (-1.0 if lane.key[2] > 0 else 1.0))


def _chord_rad(lane: Lane) -> float:
    start, end = lane.entry.transform.location, lane.exit_waypoint.transform.location
    return math.atan2(end.y - start.y, end.x - start.x)


def _yaw_rad(waypoint: Any) -> float:
    return math.radians(waypoint.transform.rotation.yaw)


def _wrap(angle_rad: float) -> float:
    return math.remainder(angle_rad, math.tau)


def _describe(waypoint: Any) -> str:
    at = waypoint.transform.location
    return f"({at.x:.1f}, {at.y:.1f}) on road {waypoint.road_id} lane {waypoint.lane_id}"
