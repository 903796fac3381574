"""What a slope does to the vehicles on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.sim.world.actors import Kin
from harness.sim.world.oriented_boxes import axes_of
from harness.sim.world.town import Town
from harness.sim.world.world import World
from tests.unit.sim.conftest import ramp

CAR = "vehicle.audi.tt"
DT_S = 0.05
# Of 5 %, along the road.
SLOPE_MPS2 = 9.81 * math.sin(math.atan(0.05))


def _roll(
    world: World,
    yaw_deg: float,
    control: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ticks: int = 40,
    reverse: bool = False,
) -> int:
    """Let a car stand on the slope with its pedals so for some ticks and return its row."""
    height_m = 15.0 if world.town.name == "Hill" else 10.0
    world.spawn(CAR, {}, (100.0, 1.75, height_m, 0.0, yaw_deg, 0.0))
    row = len(world.table) - 1
    world.table.control[row], world.table.reverse[row] = control, reverse
    for _ in range(ticks):
        world.step(DT_S)
    return row


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("yaw_deg", "way"), [(0.0, -1.0), (180.0, 1.0)])
def test_a_car_without_brakes_rolls_downhill(world: World, yaw_deg: float, way: float, reverse: bool) -> None:
    row = _roll(world, yaw_deg, reverse=reverse)
    assert 0.6 * SLOPE_MPS2 < way * world.table.along_mps[row] < 2.0 * SLOPE_MPS2
    assert world.table.kin[row, Kin.VX] < 0.0


@pytest.mark.parametrize("yaw_deg", [0.0, 180.0])
def test_brakes_hold_a_car_on_a_slope(world: World, yaw_deg: float) -> None:
    row = _roll(world, yaw_deg, (0.0, 0.0, 0.3))
    assert world.table.along_mps[row] == 0.0


def test_a_slope_adds_to_what_the_engine_does(hill: Town, level: Town) -> None:
    def speed_mps(town: Town, yaw_deg: float) -> float:
        world = World(town, episode_id=1, first_actor_id=1, frame=1)
        row = _roll(world, yaw_deg, (1.0, 0.0, 0.0), ticks=20)
        return float(world.table.along_mps[row])

    even_mps = speed_mps(level, 0.0)
    # Not exactly: a faster car pulls less.
    assert speed_mps(hill, 0.0) == pytest.approx(even_mps - SLOPE_MPS2, abs=0.12)
    assert speed_mps(hill, 180.0) == pytest.approx(even_mps + SLOPE_MPS2, abs=0.12)


@pytest.mark.parametrize(("yaw_deg", "roll_deg"), [(0.0, 0.0), (90.0, 2.865), (-90.0, -2.865), (45.0, 2.026)])
def test_a_car_across_the_slope_leans_to_the_lower_side(world: World, yaw_deg: float, roll_deg: float) -> None:
    row = _roll(world, yaw_deg, (0.0, 0.0, 1.0), ticks=2)
    assert world.table.kin[row, Kin.ROLL] == pytest.approx(roll_deg, abs=0.01)
    right = axes_of(world.table.kin[row : row + 1, Kin.PITCH : Kin.ROLL + 1])[0, 1]
    assert right[2] == pytest.approx(0.05 * math.cos(math.radians(yaw_deg + 90.0)), abs=1e-3)


@pytest.mark.parametrize("dt_s", [0.005, 0.02, 0.05, 0.2])
@pytest.mark.parametrize(("slope", "moves"), [(0.02, False), (0.05, True), (0.1, True)])
def test_rolling_back_does_not_depend_on_the_length_of_a_tick(dt_s: float, slope: float, moves: bool) -> None:
    world = World(ramp(slope), episode_id=1, first_actor_id=1, frame=1)
    world.spawn(CAR, {}, (150.0, 1.75, 10.0 + 150.0 * slope, 0.0, 0.0, 0.0))
    row = len(world.table) - 1
    speeds_mps = []
    for _ in range(round(4.0 / dt_s)):
        world.step(dt_s)
        speeds_mps.append(float(world.table.along_mps[row]))
    if not moves:
        assert set(speeds_mps) == {0.0}
        return
    # dv/dt = -(g sin - 0.25) - 0.06 v from rest, and always faster.
    pull_mps2 = 9.81 * math.sin(math.atan(slope)) - 0.25
    assert speeds_mps[-1] == pytest.approx(-pull_mps2 / 0.06 * (1.0 - math.exp(-0.24)), rel=0.1)
    assert (np.diff(speeds_mps[1:]) < 0.0).all()


@pytest.mark.parametrize("brake", [0.02, 1e-4])
@pytest.mark.parametrize("dt_s", [0.02, 0.05])
def test_a_touch_of_the_brake_holds_only_what_it_can(brake: float, dt_s: float) -> None:
    world = World(ramp(0.1), episode_id=1, first_actor_id=1, frame=1)
    world.spawn(CAR, {}, (150.0, 1.75, 25.0, 0.0, 0.0, 0.0))
    row = len(world.table) - 1
    world.table.control[row, 2] = brake
    for _ in range(round(2.0 / dt_s)):
        world.step(dt_s)
    assert world.table.along_mps[row] < -0.5


def test_nothing_pulls_a_car_that_has_left_the_end_of_a_ramp(world: World) -> None:
    world.spawn(CAR, {}, (60.0, 1.75, 13.0, 0.0, 180.0, 0.0))
    row = len(world.table) - 1
    world.table.control[row] = 1.0, 0.0, 0.0
    for _ in range(3_000):
        world.step(DT_S)
    assert world.table.kin[row, Kin.X] < -100.0
    assert world.table.kin[row, Kin.PITCH] == 0.0
    assert world.table.along_mps[row] < 65.0


def test_a_pitch_that_a_client_sets_moves_nothing(level: Town) -> None:
    world = World(level, episode_id=1, first_actor_id=1, frame=1)
    world.spawn(CAR, {}, (100.0, 1.75, 10.0, -60.0, 0.0, 0.0))
    row = len(world.table) - 1
    for _ in range(50):
        world.set_pose(row, (*world.table.kin[row, :3].tolist(), -60.0, 0.0, 0.0))
        world.step(DT_S)
    assert world.table.kin[row, Kin.X] == 100.0
