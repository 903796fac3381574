"""What the expert does in a tick, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

NOBODY = -1


class Reason(NamedTuple):
    """A target speed and what it follows from.

    Attributes:
        actor_id: who is the cause, `NOBODY` if nobody is.
        distance_m: how far away he is, as his cause counts it.
    """

    speed_mps: float
    cause: str
    actor_id: int = NOBODY
    distance_m: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The controls of a tick, and what the target speed follows from.

    Attributes:
        reason: the target speed before a hazard stops the ego, and its cause: "cruise" if nothing slows the ego down.
        cruise_mps: what the target speed would be if nobody were in the way.
        hit_id: whom the forecast runs into, `NOBODY` in most ticks.
    """

    steer: float
    throttle: float
    brake: bool
    reason: Reason
    cruise_mps: float
    hit_id: int

    @property
    def target_speed_mps(self) -> float:
        """Target speed before a hazard stops the ego."""
        return self.reason.speed_mps

    @property
    def cause(self) -> str:
        """What the target speed follows from."""
        return self.reason.cause

    @property
    def is_hazard(self) -> bool:
        """The forecast runs into something."""
        return self.hit_id != NOBODY
