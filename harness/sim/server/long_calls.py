"""Calls that take long and must not keep the other clients waiting: reading a town, a batch of thousands of commands.

What they come to is returned as a function that gives it, or raises what was raised, where the call is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

Found = TypeVar("Found")
# How long the commands of a batch go on until others have their turn; a batch of two hundred spawns takes half of it.
BATCH_TURN_S = 0.1


async def fetch_beside_loop(fetch: Callable[[], Found]) -> Callable[[], Found]:
    """Run a function in a thread.

    The process does not wait for the thread when it ends: reading a town that never comes to an end must not keep a
    simulator alive.
    """
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Callable[[], Found]] = loop.create_future()

    def settle(outcome: Callable[[], Found]) -> None:
        if not settled.done():
            settled.set_result(outcome)

    def run() -> None:
        outcome = _outcome_of(fetch)
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who waited
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="town", daemon=True).start()
    return await settled


async def go_on_in_turns(steps: Generator[None, None, Found], is_wanted: Callable[[], bool]) -> Callable[[], Found]:
    """Take the steps of a call until it has a result, with turns of the loop in between, as long as it is wanted."""
    outcome: Callable[[], Found] | None = None
    while outcome is None:
        await asyncio.sleep(0.0)
        if not is_wanted():
            raise asyncio.CancelledError
        outcome = take_turn(steps)
    return outcome


def take_turn(steps: Generator[None, None, Found]) -> Callable[[], Found] | None:
    """Take steps for `BATCH_TURN_S`; return what they came to if they came to an end."""
    until_s = time.monotonic() + BATCH_TURN_S
    try:
        while time.monotonic() < until_s:
            next(steps)
    except StopIteration as end:
        value: Any = end.value
        return lambda: value
    except Exception as error:
        return _fails(error)
    return None


def _outcome_of(function: Callable[[], Found]) -> Callable[[], Found]:
    try:
        found = function()
    except Exception as error:
        return _fails(error)
    return lambda: found


def _fails(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
