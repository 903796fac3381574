"""Calls that take long and must not keep the other clients waiting: reading a town, a batch of thousands of commands.

What they come to is returned as a function that gives it, or raises what was raised, where the call is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from harness.sim.simulation import Later

Found = TypeVar("Found")
Steps = Generator[None, None, Any]
# How long commands of batches go on at once, all clients together, until others have their turn; the batch of an
# honest client, two hundred spawns, takes less. What is left of larger ones then takes short turns.
BATCH_TURN_S, REST_TURN_S = 0.1, 0.02
# Decoded, a request takes a hundred times its bytes: those of more bytes are worked off one after the other.
LARGE_REQUEST_BYTES = 16 * 1024
# How long the end of a thread is waited for that has been told that nobody needs it.
_GIVE_UP_S = 2.0


class Waiting(Protocol):
    """A connection that waits for its turn to decode a large request."""

    def go_on(self) -> None:
        """Go on: nobody else works on a large request."""


class LongCalls:
    """What shares the loop, and what runs beside it.

    Attributes:
        tasks: of the calls that are not answered yet.
    """

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        # One town at a time, for the memory; one that a client has sent does not keep others from our own.
        self._reading = {is_sent: asyncio.Lock() for is_sent in (False, True)}
        self._batch = asyncio.Lock()
        self._spent_s = 0.0
        self._at_large: Waiting | None = None
        self._queue: dict[Waiting, None] = {}

    # --- batches -----------------------------------------------------------------------------------------------------

    def begin_steps(self, steps: Steps) -> Callable[[], Any] | None:
        """Take steps while this turn of the loop has time for them; return what they came to if they came to an end."""
        if self._spent_s == 0.0:
            asyncio.get_running_loop().call_soon(self._breathe)
        began_s = time.monotonic()
        outcome = _take_steps(steps, BATCH_TURN_S - self._spent_s)
        self._spent_s += max(time.monotonic() - began_s, 1e-9)
        return outcome

    def _breathe(self) -> None:
        self._spent_s = 0.0

    async def finish_steps(self, steps: Steps, is_wanted: Callable[[], bool]) -> Callable[[], Any]:
        """Take the other steps in turns with other batches and everything else, as long as they are wanted."""
        outcome: Callable[[], Any] | None = None
        while outcome is None:
            async with self._batch:
                await asyncio.sleep(0.0)
                if not is_wanted():
                    raise asyncio.CancelledError
                outcome = _take_steps(steps, REST_TURN_S)
        return outcome

    # --- towns -------------------------------------------------------------------------------------------------------

    async def fetch_town(self, later: Later, is_wanted: Callable[[], bool]) -> Callable[[], None]:
        """Get a town in a thread, if it is still wanted when its turn comes; if cancelled, have the thread end."""
        async with self._reading[later.is_sent]:
            if not is_wanted():
                raise asyncio.CancelledError
            fetched = await _run_in_thread(later.fetch)
        return lambda: later.then(fetched())

    # --- large requests ----------------------------------------------------------------------------------------------

    def may_decode(self, size_bytes: int, connection: Waiting) -> bool:
        """Return whether a connection may decode a request of a size now; if not, it is told when it may."""
        if size_bytes <= LARGE_REQUEST_BYTES:
            return True
        if self._at_large is None:
            self._at_large = connection
        if self._at_large is connection:
            return True
        self._queue[connection] = None
        return False

    def is_done(self, connection: Waiting) -> None:
        """Let the next one decode its large request, if a connection was working on one; forget it if it waits."""
        self._queue.pop(connection, None)
        if self._at_large is connection:
            self._at_large = next(iter(self._queue), None)
            if self._at_large is not None:
                del self._queue[self._at_large]
                asyncio.get_running_loop().call_soon(self._at_large.go_on)


def _take_steps(steps: Steps, limit_s: float) -> Callable[[], Any] | None:
    until_s = time.monotonic() + limit_s
    try:
        while time.monotonic() < until_s:
            next(steps)
    except StopIteration as end:
        value = end.value
        return lambda: value
    except Exception as error:
        return raises(error)
    return None


async def _run_in_thread(fetch: Callable[[threading.Event], Found]) -> Callable[[], Found]:
    """Run a function in a thread; the process does not wait for it when it ends."""
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Callable[[], Found]] = loop.create_future()
    given_up = threading.Event()

    def settle(outcome: Callable[[], Found]) -> None:
        if not settled.done():
            settled.set_result(outcome)

    def run() -> None:
        outcome = _outcome_of(fetch, given_up)
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who waited
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="town", daemon=True).start()
    try:
        return await asyncio.shield(settled)
    except asyncio.CancelledError:
        given_up.set()
        await asyncio.wait([settled], timeout=_GIVE_UP_S)
        raise


def _outcome_of(fetch: Callable[[threading.Event], Found], given_up: threading.Event) -> Callable[[], Found]:
    try:
        found = fetch(given_up)
    except Exception as error:
        return raises(error)
    return lambda: found


def raises(error: Exception) -> Callable[[], Any]:
    """Return a function that raises an error."""

    def fail() -> Any:
        raise error

    return fail
