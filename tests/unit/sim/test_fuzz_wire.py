"""Whatever a peer sends is answered or refused, and nothing of it makes the world anything but finite numbers."""

from __future__ import annotations

import asyncio
import contextlib
import time
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import WireError
from harness.sim.observer import observe
from harness.sim.server.arrival import Arrival
from harness.sim.server.rpc_connection import RpcConnection
from harness.sim.server.service import _INTERNAL_ERROR, SimulatorServer
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.wire.messages import ActorDescription, Transform
from harness.sim.wire.rpc import Request, RequestReader
from harness.sim.wire.schema import OBSERVER_RECORD, SCHEMAS
from harness.sim.wire.types import U8, U16, U32
from harness.sim.world.blueprints import LIBRARY
from harness.sim.world.town import Town
from tests.hostile_calls import FLOATS, INTEGERS, hostile_calls, hostile_commands, spoiled, valid

SCHEMA = SCHEMAS["0.9.16"]
CAR = [1, "vehicle.audi.tt", [["color", 5, "255,0,0"]]]
POSE = [[50.0, 1.75, 13.0], [0.0, 0.0, 0.0]]
# The observer's floats, and whose they are: the readings of a vehicle, a walker and a light share their bytes.
FLOATS_OF_ALL = ("kinematics",)
FLOATS_OF_VEHICLES = ("throttle_steer_brake", "speed_limit_kmh")
FLOATS_OF_WALKERS = ("walk_direction", "walk_speed_mps")
FLOATS_OF_LIGHTS = ("signal_times_s", "signal_elapsed_s")


class Paper(asyncio.Transport):
    """Takes the answers to calls that take long."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Bench:
    """A server without sockets: calls go in, answers come out, and the state is looked at after each."""

    def __init__(self, town: Town) -> None:
        shelf = TownShelf(load=lambda name, given_up: town, names=lambda: [town.name])
        self.server = SimulatorServer(
            lambda port: Simulation(shelf, town.name, stream_port=port, wall_clock_s=time.time)
        )
        self.server.prepare(2001)
        self.simulation = self.server.simulation
        self._connection = RpcConnection(self.server)
        self._connection.transport = self._paper = Paper()
        self.server._connections.add(self._connection)
        self._loop = asyncio.new_event_loop()
        self._count = 0

    def known(self) -> dict[Any, Any]:
        """Return values that mean something to the server; the car is replaced when it has gone."""
        table = self.simulation.world.table
        vehicles = table.ids[table.vehicle_rows].tolist()
        car = vehicles[0] if vehicles else self.call("spawn_actor", [CAR, POSE])[3][0][1][0]
        return {U32: car, ActorDescription: CAR, Transform: POSE, U8: 1, U16: 8000}

    def call(self, method: str, arguments: list[Any]) -> Any:
        """Return the answer to a call that has crossed the wire."""
        packed = msgpack.packb([0, 7, method, [[False], *arguments]], use_bin_type=True)
        reader = RequestReader()
        reader.receive(packed)
        request = reader.next_request()
        assert request is not None
        answer = self._loop.run_until_complete(self._answer(request))
        kind, number, error, result = decoded = msgpack.unpackb(answer, strict_map_key=False)
        assert (kind, number) == (1, 7)
        assert _INTERNAL_ERROR not in str(decoded), (method, arguments)
        assert error is None or (isinstance(error, str) and result is None)
        return decoded

    def close(self) -> None:
        self._loop.close()

    async def _answer(self, request: Request) -> bytes:
        answer = self.server.answer(request, self._connection)
        if answer is None:
            await asyncio.gather(*self.server.long_calls.tasks)
            answer = self._paper.written.pop()
        return answer

    def check(self, what: Any) -> None:
        """Fail unless all that the observer shows is finite; every few times after a tick."""
        self._count += 1
        if self._count % 8 == 0:
            with np.errstate(over="ignore"):
                self.simulation.tick()
            self.simulation.outbox.clear()
        table, records = self.simulation.world.table, observe(self.simulation.world)
        lights = [table.row(light) for light in self.simulation.world.light_ids]
        for names, rows in (
            (FLOATS_OF_ALL, slice(None)),
            (FLOATS_OF_VEHICLES, table.vehicle_rows),
            (FLOATS_OF_WALKERS, table.walker_rows),
            (FLOATS_OF_LIGHTS, lights),
        ):
            for name in names:
                assert np.isfinite(records[name][rows]).all(), (name, what)
        assert np.isfinite(self.simulation.world.elapsed_s)


@pytest.fixture
def bench(hill: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    _begin_episodes_at_once(monkeypatch)
    with contextlib.closing(Bench(hill)) as bench:
        yield bench


def _begin_episodes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a new episode begin with the call: when it does otherwise is the event loop's affair."""

    def begin(arrival: Arrival, what: str, *, is_prepared: bool) -> None:
        if is_prepared:
            arrival._begin()

    monkeypatch.setattr(Arrival, "follow", begin)


