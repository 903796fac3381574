"""Lays out routes on a town: where to start, which way to turn, where to stop.

Candidates are random drives along the lane graph; a greedy choice then covers what the town offers: every kind of
junction and turn, lane changes, lanes that begin and merge, roundabouts, steep hills, ways onto and off a motorway.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datatypes.route import Point, Route
from harness.drive.dense_route import DenseRoute, interpolate
from harness.drive.junctions import JunctionKind, junction_kinds
from harness.drive.lanes import Lane
from harness.drive.road_graph import RoadGraph, Step, turn_options
from harness.drive.road_option import LANE_CHANGES, RoadOption
from harness.errors import RouteError

__all__ = ["JunctionKind", "junction_kinds", "sample_routes"]

SEPARATION_M = 15.0
START_BEFORE_JUNCTION_M = 15
START_AFTER_JUNCTION_M = 5
STRAIGHT_M = 10
STRAIGHT_WITHIN_DEG = 5.0
GOAL_FROM_JUNCTION_M = 10
PIN_AFTER_JUNCTION_M = 5
LANE_CHANGE_SHARE = 0.25
LANE_CHANGE_ROOM_M = 30
STEEP_DEG, SLOPE_EVERY_M = 4.0, 10
SHORT_LANE_M = 30
"""Lanes this short lie between the junctions of a roundabout."""
CANDIDATES_PER_ROUTE = 60
LEAST_CANDIDATES = 600

Feature = tuple[JunctionKind, RoadOption] | str


@dataclass(frozen=True)
class _Candidate:
    """A drive along lanes, from an index of the first lane to an index of the last."""

    steps: tuple[Step, ...]
    start_index: int
    goal_index: int
    features: frozenset[Feature]

    @property
    def start(self) -> Point:
        return _point(self.steps[0].lane.waypoints[self.start_index])

    @property
    def goal(self) -> Point:
        return _point(self.steps[-1].lane.waypoints[self.goal_index])

    def keypoints(self) -> tuple[Point, ...]:
        """Return the start, a point shortly after each junction, and the goal."""
        pins: list[Point] = []
        for before, step in zip(self.steps[:-1], self.steps[1:], strict=True):
            if before.lane.is_junction and not step.lane.is_junction:
                pins.append(_point(step.lane.waypoints[min(PIN_AFTER_JUNCTION_M, len(step.lane.waypoints) // 2)]))
        return (self.start, *pins, self.goal)


def sample_routes(
    carla_map: Any,
    *,
    town: str,
    count: int,
    seed: int,
    length_range_m: tuple[float, float] = (100.0, 600.0),
    avoid: Sequence[Route] = (),
) -> list[Route]:
    """Return routes that cover the junction kinds and turns of a town; the same arguments give the same routes.

    A start lies on a straight part of a lane, 15 m or more before a junction; a goal 10 m or more from any. Starts lie
    15 m apart, and so do goals. Between them, one point after each junction leaves a planner no other way.

    Args:
        carla_map: carla.Map of the town; needs no server.
        town: name that the routes carry.
        length_range_m: shortest and longest route.
        avoid: routes whose starts and goals the new ones keep 15 m away from; those in other towns do not matter.

    Raises:
        RouteError: the town has no room for that many routes.
    """
    graph = RoadGraph(carla_map)
    rng = random.Random(seed)
    here = [route for route in avoid if route.town == town]
    taken = [point for route in here for point in (route.keypoints[0], route.keypoints[-1])]
    pool = _candidates(graph, rng, max(LEAST_CANDIDATES, CANDIDATES_PER_ROUTE * count), length_range_m)
    pool = [one for one in pool if _is_clear(one.start, taken) and _is_clear(one.goal, taken)]
    chosen: list[_Candidate] = []
    seen: Counter[Feature] = Counter()
    while pool and len(chosen) < count:
        best = max(pool, key=lambda one: _gain(one.features, seen))
        pool.remove(best)
        if not _is_drivable(best, graph, length_range_m):
            continue
        chosen.append(best)
        seen.update(best.features)
        pool = [one for one in pool if _is_clear(one.start, [best.start]) and _is_clear(one.goal, [best.goal])]
    if len(chosen) < count:
        low, high = length_range_m
        raise RouteError(
            f"town {town} has room for {len(chosen)} routes of {low:g} to {high:g} m, expected {count}",
            hint="ask for fewer routes, a wider length range or a larger town",
        )
    file = Path(f"{town}_seed{seed}.xml")
    names = [f"{town}_{seed}_{number:02d}" for number in range(count)]
    return [
        Route(route_id=name, town=town, file=file, keypoints=one.keypoints())
        for name, one in zip(names, chosen, strict=True)
    ]


def _candidates(
    graph: RoadGraph, rng: random.Random, attempts: int, length_range_m: tuple[float, float]
) -> list[_Candidate]:
    kinds = junction_kinds(graph.carla_map, graph.lanes)
    lanes = [graph.lanes[key] for key in sorted(graph.lanes) if not graph.lanes[key].is_junction]
    weights = [lane.cost for lane in lanes]
    found: list[_Candidate] = []
    for _ in range(attempts):
        lane = rng.choices(lanes, weights)[0]
        start_index = rng.randrange(len(lane.waypoints))
        wanted_m = rng.uniform(*length_range_m)
        if not _is_good_start(graph, lane, start_index):
            continue
        steps, goal_index = _drive(graph, rng, lane, start_index, wanted_m)
        if goal_index is not None:
            features = _features(steps, graph, kinds) | _slopes(steps, start_index, goal_index)
            found.append(_Candidate(tuple(steps), start_index, goal_index, features))
    return found


def _drive(
    graph: RoadGraph, rng: random.Random, lane: Lane, start_index: int, wanted_m: float
) -> tuple[list[Step], int | None]:
    """Drive on at random, no lane twice, to the first good goal after the wanted length; None where there is none."""
    steps = [Step(lane, RoadOption.LANEFOLLOW)]
    visited = {lane.key}
    driven_m = -start_index * graph.resolution_m
    while True:
        for index in range(max(0, math.ceil((wanted_m - driven_m) / graph.resolution_m)), len(lane.waypoints)):
            is_away = _is_away_from_junctions(graph, lane, index, GOAL_FROM_JUNCTION_M, GOAL_FROM_JUNCTION_M)
            if is_away and len(lane.waypoints) >= SHORT_LANE_M:
                return steps, index
        options = [(key, RoadOption.LANEFOLLOW) for key in lane.successors]
        room_m = len(lane.waypoints) - (start_index if len(steps) == 1 else 0)
        if lane.changes and room_m >= LANE_CHANGE_ROOM_M and rng.random() < LANE_CHANGE_SHARE:
            options = list(lane.changes.items())
        options = [(key, option) for key, option in options if key not in visited]
        if not options:
            return steps, None
        key, entered_by = rng.choice(options)
        if entered_by not in LANE_CHANGES:
            driven_m += lane.cost * graph.resolution_m
        lane = graph.lanes[key]
        visited.add(key)
        steps.append(Step(lane, entered_by))


def _features(steps: list[Step], graph: RoadGraph, kinds: dict[int, JunctionKind]) -> frozenset[Feature]:
    features: set[Feature] = {"lane change"} if any(step.entered_by in LANE_CHANGES for step in steps) else set()
    turns = turn_options(steps, graph.lanes)
    previous: JunctionKind | None = None
    for index, (step, turn) in enumerate(zip(steps, turns, strict=True)):
        if not step.lane.is_junction:
            if len(step.lane.waypoints) < SHORT_LANE_M:
                features.add("roundabout")
            continue
        kind = kinds[int(step.lane.waypoints[0].junction_id)]
        features.add((kind, turn))
        if previous is not None and (kind is JunctionKind.NONE) != (previous is JunctionKind.NONE):
            features.add("motorway joined" if kind is JunctionKind.NONE else "motorway left")
        previous = kind
        if kind is JunctionKind.NONE and index > 0:
            features.update(_lane_features(steps[index - 1].lane, step.lane, graph))
    return frozenset(features)


def _slopes(steps: list[Step], start_index: int, goal_index: int) -> frozenset[Feature]:
    """Return which slopes a drive climbs or comes down, from an index of the first lane to an index of the last."""
    points = [point for step in steps for point in step.lane.waypoints]
    driven = points[start_index : len(points) - len(steps[-1].lane.waypoints) + goal_index + 1 : SLOPE_EVERY_M]
    slopes_deg = [math.remainder(point.transform.rotation.pitch, 360.0) for point in driven]
    ways = {"uphill": max(slopes_deg) > STEEP_DEG, "downhill": min(slopes_deg) < -STEEP_DEG}
    return frozenset(name for name, is_steep in ways.items() if is_steep)


def _lane_features(before: Lane, inner: Lane, graph: RoadGraph) -> Iterator[str]:
    """Yield whether lanes part or merge where nobody has to wait, as on a motorway."""
    if len(before.successors) > 1:
        yield "lanes part"
    following = inner.successors[0] if inner.successors else None
    if sum(following in lane.successors for lane in graph.lanes.values() if lane.is_junction) > 1:
        yield "lanes merge"


def _gain(features: Iterable[Feature], seen: Counter[Feature]) -> tuple[int, float]:
    """Rank a candidate: how much it shows that no chosen route does, then how rare what it shows is on average."""
    counts = [seen[feature] for feature in features]
    # exact, because the order of a set differs from process to process
    rarity = math.fsum(1.0 / (1.0 + count) for count in counts) / len(counts) if counts else 0.0
    return sum(count == 0 for count in counts), rarity


def _is_drivable(candidate: _Candidate, graph: RoadGraph, length_range_m: tuple[float, float]) -> bool:
    """Tell whether the keypoints alone lead along the candidate's junction lanes, within the length range."""
    try:
        dense = interpolate(candidate.keypoints(), graph)
    except RouteError:
        return False
    low, high = length_range_m
    wanted = [(step.lane.key[0], step.lane.key[2]) for step in candidate.steps if step.lane.is_junction]
    return low <= dense.length_m <= high and _junction_lanes(dense) == wanted


