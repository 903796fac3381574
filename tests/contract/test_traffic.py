"""The client's Traffic Manager drives on the server: in lane, without contact, the same way every time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest
from shapely import Polygon

from harness.jobs.ports import take_port_block
from harness.supervisor import EmbeddedSimulator
from tests.contract import traffic_client
from tests.contract.conftest import DT_S, TOWN, Server

SECONDS = 60
BEYOND_EDGE_M = 1.0


@dataclass(frozen=True)
class Drive:
    """What twenty vehicles did: poses (T, N, 4) x, y [m], yaw [deg], z [m]; half sizes (N, 2)."""

    ids: list[int]
    poses: Any
    half_m: Any


def _drive(port: int, traffic_port: int, folder: Path, *, seed: int, seconds: float) -> Drive:
    file = folder / f"{seed}.npz"
    ids = traffic_client.run("drive", port, traffic_port, seed, seconds, file)
    with np.load(file) as kept:
        return Drive(ids, kept["poses"], kept["half_m"])


@pytest.fixture(scope="module")
def drive(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Drive:
    folder = tmp_path_factory.mktemp("drive")
    return _drive(server.port, server.traffic_port, folder, seed=7, seconds=SECONDS)


def test_vehicles_stay_in_their_lanes(drive: Drive, repository: Path) -> None:
    town = carla.Map(TOWN, (repository / f"routes/towns/{TOWN}.xodr").read_text())
    worst_m = 0.0
    for row in drive.poses[::5]:
        for x, y, _, _ in row:
            place = carla.Location(float(x), float(y), 0.0)
            waypoint = town.get_waypoint(place)
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


def test_the_same_seed_drives_the_same_way_also_on_a_warm_simulator(simulator: Any, tmp_path: Path) -> None:
    running, traffic_port = simulator
    drives = []
    for seed in (3, 3, 4):
        running.ensure_running(TOWN)
        drives.append(_drive(running.port, traffic_port, tmp_path, seed=seed, seconds=20))
    assert drives[0].ids == drives[1].ids == drives[2].ids
    assert np.array_equal(drives[0].poses, drives[1].poses)
    assert not np.array_equal(drives[0].poses, drives[2].poses)


def test_a_traffic_manager_follows_into_the_next_episode(server: Server) -> None:
    speeds_mps = traffic_client.run("episodes", server.port, server.traffic_port)
    assert len(speeds_mps) == 3 and min(speeds_mps) > 3.0


def test_commands_of_a_batch_can_hand_vehicles_over(server: Server) -> None:
    assert min(traffic_client.run("batch", server.port, server.traffic_port)) > 3.0


def test_every_setting_of_the_traffic_manager_is_heeded(server: Server) -> None:
    found = traffic_client.run("settings", server.port, server.traffic_port)
    assert found["port"] == server.traffic_port
    assert found["slow_kmh"] == pytest.approx(15.0, abs=2.0)
    assert found["half_of_limit"] == pytest.approx(0.5, abs=0.1)
    assert found["offset_m"] - found["plain_offset_m"] == pytest.approx(0.5, abs=0.2)
    assert found["led_missed_m"] < 2.0
    assert found["next_action"]
    assert found["actions"] > 0
