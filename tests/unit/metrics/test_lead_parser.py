"""LEAD's parser: the figures of a record, the head of the table, its groups and its notices."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.lead_parser import Summary, by_route, by_town, notices, route_figures, summarize
from tests.unit.metrics.scored_routes import MIN_SPEED, OUTSIDE, few_examples, record_lists, route, shuffled_shards

SPEEDS = {
    MIN_SPEED: (
        "Average speed is 50.0% of the surrounding traffic's one",
        "Average speed is 150.0% of the surrounding traffic's one",
    )
}
LANE = {OUTSIDE: ("Agent went outside its route lanes for about 250.5 meters (12.5% of the completed route)",)}
RED = {"red_light": ("ran it", "ran it"), "stop_infraction": ("ran it",)}


def towns_of(records: list[ScoredRoute]) -> dict[str, str]:
    return {record.xml_id: f"Town0{int(record.xml_id) % 3}" for record in records}


def test_normalised_penalty_spreads_fixed_infractions_over_kilometres() -> None:
    ours = route_figures(route(messages=RED, length_m=4000.0, completion_percent=50.0))
    assert ours.driven_km == 2.0
    assert ours.normalised_penalty == pytest.approx(0.14 ** (2 / 2) * 0.16 ** (1 / 2))
    assert ours.normalised_driving_score == pytest.approx(50.0 * ours.normalised_penalty)
    assert (ours.amounts["red_light"], ours.amounts["stop_infraction"]) == (2.0, 1.0)


def test_speed_and_lane_are_not_normalised() -> None:
    ours = route_figures(route(messages={**SPEEDS, **LANE}))
    assert ours.normalised_penalty == pytest.approx((1 - 0.3 * 0.5) * (1 + 0.3 * 0.5) * 0.875)
    assert ours.amounts[MIN_SPEED] == pytest.approx(
        0.25
    )  # clipped: half of the speed lacked once, nothing the 2nd time
    assert ours.amounts[OUTSIDE] == pytest.approx(0.2505)


def test_nothing_driven_has_no_fixed_penalty() -> None:
    assert route_figures(route(messages=RED, completion_percent=0.0)).normalised_penalty == 1.0


@pytest.mark.parametrize(
    "messages",
    [
        {MIN_SPEED: ("Average speed is 100% of the surrounding traffic's one",)},
        {OUTSIDE: ("Agent left its lane",)},
    ],
)
def test_sentence_of_another_rule_set_is_refused(messages: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(
        HarnessError, match=r"record RouteScenario_1_rep0: found .A.* expected a sentence of Leaderboard"
    ):
        route_figures(route(messages=messages))


def test_head_of_the_table() -> None:
    records = [
        route("1", messages=RED, length_m=3000.0, duration_sim_s=1800.0),
        route("2", messages={**SPEEDS, **LANE}, length_m=2000.0, completion_percent=50.0, duration_sim_s=1800.0),
    ]
    ours = summarize([route_figures(record) for record in records])
    assert (ours.routes, ours.kilometres, ours.hours, ours.average_speed_kmph) == (2, 4.0, 1.0, 4.0)
    assert ours.rates["red_light"] == 0.5
    assert ours.rates[OUTSIDE] == pytest.approx(100.0 * 0.2505 / 4.0)
    assert ours.rates[MIN_SPEED] == pytest.approx(100.0 * 0.25 / 2)
    assert (ours.driving_score, ours.route_completion) == (75.0, 75.0)
    assert len(ours.rows()) == 18


def test_nothing_to_divide_by() -> None:
    ours = summarize([route_figures(route(completion_percent=0.0, duration_sim_s=0.0, messages=RED))])
    assert (ours.rates["red_light"], ours.average_speed_kmph, ours.rates[MIN_SPEED]) == (None, None, 0.0)
    with pytest.raises(HarnessError, match="found no record"):
        summarize([])


def test_groups_have_population_deviations() -> None:
    records = [route("10"), route("9", completion_percent=40.0), route("10", completion_percent=50.0)]
    figures = [route_figures(record) for record in records]
    rows = by_route(figures, {"9": "Town02", "10": "Town01"})
    assert [(row.name, row.town, row.routes) for row in rows] == [
        ("RouteScenario_9_rep0", "Town02", 1),
        ("RouteScenario_10_rep0", "Town01", 2),
    ]
    assert (rows[1].figures["DS"].mean, rows[1].figures["DS"].deviation) == (75.0, 25.0)
    assert [row.name for row in by_town(figures, {"9": "Town02", "10": "Town01"})] == ["Town01", "Town02"]
    with pytest.raises(HarnessError, match="no town for id '9'"):
        by_town(figures, {"10": "Town01"})


def test_notices_name_records_and_count_seeds() -> None:
    records = [
        route("1", status="Failed"),
        route("2", completion_percent=0.0),
        route("3", status="Failed - TickRuntime"),
    ]
    ours = notices(records, 3)
    assert ours.not_started == ("RouteScenario_2_rep0",)
    assert ours.by_status["Failed"] == ("RouteScenario_1_rep0",)
    assert ours.is_multiple and ours.is_refused_when_strict
    assert not notices(records[1:], 2).is_refused_when_strict
    assert notices(records[1:], 3).is_refused_when_strict


def numbers_of(summary: Summary) -> list[float]:
    return [math.nan if value is None else value for _, value in summary.rows()]


@few_examples
@given(shuffled_shards())
def test_order_and_shards_change_nothing(shards: tuple[list[ScoredRoute], list[ScoredRoute]]) -> None:
    one, other = ([route_figures(record) for record in records] for records in shards)
    head = numbers_of(summarize(one))
    assert head == pytest.approx(numbers_of(summarize(other)), rel=1e-9, abs=1e-9, nan_ok=True)
    towns = towns_of(shards[0])
    assert by_route(one, towns) == by_route(other, towns)
    for a, b in zip(by_town(one, towns), by_town(other, towns), strict=True):
        assert (a.name, a.routes, list(a.figures)) == (b.name, b.routes, list(b.figures))
        for key, figure in a.figures.items():
            assert figure.mean == pytest.approx(b.figures[key].mean, rel=1e-9, abs=1e-9)
            assert figure.deviation == pytest.approx(b.figures[key].deviation, rel=1e-6, abs=1e-6)


@few_examples
@given(record_lists())
def test_normalised_scores_lie_within_their_bounds(records: list[ScoredRoute]) -> None:
    for record in records:
        figure = route_figures(record)
        assert 0.0 <= figure.normalised_penalty <= 1.0
        assert 0.0 <= figure.normalised_driving_score <= record.completion_percent
        assert 0.0 <= figure.amounts[MIN_SPEED] <= 1.0


@few_examples
@given(record_lists())
def test_another_infraction_never_raises_the_penalty(records: list[ScoredRoute]) -> None:
    for record in records:
        worse = route(
            completion_percent=record.completion_percent,
            length_m=record.length_m,
            messages={**record.messages, "red_light": (*record.messages.get("red_light", ()), "ran it")},
        )
        assert route_figures(worse).normalised_penalty <= route_figures(record).normalised_penalty
