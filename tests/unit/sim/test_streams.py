"""Subscribers that read slowly or never: CARLA's policy in both modes, and limits for all together."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from harness.sim.server import service, streams
from harness.sim.world.town import Town
from tests.peers import SETTINGS, Peer, Running, until


def test_subscribers_of_nothing_are_harmless_and_leave_nothing_behind(running: Running, well: Peer) -> None:
    streams = [running.subscribe(struct.pack("<I", number)) for number in (0, 2, 77, 2**32 - 1)]
    streams += [running.subscribe(b"\x01\x00"), running.subscribe(b""), running.subscribe(b"\xff" * 100_000)]
    for _ in range(5):
        well.call("tick_cue")
    for stream in streams:
        stream.close()
    until(lambda: not running.server._streams._subscribers)


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


@pytest.fixture(scope="module")
def strict(hill: Town) -> Iterator[Running]:
    """Return a server whose ticks wait half a second for subscribers, with frames of 48 kB."""
    running = Running(hill, stream_wait_s=0.5)
    with Peer(running.port) as peer:
        for number in range(400):
            place = [[3.0 * number, 50.0, 0.0], [0.0, 0.0, 0.0]]
            assert peer.call("spawn_actor", [1, "static.prop.barrel", []], place)[1][0][0] == 1
    yield running
    running.stop()


def _tick_until_it_waits(peer: Peer) -> int:
    """Tick until an answer does not come at once; return the number of ticks that were answered."""
    peer.socket.settimeout(0.15)
    for number in range(5000):
        peer.send("tick_cue")
        try:
            peer.receive()
        except TimeoutError:
            peer.socket.settimeout(5.0)
            return number
    raise AssertionError("no tick waited")


def test_a_synchronous_tick_waits_for_a_slow_reader_and_loses_nothing(strict: Running) -> None:
    with Peer(strict.port) as ticking, Peer(strict.port) as other, strict.observe_deafly() as slow:
        ticking.call("set_episode_settings", SETTINGS)
        ticks = _tick_until_it_waits(ticking)
        assert other.call("version") == (None, [[1, "0.9.16"]])  # others are answered meanwhile
        slow.settimeout(5.0)
        file = slow.makefile("rb")
        frames = []
        for _ in range(ticks + 1):
            (length,) = struct.unpack("<I", file.read(4))
            frames.append(struct.unpack_from("<QQ", file.read(length))[1])
        assert frames == list(range(frames[0], frames[0] + ticks + 1))
        assert ticking.receive()[2] is None
        file.close()


def test_a_synchronous_tick_waits_no_longer_than_the_limit(strict: Running, caplog: Any) -> None:
    with Peer(strict.port) as ticking, strict.observe_deafly() as deaf:
        ticking.call("set_episode_settings", SETTINGS)
        began_s = time.monotonic()
        _tick_until_it_waits(ticking)
        assert ticking.receive()[2] is None
        assert 0.4 < time.monotonic() - began_s < 4.0
        assert not strict.subscribers(1)
        assert ticking.call("tick_cue")[0] is None
        assert deaf.fileno() >= 0
    assert "was cut off: a synchronous tick waited 0.5 s for it" in caplog.text


def test_a_tick_that_waits_goes_on_when_the_slow_reader_leaves_or_the_mode_changes(strict: Running) -> None:
    with Peer(strict.port) as ticking, Peer(strict.port) as other:
        for end in ("leave", "asynchronous"):
            deaf = strict.observe_deafly()
            ticking.call("set_episode_settings", SETTINGS)
            _tick_until_it_waits(ticking)
            if end == "asynchronous":
                other.call("set_episode_settings", [False, *SETTINGS[1:]])
            else:
                deaf.close()
            ticking.socket.settimeout(0.2)  # the limit is later
            assert ticking.receive()[2] is None
            ticking.socket.settimeout(5.0)
            deaf.close()


def test_in_asynchronous_mode_a_slow_reader_misses_messages_and_nobody_waits(strict: Running) -> None:
    with Peer(strict.port) as peer, strict.observe_deafly() as slow:
        peer.call("set_episode_settings", [False, *SETTINGS[1:]])
        (subscription,) = strict.subscribers(1)
        ticks = 0
        while subscription.transport.get_write_buffer_size() == 0:
            assert peer.call("tick_cue")[0] is None
            ticks += 1
            assert ticks < 5000
        for _ in range(200):
            assert peer.call("tick_cue")[0] is None
            assert subscription.transport.get_write_buffer_size() < 60_000  # one message
        slow.settimeout(5.0)
        file = slow.makefile("rb")
        frames: list[int] = []
        while len(frames) < 2 or frames[-1] == frames[-2] + 1:
            (length,) = struct.unpack("<I", file.read(4))
            frames.append(struct.unpack_from("<QQ", file.read(length))[1])
        assert frames[-1] - frames[-2] > 100
        file.close()


def test_subscribers_that_say_nothing_and_too_many_of_them_are_let_go(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HANDSHAKE_LIMIT_S", 0.1)
    monkeypatch.setattr(streams, "MAX_SUBSCRIBERS", 3)
    connections = [running.subscribe(struct.pack("<I", 1)) for _ in range(3)]
    until(lambda: len(running.subscribers(1)) == 3)
    with running.subscribe(struct.pack("<I", 1)) as fourth:
        assert _is_let_go(fourth)
    for connection in connections:
        connection.close()
    until(lambda: not running.server._streams._connections)
    with running.subscribe(b"\x01") as silent:
        assert _is_let_go(silent)


def _is_let_go(connection: socket.socket) -> bool:
    connection.settimeout(5.0)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_answers_that_nobody_reads_are_bounded_all_together(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_UNREAD_BYTES", 400_000)
    deaf = [Peer(running.port) for _ in range(5)]
    for peer in deaf:
        peer.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            peer.socket.send(msgpack.packb([0, 1, "get_actor_definitions", [[False]]]) * 2000)
    until(lambda: len(running.server._connections) < 6)
    assert well.call("version") == (None, [[1, "0.9.16"]])
    for peer in deaf:
        peer.socket.close()
    until(lambda: len(running.server._connections) == 1)


def test_a_client_that_never_reads_its_answers_is_not_listened_to(running: Running, well: Peer) -> None:
    known = set(running.server._connections)
    with Peer(running.port) as deaf:
        deaf.socket.setblocking(False)
        requests = msgpack.packb([0, 1, "get_actor_definitions", [[False]]]) * 2000
        assert deaf.socket.send(requests) == len(requests)  # answers of more than 50 MB
        until(lambda: len(running.server._connections) == len(known) + 1)
        (connection,) = running.server._connections - known
        until(lambda: connection.transport.get_write_buffer_size() > 0)
        time.sleep(0.2)
        assert well.call("version") == (None, [[1, "0.9.16"]])
        assert connection.transport.get_write_buffer_size() < 1_000_000


def test_a_client_that_reads_late_gets_every_answer(running: Running, well: Peer) -> None:
    with Peer(running.port) as late:
        numbers = [late.send("get_actor_definitions") for _ in range(60)]
        time.sleep(0.05)
        assert [late.receive()[1] for _ in numbers] == numbers
        assert late.call("version") == (None, [[1, "0.9.16"]])
