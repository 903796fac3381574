"""Clients that leave, cleanly or killed, and what the next one finds."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.contract import traffic_client
from tests.contract.conftest import DT_S, TOWN, Server, wait_until

# Joins, sets synchronous mode, spawns a car with a sensor, registers a Traffic Manager, says so and goes on ticking.
BUSY_CLIENT = """
import sys, time, carla
from harness.drive.ticking import Ticker, find_worker, threads
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(10.0)
world = client.get_world()
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()
car = next(filter(None, (world.try_spawn_actor(library.find("vehicle.audi.tt"), point) for point in points)))
sensor = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=car)
sensor.listen(lambda event: None)
before = threads()
ticker = Ticker(world)
client.get_trafficmanager(int(sys.argv[2])).set_synchronous_mode(True)
ticker.watch_worker(find_worker(before))
for _ in range(5):
    ticker.tick()
print(world.id, sorted(actor.id for actor in world.get_actors()), flush=True)
while True:
    time.sleep(0.005)
    ticker.tick()
"""


# The client's Traffic Manager can hang in a tick (see harness.drive.ticking); such a client is replaced.
SAID_LIMIT_S, CLIENTS_TRIED = 20.0, 3


@contextmanager
def _busy_client(server: Server) -> Iterator[str]:
    """Run a busy client until killed at the end of the block; give what it said."""
    command = [sys.executable, "-c", BUSY_CLIENT, str(server.port), str(server.traffic_port)]
    for _ in range(CLIENTS_TRIED):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            patience = threading.Timer(SAID_LIMIT_S, process.kill)
            patience.start()
            try:
                if said := process.stdout.readline():
                    patience.cancel()
                    yield said
                    return
                assert process.wait() == -signal.SIGKILL, process.stderr.read()
            finally:
                patience.cancel()
                process.kill()
    raise AssertionError(f"{CLIENTS_TRIED} clients said nothing within {SAID_LIMIT_S:.0f} s each")


def test_after_a_killed_client_the_next_one_finds_its_world_as_carla_does(server: Server) -> None:
    with _busy_client(server):
        pass
    client = server.client()
    world = client.get_world()
    assert world.get_settings().synchronous_mode
    world.tick()
    assert len(world.get_actors().filter("vehicle.*")) == 1  # and its sensor
    assert len(world.get_actors().filter("sensor.*")) == 1
    # Its Traffic Manager went with it: one on the same port is ours, not a call to a dead process.
    del client, world
    gc.collect()
    assert traffic_client.run("take_over", server.port, server.traffic_port) > 3.0


def test_killed_clients_leave_no_connection_behind(server: Server) -> None:
    import psutil

    simulator = psutil.Process(server.pid)
    gc.collect()
    wait_until(lambda: _established(simulator) == 0, "the clients before have gone")
    for _ in range(3):
        with _busy_client(server):
            assert _established(simulator) >= 2
        wait_until(lambda: _established(simulator) == 0, "the connections of the killed client end")


def _established(process: Any) -> int:
    return sum(connection.status == "ESTABLISHED" for connection in process.net_connections("tcp"))


@pytest.fixture(scope="module")
def resetting(serve: Callable[..., Server]) -> Server:
    return serve("--reset-between-clients")


@pytest.mark.parametrize("round_", [1, 2])
def test_a_simulator_that_resets_gives_every_client_the_same_start(resetting: Server, round_: int) -> None:
    with _busy_client(resetting) as said:
        pass
    with _busy_client(resetting) as said_again:
        pass
    assert said == said_again

    client = resetting.client()
    world = client.get_world()
    settings = world.get_settings()
    assert not settings.synchronous_mode and settings.fixed_delta_seconds is None
    assert world.id == 1
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    assert world.get_map().name == f"Carla/Maps/{TOWN}"
    world.tick()
    ids = sorted(actor.id for actor in world.get_actors())
    assert ids == list(range(1, len(ids) + 1))  # the town's own, from the first id on
    assert len(world.get_actors().filter("vehicle.*")) == 0
    assert world.get_snapshot().frame < 100
    # What this client does is gone as well, a loaded town included.
    client.reload_world()
    del client, world, settings
    gc.collect()


def test_two_clients_at_once_keep_the_world(resetting: Server) -> None:
    first, second = resetting.client(), resetting.client()
    episode = first.reload_world().id
    assert second.get_world().id == episode
    del first
    gc.collect()
    assert second.get_world().id == episode
