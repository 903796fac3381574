"""The server: what joins connections, streams and the simulation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from harness.errors import SimError, WireError
from harness.sim.calls import HANDLERS
from harness.sim.server.arrival import Arrival
from harness.sim.server.limits import (
    MAX_CLIENTS,
    MAX_REFUSED,
    MAX_UNFINISHED_BYTES,
    MAX_UNREAD_BYTES,
    STREAM_WAIT_S,
    allow_open_files,
)
from harness.sim.server.long_calls import LongCalls, raises
from harness.sim.server.rpc_connection import RpcConnection
from harness.sim.server.streams import Streams, Subscription
from harness.sim.simulation import DEFAULT_DELTA_S, OBSERVER_STREAM_ID, Later, Simulation
from harness.sim.wire.rpc import Request, decode_arguments, encode_call_error, encode_response, failure, success
from harness.sim.wire.schema import Method

log = logging.getLogger(__name__)

_INTERNAL_ERROR = "internal error of the simulator; its log has the traceback"
# A burst of connections waits in the kernel, not in its retries.
_LISTEN_BACKLOG = 1024
# In asynchronous mode, how much simulated time is made up for at most after the server was kept busy.
_CATCH_UP_S = 0.25


class SimulatorServer:
    """Serves one simulation on two ports.

    Args:
        make_simulation: builds the simulation once the streaming port is known.
        resets_between_clients: return to the state after start-up when the last client has left, so that what one
            client sees never depends on another; CARLA keeps everything, which is the default.
        stream_wait_s: how long a synchronous tick waits for subscribers that do not read.
    """

    def __init__(
        self,
        make_simulation: Callable[[int], Simulation],
        *,
        resets_between_clients: bool = False,
        stream_wait_s: float = STREAM_WAIT_S,
    ) -> None:
        self._make_simulation = make_simulation
        self._resets_between_clients = resets_between_clients
        self._connections: set[RpcConnection] = set()
        self._refused: set[RpcConnection] = set()
        # In the order in which they began to wait.
        self._held: dict[RpcConnection, None] = {}
        self._unfinished: dict[RpcConnection, int] = {}
        self._streams = Streams(self, stream_wait_s)
        self._is_dirty = False
        self._resets = 0
        self._arrival = Arrival(self._begin_episode)
        # Who waits for a town whose text they sent.
        self._sent: dict[RpcConnection, asyncio.Task[None]] = {}
        self.long_calls = LongCalls()
        self.simulation: Simulation

    def prepare(self, stream_port: int) -> None:
        """Build the simulation; before the loop runs, so that signals still end a process that reads a large town.

        Raises:
            SimError: the town cannot be read.
        """
        self.simulation = self._make_simulation(stream_port)
        self.simulation.heard = self._streams.heard

    async def serve(self, host: str, rpc_port: int, stream_port: int, on_ready: Callable[[int], None]) -> None:
        """Serve until cancelled; `prepare` comes first.

        Args:
            on_ready: called with the RPC port once both ports accept connections.

        Raises:
            SimError: a port is taken.
        """
        loop = asyncio.get_running_loop()
        rpc = await _listen(loop, lambda: RpcConnection(self), host, rpc_port)
        async with rpc:
            stream = await _listen(loop, lambda: Subscription(self._streams), host, stream_port)
            async with stream:
                on_ready(rpc_port)
                try:
                    await self._run_asynchronous_mode()
                finally:
                    for task in self.long_calls.tasks:
                        task.cancel()
                    for connection in (*self._connections, *self._refused):
                        connection.transport.abort()
                    self._streams.end_all()

    async def _run_asynchronous_mode(self) -> None:
        """Step the world by itself, in real time, while the settings are asynchronous."""
        last_s = due_s = time.monotonic()
        while True:
            delta_s = self.simulation.settings.fixed_delta_seconds or DEFAULT_DELTA_S
            now_s = time.monotonic()
            due_s = max(due_s + delta_s, now_s - _CATCH_UP_S)
            await asyncio.sleep(max(due_s - now_s, 0.001))
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

    def answer(self, request: Request, connection: RpcConnection) -> bytes | None:
        """Carry out a request and return the bytes of its response; None for calls that expect none."""
        method = self.simulation.schema.methods.get(request.method)
        if method is None:
            name = request.method[:80]
            # Whatever else it holds, it is to be one line of the log.
            self.simulation.complaints.log_once(
                f"call {name if name.isprintable() else ascii(name)}", "is not built in this simulator"
            )
            answer = encode_call_error(request.message_id, f"unknown method: {name}")
        else:
            self._is_dirty = self._is_dirty or request.method not in ("version", "get_episode_info")
            answer = self._attempt(request, method, partial(self._call, request, method, connection))
            if not connection.waits_for_outcome:
                self._conclude(request)
        return None if request.is_asynchronous or connection.waits_for_outcome else answer

    def _conclude(self, request: Request) -> None:
        """Do what follows a call."""
        self._deliver()
        if request.method in ("load_new_episode", "query_lights_state"):
            self._arrival.follow(request.method, is_prepared=self.simulation.prepared_town is not None)
        elif request.method == "set_episode_settings" and self._held and not self.must_wait():
            self.caught_up()

    def _call(self, request: Request, method: Method, connection: RpcConnection) -> Any:
        arguments = decode_arguments(request, method)
        result = HANDLERS[request.method](self.simulation, *arguments)
        if request.method == "add_traffic_manager_running" and result:
            connection.traffic_manager_ports.add(arguments[0].port)
        if isinstance(result, Later):
            self.long_calls.is_done(connection)  # what it holds now is counted by its bytes
            is_wanted = partial(self._connections.__contains__, connection)
            fetched = self.long_calls.fetch_town(result, is_wanted)
            task = self._answer_when(fetched, is_wanted, request, method, connection)
            if result.is_sent:
                self._sent[connection] = task
            return None
        if isinstance(result, Generator):
            outcome = self.long_calls.begin_steps(result)
            if outcome is not None:
                return outcome()
            # Whoever has sent a batch may leave; it is dropped only with the world that it was meant for.
            is_wanted = partial(self._has_not_reset_since, self._resets)
            rest = self.long_calls.finish_steps(result, is_wanted)
            self._answer_when(rest, is_wanted, request, method, connection)
            return None
        return result

    def _answer_when(
        self,
        outcome: Coroutine[Any, Any, Callable[[], Any]],
        is_wanted: Callable[[], bool],
        request: Request,
        method: Method,
        connection: RpcConnection,
    ) -> asyncio.Task[None]:
        """Have a call answered once its outcome is there; requests behind it wait."""

        async def answer_then() -> None:
            try:
                call = await outcome
            except asyncio.CancelledError:
                self.long_calls.is_done(connection)
                raise
            except Exception as error:  # of our own: the call must be answered all the same
                call = raises(error)
            self._sent.pop(connection, None)
            if is_wanted():
                answer = self._attempt(request, method, call)
                self._conclude(request)
                connection.go_on_with(None if request.is_asynchronous else answer)

        connection.waits_for_outcome = True
        task = asyncio.ensure_future(answer_then())
        self.long_calls.tasks.add(task)
        task.add_done_callback(self.long_calls.tasks.discard)
        return task

    def _has_not_reset_since(self, resets: int) -> bool:
        return self._resets == resets

    def _attempt(self, request: Request, method: Method, call: Callable[[], Any]) -> bytes:
        """Return the response to a request that a call answers, whatever it raises."""
        try:
            result = call()
            wrapped = success(result, is_void=method.is_void) if method.is_wrapped else result
            return encode_response(request.message_id, wrapped)
        except WireError as error:
            self.simulation.complaints.log_once(f"call {request.method}", f"was refused: {error.message}")
            return encode_call_error(request.message_id, error.message)
        except SimError as error:
            if request.is_asynchronous:
                # Nobody is told otherwise.
                self.simulation.complaints.log_once(f"call {request.method}", f"was refused: {error.message}")
            return encode_response(request.message_id, failure(error.message, is_void=method.is_void))
        except Exception:
            self.simulation.complaints.log_once(
                f"call {request.method}", "failed inside the simulator", with_traceback=True
            )
            if not method.is_wrapped:
                return encode_call_error(request.message_id, _INTERNAL_ERROR)
            return encode_response(request.message_id, failure(_INTERNAL_ERROR, is_void=method.is_void))

    def _begin_episode(self) -> None:
        if self.simulation.prepared_town is not None:
            self.simulation.begin_episode()
            self._deliver()

    # --- clients come and go -----------------------------------------------------------------------------------------

    def client_connected(self, connection: RpcConnection) -> str:
        """Note a new client; return why it is refused, an empty text if it is not.

        If it is to find the world as after start-up, clients whose process has ended count as gone already, even if the
        loop has not come to notice.
        """
        if self._resets_between_clients:
            for other in [other for other in self._connections if other.is_hung_up()]:
                other.transport.abort()
                self.client_disconnected(other)
        if len(self._connections) < MAX_CLIENTS:
            self._connections.add(connection)
            return ""
        self._refused.add(connection)
        if len(self._refused) > MAX_REFUSED:
            connection.transport.abort()
        refusal = f"the simulator serves {MAX_CLIENTS} clients, its limit; try again when one has left"
        self.complain("a client", f"was refused: {refusal}")
        return refusal

    def client_disconnected(self, connection: RpcConnection) -> None:
        """Forget a client, and everything it did if it was the last one and the server was told to."""
        self._refused.discard(connection)
        self._unfinished.pop(connection, None)
        if connection in self._sent:
            self._sent.pop(connection).cancel()  # it would hold memory for nobody; a town of our own is kept
        if not connection.waits_for_outcome:
            self.long_calls.is_done(connection)
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._held.pop(connection, None)
        for port in connection.traffic_manager_ports:
            # It ran in that client; whoever asks next must not be sent to it.
            self.simulation.traffic_managers.pop(port, None)
        if not self._connections and self._resets_between_clients and self._is_dirty:
            self._streams.end_all()
            self.simulation.reset()
            self._resets += 1
            self._is_dirty = False

    def complain(self, subject: str, what: str) -> None:
        """Log what became of a peer, the first time it happens; `subject` is never a client's word."""
        self.simulation.complaints.log_once(subject, what, is_ours=True)

    # --- what waits --------------------------------------------------------------------------------------------------

    def must_wait(self) -> bool:
        """Return whether a tick has to wait until the subscribers have taken the frame before."""
        return self._streams.is_anyone_behind() and self.simulation.settings.synchronous_mode

    def hold(self, connection: RpcConnection) -> None:
        """Have a connection go on when nobody is behind any more."""
        self._held[connection] = None
        self._streams.limit_wait()

    def caught_up(self) -> None:
        """Let those go on that waited, in the order in which they began to."""
        held, self._held = list(self._held), {}
        for connection in held:
            if connection in self._connections:
                connection.go_on()

    def limit_unfinished(self, connection: RpcConnection) -> None:
        """Note what a client has sent of requests not yet answered; if all is too much, close who has sent most."""
        is_gone = connection not in self._connections and connection not in self._refused
        if is_gone or not connection.unfinished_bytes:
            self._unfinished.pop(connection, None)
            return
        self._unfinished[connection] = connection.unfinished_bytes
        while sum(self._unfinished.values()) > MAX_UNFINISHED_BYTES:
            largest = max(self._unfinished, key=self._unfinished.__getitem__)
            del self._unfinished[largest]
            self.complain("a client with an unfinished request", "was closed: all that is unfinished exceeds the limit")
            largest.transport.abort()

    def limit_unread(self) -> None:
        """Close the connection that has left most unread, if all together is too much."""
        waiting = [connection.transport for connection in self._connections]
        waiting += [subscription.transport for subscription in self._streams.behind]
        sizes = {transport: transport.get_write_buffer_size() for transport in waiting}
        while sum(sizes.values()) > MAX_UNREAD_BYTES:
            largest = max(sizes, key=sizes.__getitem__)
            del sizes[largest]
            self.complain("a peer that does not read", "was closed: all that is unread exceeds the limit")
            largest.abort()

    # --- streams -----------------------------------------------------------------------------------------------------

    def subscribed(self, subscription: Subscription) -> None:
        """Give a new subscriber of the world observer the current state at once."""
        if subscription.stream_id == OBSERVER_STREAM_ID:
            subscription.send(self.simulation.observer_message().data)
            self._arrival.follow("observer", is_prepared=self.simulation.prepared_town is not None)

    def _deliver(self) -> None:
        if not self.simulation.outbox:
            return
        self._streams.deliver(self.simulation.outbox, is_synchronous=self.simulation.settings.synchronous_mode)
        self.simulation.outbox.clear()
        if self._streams.is_anyone_behind():
            self.limit_unread()


async def _listen(
    loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], host: str, port: int
) -> asyncio.Server:
    try:
        return await loop.create_server(factory, host, port, backlog=_LISTEN_BACKLOG)
    except OSError as error:
        raise SimError(
            f"port {port} on {host} cannot be used: {error.strerror or error}; expected a free port",
            hint=f"another one such as {port + 10}, or end the program that listens there",
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

    allow_open_files()
    server.prepare(stream_port)
    asyncio.run(main())
