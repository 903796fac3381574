"""Penalties by rule version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.metrics import rules
from harness.metrics.rules import RuleVersion, penalty

K = InfractionKind
V = RuleVersion


def one(kind: InfractionKind, percentage: float = 0.0) -> Infraction:
    return Infraction(kind=kind, percentage=percentage)


@pytest.mark.parametrize(
    ("infractions", "lb20", "lb21", "bench2drive"),
    [
        ([], 1.0, 1.0, 1.0),
        ([one(K.COLLISION_PEDESTRIAN)], 0.5, 1 / 2.0, 0.5),
        ([one(K.COLLISION_VEHICLE)], 0.6, 1 / 1.7, 0.6),
        ([one(K.COLLISION_LAYOUT)], 0.65, 1 / 1.6, 0.65),
        ([one(K.RED_LIGHT)], 0.7, 1 / 1.4, 0.7),
        ([one(K.STOP)], 0.8, 1 / 1.25, 0.8),
        ([one(K.SCENARIO_TIMEOUT)], 0.7, 1 / 1.4, 0.7),
        ([one(K.YIELD_EMERGENCY)], 0.7, 1 / 1.4, 0.7),
        ([one(K.ROUTE_DEVIATION), one(K.BLOCKED), one(K.ROUTE_TIMEOUT)], 1.0, 1.0, 1.0),
        ([one(K.MIN_SPEED, 50.0)], 0.85, 1 / 1.2, 1.0),
        ([one(K.MIN_SPEED, 0.0)] * 4, 0.2401, 1 / 2.6, 1.0),
        ([one(K.MIN_SPEED, 250.0)] * 20, 1.0, 1.0, 1.0),
        ([one(K.OUTSIDE_LANES, 25.0)], 0.75, 0.75, 0.75),
        ([one(K.OUTSIDE_LANES, 25.0), one(K.STOP), one(K.STOP)], 0.48, 0.5, 0.48),
        ([one(K.OUTSIDE_LANES, 100.0)], 0.0, 0.0, 0.0),
        ([one(K.OUTSIDE_LANES, 140.0)], 0.0, 0.0, 0.0),
    ],
)
def test_penalty_of_each_version(infractions: list[Infraction], lb20: float, lb21: float, bench2drive: float) -> None:
    assert [penalty(infractions, version) for version in V] == pytest.approx([lb20, lb21, bench2drive, lb20], rel=1e-12)


any_infraction = st.builds(one, st.sampled_from(list(K)), st.floats(0.0, 1e6))


@pytest.mark.parametrize("version", list(V))
@given(infractions=st.lists(any_infraction, max_size=30), another=any_infraction)
def test_penalty_lies_in_0_to_1_never_rises_and_knows_no_order(
    version: RuleVersion, infractions: list[Infraction], another: Infraction
) -> None:
    before, after = penalty(infractions, version), penalty([*infractions, another], version)
    assert 0.0 <= after <= before <= 1.0
    assert penalty(infractions[::-1], version) == pytest.approx(before, rel=1e-12)


@given(st.lists(any_infraction, max_size=30))
def test_bench2drive_is_leaderboard_20_without_min_speed(infractions: list[Infraction]) -> None:
    others = [each for each in infractions if each.kind is not K.MIN_SPEED]
    assert rules.bench2drive(infractions) == rules.leaderboard_20(others)


def test_fail2drive_is_leaderboard_20_and_says_so() -> None:
    assert rules.PENALTIES[V.FAIL2DRIVE] is rules.PENALTIES[V.LEADERBOARD_20]
    assert rules.TITLES[V.LEADERBOARD_20] in rules.TITLES[V.FAIL2DRIVE]
    assert list(rules.TITLES) == list(V) == list(rules.PENALTIES)
