"""Tick a world whose client runs a Traffic Manager, without hanging on a race inside the client.

CARLA's Traffic Manager thread and `world.tick()` hand over to each other through two condition variables that are
signalled without their lock (`TrafficManagerLocal::SynchronousTick` and `Run`, client 0.9.16; carla issue 9172). If
one side is preempted between looking at the flag and going to sleep, the signal is lost and both wait for ever. When
`world.tick()` returns, the Traffic Manager's thread still asks the server things; a tick that begins meanwhile can be
missed, on two busy cores once in some fifty thousand. In a debugger it was always the signal to begin. Two measures:

* Before each tick, wait until the thread waits on its condition variable; then it cannot miss the signal. That it
  sleeps is not enough: it also sleeps while the server answers.
* The signal to end cannot be secured from outside. A watchdog ends the process when a tick does not return, and the
  unit is driven again from its beginning: results stay reproducible. Two threads that both sleep although the frame is
  there are known to be lost long before the time is up.

`world.apply_settings()` hands over in the same way, and goes through the same two.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import EXIT_SIMULATOR

# Longer than the client waits for an answer, so that a silent server ends as the client's own time-out.
TICK_LIMIT_S = 35.0
# Real CARLA compiles shaders and loads the surroundings in its first tick.
FIRST_TICK_LIMIT_S = 150.0
# Both sides of the Traffic Manager asleep this long, with the frame delivered. A busy server answers its batch sooner.
LOST_SIGNAL_S = 8.0
# How much of the limit the client itself waits for the frame.
CLIENT_SHARE = 0.8
# futex(2) on x86_64 and on aarch64.
_FUTEX = (b"202", b"98")
_FUTEX_PRIVATE = 0x80
_TASKS = Path("/proc/self/task")
_PARK_PAUSE_S = 0.0001
_PARK_LIMIT_S = 1.0
_NAMING_LIMIT_S = 1.0
_WATCH_PAUSE_S = 1.0


def threads() -> set[int]:
    """Return the ids of this process's threads."""
    return {int(entry.name) for entry in _TASKS.iterdir()}


def find_worker(before: set[int]) -> int | None:
    """Return the Traffic Manager's worker among the threads that appeared since `before`, None if that is not clear.

    The Traffic Manager also starts threads of its RPC server, which name themselves once they run.
    """
    deadline_s = time.monotonic() + _NAMING_LIMIT_S
    while True:
        new = [thread_id for thread_id in sorted(threads() - before) if _name(thread_id) not in ("server", None)]
        if len(new) == 1:
            return new[0]
        if time.monotonic() > deadline_s:
            return None
        time.sleep(_PARK_PAUSE_S)


def _name(thread_id: int) -> str | None:
    """Return the name of a thread, None if it has ended."""
    try:
        return (_TASKS / str(thread_id) / "comm").read_text().strip()
    except OSError:
        return None


class Ticker:
    """Ticks a carla.World.

    Args:
        on_stuck: what to do when a tick does not return; ends the process unless given.
    """

    def __init__(self, world: Any, on_stuck: Callable[[], None] | None = None) -> None:
        self._world = world
        self._on_stuck = on_stuck or _end_process
        self._worker_call: int | None = None
        self._sides: tuple[int, int] | None = None
        self._frame: int | None = None
        self._began_s: float | None = None
        self._limit_s = FIRST_TICK_LIMIT_S
        self._is_closed = threading.Event()
        threading.Thread(target=self._watch, name="tick watchdog", daemon=True).start()

    def watch_worker(self, thread_id: int | None) -> None:
        """Name the Traffic Manager's thread, once there is one; to be called by the thread that ticks."""
        if thread_id is not None:
            self._sides = threading.get_native_id(), thread_id
            with contextlib.suppress(FileNotFoundError):  # some sandboxes do not show it; then there is the watchdog
                self._worker_call = os.open(_TASKS / str(thread_id) / "syscall", os.O_RDONLY)

    def tick(self) -> None:
        """Advance the world by one frame."""
        with self._watched():
            self._frame = self._world.tick(CLIENT_SHARE * self._limit_s)
        self._limit_s = TICK_LIMIT_S

    def apply_settings(self, settings: Any) -> None:
        """Set how the world runs; the client lets the Traffic Manager work once in it, as in a tick."""
        with self._watched():
            self._world.apply_settings(settings)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        self._wait_until_worker_waits()
        self._began_s = time.monotonic()
        try:
            yield
        finally:
            self._began_s = None

    def close(self) -> None:
        """Stop watching."""
        self._is_closed.set()
        if self._worker_call is not None:
            os.close(self._worker_call)
            self._worker_call = None

    def _wait_until_worker_waits(self) -> None:
        if self._worker_call is None:
            return
        deadline_s = time.monotonic() + _PARK_LIMIT_S
        while time.monotonic() < deadline_s:
            try:
                if _is_on_condition(os.pread(self._worker_call, 512, 0)):
                    return
            except ProcessLookupError:  # the thread has ended
                return
            time.sleep(_PARK_PAUSE_S)

    def _watch(self) -> None:
        seen: tuple[float, str] | None = None
        seen_s = time.monotonic()
        while not self._is_closed.wait(_WATCH_PAUSE_S):
            began_s, now_s = self._began_s, time.monotonic()
            if began_s is None:
                continue
            activity = self._activity(began_s)
            if activity is None or activity != seen:
                seen, seen_s = activity, now_s
            if now_s - began_s > self._limit_s or now_s - seen_s > LOST_SIGNAL_S:
                self._on_stuck()
                return

    def _activity(self, began_s: float) -> tuple[float, str] | None:
        """Return what changes whenever a side does anything, None as long as the server has not delivered the frame."""
        if self._sides is None or self._frame is None or self._world.get_snapshot().frame <= self._frame:
            return None
        try:
            return began_s, "".join(_switches((_TASKS / str(side) / "status").read_text()) for side in self._sides)
        except OSError:  # the Traffic Manager's thread has ended
            return None


def _is_on_condition(call: bytes) -> bool:
    """Tell from a line of /proc/<pid>/syscall whether a thread waits on a condition variable.

    That is futex(2) with an operation private to the process and no time limit. Waiting for the server's answer has a
    time limit and is not private. Of a mutex only old C libraries (before 2.34) cannot be told apart.
    """
    number, *arguments = call.split()
    return number in _FUTEX and int(arguments[1], 16) & _FUTEX_PRIVATE != 0 and int(arguments[3], 16) == 0


def _switches(status: str) -> str:
    """Return the lines of /proc/<pid>/status that change whenever the thread has run."""
    return "".join(line for line in status.splitlines() if "ctxt_switches" in line)


def _end_process() -> None:
    print("error: world.tick() did not return in time (client hung)", file=sys.stderr, flush=True)
    os._exit(EXIT_SIMULATOR)
