"""Fail2Drive: names, means, both roundings, and what is left out and named."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.fail2drive import (
    CLASSES,
    SCENARIOS,
    Drive,
    Fail2DriveScores,
    RouteName,
    Split,
    aggregate,
    harmonic_mean,
    printed_row,
    relative_change,
    route_name,
    traffic_seed,
)
from tests.unit.metrics.scored_routes import few_examples, record_lists, route, shuffled_shards

NUMBERS = st.floats(0.0, 100.0, allow_subnormal=False)
#: Two pairs of each scenario, number by place in the list.
ROUTES = [
    RouteName(split=split, scenario=scenario, number=1000 * (split is Split.GENERALIZATION) + 2 * place + copy)
    for split in Split
    for place, scenario in enumerate(SCENARIOS)
    for copy in (0, 1)
]


def drives_of(records: list[ScoredRoute]) -> list[Drive]:
    """Give each record a seed and a route that follow from its id alone."""
    return [
        Drive(seed=str(int(r.xml_id) % 3), number=ROUTES[int(r.xml_id) % len(ROUTES)].number, route=r) for r in records
    ]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("Base_Wall_0095", RouteName(split=Split.BASE, scenario="Wall", number=95)),
        ("Generalization_Wall_1095", RouteName(split=Split.GENERALIZATION, scenario="Wall", number=1095)),
        ("Base_BadParkingTwoWays_0003", RouteName(split=Split.BASE, scenario="BadParking", number=3)),
        ("Base_Wall_95", None),
        ("0095_res", None),
        ("Base_Wall_0095.xml", None),
    ],
)
def test_file_name_says_split_scenario_and_number(stem: str, expected: RouteName | None) -> None:
    assert route_name(stem) == expected


def test_halves_of_a_pair_share_pair_and_traffic() -> None:
    base, half = route_name("Base_Wall_0095"), route_name("Generalization_Wall_1095")
    assert base is not None and half is not None
    assert base.pair == half.pair == 95
    assert traffic_seed(base.number, 3) == traffic_seed(half.number, 3) == 30_095
    assert traffic_seed(96, 3) != traffic_seed(95, 3) != traffic_seed(95, 2)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(50.0, 100.0, 200.0 / 3.0), (0.0, 80.0, 0.0), (80.0, 0.0, 0.0), (-1.0, 5.0, math.nan), (math.nan, 0.0, math.nan)],
)
def test_harmonic_mean(a: float, b: float, expected: float) -> None:
    assert harmonic_mean(a, b) == pytest.approx(expected, nan_ok=True)


def test_relative_change() -> None:
    assert relative_change(75.0, 100.0) == -25.0
    assert math.isnan(relative_change(5.0, 0.0))
    assert math.isnan(relative_change(math.nan, 5.0))


@given(NUMBERS, NUMBERS)
def test_harmonic_mean_lies_between(a: float, b: float) -> None:
    assert min(a, b) * (1 - 1e-12) <= harmonic_mean(a, b) <= max(a, b) * (1 + 1e-12)
    assert harmonic_mean(a, b) == harmonic_mean(b, a)


def four_drives() -> list[Drive]:
    """Base 90.04 and 90.04, Generalization 80.06 and a failure with 10.0."""
    percents = {0: 90.04, 1: 90.04, 1000: 80.06, 1001: 10.0}
    hit = {"collisions_vehicle": ("hit",)}
    return [
        Drive(
            seed="1",
            number=number,
            route=route(str(number), completion_percent=percent, messages=hit if percent < 50 else {}),
        )
        for number, percent in percents.items()
    ]


def test_main_row_rounds_before_it_derives() -> None:
    ours = aggregate(four_drives(), ROUTES, ["1"])
    assert ours.main is not None
    printed = printed_row(ours.main)
    assert (printed.base_driving_score, printed.driving_score, printed.success) == (90.0, 45.0, 50.0)
    assert printed.driving_score_change == 100 * 45.0 / 90.0 - 100
    assert ours.main.driving_score_change == pytest.approx(100 * 45.03 / 90.04 - 100)
    assert printed.base_harmonic_mean == pytest.approx(2 / (1 / 90.0 + 1 / 100.0))
    assert ours.main.base.harmonic_mean == pytest.approx(2 / (1 / 90.04 + 1 / 100.0))


def test_both_divisors_of_a_class() -> None:
    ours = aggregate(four_drives(), ROUTES, ["1", "2"])
    (row,) = ours.scenarios
    assert (row.name, ours.classes[0].name) == ("Wall", "Behavior")
    assert (row.base.scores.expected, row.base.scores.found) == (4, 2)
    assert row.base.scores.driving_score == pytest.approx(90.04 / 2)
    assert row.base.driving_score == pytest.approx(90.04)
    assert ours.classes[0].base.scores.expected == 4 * len(CLASSES["Behavior"])
    assert set(ours.left_out) == (set(CLASSES) | set(SCENARIOS)) - {"Wall", "Behavior"}


def test_what_is_left_out_is_named() -> None:
    failed = Drive(seed="1", number=2, route=route("2", status="Failed - Agent couldn't be set up"))
    drives = [*four_drives(), failed, four_drives()[0], Drive(seed="1", number=555, route=route())]
    drives.append(Drive(seed="9", number=0, route=route()))
    ours = aggregate(drives, ROUTES, ["1"])
    assert ours.agent_not_set_up == (("1", 2),)
    assert ours.splits[Split.BASE].scores.found == 3


def test_one_split_alone_has_no_main_row() -> None:
    ours = aggregate(four_drives()[:2], ROUTES, ["1"])
    assert ours.main is None and ours.scenarios == () and ours.classes == ()
    assert ours.splits[Split.BASE].driving_score == pytest.approx(90.04)
    assert math.isnan(ours.splits[Split.GENERALIZATION].driving_score)
    assert ours.splits[Split.GENERALIZATION].scores.driving_score == 0.0


@pytest.mark.parametrize("routes", [[], ROUTES[:3]])
def test_benchmark_without_a_split_is_refused(routes: list[RouteName]) -> None:
    with pytest.raises(HarnessError, match="a set of 0 routes"):
        aggregate([], routes, ["1"])


def numbers_of(ours: Fail2DriveScores) -> list[float]:
    rows = [*ours.classes, *ours.scenarios, *([ours.main] if ours.main else [])]
    halves = [*ours.splits.values(), *ours.per_seed.values()]
    return [
        *(number for row in rows for number in (row.driving_score_change, row.success_change)),
        *(number for row in rows for number in (row.base.harmonic_mean, row.generalization.harmonic_mean)),
        *(number for half in halves for number in (half.scores.driving_score, half.scores.success_rate)),
        *(number for half in halves for number in (half.driving_score, half.success_percent)),
    ]


@few_examples
@given(shuffled_shards(30))
def test_order_and_shards_change_nothing(shards: tuple[list[ScoredRoute], list[ScoredRoute]]) -> None:
    one, other = (aggregate(drives_of(records), ROUTES, ["0", "1", "2"]) for records in shards)
    assert numbers_of(one) == pytest.approx(numbers_of(other), rel=1e-9, abs=1e-9, nan_ok=True)
    assert one.left_out == other.left_out
    assert sorted(one.agent_not_set_up) == sorted(other.agent_not_set_up)


@few_examples
@given(record_lists(30))
def test_scores_lie_within_their_bounds(records: list[ScoredRoute]) -> None:
    ours = aggregate(drives_of(records), ROUTES, ["0", "1", "2"])
    for half in [*ours.splits.values(), *ours.per_seed.values()]:
        for value in (half.driving_score, half.success_percent, half.harmonic_mean):
            assert math.isnan(value) or -1e-9 <= value <= 100.0 + 1e-9


@few_examples
@given(record_lists(30))
def test_a_missing_seed_or_route_never_raises_an_official_score(records: list[ScoredRoute]) -> None:
    before = aggregate(drives_of(records), ROUTES, ["0", "1", "2"])
    another = RouteName(split=Split.BASE, scenario="Wall", number=999)
    for after in (
        aggregate(drives_of(records), ROUTES, ["0", "1", "2", "3"]),
        aggregate(drives_of(records), [*ROUTES, another], ["0", "1", "2"]),
    ):
        for split in Split:
            assert after.splits[split].scores.driving_score <= before.splits[split].scores.driving_score
            assert after.splits[split].scores.success_rate <= before.splits[split].scores.success_rate
