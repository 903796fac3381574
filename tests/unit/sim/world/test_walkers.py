"""Walkers on a road that climbs 5 % along x: walking, turning, jumping, bumping and falling."""

from __future__ import annotations

import numpy as np
import pytest

from harness.sim.observer import observe
from harness.sim.world.actors import Kin
from harness.sim.world.impacts import Collision
from harness.sim.world.town import Town
from harness.sim.world.walkers import set_control, set_course
from harness.sim.world.world import World

CAR, CONE, WALKER = "vehicle.lincoln.mkz_2020", "static.prop.trafficcone01", "walker.pedestrian.0015"
DT_S = 0.05


def _spawn(world: World, type_id: str, x_m: float, y_m: float = 1.75, yaw_deg: float = 0.0) -> int:
    """Spawn something on the road and return its row."""
    centre_m = 0.93 if type_id == WALKER else 0.0
    slope = 0.05 if world.town.name == "Hill" else 0.0
    world.spawn(type_id, {}, (x_m, y_m, 10.0 + slope * x_m + centre_m, 0.0, yaw_deg, 0.0))
    return len(world.table) - 1


def _run(world: World, seconds: float) -> list[Collision]:
    reports = []
    for _ in range(round(seconds / DT_S)):
        reports += world.step(DT_S)
    return reports


def _walk(world: World, row: int, x: float, y: float, speed_mps: float, *, is_jumping: bool = False) -> None:
    set_control(world.table, row, (x, y, 0.0), speed_mps, is_jumping=is_jumping)


def _id(world: World, row: int) -> int:
    return int(world.table.ids[row])


# --- walking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y_m", [1.75, 8.0])  # on the road and beside it
def test_a_walker_walks_where_it_is_told_and_stays_on_the_ground(world: World, y_m: float) -> None:
    row = _spawn(world, WALKER, 50.0, y_m)
    _walk(world, row, 1.0, 0.0, 1.0)
    _run(world, 3.0)
    kin = world.table.kin[row]
    assert kin[:2].tolist() == pytest.approx([53.0, y_m])
    assert kin[Kin.Z] == pytest.approx(10.0 + 0.05 * kin[Kin.X] + 0.93, abs=1e-3)
    assert kin[Kin.VX] == pytest.approx(1.0)
    _walk(world, row, 0.0, 0.0, 0.0)
    _run(world, 0.2)
    assert kin[Kin.VX] == 0.0


def test_a_walker_turns_into_the_direction_of_walking(world: World) -> None:
    row = _spawn(world, WALKER, 50.0, yaw_deg=170.0)
    _walk(world, row, 0.0, -1.0, 1.0)
    world.step(DT_S)
    assert world.table.kin[row, Kin.YAW] == pytest.approx(-172.0)  # 360 degrees per second, the short way round
    assert world.table.kin[row, Kin.WZ] == pytest.approx(360.0)
    _run(world, 1.0)
    assert world.table.kin[row, Kin.YAW] == pytest.approx(-90.0)


def test_a_jump_comes_down_again(world: World) -> None:
    row = _spawn(world, WALKER, 50.0)
    world.step(DT_S)
    ground_m = world.table.kin[row, Kin.Z]
    _walk(world, row, 0.0, 0.0, 0.0, is_jumping=True)
    world.step(DT_S)
    _walk(world, row, 0.0, 0.0, 0.0)
    heights_m = []
    for _ in range(40):
        world.step(DT_S)
        heights_m.append(world.table.kin[row, Kin.Z] - ground_m)
    assert max(heights_m) == pytest.approx(5.0**2 / (2.0 * 9.81), abs=0.15)
    assert heights_m[-1] == pytest.approx(0.0, abs=1e-9)


def test_without_physics_a_walker_stays_where_it_is(world: World) -> None:
    row = _spawn(world, WALKER, 50.0)
    world.table.simulates_physics[row] = False
    world.table.kin[row, Kin.Z] += 4.0
    place = world.table.kin[row].copy()
    _walk(world, row, 1.0, 0.0, 2.0)
    _run(world, 0.5)
    assert (world.table.kin[row] == place).all()


