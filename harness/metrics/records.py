"""The record of one route as the evaluator of any rule version writes it."""

from __future__ import annotations

from typing import Any

from harness.datatypes.result import RouteOutcome
from harness.metrics import bench2drive_rules, lb20
from harness.metrics.bench2drive_rules import RouteNames
from harness.metrics.engine import ENGINES
from harness.metrics.rules import RuleVersion


def route_record(outcome: RouteOutcome, index: int, version: RuleVersion, names: RouteNames) -> dict[str, Any]:
    """Return a record for ``_checkpoint.records``, keys in the order of the file.

    Args:
        index: position of the route in the run, from 0.
        names: what the fork calls the drive; other versions leave it out.
    """
    if ENGINES[version].names_routes:
        return bench2drive_rules.route_record(outcome, index, names)
    return lb20.route_record(outcome, index, version=version)
