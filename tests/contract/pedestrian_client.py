"""Clients with pedestrians, each a process of its own: ``python pedestrian_client.py NAME PORT TOWN ...``.

The client keeps navigation meshes in its HOME and reads where that is when it starts; and a mesh that it does not
accept can crash it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import carla

DT_S = 0.05


def run(name: str, home: Path, *arguments: object, limit_s: float = 60.0) -> Any:
    """Run one of the clients of this module with a HOME of its own and return what it reports."""
    command = [sys.executable, __file__, name, *map(str, arguments)]
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=environment)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def _load(port: str, town: str) -> Any:
    client = carla.Client("127.0.0.1", int(port))
    client.set_timeout(20.0)
    world = client.load_world(town)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    world.set_pedestrians_seed(5)
    world.tick()
    return client, world


def _ground(town_map: Any, place: Any) -> str:
    """Return the type of lane that a place lies on."""
    kinds = (carla.LaneType.Sidewalk, carla.LaneType.Shoulder, carla.LaneType.Driving, carla.LaneType.Any)
    for kind in kinds:
        if town_map.get_waypoint(place, project_to_road=False, lane_type=kind) is not None:
            return str(kind)
    return "nothing"


def places(port: str, town: str, count: str) -> Any:
    """Return the ground of places drawn from the mesh, and the files that there are afterwards."""
    client, world = _load(port, town)
    town_map = world.get_map()
    drawn = [world.get_random_location_from_navigation() for _ in range(int(count))]
    home = Path(os.environ["HOME"])
    return {
        "required": client.get_required_files("Nav"),
        "files": {str(file.relative_to(home)): file.stat().st_size for file in home.rglob("*.bin")},
        "ground": [_ground(town_map, place) for place in drawn if place is not None],
        "places": [(place.x, place.y) for place in drawn if place is not None],
    }


def walk(port: str, town: str, ticks: str) -> Any:
    """Have a walker on each of some sidewalks go 10 m along it, and return what became of each."""
    _, world = _load(port, town)
    pairs = [(here, here.next(10.0)[0]) for here in _beside_roads(world)]
    return _go(world, [(here.transform.location, ahead.transform.location) for here, ahead in pairs], int(ticks), 1.4)


def go_over(port: str, town: str, ticks: str, cross_factor: str) -> Any:
    """Send a walker to the place opposite it, far from any crosswalk, on some roads."""
    _, world = _load(port, town)
    world.set_pedestrians_cross_factor(float(cross_factor))
    _stop_vehicles(world)
    town_map = world.get_map()
    pairs = []
    for here in _beside_roads(world):
        others = (town_map.get_waypoint_xodr(here.road_id, lane, here.s) for lane in range(-9, 10))
        there = [w for w in others if w and w.lane_type == here.lane_type and w.lane_id * here.lane_id < 0]
        pairs.append((here.transform.location, there[0].transform.location))
    return _go(world, pairs, int(ticks), 2.0)


def _beside_roads(world: Any, count: int = 4) -> list[Any]:
    """Return places on sidewalks, 40 m from the next junction on either side."""
    town_map, found = world.get_map(), []
    while len(found) < count:
        here = town_map.get_waypoint(world.get_random_location_from_navigation(), lane_type=carla.LaneType.Sidewalk)
        around = [*here.next(40.0), *here.previous(40.0)]
        if not here.is_junction and len(around) == 2 and not any(place.is_junction for place in around):
            found.append(here)
    return found


def cross(port: str, town: str, ticks: str) -> Any:
    """Have a walker go from one end of each of some crosswalks to the other end."""
    _, world = _load(port, town)
    _stop_vehicles(world)
    town_map = world.get_map()
    corners = town_map.get_crosswalks()
    pairs = []
    for first in range(0, 4 * 5, 5):  # four corners, and the first one again
        a, b, c, d = corners[first : first + 4]
        if a.distance(b) > b.distance(c):
            a, b, c, d = b, c, d, a
        ends = []
        for one, other in ((a, b), (c, d)):
            middle = carla.Location(0.5 * (one.x + other.x), 0.5 * (one.y + other.y), one.z)
            ends.append(town_map.get_waypoint(middle, lane_type=carla.LaneType.Sidewalk).transform.location)
        pairs.append((ends[0], ends[1]))
    return _go(world, pairs, int(ticks), 2.0)


def _stop_vehicles(world: Any) -> None:
    """Show red to vehicles for good: while they have green, the client has walkers wait."""
    for light in world.get_actors().filter("traffic.traffic_light"):
        light.set_state(carla.TrafficLightState.Red)
        light.freeze(True)


def _go(world: Any, pairs: list[tuple[Any, Any]], ticks: int, max_speed_mps: float) -> Any:
    library, town_map = world.get_blueprint_library(), world.get_map()
    blueprint, brain = library.filter("walker.pedestrian.*")[0], library.find("controller.ai.walker")
    raised = carla.Location(0.0, 0.0, 1.0)
    people = [world.spawn_actor(blueprint, carla.Transform(start + raised)) for start, _ in pairs]
    world.tick()
    brains = [world.spawn_actor(brain, carla.Transform(), attach_to=walker) for walker in people]
    world.tick()
    for controller, (_, goal) in zip(brains, pairs, strict=True):
        controller.start()
        controller.go_to_location(goal)
        controller.set_max_speed(max_speed_mps)
    paths: list[list[tuple[float, float, float]]] = [[] for _ in people]
    grounds: list[set[str]] = [set() for _ in people]
    for _ in range(ticks):
        world.tick()
        for path, ground, walker, (_, goal) in zip(paths, grounds, people, pairs, strict=True):
            # Whoever has arrived is sent to a place drawn by the client.
            if not path or _distance_m(path[-1], goal) > 2.0:
                place = walker.get_location()
                path.append((place.x, place.y, place.z))
                ground.add(_ground(town_map, place))
    for controller in brains:
        controller.stop()
        controller.destroy()
    world.tick()
    return [
        {"start": (start.x, start.y), "goal": (goal.x, goal.y), "path": path, "ground": sorted(ground)}
        for (start, goal), path, ground in zip(pairs, paths, grounds, strict=True)
    ]


def _distance_m(place: tuple[float, float, float], goal: Any) -> float:
    return math.hypot(place[0] - goal.x, place[1] - goal.y)


if __name__ == "__main__":
    clients = {"places": places, "walk": walk, "go_over": go_over, "cross": cross}
    print(json.dumps(clients[sys.argv[1]](*sys.argv[2:])), flush=True)
