"""Named success rules: what counts as a success differs between benchmarks, so every success rate names its rule."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.result import Failure
from harness.datatypes.scored_route import ScoredRoute
from harness.metrics import lb20


class SuccessRule(StrEnum):
    """Who calls a route a success.

    Attributes:
        B2D: Thinklab-SJTU/Bench2Drive ``tools/merge_route_json.py``: the route was finished, and nothing but the
            minimum-speed log has an entry.
        F2D: autonomousvision/fail2drive ``tools/f2d_result_parser.py``: nothing but minimum speed and leaving the
            lanes has an entry. The status is not looked at, so a drive that stops early without an event succeeds; but
            one whose agent could not be set up, which that parser drops, is no success.
        PERFECT: kesai-labs/lead ``slurm/evaluation/evaluate_wandb_logger.py``: driving score 100 and penalty 1.
    """

    B2D = "b2d"
    F2D = "f2d"
    PERFECT = "perfect"


_FINISHED = (lb20.STATUS_COMPLETED, lb20.STATUS_PERFECT)
_AGENT_NOT_SET_UP = lb20.failed_status(Failure.AGENT_SETUP)
_SPEED = frozenset({InfractionKind.MIN_SPEED.value})
_SPEED_AND_LANE = _SPEED | {InfractionKind.OUTSIDE_LANES.value}


def is_success(route: ScoredRoute, rule: SuccessRule) -> bool:
    """Return whether the route is a success by the named rule."""
    match rule:
        case SuccessRule.B2D:
            return route.status in _FINISHED and _has_only(route, _SPEED)
        case SuccessRule.F2D:
            return route.status != _AGENT_NOT_SET_UP and _has_only(route, _SPEED_AND_LANE)
        case SuccessRule.PERFECT:
            return route.penalty == 1.0 and route.driving_score == 100.0


def successes(routes: Sequence[ScoredRoute], rule: SuccessRule) -> tuple[ScoredRoute, ...]:
    """Return the routes that are a success by the named rule, in their order."""
    return tuple(route for route in routes if is_success(route, rule))


def _has_only(route: ScoredRoute, ignored: frozenset[str]) -> bool:
    return not any(texts for key, texts in route.messages.items() if key not in ignored)
