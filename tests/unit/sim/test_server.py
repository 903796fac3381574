"""The server against peers that mean no good: it lives, others tick on, memory stays bounded."""

from __future__ import annotations

import contextlib
import random
import time
from typing import Any

import msgpack
import pytest

from harness.sim.calls import HANDLERS
from harness.sim.server import service
from harness.sim.wire.schema import SCHEMAS
from harness.sim.world.town import Town
from tests.peers import CAR, POSE, SETTINGS, Peer, Running, until


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
    until(lambda: len(running.server._connections) == 1)


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
    assert well.call("get_map_info") == (None, [[0, [service._INTERNAL_ERROR]]])
    assert well.call("set_actor_simulate_physics", 1, True) == (None, [[True, [service._INTERNAL_ERROR]]])
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
        until(lambda: "ZeroDivisionError" in caplog.text)
        monkeypatch.undo()
        frame = simulation.world.frame
        until(lambda: simulation.world.frame > frame + 2)


def test_two_hundred_connections_at_once(running: Running, well: Peer) -> None:
    peers = [Peer(running.port) for _ in range(200)]
    for peer in peers:
        peer.send("version")
    assert all(peer.receive()[3] == [[1, "0.9.16"]] for peer in peers)
    for peer in peers:
        peer.socket.close()
    until(lambda: len(running.server._connections) == 1)


def test_clients_beyond_the_limit_are_told_so(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(service, "MAX_CLIENTS", 3)
    monkeypatch.setattr(service, "MAX_REFUSED", 2)
    with Peer(running.port) as second, Peer(running.port) as third:
        assert second.call("version")[0] is None and third.call("version")[0] is None
        with Peer(running.port) as fourth, Peer(running.port) as fifth, Peer(running.port) as sixth:
            error, result = fourth.call("tick_cue")
            assert (error, result) == ("the simulator serves 3 clients, its limit; try again when one has left", None)
            assert fourth.is_hung_up() and sixth.is_hung_up()
            assert fifth.is_hung_up()  # it says nothing, and is not kept either
    until(lambda: len(running.server._connections) == 1 and not running.server._refused)
    with Peer(running.port) as again:
        assert again.call("version")[0] is None
    assert caplog.text.count("its limit") == 1


def test_what_malformed_peers_do_is_logged_once(running: Running, well: Peer, caplog: Any) -> None:
    running.server.simulation.complaints.__init__()  # type: ignore[misc]
    for _ in range(20):
        with Peer(running.port) as peer:
            peer.socket.sendall(b"GET / HTTP/1.1\r\n")
            assert peer.is_hung_up()
        well.call("set_actor_location", 1, "here")
        well.call("no such\ncall\x1b[2J")
    assert len(caplog.records) == 3
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_requests_that_never_end_are_bounded_all_together(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_UNFINISHED_BYTES", 3_000_000)
    head = b"\x94\x00\x01\xa1x\x92\x91\xc2\xdb\x00\x10\x00\x00"
    small, large = Peer(running.port), [Peer(running.port) for _ in range(4)]
    small.socket.sendall(head)
    for peer in large:
        with contextlib.suppress(ConnectionError):
            peer.socket.sendall(head + b"x" * 1_000_000)
    until(lambda: len(running.server._connections) == 1 + 1 + 2)
    assert sum(running.server._unfinished.values()) < 3_000_000
    for peer in (small, *large):
        peer.socket.close()
    until(lambda: not running.server._unfinished)


def test_a_client_with_many_requests_does_not_keep_others_waiting(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = []

    def take_long(*_: object) -> list[Any]:
        answered.append(None)
        time.sleep(0.003)
        return []

    monkeypatch.setitem(HANDLERS, "get_map_info", take_long)
    with Peer(running.port) as busy:
        busy.socket.sendall(msgpack.packb([0, 1, "get_map_info", [[True]]]) * 100)
        last = busy.send("version")
        until(lambda: bool(answered))
        assert well.call("version")[0] is None
        assert len(answered) < 50
        assert busy.receive()[1] == last
        assert len(answered) == 100


# --- coming and going ------------------------------------------------------------------------------------------------


def test_a_traffic_manager_ends_with_the_connection_that_announced_it(running: Running, well: Peer) -> None:
    with Peer(running.port) as peer:
        assert peer.call("add_traffic_manager_running", ["10.0.0.1", 8000]) == (None, [[1, True]])
        assert well.call("is_traffic_manager_running", 8000) == (None, [[1, True]])
        assert well.call("get_traffic_manager_running", 8000) == (None, [[1, ["10.0.0.1", 8000]]])
        assert well.call("add_traffic_manager_running", ["10.0.0.2", 8000]) == (None, [[1, False]])
    until(lambda: not running.server.simulation.traffic_managers)
    assert well.call("is_traffic_manager_running", 8000) == (None, [[1, False]])
    assert well.call("get_traffic_manager_running", 8000) == (None, [[1, ["", 0]]])


def test_an_episode_that_nobody_arrives_in_begins_all_the_same(running: Running, well: Peer) -> None:
    before = running.server.simulation.world
    assert well.call("load_new_episode", "Hill", False, 65535) == (None, [[False]])
    assert well.call("get_episode_info")[1][0][1][0] == before.episode_id
    until(lambda: running.server.simulation.world.episode_id == before.episode_id + 1)
    assert running.server.simulation.world.frame > before.frame


def test_actor_ids_are_never_used_twice(running: Running, well: Peer) -> None:
    seen: set[int] = set()
    for _ in range(2):
        for _ in range(5):
            car = well.call("spawn_actor", CAR, [[50.0, 1.75, 13.0], [0.0, 0.0, 0.0]])[1][0][1][0]
            assert car not in seen
            seen.add(car)
            well.call("destroy_actor", car)
        seen.update(running.server.simulation.world.table.ids.tolist())
        episode = running.server.simulation.world.episode_id
        well.call("load_new_episode", "Hill", False, 65535)
        until(lambda before=episode: running.server.simulation.world.episode_id > before)  # type: ignore[misc]
        assert not seen & set(running.server.simulation.world.table.ids.tolist())


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
