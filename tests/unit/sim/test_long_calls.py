"""Calls that take long: others are served meanwhile, who called gets its answers in order, the end is not delayed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from harness.errors import SimError
from harness.sim.calls import batch
from harness.sim.server import arrival, service
from harness.sim.server.long_calls import LARGE_REQUEST_BYTES
from harness.sim.simulation import TownShelf
from harness.sim.world.town import Town
from tests.peers import CAR, POSE, SETTINGS, Peer, Running, until

PARAMETERS = [2.0, 50.0, 1.0, 0.6, True, True, True]
ELSEWHERE = ("load_new_episode", "Elsewhere", False, 65535)


class SlowShelf:
    """Knows one town at once and takes as long as the test wants for any other."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.asked: list[str] = []
        self.may_go_on = threading.Event()
        self.given_up = 0

    def load(self, name: str, given_up: threading.Event) -> Town:
        if name == self.town.name:
            return self.town
        self.asked.append(name)
        deadline_s = time.monotonic() + 20.0
        while not self.may_go_on.wait(0.01):
            assert time.monotonic() < deadline_s
            if given_up.is_set():
                self.given_up += 1
                raise SimError("nobody waits")
        if name == "Nowhere":
            raise SimError("Map 'Nowhere' not found")
        return self.town


@pytest.fixture
def shelf(hill: Town) -> Iterator[SlowShelf]:
    slow = SlowShelf(hill)
    yield slow
    slow.may_go_on.set()


def _serve(shelf: SlowShelf, *, resets: bool = False) -> Running:
    running = Running(shelf.town, resets=resets)
    running.server.simulation.shelf = TownShelf(
        load=shelf.load, names=lambda: [], parse=lambda name, text, given_up: shelf.load(name, given_up)
    )
    return running


