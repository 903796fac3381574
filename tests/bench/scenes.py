"""A simulator in a process of its own and the actors that a measurement fills it with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import carla

from harness.jobs.processes import end, harness_command, start
from harness.supervisor import probe_version

DT_S = 0.05
WALK_MPS = 1.2


@contextmanager
def start_simulator(town: str, port: int, folder: Path) -> Iterator[tuple[Any, float]]:
    """Yield the process of a simulator that answers and the seconds from its start to its first answer; end it."""
    began_s = time.perf_counter()
    arguments = ("--port", str(port), "--town", town, "--parent", str(os.getpid()))
    process = start(harness_command("simulator", *arguments), folder / "log")
    try:
        while probe_version("127.0.0.1", port, 0.5) is None:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.01)
        yield process, time.perf_counter() - began_s
    finally:
        end(process)


def fill_with_vehicles(world: Any, count: int) -> list[Any]:
    """Spawn that many cars at the spawn points of a world, behind each other where those do not suffice."""
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    points = world.get_map().get_spawn_points()
    places = [(point.location + back * 6.0 * point.get_forward_vector(), point) for back in (0, -1) for point in points]
    cars: list[Any] = []
    for place, point in places:
        if len(cars) < count:
            car = world.try_spawn_actor(blueprint, carla.Transform(place, point.rotation))
            cars += [car] if car is not None else []
    assert len(cars) == count
    return cars


def crowd(world: Any, count: int) -> list[Any]:
    """Spawn that many walkers on the pavements of a world and let them walk."""
    blueprint = world.get_blueprint_library().find("walker.pedestrian.0015")
    walkers: list[Any] = []
    for _ in range(20 * count):
        if len(walkers) < count:
            place = world.get_random_location_from_navigation()
            walker = world.try_spawn_actor(blueprint, carla.Transform(place + carla.Location(z=1.0)))
            walkers += [walker] if walker is not None else []
    assert len(walkers) == count
    for walker in walkers:
        walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), WALK_MPS))
    return walkers
