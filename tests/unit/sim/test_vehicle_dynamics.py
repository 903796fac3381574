"""The vehicle model against the table it is fitted to, and at its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.sim.world.powertrain import gear_of
from harness.sim.world.vehicle_dynamics import (
    FULL_BRAKE_MPS2,
    GRIP_MPS2,
    Motion,
    advance,
    holding_throttle,
)

DT_S = 0.05
WHEELBASE_M = 2.86


def _advance(
    speed_mps: float = 0.0, *, control: Any = (0.0, 0.0, 0.0), hand: bool = False, reverse: bool = False, **state: float
) -> Motion:
    return advance(
        np.array([speed_mps]),
        np.array([state.get("side_mps", 0.0)]),
        np.array([state.get("spin_dps", 0.0)]),
        np.array([control], np.float64),
        np.array([hand]),
        np.array([reverse]),
        np.array([WHEELBASE_M]),
        np.array([1.0]),
        state.get("dt_s", DT_S),
    )


@pytest.mark.parametrize(("speed_mps", "expected"), [(0.0, 7.6), (5.0, 6.2), (10.0, 5.0), (15.0, 3.9), (20.0, 3.0)])
def test_full_throttle_follows_the_table(speed_mps: float, expected: float) -> None:
    motion = _advance(speed_mps, control=(1.0, 0.0, 0.0))
    assert (motion.along_mps[0] - speed_mps) / DT_S == pytest.approx(expected)


@pytest.mark.parametrize("speed_mps", [2.0, 8.0, 15.0])
def test_the_holding_throttle_holds(speed_mps: float) -> None:
    throttle = float(holding_throttle(np.array([speed_mps]))[0])
    assert _advance(speed_mps, control=(throttle, 0.0, 0.0)).along_mps[0] == pytest.approx(speed_mps)


@pytest.mark.parametrize("brake", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("speed_mps", [10.0, 30.0])
def test_braking_is_in_proportion_and_wins_over_throttle(brake: float, speed_mps: float) -> None:
    released = (speed_mps - _advance(speed_mps).along_mps[0]) / DT_S
    braked = (speed_mps - _advance(speed_mps, control=(0.0, 0.0, brake)).along_mps[0]) / DT_S
    assert braked == pytest.approx(brake * FULL_BRAKE_MPS2 + (1.0 - brake) * released)
    assert _advance(10.0, control=(1.0, 0.0, brake)).along_mps[0] < 10.0


def test_a_braked_car_stops_and_never_rolls_back() -> None:
    speed_mps = 3.0
    for _ in range(20):
        speed_mps = float(_advance(speed_mps, control=(0.0, 0.0, 1.0)).along_mps[0])
        assert speed_mps >= 0.0
    assert speed_mps == 0.0
    assert _advance(0.0, control=(0.0, 0.0, 1.0)).along_mps[0] == 0.0
    assert _advance(0.0, hand=True).along_mps[0] == 0.0


def test_a_hand_brake_holds_against_the_engine() -> None:
    assert _advance(0.0, control=(1.0, 0.0, 0.0), hand=True).along_mps[0] == 0.0
    assert _advance(8.0, control=(1.0, 0.0, 0.0), hand=True).along_mps[0] < 8.0 - 4.0 * DT_S


def test_a_car_that_nobody_drives_comes_to_rest() -> None:
    speed_mps, ticks = 5.0, 0
    while speed_mps > 0.0 and ticks < 1000:
        speed_mps, ticks = float(_advance(speed_mps).along_mps[0]), ticks + 1
    assert 100 < ticks < 400


def test_reverse_drives_backwards_at_half_the_force_and_stops_there_too() -> None:
    motion = _advance(0.0, control=(1.0, 0.0, 0.0), reverse=True)
    assert motion.along_mps[0] == pytest.approx(-0.5 * 7.6 * DT_S)
    assert _advance(-2.0, control=(0.0, 0.0, 1.0), reverse=True).along_mps[0] > -2.0
    assert gear_of(np.array([-1.0, 0.0, 20.0]), np.array([True, False, False])).tolist() == [-1, 1, 4]


@pytest.mark.parametrize("steer", [0.05, 0.1, 0.3])
def test_a_slow_car_drives_the_circle_of_the_bicycle_model(steer: float) -> None:
    speed_mps = 1.0  # fast enough to turn, too slow for understeer
    motion = _advance(speed_mps, control=(float(holding_throttle(np.array([speed_mps]))[0]), steer, 0.0))
    wheel_rad = np.radians(70.0) * steer * np.interp(3.6, [0, 20], [1.0, 0.9])
    # Centre of gravity midway between the axles: radius = sqrt((wheelbase / tan(wheel))^2 + (wheelbase / 2)^2).
    radius_m = np.hypot(WHEELBASE_M / np.tan(wheel_rad), WHEELBASE_M / 2)
    assert np.radians(motion.yaw_rate_dps[0]) == pytest.approx(speed_mps / radius_m, rel=0.01)


def test_grip_limits_the_turn() -> None:
    motion = _advance(25.0, control=(0.5, 1.0, 0.0))
    assert abs(np.radians(motion.yaw_rate_dps[0]) * motion.along_mps[0]) <= GRIP_MPS2 + 1e-6


def test_a_standing_car_does_not_turn() -> None:
    assert _advance(0.0, control=(0.0, 1.0, 0.0)).yaw_rate_dps[0] == 0.0


def test_a_push_dies_away() -> None:
    motion = _advance(0.0, side_mps=2.0, spin_dps=90.0)
    assert motion.side_mps[0] == pytest.approx(2.0 - GRIP_MPS2 * DT_S)
    assert 0.0 < motion.spin_dps[0] < 90.0


def test_vehicles_do_not_influence_each_other() -> None:
    speeds = np.array([0.0, 5.0, 12.0])
    control = np.array([(1.0, 0.2, 0.0), (0.0, -0.4, 0.3), (0.5, 0.0, 0.0)])
    zeros, no = np.zeros(3), np.zeros(3, bool)
    together = advance(speeds, zeros, zeros, control, no, no, np.full(3, WHEELBASE_M), np.ones(3), DT_S)
    for k in range(3):
        alone = _advance(speeds[k], control=control[k])
        assert alone.along_mps[0] == together.along_mps[k]
        assert alone.yaw_rate_dps[0] == together.yaw_rate_dps[k]
