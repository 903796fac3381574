"""msgpack-rpc framing: any split of the bytes gives the same requests; broken bytes end the connection."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import WireError
from harness.sim.wire.rpc import (
    Request,
    RequestReader,
    decode_arguments,
    encode_call_error,
    encode_response,
    failure,
    success,
)
from harness.sim.wire.schema import SCHEMAS
from harness.sim.wire.types import MAX_LIST_ITEMS

REQUESTS = [
    Request(1, "version", False, []),
    Request(2, "set_actor_location", True, [7, [1.0, 2.0, 3.0]]),
    Request(2**32 - 1, "get_actors_by_id", False, [[1, 2, 3]]),
]


def _bytes(request: Request) -> bytes:
    packed: bytes = msgpack.packb(
        [0, request.message_id, request.method, [[request.is_asynchronous], *request.params]], use_bin_type=True
    )
    return packed


def _read_all(reader: RequestReader) -> list[Request]:
    return list(iter(reader.next_request, None))


def test_requests_are_read_whole_byte_by_byte_and_with_a_rest() -> None:
    data = b"".join(map(_bytes, REQUESTS))
    whole = RequestReader()
    whole.receive(data)
    assert _read_all(whole) == REQUESTS

    slow, got = RequestReader(), []
    for index in range(len(data)):
        slow.receive(data[index : index + 1])
        got += _read_all(slow)
    assert got == REQUESTS

    trailing = RequestReader()
    trailing.receive(data + _bytes(REQUESTS[1])[:-1])
    assert _read_all(trailing) == REQUESTS
    trailing.receive(_bytes(REQUESTS[1])[-1:])
    assert _read_all(trailing) == [REQUESTS[1]]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_any_split_gives_the_same_requests(sizes: list[int]) -> None:
    data, reader, got, at = b"".join(map(_bytes, REQUESTS)), RequestReader(), [], 0
    for size in [*sizes, len(data)]:
        reader.receive(data[at : at + size])
        at += size
        got += _read_all(reader)
    assert got == REQUESTS


@pytest.mark.parametrize(
    "message",
    [
        [1, 1, None, None],  # a response
        [2, "version", []],  # a notification
        [0, 1, "version"],
        [0, 1, "version", []],  # no metadata
        [0, 1, "version", [[1]]],
        [0, -1, "version", [[False]]],
        [0, 2**32, "version", [[False]]],
        [0, 1, b"version", [[False]]],
        [0, "1", "version", [[False]]],
        [],
        7,
        None,
        "version",
    ],
)
def test_what_is_no_request_ends_the_connection(message: object) -> None:
    reader = RequestReader()
    reader.receive(msgpack.packb(message, use_bin_type=True))
    with pytest.raises(WireError, match=r"expected \[0, id, method"):
        reader.next_request()


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",  # never used in msgpack
        b"\xdd\xff\xff\xff\xff",  # an array of 2**32 - 1
        b"\xdd" + (MAX_LIST_ITEMS + 1).to_bytes(4, "big"),
        b"\xdf\xff\xff\xff\xff",  # a map
        b"\x81\x01\x02",
        b"\xc9\xff\xff\xff\xff\x01",  # an extension
        b"\xd4\x01\x00",
        b"\xa1\xff",  # not UTF-8
        b"\x91" * 5000,  # nested deeper than any request
    ],
)
def test_bytes_that_promise_too_much_are_refused_at_once(data: bytes) -> None:
    reader = RequestReader()
    reader.receive(data)
    with pytest.raises(WireError, match="not msgpack"):
        reader.next_request()


def test_a_request_that_never_ends_is_refused_at_the_limit() -> None:
    reader = RequestReader(max_request_bytes=1000)
    reader.receive(b"\xda\x07\xd0" + b"x" * 900)
    with pytest.raises(WireError):
        reader.next_request()
        reader.receive(b"x" * 200)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_wire_error(data: bytes) -> None:
    reader = RequestReader()
    reader.receive(data)
    try:
        _read_all(reader)
    except WireError as error:
        assert error.message


def test_arguments_are_checked_and_named() -> None:
    methods = SCHEMAS["0.9.16"].methods
    location = decode_arguments(REQUESTS[1], methods["set_actor_location"])
    assert (location[0], tuple(location[1])) == (7, (1.0, 2.0, 3.0))
    with pytest.raises(WireError, match="set_actor_location: found 1 arguments, expected 2"):
        decode_arguments(Request(1, "set_actor_location", False, [7]), methods["set_actor_location"])
    with pytest.raises(WireError, match="set_actor_location, argument 2: found"):
        decode_arguments(Request(1, "set_actor_location", False, [7, "here"]), methods["set_actor_location"])


def test_responses_have_the_shapes_of_the_protocol() -> None:
    assert (success("x"), success(None, is_void=True)) == ([[1, "x"]], [[False]])
    assert (failure("no"), failure("no", is_void=True)) == ([[0, ["no"]]], [[True, ["no"]]])
    assert msgpack.unpackb(encode_response(5, success("x"))) == [1, 5, None, [[1, "x"]]]
    assert msgpack.unpackb(encode_call_error(5, "no")) == [1, 5, "no", None]
