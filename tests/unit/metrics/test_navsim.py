"""NAVSIM: both formulas, means and scores that do not follow from their sub-scores."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.navsim import (
    ExtendedSubscores,
    PdmSubscores,
    ScoredToken,
    Stage,
    Subscores,
    Version,
    epdms,
    mean_score,
    mean_stated,
    mean_subscores,
    mismatches,
    pdms,
    score,
)

UNIT = st.floats(0.0, 1.0)
FINE = PdmSubscores(**{field.name: 1.0 for field in dataclasses.fields(PdmSubscores)})
GOOD = ExtendedSubscores(**{field.name: 1.0 for field in dataclasses.fields(ExtendedSubscores)})
PDM = st.builds(PdmSubscores, **{field.name: UNIT for field in dataclasses.fields(PdmSubscores)})
EXTENDED = st.builds(
    ExtendedSubscores,
    **{
        field.name: st.none() | UNIT if field.name == "two_frame_extended_comfort" else UNIT
        for field in dataclasses.fields(ExtendedSubscores)
    },
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"no_at_fault_collisions": 0.5}, 0.5),
        ({"drivable_area_compliance": 0.0}, 0.0),
        ({"ego_progress": 0.4}, 9.0 / 12.0),
        ({"time_to_collision_within_bound": 0.0}, 7.0 / 12.0),
        ({"comfort": 0.0}, 10.0 / 12.0),
        ({"driving_direction_compliance": 0.0}, 1.0),
        # A token of NAVSIM's constant-velocity agent, as its file has it.
        ({"ego_progress": 0.8906223480884186}, 0.9544259783701744),
    ],
)
def test_pdms(changes: dict[str, float], expected: float) -> None:
    assert pdms(dataclasses.replace(FINE, **changes)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"no_at_fault_collisions": 0.5, "driving_direction_compliance": 0.5}, 0.25),
        ({"drivable_area_compliance": 0.0}, 0.0),
        ({"traffic_light_compliance": 0.0}, 0.0),
        ({"ego_progress": 0.6}, 14.0 / 16.0),
        ({"time_to_collision_within_bound": 0.0}, 11.0 / 16.0),
        ({"lane_keeping": 0.0}, 14.0 / 16.0),
        ({"history_comfort": 0.0, "two_frame_extended_comfort": 0.0}, 12.0 / 16.0),
        # Without a frame before it a token has no extended comfort, and its weight is left out.
        ({"two_frame_extended_comfort": None}, 1.0),
        ({"two_frame_extended_comfort": None, "time_to_collision_within_bound": 0.0}, 9.0 / 14.0),
    ],
)
def test_epdms(changes: dict[str, float | None], expected: float) -> None:
    assert epdms(dataclasses.replace(GOOD, **changes)) == pytest.approx(expected, abs=1e-12)


def token(name: str, subscores: Subscores | None, stated: float | None = None) -> ScoredToken:
    stated = score(subscores) if subscores is not None and stated is None else stated
    return ScoredToken(token=name, stage=Stage.ONLY, subscores=subscores, stated=stated, place=f"a.csv line {name}")


def test_means_are_over_the_tokens_that_have_a_value() -> None:
    first = dataclasses.replace(GOOD, two_frame_extended_comfort=None, lane_keeping=0.0)
    tokens = [token("a", first), token("b", GOOD), token("c", None), token("d", GOOD, 0.0)]
    mean = mean_score(tokens)
    assert (mean.percent, mean.tokens) == (pytest.approx(100 * (12 / 14 + 1 + 1) / 3), 3)
    assert mean_stated(tokens).percent == pytest.approx(100 * (12 / 14 + 1 + 0) / 3)
    means = mean_subscores(tokens, Version.V2)
    assert (means["lane_keeping"].percent, means["lane_keeping"].tokens) == (pytest.approx(200 / 3), 3)
    assert (means["two_frame_extended_comfort"].percent, means["two_frame_extended_comfort"].tokens) == (100.0, 2)
    nothing = mean_score([token("c", None)])
    assert (nothing.percent, nothing.tokens) == (None, 0)


def test_scores_that_do_not_follow_are_listed() -> None:
    tokens = [token("a", FINE, 1.0 - 9e-7), token("b", FINE, 1.0 - 1.1e-6), token("c", None), token("d", FINE, 0.0)]
    assert [str(each) for each in mismatches(tokens)] == [
        "token b: found score 0.999999, expected 1.000000 (a.csv line b)",
        "token d: found score 0.000000, expected 1.000000 (a.csv line d)",
    ]


@given(PDM, EXTENDED)
def test_scores_lie_within_0_and_1(subscores: PdmSubscores, extended: ExtendedSubscores) -> None:
    assert 0.0 <= score(subscores) <= 1.0 + 1e-12
    assert 0.0 <= score(extended) <= 1.0 + 1e-12


@given(st.lists(EXTENDED, min_size=1, max_size=12), st.randoms())
def test_order_of_tokens_changes_no_digit(drawn: list[ExtendedSubscores], random: object) -> None:
    tokens = [token(str(number), subscores) for number, subscores in enumerate(drawn)]
    mixed = list(tokens)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert mean_score(mixed) == mean_score(tokens)
    assert mean_subscores(mixed, Version.V2) == mean_subscores(tokens, Version.V2)
