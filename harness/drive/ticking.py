"""Tick a world whose client runs a Traffic Manager, without hanging on a race inside the client.

CARLA's Traffic Manager thread and `world.tick()` hand over to each other through two condition variables that are
signalled without their lock (`TrafficManagerLocal::SynchronousTick` and `Run`, seen with client 0.9.16). If one side
is preempted between looking at the flag and going to sleep, the signal is lost and both wait for ever. On two busy
cores that was seen once in some fifty thousand ticks. Two measures:

* Before each tick, wait until the Traffic Manager's thread sleeps; then it cannot miss the signal to begin.
* The other direction cannot be closed from outside. A watchdog ends the process when a tick does not return, and the
  unit is driven again from its beginning: results stay reproducible, which waking the threads up by hand would not
  guarantee.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import EXIT_SIMULATOR

# Longer than the client waits for an answer, so that a silent server ends as the client's own time-out.
TICK_LIMIT_S = 35.0
# Real CARLA compiles shaders and loads the surroundings in its first tick.
FIRST_TICK_LIMIT_S = 150.0
# How much of the limit the client itself waits for the frame.
CLIENT_SHARE = 0.8
_TASKS = Path("/proc/self/task")
_PARK_PAUSE_S = 0.0001
_PARK_LIMIT_S = 1.0
_WATCH_PAUSE_S = 1.0


def threads() -> set[int]:
    """Return the ids of this process's threads."""
    return {int(entry.name) for entry in _TASKS.iterdir()}


def find_worker(before: set[int]) -> int | None:
    """Return the Traffic Manager's worker among the threads that appeared since `before`, None if that is not clear.

    The Traffic Manager also starts threads of its RPC server, which name themselves.
    """
    new = []
    for thread_id in sorted(threads() - before):
        try:
            name = (_TASKS / str(thread_id) / "comm").read_text().strip()
        except OSError:
            continue
        if name != "server":
            new.append(thread_id)
    return new[0] if len(new) == 1 else None


class Ticker:
    """Ticks a carla.World.

    Args:
        on_stuck: what to do when a tick does not return; ends the process unless given.
    """

    def __init__(self, world: Any, on_stuck: Callable[[], None] | None = None) -> None:
        self._world = world
        self._on_stuck = on_stuck or _end_process
        self._worker_stat: int | None = None
        self._began_s: float | None = None
        self._limit_s = FIRST_TICK_LIMIT_S
        self._is_closed = threading.Event()
        threading.Thread(target=self._watch, name="tick watchdog", daemon=True).start()

    def watch_worker(self, thread_id: int | None) -> None:
        """Name the Traffic Manager's thread, once there is one."""
        if thread_id is not None:
            self._worker_stat = os.open(_TASKS / str(thread_id) / "stat", os.O_RDONLY)

    def tick(self) -> None:
        """Advance the world by one frame."""
        self._wait_until_worker_sleeps()
        self._began_s = time.monotonic()
        try:
            self._world.tick(CLIENT_SHARE * self._limit_s)
        finally:
            self._began_s = None
        self._limit_s = TICK_LIMIT_S

    def close(self) -> None:
        """Stop watching."""
        self._is_closed.set()
        if self._worker_stat is not None:
            os.close(self._worker_stat)
            self._worker_stat = None

    def _wait_until_worker_sleeps(self) -> None:
        if self._worker_stat is None:
            return
        deadline_s = time.monotonic() + _PARK_LIMIT_S
        while time.monotonic() < deadline_s:
            try:
                if _is_sleeping(os.pread(self._worker_stat, 512, 0)):
                    return
            except ProcessLookupError:  # the thread has ended
                return
            time.sleep(_PARK_PAUSE_S)

    def _watch(self) -> None:
        while not self._is_closed.wait(_WATCH_PAUSE_S):
            began_s = self._began_s
            if began_s is not None and time.monotonic() - began_s > self._limit_s:
                self._on_stuck()
                return


def _is_sleeping(stat: bytes) -> bool:
    """Tell from a line of /proc/<pid>/stat; the state follows the name, which may hold any character."""
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] == b"S"


def _end_process() -> None:
    print("error: world.tick() did not return in time (client hung)", file=sys.stderr, flush=True)
    os._exit(EXIT_SIMULATOR)