def test_controls_are_brought_into_their_range(world: World) -> None:
    row = _spawn(world, WALKER, 50.0)
    set_control(world.table, row, (3e38, 0.0, -3e38), 3e38, is_jumping=False)
    assert np.hypot(world.table.walk[row, 0], world.table.walk[row, 2]) == pytest.approx(1.0)
    assert world.table.walk[row, 3] == pytest.approx(40.96)
    set_control(world.table, row, (0.5, 0.0, 0.0), -1.0, is_jumping=False)
    assert world.table.walk[row].tolist() == [0.5, 0.0, 0.0, 0.0]


def test_the_observer_shows_the_control_of_walkers(world: World) -> None:
    row = _spawn(world, WALKER, 50.0)
    set_control(world.table, row, (0.6, -0.8, 0.0), 1.5, is_jumping=True)
    record = observe(world)[row]
    assert record["walk_direction"].tolist() == pytest.approx([0.6, -0.8, 0.0])
    assert (record["walk_speed_mps"], record["walk_jump"]) == (1.5, 1)


def test_a_course_is_where_a_walker_looks(world: World) -> None:
    row = _spawn(world, WALKER, 50.0, yaw_deg=90.0)
    set_course(world.table, row, 1.2)
    assert world.table.walk[row].tolist() == pytest.approx([0.0, 1.0, 0.0, 1.2])


# --- bumping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("obstacle", [CAR, CONE])
def test_a_walker_cannot_walk_through_what_stands(world: World, obstacle: str) -> None:
    stands, row = _spawn(world, obstacle, 60.0), _spawn(world, WALKER, 56.0)
    world.table.control[stands] = 0.0, 0.0, 1.0
    world.step(DT_S)
    place = world.table.kin[stands].copy()
    _walk(world, row, 1.0, 0.0, 2.0)
    reports = _run(world, 4.0)
    reach_m = float(world.table.box_half_m[stands, 0]) + 0.1877
    assert world.table.kin[row, Kin.X] == pytest.approx(60.0 - reach_m, abs=0.01)
    assert world.table.fallen_s[row] == 0.0
    assert (world.table.kin[stands] == place).all()  # nobody pushes cars by walking
    pair = _id(world, row), _id(world, stands)
    assert sorted((r.this, r.other) for r in reports) == sorted([pair, pair[::-1]])  # told once


def test_two_walkers_bump_and_stay_on_their_feet(world: World) -> None:
    left, right = _spawn(world, WALKER, 50.0), _spawn(world, WALKER, 52.0)
    _walk(world, left, 1.0, 0.0, 2.0)
    _walk(world, right, -1.0, 0.0, 2.0)
    reports = _run(world, 2.0)
    assert len(reports) == 2
    assert np.array(reports[0].impulse_ns) == pytest.approx(-np.array(reports[1].impulse_ns))
    assert reports[0].impulse_ns[0] == pytest.approx(-4.0 * 75.0 / 2.0)
    assert world.table.kin[right, Kin.X] - world.table.kin[left, Kin.X] == pytest.approx(2 * 0.1877, abs=0.02)
    assert world.table.fallen_s[[left, right]].tolist() == [0.0, 0.0]


def test_a_walker_pushes_a_light_prop_with_physics(world: World) -> None:
    cone, row = _spawn(world, CONE, 52.0), _spawn(world, WALKER, 50.0)
    world.table.simulates_physics[cone] = True
    _walk(world, row, 1.0, 0.0, 2.0)
    _run(world, 2.0)
    assert world.table.kin[cone, Kin.X] > 52.3
    assert world.table.kin[row, Kin.X] > 51.9
    assert world.table.fallen_s[row] == 0.0


# --- falling ---------------------------------------------------------------------------------------------------------


def _hit(world: World, speed_mps: float, *, y_m: float = 1.75) -> tuple[int, int, list[Collision]]:
    """Let a car drive into a walker; return car, walker and reports."""
    car, row = _spawn(world, CAR, 50.0), _spawn(world, WALKER, 54.0, y_m)
    world.step(DT_S)
    world.table.set_velocity(car, (speed_mps, 0.0, 0.0))
    return car, row, _run(world, 6.0)


