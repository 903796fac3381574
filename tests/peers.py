"""A server in a thread of the test, and clients of our own making that write any bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import msgpack

from harness.sim.server import STREAM_WAIT_S, SimulatorServer
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.world.town import Town

HOST = "127.0.0.1"
SETTINGS = [True, False, [True, 0.05], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
POSE = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
CAR = [1, "vehicle.audi.tt", []]


class Peer:
    """A client of our own making: writes any bytes and reads responses, with a time limit."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), 5.0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unpacker = msgpack.Unpacker()
        self._next_id = 1

    def send(self, method: Any, *arguments: Any, asynchronous: bool = False) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        self.socket.sendall(msgpack.packb([0, number, method, [[asynchronous], *arguments]], use_bin_type=True))
        return number

    def receive(self) -> Any:
        for message in self._unpacker:
            return message
        while data := self.socket.recv(65536):
            self._unpacker.feed(data)
            for message in self._unpacker:
                return message
        raise ConnectionError("the server hung up")

    def call(self, method: Any, *arguments: Any) -> tuple[Any, Any]:
        """Return error and result."""
        number = self.send(method, *arguments)
        kind, answered, error, result = self.receive()
        assert (kind, answered) == (1, number)
        return error, result

    def is_hung_up(self) -> bool:
        self.socket.settimeout(5.0)
        try:
            return self.socket.recv(65536) == b""
        except ConnectionError:
            return True

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class Running:
    """A server in a thread of this process."""

    def __init__(self, town: Town, *, resets: bool = False, stream_wait_s: float = STREAM_WAIT_S) -> None:
        shelf = TownShelf(load=lambda name, given_up: town, names=lambda: [town.name])

        def make(stream_port: int) -> Simulation:
            return Simulation(shelf, town.name, stream_port=stream_port, wall_clock_s=time.time)

        self.server = SimulatorServer(make, resets_between_clients=resets, stream_wait_s=stream_wait_s)
        self.port, self.stream_port = _free_port(), _free_port()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,))
        self._thread.start()
        assert ready.wait(10.0)

    def _run(self, ready: threading.Event) -> None:
        async def main() -> None:
            self.server.prepare(self.stream_port)
            await self.server.serve(HOST, self.port, self.stream_port, lambda port: ready.set())

        self._task = self._loop.create_task(main())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def stop(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    def subscribe(self, data: bytes) -> socket.socket:
        connection = socket.create_connection((HOST, self.stream_port), 5.0)
        connection.sendall(data)
        return connection

    def observe_deafly(self) -> socket.socket:
        """Subscribe to the world observer with little room for what arrives, and do not read."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, self.stream_port))
        known = list(self.subscribers(1))  # one that has hung up may still be there
        connection.sendall(struct.pack("<I", 1))
        until(lambda: any(subscriber not in known for subscriber in self.subscribers(1)))
        return connection

    def subscribers(self, stream_id: int) -> list[Any]:
        return self.server._streams._subscribers.get(stream_id, [])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def until(is_true: Callable[[], bool]) -> None:
    """Wait for what happens in the server's thread."""
    deadline_s = time.monotonic() + 5.0
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
