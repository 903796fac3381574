"""Clients with a Traffic Manager, each a process of its own: ``python traffic_client.py NAME PORT TRAFFIC_PORT ...``.

`world.tick()` of such a client can hang (carla-simulator/carla issue 9172; client 0.9.16 has it). They tick as our
drives do, see `harness.drive.ticking`, run under a time limit, and one that hangs all the same is started once more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import carla
import numpy as np

from harness.drive.ticking import Ticker, find_worker, threads
from harness.drive.traffic import BELOW_LIMIT_PERCENT
from harness.errors import EXIT_SIMULATOR

TOWN, DT_S = "Borough01", 0.05
VEHICLES = 20
_ATTEMPTS = 3


def run(name: str, *arguments: object, limit_s: float = 40.0) -> Any:
    """Run one of the clients of this module in a process of its own and return what it reports."""
    command = [sys.executable, __file__, name, *map(str, arguments)]
    for _ in range(_ATTEMPTS):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == EXIT_SIMULATOR:  # hung, and ended by the ticker
            continue
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)
    raise AssertionError(f"{name} did not come to an end in {_ATTEMPTS} attempts of {limit_s:g} s")


def _connect(port: str) -> Any:
    client = carla.Client("127.0.0.1", int(port))
    client.set_timeout(10.0)
    return client


def _apply_synchronous_mode(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)


def _synchronous(world: Any) -> Any:
    _apply_synchronous_mode(world)
    world.tick()
    return world


def _load(client: Any, town: str = TOWN) -> Any:
    # Synchronous before the town begins: until then the lights would run in real time, for longer on a busy machine.
    _apply_synchronous_mode(client.get_world())
    return _synchronous(client.load_world(town, False))


def _manager(client: Any, traffic_port: str) -> tuple[Any, int | None]:
    """Return the Traffic Manager of a port and the thread that it works in."""
    before = threads()
    manager = client.get_trafficmanager(int(traffic_port))
    # At once: an asynchronous one reads the episode all the time, also while the client lets go of it to load another,
    # which crashes the client.
    manager.set_synchronous_mode(True)
    return manager, find_worker(before)


def _ticker(world: Any, worker: int | None) -> Ticker:
    ticker = Ticker(world)
    ticker.watch_worker(worker)
    return ticker


def _tick(ticker: Ticker, count: int) -> None:
    for _ in range(count):
        ticker.tick()


def drive(
    port: str, traffic_port: str, seed: str, seconds: str, file: str, town: str = TOWN, vehicles: str = str(VEHICLES)
) -> list[int]:
    """Have vehicles driven; keep poses (T, N, 4) x, y [m], yaw [deg], z [m], half sizes (N, 2) and who has no green."""
    client = _connect(port)
    client.set_timeout(60.0)
    world = _load(client, town)
    manager, worker = _manager(client, traffic_port)
    ticker = _ticker(world, worker)
    manager.set_random_device_seed(int(seed))
    # As in our drives. At the full limit a car on the ramp of Town03 (30 %) meets the queue below it too late: the
    # Traffic Manager takes what is 4 m lower for the road under a bridge.
    manager.global_percentage_speed_difference(BELOW_LIMIT_PERCENT)
    points = world.get_map().get_spawn_points()
    library = world.get_blueprint_library()
    # As CARLA's own generate_traffic.py --safe, which leaves out what is "prone to accidents": the controller of a
    # Traffic Manager is tuned to cars, makes two-wheelers weave and lorries cut corners.
    models = sorted(blueprint.id for blueprint in library.filter("vehicle.*") if _is_car(blueprint))
    cars = []
    for number, point in enumerate(points[:: len(points) // int(vehicles)][: int(vehicles)]):
        cars.append(world.spawn_actor(library.find(models[number % len(models)]), point))
        cars[-1].set_autopilot(True, int(traffic_port))
    poses, waits = [], []
    for _ in range(round(float(seconds) / DT_S)):
        ticker.tick()
        snapshot = world.get_snapshot()
        places = [snapshot.find(car.id).get_transform() for car in cars]
        poses.append([(place.location.x, place.location.y, place.rotation.yaw, place.location.z) for place in places])
        waits.append([car.is_at_traffic_light() and _is_held_by_a_light(car) for car in cars])
    half_m = [(car.bounding_box.extent.x, car.bounding_box.extent.y) for car in cars]
    np.savez(file, poses=np.array(poses), half_m=np.array(half_m), waits=np.array(waits))
    manager.shut_down()
    return [car.id for car in cars]


def _is_car(blueprint: Any) -> bool:
    return bool(blueprint.get_attribute("base_type") == "car")


def _is_held_by_a_light(car: Any) -> bool:
    return car.get_traffic_light() is not None and car.get_traffic_light_state() != carla.TrafficLightState.Green


def episodes(port: str, traffic_port: str) -> list[float]:
    """Load the town three times under one Traffic Manager; return the speed of a car in each after 3 s."""
    client = _connect(port)
    world = _load(client)
    manager, worker = _manager(client, traffic_port)
    speeds = []
    for _ in range(3):
        ticker = _ticker(world, worker)
        ticker.tick()
        blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
        car = world.spawn_actor(blueprint, world.get_map().get_spawn_points()[2])
        car.set_autopilot(True, int(traffic_port))
        _tick(ticker, 60)
        speeds.append(car.get_velocity().length())
        ticker.close()
        world = _load(client)
    manager.shut_down()
    return speeds


def batch(port: str, traffic_port: str) -> list[float]:
    """Spawn three cars and hand them over in one batch; return their speeds after 3 s."""
    client = _connect(port)
    world = _load(client)
    manager, worker = _manager(client, traffic_port)
    ticker = _ticker(world, worker)
    blueprint, points = world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()
    autopilot = carla.command.SetAutopilot(carla.command.FutureActor, True, int(traffic_port))
    spawns = [carla.command.SpawnActor(blueprint, points[number]).then(autopilot) for number in (2, 5, 8)]
    answers = client.apply_batch_sync(spawns, True)
    assert not any(answer.has_error() for answer in answers)
    _tick(ticker, 60)
    speeds = [world.get_actor(answer.actor_id).get_velocity().length() for answer in answers]
    manager.shut_down()
    return speeds


def take_over(port: str, traffic_port: str) -> float:
    """Drive the car that another client left behind; return its speed after 3 s."""
    client = _connect(port)
    world = _synchronous(client.get_world())
    manager, worker = _manager(client, traffic_port)
    ticker = _ticker(world, worker)
    (car,) = world.get_actors().filter("vehicle.*")
    car.set_autopilot(True, int(traffic_port))
    _tick(ticker, 60)
    speed_mps = float(car.get_velocity().length())
    manager.shut_down()
    return speed_mps


def settings(port: str, traffic_port: str) -> dict[str, Any]:
    """Use every setting of the Traffic Manager; return what came of those that show in 15 s."""
    client = _connect(port)
    world = _load(client)
    manager, worker = _manager(client, traffic_port)
    ticker = _ticker(world, worker)
    world.freeze_all_traffic_lights(True)
    blueprint, points = (
        world.get_blueprint_library().find("vehicle.lincoln.mkz_2020"),
        world.get_map().get_spawn_points(),
    )
    cars = [world.spawn_actor(blueprint, point) for point in points[:: len(points) // 8][:8]]
    slow, half, shifted, led, routed, plain, other, last = cars
    ticker.tick()
    for car in cars:
        car.set_autopilot(True, int(traffic_port))
        manager.ignore_lights_percentage(car, 100.0)
        manager.ignore_signs_percentage(car, 100.0)
        manager.update_vehicle_lights(car, True)
        manager.auto_lane_change(car, False)
    manager.set_desired_speed(slow, 15.0)
    manager.vehicle_percentage_speed_difference(half, 50.0)
    manager.vehicle_lane_offset(shifted, 0.5)
    path = _path(world, led)
    manager.set_path(led, path)
    manager.set_route(routed, ["Left", "Right", "Straight"])
    manager.collision_detection(plain, other, False)
    manager.distance_to_leading_vehicle(plain, 3.0)
    manager.ignore_walkers_percentage(plain, 10.0)
    manager.ignore_vehicles_percentage(plain, 10.0)
    manager.keep_slow_lane_rule_percentage(plain, 10.0)
    manager.random_left_lanechange_percentage(plain, 10.0)
    manager.random_right_lanechange_percentage(plain, 10.0)
    manager.force_lane_change(last, True)
    manager.set_global_distance_to_leading_vehicle(2.0)
    manager.global_percentage_speed_difference(0.0)
    manager.global_lane_offset(0.0)
    manager.vehicle_lane_offset(shifted, 0.5)
    manager.set_hybrid_physics_mode(False)
    manager.set_hybrid_physics_radius(70.0)
    manager.set_osm_mode(True)
    manager.set_respawn_dormant_vehicles(False)
    manager.set_boundaries_respawn_dormant_vehicles(25.0, 200.0)
    closest_m = 1e9
    for _ in range(300):
        ticker.tick()
        closest_m = min(closest_m, led.get_location().distance(path[-1]))
    found = {
        "port": manager.get_port(),
        "slow_kmh": 3.6 * slow.get_velocity().length(),
        "half_of_limit": 3.6 * half.get_velocity().length() / half.get_speed_limit(),
        "offset_m": _beside(world, shifted),
        "plain_offset_m": _beside(world, slow),
        "led_missed_m": closest_m,
        "next_action": str(manager.get_next_action(plain)[0]),
        "actions": len(manager.get_all_actions(plain)),
        "with_lights": len([car for car in cars if car.get_light_state() != carla.VehicleLightState.NONE]),
    }
    manager.shut_down()
    return found


def _path(world: Any, car: Any) -> list[Any]:
    """Return places ahead of a car, the last one 60 m away."""
    waypoint, places = world.get_map().get_waypoint(car.get_location()), []
    for _ in range(12):
        waypoint = waypoint.next(5.0)[-1]
        places.append(waypoint.transform.location)
    return places


def _beside(world: Any, car: Any) -> float:
    """Return how far a car is to the right of its lane's middle."""
    place = car.get_location()
    middle = world.get_map().get_waypoint(place).transform
    right = middle.get_right_vector()
    return float((place - middle.location).dot(right))


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](*sys.argv[2:]), sys.stdout)
