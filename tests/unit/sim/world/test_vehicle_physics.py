"""Physics parameters: what is kept, what is refused, and what the vehicle model makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.world.actors import Kin
from harness.sim.world.vehicle_dynamics import GRIP_MPS2, REFERENCE_ROW, Tuned
from harness.sim.world.vehicle_physics import accept, reference_physics, set_physics, settings_of, tuned_columns
from harness.sim.world.vehicle_settings import VehiclePhysics, WheelPhysics
from harness.sim.world.world import World

pytestmark = pytest.mark.level_road

DT_S = 0.05
MASS_KG = 1800.0
STOCK = reference_physics(MASS_KG)
ANYTHING = st.floats(width=32)
CURVE = st.lists(st.tuples(ANYTHING, ANYTHING), max_size=20).map(tuple)
WHEEL = st.builds(WheelPhysics, *[ANYTHING] * 9)
PHYSICS = st.builds(
    VehiclePhysics,
    torque_curve=CURVE,
    max_rpm=ANYTHING,
    moi=ANYTHING,
    damping_rate_full_throttle=ANYTHING,
    damping_rate_zero_throttle_clutch_engaged=ANYTHING,
    damping_rate_zero_throttle_clutch_disengaged=ANYTHING,
    use_gear_autobox=st.booleans(),
    gear_switch_time=ANYTHING,
    clutch_strength=ANYTHING,
    final_ratio=ANYTHING,
    forward_gears=st.lists(st.tuples(ANYTHING, ANYTHING, ANYTHING), max_size=20).map(tuple),
    mass=ANYTHING,
    drag_coefficient=ANYTHING,
    center_of_mass=st.tuples(ANYTHING, ANYTHING, ANYTHING),
    steering_curve=CURVE,
    wheels=st.lists(WHEEL, max_size=6).map(tuple),
    use_sweep_wheel_collision=st.booleans(),
)


def _wheels(**changes: float) -> tuple[WheelPhysics, ...]:
    return tuple(wheel._replace(**changes) for wheel in STOCK.wheels)


# --- what is accepted ------------------------------------------------------------------------------------------------


def test_numbers_survive_the_way_through_a_float32() -> None:
    for value in (STOCK.drag_coefficient, *(v for point in STOCK.steering_curve for v in point), *STOCK.wheels[0]):
        assert float(np.float32(value)) == value


@pytest.mark.parametrize(
    "changes",
    [
        {"mass": 2500.0, "drag_coefficient": 0.5, "moi": 2.0, "use_sweep_wheel_collision": True},
        {"torque_curve": ((0.0, 100.0), (3000.0, 700.0)), "max_rpm": 9000.0, "final_ratio": 3.0},
        {"forward_gears": ((4.0, 0.4, 0.7),), "gear_switch_time": 0.0, "clutch_strength": 5.0},
        {"steering_curve": ((0.0, 1.0), (50.0, 0.2)), "center_of_mass": (0.1, 0.0, -0.3)},
        {"damping_rate_full_throttle": 1.0, "damping_rate_zero_throttle_clutch_engaged": 3.0},
        {"damping_rate_zero_throttle_clutch_disengaged": 1.0, "use_gear_autobox": False},
        {"wheels": _wheels(tire_friction=0.0, damping_rate=1.0, max_steer_angle=30.0, radius=50.0)},
        {"wheels": _wheels(max_brake_torque=0.0, max_handbrake_torque=9.0, lat_stiff_value=1.0, long_stiff_value=2.0)},
    ],
)
def test_what_a_vehicle_can_have_is_kept_as_it_is(changes: dict[str, Any]) -> None:
    wanted = STOCK._replace(**changes)
    assert accept(wanted, STOCK) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"mass": -5.0},
        {"mass": 0.0},
        {"mass": math.nan},
        {"max_rpm": math.inf},
        {"drag_coefficient": -0.3},
        {"torque_curve": ()},
        {"torque_curve": tuple((float(k), 1.0) for k in range(1000))},
        {"torque_curve": ((100.0, 1.0), (0.0, 1.0))},
        {"steering_curve": ((0.0, math.nan),)},
        {"steering_curve": ((0.0, 1.5),)},
        {"forward_gears": ()},
        {"forward_gears": ((5.0, 0.5, 0.65),) * 1000},
        {"forward_gears": ((-1.0, 0.5, 0.65),)},
        {"center_of_mass": (math.inf, 0.0, 0.0)},
        {"wheels": ()},
        {"wheels": STOCK.wheels[:3]},
        {"wheels": STOCK.wheels * 1000},
        {"wheels": _wheels(radius=0.0)},
        {"wheels": _wheels(tire_friction=math.nan)},
        {"wheels": _wheels(max_steer_angle=400.0)},
    ],
)
def test_what_no_vehicle_can_have_leaves_the_field_as_it_was(changes: dict[str, Any]) -> None:
    assert accept(STOCK._replace(moi=2.0, **changes), STOCK) == STOCK._replace(moi=2.0)


@settings(max_examples=40)
@given(PHYSICS)
def test_anything_at_all_gives_a_vehicle_that_can_drive(wanted: VehiclePhysics) -> None:
    kept = accept(wanted, STOCK)
    assert accept(kept, STOCK) == kept
    columns = tuned_columns(kept, STOCK, 3.0)
    assert (columns[:-1] >= 0.0).all() and not np.isnan(columns).any()
    assert np.isfinite(np.delete(columns, Tuned.LIMIT_MPS2)).all()


def test_unchanged_parameters_are_those_of_an_unchanged_car() -> None:
    assert tuned_columns(STOCK, STOCK, 3.0).tolist() == list(REFERENCE_ROW)


# --- what the model makes of them ------------------------------------------------------------------------------------


def _car(world: World, *, x_m: float = 50.0, speed_mps: float = 0.0, **changes: Any) -> int:
    info = world.spawn("vehicle.lincoln.mkz_2020", {}, (x_m, 1.75, 10.1, 0.0, 0.0, 0.0))
    row = world.table.row(info.id)
    assert row is not None
    world.step(DT_S)
    world.table.set_velocity(row, (speed_mps, 0.0, 0.0))
    if changes:
        set_physics(world.table, row, settings_of(world.table, row).physics._replace(**changes))
    return row


def _gained_mps2(
    world: World, speed_mps: float, control: tuple[float, float, float], *, hand_brake: bool = False, **changes: Any
) -> float:
    """Return the acceleration of a car over one tick."""
    row = _car(world, speed_mps=speed_mps, **changes)
    world.table.control[row], world.table.hand_brake[row] = control, hand_brake
    world.step(DT_S)
    gained = (float(world.table.along_mps[row]) - speed_mps) / DT_S
    world.destroy(int(world.table.ids[row]))
    return gained


FULL, COAST, BRAKE = (1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"mass": 2 * MASS_KG}, 0.5),
        ({"torque_curve": ((0.0, 250.0), (5000.0, 250.0))}, 0.5),
        ({"wheels": _wheels(radius=70.0), "max_rpm": 2900.0}, 0.5),
        ({"drag_coefficient": 0.3, "center_of_mass": (0.0, 0.0, 1.0)}, 1.0),
    ],
)
def test_mass_torque_and_radius_scale_the_driving_force(world: World, changes: dict[str, Any], share: float) -> None:
    assert _gained_mps2(world, 5.0, FULL, **changes) == pytest.approx(share * _gained_mps2(world, 5.0, FULL), rel=1e-6)


def test_a_faster_engine_pulls_to_higher_speeds(world: World) -> None:
    slow, fast = (_gained_mps2(world, 20.0, FULL, max_rpm=rpm) for rpm in (2900.0, 11_600.0))
    assert slow < _gained_mps2(world, 20.0, FULL) < fast


def test_the_tyres_hold_no_more_than_their_grip(world: World) -> None:
    assert _gained_mps2(world, 5.0, FULL, mass=100.0) == pytest.approx(GRIP_MPS2)
    strong = _wheels(max_brake_torque=90_000.0)
    assert _gained_mps2(world, 10.0, BRAKE, wheels=strong) == pytest.approx(-GRIP_MPS2)
    assert _gained_mps2(world, 10.0, BRAKE, wheels=_wheels(tire_friction=0.35)) == pytest.approx(-0.1 * GRIP_MPS2)


def test_brakes_are_as_strong_as_their_torque(world: World) -> None:
    assert _gained_mps2(world, 10.0, BRAKE, wheels=_wheels(max_brake_torque=750.0)) == pytest.approx(-3.8)
    hand = tuple(w._replace(max_handbrake_torque=2 * w.max_handbrake_torque) for w in STOCK.wheels)
    stronger = _gained_mps2(world, 10.0, COAST, hand_brake=True, wheels=hand)
    assert stronger == pytest.approx(-10.0 - 0.85)
    half = tuple(w._replace(max_handbrake_torque=0.5 * w.max_handbrake_torque) for w in STOCK.wheels)
    assert _gained_mps2(world, 10.0, COAST, hand_brake=True, wheels=half) == pytest.approx(-2.5 - 0.85)


def test_air_slows_and_never_turns_a_car_around(world: World) -> None:
    assert _gained_mps2(world, 30.0, COAST, drag_coefficient=3.0) < _gained_mps2(world, 30.0, COAST) - 1.0
    row = _car(world, speed_mps=50.0, drag_coefficient=1000.0, mass=1.0)
    for _ in range(5):
        world.step(DT_S)
        assert world.table.along_mps[row] >= 0.0


def test_on_ice_nothing_but_sliding(world: World) -> None:
    row = _car(world, speed_mps=10.0, wheels=_wheels(tire_friction=0.0))
    table = world.table
    table.control[row] = 0.0, 1.0, 1.0
    for _ in range(20):
        world.step(DT_S)
    assert table.along_mps[row] == 10.0
    assert table.kin[row, [Kin.YAW, Kin.VX, Kin.VY]].tolist() == [0.0, 10.0, 0.0]


def test_less_grip_makes_wider_turns(world: World) -> None:
    yaws = []
    for x_m, friction in ((20.0, 3.5), (60.0, 1.0)):
        row = _car(world, x_m=x_m, speed_mps=15.0, wheels=_wheels(tire_friction=friction))
        world.table.control[row] = 0.4, 0.3, 0.0
        for _ in range(10):
            world.step(DT_S)
        yaws.append(float(world.table.kin[row, Kin.YAW]))
        world.destroy(int(world.table.ids[row]))
    assert yaws[1] == pytest.approx(yaws[0] / 3.5, rel=0.1)


def test_wheel_angle_and_steering_curve_make_the_turn(world: World) -> None:
    def rate(speed_mps: float, **changes: Any) -> float:
        row = _car(world, speed_mps=speed_mps, **changes)
        world.table.control[row] = 0.05, 0.1, 0.0
        world.step(DT_S)
        found = float(world.table.kin[row, Kin.WZ])
        world.destroy(int(world.table.ids[row]))
        return found

    half = tuple(w._replace(max_steer_angle=0.5 * w.max_steer_angle) for w in STOCK.wheels)
    assert rate(2.0, wheels=half) == pytest.approx(0.5 * rate(2.0), rel=0.01)
    curve = ((0.0, 1.0), (36.0, 0.5), (72.0, 0.0))
    assert rate(20.5, steering_curve=curve) == 0.0
    assert 0.0 < rate(10.0, steering_curve=curve) < 0.65 * rate(10.0)
    assert rate(2.0, steering_curve=((0.0, 0.25),)) == pytest.approx(0.25 * rate(2.0), rel=0.05)


# --- vehicles that nobody changed ------------------------------------------------------------------------------------


def _states(world: World, rows: list[int]) -> list[list[float]]:
    generator = np.random.default_rng(3)
    for _ in range(60):
        for row in rows:
            steer, throttle, brake = generator.uniform((-0.2, 0.0, -1.0), (0.2, 1.0, 0.4))
            world.table.control[row] = throttle, steer, max(brake, 0.0)
        world.step(DT_S)
    return [world.table.kin[row].tolist() for row in rows]


def test_parameters_sent_back_as_they_were_read_change_nothing(hill: Any) -> None:
    drives = []
    for is_sent in (False, True):
        world = World(hill, episode_id=1, first_actor_id=1, frame=1)
        row = _car(world, speed_mps=12.0)
        if is_sent:
            set_physics(world.table, row, settings_of(world.table, row).physics._replace(moi=2.0))
        drives.append(_states(world, [row]))
    assert drives[0] == drives[1]


def test_a_changed_car_does_not_touch_the_others(hill: Any) -> None:
    drives = []
    for is_changed in (False, True):
        world = World(hill, episode_id=1, first_actor_id=1, frame=1)
        row = _car(world, x_m=40.0, speed_mps=12.0)
        other = _car(world, x_m=150.0)
        if is_changed:
            changed = STOCK._replace(mass=3000.0, steering_curve=((0.0, 0.1),), wheels=_wheels(tire_friction=0.5))
            set_physics(world.table, other, changed)
            world.table.manual_gear_shift[other], world.table.gear[other] = True, 3
        world.table.control[other] = 0.0, 0.0, 1.0
        drives.append(_states(world, [row]))
    assert drives[0] == drives[1]


def test_the_weight_counts_in_a_crash(world: World) -> None:
    speeds = []
    for mass in (900.0, 9000.0):
        hit, still = _car(world, x_m=50.0, speed_mps=8.0, mass=mass), _car(world, x_m=55.2)
        for _ in range(8):
            world.step(DT_S)
        speeds.append(float(world.table.kin[still, Kin.VX]))
        for actor_id in world.table.ids[[hit, still]].tolist():
            world.destroy(actor_id)
    assert speeds[1] > 1.5 * speeds[0] > 0.0


def test_a_new_car_is_a_new_car(world: World) -> None:
    row = _car(world, mass=5000.0)
    world.destroy(int(world.table.ids[row]))
    row = _car(world)
    assert settings_of(world.table, row).physics == STOCK
    assert not world.table.is_tuned[row] and world.table.mass_kg[row] == MASS_KG