def test_every_argument_of_every_call_about_a_car(bench: Bench) -> None:
    known = bench.known()
    for method, arguments in hostile_calls(SCHEMA, known):
        bench.call(method, arguments)
        bench.check((method, arguments))
        known.update(bench.known())


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["spectator", "walker", "light", "prop", "sensor"])
def test_every_argument_of_every_call_about_another_actor(
    borough: Town, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    _begin_episodes_at_once(monkeypatch)
    bench = Bench(borough)
    request.addfinalizer(bench.close)
    types = {"walker": "walker.pedestrian.0001", "prop": "static.prop.barrel", "sensor": "sensor.other.collision"}

    def actor_id() -> int:
        world = bench.simulation.world
        if kind == "spectator":
            return world.spectator_id
        if kind == "light":
            return world.light_ids[0]
        found = [info.id for info in world.table.info.values() if info.type_id == types[kind]]
        if found:
            return found[0]
        spawned: int = bench.call("spawn_actor", [[1, types[kind], []], POSE])[3][0][1][0]
        return spawned

    known: dict[Any, Any] = {ActorDescription: CAR, Transform: POSE, U8: 1, U16: 8000, U32: actor_id()}
    for method, arguments in hostile_calls(SCHEMA, known):
        bench.call(method, arguments)
        bench.check((method, arguments))
        known[U32] = actor_id()


def test_every_part_of_every_batch_command(bench: Bench) -> None:
    known = bench.known()
    for command in hostile_commands(SCHEMA, known):
        _, _, error, answers = bench.call("apply_batch", [[command, [[1, [4_000_000_000]]]], False])
        assert error is None and len(answers) == 2
        bench.check(command)
        known.update(bench.known())


def test_every_attribute_of_every_blueprint(bench: Bench) -> None:
    car = bench.known()[U32]
    seen = set[tuple[str, str]]()
    for blueprint in LIBRARY.values():
        for attribute in blueprint.attributes:
            prefix = blueprint.type_id.rsplit(".", 1)[0] if blueprint.type_id.startswith("sensor") else ""
            if (prefix, attribute.id) in seen:
                continue
            seen.add((prefix, attribute.id))
            for value in ("nan", "inf", "-1", "1e39", "", "x", "9" * 400):
                description = [1, blueprint.type_id, [[attribute.id, 4, value]]]
                pose = [[80.0, 1.75, 15.0], [0.0, 0.0, 0.0]]
                if blueprint.type_id.startswith("sensor"):
                    answer = bench.call("spawn_actor_with_parent", [description, pose, car, 0, ""])
                else:
                    answer = bench.call("spawn_actor", [description, pose])
                bench.check((blueprint.type_id, attribute.id, value))
                if answer[2] is None and answer[3][0][0] == 1:
                    bench.call("destroy_actor", [answer[3][0][1][0]])


def test_what_the_traffic_manager_sends_is_answered_without_error(bench: Bench) -> None:
    nan, car = float("nan"), bench.known()[U32]
    control = [car, [nan, nan, nan, False, False, False, 0]]
    assert bench.call("apply_control_to_vehicle", control)[2:] == [None, [[False]]]
    answers = bench.call("apply_batch", [[[[2, control]], [[18, [car, 3]]]], False])[3]
    assert [answer[0][0] for answer in answers] == [1, 1]
    for method, arguments in (("get_actor_bounding_box", [999_999]), ("set_actor_simulate_physics", [999_999, True])):
        _, _, error, result = bench.call(method, arguments)
        assert error is None and result[0][0] in (1, False), method
    bench.check("the Traffic Manager")


# --- drawn by hypothesis ---------------------------------------------------------------------------------------------

_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from([*FLOATS, *INTEGERS]),
    lambda children: st.lists(children, max_size=6),
    max_leaves=20,
)