def _junction_lanes(dense: DenseRoute) -> list[tuple[int, int]]:
    lanes: list[tuple[int, int]] = []
    for road_id, lane_id, inside in zip(dense.road_id, dense.lane_id, dense.is_junction, strict=True):
        lane = (int(road_id), int(lane_id))
        if inside and (not lanes or lanes[-1] != lane):
            lanes.append(lane)
    return lanes


def _is_good_start(graph: RoadGraph, lane: Lane, index: int) -> bool:
    if not _is_away_from_junctions(graph, lane, index, START_AFTER_JUNCTION_M, START_BEFORE_JUNCTION_M):
        return False
    ahead = lane.waypoints[index : index + STRAIGHT_M + 1]
    yaw_deg = ahead[0].transform.rotation.yaw
    bends = [abs(math.remainder(waypoint.transform.rotation.yaw - yaw_deg, 360.0)) for waypoint in ahead]
    return len(ahead) > STRAIGHT_M and max(bends) < STRAIGHT_WITHIN_DEG


def _is_away_from_junctions(graph: RoadGraph, lane: Lane, index: int, behind_m: int, ahead_m: int) -> bool:
    """Tell whether the road goes on for so far, behind and ahead, without a junction."""
    waypoint = lane.waypoints[index]
    around = [waypoint.previous(distance_m) for distance_m in range(1, behind_m + 1)]
    around += [waypoint.next(distance_m) for distance_m in range(1, ahead_m + 1)]
    return all(places and not any(place.is_junction for place in places) for places in around)


def _is_clear(point: Point, taken: Iterable[Point]) -> bool:
    return all(math.dist((point.x, point.y), (other.x, other.y)) >= SEPARATION_M for other in taken)


def _point(waypoint: Any) -> Point:
    at = waypoint.transform.location
    return Point(round(at.x, 3), round(at.y, 3), round(at.z, 3))
