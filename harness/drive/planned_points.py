"""The plan of a route as CARLA's own planner hands it out, for what is defined by the number of a plan point.

Bench2Drive counts such points to tell where the first junction lies, so here they are, those that mean nothing to a
driver included: where one lane ends and the next begins the same place comes twice, and what two stretches have in
common stays. `harness.drive.dense_route` is the plan that is driven.

The way is `RoadGraph.find_way`'s. The planner itself merges lane ends that fall on the same metre, and may turn into
oncoming traffic; on the routes of both sets of Bench2Drive, whose positions lie 2 m apart, neither makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Any

from harness.datatypes.route import Point
from harness.drive.lanes import Lane, lane_key
from harness.drive.road_graph import LANE_CHANGE_STEPS, LANE_CHANGES, RoadGraph
from harness.errors import RouteError


def planned_points(keypoints: Sequence[Point], graph: RoadGraph) -> list[Any]:
    """Return the carla.Waypoint of every point of the official plan, one resolution of the graph apart.

    Args:
        keypoints: at least two points [m, world frame]; the way between two is laid out as if there were no others.

    Raises:
        RouteError: fewer than two points, a point off the lanes, or no way between two of them.
    """
    import carla

    if len(keypoints) < 2:
        raise RouteError(f"route has {len(keypoints)} positions, expected at least 2")
    places = [carla.Location(point.x, point.y, point.z) for point in keypoints]
    return [point for origin, goal in pairwise(places) for point in _stretch(origin, goal, graph)]


def first_in_junction(points: Sequence[Any]) -> int | None:
    """Return which waypoint is the first in a junction, counted from 1; None if none is."""
    return next((number for number, point in enumerate(points, start=1) if point.is_junction), None)


def _stretch(origin: Any, destination: Any, graph: RoadGraph) -> Iterator[Any]:
    """Yield the points between two carla.Location: of each lane those from the one nearest to where the way is."""
    here, start_lane = graph.locate(origin)
    goal, goal_lane = graph.locate(destination)
    steps = graph.find_way(here, start_lane, goal, goal_lane)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        changes_next = following is not None and following.entered_by in LANE_CHANGES
        points = _lane_points(step.lane, None if following is None or changes_next else following.lane)
        if step.entered_by in LANE_CHANGES:
            yield here
            inner = points[1:-1] or points[-1:]
            here = inner[min(len(inner) - 1, _nearest(inner, here) + LANE_CHANGE_STEPS)]
            yield here
        if changes_next:
            continue
        first = _nearest(points, here)
        is_beyond = first > _nearest(points, goal)
        for here in points[first:]:
            yield here
            if following is None and (
                here.transform.location.distance(destination) < 2.0 * graph.resolution_m
                or (is_beyond and lane_key(here) == lane_key(goal))
            ):
                return


def _lane_points(lane: Lane, following: Lane | None) -> list[Any]:
    """Return a lane's points, the last one being the first of the lane that follows, or of any that does.

    Between them lie those at least one resolution away from the last; of a lane that is shorter, one a resolution ahead
    whatever lane it is on. Where no lane follows, the last point comes twice.
    """
    if not lane.successors:
        return [*lane.waypoints, lane.waypoints[-1]]
    leaving = lane.exit_waypoint if following is None else following.entry
    end = leaving.transform.location
    if lane.entry.transform.location.distance(end) <= lane.resolution_m:
        return [lane.entry, *lane.entry.next(lane.resolution_m)[:1], leaving]
    inner = takewhile(lambda point: point.transform.location.distance(end) > lane.resolution_m, lane.waypoints[1:])
    return [lane.entry, *inner, leaving]


def _nearest(points: Sequence[Any], here: Any) -> int:
    at = here.transform.location
    return min(range(len(points)), key=lambda index: points[index].transform.location.distance(at))
