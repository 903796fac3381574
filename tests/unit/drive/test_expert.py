"""The expert in drawn scenes: single decisions, and whole drives of the simulator's car without a server."""

from __future__ import annotations

import numpy as np
import pytest

from harness.drive.expert import Decision, curve_speeds
from harness.drive.regulations import OnRoute
from tests.unit.drive.criteria.drawn import ego_at, tick
from tests.unit.drive.drawn import (
    HALF_LENGTH_M,
    Body,
    Moment,
    drive,
    expert_on,
    gap_m,
    others_of,
    route_through,
    straight_way,
)

RED, YELLOW, GREEN = 0, 1, 2
LINE_M = 60.0
LIGHT, SIGN = OnRoute(600, 7), OnRoute(600, 9)


def decide(
    *bodies: Body,
    speed_mps: float = 8.0,
    x_m: float = 0.0,
    lights: tuple[OnRoute, ...] = (),
    state: int = GREEN,
    speed_limit_kmh: float = 36.0,
) -> Decision:
    """Return the first decision at (x_m, 0); the route begins there."""
    way = straight_way(200.0)
    here = route_through(way.xyz + np.array([x_m, 0.0, 0.0]))
    shifted = tuple(OnRoute(light.index - round(x_m * 10), light.actor_id) for light in lights)
    others = others_of(dict(enumerate(bodies, start=100)))
    ego = ego_at(x_m, speed_mps=speed_mps, speed_limit_kmh=speed_limit_kmh)
    return expert_on(here, lights=shifted).step(tick(ego, others=others, lights={7: state}))


def stop_of(moments: list[Moment]) -> Moment:
    """Return the first moment at which the car stands after it has driven."""
    driven = next(number for number, moment in enumerate(moments) if moment.speed_mps > 1.0)
    return next(moment for moment in moments[driven:] if moment.speed_mps < 0.02)


# --- free road -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed_limit_kmh", "target_mps"), [(36.0, 10.0), (50.0, 13.889), (10.0, 6.75), (120.0, 20.0)])
def test_cruise_is_the_limit_within_bounds(speed_limit_kmh: float, target_mps: float) -> None:
    decision = decide(speed_limit_kmh=speed_limit_kmh)
    assert decision.target_speed_mps == pytest.approx(target_mps, abs=1e-3)
    assert (decision.cause, decision.is_hazard, decision.brake) == ("cruise", False, False)


def test_a_free_road_is_driven_at_the_limit_and_in_the_middle() -> None:
    moments = drive(expert_on(straight_way(200.0)), 15.0)
    assert all(moment.speed_mps == pytest.approx(10.0, rel=0.035) for moment in moments[80:])
    assert max(moment.speed_mps for moment in moments) < 10.4
    assert all(abs(moment.y_m) < 0.02 for moment in moments)


def test_a_curve_allows_what_four_metres_per_second_squared_allow() -> None:
    speeds = curve_speeds(np.full(50, -1.0 / 25.0))
    assert speeds == pytest.approx(10.0)


def test_the_speed_before_a_curve_can_be_lost_at_three_metres_per_second_squared() -> None:
    curvature = np.zeros(400)
    curvature[300:] = 1.0 / 16.0
    speeds = curve_speeds(curvature)
    assert speeds[300:] == pytest.approx(8.0)
    for index in (0, 150, 299):
        assert speeds[index] == pytest.approx(np.sqrt(64.0 + 2.0 * 3.0 * (300 - index) * 0.1))


def test_a_bend_is_taken_slowly_and_the_road_behind_it_at_the_limit() -> None:
    angle = np.arange(0.0, np.pi / 2.0, 0.1 / 16.0)
    ahead = np.arange(0.0, 60.0, 0.1)
    bend = np.stack((60.0 + 16.0 * np.sin(angle), 16.0 * (1.0 - np.cos(angle))), axis=1)
    parts = (
        np.stack((ahead, np.zeros_like(ahead)), axis=1),
        bend,
        np.stack((np.full_like(ahead, bend[-1, 0]), bend[-1, 1] + 0.1 + ahead), axis=1),
    )
    flat = np.concatenate(parts)
    moments = drive(
        expert_on(route_through(np.column_stack((flat, np.zeros(len(flat)))))), 15.0, speed_mps=13.0, speed_limit_kmh=50
    )
    inside = [moment for moment in moments if 63.0 < moment.x_m and moment.y_m < 13.0]
    assert inside
    assert all(6.5 < moment.speed_mps < 8.6 for moment in inside)
    assert max(np.hypot(flat[:, 0] - m.x_m, flat[:, 1] - m.y_m).min() for m in moments if m.y_m < 60.0) < 0.7
    assert max(moment.speed_mps for moment in moments if 30.0 < moment.y_m < 70.0) > 12.0


