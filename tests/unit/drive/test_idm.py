"""The Intelligent Driver Model against closed forms and against a stiff solver."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy.integrate import solve_ivp

from harness.drive.idm import CAUSES, Cause, cause_target_speed, target_speed


def solver_speed(v: float, v0: float, gap: float, lead: float, s0: float, headway: float) -> float:
    """The same equations by LSODA with tight tolerances; 0 once the car stands."""
    scale = 2.0 * math.sqrt(24.0 * (8.7 if v <= 6.02 else 3.72))

    def slope(t: float, state: list[float]) -> list[float]:
        x, speed = state
        s = max(0.1, gap + t * lead - x)
        wanted = s0 + speed * headway + speed * (speed - lead) / scale
        return [speed, 24.0 * (1.0 - (speed / v0) ** 4 - (wanted / s) ** 2)]

    def standing(t: float, state: list[float]) -> float:
        return state[1]

    standing.terminal = True  # type: ignore[attr-defined]
    standing.direction = -1  # type: ignore[attr-defined]
    answer = solve_ivp(slope, (0.0, 0.05), [0.0, v], method="LSODA", rtol=1e-8, atol=1e-10, events=standing)
    return 0.0 if answer.t[-1] < 0.05 - 1e-12 else max(0.0, float(answer.y[1, -1]))


@pytest.mark.parametrize("speed_mps", [0.0, 3.0, 6.02, 6.03, 12.0])
def test_steady_gap_keeps_the_speed(speed_mps: float) -> None:
    desired_mps, s0, headway = 14.0, 4.0, 0.25
    steady_m = (s0 + speed_mps * headway) / math.sqrt(1.0 - (speed_mps / desired_mps) ** 4)
    after = target_speed(
        speed_mps=speed_mps,
        desired_speed_mps=desired_mps,
        gap_m=steady_m,
        lead_speed_mps=speed_mps,
        least_gap_m=s0,
        headway_s=headway,
    )
    assert after == pytest.approx(speed_mps, abs=1e-6)


def test_free_road_accelerates_towards_the_desired_speed() -> None:
    speeds = [0.0]
    for _ in range(200):
        speeds.append(
            target_speed(
                speed_mps=speeds[-1],
                desired_speed_mps=10.0,
                gap_m=1e6,
                lead_speed_mps=10.0,
                least_gap_m=4.0,
                headway_s=0.25,
            )
        )
    assert speeds[1] == pytest.approx(24.0 * 0.05, rel=0.01)
    assert speeds[-1] == pytest.approx(10.0, abs=1e-3)
    assert all(b >= a for a, b in itertools.pairwise(speeds))


@pytest.mark.parametrize("speed_mps", [0.5, 6.0, 6.5, 9.0, 20.0])
@pytest.mark.parametrize("desired_mps", [6.75, 14.0])
@pytest.mark.parametrize("gap_m", [0.5, 2.0, 6.0, 25.0])
@pytest.mark.parametrize("lead_mps", [0.0, 8.0])
def test_fixed_steps_agree_with_a_stiff_solver(
    speed_mps: float, desired_mps: float, gap_m: float, lead_mps: float
) -> None:
    found = target_speed(
        speed_mps=speed_mps,
        desired_speed_mps=desired_mps,
        gap_m=gap_m,
        lead_speed_mps=lead_mps,
        least_gap_m=4.0,
        headway_s=0.25,
    )
    assert found == pytest.approx(solver_speed(speed_mps, desired_mps, gap_m, lead_mps, 4.0, 0.25), abs=0.02)


@pytest.mark.parametrize("gap_m", [-5.0, 0.0, 0.01])
def test_no_gap_means_stop(gap_m: float) -> None:
    for cause in Cause:
        assert cause_target_speed(cause, speed_mps=20.0, desired_speed_mps=10.0, distance_m=gap_m) == 0.0


def test_desired_speed_of_zero_means_stop() -> None:
    assert cause_target_speed(Cause.LIGHT, speed_mps=5.0, desired_speed_mps=0.0, distance_m=100.0) == 0.0


def test_car_comes_to_rest_before_a_red_light() -> None:
    x, speed = 0.0, 8.0
    for _ in range(2000):
        speed = cause_target_speed(Cause.LIGHT, speed_mps=speed, desired_speed_mps=8.3, distance_m=50.0 - x)
        x += speed * 0.05
    assert speed < 0.01
    assert 50.0 - x == pytest.approx(CAUSES[Cause.LIGHT].least_gap_m, abs=0.3)


@pytest.mark.parametrize(
    ("cause", "length_m", "lead_mps"),
    [
        (Cause.LEADING_VEHICLE, 4.8, 3.0),
        (Cause.BICYCLE, 4.8, 3.0),
        (Cause.PEDESTRIAN, 0.5 + 4.9 / 2.0, 0.0),
        (Cause.LIGHT, 0.0, 0.0),
        (Cause.STOP_SIGN, 0.0, 0.0),
        (Cause.TWO_WAY_WAIT, 4.9 / 2.0, 0.0),
    ],
)
def test_each_cause_takes_its_own_length_off_the_distance(cause: Cause, length_m: float, lead_mps: float) -> None:
    row = CAUSES[cause]
    found = cause_target_speed(
        cause,
        speed_mps=5.0,
        desired_speed_mps=8.0,
        distance_m=15.0,
        lead_speed_mps=3.0,
        lead_length_m=4.8,
        ego_length_m=4.9,
    )
    assert found == target_speed(
        speed_mps=5.0,
        desired_speed_mps=8.0,
        gap_m=15.0 - length_m,
        lead_speed_mps=lead_mps,
        least_gap_m=row.least_gap_m,
        headway_s=row.headway_s,
    )


def test_table_holds_the_published_values() -> None:
    assert {cause: (row.least_gap_m, row.headway_s) for cause, row in CAUSES.items()} == {
        "leading_vehicle": (4.0, 0.25),
        "bicycle": (6.0, 0.5),
        "pedestrian": (4.5, 0.125),
        "light": (3.0, 0.5),
        "stop_sign": (2.0, 0.5),
        "two_way_wait": (2.0, 0.1),
    }
