"""The expert in drawn scenes: single decisions, and whole drives of the simulator's car without a server."""

from __future__ import annotations

import numpy as np
import pytest

from harness.drive.expert import Decision, curve_speeds
from harness.drive.idm import Cause
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

RED, YELLOW, GREEN, OFF = 0, 1, 2, 3
LINE_M = 120.0
LIGHT, SIGN = OnRoute(1200, 7), OnRoute(1200, 9)


def decide(
    *bodies: Body,
    speed_mps: float = 8.0,
    lights: tuple[OnRoute, ...] = (),
    state: int = GREEN,
    speed_limit_kmh: float = 36.0,
) -> Decision:
    """Return the first decision at the origin."""
    others = others_of(dict(enumerate(bodies, start=100)))
    ego = ego_at(0.0, speed_mps=speed_mps, speed_limit_kmh=speed_limit_kmh)
    return expert_on(straight_way(), lights=lights).step(tick(ego, others=others, lights={7: state}))


def stop_of(moments: list[Moment]) -> Moment:
    """Return the first moment at which the car stands after it has driven."""
    driven = next(number for number, moment in enumerate(moments) if moment.speed_mps > 1.0)
    return next(moment for moment in moments[driven:] if moment.speed_mps < 0.02)


# --- free road -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed_limit_kmh", "target_mps"), [(36.0, 10.0), (50.0, 13.889), (10.0, 6.75), (120.0, 20.0)])
def test_cruise_is_the_limit_within_bounds(speed_limit_kmh: float, target_mps: float) -> None:
    decision = decide(speed_limit_kmh=speed_limit_kmh)
    assert decision.target_speed_mps == pytest.approx(target_mps, abs=1e-3)
    assert (decision.cause, decision.is_hazard) == ("cruise", False)


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
    inside = [moment for moment in moments if moment.x_m > 63.0 and moment.y_m < 13.0]
    assert inside
    assert all(6.5 < moment.speed_mps < 8.6 for moment in inside)
    assert max(np.hypot(flat[:, 0] - m.x_m, flat[:, 1] - m.y_m).min() for m in moments if m.y_m < 60.0) < 0.7
    assert max(moment.speed_mps for moment in moments if 30.0 < moment.y_m < 70.0) > 12.0


# --- other road users ------------------------------------------------------------------------------------------------


def test_a_slower_leader_slows_and_is_no_hazard() -> None:
    decision = decide(Body(x_m=14.0, speed_mps=5.0), speed_mps=10.0)
    assert decision.cause == "leading_vehicle"
    assert decision.target_speed_mps < 10.0 / 1.032
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
    # Its brake is all or nothing, so the speed swings around the leader's.
    assert np.mean([moment.speed_mps for moment in moments[-100:]]) == pytest.approx(5.0, abs=0.1)
    gaps = [gap_m(moment, leader(moment.time_s)[100]) for moment in moments]
    assert min(gaps) > 2.0
    assert 2.5 < gaps[-1] < 9.0


def test_a_leader_that_brakes_hard_is_not_hit_and_is_passed_when_it_stays_there() -> None:
    def leader(time_s: float) -> dict[int, Body]:
        braking_s = min(max(time_s - 2.0, 0.0), 12.0 / 8.0)
        x_m = 20.0 + 12.0 * min(time_s, 2.0) + 12.0 * braking_s - 4.0 * braking_s**2
        return {100: Body(x_m=x_m, speed_mps=12.0 - 8.0 * braking_s)}

    moments = drive(expert_on(straight_way()), 20.0, speed_mps=12.0, speed_limit_kmh=43.2, bodies=leader)
    stop = stop_of(moments)
    assert stop.decision.cause == "leading_vehicle"
    assert 2.5 < gap_m(stop, leader(stop.time_s)[100]) < 5.0
    assert min(gap_m(moment, leader(moment.time_s)[100]) for moment in moments) > 0.25
    assert moments[-1].x_m > 110.0


def test_a_queue_before_a_red_light_is_joined_and_not_overtaken() -> None:
    queue = {100 + k: Body(x_m=LINE_M - 4.0 - 8.0 * k) for k in range(5)}
    moments = drive(
        expert_on(straight_way(), lights=(LIGHT,)), 30.0, bodies=lambda time_s: queue, lights=lambda time_s: {7: RED}
    )
    assert all(abs(moment.y_m) < 0.05 for moment in moments)
    assert moments[-1].speed_mps == 0.0
    assert 2.5 < gap_m(moments[-1], queue[104]) < 6.0


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
    ("x_m", "y_m", "yaw_deg", "speed_mps", "brakes"),
    [
        (12.0, 4.0, -90.0, 1.5, True),  # into the way
        (12.0, -4.0, 90.0, 1.5, True),
        (12.0, 4.0, 90.0, 1.5, False),  # away from it
        (12.0, 0.0, 0.0, 0.0, True),  # stands on the road
        (12.0, 4.5, -90.0, 0.0, False),  # stands beside it: walks 1 m at most
        (12.0, 8.0, -90.0, 1.5, False),  # still far away
    ],
)
def test_one_brakes_for_a_pedestrian_who_walks_into_the_way(
    x_m: float, y_m: float, yaw_deg: float, speed_mps: float, brakes: bool
) -> None:
    walker = Body(
        x_m=x_m, y_m=y_m, yaw_deg=yaw_deg, speed_mps=speed_mps, half_length_m=0.2, half_width_m=0.2, kind="walker"
    )
    decision = decide(walker)
    assert (decision.cause == Cause.PEDESTRIAN) is brakes
    assert decision.brake is brakes


