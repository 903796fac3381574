"""Peers that mean no good on real sockets, beside a client of the ordinary kind that must not notice.

What the server does with each of them is tested in tests/unit/sim; here a whole process has to live through it.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import carla
import msgpack
import psutil
import pytest

from harness.sim.wire.schema import SCHEMAS
from harness.sim.wire.types import U32
from tests.contract.conftest import CAR, Server, wait_until, xyz
from tests.hostile_calls import hostile_calls, hostile_commands
from tests.peers import Peer

MEBIBYTE = 1024 * 1024
SCHEMA = SCHEMAS["0.9.16"]
# docs/simulator.md: what peers can make the server hold.
MEMORY_LIMIT_BYTES = 1024 * MEBIBYTE
STREAM_WAIT_S = 1.0
# A call that shows the honest client another world, or none: it is tested where episodes are.
CHANGES_EPISODE = {"load_new_episode", "copy_opendrive_to_file", "set_episode_settings", "destroy_actor"}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve("--stream-wait", str(STREAM_WAIT_S))


class Honest:
    """The ordinary client: it has a car that drives, and what it sees must be numbers."""

    def __init__(self, world: Any) -> None:
        self.world = world
        points = world.get_map().get_spawn_points()
        self.car = next(filter(None, (world.try_spawn_actor(_blueprint(world, CAR), point) for point in points)))
        world.tick()
        self.slowest_s = 0.0

    def tick(self) -> None:
        began_s = time.monotonic()
        frame = self.world.tick()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
        snapshot = self.world.get_snapshot()
        assert snapshot.frame >= frame  # hostile peers tick as well
        if frame % 10 == 0:
            for actor in snapshot:
                pose, velocity = actor.get_transform(), actor.get_velocity()
                place, turn = pose.location, pose.rotation
                values = (*xyz(place), turn.pitch, turn.yaw, turn.roll, *xyz(velocity))
                assert all(map(math.isfinite, values)), (actor.id, values)

    def tick_while(self, *hostile: Callable[[], None]) -> None:
        """Tick while hostile functions run, each in a thread; fail if one of them does."""
        failures: list[BaseException] = []

        def run(function: Callable[[], None]) -> None:
            try:
                function()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(function,)) for function in hostile]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.tick()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        self.tick()


def _blueprint(world: Any, type_id: str) -> Any:
    return world.get_blueprint_library().find(type_id)


@pytest.fixture
def honest(world: Any, server: Server) -> Iterator[Honest]:
    before = psutil.Process(server.pid).memory_info().rss
    honest = Honest(world)
    yield honest
    honest.tick()
    assert psutil.Process(server.pid).memory_info().rss - before < MEMORY_LIMIT_BYTES
    wait_until(lambda: _connections(server) <= 3, "hostile connections end", 20.0)


def _connections(server: Server) -> int:
    found = psutil.Process(server.pid).net_connections("tcp")
    return sum(connection.status == "ESTABLISHED" for connection in found)


def _walk_schema(server: Server, car: int, step: int) -> None:
    with Peer(server.port) as peer:
        known = {U32: car}
        for method, arguments in islice(hostile_calls(SCHEMA, known), 0, None, step):
            if method not in CHANGES_EPISODE:
                peer.call(method, *arguments)
        for command in islice(hostile_commands(SCHEMA, known), 0, None, step):
            if str(command).startswith("[[1, "):  # destroys the car
                continue
            error, answers = peer.call("apply_batch", [command], False)
            assert error is None and len(answers) == 1


def test_spoiled_calls_beside_a_client_that_ticks(honest: Honest, server: Server) -> None:
    honest.tick_while(lambda: _walk_schema(server, honest.car.id, 11))


@pytest.mark.soak
def test_every_spoiled_call_beside_a_client_that_ticks(honest: Honest, server: Server) -> None:
    honest.tick_while(
        lambda: _walk_schema(server, honest.car.id, 1),
        lambda: _walk_schema(server, 1, 1),
        lambda: _send_junk(server, 400),
    )


def _send_junk(server: Server, count: int) -> None:
    generator = random.Random(5)
    whole = msgpack.packb([0, 1, "apply_batch", [[False], [[[1, [7]]]] * 50, False]])
    for number in range(count):
        port = server.port + number % 2
        data = generator.choice(
            [
                generator.randbytes(generator.randint(1, 2000)),
                b"\x94\x00" + generator.randbytes(generator.randint(1, 2000)),
                whole[: generator.randint(1, len(whole))],
                b"\x94\x00\x01\xa1x" + b"\x91" * 5000,
                b"\x94\x00\x01\xa1x" + (b"\xdd\x00\x01\x86\xa0" * 1000),
                struct.pack("<I", 1) + b"\xff" * 5000,
                b"",
            ]
        )
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), 5.0) as connection:
            connection.sendall(data)


def test_junk_on_both_ports_beside_a_client_that_ticks(honest: Honest, server: Server) -> None:
    honest.tick_while(lambda: _send_junk(server, 150))
    wait_until(lambda: "malformed bytes was closed" in server.log.read_text(), "it is logged")
    wait_until(lambda: _connections(server) <= 3, "the connections end")
    words = server.log.read_text()
    assert "Traceback" not in words
    assert words.count("malformed bytes was closed") == 1


@pytest.mark.parametrize("size", [MEBIBYTE // 8, pytest.param(2 * MEBIBYTE, marks=pytest.mark.soak)])
def test_two_hundred_connections_with_requests_that_never_end(honest: Honest, server: Server, size: int) -> None:
    head = b"\x94\x00\x01\xa1x\x92\x91\xc2\xdb" + struct.pack(">I", 90 * MEBIBYTE)

    def hoard() -> None:
        peers = [Peer(server.port) for _ in range(200)]
        for peer in peers:
            with contextlib.suppress(ConnectionError):
                peer.socket.sendall(head + b"x" * size)
        time.sleep(0.2)
        for peer in peers:
            peer.socket.close()

    honest.tick_while(hoard)
    assert honest.slowest_s < 5.0


def _tick_s(world: Any) -> float:
    began_s = time.monotonic()
    world.tick()
    return time.monotonic() - began_s


# It subscribes to the world, says so, and does nothing more.
WATCHER = """
import sys, time, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(20.0)
world = client.get_world()
print("watching", flush=True)
while True:
    time.sleep(0.02)
    print(world.get_snapshot().frame, flush=True)
