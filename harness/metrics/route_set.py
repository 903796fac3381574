"""Driving score and success rate of a set of routes, by both divisors that are in use.

*Official* divides by the number of routes of the set, so a missing route counts as zero; *available* divides by
the number of records. The merge tools of the field print one or the other:

    Thinklab-SJTU/Bench2Drive  tools/merge_route_json.py              official, 220 routes
    kesai-labs/lead            slurm/evaluation/merge_route_json.py   official, 20, 36 or 220 routes; available too
    autonomousvision/plant2    Bench2Drive/tools/merge_route_json.py  available, under the names of the official

A second record of a route is added to the sums, as these tools do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.datatypes.result import Failure
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.success import SuccessRule, successes

#: Below this completion [percent] LEAD says that the agent did not move at all, and repeats the job.
_DID_NOT_MOVE = 1e-11
#: What LEAD takes for a crash: its parser complains of these, its scripts drive such routes again.
LEAD_CRASHES: Final = (
    lb20.STATUS_FAILED,
    *map(lb20.failed_status, (Failure.AGENT_SETUP, Failure.SIMULATION_CRASHED, Failure.AGENT_CRASHED)),
)
_STATUS_TICK_RUNTIME = lb20.failed_status(Failure.TICK_RUNTIME)


@dataclass(frozen=True, kw_only=True)
class SetScores:
    """Driving score (0 to 100) and success rate (0 to 1) of a set of routes.

    Attributes:
        expected: routes of the set; divisor of the official values.
        found: records; divisor of the available values.
        successes: records that are a success by ``rule``.
        available_driving_score, available_success_rate: None without records.
    """

    expected: int
    found: int
    successes: int
    rule: SuccessRule
    driving_score: float
    success_rate: float
    available_driving_score: float | None
    available_success_rate: float | None


def score_set(routes: Sequence[ScoredRoute], expected: int, rule: SuccessRule) -> SetScores:
    """Return both means over a set.

        official = sum / expected        available = sum / number of records

    Args:
        routes: records, repeated ones included.
        expected: routes of the set, at least one.

    Raises:
        HarnessError: nothing is expected.
    """
    if expected < 1:
        raise HarnessError(f"found a set of {expected} routes to score, expected at least one")
    total = sum((route.driving_score for route in routes), 0.0)
    good = len(successes(routes, rule))
    return SetScores(
        expected=expected,
        found=len(routes),
        successes=good,
        rule=rule,
        driving_score=total / expected,
        success_rate=good / expected,
        available_driving_score=total / len(routes) if routes else None,
        available_success_rate=good / len(routes) if routes else None,
    )


def missing_ids(routes: Iterable[ScoredRoute], expected: Collection[str]) -> tuple[str, ...]:
    """Return the expected XML ids without a record, in the order of ``expected``."""
    found = {route.xml_id for route in routes}
    return tuple(xml_id for xml_id in expected if xml_id not in found)


def lead_repeats(routes: Sequence[ScoredRoute]) -> bool:
    """Return whether LEAD would throw the result file with these records away and drive again.

    It does so without a record, after a crash and for a bare ``Failed``, and also when the agent did not move at
    all. That last one is a legitimate zero, so the policy favours the method. ``TickRuntime`` is never repeated.
    Source: kesai-labs/lead ``slurm/evaluation/evaluate_utils.py``.
    """
    return not routes or any(
        route.status != _STATUS_TICK_RUNTIME
        and (route.completion_percent < _DID_NOT_MOVE or route.status in LEAD_CRASHES)
        for route in routes
    )
