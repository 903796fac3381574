"""Falling, sliding, pushes and kept velocities, on a road that climbs 5 % from z = 10 m."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SimError
from harness.sim.world.actors import ActorInfo, Kin, Kind
from harness.sim.world.bodies import ground_below_m, prop_body
from harness.sim.world.lanes import SAMPLE_SPACING_M, LaneSamples
from harness.sim.world.town import Town
from harness.sim.world.world import World

CAR, CONE, WALKER = "vehicle.audi.tt", "static.prop.trafficcone01", "walker.pedestrian.0015"
DT_S, GRAVITY_MPS2 = 0.05, 9.81


def _spawn(world: World, type_id: str, above_m: float = 0.0, x_m: float = 50.0, y_m: float = 1.75) -> int:
    """Spawn something so high above the road and return its row."""
    world.spawn(type_id, {}, (x_m, y_m, 10.0 + 0.05 * x_m + above_m, 0.0, 0.0, 0.0))
    row = len(world.table) - 1
    world.table.simulates_physics[row] = True
    return row


def _run(world: World, seconds: float) -> None:
    for _ in range(round(seconds / DT_S)):
        world.step(DT_S)


def _height_m(world: World, row: int) -> float:
    """Return the height of an actor's underside above the road."""
    kin, table = world.table.kin[row], world.table
    bottom_m = kin[Kin.Z] + table.box_centre_m[row, 2] - table.box_half_m[row, 2]
    return float(bottom_m - 10.0 - 0.05 * kin[Kin.X])


# --- falling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_id", "origin_m"), [(CAR, 0.0), (CONE, 0.0), (WALKER, 0.93)])
def test_what_is_in_the_air_falls_to_the_road(world: World, type_id: str, origin_m: float) -> None:
    row = _spawn(world, type_id, above_m=3.0 + origin_m)
    world.table.control[row] = 0.0, 0.0, 1.0  # or a car rolls off once it has landed
    _run(world, 0.7)
    fallen_m = 0.5 * GRAVITY_MPS2 * 0.7 * (0.7 + DT_S)  # v before x, tick by tick
    assert _height_m(world, row) == pytest.approx(3.0 - fallen_m, abs=1e-6)
    assert world.table.kin[row, Kin.VZ] == pytest.approx(-0.7 * GRAVITY_MPS2)
    _run(world, 0.2)
    assert _height_m(world, row) == pytest.approx(0.0, abs=1e-3)
    assert abs(world.table.kin[row, Kin.VZ]) < 1e-9


@pytest.mark.parametrize("above_m", [-0.5, 0.0, 0.3, 0.99])
def test_a_vehicle_put_close_to_the_road_stands_on_it_at_once(world: World, above_m: float) -> None:
    row = _spawn(world, CAR, above_m=above_m)
    world.step(DT_S)
    assert _height_m(world, row) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("type_id", [CAR, CONE, WALKER])
def test_what_has_no_gravity_floats(world: World, type_id: str) -> None:
    row = _spawn(world, type_id, above_m=2.0)
    world.table.is_weightless[row] = True
    before_m = _height_m(world, row)
    _run(world, 1.0)
    assert _height_m(world, row) == pytest.approx(before_m)
    world.table.is_weightless[row] = False
    _run(world, 1.0)
    assert _height_m(world, row) == pytest.approx(0.0, abs=1e-3)


def test_a_vehicle_in_the_air_keeps_its_velocity_whatever_its_pedals_say(world: World) -> None:
    row = _spawn(world, CAR, above_m=3.0)
    world.table.set_velocity(row, (8.0, 0.0, 0.0))
    world.step(DT_S)
    speed_mps = world.table.kin[row, Kin.VX]
    world.table.control[row] = 0.0, 1.0, 1.0
    _run(world, 0.5)
    assert world.table.kin[row, Kin.VX] == speed_mps and world.table.kin[row, Kin.YAW] == 0.0
    _run(world, 2.0)
    assert world.table.kin[row, Kin.VX] == 0.0


def test_a_prop_without_physics_stays_where_it_is_put(world: World) -> None:
    row = _spawn(world, CONE, above_m=4.0)
    world.table.simulates_physics[row] = False
    place = world.table.kin[row].copy()
    _run(world, 0.5)
    assert (world.table.kin[row] == place).all()


# --- the ground under a body -----------------------------------------------------------------------------------------


