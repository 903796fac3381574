"""Both divisors of a set of routes, the named success rules, and LEAD's policy of repeating."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.route_set import lead_repeats, missing_ids, score_set
from harness.metrics.success import SuccessRule, is_success, successes
from tests.unit.metrics.scored_routes import MIN_SPEED, OUTSIDE, few_examples, record_lists, route, shuffled_shards

RULES = st.sampled_from(SuccessRule)
SPEED = {MIN_SPEED: ("Average speed is 50.0% of the surrounding traffic's one",)}
LANE = {OUTSIDE: ("Agent went outside its route lanes for about 1.0 meters (2.0% of the completed route)",)}
BLOCKED = {"vehicle_blocked": ("Agent got blocked at (x=0, y=0, z=0)",)}


@pytest.mark.parametrize(
    ("record", "b2d", "f2d", "perfect"),
    [
        (route(status="Perfect"), True, True, True),
        (route(messages=SPEED, penalty=0.85), True, True, False),
        (route(messages=SPEED), True, True, True),
        (route(messages=LANE, penalty=0.98), False, True, False),
        (route(messages={"red_light": ()}), True, True, True),
        (dataclasses.replace(route(), penalty=0.9), True, True, False),
        (dataclasses.replace(route(), driving_score=99.0), True, True, False),
        (route(messages={"red_light": ("ran it",)}, penalty=0.7), False, False, False),
        (route(status="Failed", completion_percent=40.0), False, True, False),
        (route(status="Failed - Agent got blocked", completion_percent=99.0, messages=BLOCKED), False, False, False),
    ],
)
def test_success_by_each_rule(record: ScoredRoute, b2d: bool, f2d: bool, perfect: bool) -> None:
    assert [is_success(record, rule) for rule in SuccessRule] == [b2d, f2d, perfect]


def test_missing_routes_count_as_zero_or_not_at_all() -> None:
    records = [route("1"), route("2", completion_percent=50.0, status="Failed")]
    ours = score_set(records, 4, SuccessRule.B2D)
    assert (ours.expected, ours.found, ours.successes, ours.rule) == (4, 2, 1, SuccessRule.B2D)
    assert (ours.driving_score, ours.success_rate) == (37.5, 0.25)
    assert (ours.available_driving_score, ours.available_success_rate) == (75.0, 0.5)


def test_without_records_nothing_is_available() -> None:
    ours = score_set([], 3, SuccessRule.F2D)
    assert (ours.driving_score, ours.success_rate) == (0.0, 0.0)
    assert (ours.available_driving_score, ours.available_success_rate) == (None, None)


@pytest.mark.parametrize("expected", [0, -1])
def test_empty_set_is_refused(expected: int) -> None:
    with pytest.raises(HarnessError, match=f"a set of {expected} routes"):
        score_set([route()], expected, SuccessRule.B2D)


def test_a_repeated_route_is_added() -> None:
    records = [route("1"), route("2"), route("1", completion_percent=50.0)]
    assert score_set(records, 2, SuccessRule.B2D).driving_score == 125.0
    assert missing_ids(records, ["3", "1", "9"]) == ("3", "9")


@pytest.mark.parametrize(
    ("records", "repeats"),
    [
        ([], True),
        ([route()], False),
        ([route(), route("2", status="Failed - Agent crashed", completion_percent=50.0)], True),
        ([route(status="Failed - Agent got blocked", completion_percent=50.0)], False),
        ([route(status="Failed - Agent got blocked", completion_percent=0.0)], True),
        ([route(status="Failed - TickRuntime", completion_percent=0.0)], False),
        ([route(status="Failed", completion_percent=99.0)], True),
        ([route(status="Failed - Agent's sensors were invalid", completion_percent=1.0)], False),
    ],
)
def test_what_lead_drives_again(records: list[ScoredRoute], repeats: bool) -> None:
    assert lead_repeats(records) is repeats


@few_examples
@given(shuffled_shards(), RULES, st.integers(12, 220))
def test_order_and_shards_change_nothing(
    shards: tuple[list[ScoredRoute], list[ScoredRoute]], rule: SuccessRule, expected: int
) -> None:
    one, other = (score_set(records, expected, rule) for records in shards)
    assert (one.successes, one.found, one.success_rate) == (other.successes, other.found, other.success_rate)
    assert one.driving_score == pytest.approx(other.driving_score, rel=1e-9, abs=1e-9)
    assert one.available_driving_score == pytest.approx(other.available_driving_score, rel=1e-9, abs=1e-9)


@few_examples
@given(record_lists(), RULES, st.integers(12, 220))
def test_a_missing_route_never_raises_an_official_score(
    records: list[ScoredRoute], rule: SuccessRule, expected: int
) -> None:
    before, after = score_set(records, expected, rule), score_set(records, expected + 1, rule)
    assert after.driving_score <= before.driving_score
    assert after.success_rate <= before.success_rate
    assert after.available_driving_score == before.available_driving_score


@few_examples
@given(record_lists(), RULES)
def test_scores_lie_within_their_bounds(records: list[ScoredRoute], rule: SuccessRule) -> None:
    ours = score_set(records, max(len(records), 1), rule)
    assert 0.0 <= ours.driving_score <= 100.0 + 1e-9
    assert 0.0 <= ours.success_rate <= 1.0
    assert ours.successes == len(successes(records, rule)) <= ours.found


@few_examples
@given(record_lists())
def test_the_rule_of_fail2drive_is_the_most_generous(records: list[ScoredRoute]) -> None:
    f2d = successes(records, SuccessRule.F2D)
    assert set(map(id, successes(records, SuccessRule.B2D))) <= set(map(id, f2d))