# --- other road users ------------------------------------------------------------------------------------------------


def test_a_slower_leader_slows_and_is_no_hazard() -> None:
    decision = decide(Body(x_m=18.0, speed_mps=5.0), speed_mps=10.0)
    assert decision.cause == "leading_vehicle"
    assert decision.target_speed_mps < 9.0
    assert decision.brake and not decision.is_hazard


@pytest.mark.parametrize(
    "body",
    [
        Body(x_m=18.0, y_m=3.5, speed_mps=5.0),  # next lane
        Body(x_m=90.0, speed_mps=5.0),  # out of sight
        Body(x_m=30.0, z_m=6.0, speed_mps=5.0),  # on the bridge
        Body(x_m=-12.0, speed_mps=12.0),  # behind, faster
        Body(x_m=-6.0, y_m=0.5, speed_mps=14.0),
    ],
)
def test_who_is_not_in_front_changes_nothing(body: Body) -> None:
    alone, accompanied = decide(speed_mps=10.0), decide(body, speed_mps=10.0)
    assert accompanied == alone


def test_a_leader_is_followed_at_its_speed_and_at_a_distance() -> None:
    def leader(time_s: float) -> dict[int, Body]:
        return {100: Body(x_m=30.0 + 5.0 * time_s, speed_mps=5.0)}

    moments = drive(expert_on(straight_way(200.0)), 20.0, speed_mps=10.0, bodies=leader)
    assert moments[-1].speed_mps == pytest.approx(5.0, abs=0.3)
    gaps = [gap_m(moment, leader(moment.time_s)[100]) for moment in moments]
    assert min(gaps) > 2.0
    assert 2.5 < gaps[-1] < 9.0


def test_a_leader_that_brakes_hard_is_not_hit() -> None:
    def leader(time_s: float) -> dict[int, Body]:
        braking_s = min(max(time_s - 2.0, 0.0), 12.0 / 8.0)
        speed_mps = 12.0 - 8.0 * braking_s
        return {
            100: Body(x_m=20.0 + 12.0 * min(time_s, 2.0) + 12.0 * braking_s - 4.0 * braking_s**2, speed_mps=speed_mps)
        }

    moments = drive(expert_on(straight_way(200.0)), 8.0, speed_mps=12.0, speed_limit_kmh=43.2, bodies=leader)
    assert stop_of(moments)
    assert min(gap_m(moment, leader(moment.time_s)[100]) for moment in moments) > 1.0


@pytest.mark.parametrize(
    ("body", "is_hazard"),
    [
        (Body(x_m=14.0, y_m=-14.0, yaw_deg=90.0, speed_mps=8.0), True),  # meets the ego
        (Body(x_m=14.0, y_m=14.0, yaw_deg=-90.0, speed_mps=8.0), True),
        (Body(x_m=14.0, y_m=14.0, yaw_deg=90.0, speed_mps=8.0), False),  # has crossed
        (Body(x_m=14.0, y_m=-40.0, yaw_deg=90.0, speed_mps=8.0), False),  # comes long after
        (Body(x_m=14.0, y_m=-14.0, z_m=6.0, yaw_deg=90.0, speed_mps=8.0), False),  # below or above
        (Body(x_m=25.0, y_m=-3.5, yaw_deg=180.0, speed_mps=8.0), False),  # oncoming in its own lane
        (Body(x_m=25.0, y_m=0.0, yaw_deg=180.0, speed_mps=8.0), True),  # oncoming in ours
    ],
)
def test_whoever_the_next_two_seconds_run_into_is_a_hazard(body: Body, is_hazard: bool) -> None:
    decision = decide(body)
    assert decision.is_hazard is is_hazard
    assert decision.brake is is_hazard
    assert (decision.throttle == 0.0) is is_hazard


