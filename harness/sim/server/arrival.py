"""When the episode that a client has asked for begins.

What a client does once `load_new_episode` has been answered: it lets go of the old episode, introduces itself anew and
waits for the episode to change. As with CARLA, whose level takes a while to open, that change must come after: a
Traffic Manager in the client is told by it, and crashes the client if it comes while the old episode is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_ARRIVAL = frozenset({"observer", "query_lights_state"})
# Other clients of the protocol may do otherwise.
_ARRIVAL_LIMIT_S = 0.25
# From the last of these calls until it waits for the change; a change that it misses costs it 50 ms.
_ARRIVED_S = 0.003


class Arrival:
    """Watches what a client does after it has asked for an episode.

    Args:
        begin: begins the episode.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._awaited: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, what: str, *, is_prepared: bool) -> None:
        """Note a call, or ``observer`` for a subscription to the world's state.

        Args:
            is_prepared: an episode has been asked for and has not begun.
        """
        if not is_prepared:
            return
        if what == "load_new_episode":
            self._awaited = set(_ARRIVAL)
            self._begin_in(_ARRIVAL_LIMIT_S)
        elif what in self._awaited:
            self._awaited.discard(what)
            if not self._awaited:
                self._begin_in(_ARRIVED_S)

    def _begin_in(self, delay_s: float) -> None:
        """Have the episode begin after a delay, and no more when it was to begin before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._begin)