def test_a_pedestrian_who_crosses_is_not_hit_and_the_drive_goes_on() -> None:
    def walker(time_s: float) -> dict[int, Body]:
        y_m = 6.0 - 1.4 * time_s
        return {
            5: Body(x_m=40.0, y_m=y_m, yaw_deg=-90.0, speed_mps=1.4, half_length_m=0.2, half_width_m=0.2, kind="walker")
        }

    moments = drive(expert_on(straight_way(200.0)), 12.0, speed_mps=10.0, bodies=walker)
    assert any(moment.decision.cause == Cause.PEDESTRIAN for moment in moments)
    assert min(gap_m(moment, walker(moment.time_s)[5]) for moment in moments) > 0.5
    assert moments[-1].x_m > 60.0


# --- lights and stop signs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "distance_m", "cause"),
    [
        (GREEN, 20.0, "cruise"),
        (RED, 20.0, "light"),
        (YELLOW, 20.0, "light"),
        (YELLOW, 11.0, "cruise"),  # 11.1 m would be needed
        (RED, 11.0, "light"),
        (OFF, 20.0, "light"),
        (RED, 79.0, "light"),
        (RED, 81.0, "cruise"),  # too far away
    ],
)
def test_a_light_slows_down_unless_it_is_green_or_yellow_too_near(state: int, distance_m: float, cause: str) -> None:
    decision = decide(speed_mps=10.0, lights=(OnRoute(round(distance_m * 10), 7),), state=state)
    assert decision.cause == cause
    assert decision.brake is (cause == "light" and distance_m < 25.0)


@pytest.mark.parametrize("speed_limit_kmh", [30.0, 50.0, 70.0])
def test_the_car_stops_before_a_red_light_and_goes_on_when_it_turns_green(speed_limit_kmh: float) -> None:
    moments = drive(
        expert_on(straight_way(), lights=(LIGHT,)),
        28.0,
        speed_limit_kmh=speed_limit_kmh,
        lights=lambda time_s: {7: RED if time_s < 22.0 else GREEN},
    )
    stop = stop_of(moments)
    assert stop.decision.cause == "light"
    assert LINE_M - 4.5 < stop.x_m < LINE_M - HALF_LENGTH_M
    assert all(moment.x_m + HALF_LENGTH_M < LINE_M for moment in moments if moment.time_s < 22.0)
    assert moments[-1].x_m > LINE_M + 10.0


def test_a_light_that_turns_red_right_behind_its_line_counts_no_more() -> None:
    moments = drive(
        expert_on(straight_way(), lights=(LIGHT,)),
        18.0,
        speed_mps=10.0,
        lights=lambda time_s: {7: GREEN if time_s < 12.2 else RED},
    )
    at_red = next(moment for moment in moments if moment.time_s >= 12.2)
    assert LINE_M < at_red.x_m < LINE_M + 5.0
    assert min(moment.speed_mps for moment in moments) > 9.5
    assert {moment.decision.cause for moment in moments} == {"cruise"}


@pytest.mark.parametrize("distance_m", [6.0, 10.0, 14.0, 18.0, 22.0, 26.0, 30.0, 40.0])
@pytest.mark.parametrize("speed_mps", [8.333, 13.889])
def test_at_a_light_that_turns_yellow_the_car_stops_or_is_past_before_red(speed_mps: float, distance_m: float) -> None:
    moments = drive(
        expert_on(straight_way(), lights=(OnRoute(round(distance_m * 10), 7),)),
        8.0,
        speed_mps=speed_mps,
        speed_limit_kmh=speed_mps * 3.6,
        lights=lambda time_s: {7: YELLOW if time_s < 3.0 else RED},
    )
    front_at_red_m = next(moment.x_m + HALF_LENGTH_M for moment in moments if moment.time_s >= 3.0)
    if front_at_red_m < distance_m:
        assert all(moment.x_m + HALF_LENGTH_M < distance_m for moment in moments)
        assert distance_m > speed_mps**2 / 9.0
    else:
        assert front_at_red_m > distance_m + 2.0 * HALF_LENGTH_M


@pytest.mark.parametrize("speed_limit_kmh", [30.0, 60.0])
def test_the_car_stands_25_ticks_at_a_stop_sign_and_goes(speed_limit_kmh: float) -> None:
    moments = drive(expert_on(straight_way(), stop_signs=(SIGN,)), 26.0, speed_limit_kmh=speed_limit_kmh)
    stop = stop_of(moments)
    assert stop.decision.cause == "stop_sign"
    assert LINE_M - 3.0 < stop.x_m < LINE_M - 1.0
    standing = [moment for moment in moments if moment.x_m > LINE_M - 3.0 and moment.speed_mps < 0.1]
    assert 26 <= len(standing) <= 30
    # Once it has stood it may drive on although the sign is still ahead, and does not stop again behind it.
    after = [moment for moment in moments if moment.time_s > standing[-1].time_s]
    assert {moment.decision.cause for moment in after} == {"cruise"}
    assert after[-1].x_m > LINE_M + 15.0


