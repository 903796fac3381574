"""NAVSIM: both formulas, the human filter, tables and two stages."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.metrics.navsim import (
    ExtendedSubscores,
    FollowUp,
    Frame,
    PdmSubscores,
    Token,
    epdms,
    follow_up_weights,
    forgive_like_human,
    pdms,
    table_value,
    two_stage,
)

UNIT = st.floats(0.0, 1.0)
PDM = st.builds(PdmSubscores, **{field.name: UNIT for field in dataclasses.fields(PdmSubscores)})
EXTENDED = st.builds(ExtendedSubscores, **{field.name: UNIT for field in dataclasses.fields(ExtendedSubscores)})
FRAMES = st.builds(
    Frame,
    score=UNIT,
    follow_ups=st.lists(st.builds(FollowUp, score=UNIT, distance_m=st.floats(0.0, 50.0)), min_size=1, max_size=4).map(
        tuple
    ),
)
TOKENS = st.lists(st.builds(Token, name=st.just("t"), now=FRAMES, previous=FRAMES), min_size=1, max_size=6)
GOOD = ExtendedSubscores(**{field.name: 1.0 for field in dataclasses.fields(ExtendedSubscores)})
FINE = PdmSubscores(no_at_fault_collisions=1, drivable_area=1, ego_progress=1, time_to_collision=1, comfort=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"no_at_fault_collisions": 0.5}, 0.5),
        ({"drivable_area": 0.0}, 0.0),
        ({"ego_progress": 0.4}, 9.0 / 12.0),
        ({"time_to_collision": 0.0}, 7.0 / 12.0),
        ({"comfort": 0.0}, 10.0 / 12.0),
        ({"driving_direction": 0.0}, 1.0),
    ],
)
def test_pdms(changes: dict[str, float], expected: float) -> None:
    assert pdms(dataclasses.replace(FINE, **changes)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"no_at_fault_collisions": 0.5, "driving_direction": 0.5}, 0.25),
        ({"drivable_area": 0.0}, 0.0),
        ({"traffic_light": 0.0}, 0.0),
        ({"ego_progress": 0.6}, 14.0 / 16.0),
        ({"time_to_collision": 0.0}, 11.0 / 16.0),
        ({"lane_keeping": 0.0}, 14.0 / 16.0),
        ({"history_comfort": 0.0, "extended_comfort": 0.0}, 12.0 / 16.0),
    ],
)
def test_epdms(changes: dict[str, float], expected: float) -> None:
    assert epdms(dataclasses.replace(GOOD, **changes)) == pytest.approx(expected)


def test_what_the_human_did_too_is_forgiven() -> None:
    agent = dataclasses.replace(GOOD, drivable_area=0.0, driving_direction=0.0, lane_keeping=0.0)
    human = dataclasses.replace(GOOD, drivable_area=0.0, driving_direction=0.5)
    filtered = forgive_like_human(agent, human)
    assert filtered == dataclasses.replace(GOOD, driving_direction=0.0, lane_keeping=0.0)


def test_invalid_tokens_are_counted_and_in_no_mean() -> None:
    ours = table_value([1.0, None, 0.5])
    assert (ours.percent, ours.tokens, ours.invalid) == (75.0, 2, 1)
    assert table_value([None]).percent is None


def test_weights_are_a_normalised_gaussian() -> None:
    raw = [math.exp(-(d**2) / 0.2) for d in (0.1, 0.3, 0.5)]
    assert follow_up_weights([0.1, 0.3, 0.5]) == pytest.approx([weight / sum(raw) for weight in raw])
    assert follow_up_weights([400.0, 400.0]) == (0.5, 0.5)
    assert follow_up_weights([0.0, 1.0], sigma_squared_m2=1e9) == pytest.approx((0.5, 0.5))


def test_two_stages_by_hand() -> None:
    now = Frame(score=0.8, follow_ups=(FollowUp(score=1.0, distance_m=0.2), FollowUp(score=0.5, distance_m=0.2)))
    previous = Frame(score=1.0, follow_ups=(FollowUp(score=0.4, distance_m=3.0),))
    ours = two_stage([Token(name="a", now=now, previous=previous)], invalid=2)
    assert ours.stage_one.percent == pytest.approx(90.0)
    assert ours.stage_two.percent == pytest.approx(100 * (0.75 + 0.4) / 2)
    assert ours.combined.percent == pytest.approx(100 * (0.8 * 0.75 + 1.0 * 0.4) / 2)
    assert [(v.tokens, v.invalid) for v in (ours.stage_one, ours.stage_two, ours.combined)] == [(1, 2)] * 3


def test_frame_without_second_stage_is_refused() -> None:
    frame = Frame(score=1.0, follow_ups=())
    with pytest.raises(HarnessError, match="token abc: found no second-stage scene"):
        two_stage([Token(name="abc", now=frame, previous=frame)])


@given(PDM, EXTENDED, EXTENDED)
def test_scores_lie_within_0_and_1(subscores: PdmSubscores, agent: ExtendedSubscores, human: ExtendedSubscores) -> None:
    assert 0.0 <= pdms(subscores) <= 1.0
    assert 0.0 <= epdms(agent) <= epdms(forgive_like_human(agent, human)) <= 1.0 + 1e-12


@given(TOKENS)
def test_order_of_tokens_changes_nothing(tokens: list[Token]) -> None:
    one, other = two_stage(tokens), two_stage(tokens[::-1])
    for a, b in ((one.stage_one, other.stage_one), (one.stage_two, other.stage_two), (one.combined, other.combined)):
        assert a.percent is not None and b.percent is not None
        assert a.percent == pytest.approx(b.percent, rel=1e-9, abs=1e-9)
        assert -1e-9 <= a.percent <= 100.0 + 1e-9
    assert one.combined.percent is not None and one.stage_one.percent is not None
    assert one.combined.percent <= one.stage_one.percent + 1e-9
