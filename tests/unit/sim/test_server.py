"""The server against peers that mean no good: it lives, others tick on, memory stays bounded."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest

import harness.sim.server as server_module
from harness.sim.calls import HANDLERS
from harness.sim.server import SimulatorServer
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.wire.schema import SCHEMAS
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

    def __init__(self, town: Town, *, resets: bool = False) -> None:
        shelf = TownShelf(load=lambda name: town, names=lambda: [town.name])

        def make(stream_port: int) -> Simulation:
            return Simulation(shelf, town.name, stream_port=stream_port, wall_clock_s=time.time)

        self.server = SimulatorServer(make, resets_between_clients=resets)
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
        for connection in list(self.server._connections):
            connection.transport.abort()
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def running(hill: Town) -> Iterator[Running]:
    running = Running(hill)
    yield running
    running.stop()


@pytest.fixture
def well(running: Running) -> Iterator[Peer]:
    """Return a well-behaved client in synchronous mode; after the test it must still be able to tick."""
    with Peer(running.port) as peer:
        assert peer.call("set_episode_settings", SETTINGS)[0] is None
        yield peer
        before = peer.call("tick_cue")[1][0][1]
        assert peer.call("tick_cue") == (None, [[1, before + 1]])


def _until(is_true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5.0
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_random_bytes_end_their_own_connection_only(running: Running, well: Peer) -> None:
    generator = random.Random(3)
    for _ in range(100):
        with Peer(running.port) as peer:
            peer.socket.sendall(generator.randbytes(generator.randint(1, 400)))
    with Peer(running.port) as peer:
        peer.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert peer.is_hung_up()


@pytest.mark.parametrize(
    "data", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 10_000, b"\xc1", msgpack.packb([1, 2, 3])]
)
def test_bytes_that_are_no_request_are_cut_off(running: Running, well: Peer, data: bytes) -> None:
    with Peer(running.port) as peer:
        peer.socket.sendall(data)
        assert peer.is_hung_up()


def test_a_request_that_breaks_off_is_forgotten(running: Running, well: Peer) -> None:
    whole = msgpack.packb([0, 1, "version", [[False]]])
    for length in range(1, len(whole)):
        with Peer(running.port) as peer:
            peer.socket.sendall(whole[:length])
    _until(lambda: len(running.server._connections) == 1)


def test_a_request_can_arrive_byte_by_byte(running: Running, well: Peer) -> None:
    with Peer(running.port) as peer:
        for byte in msgpack.packb([0, 1, "version", [[False]]]):
            peer.socket.sendall(bytes([byte]))
        assert peer.receive() == [1, 1, None, [[1, "0.9.16"]]]


def test_unknown_calls_are_refused_and_the_log_stays_short(running: Running, well: Peer, caplog: Any) -> None:
    with Peer(running.port) as peer:
        for number in range(500):
            peer.send(f"no_such_call_{number}", asynchronous=True)
        error, result = peer.call("no_such_call" * 1000, 1, 2, 3)
        assert "unknown method" in error and len(error) < 200 and result is None
        assert peer.call("version") == (None, [[1, "0.9.16"]])
    assert 100 < len(caplog.records) < 300


@pytest.mark.parametrize("method", sorted(SCHEMAS["0.9.16"].methods))
def test_wrong_arguments_are_refused_for_every_call(running: Running, well: Peer, method: str) -> None:
    takes = len(SCHEMAS["0.9.16"].methods[method].arguments)
    garbage: list[Any] = [None, "text", 2**64 - 1, -(2**63), float("nan"), [], [[]], b"\x00", True, 1e300]
    with Peer(running.port) as peer:
        for value in garbage:
            peer.send(method, *[value] * takes, asynchronous=True)
            peer.call(method, *[value] * takes)
        error, _ = peer.call(method, *[0] * (takes + 1))
        assert f"{method}: found {takes + 1} arguments, expected {takes}" == error


def test_a_batch_of_garbage_answers_each_command(running: Running, well: Peer) -> None:
    nested: Any = [[0, [CAR, POSE, [False], 0, "", []]]]
    for _ in range(60):
        nested = [[0, [CAR, POSE, [False], 0, "", [nested]]]]
    garbage = [None, 7, "x", [], [[]], [[0]], [[99, []]], [["0", []]], [[1, None]], [[2, [1, [1.0] * 7]]], [[-1, [1]]]]
    error, answers = well.call("apply_batch", [*garbage, nested, [[1, [4_000_000_000]]]], False)
    assert error is None
    assert [answer[0][0] for answer in answers] == [0] * len(garbage) + [1, 0]
    assert "found" in answers[0][0][1][0]


def test_spawning_nests_as_deep_as_msgpack_without_harm(running: Running, well: Peer) -> None:
    sensor = [1, "sensor.other.lane_invasion", []]
    nested: Any = [[1, [1]]]
    for _ in range(120):
        nested = [[0, [sensor, POSE, [False], 0, "", [nested]]]]
    error, answers = well.call("apply_batch", [nested], False)
    assert error is None and answers[0][0][0] == 1


def test_numbers_that_are_none_or_too_large_are_refused(running: Running, well: Peer) -> None:
    for bad in (float("nan"), float("inf"), 1e300, -1e300):
        assert "finite number" in well.call("spawn_actor", CAR, [[bad, 0.0, 0.0], [0.0, 0.0, 0.0]])[0]
        assert "finite number" in well.call("set_actor_location", 1, [0.0, bad, 0.0])[0]
        settings = [*SETTINGS[:6], bad, *SETTINGS[7:]]
        assert "finite number" in well.call("set_episode_settings", settings)[0]


@pytest.mark.parametrize("delta_s", [1e9, 1e300, 1e-12, 0.201])
def test_a_tick_length_that_cannot_be_stepped_is_an_error(running: Running, well: Peer, delta_s: float) -> None:
    error, result = well.call("set_episode_settings", [False, False, [True, delta_s], *SETTINGS[3:]])
    assert error is None and result[0][0] == 0 and "fixed_delta_seconds" in result[0][1][0]


def test_an_error_of_our_own_is_answered_and_logged_with_its_traceback(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of our own")

    for method in ("get_map_info", "set_actor_simulate_physics"):
        monkeypatch.setitem(HANDLERS, method, fail)
    assert well.call("get_map_info") == (None, [[0, [server_module._INTERNAL_ERROR]]])
    assert well.call("set_actor_simulate_physics", 1, True) == (None, [[True, [server_module._INTERNAL_ERROR]]])
    well.send("get_map_info", asynchronous=True)
    assert well.call("version") == (None, [[1, "0.9.16"]])
    assert "ZeroDivisionError: of our own" in caplog.text
    assert caplog.text.count("call get_map_info failed") == 1


def test_a_tick_that_fails_does_not_end_asynchronous_mode(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    with Peer(running.port) as peer:
        peer.call("set_episode_settings", [False, *SETTINGS[1:]])
        simulation = running.server.simulation
        monkeypatch.setattr(simulation, "tick", lambda delta_s: 1 / 0)
        _until(lambda: "ZeroDivisionError" in caplog.text)
        monkeypatch.undo()
        frame = simulation.world.frame
        _until(lambda: simulation.world.frame > frame + 2)


def test_fifty_connections_at_once(running: Running, well: Peer) -> None:
    peers = [Peer(running.port) for _ in range(50)]
    for peer in peers:
        peer.send("version")
    assert all(peer.receive()[3] == [[1, "0.9.16"]] for peer in peers)
    for peer in peers:
        peer.socket.close()
    _until(lambda: len(running.server._connections) == 1)


# --- streams ---------------------------------------------------------------------------------------------------------


def test_subscribers_of_nothing_are_harmless_and_leave_nothing_behind(running: Running, well: Peer) -> None:
    streams = [running.subscribe(struct.pack("<I", number)) for number in (0, 2, 77, 2**32 - 1)]
    streams += [running.subscribe(b"\x01\x00"), running.subscribe(b""), running.subscribe(b"\xff" * 100_000)]
    for _ in range(5):
        well.call("tick_cue")
    for stream in streams:
        stream.close()
    _until(lambda: not running.server._subscribers)


def test_an_observer_gets_the_present_state_and_every_tick(running: Running, well: Peer) -> None:
    with running.subscribe(struct.pack("<I", 1)) as stream:
        file = stream.makefile("rb")
        frames = []
        for _ in range(4):
            (length,) = struct.unpack("<I", file.read(4))
            sensor, frame = struct.unpack_from("<QQ", file.read(length))
            assert sensor == 17
            frames.append(frame)
            well.call("tick_cue")
        assert frames == list(range(frames[0], frames[0] + 4))
        file.close()


def test_a_subscriber_that_never_reads_is_cut_off(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(server_module, "MAX_BACKLOG_BYTES", 100_000)
    for number in range(200):
        well.call("spawn_actor", [1, "static.prop.barrel", []], [[3.0 * number, 50.0, 0.0], [0.0, 0.0, 0.0]])
    with running.subscribe(struct.pack("<I", 1)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        _until(lambda: len(running.server._subscribers.get(1, [])) == 1)
        for _ in range(2000):
            well.call("tick_cue")
            if not running.server._subscribers.get(1):
                break
        assert not running.server._subscribers.get(1)
    assert "does not read" in caplog.text


def test_a_client_that_never_reads_its_answers_is_not_listened_to(running: Running, well: Peer) -> None:
    known = set(running.server._connections)
    with Peer(running.port) as deaf:
        deaf.socket.setblocking(False)
        requests = msgpack.packb([0, 1, "get_actor_definitions", [[False]]]) * 2000
        assert deaf.socket.send(requests) == len(requests)  # answers of more than 50 MB
        _until(lambda: len(running.server._connections) == len(known) + 1)
        (connection,) = running.server._connections - known
        _until(lambda: connection.transport.get_write_buffer_size() > 0)
        time.sleep(0.2)
        assert well.call("version") == (None, [[1, "0.9.16"]])
        assert connection.transport.get_write_buffer_size() < 1_000_000


def test_a_client_that_reads_late_gets_every_answer(running: Running, well: Peer) -> None:
    with Peer(running.port) as late:
        numbers = [late.send("get_actor_definitions") for _ in range(300)]
        time.sleep(0.05)
        assert [late.receive()[1] for _ in numbers] == numbers
        assert late.call("version") == (None, [[1, "0.9.16"]])


# --- coming and going ------------------------------------------------------------------------------------------------


def test_a_traffic_manager_ends_with_the_connection_that_announced_it(running: Running, well: Peer) -> None:
    with Peer(running.port) as peer:
        assert peer.call("add_traffic_manager_running", ["10.0.0.1", 8000]) == (None, [[1, True]])
        assert well.call("is_traffic_manager_running", 8000) == (None, [[1, True]])
        assert well.call("get_traffic_manager_running", 8000) == (None, [[1, ["10.0.0.1", 8000]]])
        assert well.call("add_traffic_manager_running", ["10.0.0.2", 8000]) == (None, [[1, False]])
    _until(lambda: not running.server.simulation.traffic_managers)
    assert well.call("is_traffic_manager_running", 8000) == (None, [[1, False]])
    assert well.call("get_traffic_manager_running", 8000) == (None, [[1, ["", 0]]])


def test_an_episode_that_nobody_arrives_in_begins_all_the_same(running: Running, well: Peer) -> None:
    before = running.server.simulation.world
    assert well.call("load_new_episode", "Hill", False, 65535) == (None, [[False]])
    assert well.call("get_episode_info")[1][0][1][0] == before.episode_id
    _until(lambda: running.server.simulation.world.episode_id == before.episode_id + 1)
    assert running.server.simulation.world.frame > before.frame


def test_a_reset_gives_the_next_client_the_first_state_again(hill: Town) -> None:
    running = Running(hill, resets=True)
    states = []
    for _ in range(3):
        with Peer(running.port) as peer:
            peer.call("set_episode_settings", SETTINGS)
            frame = running.server.simulation.world.frame
            car = peer.call("spawn_actor", CAR, [[50.0, 1.75, 13.0], [0.0, 0.0, 0.0]])[1][0][1]
            sensor = peer.call("spawn_actor_with_parent", [1, "sensor.other.collision", []], POSE, car[0], 0, "")[1][0][
                1
            ]
            peer.call("add_traffic_manager_running", ["10.0.0.1", 8000])
            states.append((frame < 10, car, sensor))
    assert states[0] == states[1] == states[2]
    assert states[0][0]
    running.stop()