def test_standing_elsewhere_does_not_count_as_the_stop() -> None:
    moments = drive(
        expert_on(straight_way(), lights=(OnRoute(1000, 7),), stop_signs=(SIGN,)),
        34.0,
        lights=lambda time_s: {7: RED if time_s < 20.0 else GREEN},
    )
    stood_m = [round(moment.x_m) for moment in moments if moment.speed_mps < 0.1 and moment.x_m > 1.0]
    assert len([x_m for x_m in stood_m if x_m < 100]) > 60
    assert 26 <= len([x_m for x_m in stood_m if x_m > 110]) <= 30


def test_each_of_two_stop_signs_is_obeyed() -> None:
    signs = (OnRoute(400, 8), SIGN)
    moments = drive(expert_on(straight_way(), stop_signs=signs), 30.0)
    for line_m in (40.0, LINE_M):
        standing = [m for m in moments if line_m - 3.0 < m.x_m < line_m and m.speed_mps < 0.1]
        assert 26 <= len(standing) <= 30


# --- obstacles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "obstacle",
    [
        Body(x_m=80.0, y_m=1.3),  # parked half in the lane
        Body(x_m=80.0, y_m=0.0, half_length_m=0.6, half_width_m=0.18, kind="prop"),
        Body(x_m=80.0, y_m=-1.6),  # to the right there is room
        Body(x_m=80.0, y_m=1.0, half_length_m=5.0, half_width_m=1.3),  # a truck
        Body(x_m=80.0, y_m=0.5, yaw_deg=40.0),
    ],
)
def test_an_obstacle_is_passed_without_touching_it(obstacle: Body) -> None:
    moments = drive(expert_on(straight_way()), 40.0, bodies=lambda time_s: {100: obstacle})
    assert min(gap_m(moment, obstacle) for moment in moments) > 0.25
    assert moments[-1].x_m > 110.0
    assert abs(moments[-1].y_m) < 0.1
    assert max(moment.speed_mps for moment in moments if moment.x_m > 110.0) > 9.0


def test_two_obstacles_in_a_row_are_passed() -> None:
    parked = {100: Body(x_m=70.0, y_m=1.2), 101: Body(x_m=82.0, y_m=1.2)}
    moments = drive(expert_on(straight_way()), 40.0, bodies=lambda time_s: parked)
    assert min(gap_m(moment, body) for moment in moments for body in parked.values()) > 0.25
    assert moments[-1].x_m > 110.0


def test_the_expert_lets_an_oncoming_car_pass_before_it_goes_around() -> None:
    obstacle = Body(x_m=80.0, y_m=0.5)

    def bodies(time_s: float) -> dict[int, Body]:
        return {100: obstacle, 101: Body(x_m=240.0 - 10.0 * time_s, y_m=-3.5, yaw_deg=180.0, speed_mps=10.0)}

    moments = drive(expert_on(straight_way()), 50.0, bodies=bodies)
    assert min(gap_m(moment, body) for moment in moments for body in bodies(moment.time_s).values()) > 0.25
    waiting = [moment for moment in moments if moment.decision.cause == "two_way_wait"]
    assert waiting
    passed_s = next(moment.time_s for moment in moments if bodies(moment.time_s)[101].x_m < moment.x_m)
    assert all(abs(moment.y_m) < 0.3 for moment in moments if moment.time_s < passed_s)
    assert moments[-1].x_m > 110.0


# --- determinism ------------------------------------------------------------------------------------------------------


def test_the_same_scenes_give_the_same_decisions() -> None:
    def story() -> list[Decision]:
        generator = np.random.default_rng(3)
        expert = expert_on(straight_way(), lights=(LIGHT,), stop_signs=(OnRoute(400, 8),))
        decisions = []
        for number in range(200):
            bodies = {
                key: Body(
                    x_m=float(generator.uniform(0.0, 90.0)),
                    y_m=float(generator.uniform(-8.0, 8.0)),
                    yaw_deg=float(generator.uniform(-180.0, 180.0)),
                    speed_mps=float(generator.uniform(0.0, 10.0)),
                    kind=("vehicle", "walker", "prop")[key % 3],
                )
                for key in range(6)
            }
            ego = ego_at(number * 0.4, float(generator.uniform(-0.3, 0.3)), speed_mps=8.0)
            scene = tick(ego, time_s=number * 0.05, others=others_of(bodies), lights={7: number // 50})
            decisions.append(expert.step(scene))
        return decisions

    first = story()
    assert first == story()
    assert {decision.is_hazard for decision in first} == {False, True}
    assert len({decision.cause for decision in first}) >= 3