def test_others_tick_while_a_town_is_read_and_the_one_who_asked_waits(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    with Peer(running.port) as asking, Peer(running.port) as other:
        other.call("set_episode_settings", SETTINGS)
        loading, next_call = asking.send(*ELSEWHERE), asking.send("version")
        until(lambda: shelf.asked == ["Elsewhere"])
        frames = [other.call("tick_cue")[1][0][1] for _ in range(20)]
        assert frames == list(range(frames[0], frames[0] + 20))
        shelf.may_go_on.set()
        assert asking.receive() == [1, loading, None, [[False]]]
        assert asking.receive() == [1, next_call, None, [[1, "0.9.16"]]]
        episode = running.server.simulation.world.episode_id
        until(lambda: running.server.simulation.world.episode_id == episode + 1)
    running.stop()


def test_a_town_that_cannot_be_read_is_answered_and_the_old_episode_goes_on(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    shelf.may_go_on.set()
    with Peer(running.port) as peer:
        before = running.server.simulation.world
        assert peer.call("load_new_episode", "Nowhere", True, 0) == (None, [[True, ["Map 'Nowhere' not found"]]])
        assert peer.call("version") == (None, [[1, "0.9.16"]])
        assert running.server.simulation.world is before
    running.stop()


def test_one_town_is_read_at_a_time(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    with Peer(running.port) as first, Peer(running.port) as second, Peer(running.port) as third:
        for peer in (first, second):
            peer.send(*ELSEWHERE)
        until(lambda: sum(connection.waits_for_outcome for connection in running.server._connections) == 2)
        assert third.call("version") == (None, [[1, "0.9.16"]])
        assert len(shelf.asked) == 1
        shelf.may_go_on.set()
        assert first.receive()[3] == second.receive()[3] == [[False]]
    running.stop()


def test_a_server_ends_while_a_town_is_read(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    with Peer(running.port) as peer:
        peer.send(*ELSEWHERE)
        until(lambda: shelf.asked == ["Elsewhere"])
        began_s = time.monotonic()
        running.stop()
        assert time.monotonic() - began_s < 5.0


def test_what_a_client_asked_for_before_it_left_does_not_reach_the_next_one(shelf: SlowShelf) -> None:
    running = _serve(shelf, resets=True)
    with Peer(running.port) as peer:
        peer.call("set_episode_settings", SETTINGS)
        peer.send("load_new_episode", "Elsewhere", True, 1)
        until(lambda: shelf.asked == ["Elsewhere"])
    simulation = running.server.simulation
    until(lambda: not running.server._connections)
    shelf.may_go_on.set()
    with Peer(running.port) as peer:
        until(lambda: not running.server.long_calls.tasks)
        assert peer.call("version")[0] is None
        assert (simulation.prepared_town, simulation.world.episode_id) == (None, 1)
    running.stop()


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow_commands(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have every command of a batch take a millisecond more; returns when each began."""
    began_s: list[float] = []
    answer = batch._answer

    def take_long(*arguments: Any, **options: Any) -> Any:
        began_s.append(time.monotonic())
        time.sleep(0.001)
        return (yield from answer(*arguments, **options))

    monkeypatch.setattr(batch, "_answer", take_long)
    return began_s


def test_a_large_batch_lets_others_have_their_turn(running: Running, well: Peer, slow_commands: list[float]) -> None:
    count = 1_000
    car = well.call("spawn_actor", CAR, POSE)[1][0][1][0]
    commands = [[[1, [4_000_000_000]]], *[[[6, [car, POSE]]]] * (count - 1)]
    with Peer(running.port) as large:
        sent, behind = large.send("apply_batch", commands, False), large.send("version")
        until(lambda: len(slow_commands) > 0)
        served = 0
        while len(slow_commands) < count:
            assert well.call("version") == (None, [[1, "0.9.16"]])
            served += 1
        assert served >= 5
        _, number, error, answers = large.receive()
        assert (number, error, len(answers)) == (sent, None, count)
        assert [answer[0][0] for answer in answers] == [0] + [1] * (count - 1)
        assert large.receive()[1] == behind


def test_a_batch_is_carried_out_although_its_client_has_left(
    running: Running, well: Peer, slow_commands: list[float]
) -> None:
    car = well.call("spawn_actor", CAR, POSE)[1][0][1][0]
    with Peer(running.port) as leaving:
        leaving.send("apply_batch", [[[6, [car, POSE]]]] * 500 + [[[1, [car]]]], False, asynchronous=True)
        until(lambda: len(slow_commands) > 0)
    until(lambda: running.server.simulation.world.table.row(car) is None)


def test_what_follows_a_spawn_takes_turns_too(running: Running, well: Peer, slow_commands: list[float]) -> None:
    count = 500
    spawn = [[0, [CAR, POSE, [False], 0, "", [[[16, [0, True]]]] * count]]]
    with Peer(running.port) as large:
        large.send("apply_batch", [spawn], False)
        until(lambda: len(slow_commands) > 0)
        served = 0
        while len(slow_commands) < count:
            assert well.call("version")[0] is None
            served += 1
        assert served >= 5
        assert large.receive()[3][0][0][0] == 1


def test_many_batches_share_one_turn(running: Running, well: Peer, slow_commands: list[float]) -> None:
    """Each would take half a second; a client with a small one is served in between, and so is one that calls."""
    batch_of_500 = [[[1, [4_000_000_000]]]] * 500
    peers = [Peer(running.port) for _ in range(8)]
    for peer in peers:
        peer.send("apply_batch", batch_of_500, False)
    until(lambda: len(slow_commands) > 0)
    longest_s = 0.0
    while len(slow_commands) < 500 * len(peers):
        began_s = time.monotonic()
        assert well.call("version")[0] is None
        longest_s = max(longest_s, time.monotonic() - began_s)
    # Nine turns of a tenth of a second would be nearly one.
    assert longest_s < 0.6
    assert {len(peer.receive()[3]) for peer in peers} == {500}
    for peer in peers:
        peer.socket.close()


def test_large_requests_are_decoded_one_after_the_other(
    running: Running, well: Peer, slow_commands: list[float]
) -> None:
    large = [[[1, [4_000_000_000]]]] * 2_000
    assert len(msgpack.packb(large)) > LARGE_REQUEST_BYTES
    with Peer(running.port) as first, Peer(running.port) as second, Peer(running.port) as leaving:
        calls = first.send("apply_batch", large, False), second.send("apply_batch", large, False)
        until(lambda: len(slow_commands) > 0)
        leaving.send("apply_batch", large, False)
        connections = running.server._connections
        until(lambda: sum(connection._waits_to_decode for connection in connections) == 2)
        leaving.socket.close()
        assert (first.receive()[1], second.receive()[1]) == calls
    until(lambda: running.server.long_calls._at_large is None and not running.server.long_calls._queue)


# --- those who leave -------------------------------------------------------------------------------------------------


def test_a_sent_town_that_nobody_waits_for_is_given_up(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    for _ in range(3):
        with Peer(running.port) as leaving:
            asked = len(shelf.asked)
            leaving.send("copy_opendrive_to_file", "x", PARAMETERS)
            until(lambda count=asked: len(shelf.asked) > count)  # type: ignore[misc]
    until(lambda: shelf.given_up == 3 and not running.server.long_calls.tasks)
    shelf.may_go_on.set()
    with Peer(running.port) as peer:
        assert peer.call("copy_opendrive_to_file", "x", PARAMETERS) == (None, [[False]])
    running.stop()


def test_a_town_of_our_own_is_read_to_its_end_but_begins_for_nobody(shelf: SlowShelf) -> None:
    """A client whose time limit is shorter than that finds it ready when it tries again."""
    running = _serve(shelf)
    with Peer(running.port) as waiting, Peer(running.port) as staying:
        waiting.send(*ELSEWHERE)
        until(lambda: shelf.asked == ["Elsewhere"])
        waiting.socket.close()
        until(lambda: len(running.server._connections) == 1)
        shelf.may_go_on.set()
        until(lambda: not running.server.long_calls.tasks)
        assert (shelf.given_up, running.server.simulation.prepared_town) == (0, None)
        assert staying.call("version")[0] is None
    running.stop()


def test_a_client_that_left_behind_a_pile_of_requests_is_noticed(shelf: SlowShelf) -> None:
    running = _serve(shelf)
    with Peer(running.port) as leaving:
        leaving.send("copy_opendrive_to_file", "x", PARAMETERS)
        until(lambda: len(shelf.asked) == 1)
        # More than the kernel holds: the end of the connection comes behind it.
        for _ in range(12):
            leaving.send("copy_opendrive_to_file", "x" * 1_000_000, PARAMETERS)
    until(lambda: shelf.given_up == 1 and not running.server._connections)
    running.stop()


def test_a_thread_that_cannot_be_started_is_an_answer(
    shelf: SlowShelf, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    running = _serve(shelf)

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with Peer(running.port) as peer:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert peer.call(*ELSEWHERE) == (None, [[True, [service._INTERNAL_ERROR]]])
        monkeypatch.undo()
        shelf.may_go_on.set()
        assert peer.call(*ELSEWHERE) == (None, [[False]])
    running.stop()


def test_an_episode_asked_for_again_does_not_begin_when_the_one_before_would_have(
    running: Running, well: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "_ARRIVAL_LIMIT_S", 0.4)
    before = running.server.simulation.world.episode_id
    well.call("load_new_episode", "Hill", False, 0)
    time.sleep(0.3)
    well.call("load_new_episode", "Hill", False, 0)
    time.sleep(0.2)
    assert running.server.simulation.world.episode_id == before
    until(lambda: running.server.simulation.world.episode_id == before + 1)


def test_texts_that_wait_count_as_unfinished(shelf: SlowShelf, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(service, "MAX_UNFINISHED_BYTES", 1_000_000)
    running = _serve(shelf)
    with Peer(running.port) as small, Peer(running.port) as large:
        small.send("copy_opendrive_to_file", "x" * 300_000, PARAMETERS)
        until(lambda: len(shelf.asked) == 1)
        large.send("copy_opendrive_to_file", "x" * 800_000, PARAMETERS)
        assert large.is_hung_up()
        assert "all that is unfinished exceeds the limit" in caplog.text
        shelf.may_go_on.set()
        assert small.receive()[3] == [[False]]
    running.stop()
