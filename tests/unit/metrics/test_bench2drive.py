"""Bench2Drive: efficiency, and the five abilities in both formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.bench2drive import (
    ABILITIES,
    TRAFFIC_SIGNS,
    Ability,
    AbilityFormula,
    Efficiency,
    abilities,
    efficiency,
    speed_entries,
)
from tests.unit.metrics.scored_routes import MIN_SPEED, TYPES, few_examples, record_lists, route, shuffled_shards

FORMULAS = st.sampled_from(AbilityFormula)
RED = {"red_light": ("Agent ran a red light 1 at (x=0, y=0, z=0)",)}


def speeds(*percents: float) -> dict[str, tuple[str, ...]]:
    return {MIN_SPEED: tuple(f"Average speed is {p}% of the surrounding traffic's one" for p in percents)}


def efficiency_of(records: list[ScoredRoute]) -> Efficiency:
    return efficiency([(record.route_id, speed_entries(record)) for record in records])


def signs(
    records: list[ScoredRoute], types: dict[str, str], junctions: dict[str, float], formula: AbilityFormula
) -> Ability:
    groups = abilities(records, types, junctions, formula).groups
    return next(group for group in groups if group.name == TRAFFIC_SIGNS)


def test_groups_cover_the_types_of_the_set() -> None:
    assert [len(types) for types in ABILITIES.values()] == [9, 16, 12, 2, 19]
    assert len(frozenset().union(*ABILITIES.values())) == 44


def test_efficiency_is_a_mean_of_means_without_absurd_entries() -> None:
    ours = efficiency_of(
        [
            route("1", messages=speeds(50.0, 150, 1000.5)),
            route("2", messages=speeds(1000)),
            route("3"),
            route("4", messages=speeds(2000.0)),
        ]
    )
    assert (ours.percent, ours.routes, ours.entries_left_out) == (550.0, 2, 2)
    assert ours.without_entry == ("RouteScenario_3_rep0",)
    assert ours.only_too_fast == ("RouteScenario_4_rep0",)


def test_no_entry_at_all_has_no_efficiency() -> None:
    assert efficiency_of([route()]).percent is None


def test_entry_without_percentage_is_refused() -> None:
    with pytest.raises(HarnessError, match="RouteScenario_1_rep0: found 'slow'"):
        efficiency_of([route(messages={MIN_SPEED: ("slow",)})])


@pytest.mark.parametrize(
    ("record", "junction", "old", "new"),
    [
        (route(), 50.0, 1.0, 1.0),
        (route(), 100.0, 0.5, 1.0),
        (route(status="Failed", completion_percent=51.0), 50.0, 0.5, 1.0),
        (route(status="Failed", completion_percent=50.0), 50.0, 0.0, 0.0),
        (route(status="Failed", completion_percent=51.0, messages=RED), 50.0, 0.0, 0.0),
        (route(messages=RED), 50.0, 0.0, 0.0),
        (route(messages={"collisions_layout": ("hit",)}), 50.0, 0.5, 1.0),
    ],
)
def test_junction_credit_in_both_formulas(record: ScoredRoute, junction: float, old: float, new: float) -> None:
    types, at = {"1": "T_Junction"}, {"1": junction}
    assert signs([record], types, at, AbilityFormula.V003).value == old
    assert signs([record], types, at, AbilityFormula.V004).value == new


def test_unknown_junction_gives_bounds_and_is_named() -> None:
    records, types = [route("1", status="Failed"), route("2")], {"1": "T_Junction", "2": "T_Junction"}
    old = signs(records, types, {}, AbilityFormula.V003)
    assert (old.value, old.lowest, old.highest) == (None, 0.25, 0.75)
    new = signs(records, types, {}, AbilityFormula.V004)
    assert (new.value, new.lowest, new.highest) == (None, 0.5, 1.0)
    assert signs(records, types, {"1": 50.0}, AbilityFormula.V004).value == 1.0
    ours = abilities(records, {**types, "3": "Accident"}, {"2": 1.0}, AbilityFormula.V004)
    assert (ours.without_junction, ours.mean) == (("1",), None)


def test_missing_route_leaves_the_divisor_and_the_first_record_counts() -> None:
    types = {"1": "Accident", "2": "Accident", "3": "ParkedObstacle"}
    records = [route("1"), route("1", status="Failed"), route("3", status="Failed"), route("8")]
    ours = abilities(records, types, {}, AbilityFormula.V004)
    overtaking = ours.groups[0]
    assert (overtaking.name, overtaking.routes, overtaking.successes, overtaking.value) == ("Overtaking", 2, 1, 0.5)


def types_of(records: list[ScoredRoute]) -> dict[str, str]:
    return {record.xml_id: TYPES[int(record.xml_id) % len(TYPES)] for record in records}


@few_examples
@given(shuffled_shards(), FORMULAS, st.floats(0.0, 110.0))
def test_order_and_shards_change_nothing(
    shards: tuple[list[ScoredRoute], list[ScoredRoute]], formula: AbilityFormula, junction: float
) -> None:
    records, dealt = shards
    types = types_of(records)
    junctions = {xml_id: junction for xml_id in types if int(xml_id) % 2}
    one, other = (abilities(r, types, junctions, formula) for r in (records, dealt))
    assert one == other
    speed, same_speed = efficiency_of(records), efficiency_of(dealt)
    assert (speed.routes, speed.entries_left_out) == (same_speed.routes, same_speed.entries_left_out)
    assert (speed.percent or 0.0) == pytest.approx(same_speed.percent or 0.0, rel=1e-9, abs=1e-9)


@few_examples
@given(record_lists(), FORMULAS)
def test_abilities_lie_within_their_bounds(records: list[ScoredRoute], formula: AbilityFormula) -> None:
    ours = abilities(records, types_of(records), {record.xml_id: 50.0 for record in records}, formula)
    values = [group.value for group in ours.groups if group.value is not None]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert ours.mean is None or 0.0 <= ours.mean <= 1.0
    open_ended = abilities(records, types_of(records), {}, formula)
    for known, unknown in zip(ours.groups, open_ended.groups, strict=True):
        if known.value is not None and unknown.lowest is not None and unknown.highest is not None:
            assert unknown.lowest <= known.value <= unknown.highest