@pytest.mark.parametrize("speed_mps", [4.0, 10.0, 25.0])
def test_a_walker_that_is_hit_is_thrown_and_comes_to_lie(world: World, speed_mps: float) -> None:
    car, row, reports = _hit(world, speed_mps)
    assert [(r.this, r.other) for r in reports] == [
        (_id(world, car), _id(world, row)),
        (_id(world, row), _id(world, car)),
    ]
    # Walker and car share what the car had; by then it has coasted a bit.
    expected_ns = 1.1 * speed_mps / (1.0 / 75.0 + 1.0 / 1800.0)
    assert reports[1].impulse_ns[0] == pytest.approx(expected_ns, rel=0.15)
    assert reports[0].impulse_ns[0] == -reports[1].impulse_ns[0]
    kin = world.table.kin[row]
    assert kin[Kin.PITCH : Kin.ROLL + 1].tolist() == pytest.approx([-90.0, 0.0, 0.0])  # on its face
    assert kin[Kin.VX : Kin.WX].tolist() == [0.0, 0.0, 0.0]
    assert kin[Kin.Z] == pytest.approx(10.0 + 0.05 * kin[Kin.X] + 0.1877, abs=1e-3)
    assert 0.05 * speed_mps**2 < kin[Kin.X] - 54.0 < 0.15 * speed_mps**2 + 2.0


@pytest.mark.parametrize("y_m", [1.75 - 0.8, 1.75 + 0.8])
def test_a_hit_with_the_corner_counts(world: World, y_m: float) -> None:
    _, row, reports = _hit(world, 15.0, y_m=y_m)
    assert len(reports) == 2 and world.table.fallen_s[row] > 0.0


def test_a_walker_that_runs_into_the_side_of_a_passing_car_stays_up(world: World) -> None:
    car, row = _spawn(world, CAR, 50.0), _spawn(world, WALKER, 53.0, 1.75 + 1.4)
    world.step(DT_S)
    world.table.set_velocity(car, (8.0, 0.0, 0.0))
    _walk(world, row, 0.0, -1.0, 1.5)
    reports = _run(world, 0.6)
    assert len(reports) == 2 and abs(reports[0].impulse_ns[1]) > 10.0
    assert world.table.fallen_s[row] == 0.0


@pytest.mark.level_road
def test_a_walker_that_is_touched_slowly_steps_aside(world: World) -> None:
    car, row, reports = _hit(world, 0.9)
    assert world.table.fallen_s[row] == 0.0
    assert len(reports) == 2
    assert world.table.kin[row, Kin.X] >= world.table.kin[car, Kin.X] + 2.4462 + 0.18


def test_a_standing_car_gets_no_push_and_a_moving_one_loses_its_share(world: World) -> None:
    car, _, reports = _hit(world, 10.0)
    assert reports[0].impulse_ns[0] / 1800.0 == pytest.approx(-1.1 * 9.6 * 75.0 / 1875.0, rel=0.1)
    assert world.table.kin[car, Kin.X] > 60.0


def test_whoever_lies_stays_and_touches_nothing(world: World) -> None:
    car, row, _ = _hit(world, 4.0)
    place = world.table.kin[row].copy()
    _walk(world, row, 1.0, 0.0, 2.0)
    world.set_pose(car, (*world.table.kin[row, :2].tolist(), float(world.table.kin[row, Kin.Z]), 0.0, 0.0, 0.0))
    world.table.halt(car)
    assert _run(world, 1.0) == []
    assert world.table.kin[row, : Kin.AX].tolist() == pytest.approx(place[: Kin.AX].tolist())


def test_the_dead_disappear_after_ten_seconds(world: World) -> None:
    row = _spawn(world, WALKER, 50.0)
    actor_id = _id(world, row)
    world.set_dead(row)
    world.set_dead(row)
    _run(world, 9.9)
    assert world.table.kin[row, Kin.PITCH] == 90.0  # whoever stands falls on the back
    assert actor_id in world.table.info
    _run(world, 0.2)
    assert actor_id not in world.table.info


def test_a_crowd_gives_the_same_bytes_twice(hill: Town) -> None:
    def story() -> bytes:
        world, record = World(hill, episode_id=1, first_actor_id=1, frame=1), b""
        generator = np.random.default_rng(3)
        for k in range(20):
            _walk(world, _spawn(world, WALKER, 60.0 + k, 1.0), *generator.uniform(-1.0, 1.0, 2).tolist(), 1.5)
        car = _spawn(world, CAR, 50.0)
        world.table.set_velocity(car, (12.0, 0.0, 0.0))
        for _ in range(60):
            record += repr(world.step(DT_S)).encode() + observe(world).tobytes()
        return record

    first = story()
    assert first == story()
    assert b"Collision" in first
