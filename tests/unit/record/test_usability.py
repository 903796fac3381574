"""LEAD's rule which routes to train on, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from harness.record.usability import failure_reason
from tests.unit.record.drawn import RECORD


def record(status: str, score: float, **infractions: int) -> dict[str, Any]:
    texts = {kind: ["a sentence"] * infractions.get(kind, 0) for kind in RECORD["infractions"]}
    return {
        "status": status,
        "num_infractions": sum(infractions.values()),
        "infractions": texts,
        "scores": {"score_composed": score},
    }


@pytest.mark.parametrize(
    ("found", "is_usable"),
    [
        (record("Perfect", 100.0), True),
        (record("Completed", 100.0), True),
        (record("Completed", 97.0, min_speed_infractions=2), True),
        (record("Completed", 97.0, outside_route_lanes=1), True),
        (record("Completed", 97.0, outside_route_lanes=1, min_speed_infractions=1), True),
        (record("Completed", 60.0, collisions_vehicle=1), False),
        (record("Completed", 60.0, collisions_vehicle=1, min_speed_infractions=1), False),
        (record("Completed", 70.0, red_light=1), False),
        (record("Failed - Agent timed out", 50.0, min_speed_infractions=1), True),
        (record("Failed - Agent timed out", 50.0, route_timeout=1), False),
        (record("Failed - Agent got blocked", 50.0, vehicle_blocked=1), False),
        (record("Failed - Agent deviated from the route", 50.0, route_dev=1, outside_route_lanes=1), False),
        (record("Failed - Agent's sensors were invalid", 0.0), True),
        (record("Failed", 100.0), False),
        (record("Failed", 50.0), False),
        (record("Failed - Agent couldn't be set up", 0.0), False),
        (record("Failed - Simulation crashed", 0.0), False),
        (record("Failed - Agent crashed", 99.0, min_speed_infractions=1), False),
        # The rule looks at the word as well as at the number.
        (record("Perfect", 60.0, collisions_vehicle=1), True),
    ],
)
def test_rule(found: dict[str, Any], is_usable: bool) -> None:
    assert (failure_reason(found, has_first_frame=True) == "") is is_usable


def test_reasons_in_words() -> None:
    assert failure_reason(None, has_first_frame=True) == "it has no results.json"
    assert failure_reason(RECORD, has_first_frame=False) == "it has no metas/0000.pkl"
    assert failure_reason(record("Failed - Agent crashed", 0.0), has_first_frame=True) == (
        "status 'Failed - Agent crashed'"
    )
    found = record("Completed", 36.5, collisions_vehicle=2, min_speed_infractions=1)
    assert failure_reason(found, has_first_frame=True) == (
        "status 'Completed' with 2 collisions_vehicle, 1 min_speed_infractions, driving score 36.5"
    )
