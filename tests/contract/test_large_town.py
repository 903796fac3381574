"""The largest of CARLA's towns, 90 MB of XML, through the real client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.sim.wire.rpc import encode_request
from tests.contract.conftest import Server, tick

pytestmark = pytest.mark.soak

START_LIMIT_S, LONGEST_WAIT_S, LARGEST_BYTES = 8.0, 1.5, 1.5e9


class Pinger(threading.Thread):
    """Asks for the version again and again; keeps how long the slowest answer took."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._ends = threading.Event()
        self.slowest_s = 0.0

    def run(self) -> None:
        while not self._ends.wait(0.002):
            began_s = time.perf_counter()
            self._connection.sendall(encode_request(1, "version"))
            self._connection.recv(1000)
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began_s)

    def stop(self) -> None:
        self._ends.set()
        self.join()
        self._connection.close()


def test_town13_starts_soon_and_its_map_holds_nobody_up(serve: Callable[..., Server], harness_data: Path) -> None:
    serve("--town", "Town13")  # derives it, unless that has happened
    began_s = time.monotonic()
    server = serve("--town", "Town13")
    start_s = time.monotonic() - began_s
    pinger = Pinger(server.port)
    pinger.start()
    client = server.client()
    client.set_timeout(60.0)
    world: Any = client.get_world()
    town = world.get_map()
    pinger.stop()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
    world.apply_settings(settings)
    places = town.get_spawn_points()
    assert len(places) > 10_000
    car = world.get_blueprint_library().find("vehicle.lincoln.mkz_2020")
    answers = client.apply_batch_sync([carla.command.SpawnActor(car, place) for place in places[:6000:60]], True)
    assert not [answer.error for answer in answers if answer.error]
    tick(world, 20)
    status = Path(f"/proc/{server.pid}/status").read_text()
    peak_bytes = 1024 * int(status.split("VmHWM:")[1].split()[0])
    assert start_s < START_LIMIT_S
    assert pinger.slowest_s < LONGEST_WAIT_S
    assert peak_bytes < LARGEST_BYTES