@pytest.mark.parametrize(
    ("x_m", "y_m", "yaw_deg", "speed_mps", "is_hazard"),
    [
        (12.0, 4.0, -90.0, 1.5, True),  # into the way
        (12.0, -4.0, 90.0, 1.5, True),
        (12.0, 4.0, 90.0, 1.5, False),  # away from it
        (12.0, 0.0, 0.0, 0.0, True),  # stands on the road
        (12.0, 4.5, -90.0, 0.0, False),  # stands beside it: walks 1 m at most
        (12.0, 8.0, -90.0, 1.5, False),  # still far away
    ],
)
def test_a_pedestrian_is_a_hazard_if_it_walks_into_the_way(
    x_m: float, y_m: float, yaw_deg: float, speed_mps: float, is_hazard: bool
) -> None:
    walker = Body(
        x_m=x_m, y_m=y_m, yaw_deg=yaw_deg, speed_mps=speed_mps, half_length_m=0.2, half_width_m=0.2, kind="walker"
    )
    assert decide(walker).is_hazard is is_hazard


def test_a_pedestrian_who_crosses_is_not_hit_and_the_drive_goes_on() -> None:
    def walker(time_s: float) -> dict[int, Body]:
        y_m = 6.0 - 1.4 * time_s
        return {
            5: Body(x_m=40.0, y_m=y_m, yaw_deg=-90.0, speed_mps=1.4, half_length_m=0.2, half_width_m=0.2, kind="walker")
        }

    moments = drive(expert_on(straight_way(200.0)), 12.0, speed_mps=10.0, bodies=walker)
    assert any(moment.decision.is_hazard for moment in moments)
    assert min(gap_m(moment, walker(moment.time_s)[5]) for moment in moments) > 0.5
    assert moments[-1].x_m > 60.0


# --- lights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "x_m", "speed_mps", "cause"),
    [
        (GREEN, 40.0, 10.0, "cruise"),
        (RED, 40.0, 10.0, "light"),
        (YELLOW, 40.0, 10.0, "light"),
        (YELLOW, 50.0, 10.0, "cruise"),  # 11.1 m would be needed
        (RED, 50.0, 10.0, "light"),
        (RED, 61.0, 10.0, "cruise"),  # past the line
        (3, 40.0, 10.0, "light"),  # off
    ],
)
def test_a_light_counts_until_its_line(state: int, x_m: float, speed_mps: float, cause: str) -> None:
    decision = decide(x_m=x_m, speed_mps=speed_mps, lights=(LIGHT,), state=state)
    assert decision.cause == cause
    assert (decision.target_speed_mps < 10.0) is (cause == "light")


def test_a_light_far_ahead_does_not_count() -> None:
    far = OnRoute(1000, 7)
    assert decide(lights=(far,), state=RED).cause == "cruise"


@pytest.mark.parametrize("speed_limit_kmh", [30.0, 50.0, 70.0])
def test_the_car_stops_before_a_red_light_and_goes_on_when_it_turns_green(speed_limit_kmh: float) -> None:
    moments = drive(
        expert_on(straight_way(300.0), lights=(OnRoute(1200, 7),)),
        24.0,
        speed_limit_kmh=speed_limit_kmh,
        lights=lambda time_s: {7: RED if time_s < 18.0 else GREEN},
    )
    stop = stop_of(moments)
    assert 120.0 - 4.5 < stop.x_m < 120.0 - HALF_LENGTH_M
    assert all(moment.x_m + HALF_LENGTH_M < 120.0 for moment in moments if moment.time_s < 18.0)
    assert moments[-1].x_m > 130.0


@pytest.mark.parametrize("distance_m", [6.0, 10.0, 14.0, 18.0, 22.0, 26.0, 30.0, 40.0])
@pytest.mark.parametrize("speed_mps", [8.333, 13.889])
def test_at_a_light_that_turns_yellow_the_car_stops_or_is_past_before_red(speed_mps: float, distance_m: float) -> None:
    moments = (
        drive(
            expert_on(straight_way(300.0), lights=(LIGHT,)),
            8.0,
            speed_mps=speed_mps,
            x_m=LINE_M - distance_m,
            speed_limit_kmh=speed_mps * 3.6,
            lights=lambda time_s: {7: YELLOW if time_s < 3.0 else RED},
        )
        if distance_m < 4.0
        else _yellow_drive(speed_mps, distance_m)
    )
    front_at_red_m = next(moment.x_m + HALF_LENGTH_M for moment in moments if moment.time_s >= 3.0)
    if front_at_red_m < LINE_M:
        assert all(moment.x_m + HALF_LENGTH_M < LINE_M for moment in moments)
    else:
        assert front_at_red_m > LINE_M + 2.0 * HALF_LENGTH_M
