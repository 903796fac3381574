"""Gears and engine speed: what a gearbox shows, and a gear that was chosen by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.sim.world.actors import ActorTable
from harness.sim.world.powertrain import IDLE_RPM, MAX_RPM, engine_rpm, gear_of, pull_of_gear
from harness.sim.world.world import World

pytestmark = pytest.mark.level_road

DT_S = 0.05


def _pull(speed_mps: float, gear: int, *, reverse: bool = False) -> float:
    return float(pull_of_gear(np.array([speed_mps]), np.array([gear], np.int32), np.array([reverse]))[0])


def test_the_gearbox_shifts_up_with_the_speed() -> None:
    speeds_mps = np.array([0.0, 6.9, 7.1, 13.0, 19.0, 26.0, 34.0, -1.0, 3.0])
    reverse = np.array([False] * 7 + [True, True])
    assert gear_of(speeds_mps, reverse).tolist() == [1, 1, 2, 3, 4, 5, 6, -1, -1]


@pytest.mark.parametrize("speed_mps", [0.0, 5.0, 10.0, 15.0, 22.0, 30.0, 40.0])
def test_the_gear_an_automatic_would_take_brings_all_of_the_force(speed_mps: float) -> None:
    gear = int(gear_of(np.array([speed_mps]), np.array([False]))[0])
    assert _pull(speed_mps, gear) == 1.0


def test_a_gear_too_high_pulls_less_and_one_too_low_ends() -> None:
    assert _pull(0.0, 6) == pytest.approx(0.8 / 5.0)
    assert _pull(3.0, 2) == pytest.approx(3.1 / 5.0)
    assert _pull(8.0, 1) == 1.0  # between the shift and the end of the first gear
    assert _pull(11.0, 1) == 0.0


def test_neutral_brings_nothing_and_reverse_has_one_gear() -> None:
    assert _pull(0.0, 0) == _pull(-1.0, 0, reverse=True) == 0.0
    assert _pull(-2.0, -1, reverse=True) == _pull(-2.0, 3, reverse=True) == 1.0


def test_the_engine_turns_with_the_wheels_between_idle_and_its_limit() -> None:
    assert engine_rpm(0.0, 20.0, 1.0, MAX_RPM) == IDLE_RPM
    assert engine_rpm(10.0, 20.0, 0.0, MAX_RPM) == pytest.approx(200.0 * 60.0 / (2.0 * np.pi))
    assert engine_rpm(-10.0, 20.0, 0.0, MAX_RPM) == engine_rpm(10.0, 20.0, 0.0, MAX_RPM)
    assert engine_rpm(100.0, 20.0, 0.0, MAX_RPM) == MAX_RPM
    assert engine_rpm(50.0, 0.0, 0.0, MAX_RPM) == IDLE_RPM  # neutral
    assert engine_rpm(50.0, 0.0, 1.0, MAX_RPM) == MAX_RPM


def _drive(
    world: World, ticks: int, *, gear: int | None = None, throttle: float = 1.0, start_mps: float = 0.0
) -> float:
    """Return the speed after some ticks of a new car."""
    table: ActorTable = world.table
    info = world.spawn("vehicle.lincoln.mkz_2020", {}, (20.0, 1.75, 10.1, 0.0, 0.0, 0.0))
    row = table.row(info.id)
    assert row is not None
    table.set_velocity(row, (start_mps, 0.0, 0.0))
    table.control[row] = throttle, 0.0, 0.0
    if gear is not None:
        table.manual_gear_shift[row], table.gear[row] = True, gear
    for _ in range(ticks):
        world.step(DT_S)
    if gear is not None:
        assert table.gear[row] == gear
    speed_mps = float(table.along_mps[row])
    world.destroy(info.id)
    return speed_mps


def test_a_gear_by_hand_is_kept_and_felt(world: World) -> None:
    automatic = _drive(world, 20)
    assert _drive(world, 20, gear=1) == automatic
    assert 0.5 < _drive(world, 20, gear=6) < 0.3 * automatic
    assert _drive(world, 20, gear=0) == 0.0
    first = _drive(world, 150, gear=1)
    assert first == pytest.approx(10.6, abs=0.4)  # the end of the first gear
    coasted = _drive(world, 20, throttle=0.0, start_mps=8.0)
    assert _drive(world, 20, gear=0, throttle=1.0, start_mps=8.0) == coasted < 8.0
