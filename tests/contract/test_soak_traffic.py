"""Five minutes of Traffic Manager in every town: in lane, without contact, moving, and the same way every time."""

from __future__ import annotations

import gzip
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Polygon

from tests.contract import traffic_client
from tests.contract.conftest import DT_S, Server

SHORT = bool(os.environ.get("HARNESS_SOAK_SHORT"))
SECONDS = 90 if SHORT else 300
OWN = ("Borough01", "Grid01", "Highland01")
OFFICIAL = ("Town01", "Town02", "Town03", "Town04", "Town05", "Town06", "Town10HD", "Town12", "Town13")
TOWNS = OWN if SHORT else (*OWN, *OFFICIAL)
MOST_VEHICLES = 50
BEYOND_EDGE_M = 1.0
STUCK_S = 60.0
# Somebody who waits stands this close behind somebody else who waits, or before a light that is not green.
QUEUE_GAP_M = 12.0
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve()


def opendrive_of(town: str, repository: Path) -> str:
    own = repository / "routes" / "towns" / f"{town}.xodr"
    if own.exists():
        return own.read_text()
    data = os.environ.get("HARNESS_DATA", "")
    if not data:
        pytest.skip("HARNESS_DATA is not set; set HARNESS_DATA=<folder with routes/ maps/ results/ golden/>")
    return gzip.decompress((Path(data) / "maps" / f"{town}.xodr.gz").read_bytes()).decode()


@pytest.mark.parametrize("town", TOWNS)
def test_traffic_of_five_minutes(server: Server, tmp_path: Path, repository: Path, town: str) -> None:
    network = carla.Map(town, opendrive_of(town, repository))
    vehicles = min(MOST_VEHICLES, len(network.get_spawn_points()) // 4) or MOST_VEHICLES
    drives = []
    for number in range(2):
        file = tmp_path / f"{number}.npz"
        traffic_client.run("drive", server.port, server.traffic_port, 7, SECONDS, file, town, vehicles, limit_s=300.0)
        with np.load(file) as kept:
            drives.append((kept["poses"], kept["half_m"], kept["waits"]))
    poses, half_m, waits = drives[0]
    assert (where := first_difference(poses, drives[1][0])) is None, where
    worst_m, pairs, stuck = beyond_edge_m(network, poses), overlaps(poses, half_m), standing(poses, waits)
    print(f"\n{town}: {poses.shape[1]} vehicles, {worst_m:.2f} m beyond the edge, overlaps {pairs}, stuck {stuck}")
    assert (worst_m <= BEYOND_EDGE_M, pairs, stuck) == (True, [], [])


def first_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> str | None:
    """Return at which tick and in which vehicles two drives differ first, None if they do not."""
    differs = (first != second).any(axis=2)
    if not differs.any():
        return None
    tick = int(differs.any(axis=1).argmax())
    cars = np.flatnonzero(differs[tick])
    gaps_m = np.hypot(*(first[tick, cars, :2] - second[tick, cars, :2]).T)
    return f"tick {tick}: vehicles {cars.tolist()}, {gaps_m.tolist()} m apart, at {first[tick, cars].tolist()}"


def beyond_edge_m(network: Any, poses: NDArray[np.float64]) -> float:
    """Return how far a centre was beyond the edge of the lane nearest to it, at most."""
    worst_m = -1e9
    for row in poses[::10]:
        for x, y, _, z in row:
            place = carla.Location(float(x), float(y), float(z))
            waypoint = network.get_waypoint(place)
            gap_m = waypoint.transform.location.distance_2d(place) - waypoint.lane_width / 2.0
            worst_m = max(worst_m, gap_m)
    return worst_m


def overlaps(poses: NDArray[np.float64], half_m: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return pairs of vehicles whose boxes overlapped at one height."""
    reach_m = np.hypot(half_m[:, 0], half_m[:, 1])
    near_m = reach_m[:, None] + reach_m[None, :]
    found = set()
    for row in poses[::4]:
        gap_m = np.hypot(row[:, None, 0] - row[None, :, 0], row[:, None, 1] - row[None, :, 1])
        level = np.abs(row[:, None, 3] - row[None, :, 3]) < 2.0
        for a, b in np.argwhere(np.triu((gap_m < near_m) & level, 1)):
            if _box(row[a], half_m[a]).intersection(_box(row[b], half_m[b])).area > 1e-3:
                found.add((int(a), int(b)))
    return sorted(found)


def _box(pose: Any, half_m: Any) -> Polygon:
    yaw = np.radians(pose[2])
    corners = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)]) * half_m
    turn = np.array([(np.cos(yaw), np.sin(yaw)), (-np.sin(yaw), np.cos(yaw))])
    return Polygon(corners @ turn + pose[:2])


def standing(poses: NDArray[np.float64], waits: NDArray[np.bool_]) -> list[int]:
    """Return who stood for longer than `STUCK_S`, neither at a light nor in a queue that stands at one."""
    moved = np.hypot(*np.moveaxis(np.diff(poses[:, :, :2], axis=0), -1, 0)) > 0.005
    window = round(STUCK_S / DT_S)
    found = set()
    for car in range(poses.shape[1]):
        edges = np.flatnonzero(np.r_[True, moved[:, car], True])
        for start, end in itertools.pairwise(edges):
            if end - start > window and not _queues(poses, moved, waits, car, slice(start, end - 1), set()):
                found.add(car)
    return sorted(found)


def _queues(
    poses: NDArray[np.float64],
    moved: NDArray[np.bool_],
    waits: NDArray[np.bool_],
    car: int,
    span: slice,
    seen: set[int],
) -> bool:
    """Tell whether a vehicle stands most of the time at a light that is not green, or behind one that does."""
    if moved[span, car].mean() > 0.3:
        return False
    if waits[span, car].mean() > 0.5:
        return True
    seen.add(car)
    middle = (span.start + span.stop) // 2
    here, yaw = poses[middle, car, :2], np.radians(poses[middle, car, 2])
    gap_m = poses[middle, :, :2] - here
    ahead_m, beside_m = gap_m @ [np.cos(yaw), np.sin(yaw)], gap_m @ [-np.sin(yaw), np.cos(yaw)]
    before = np.flatnonzero((ahead_m > 0.5) & (ahead_m < QUEUE_GAP_M) & (np.abs(beside_m) < 3.0))
    return any(_queues(poses, moved, waits, int(other), span, seen) for other in before if int(other) not in seen)
