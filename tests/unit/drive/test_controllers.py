"""Steering and pedals against values worked out by hand."""

from __future__ import annotations

import math

import pytest

from harness.drive.controllers import (
    LateralState,
    heading_error_rad,
    lookahead_points,
    steer,
    throttle_and_brake,
)


@pytest.mark.parametrize(
    ("speed_mps", "points"), [(0.0, 24), (6.0, 24), (8.0, 30), (10.0, 37), (29.0, 103), (40.0, 105)]
)
def test_lookahead_grows_with_speed_between_its_bounds(speed_mps: float, points: int) -> None:
    assert lookahead_points(speed_mps) == points


@pytest.mark.parametrize(
    ("yaw_rad", "target", "error_rad"),
    [
        (0.0, (1.0, 1.0), math.pi / 4),
        (0.0, (1.0, -1.0), -math.pi / 4),
        (math.pi, (-1.0, -0.001), 0.001),
        (-3.0, (-1.0, 0.001), -0.142592),
    ],
)
def test_heading_error_is_wrapped_and_positive_to_the_right(
    yaw_rad: float, target: tuple[float, float], error_rad: float
) -> None:
    assert heading_error_rad(0.0, 0.0, yaw_rad, *target) == pytest.approx(error_rad, abs=1e-3)


def test_steering_adds_proportional_change_and_mean() -> None:
    state, first = steer(LateralState(), math.radians(9.0))
    assert state.errors == pytest.approx((0.1,))
    assert first == round(3.118357 * 0.1 + 0.640607 * 0.1, 3) == 0.376
    state, second = steer(state, math.radians(4.5))
    assert second == round(3.118357 * 0.05 - 1.378251 * 0.05 + 0.640607 * 0.075, 3) == 0.135
    assert state.errors == pytest.approx((0.1, 0.05))


def test_steering_remembers_six_errors() -> None:
    state = LateralState()
    for tick in range(10):
        state, _ = steer(state, math.radians(90.0) * tick / 100.0)
    assert state.errors == pytest.approx((0.04, 0.05, 0.06, 0.07, 0.08, 0.09))
    before = LateralState((0.0,) * 6)
    _, command = steer(before, math.radians(9.0))
    assert command == round(3.118357 * 0.1 + 1.378251 * 0.1 + 0.640607 * 0.1 / 6.0, 3)


@pytest.mark.parametrize(("error_deg", "command"), [(90.0, 1.0), (-90.0, -1.0), (0.0, 0.0)])
def test_steering_is_bounded(error_deg: float, command: float) -> None:
    assert steer(LateralState(), math.radians(error_deg))[1] == command


def test_a_tick_leaves_the_state_it_started_from_alone() -> None:
    state = LateralState((0.1, 0.2))
    assert steer(state, 0.3) == steer(state, 0.3)
    assert state == LateralState((0.1, 0.2))


@pytest.mark.parametrize(
    ("speed_kmh", "target_kmh", "throttle", "brake"),
    [
        (0.0, 0.0, 0.0, True),
        (0.0, 1.9, 1.0, False),
        (0.0, 0.2, 1.0, False),
        (30.0, 31.9, 1.0, False),
        (31.0, 30.0, 0.0, True),
        (30.9, 30.0, 1.1990342 * 0.309 - 0.8057602 * 0.309**2, False),
        (30.0, 30.0, 1.1990342 * 0.3 - 0.8057602 * 0.09, False),
        (
            50.0,
            50.2,
            1.1990342 * 0.5
            - 0.8057602 * 0.25
            + 1.7108187 * 0.2
            + 0.9218903 * 0.002**2
            + 1.5564975 * 0.5 * 0.002
            - 0.7013480 * 0.25 * 0.002,
            False,
        ),
        (100.0, 101.5, 1.0, False),
    ],
)
def test_pedals_follow_the_regression(speed_kmh: float, target_kmh: float, throttle: float, brake: bool) -> None:
    found, brakes = throttle_and_brake(speed_kmh / 3.6, target_kmh / 3.6)
    assert found == pytest.approx(throttle, abs=1e-9)
    assert brakes is brake


def test_hazard_brakes_whatever_the_target() -> None:
    assert throttle_and_brake(8.0, 20.0, is_hazard=True) == (0.0, True)


@pytest.mark.parametrize("speed_mps", [0.0, 0.05, 0.099])
@pytest.mark.parametrize("target_mps", [1e-4, 0.2, 1.0, 15.0])
def test_a_car_that_stands_and_should_drive_gets_full_throttle(speed_mps: float, target_mps: float) -> None:
    assert throttle_and_brake(speed_mps, target_mps) == (1.0, False)
