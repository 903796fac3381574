"""How soon a simulator answers after its start and how much memory it holds with a hundred actors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import carla
import pytest

from tests.bench.conftest import Figure
from tests.bench.scenes import DT_S, crowd, fill_with_vehicles, start_simulator

TICKS = 200


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("town", "start_bar_s", "memory_bar_mb"),
    [("Borough01", 1.5, None), ("Town05", 4.0, 350.0), ("Town13", 8.0, 1500.0)],
)
def test_start_and_memory(
    figures: list[Figure],
    ports: Any,
    request: Any,
    tmp_path: Path,
    town: str,
    start_bar_s: float,
    memory_bar_mb: float | None,
) -> None:
    if town.startswith("Town"):
        request.getfixturevalue("harness_data")
    with start_simulator(town, ports.rpc, tmp_path):
        pass  # What is derived from a town is on the disk from here on: the bar is on the second start.
    with start_simulator(town, ports.rpc, tmp_path) as (process, started_s):
        figures.append(Figure(f"{town}: start to first answer", started_s, "s", start_bar_s))
        client = carla.Client("127.0.0.1", ports.rpc)
        client.set_timeout(60.0)
        _run_with_a_hundred_actors(client.get_world())
        peak_mb = _peak_bytes(process.pid) / 1e6
    if memory_bar_mb is not None:
        figures.append(Figure(f"{town}: peak memory with 100 actors", peak_mb, "MB", memory_bar_mb))


def _run_with_a_hundred_actors(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    crowd(world, 20)
    for car in fill_with_vehicles(world, 80):
        car.apply_control(carla.VehicleControl(throttle=0.3, steer=0.02))
    for _ in range(TICKS):
        world.tick()


def _peak_bytes(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
