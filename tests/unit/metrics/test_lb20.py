"""Leaderboard 2.0 rules: penalty, status, sentences and record."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.datatypes.route import Point
from harness.metrics import lb20, rules

K = InfractionKind
PLACE = Point(1.23456, -0.5, 10.0)


def one(kind: InfractionKind, percentage: float = 0.0) -> Infraction:
    return Infraction(kind=kind, percentage=percentage)


def outcome(completion: float, *infractions: Infraction, failure: Failure = Failure.NONE) -> RouteOutcome:
    return RouteOutcome(
        route_id="RouteScenario_7_rep0",
        route_length_m=123.45678,
        completion_percent=completion,
        infractions=infractions,
        failure=failure,
        duration_sim_s=20.05,
        duration_wall_s=3.00049,
    )


@pytest.mark.parametrize(
    ("infractions", "expected"),
    [
        ([], 1.0),
        ([one(K.COLLISION_PEDESTRIAN)], 0.5),
        ([one(K.COLLISION_VEHICLE)], 0.6),
        ([one(K.COLLISION_LAYOUT)], 0.65),
        ([one(K.RED_LIGHT)], 0.7),
        ([one(K.STOP)], 0.8),
        ([one(K.SCENARIO_TIMEOUT)], 0.7),
        ([one(K.YIELD_EMERGENCY)], 0.7),
        ([one(K.ROUTE_DEVIATION), one(K.BLOCKED), one(K.ROUTE_TIMEOUT)], 1.0),
        ([one(K.RED_LIGHT), one(K.RED_LIGHT), one(K.STOP)], 0.392),
        ([one(K.MIN_SPEED, 0.0)], 0.7),
        ([one(K.MIN_SPEED, 50.0)], 0.85),
        ([one(K.MIN_SPEED, 100.0)], 1.0),
        ([one(K.MIN_SPEED, 0.0)] * 4, 0.2401),
        ([one(K.OUTSIDE_LANES, 0.0)], 1.0),
        ([one(K.OUTSIDE_LANES, 12.5)], 0.875),
        ([one(K.OUTSIDE_LANES, 100.0), one(K.STOP)], 0.0),
        ([one(K.COLLISION_PEDESTRIAN)] * 20, 0.5**20),
    ],
)
def test_penalty_is_the_product_of_the_factors(infractions: list[Infraction], expected: float) -> None:
    assert rules.leaderboard_20(infractions) == pytest.approx(expected, rel=1e-12)


any_infraction = st.builds(one, st.sampled_from(list(K)), st.floats(0.0, 100.0))


@given(st.lists(any_infraction, max_size=12), any_infraction)
def test_penalty_lies_in_0_to_1_and_never_rises(infractions: list[Infraction], another: Infraction) -> None:
    before, after = rules.leaderboard_20(infractions), rules.leaderboard_20([*infractions, another])
    assert 0.0 <= after <= before <= 1.0
    assert rules.leaderboard_20(infractions[::-1]) == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (outcome(100.0), "Perfect"),
        (outcome(100.0, one(K.MIN_SPEED, 99.0)), "Completed"),
        (outcome(100.0, failure=Failure.AGENT_CRASHED), "Perfect"),
        (outcome(100.0, one(K.BLOCKED)), "Completed"),
        (outcome(99.99), "Failed"),
        (outcome(50.0, one(K.STOP)), "Failed"),
        (outcome(0.0, failure=Failure.AGENT_SETUP), "Failed - Agent couldn't be set up"),
        (outcome(50.0, failure=Failure.AGENT_CRASHED), "Failed - Agent crashed"),
        (outcome(0.0, failure=Failure.AGENT_SENSORS), "Failed - Agent's sensors were invalid"),
        (outcome(50.0, failure=Failure.SIMULATION_CRASHED), "Failed - Simulation crashed"),
        (outcome(50.0, failure=Failure.TICK_RUNTIME), "Failed - TickRuntime"),
        (outcome(50.0, one(K.ROUTE_TIMEOUT)), "Failed - Agent timed out"),
        (outcome(50.0, one(K.ROUTE_TIMEOUT), failure=Failure.AGENT_CRASHED), "Failed - Agent timed out"),
        (outcome(50.0, one(K.BLOCKED), failure=Failure.AGENT_CRASHED), "Failed - Agent got blocked"),
        (outcome(50.0, one(K.BLOCKED), one(K.ROUTE_TIMEOUT)), "Failed - Agent got blocked"),
        (outcome(50.0, one(K.BLOCKED), one(K.ROUTE_DEVIATION)), "Failed - Agent deviated from the route"),
        (outcome(50.0, one(K.ROUTE_DEVIATION), one(K.BLOCKED)), "Failed - Agent got blocked"),
    ],
)
def test_status_names_what_had_the_last_word(result: RouteOutcome, expected: str) -> None:
    assert lb20.route_status(result) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (K.COLLISION_LAYOUT, "Agent collided against object with type=a.b and id=-1 at (x=1.235, y=-0.5, z=10.0)"),
        (K.COLLISION_PEDESTRIAN, "Agent collided against object with type=a.b and id=-1 at (x=1.235, y=-0.5, z=10.0)"),
        (K.COLLISION_VEHICLE, "Agent collided against object with type=a.b and id=-1 at (x=1.235, y=-0.5, z=10.0)"),
        (K.RED_LIGHT, "Agent ran a red light -1 at (x=1.235, y=-0.5, z=10.0)"),
        (K.STOP, "Agent ran a stop with id=-1 at (x=1.235, y=-0.5, z=10.0)"),
        (K.OUTSIDE_LANES, "Agent went outside its route lanes for about 2.0 meters (33.33% of the completed route)"),
        (K.MIN_SPEED, "Average speed is 33.33% of the surrounding traffic's one"),
        (K.YIELD_EMERGENCY, "Agent failed to yield to an emergency vehicle"),
        (K.SCENARIO_TIMEOUT, "Agent timed out a scenario"),
        (K.ROUTE_DEVIATION, "Agent deviated from the route at (x=1.235, y=-0.5, z=10.0)"),
        (K.BLOCKED, "Agent got blocked at (x=1.235, y=-0.5, z=10.0)"),
        (K.ROUTE_TIMEOUT, "Route timeout."),
    ],
)
def test_sentence_of_every_kind(kind: InfractionKind, expected: str) -> None:
    fact = Infraction(kind=kind, location_world=PLACE, other_type="a.b", percentage=100.0 / 3.0, distance_m=1.9996)
    assert lb20.message(fact) == expected


def test_sentences_are_grouped_in_the_order_of_the_file() -> None:
    facts = (one(K.BLOCKED), one(K.MIN_SPEED, 1.0), one(K.RED_LIGHT), one(K.MIN_SPEED, 2.5))
    grouped = lb20.messages(outcome(50.0, *facts))
    assert list(grouped) == [
        "collisions_layout",
        "collisions_pedestrian",
        "collisions_vehicle",
        "red_light",
        "stop_infraction",
        "outside_route_lanes",
        "min_speed_infractions",
        "yield_emergency_vehicle_infractions",
        "scenario_timeouts",
        "route_dev",
        "vehicle_blocked",
        "route_timeout",
    ]
    assert grouped["min_speed_infractions"] == [
        "Average speed is 1.0% of the surrounding traffic's one",
        "Average speed is 2.5% of the surrounding traffic's one",
    ]
    assert [len(texts) for texts in grouped.values()] == [0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0]


def test_record_has_the_keys_and_the_rounding_of_the_file() -> None:
    facts = (one(K.MIN_SPEED, 100.0 / 3.0), one(K.ROUTE_TIMEOUT))
    record = lb20.route_record(outcome(66.67, *facts), 4)
    assert list(record) == ["index", "route_id", "status", "num_infractions", "infractions", "scores", "meta"]
    assert (record["index"], record["route_id"]) == (4, "RouteScenario_7_rep0")
    assert (record["status"], record["num_infractions"]) == ("Failed - Agent timed out", 2)
    assert list(record["scores"].items()) == [
        ("score_route", 66.67),
        ("score_penalty", 0.8),
        ("score_composed", 53.336),
    ]
    assert list(record["meta"].items()) == [
        ("route_length", 123.457),
        ("duration_game", 20.05),
        ("duration_system", 3.0),
    ]


def test_composed_score_comes_from_the_unrounded_penalty() -> None:
    fact = one(K.OUTSIDE_LANES, 100.0 * (1.0 - 0.12345649))
    scores = lb20.route_record(outcome(100.0, fact), 0)["scores"]
    assert (scores["score_penalty"], scores["score_composed"]) == (0.123456, 12.345649)


@pytest.mark.parametrize("completion", [100, 100.0])
def test_finished_route_is_written_as_the_integer_100(completion: float) -> None:
    score = lb20.route_record(outcome(completion), 0)["scores"]["score_route"]
    assert (score, type(score)) == (100, int)


@given(st.lists(any_infraction, max_size=8), st.floats(0.0, 100.0))
def test_record_agrees_with_itself(infractions: list[Infraction], completion: float) -> None:
    record = lb20.route_record(outcome(completion, *infractions), 0)
    scores = record["scores"]
    assert record["num_infractions"] == sum(len(texts) for texts in record["infractions"].values())
    assert math.isclose(scores["score_composed"], scores["score_route"] * scores["score_penalty"], abs_tol=1e-3)
    assert (record["status"] == "Perfect") == (completion >= 100.0 and not infractions)


@pytest.mark.parametrize("failure", list(Failure))
def test_crash_is_what_broke_outside_the_driving(failure: Failure) -> None:
    result = dataclasses.replace(outcome(50.0), failure=failure)
    assert lb20.is_crash(lb20.route_status(result)) == (failure not in (Failure.NONE, Failure.TICK_RUNTIME))


@pytest.mark.parametrize("status", ["Perfect", "Completed", "Failed", "Failed - Agent got blocked", "Failed - "])
def test_driving_result_is_no_crash(status: str) -> None:
    assert not lb20.is_crash(status)