def _drawn(hint: Any, known: dict[Any, Any]) -> st.SearchStrategy[Any]:
    """Return values of a wire type, most of them valid, some spoiled, some anything."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    honest: st.SearchStrategy[Any] = st.just(valid(hint, known))
    if origin is Annotated and arguments[0] is float:
        honest = honest | st.floats(width=32, allow_nan=False, allow_infinity=False)
    elif origin is Annotated and arguments[0] is int:
        honest = honest | st.integers(0, 255)
    elif origin is list:
        honest = st.lists(_drawn(arguments[0], known), max_size=4)
    elif isinstance(hint, type) and issubclass(hint, tuple):
        fields = typing.get_type_hints(hint, include_extras=True).values()
        honest = st.tuples(*[_drawn(field, known) for field in fields]).map(list)
    return st.integers(0, 19).flatmap(
        lambda choice: _JUNK if choice == 0 else st.sampled_from(list(spoiled(hint, known))) if choice == 1 else honest
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_sequence_of_calls_leaves_a_finite_world(bench: Bench, data: st.DataObject) -> None:
    known = bench.known()
    for _ in range(data.draw(st.integers(1, 4))):
        method = data.draw(st.sampled_from(sorted(SCHEMA.methods)))
        arguments = [data.draw(_drawn(hint, known)) for hint in SCHEMA.methods[method].arguments]
        bench.call(method, arguments)
        bench.check((method, arguments))


def _read(data: bytes, sizes: list[int]) -> list[Request | str]:
    """Return the requests in some bytes that arrive in pieces, and why reading ended early if it did."""
    reader, found, at = RequestReader(), list[Request | str](), 0
    for size in [*sizes, len(data)]:
        try:
            reader.receive(data[at : at + size])
            found += iter(reader.next_request, None)
        except WireError:
            return [*found, "refused"]
        at += size
    return found


_REQUESTS = st.lists(
    st.builds(
        lambda method, arguments: msgpack.packb([0, 1, method, [[False], *arguments]], use_bin_type=True),
        st.sampled_from(sorted(SCHEMA.methods)) | st.text(max_size=10),
        st.lists(_JUNK, max_size=4),
    ),
    max_size=4,
).map(b"".join)


def _damage(data: bytes, draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
    at = draw(st.integers(0, len(data)))
    piece = draw(st.binary(max_size=8))
    gone = draw(st.integers(0, 8))
    return data[:at] + piece + data[at + gone :]


@settings(max_examples=50, deadline=None)
@given(st.data(), _REQUESTS, st.lists(st.integers(1, 30), max_size=20))
def test_damaged_bytes_are_read_or_refused_the_same_in_any_pieces(
    data: st.DataObject, requests: bytes, sizes: list[int]
) -> None:
    damaged = _damage(requests, data.draw)
    whole, pieces = _read(damaged, []), _read(damaged, sizes)
    assert str(whole) == str(pieces)  # as text: NaN is not itself


def test_the_observer_record_has_no_other_floats() -> None:
    floats = {name for name, (kind, *_) in OBSERVER_RECORD.fields.items() if kind.base.kind == "f"}
    assert floats == {*FLOATS_OF_ALL, *FLOATS_OF_VEHICLES, *FLOATS_OF_WALKERS, *FLOATS_OF_LIGHTS}
