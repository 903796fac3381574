"""msgpack-rpc framing: any split of the bytes gives the same requests; broken bytes end the connection."""

from __future__ import annotations

import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import WireError
from harness.sim.wire.rpc import (
    MAX_LISTS,
    Request,
    RequestReader,
    decode_arguments,
    encode_call_error,
    encode_response,
    failure,
    pack,
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


@pytest.mark.parametrize("data", [b"\xc1", b"GET / HTTP/1.1", b"\xdd\xff\xff\xff\xff", b"\x91" * 5000, b"\x94\x02"])
def test_bytes_that_begin_no_request_are_refused_at_once(data: bytes) -> None:
    reader = RequestReader()
    reader.receive(data)
    with pytest.raises(WireError, match=r"expected \[0, id, method"):
        reader.next_request()


HEAD = b"\x94\x00\x01\xa1x"


@pytest.mark.parametrize(
    "rest",
    [
        b"\xc1",  # never used in msgpack
        b"\x91\x81\x01\x02",  # a map
        b"\x91\xd4\x01\x00",  # an extension
        b"\x91\xa1\xff",  # not UTF-8
        b"\x91" * 5000,  # nested deeper than any request
        b"\xdd" + (MAX_LIST_ITEMS + 1).to_bytes(4, "big") + b"\x00" * (MAX_LIST_ITEMS + 1),
    ],
)
def test_requests_that_hold_what_the_protocol_has_not_are_refused(rest: bytes) -> None:
    reader = RequestReader()
    reader.receive(HEAD + rest)
    with pytest.raises(WireError, match="not msgpack"):
        reader.next_request()


def test_lists_have_a_limit_all_together() -> None:
    some = b"\xdd" + MAX_LIST_ITEMS.to_bytes(4, "big") + b"\x90" * MAX_LIST_ITEMS
    for count, is_accepted in ((MAX_LISTS // MAX_LIST_ITEMS - 1, True), (MAX_LISTS // MAX_LIST_ITEMS, False)):
        reader = RequestReader()
        reader.receive(HEAD + b"\x92\x91\xc2\xdc" + count.to_bytes(2, "big") + some * count)
        if is_accepted:
            assert reader.next_request() is not None
        else:
            with pytest.raises(WireError, match="more than 500000 lists"):
                reader.next_request()


def test_what_a_request_announces_costs_nothing_until_it_is_there() -> None:
    reader = RequestReader()
    # A thousand arrays in each other, each of which would take 800 kB.
    reader.receive(HEAD + (b"\xdd" + MAX_LIST_ITEMS.to_bytes(4, "big")) * 1000)
    tracemalloc.start()
    assert reader.next_request() is None
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_a_request_that_never_ends_is_refused_at_the_limit() -> None:
    reader = RequestReader(max_request_bytes=1000, max_text_bytes=2000)
    reader.receive(HEAD + b"\x92\x91\xc2\xdc\xff\xff" + b"\x00" * 900)
    assert reader.next_request() is None
    reader.receive(b"\x00" * 200)
    with pytest.raises(WireError, match="larger than 1000 bytes"):
        reader.next_request()


@pytest.mark.parametrize(("length", "is_accepted"), [(2000, True), (2001, False), (2**32 - 1, False)])
def test_a_leading_text_may_be_longer(length: int, is_accepted: bool) -> None:
    reader = RequestReader(max_request_bytes=1000, max_text_bytes=2000)
    reader.receive(HEAD + b"\x93\x91\xc2\xdb" + length.to_bytes(4, "big") + b"x" * 1900)
    if not is_accepted:
        with pytest.raises(WireError, match="a leading text of 2000 bytes, the limit"):
            reader.next_request()
        return
    assert reader.next_request() is None
    reader.receive(b"x" * 100 + b"\x07" + _bytes(REQUESTS[0]))
    requests = _read_all(reader)
    assert [len(requests[0].params[0]), requests[0].params[1], requests[1]] == [2000, 7, REQUESTS[0]]
    assert reader.pending_bytes == 0


def test_bytes_without_end_are_refused_before_they_are_looked_at() -> None:
    reader = RequestReader(max_request_bytes=100, max_text_bytes=100)
    with pytest.raises(WireError, match="larger than the limit"):
        reader.receive(b"\x94" * 1000)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"\x94\x00" + data))
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


@given(st.integers(0, 2**32 - 1), st.recursive(st.integers(-9, 9) | st.text() | st.none(), st.lists))
def test_a_result_that_was_encoded_before_makes_the_same_response(message_id: int, result: object) -> None:
    assert encode_response(message_id, success(pack(result))) == encode_response(message_id, success(result))