def _crossing() -> LaneSamples:
    """Return two straight roads that cross at the origin: along x at height 0, along y on a bridge of 6 m."""
    from scipy.spatial import cKDTree

    along = np.arange(-30.0, 30.0, SAMPLE_SPACING_M)
    still = np.zeros(len(along))
    xy_m = np.concatenate([np.stack([along, still], axis=1), np.stack([still, along], axis=1)])
    count = len(xy_m)
    zeros, on_bridge = np.zeros(count), np.arange(count) >= count // 2
    return LaneSamples(
        xy_m=xy_m,
        z_m=np.where(on_bridge, 6.0, 0.0),
        yaw_deg=np.where(on_bridge, 90.0, 0.0),
        pitch_deg=zeros,
        half_width_m=np.full(count, 1.75),
        s_m=zeros,
        road_id=np.where(on_bridge, 2, 1).astype(np.int32),
        lane_id=np.full(count, -1, np.int32),
        is_junction=np.zeros(count, np.bool_),
        light_index=np.full(count, -1, np.int32),
        sign_limit_kmh=np.zeros(count, np.float32),
        tree=cKDTree(xy_m),
    )


@pytest.mark.parametrize(
    ("place_m", "bottom_m", "ground_m"),
    [
        ((0.2, 0.1), 0.0, 0.0),  # under the bridge
        ((0.2, 0.1), 4.0, 0.0),
        ((0.2, 0.1), 6.0, 6.0),  # on it
        ((0.2, 0.1), 9.0, 6.0),  # above it
        ((3.5, 0.0), 6.0, 6.0),  # on its sidewalk, right above the lower road
        ((20.0, 5.0), 1.0, 0.0),  # beside the lower road
        ((0.0, 20.0), 2.0, -math.inf),  # only the bridge is near, overhead
    ],
)
def test_the_ground_is_that_of_the_own_level(place_m: tuple[float, float], bottom_m: float, ground_m: float) -> None:
    found = ground_below_m(_crossing(), np.array([place_m]), np.array([bottom_m]))
    assert found.tolist() == [ground_m]


def test_a_lane_overhead_is_not_the_one_that_a_car_is_on() -> None:
    lanes, place = _crossing(), np.array([[0.1, 0.0]])
    both_ways = np.array([45.0])  # both roads run within 60 degrees of it
    below, above = (lanes.nearest(place, both_ways, np.array([z_m]))[0] for z_m in (0.0, 6.0))
    assert lanes.z_m[below] == 0.0
    assert lanes.z_m[lanes.nearest(np.array([[0.0, 0.1]]), both_ways, np.array([0.0]))[0]] == 0.0
    assert above in (lanes.nearest(place, both_ways)[0], below)


# --- sliding ---------------------------------------------------------------------------------------------------------


def test_a_prop_slides_to_a_stop(world: World) -> None:
    row = _spawn(world, CONE)
    world.table.set_velocity(row, (6.0, 0.0, 0.0))
    world.table.spin_dps[row] = 90.0
    _run(world, 2.0)
    # v^2 / 2a, and half a tick of v more because it moves before it slows.
    assert world.table.kin[row, Kin.X] - 50.0 == pytest.approx(3.6 + 0.15, abs=0.02)
    assert world.table.kin[row, Kin.VX] == world.table.spin_dps[row] == 0.0
    assert world.table.kin[row, Kin.YAW] > 20.0
    assert _height_m(world, row) == pytest.approx(0.0, abs=1e-3)


# --- pushes ----------------------------------------------------------------------------------------------------------


def test_an_impulse_changes_the_velocity_by_mass(world: World) -> None:
    row = _spawn(world, CAR)
    world.step(DT_S)
    world.pushes.add_impulse(row, (0.0, 1335.0 * 2.0, 0.0))
    assert world.table.kin[row, Kin.VY] == pytest.approx(2.0)
    assert world.table.side_mps[row] == pytest.approx(2.0)


def test_a_force_acts_for_one_tick(world: World) -> None:
    row = _spawn(world, CONE)
    world.table.mass_kg[row] = 10.0
    world.pushes.add_force(row, (1000.0, 0.0, 0.0))
    world.pushes.add_force(row, (1000.0, 0.0, 0.0))
    assert world.table.kin[row, Kin.VX] == 0.0
    world.step(DT_S)
    assert world.table.kin[row, Kin.X] == pytest.approx(50.0 + 10.0 * DT_S)  # 2 kN on 10 kg for 0.05 s: 10 m/s
    speed_mps = world.table.kin[row, Kin.VX]
    world.step(DT_S)
    assert world.table.kin[row, Kin.VX] < speed_mps


def test_a_push_beside_the_middle_turns(world: World) -> None:
    row = _spawn(world, CONE)
    x_m, y_m, z_m = world.table.kin[row, :3].tolist()
    turn = world.pushes.lever_nm(row, (0.0, 10.0, 0.0), (x_m + 0.5, y_m, z_m))
    assert turn == pytest.approx(5.0)
    world.pushes.add_impulse(row, (0.0, 10.0, 0.0), turn)
    assert world.table.spin_dps[row] > 0.0


