"""Background traffic: vehicles near the route, driven by the Traffic Manager inside the client."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.drive.dense_route import DenseRoute
from harness.drive.scene import BACKGROUND_ROLE
from harness.drive.ticking import Ticker, find_worker, threads
from harness.errors import SimError

NEAR_ROUTE_M = 150.0
CLEAR_OF_START_M = 25.0
MOST_VEHICLES = 40
# Share of the free spawn points near the route that get a vehicle.
DENSITY = 0.25
LEAD_DISTANCE_M = 2.5
# CARLA documents 30 percent below the limit as the Traffic Manager's default; the 0.9.16 client starts at 0.
BELOW_LIMIT_PERCENT = 30.0
# Ordinary cars that fit into every lane, by name: scores are compared over years, and another library, or another class
# for a car in it, must not change who is on the road.
TRAFFIC_MODELS = frozenset(
    {
        "vehicle.audi.a2",
        "vehicle.audi.etron",
        "vehicle.audi.tt",
        "vehicle.bmw.grandtourer",
        "vehicle.chevrolet.impala",
        "vehicle.citroen.c3",
        "vehicle.dodge.charger_2020",
        "vehicle.ford.mustang",
        "vehicle.jeep.wrangler_rubicon",
        "vehicle.lincoln.mkz_2017",
        "vehicle.lincoln.mkz_2020",
        "vehicle.mercedes.coupe_2020",
        "vehicle.mini.cooper_s",
        "vehicle.nissan.micra",
        "vehicle.nissan.patrol",
        "vehicle.seat.leon",
        "vehicle.tesla.model3",
        "vehicle.toyota.prius",
    }
)


@dataclass(frozen=True)
class TrafficPlan:
    """Which vehicles stand where when the route begins: (blueprint id, carla.Transform)."""

    vehicles: list[tuple[str, Any]]


def plan_traffic(route: DenseRoute, spawn_points: list[Any], blueprint_ids: list[str], seed: int) -> TrafficPlan:
    """Choose spawn points near the route and a model for each.

    Args:
        spawn_points: carla.Transform, as the map recommends them.
        blueprint_ids: models to choose from; order does not matter.
        seed: same seed, same plan.
    """
    generator = random.Random(seed)
    xy = route.xyz[:, :2]
    near = []
    # The largest towns have tens of thousands; most are nowhere near.
    places = np.array([(point.location.x, point.location.y) for point in spawn_points], np.float64).reshape(-1, 2)
    is_around = ((places > xy.min(axis=0) - NEAR_ROUTE_M) & (places < xy.max(axis=0) + NEAR_ROUTE_M)).all(axis=1)
    around = [spawn_points[index] for index in np.flatnonzero(is_around)]
    for point in sorted(around, key=lambda item: (item.location.x, item.location.y, item.rotation.yaw)):
        here = (point.location.x, point.location.y)
        from_route_m = float(np.hypot(xy[:, 0] - here[0], xy[:, 1] - here[1]).min())
        from_start_m = float(np.hypot(xy[0, 0] - here[0], xy[0, 1] - here[1]))
        if from_route_m < NEAR_ROUTE_M and from_start_m > CLEAR_OF_START_M:
            near.append(point)
    generator.shuffle(near)
    models = sorted(blueprint_ids)
    chosen = near[: min(MOST_VEHICLES, round(DENSITY * len(near)))]
    return TrafficPlan([(generator.choice(models), point) for point in chosen])


def spawn_traffic(client: Any, world: Any, plan: TrafficPlan, port: int, seed: int, ticker: Ticker) -> list[Any]:
    """Put the planned vehicles on the road under a Traffic Manager of this client.

    Args:
        port: free port of the Traffic Manager.
        seed: of its random decisions.
        ticker: ticks the world; learns which thread the Traffic Manager works in.

    Returns:
        The carla.Vehicle actors, ordered by id.

    Raises:
        SimError: the server refuses every vehicle.
    """
    import carla

    if not plan.vehicles:
        # An idle Traffic Manager's cycles are so short that the race described in `ticking` becomes likely.
        return []
    before = threads()
    manager = client.get_trafficmanager(port)
    ticker.watch_worker(find_worker(before))
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(seed)
    manager.set_global_distance_to_leading_vehicle(LEAD_DISTANCE_M)
    manager.global_percentage_speed_difference(BELOW_LIMIT_PERCENT)
    library = world.get_blueprint_library()
    batch = []
    for type_id, pose in plan.vehicles:
        blueprint = library.find(type_id)
        blueprint.set_attribute("role_name", BACKGROUND_ROLE)
        spawn = carla.command.SpawnActor(blueprint, pose)
        batch.append(spawn.then(carla.command.SetAutopilot(carla.command.FutureActor, True, port)))
    answers = client.apply_batch_sync(batch, False)
    ids = [answer.actor_id for answer in answers if not answer.error]
    if not ids:
        raise SimError(f"none of {len(batch)} traffic vehicles could be spawned: {answers[0].error}")
    ticker.tick()
    return sorted(world.get_actors(ids), key=lambda actor: int(actor.id))


def traffic_models(world: Any) -> list[str]:
    """Return the ids of the models in the blueprint library that traffic is made of."""
    return [
        blueprint.id
        for blueprint in world.get_blueprint_library().filter("vehicle.*")
        if blueprint.id in TRAFFIC_MODELS
    ]