"""


@pytest.mark.soak
def test_a_client_that_is_stopped_delays_ticks_once_and_finds_its_way_back(server: Server, world: Any) -> None:
    for number in range(600):  # large frames fill what the system keeps for a reader sooner
        pose = carla.Transform(carla.Location(3.0 * (number % 60), 900.0 + 3.0 * (number // 60), 0.0))
        world.try_spawn_actor(_blueprint(world, "static.prop.trafficcone01"), pose)
    with subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(server.port)], stdout=subprocess.PIPE, text=True
    ) as watcher:
        try:
            assert watcher.stdout is not None and watcher.stdout.readline() == "watching\n"
            world.tick()
            os.kill(watcher.pid, signal.SIGSTOP)
            assert any(_tick_s(world) > 0.8 * STREAM_WAIT_S for _ in range(3000))
            assert max(_tick_s(world) for _ in range(100)) < 0.8 * STREAM_WAIT_S
            os.kill(watcher.pid, signal.SIGCONT)

            def sees_the_present() -> bool:
                frame = world.tick()
                assert watcher.stdout is not None
                return int(watcher.stdout.readline()) >= frame - 20

            wait_until(sees_the_present, "the stopped client sees the present again", 20.0)
        finally:
            watcher.kill()
    assert "was cut off: a synchronous tick waited 1 s" in server.log.read_text()
