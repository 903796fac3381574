"""The simulator over many ticks with actors coming and going: it neither grows nor slows down.

200,000 ticks take about 8 minutes on two cores, 12 while others keep them busy: 30,000 took 104 s then.
"""

from __future__ import annotations

import os
import random
from typing import Any

import carla
import psutil
import pytest

from tests.contract.conftest import DT_S, TOWN, Server

SHORT = bool(os.environ.get("HARNESS_SOAK_SHORT"))
TICKS = 2_000 if SHORT else 200_000
VEHICLES = 40
# Resident memory after the first quarter against the end; at full length a leak of 40 bytes per tick shows.
GROWTH_ALLOWED = 1.05
# Processor time of the server: it does not depend on what else the machine does.
SLOWDOWN_ALLOWED = 1.25


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_memory_and_speed_stay_as_actors_come_and_go(server: Server) -> None:
    client = server.client()
    world = client.load_world(TOWN)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    world.tick()
    generator = random.Random(1)
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    process = psutil.Process(server.pid)
    alive: list[tuple[int, int]] = []
    spawned, sizes, cpu_s = 0, [], []
    for tick in range(TICKS):
        if tick % 5 == 0:
            alive, new = _replace_some(client, library, points, alive, generator)
            spawned += new
        if tick % (TICKS // 20) == 0:
            sizes.append(process.memory_info().rss)
            cpu_s.append(sum(process.cpu_times()[:2]))
        world.tick()
    assert spawned > TICKS // 5
    settled, last = max(sizes[4:8]), max(sizes[-4:])
    assert last < GROWTH_ALLOWED * settled, f"resident memory over time: {[size >> 10 for size in sizes]} KiB"
    early_s, late_s = cpu_s[10] - cpu_s[5], cpu_s[19] - cpu_s[14]
    assert late_s < SLOWDOWN_ALLOWED * early_s, f"a quarter of the ticks took {early_s:.2f} s, later {late_s:.2f} s"


def _replace_some(
    client: Any, library: Any, points: Any, alive: list[tuple[int, int]], generator: random.Random
) -> tuple[list[tuple[int, int]], int]:
    """Destroy the oldest vehicles with their sensors and spawn others that drive; return who lives, how many came."""
    gone, alive = alive[: max(0, len(alive) - VEHICLES + 4)], alive[max(0, len(alive) - VEHICLES + 4) :]
    client.apply_batch_sync([carla.command.DestroyActor(actor) for pair in gone for actor in pair if actor], False)
    control = carla.VehicleControl(throttle=0.6, steer=generator.uniform(-0.3, 0.3))
    spawns = [
        carla.command.SpawnActor(library.find("vehicle.audi.tt"), point).then(
            carla.command.ApplyVehicleControl(carla.command.FutureActor, control)
        )
        for point in generator.sample(points, 8)
    ]
    cars = [answer.actor_id for answer in client.apply_batch_sync(spawns, False) if not answer.has_error()]
    sensor = library.find("sensor.other.collision")
    attached = [carla.command.SpawnActor(sensor, carla.Transform(), car) for car in cars]
    sensors = [answer.actor_id for answer in client.apply_batch_sync(attached, False)]
    return alive + list(zip(cars, sensors, strict=True)), len(cars)
