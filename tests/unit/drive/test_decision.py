"""A decision names who is its cause, with the distance that the expert reckons with."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.drive.decision import NOBODY, Decision, Reason
from harness.drive.idm import Cause
from harness.drive.regulations import OnRoute
from tests.unit.drive.criteria.drawn import ego_at, tick
from tests.unit.drive.drawn import Body, expert_on, others_of, straight_way


def decide(bodies: dict[int, Body], *, speed_mps: float = 8.0, lights: dict[int, int] | None = None) -> Decision:
    """Return what the expert decides at (20, 0) on a straight road with a light at 60 m and a stop sign at 90 m."""
    expert = expert_on(straight_way(), lights=(OnRoute(600, 7),), stop_signs=(OnRoute(900, 9),))
    expert.index = 200
    return expert.step(tick(ego_at(20.0, speed_mps=speed_mps), others=others_of(bodies), lights=lights or {7: 2}))


def test_nobody_is_the_cause_of_cruising() -> None:
    expert = expert_on(straight_way())
    decision = expert.step(tick(ego_at(0.0, speed_mps=8.0)))
    assert decision.reason == Reason(10.0, "cruise", NOBODY, math.inf)
    assert (decision.cruise_mps, decision.cause, decision.hit_id, decision.is_hazard) == (10.0, "cruise", NOBODY, False)


def test_the_light_ahead_is_named() -> None:
    decision = decide({}, lights={7: 0})
    assert (decision.cause, decision.reason.actor_id) == (Cause.LIGHT, 7)
    assert decision.reason.distance_m == pytest.approx(40.0)
    assert decision.target_speed_mps < decision.cruise_mps


def test_the_stop_sign_ahead_is_named() -> None:
    expert = expert_on(straight_way(), stop_signs=(OnRoute(600, 9),))
    expert.index = 500
    decision = expert.step(tick(ego_at(50.0, speed_mps=8.0)))
    assert (decision.cause, decision.reason.actor_id) == (Cause.STOP_SIGN, 9)
    assert decision.reason.distance_m == pytest.approx(10.0)


def test_of_several_ahead_the_slowest_cause_is_named() -> None:
    far, near = Body(x_m=45.0, speed_mps=8.0), Body(x_m=32.0, speed_mps=7.0)
    decision = decide({3: far, 4: near})
    assert (decision.cause, decision.reason.actor_id) == (Cause.LEADING_VEHICLE, 4)
    assert decision.reason.distance_m == pytest.approx(12.0)


def test_who_is_hit_first_is_named() -> None:
    crossing = Body(x_m=32.0, y_m=-6.0, yaw_deg=90.0, speed_mps=5.0)
    later = replace(crossing, x_m=36.0, y_m=-8.0)
    decision = decide({3: later, 4: crossing})
    assert (decision.hit_id, decision.is_hazard, decision.brake) == (4, True, True)


def test_the_pedestrian_in_the_way_is_named() -> None:
    decision = decide({5: Body(x_m=30.0, y_m=1.5, yaw_deg=-90.0, speed_mps=1.0, kind="walker")})
    assert (decision.cause, decision.reason.actor_id) == (Cause.PEDESTRIAN, 5)
    assert decision.reason.distance_m == pytest.approx(math.hypot(10.0, 1.5))


def test_places_that_come_next_are_told_until_they_are_done_with() -> None:
    expert = expert_on(straight_way(), lights=(OnRoute(600, 7),), stop_signs=(OnRoute(100, 9),))
    assert (expert.next_light, expert.next_stop_sign) == (OnRoute(600, 7), OnRoute(100, 9))
    expert.index = 90
    for number in range(30):
        expert.step(tick(ego_at(9.0, speed_mps=0.0), frame=number, time_s=0.05 * number))
    assert expert.next_stop_sign is None
    expert.index = 650
    expert.step(tick(ego_at(65.0, speed_mps=5.0)))
    assert expert.next_light is None


def test_the_route_without_shifts_is_kept() -> None:
    expert = expert_on(straight_way())
    before = expert.route
    expert.route = expert.route.shift(100, 400, "left", 3.5, 8.0)
    assert expert.original_route is before
