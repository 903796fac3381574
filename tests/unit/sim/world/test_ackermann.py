"""Driving by targets: the law of the controllers, and the car that follows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim.world.ackermann import DEFAULT_GAINS, Drive, Memory, Target, follow, fresh_memory
from harness.sim.world.actors import Kin
from harness.sim.world.driving import set_gains, set_targets
from harness.sim.world.world import World

DT_S = 0.05
MAX_STEER_RAD = float(np.radians(70.0))
ANY = st.floats(allow_nan=False, allow_infinity=False, width=32)


def _follow(target: Any, *, speed_mps: float = 0.0, steer: float = 0.0, memory: Any = None, gain: Any = None) -> Drive:
    return follow(
        np.array([target], float),
        np.array([DEFAULT_GAINS if gain is None else gain], float),
        np.array([fresh_memory(speed_mps) if memory is None else memory]),
        np.array([speed_mps]),
        np.array([[0.0, steer, 0.0]]),
        np.array([False]),
        np.array([MAX_STEER_RAD]),
        DT_S,
    )


def test_one_tick_by_hand() -> None:
    driven = _follow((0.0, 0.0, 4.0, 0.0, 0.0))
    wanted_mps2 = 0.15 * 4.0
    assert driven.memory[0, Memory.WANTED_MPS2] == pytest.approx(wanted_mps2)
    assert driven.memory[0, Memory.PEDAL] == pytest.approx(0.01 * wanted_mps2)
    assert driven.control[0].tolist() == pytest.approx([0.01 * wanted_mps2, 0.0, 0.0])


def test_the_wanted_acceleration_has_its_limits() -> None:
    memory = fresh_memory(0.0)
    memory[Memory.WANTED_MPS2] = 2.8
    assert _follow((0, 0, 50.0, 0, 0), memory=memory).memory[0, Memory.WANTED_MPS2] == 3.0
    assert _follow((0, 0, 50.0, 1.5, 0), memory=memory).memory[0, Memory.WANTED_MPS2] == 1.5
    memory[Memory.WANTED_MPS2] = -7.8
    assert _follow((0, 0, -50.0, 0, 0), memory=memory).memory[0, Memory.WANTED_MPS2] == -8.0


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0.5), (0.2, 0.2 * DT_S), (-0.2, 0.2 * DT_S), (100.0, 0.5)])
def test_wheels_turn_no_faster_than_asked(rate: float, expected: float) -> None:
    driven = _follow((0.5, rate, 1.0, 0.0, 0.0))
    assert driven.control[0, 1] * MAX_STEER_RAD == pytest.approx(expected)


def test_wheels_turn_no_further_than_they_can() -> None:
    assert _follow((-9.0, 0.0, 1.0, 0.0, 0.0)).control[0, 1] == -1.0


def test_what_is_to_stand_and_stands_is_braked() -> None:
    driven = _follow((0.3, 0.0, 0.05, 0.0, 0.0), speed_mps=0.05)
    assert driven.control[0, [0, 2]].tolist() == [0.0, 1.0]
    assert driven.control[0, 1] > 0.0


def test_direction_changes_at_standstill_alone() -> None:
    backwards = (0.0, 0.0, -3.0, 0.0, 0.0)
    assert not _follow(backwards, speed_mps=5.0).reverse[0]
    stopping, turning = (_follow((0, 0, aim, 0, 0), speed_mps=0.5) for aim in (0.0, -3.0))
    assert turning.control.tolist() == stopping.control.tolist()  # first it stops
    assert _follow(backwards).reverse[0]
    driven = _follow(backwards)
    assert driven.control[0, 0] > 0.0 and driven.control[0, 2] == 0.0  # throttle, not brake


@given(
    st.lists(st.lists(ANY, min_size=5, max_size=5), min_size=1, max_size=4), ANY, st.lists(ANY, min_size=6, max_size=6)
)
def test_any_target_gives_pedals_in_range(targets: list[list[float]], speed: float, gain: list[float]) -> None:
    memory = fresh_memory(0.0)
    for target in targets:
        driven = _follow(target, speed_mps=max(min(speed, 150.0), -150.0), memory=memory, gain=gain)
        memory = driven.memory[0]
        throttle, steer, brake = driven.control[0].tolist()
        assert 0.0 <= throttle <= 1.0 and -1.0 <= steer <= 1.0 and 0.0 <= brake <= 1.0
        assert np.isfinite(memory).all()


def test_vehicles_are_driven_each_by_its_own_target() -> None:
    targets = np.array([(0.1, 0.0, 5.0, 0.0, 0.0), (-0.2, 0.5, -2.0, 1.0, 0.0), (0.0, 0.0, 0.0, 0.0, 0.0)])
    speeds = np.array([3.0, 0.0, 8.0])
    together = follow(
        targets,
        np.tile(DEFAULT_GAINS, (3, 1)),
        np.array([fresh_memory(v) for v in speeds]),
        speeds,
        np.zeros((3, 3)),
        np.zeros(3, bool),
        np.full(3, MAX_STEER_RAD),
        DT_S,
    )
    for k in range(3):
        alone = _follow(targets[k], speed_mps=speeds[k])
        assert alone.control[0].tolist() == together.control[k].tolist()
        assert alone.memory[0].tolist() == together.memory[k].tolist()


# --- the car ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def row(world: World) -> int:
    info = world.spawn("vehicle.lincoln.mkz_2020", {}, (5.0, 1.75, 10.3, 0.0, 0.0, 0.0))
    found = world.table.row(info.id)
    assert found is not None
    return found


def _step(world: World, ticks: int) -> None:
    for _ in range(ticks):
        world.step(DT_S)


def test_a_car_reaches_its_speed_and_keeps_it(world: World, row: int) -> None:
    set_targets(world.table, row, (0.0, 0.0, 6.0, 0.0, 0.0))
    speeds = []
    for _ in range(500):
        world.step(DT_S)
        speeds.append(float(world.table.along_mps[row]))
    assert max(speeds) < 8.0
    assert speeds[-100:] == pytest.approx([6.0] * 100, abs=0.3)


def test_a_car_comes_to_a_stop_and_is_held(world: World, row: int) -> None:
    world.table.set_velocity(row, (8.0, 0.0, 0.0))
    set_targets(world.table, row, (0.0, 0.0, 0.0, 0.0, 0.0))
    _step(world, 200)
    assert world.table.along_mps[row] == 0.0
    assert world.table.control[row].tolist() == [0.0, 0.0, 1.0]


def test_a_car_backs_up_when_its_speed_is_negative(world: World, row: int) -> None:
    world.set_pose(row, (100.0, 1.75, 15.1, 0.0, 0.0, 0.0))
    set_targets(world.table, row, (0.0, 0.0, -2.0, 0.0, 0.0))
    _step(world, 300)
    assert world.table.along_mps[row] == pytest.approx(-2.0, abs=0.3)
    assert world.table.reverse[row] and world.table.gear[row] == -1


def test_controllers_begin_anew_when_they_take_over(world: World, row: int) -> None:
    table = world.table
    set_targets(table, row, (0.0, 0.0, 5.0, 0.0, 0.0))
    _step(world, 40)
    assert table.driving_memory[row, Memory.PEDAL] > 0.0
    table.follows_targets[row] = False
    table.set_velocity(row, (7.0, 0.0, 0.0))
    set_targets(table, row, (0.0, 0.0, 5.0, 0.0, 0.0))
    assert table.driving_memory[row].tolist() == [7.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    set_targets(table, row, (0.0, 0.0, 4.0, 0.0, 0.0))  # a new target is no new beginning
    _step(world, 1)
    before = table.driving_memory[row].copy()
    set_targets(table, row, (0.0, 0.0, 3.0, 0.0, 0.0))
    assert table.driving_memory[row].tolist() == before.tolist()


def test_gains_matter_and_stay(world: World, row: int) -> None:
    assert world.table.driving_gain[row].tolist() == list(DEFAULT_GAINS)
    set_gains(world.table, row, (1.0, 0.0, 0.0, 0.5, 0.0, 0.0))
    set_targets(world.table, row, (0.0, 0.0, 5.0, 0.0, 0.0))
    world.step(DT_S)
    assert world.table.control[row, 0] == pytest.approx(0.5)
    assert world.table.kin[row, Kin.VX] > 0.1


def test_targets_beyond_all_speeds_are_cut(world: World, row: int) -> None:
    set_targets(world.table, row, (0.0, 0.0, 1e30, 0.0, 0.0))
    assert world.table.driving_target[row, Target.SPEED_MPS] == 150.0
