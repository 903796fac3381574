"""The streaming port: who subscribes to what, and CARLA's policy for subscribers that do not keep up.

A subscriber is behind while the message before has not been taken by its socket. In asynchronous mode it misses the
messages of that time; in synchronous mode the next tick waits until nobody is behind, but no longer than a limit, after
which whoever is still behind is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from harness.sim.server.limits import HANDSHAKE_LIMIT_S, MAX_SUBSCRIBERS, prepare_socket
from harness.sim.simulation import StreamMessage
from harness.sim.wire.stream import SUBSCRIBE_BYTES, decode_subscription

if TYPE_CHECKING:
    from harness.sim.server.service import SimulatorServer


class Subscription(asyncio.Protocol):
    """One connection to the streaming port: four bytes in, frames out."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._received = b""
        self.stream_id: int | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        prepare_socket(transport.get_extra_info("socket"))
        # Every byte that its socket does not take makes it count as behind.
        transport.set_write_buffer_limits(high=0)
        self._streams.connected(self)
        asyncio.get_running_loop().call_later(HANDSHAKE_LIMIT_S, self._check_handshake)

    def _check_handshake(self) -> None:
        if self.stream_id is None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.stream_id is not None:
            return
        self._received += data[:SUBSCRIBE_BYTES]
        if len(self._received) >= SUBSCRIBE_BYTES:
            self.stream_id = decode_subscription(self._received[:SUBSCRIBE_BYTES])
            self._streams.subscribe(self)

    def pause_writing(self) -> None:
        self._streams.fell_behind(self)

    def resume_writing(self) -> None:
        self._streams.caught_up(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._streams.disconnected(self)

    def send(self, data: bytes) -> None:
        """Write a message, whatever waits before it."""
        if not self.transport.is_closing():
            self.transport.write(data)


class Streams:
    """All subscribers.

    Args:
        wait_s: how long `wait` lasts at most.
    """

    def __init__(self, server: SimulatorServer, wait_s: float) -> None:
        self._server = server
        self._wait_s = wait_s
        self._connections: set[Subscription] = set()
        self._subscribers: dict[int, list[Subscription]] = {}
        # Insertion order is the order in which they fell behind.
        self._behind: dict[Subscription, None] = {}
        self._limit: asyncio.TimerHandle | None = None

    @property
    def behind(self) -> Iterable[Subscription]:
        """Subscribers whose sockets have not taken all that was written."""
        return self._behind

    @property
    def heard(self) -> Container[int]:
        """Ids of the streams that have subscribers, now and later."""
        return self._subscribers

    def is_anyone_behind(self) -> bool:
        """Return whether a synchronous tick has to wait."""
        return bool(self._behind)

    def connected(self, subscription: Subscription) -> None:
        """Note a connection, or end it if there are too many."""
        if len(self._connections) >= MAX_SUBSCRIBERS:
            self._server.complain("a subscriber", f"was refused: {MAX_SUBSCRIBERS} are connected, the limit")
            subscription.transport.abort()
            return
        self._connections.add(subscription)

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscriber that has said what it wants."""
        assert subscription.stream_id is not None
        self._subscribers.setdefault(subscription.stream_id, []).append(subscription)
        self._server.subscribed(subscription)

    def disconnected(self, subscription: Subscription) -> None:
        """Forget a connection."""
        self._connections.discard(subscription)
        subscribers = self._subscribers.get(subscription.stream_id or 0, [])
        if subscription in subscribers:
            subscribers.remove(subscription)
            if not subscribers:
                del self._subscribers[subscription.stream_id or 0]
        self.caught_up(subscription)

    def end_all(self) -> None:
        """Hang up on every subscriber."""
        for subscription in list(self._connections):
            subscription.transport.abort()
            self.disconnected(subscription)

    def deliver(self, messages: Iterable[StreamMessage], *, is_synchronous: bool) -> None:
        """Write messages to their subscribers; in asynchronous mode those that are behind miss them."""
        for message in messages:
            for subscription in self._subscribers.get(message.stream_id, ()):
                if is_synchronous or subscription not in self._behind:
                    subscription.send(message.data)
                else:
                    self._server.complain("a subscriber that does not keep up", "misses messages in asynchronous mode")

    # --- those that do not keep up -----------------------------------------------------------------------------------

    def fell_behind(self, subscription: Subscription) -> None:
        """Note that a socket has not taken all that was written."""
        self._behind[subscription] = None

    def caught_up(self, subscription: Subscription) -> None:
        """Note that it has, or that the connection is gone."""
        if subscription not in self._behind:
            return
        del self._behind[subscription]
        if self._behind:
            return
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self._server.caught_up()

    def limit_wait(self) -> None:
        """Cut off those that are behind now if they still are when the limit has passed."""
        if self._limit is None:
            waited_for = tuple(self._behind)
            self._limit = asyncio.get_running_loop().call_later(self._wait_s, self._cut_off, waited_for)

    def _cut_off(self, waited_for: tuple[Subscription, ...]) -> None:
        self._limit = None
        late = [subscription for subscription in waited_for if subscription in self._behind]
        for subscription in late:
            self._server.complain(
                "a subscriber that does not read",
                f"was cut off: a synchronous tick waited {self._wait_s:g} s for it",
            )
            subscription.transport.abort()
            self.disconnected(subscription)
        if self._behind:
            self.limit_wait()
