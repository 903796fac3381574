"""One client's RPC connection: bytes in, requests answered in their order, bytes out."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from typing import TYPE_CHECKING

from harness.errors import WireError
from harness.sim.server.limits import MAX_READ_AHEAD_BYTES, REFUSED_LIMIT_S, TURN_S, prepare_socket
from harness.sim.wire.rpc import Request, RequestReader, encode_call_error

if TYPE_CHECKING:
    from harness.sim.server.service import SimulatorServer


class RpcConnection(asyncio.Protocol):
    """One client's RPC connection.

    A client is not read from while it does not take its answers, so that neither requests nor answers pile up.

    Attributes:
        traffic_manager_ports: registered over this connection; they end with it.
        waits_for_outcome: its last request takes long and is answered later, and those behind it after that.
    """

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server
        self._reader = RequestReader()
        self._refusal = ""
        self._is_writable = True
        self._is_held = False
        self._waits_to_decode = False
        self._has_ticked = False
        self._held_request: Request | None = None
        self._waits_for_turn = False
        self.traffic_manager_ports: set[int] = set()
        self.waits_for_outcome = False
        self._request_bytes = 0
        self.transport: asyncio.Transport

    @property
    def unfinished_bytes(self) -> int:
        """Number of bytes that have arrived and are not answered."""
        return self._reader.pending_bytes + (self._request_bytes if self.waits_for_outcome else 0)

    @property
    def _is_waiting(self) -> bool:
        return self._is_held or self._waits_to_decode or self.waits_for_outcome

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        prepare_socket(transport.get_extra_info("socket"))
        self._refusal = self._server.client_connected(self)
        if self._refusal:
            asyncio.get_running_loop().call_later(REFUSED_LIMIT_S, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.client_disconnected(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.receive(data)
        except WireError as error:
            self._close(error)
        self._answer_requests()

    def pause_writing(self) -> None:
        self._is_writable = False
        self._choose_reading()
        self._server.limit_unread()

    def resume_writing(self) -> None:
        self._is_writable = True
        self._answer_requests()

    def go_on(self) -> None:
        """Answer what had to wait, for subscribers or for somebody's large request."""
        self._is_held = self._waits_to_decode = False
        if not self._is_writable and not self.waits_for_outcome:
            self._server.long_calls.is_done(self)  # others need not wait for who does not read
        self._answer_requests()

    def go_on_with(self, answer: bytes | None) -> None:
        """Send the answer of a call that took long, and answer what has arrived behind it."""
        self.waits_for_outcome = False
        self._server.long_calls.is_done(self)
        if answer is not None and not self.transport.is_closing():
            self.transport.write(answer)
        if self._has_ticked:
            self._must_wait()
        self._answer_requests()

    def _take_turn(self) -> None:
        self._waits_for_turn = False
        self._answer_requests()

    def _answer_requests(self) -> None:
        """Answer what has arrived, as long as nothing has to be waited for."""
        until_s = time.monotonic() + TURN_S
        try:
            while self._is_writable and not (self._is_waiting or self._waits_for_turn or self.transport.is_closing()):
                request = self._held_request or self._next_request()
                if request is None:
                    break
                self._held_request = None
                if request.method == "tick_cue" and self._must_wait():
                    self._held_request = request
                    break
                self._answer(request)
                if not self.waits_for_outcome:
                    self._server.long_calls.is_done(self)
                self._has_ticked = _is_batch_with_tick(request)
                if self._has_ticked and not self.waits_for_outcome:
                    self._must_wait()  # what comes behind it
                if time.monotonic() > until_s:
                    self._waits_for_turn = True
                    asyncio.get_running_loop().call_soon(self._take_turn)
        except WireError as error:
            self._close(error)
        self._choose_reading()
        self._server.limit_unfinished(self)

    def _next_request(self) -> Request | None:
        self._request_bytes = self._reader.next_request_bytes()
        self._waits_to_decode = not self._server.long_calls.may_decode(self._request_bytes, self)
        return None if self._waits_to_decode else self._reader.next_request()

    def _must_wait(self) -> bool:
        self._is_held = self._server.must_wait() and not self._refusal
        if self._is_held:
            self._server.hold(self)
        return self._is_held

    def _answer(self, request: Request) -> None:
        if self._refusal:
            self.transport.write(encode_call_error(request.message_id, self._refusal))
            self.transport.close()
            return
        answer = self._server.answer(request, self)
        if answer is not None and not self.transport.is_closing():
            self.transport.write(answer)

    def _choose_reading(self) -> None:
        if self.transport.is_closing():
            return
        # Behind a long call reading goes on, since the end of a connection comes behind what was sent before it; what
        # piles up counts as unfinished.
        has_room = not (self._is_held or self._waits_to_decode) or self._reader.pending_bytes < MAX_READ_AHEAD_BYTES
        if self._is_writable and not self._waits_for_turn and has_room:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def _close(self, error: WireError) -> None:
        self._server.complain("an RPC connection with malformed bytes", f"was closed: {error.message}")
        self.transport.abort()

    def is_hung_up(self) -> bool:
        """Return whether the peer has closed its end, even if its last bytes are still unread."""
        connection: socket.socket | None = self.transport.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLRDHUP)
        return bool(poller.poll(0))


def _is_batch_with_tick(request: Request) -> bool:
    return request.method == "apply_batch" and request.params[-1:] == [True]
