"""How fast the embedded simulator answers and ticks, as a client process sees it.

A bare msgpack echo over asyncio, measured in the same run, is the floor for one round trip on this machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.sim.world.town import build_town
from harness.stages.simulate import read_opendrive
from tests.bench.scenes import DT_S, crowd, fill_with_vehicles, start_simulator

TOWN = "Borough01"

# Answers every request with its own first argument and does nothing else.
ECHO = """
import asyncio, socket, sys, msgpack
class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.unpacker = transport, msgpack.Unpacker()
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    def data_received(self, data):
        self.unpacker.feed(data)
        for _, number, _, _ in self.unpacker:
            self.transport.write(msgpack.packb([1, number, None, [[1, "0.9.16"]]]))
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def client(ports: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_simulator(TOWN, ports.rpc, tmp_path_factory.mktemp("simulator")):
        client = carla.Client("127.0.0.1", ports.rpc)
        client.set_timeout(20.0)
        yield client


@pytest.fixture
def populate(client: Any) -> Callable[[int, int], list[Any]]:
    """Return a function that loads a world in synchronous mode with that many vehicles and walkers, all moving."""

    def fill(vehicles: int, walkers: int) -> list[Any]:
        world = client.load_world(TOWN)
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
        world.apply_settings(settings)
        crowd(world, walkers)
        cars = fill_with_vehicles(world, vehicles)
        control = carla.VehicleControl(throttle=0.3, steer=0.02)
        client.apply_batch_sync([carla.command.ApplyVehicleControl(car, control) for car in cars], True)
        return cars

    return fill


def _tell_rate(benchmark: Any, what: str) -> None:
    if benchmark.stats:  # none when only the code is tried
        benchmark.extra_info[what] = round(1.0 / benchmark.stats.stats.median)


def _measure_version(benchmark: Any, port: int) -> None:
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(10.0)
    assert benchmark.pedantic(client.get_server_version, rounds=50, iterations=40, warmup_rounds=5) == "0.9.16"
    _tell_rate(benchmark, "calls/s")


def test_round_trip_of_a_bare_echo(benchmark: Any, ports: Any) -> None:
    port = ports.first + 8
    command = [sys.executable, "-c", ECHO, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as echo:
        assert echo.stdout is not None and echo.stdout.readline() == "ready\n"
        try:
            _measure_version(benchmark, port)
        finally:
            echo.kill()


def test_round_trip_of_the_simulator(benchmark: Any, client: Any, populate: Any, ports: Any) -> None:
    populate(0, 0)
    _measure_version(benchmark, ports.rpc)


@pytest.mark.parametrize(("vehicles", "walkers"), [(1, 0), (50, 20), (200, 0)])
def test_tick(benchmark: Any, client: Any, populate: Any, vehicles: int, walkers: int) -> None:
    populate(vehicles, walkers)
    benchmark.pedantic(client.get_world().tick, rounds=40, iterations=20, warmup_rounds=2)
    _tell_rate(benchmark, "ticks/s")


def test_tick_with_traffic_manager(benchmark: Any, client: Any, populate: Any, ports: Any) -> None:
    cars = populate(50, 20)
    manager = client.get_trafficmanager(ports.traffic_manager)
    manager.set_synchronous_mode(True)
    for car in cars:
        car.set_autopilot(True, ports.traffic_manager)
    world = client.get_world()
    for _ in range(20):
        world.tick()
    benchmark.pedantic(world.tick, rounds=40, iterations=10, warmup_rounds=2)
    _tell_rate(benchmark, "ticks/s")
    manager.shut_down()


def test_load_a_town_of_ours(benchmark: Any, repository: Path) -> None:
    text = (repository / f"routes/towns/{TOWN}.xodr").read_text()
    town = benchmark.pedantic(build_town, (TOWN, text), rounds=3)
    assert town.name == TOWN


def test_load_town04(benchmark: Any, harness_data: Path) -> None:
    text = read_opendrive(harness_data / "maps/Town04.xodr.gz")
    town = benchmark.pedantic(build_town, ("Town04", text), rounds=2)
    assert len(town.lights) > 10
