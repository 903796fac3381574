"""The client's Traffic Manager drives on the server: in lane, without contact, the same way every time."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest
from shapely import Polygon

from harness.jobs.ports import take_port_block
from harness.supervisor import EmbeddedSimulator
from tests.contract.conftest import DT_S, TOWN, Server

VEHICLES, SECONDS = 20, 60
BEYOND_EDGE_M = 1.0


@dataclass
class Drive:
    """What twenty vehicles did: poses (T, N, 3) x, y [m], yaw [deg]; half sizes (N, 2)."""

    poses: Any = None
    half_m: Any = None
    ids: list[int] = field(default_factory=list)
    town: Any = None


def _drive(client: Any, traffic_port: int, seed: int = 7, seconds: int = SECONDS) -> Drive:
    world = client.load_world(TOWN)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    world.tick()
    manager = client.get_trafficmanager(traffic_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(seed)
    points = world.get_map().get_spawn_points()[:: len(world.get_map().get_spawn_points()) // VEHICLES]
    models = sorted(b.id for b in world.get_blueprint_library().filter("vehicle.*"))
    cars = []
    for number, point in enumerate(points[:VEHICLES]):
        blueprint = world.get_blueprint_library().find(models[number % len(models)])
        cars.append(world.spawn_actor(blueprint, point))
        cars[-1].set_autopilot(True, traffic_port)
    drive = Drive(half_m=np.array([(c.bounding_box.extent.x, c.bounding_box.extent.y) for c in cars]))
    drive.ids, drive.town = [car.id for car in cars], world.get_map()
    poses = []
    for _ in range(round(seconds / DT_S)):
        world.tick()
        snapshot = world.get_snapshot()
        row = []
        for car in cars:
            pose = snapshot.find(car.id).get_transform()
            row.append((pose.location.x, pose.location.y, pose.rotation.yaw))
        poses.append(row)
    drive.poses = np.array(poses)
    settings.synchronous_mode, settings.fixed_delta_seconds = False, None
    manager.set_synchronous_mode(False)
    manager.shut_down()
    world.apply_settings(settings)
    return drive


@pytest.fixture(scope="module")
def drive(server: Server) -> Drive:
    return _drive(server.client(), server.traffic_port)


def test_vehicles_stay_in_their_lanes(drive: Drive) -> None:
    worst_m = 0.0
    for row in drive.poses[::5]:
        for x, y, _ in row:
            place = carla.Location(float(x), float(y), 0.0)
            waypoint = drive.town.get_waypoint(place)
            gap_m = waypoint.transform.location.distance_2d(place) - waypoint.lane_width / 2.0
            worst_m = max(worst_m, gap_m)
    assert worst_m <= BEYOND_EDGE_M


def test_vehicles_never_overlap(drive: Drive) -> None:
    reach_m = np.hypot(drive.half_m[:, 0], drive.half_m[:, 1])
    near_m = reach_m[:, None] + reach_m[None, :]
    for row in drive.poses[::2]:
        gap_m = np.hypot(row[:, None, 0] - row[None, :, 0], row[:, None, 1] - row[None, :, 1])
        for a, b in np.argwhere(np.triu(gap_m < near_m, 1)):
            overlap_m2 = _box(row[a], drive.half_m[a]).intersection(_box(row[b], drive.half_m[b])).area
            assert overlap_m2 < 1e-3, f"{drive.ids[a]} and {drive.ids[b]}"


def _box(pose: Any, half_m: Any) -> Polygon:
    yaw = np.radians(pose[2])
    corners = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * half_m
    turn = np.array([(np.cos(yaw), np.sin(yaw)), (-np.sin(yaw), np.cos(yaw))])
    return Polygon(corners @ turn + pose[:2])


def test_everybody_gets_somewhere(drive: Drive) -> None:
    steps_m = np.hypot(*np.moveaxis(np.diff(drive.poses[:, :, :2], axis=0), -1, 0))
    travelled_m = steps_m.sum(axis=0)
    assert steps_m.max() < 30.0 * DT_S  # nobody is put elsewhere
    assert travelled_m.min() > 20.0
    assert travelled_m.mean() > 150.0
    # Nobody stands for longer than lights and queues explain: a turn of all others, 3 x 15 s, at most.
    moving = steps_m > 0.01
    for track in moving.T:
        gaps = np.diff(np.flatnonzero(np.r_[True, track, True]))
        assert gaps.max() * DT_S < 50.0


@pytest.fixture
def simulator(tmp_path: Path) -> Any:
    """Return a simulator that resets between clients, as evaluation uses it."""
    block = take_port_block()
    simulator = EmbeddedSimulator(block.rpc, [], tmp_path / "log")
    yield simulator, block.traffic_manager
    simulator.stop()
    block.release()


def test_the_same_seed_drives_the_same_way_also_on_a_warm_simulator(simulator: Any) -> None:
    running, traffic_port = simulator
    drives = []
    for seed in (3, 3, 4):
        running.ensure_running(TOWN)
        client = carla.Client("127.0.0.1", running.port)
        client.set_timeout(10.0)
        drives.append(_drive(client, traffic_port, seed=seed, seconds=20))
        del client
        gc.collect()
    assert drives[0].ids == drives[1].ids
    assert np.array_equal(drives[0].poses, drives[1].poses)
    assert drives[2].ids == drives[0].ids
    assert not np.array_equal(drives[0].poses, drives[2].poses)


def test_a_traffic_manager_follows_into_the_next_episode(server: Server, client: Any, world: Any) -> None:
    manager = client.get_trafficmanager(server.traffic_port + 1)
    # An asynchronous one reads the episode all the time, also while the client lets go of it, which crashes the client.
    manager.set_synchronous_mode(True)
    world.tick()
    for _ in range(3):
        point = world.get_map().get_spawn_points()[2]
        car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), point)
        car.set_autopilot(True, server.traffic_port + 1)
        for _ in range(60):
            world.tick()
        assert car.get_velocity().length() > 3.0
        world = client.load_world(TOWN)
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
        world.apply_settings(settings)
        world.tick()
    manager.shut_down()


def test_commands_of_a_batch_can_hand_vehicles_over(server: Server, client: Any, world: Any) -> None:
    manager = client.get_trafficmanager(server.traffic_port + 2)
    manager.set_synchronous_mode(True)
    car = world.get_blueprint_library().find("vehicle.audi.tt")
    command: Callable[..., Any] = carla.command.SpawnActor
    future = carla.command.FutureActor
    points = world.get_map().get_spawn_points()
    batch = [
        command(car, points[k]).then(carla.command.SetAutopilot(future, True, server.traffic_port + 2))
        for k in (2, 5, 8)
    ]
    answers = client.apply_batch_sync(batch, True)
    assert not any(answer.has_error() for answer in answers)
    for _ in range(60):
        world.tick()
    assert min(world.get_actor(answer.actor_id).get_velocity().length() for answer in answers) > 3.0
    manager.shut_down()
