"""msgpack-rpc as CARLA speaks it: bytes in, requests out; results in, bytes out.

A connection is a bare concatenation of msgpack values, so a request can span reads and one read can hold several.
Every call leads with its metadata ``[asynchronous]``; asynchronous calls expect no answer.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

import msgpack

from harness.errors import WireError
from harness.sim.wire.schema import Method
from harness.sim.wire.types import MAX_LIST_ITEMS, decoder

# CARLA's largest honest request is a batch of a few thousand commands, well under a megabyte; an OpenDRIVE text that a
# client uploads is the largest string (Town13: 90 MB).
MAX_RESPONSE_BYTES = 1024 * 1024
MAX_REQUEST_BYTES = 128 * 1024 * 1024
_REQUEST, _RESPONSE = 0, 1


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        is_asynchronous: the client expects no response.
        params: undecoded arguments, the metadata removed.
    """

    message_id: int
    method: str
    is_asynchronous: bool
    params: list[Any]


class RequestReader:
    """Collects bytes of one connection and returns the requests in them."""

    def __init__(self, max_request_bytes: int = MAX_REQUEST_BYTES) -> None:
        # msgpack reserves memory for the length that an array announces, so that is limited too; the protocol has
        # neither maps nor extension types.
        self._unpacker = msgpack.Unpacker(
            raw=False,
            max_buffer_size=max_request_bytes,
            max_array_len=MAX_LIST_ITEMS,
            max_map_len=0,
            max_ext_len=0,
        )

    def receive(self, data: bytes) -> None:
        """Add bytes as they came from the peer.

        Raises:
            WireError: a request is larger than the limit.
        """
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise WireError("a request exceeds the limit of the receive buffer") from None

    def next_request(self) -> Request | None:
        """Return the next request that is complete, None if none is.

        Raises:
            WireError: the bytes are not msgpack, or not a request; the connection cannot be used any further.
        """
        try:
            message = self._unpacker.unpack()
        except msgpack.OutOfData:
            return None
        except (ValueError, RecursionError, msgpack.UnpackException) as error:
            raise WireError(f"bytes that are not msgpack: {str(error)[:200] or type(error).__name__}") from None
        return _parse_request(message)


def _parse_request(message: Any) -> Request:
    match message:
        case [int(kind), int(message_id), str(method), [[bool(is_asynchronous)], *params]] if (
            kind == _REQUEST and 0 <= message_id <= 0xFFFFFFFF
        ):
            return Request(message_id, method, is_asynchronous, params)
    raise WireError(f"found {reprlib.repr(message)[:80]}, expected [0, id, method, [[asynchronous], ...]]")


def decode_arguments(request: Request, method: Method) -> list[Any]:
    """Return the typed arguments of a request.

    Raises:
        WireError: number or type of the arguments is wrong; the message names the method and the argument.
    """
    if len(request.params) != len(method.arguments):
        raise WireError(f"{request.method}: found {len(request.params)} arguments, expected {len(method.arguments)}")
    values = []
    for index, (hint, value) in enumerate(zip(method.arguments, request.params, strict=True)):
        try:
            values.append(decoder(hint)(value))
        except WireError as error:
            raise WireError(f"{request.method}, argument {index + 1}: {error.message}") from None
    return values


def success(result: Any, *, is_void: bool = False) -> list[Any]:
    """Return ``Response<T>`` holding `result`, or ``Response<void>``."""
    return [[False]] if is_void else [[1, result]]


def failure(message: str, *, is_void: bool = False) -> list[Any]:
    """Return ``Response<T>`` or ``Response<void>`` holding an error; the client raises RuntimeError(message)."""
    return [[True, [message]]] if is_void else [[0, [message]]]


def encode_response(message_id: int, result: Any) -> bytes:
    """Return the bytes of a response whose `result` already has its wrapper."""
    packed: bytes = msgpack.packb([_RESPONSE, message_id, None, result], use_bin_type=True)
    return packed


def encode_call_error(message_id: int, message: str) -> bytes:
    """Return the bytes that refuse a call as such: unknown method, undecodable arguments."""
    packed: bytes = msgpack.packb([_RESPONSE, message_id, message, None], use_bin_type=True)
    return packed


# --- the asking side, for probes
# ---------------------------------------------------------------------------------------


def encode_request(message_id: int, method: str) -> bytes:
    """Return the bytes of a synchronous call without arguments."""
    packed: bytes = msgpack.packb([_REQUEST, message_id, method, [[False]]], use_bin_type=True)
    return packed


class ResponseReader:
    """Collects bytes until the response to one call is complete."""

    def __init__(self, message_id: int) -> None:
        self._unpacker = msgpack.Unpacker(raw=False, max_buffer_size=MAX_RESPONSE_BYTES, strict_map_key=False)
        self._message_id = message_id

    def receive(self, data: bytes) -> Any | None:
        """Add bytes; return the value of ``Response<T>`` once it is there, None until then.

        Raises:
            WireError: the peer speaks something else, or answers with an error.
        """
        try:
            self._unpacker.feed(data)
            message = self._unpacker.unpack()
        except msgpack.OutOfData:
            return None
        except (ValueError, RecursionError, msgpack.UnpackException) as error:
            raise WireError(f"found bytes that are no msgpack ({type(error).__name__}), expected a response") from None
        match message:
            case [1, int(message_id), None, [[1, value]]] if message_id == self._message_id:
                return value
        raise WireError("found another message, expected the response to a call")
