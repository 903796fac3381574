"""Clients that leave, cleanly or killed, and what the next one finds."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import carla
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
        # Its last bytes are a reset: the server knows at once.
        wait_until(lambda: _established(simulator) == 0, "the connections of the killed client end", 1.0)


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


@pytest.mark.parametrize("watchers", [1, 3])
def test_who_watches_sees_every_frame_that_another_client_ticks(server: Server, watchers: int) -> None:
    ticking = server.client()
    world = _synchronous(ticking.load_world(TOWN))
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    car = next(filter(None, (world.try_spawn_actor(library.find("vehicle.audi.tt"), point) for point in points)))
    car.apply_control(carla.VehicleControl(throttle=1.0))
    world.tick()
    others = [server.client().get_world() for _ in range(watchers)]
    seen: list[dict[int, float]] = [{} for _ in others]

    def watch(other: Any, found: dict[int, float]) -> int:
        def note(snapshot: Any) -> None:
            if shown := snapshot.find(car.id):
                place = shown.get_transform().location
                found[snapshot.frame] = place.x + place.y

        number: int = other.on_tick(note)
        return number

    handles = [watch(other, found) for other, found in zip(others, seen, strict=True)]
    world.tick()
    wait_until(lambda: all(seen), "the first callback of each")
    frames = [world.tick() for _ in range(30)]
    wait_until(lambda: all(frames[-1] in found for found in seen), "the last callback of each")
    for found in seen:
        assert set(frames) <= set(found)
        assert [found[frame] for frame in frames] == [seen[0][frame] for frame in frames]
    assert len(set(seen[0].values())) > 20  # the car drove
    for other, handle in zip(others, handles, strict=True):
        other.remove_on_tick(handle)
    car.destroy()


def test_two_clients_that_both_tick_take_turns(server: Server) -> None:
    first, second = server.client(), server.client()
    worlds = [_synchronous(first.load_world(TOWN)), second.get_world()]
    worlds[0].tick()
    ticked: list[list[int]] = [[], []]

    def tick(world: Any, frames: list[int]) -> None:
        frames += (world.tick() for _ in range(50))

    threads = [threading.Thread(target=tick, args=pair) for pair in zip(worlds, ticked, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    assert sorted(ticked[0] + ticked[1]) == list(range(min(map(min, ticked)), min(map(min, ticked)) + 100))


def test_in_asynchronous_mode_the_world_steps_in_real_time(server: Server) -> None:
    world = server.client().load_world(TOWN)
    settings = world.get_settings()
    for fixed_s in (0.02, 0.05):
        settings.synchronous_mode, settings.fixed_delta_seconds = False, fixed_s
        world.apply_settings(settings)
        world.wait_for_tick()
        first, began_s = world.wait_for_tick(), time.monotonic()
        last = first
        while last.frame < first.frame + int(0.5 / fixed_s):
            last = world.wait_for_tick()
            assert last.delta_seconds == pytest.approx(fixed_s)
        passed_s = last.timestamp.elapsed_seconds - first.timestamp.elapsed_seconds
        assert passed_s == pytest.approx(fixed_s * (last.frame - first.frame))
        # What a busy machine missed is made up for, a quarter of a second at most.
        assert time.monotonic() - began_s > passed_s - 0.3
        assert time.monotonic() - began_s < passed_s + 3.0


def _synchronous(world: Any) -> Any:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    return world


def test_two_clients_at_once_keep_the_world(resetting: Server) -> None:
    first, second = resetting.client(), resetting.client()
    episode = first.reload_world().id
    assert second.get_world().id == episode
    del first
    gc.collect()
    assert second.get_world().id == episode