@pytest.mark.parametrize("type_id", [CAR, CONE, WALKER])
def test_a_push_upwards_lifts(world: World, type_id: str) -> None:
    row = _spawn(world, type_id, above_m=0.93 if type_id == WALKER else 0.0)
    world.step(DT_S)
    world.pushes.add_impulse(row, (0.0, 0.0, 5.0 * float(world.table.mass_kg[row])))
    _run(world, 0.5)
    assert _height_m(world, row) == pytest.approx(1.3, abs=0.2)
    _run(world, 1.0)
    assert _height_m(world, row) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("weights", "is_lifted"), [(0.9, False), (1.5, True)])
def test_a_force_lifts_what_it_outweighs(world: World, weights: float, is_lifted: bool) -> None:
    row = _spawn(world, CAR)
    world.step(DT_S)
    for _ in range(10):
        world.pushes.add_force(row, (0.0, 0.0, weights * GRAVITY_MPS2 * float(world.table.mass_kg[row])))
        world.step(DT_S)
    # Half of the free acceleration for half a second, or none.
    assert _height_m(world, row) == pytest.approx(0.5 * 4.905 * 0.5**2 if is_lifted else 0.0, abs=0.1)


def test_what_has_no_physics_is_not_pushed(world: World) -> None:
    row = _spawn(world, CAR)
    world.table.simulates_physics[row] = False
    world.pushes.add_impulse(row, (1e6, 0.0, 0.0))
    world.pushes.add_force(row, (1e6, 0.0, 0.0))
    world.step(DT_S)
    assert world.table.kin[row, Kin.VX] == 0.0


@settings(max_examples=25)
@given(st.tuples(*[st.floats(-3.4e38, 3.4e38)] * 3), st.floats(-3.4e38, 3.4e38))
def test_no_push_makes_the_state_infinite(hill: Town, push: tuple[float, float, float], turn: float) -> None:
    world = World(hill, episode_id=1, first_actor_id=1, frame=1)
    for number, type_id in enumerate((CAR, CONE, WALKER)):
        row = _spawn(world, type_id, above_m=1.0, x_m=50.0 + 10.0 * number)
        for _ in range(3):
            world.pushes.add_impulse(row, push, turn)
            world.pushes.add_force(row, push, turn)
            world.pushes.add_force(row, push, world.pushes.lever_nm(row, push, push))
    _run(world, 0.2)
    assert np.isfinite(world.table.kin).all() and np.isfinite(world.table.spin_dps).all()


# --- kept velocities -------------------------------------------------------------------------------------------------


def test_a_kept_velocity_is_kept_whatever_the_control_says(world: World) -> None:
    row = _spawn(world, CAR)
    world.table.keeps_velocity[row], world.table.kept_mps[row] = True, (6.0, 0.0, 0.0)
    world.table.control[row] = 0.0, 0.0, 1.0
    _run(world, 1.0)
    assert world.table.kin[row, Kin.X] == pytest.approx(56.0)
    assert world.table.kin[row, Kin.VX] == pytest.approx(6.0)
    world.table.control[row] = 0.0, 0.3, 0.0
    _run(world, 1.0)
    yaw_rad = math.radians(world.table.kin[row, Kin.YAW])
    assert yaw_rad > 0.1  # the steering works
    course_rad = math.atan2(world.table.kin[row, Kin.VY], world.table.kin[row, Kin.VX])
    assert course_rad == pytest.approx(yaw_rad)
    world.table.keeps_velocity[row] = False
    world.table.control[row] = 0.0, 0.0, 1.0
    _run(world, 1.5)
    assert world.table.kin[row, Kin.VX] == 0.0


# --- what a prop weighs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("named", "mass_kg", "moves"), [("12.5", 12.5, True), ("3.0f", 3.0, True), ("", 3.84, False)])
def test_a_prop_weighs_what_a_client_says_or_what_its_size_says(named: str, mass_kg: float, moves: bool) -> None:
    info = ActorInfo(
        id=1, type_id="static.prop.mesh", kind=Kind.PROP, attributes={"mass": named}, box_half_m=(0.2, 0.2, 0.2)
    )
    assert prop_body(info) == (pytest.approx(mass_kg), moves)


@pytest.mark.parametrize("named", ["heavy", "-1", "nan", "inf", "1e9"])
def test_a_mass_that_is_none_is_refused(named: str) -> None:
    with pytest.raises(SimError, match="mass is"):
        prop_body(ActorInfo(id=1, type_id="static.prop.mesh", kind=Kind.PROP, attributes={"mass": named}))
