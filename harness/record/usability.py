"""Which recorded routes LEAD trains on: its rule, word for word in meaning, on the record of a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Ends of a route that say nothing about driving.
NOT_DRIVEN = frozenset(
    {"Failed", "Failed - Agent couldn't be set up", "Failed - Simulation crashed", "Failed - Agent crashed"}
)
FULL_SCORE = 100.0


def failure_reason(record: Mapping[str, Any] | None, *, has_first_frame: bool) -> str:
    """Return why a recorded route is not trained on, empty if it is.

    A route is usable if its record and its first meta are there, and nothing counts against it: full score; or no
    infraction but too low a speed; or completed, with no infraction but that and leaving its lanes; or perfect. A route
    that ended in one of `NOT_DRIVEN` never is.

    Args:
        record: the Leaderboard's record of the route, None if there is none.
        has_first_frame: ``metas/0000.pkl`` exists.
    """
    if record is None:
        return "it has no results.json"
    if not has_first_frame:
        return "it has no metas/0000.pkl"
    status, score = record["status"], record["scores"]["score_composed"]
    if status in NOT_DRIVEN:
        return f"status {status!r}"
    count, infractions = record["num_infractions"], record["infractions"]
    slow = len(infractions["min_speed_infractions"])
    forgiven = slow + len(infractions["outside_route_lanes"])
    is_usable = (
        score == FULL_SCORE
        or (score < FULL_SCORE and count == slow)
        or (status == "Completed" and count == forgiven)
        or status == "Perfect"
    )
    if is_usable:
        return ""
    kinds = [f"{len(texts)} {kind}" for kind, texts in infractions.items() if texts]
    return f"status {status!r} with {', '.join(kinds) or 'no infraction'}, driving score {score:g}"
