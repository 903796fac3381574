"""The sockets around the simulation: one thread, one event loop, an RPC port and a streaming port.

Everything that happens to the world happens inside a call, in the order in which calls arrive; in synchronous mode the
world steps inside `tick_cue`, and the frame is on its way before the answer is. Memory stays bounded: a client that
does not read its answers is not listened to until it does, and a subscriber that stops reading is cut off when
`MAX_BACKLOG_BYTES` wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import time
from collections.abc import Callable

from harness.errors import SimError, WireError
from harness.sim.calls import HANDLERS
from harness.sim.simulation import DEFAULT_DELTA_S, OBSERVER_STREAM_ID, Simulation
from harness.sim.wire.rpc import (
    Request,
    RequestReader,
    decode_arguments,
    encode_call_error,
    encode_response,
    failure,
    success,
)
from harness.sim.wire.schema import Method
from harness.sim.wire.stream import SUBSCRIBE_BYTES, decode_subscription
from harness.sim.world.town import Town

log = logging.getLogger(__name__)

MAX_BACKLOG_BYTES = 64 * 1024 * 1024
# What a client does once `load_new_episode` has been answered: it lets go of the old episode, introduces itself anew
# and waits for the episode to change. As with CARLA, whose level takes a while to open, that change must come after: a
# Traffic Manager in the client is told by it, and crashes the client if it comes while the old episode is let go.
_ARRIVAL = frozenset({"observer", "query_lights_state"})
# Other clients of the protocol may do otherwise.
_ARRIVAL_LIMIT_S = 0.25
# From the last of these calls until it waits for the change; a change that it misses costs it 50 ms.
_ARRIVED_S = 0.003
_INTERNAL_ERROR = "internal error of the simulator; its log has the traceback"


class _RpcConnection(asyncio.Protocol):
    """One client's RPC connection.

    Attributes:
        traffic_manager_ports: registered over this connection; they end with it.
    """

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server
        self._reader = RequestReader()
        self._is_writable = True
        self.traffic_manager_ports: set[int] = set()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        _set_nodelay(transport)
        self._server.client_connected(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.receive(data)
        except WireError as error:
            self._refuse_peer(error)
        self._answer_requests()

    def pause_writing(self) -> None:
        self._is_writable = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_writable = True
        self._answer_requests()
        if self._is_writable and not self.transport.is_closing():
            self.transport.resume_reading()

    def _answer_requests(self) -> None:
        """Answer what has arrived, as long as the peer takes the answers and still listens."""
        try:
            while self._is_writable and not self.transport.is_closing():
                request = self._reader.next_request()
                if request is None:
                    return
                answer = self._server.answer(request, self)
                if answer is not None:
                    self.transport.write(answer)
        except WireError as error:
            self._refuse_peer(error)

    def _refuse_peer(self, error: WireError) -> None:
        log.warning("closing an RPC connection: %s", error.message)
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._server.client_disconnected(self)

    def is_hung_up(self) -> bool:
        """Return whether the peer has closed its end, even if its last bytes are still unread."""
        connection: socket.socket | None = self.transport.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLRDHUP)
        return bool(poller.poll(0))


class _Subscription(asyncio.Protocol):
    """One connection to the streaming port: four bytes in, frames out."""

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server
        self._received = b""
        self.stream_id: int | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        _set_nodelay(transport)

    def data_received(self, data: bytes) -> None:
        if self.stream_id is not None:
            return
        self._received += data[:SUBSCRIBE_BYTES]
        if len(self._received) >= SUBSCRIBE_BYTES:
            self.stream_id = decode_subscription(self._received[:SUBSCRIBE_BYTES])
            self._server.subscribe(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.unsubscribe(self)

    def send(self, data: bytes) -> None:
        if self.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            log.warning("cutting off a subscriber of stream %s: it does not read", self.stream_id)
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(data)


class SimulatorServer:
    """Serves one simulation on two ports.

    Args:
        make_simulation: builds the simulation once the streaming port is known.
        resets_between_clients: return to the state after start-up when the last client has left, so that what one
            client sees never depends on another; CARLA keeps everything, which is the default.
    """

    def __init__(self, make_simulation: Callable[[int], Simulation], *, resets_between_clients: bool = False) -> None:
        self._make_simulation = make_simulation
        self._resets_between_clients = resets_between_clients
        self._connections: set[_RpcConnection] = set()
        self._subscribers: dict[int, list[_Subscription]] = {}
        self._is_dirty = False
        self._awaited: set[str] = set()
        self.simulation: Simulation

    def prepare(self, stream_port: int) -> None:
        """Build the simulation; before the loop runs, so that signals still end a process that reads a large town.

        Raises:
            SimError: the town cannot be read.
        """
        self.simulation = self._make_simulation(stream_port)

    async def serve(self, host: str, rpc_port: int, stream_port: int, on_ready: Callable[[int], None]) -> None:
        """Serve until cancelled; `prepare` comes first.

        Args:
            on_ready: called with the RPC port once both ports accept connections.

        Raises:
            SimError: a port is taken.
        """
        loop = asyncio.get_running_loop()
        rpc = await _listen(loop, lambda: _RpcConnection(self), host, rpc_port)
        stream = await _listen(loop, lambda: _Subscription(self), host, stream_port)
        async with rpc, stream:
            on_ready(rpc_port)
            await self._run_asynchronous_mode()

    async def _run_asynchronous_mode(self) -> None:
        """Step the world by itself, in real time, while the settings are asynchronous."""
        last_s = time.monotonic()
        while True:
            delta_s = self.simulation.settings.fixed_delta_seconds or DEFAULT_DELTA_S
            await asyncio.sleep(max(delta_s - (time.monotonic() - last_s), 0.001))
            now_s = time.monotonic()
            if not self.simulation.settings.synchronous_mode and self._connections:
                try:
                    self.simulation.tick(now_s - last_s)
                except Exception:
                    self.simulation.complaints.log_once(
                        "the tick in asynchronous mode", "failed inside the simulator", with_traceback=True
                    )
                self._deliver()
            last_s = now_s

    # --- RPC ---------------------------------------------------------------------------------------------------------

    def answer(self, request: Request, connection: _RpcConnection) -> bytes | None:
        """Carry out a request and return the bytes of its response; None for calls that expect none."""
        method = self.simulation.schema.methods.get(request.method)
        if method is None:
            self.simulation.complaints.log_once(f"call {request.method[:80]}", "is not built in this simulator")
            answer = encode_call_error(request.message_id, f"unknown method: {request.method[:80]}")
        else:
            self._is_dirty = self._is_dirty or request.method not in ("version", "get_episode_info")
            answer = self._call(request, method, connection)
            self._deliver()
            if request.method in ("load_new_episode", "query_lights_state"):
                self._follow_arrival(request.method)
        return None if request.is_asynchronous else answer

    def _call(self, request: Request, method: Method, connection: _RpcConnection) -> bytes:
        try:
            arguments = decode_arguments(request, method)
            result = HANDLERS[request.method](self.simulation, *arguments)
            if request.method == "add_traffic_manager_running" and result:
                connection.traffic_manager_ports.add(arguments[0].port)
            wrapped = success(result, is_void=method.is_void) if method.is_wrapped else result
            return encode_response(request.message_id, wrapped)
        except WireError as error:
            self.simulation.complaints.log_once(f"call {request.method}", f"was refused: {error.message}")
            return encode_call_error(request.message_id, error.message)
        except SimError as error:
            return encode_response(request.message_id, failure(error.message, is_void=method.is_void))
        except Exception:
            self.simulation.complaints.log_once(
                f"call {request.method}", "failed inside the simulator", with_traceback=True
            )
            if not method.is_wrapped:
                return encode_call_error(request.message_id, _INTERNAL_ERROR)
            return encode_response(request.message_id, failure(_INTERNAL_ERROR, is_void=method.is_void))

    # --- change of episode -------------------------------------------------------------------------------------------

    def _follow_arrival(self, what: str) -> None:
        """Begin the prepared episode once the client that asked for it has done all of `_ARRIVAL`."""
        town = self.simulation.prepared_town
        if town is None:
            return
        loop = asyncio.get_running_loop()
        if what == "load_new_episode":
            self._awaited = set(_ARRIVAL)
            loop.call_later(_ARRIVAL_LIMIT_S, self._begin_episode, town)
        elif what in self._awaited:
            self._awaited.discard(what)
            if not self._awaited:
                loop.call_later(_ARRIVED_S, self._begin_episode, town)

    def _begin_episode(self, town: Town) -> None:
        if self.simulation.prepared_town is town:
            self.simulation.begin_episode()
            self._deliver()

    # --- clients come and go -----------------------------------------------------------------------------------------

    def client_connected(self, connection: _RpcConnection) -> None:
        """Note a new client.

        If it is to find the world as after start-up, clients whose process has ended count as gone already, even if the
        loop has not come to notice.
        """
        if self._resets_between_clients:
            for other in [other for other in self._connections if other.is_hung_up()]:
                other.transport.abort()
                self.client_disconnected(other)
        self._connections.add(connection)

    def client_disconnected(self, connection: _RpcConnection) -> None:
        """Forget a client, and everything it did if it was the last one and the server was told to."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        for port in connection.traffic_manager_ports:
            # It ran in that client; whoever asks next must not be sent to it.
            self.simulation.traffic_managers.pop(port, None)
        if not self._connections and self._resets_between_clients and self._is_dirty:
            for subscribers in self._subscribers.values():
                for subscription in list(subscribers):
                    subscription.transport.abort()
            self._subscribers.clear()
            self.simulation.reset()
            self._is_dirty = False

    # --- streams -----------------------------------------------------------------------------------------------------

    def subscribe(self, subscription: _Subscription) -> None:
        """Add a subscriber; one of the world observer gets the current state at once."""
        assert subscription.stream_id is not None
        self._subscribers.setdefault(subscription.stream_id, []).append(subscription)
        if subscription.stream_id == OBSERVER_STREAM_ID:
            subscription.send(self.simulation.observer_message().data)
            self._follow_arrival("observer")

    def unsubscribe(self, subscription: _Subscription) -> None:
        """Remove a subscriber."""
        subscribers = self._subscribers.get(subscription.stream_id or 0, [])
        if subscription in subscribers:
            subscribers.remove(subscription)
            if not subscribers:
                del self._subscribers[subscription.stream_id or 0]

    def _deliver(self) -> None:
        for message in self.simulation.outbox:
            for subscription in self._subscribers.get(message.stream_id, ()):
                subscription.send(message.data)
        self.simulation.outbox.clear()


def _set_nodelay(transport: asyncio.Transport) -> None:
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _listen(
    loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], host: str, port: int
) -> asyncio.Server:
    try:
        return await loop.create_server(factory, host, port)
    except OSError as error:
        raise SimError(
            f"port {port} on {host} cannot be used: {error.strerror or error}; expected a free port",
            hint=f"harness simulator --port {port + 10}, or end the program that listens there",
        ) from None


def run_server(
    server: SimulatorServer, host: str, rpc_port: int, stream_port: int, on_ready: Callable[[int], None]
) -> None:
    """Serve until interrupted (SIGINT or SIGTERM); returns normally then.

    Raises:
        SimError: a port is taken.
    """
    import signal

    async def main() -> None:
        serving = asyncio.ensure_future(server.serve(host, rpc_port, stream_port, on_ready))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    server.prepare(stream_port)
    asyncio.run(main())
