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

MAX_RESPONSE_BYTES = 1024 * 1024
# CARLA's largest honest request without a long text is a batch that spawns some thousand actors, a few megabytes.
MAX_REQUEST_BYTES = 4 * 1024 * 1024
# An OpenDRIVE text that a client uploads leads its request and comes on top (Town13: 89 million bytes).
MAX_LEADING_TEXT_BYTES = 96 * 1024 * 1024
_REQUEST, _RESPONSE = 0, 1
# How every request begins: an array of four, the number 0.
_OPENING = bytes([0x94, _REQUEST])
_TEXT_32 = b"\xdb"
# Four megabytes of empty lists would take 360 MiB and a second; an honest request of that size has 200,000 lists.
MAX_LISTS = 500_000
_LIST_OPENINGS = bytes([*range(0x90, 0xA0), 0xDC, 0xDD])
# Enough for what stands before the first argument.
_HEAD_BYTES = 512


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
    """Collects bytes of one connection and returns the requests in them.

    A request is decoded only when it has arrived whole: msgpack reserves memory for what an array announces, so that
    a few bytes could ask for gigabytes. Until then it costs what was sent, `MAX_REQUEST_BYTES` at most, and on top
    the text that it leads with, `MAX_LEADING_TEXT_BYTES` at most.
    """

    def __init__(
        self, max_request_bytes: int = MAX_REQUEST_BYTES, max_text_bytes: int = MAX_LEADING_TEXT_BYTES
    ) -> None:
        self._max_request_bytes, self._max_text_bytes = max_request_bytes, max_text_bytes
        self._bytes = bytearray()
        # Finds the ends of the requests; it builds nothing.
        self._scanner = msgpack.Unpacker(max_buffer_size=2 * (max_request_bytes + max_text_bytes))
        self._scanned = 0
        self._found_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Number of bytes that belong to no request yet returned."""
        return len(self._bytes)

    def receive(self, data: bytes) -> None:
        """Add bytes as they came from the peer.

        Raises:
            WireError: more has arrived than any request may hold.
        """
        self._bytes += data
        try:
            self._scanner.feed(data)
        except msgpack.BufferFull:
            raise WireError("a request is larger than the limit") from None

    def next_request_bytes(self) -> int:
        """Return the size of the next request that is complete, 0 if none is; it is not decoded for that.

        Raises:
            WireError: the bytes are not msgpack, or not a request; the connection cannot be used any further.
        """
        if self._found_bytes or not self._bytes:
            return self._found_bytes
        if not _OPENING.startswith(self._bytes[: len(_OPENING)]):
            raise WireError(f"found {bytes(self._bytes[:16])!r}, expected [0, id, method, [[asynchronous], ...]]")
        try:
            self._scanner.skip()
        except msgpack.OutOfData:
            self._check_unfinished()
            return 0
        except (ValueError, msgpack.UnpackException) as error:
            raise _not_msgpack(error) from None
        end = self._scanner.tell()
        self._found_bytes, self._scanned = end - self._scanned, end
        return self._found_bytes

    def next_request(self) -> Request | None:
        """Return the next request that is complete, None if none is.

        Raises:
            WireError: as `next_request_bytes`.
        """
        size_bytes = self.next_request_bytes()
        if not size_bytes:
            return None
        data = bytes(self._bytes[:size_bytes])
        del self._bytes[:size_bytes]
        self._found_bytes = 0
        return _parse_request(_decode(data))

    def _check_unfinished(self) -> None:
        if len(self._bytes) <= self._max_request_bytes:
            return
        text_bytes = _leading_text_bytes(bytes(self._bytes[:_HEAD_BYTES]))
        if text_bytes > self._max_text_bytes or len(self._bytes) > self._max_request_bytes + text_bytes:
            raise WireError(
                f"a request is larger than {self._max_request_bytes} bytes and a leading text of "
                f"{self._max_text_bytes} bytes, the limit"
            )


def _leading_text_bytes(head: bytes) -> int:
    """Return the length that the long text announces which is the first argument of a request; 0 if there is none."""
    reader = msgpack.Unpacker()
    reader.feed(head)
    try:
        reader.read_array_header()
        for _ in range(3):  # kind, id, method
            reader.skip()
        reader.read_array_header()
        reader.skip()  # metadata
    except (ValueError, msgpack.UnpackException):
        return 0
    announced = head[reader.tell() :][:5]
    return int.from_bytes(announced[1:], "big") if announced[:1] == _TEXT_32 and len(announced) == 5 else 0


def _decode(data: bytes) -> Any:
    """Return the value in the bytes of one message; the protocol has neither maps nor extension types."""
    # Bytes that open a list elsewhere also stand in numbers and texts: what is counted is at least the lists.
    if len(data) > MAX_LISTS and len(data) - len(data.translate(None, _LIST_OPENINGS)) > MAX_LISTS:
        raise WireError(f"a request holds more than {MAX_LISTS} lists, the limit")
    try:
        return msgpack.unpackb(data, raw=False, max_array_len=MAX_LIST_ITEMS, max_map_len=0, max_ext_len=0)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        raise _not_msgpack(error) from None


def _not_msgpack(error: Exception) -> WireError:
    return WireError(f"bytes that are not msgpack: {str(error)[:200] or type(error).__name__}")


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


@dataclass(frozen=True)
class Packed:
    """A result that was encoded before, because many ask for it."""

    data: bytes


def pack(result: Any) -> Packed:
    """Encode a result once for all the responses that will hold it."""
    return Packed(msgpack.packb(result, use_bin_type=True))


def encode_response(message_id: int, result: Any) -> bytes:
    """Return the bytes of a response whose `result` already has its wrapper."""
    match result:
        case [[1, Packed(data)]]:
            empty: bytes = msgpack.packb([_RESPONSE, message_id, None, success(None)])
            # The empty result is its last byte.
            return empty[:-1] + data
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
