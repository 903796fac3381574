"""Friction areas: who is inside, and what the tyres hold there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import SimError
from harness.sim.world.friction import tuning_on
from harness.sim.world.town import Town
from harness.sim.world.vehicle_dynamics import GRIP_MPS2, REFERENCE
from harness.sim.world.world import World

CAR, AREA = "vehicle.audi.tt", "static.trigger.friction"
# A place on the straight of the repository's town, along x.
X_M, Y_M = 480.0, -184.75
DT_S = 0.05
ICE = {"friction": "0.35", "extent_x": "1000", "extent_y": "200", "extent_z": "200"}


@pytest.fixture
def street(borough: Town) -> World:
    return World(borough, episode_id=1, first_actor_id=1, frame=1)


def spawn_car(world: World, x_m: float = X_M, y_m: float = Y_M) -> int:
    row = world.table.row(world.spawn(CAR, {}, (x_m, y_m, 0.0, 0.0, 0.0, 0.0)).id)
    assert row is not None
    return row


def is_slippery(world: World, row: int) -> bool:
    rows = np.array([row])
    return tuning_on(world.table, rows, REFERENCE) is not REFERENCE


def stopping_distance_m(world: World, row: int) -> float:
    world.table.set_velocity(row, (8.0, 0.0, 0.0))
    world.table.control[row] = 0.0, 0.0, 1.0
    from_x_m = float(world.table.kin[row, 0])
    for _ in range(300):
        world.step(DT_S)
        if world.table.along_mps[row] == 0.0:
            return float(world.table.kin[row, 0]) - from_x_m
    raise AssertionError("the car does not stop")


def test_without_areas_nothing_is_touched(street: World) -> None:
    assert not is_slippery(street, spawn_car(street))


@pytest.mark.parametrize(
    ("x_m", "y_m", "yaw_deg", "inside"),
    [
        (X_M + 9.9, Y_M, 0.0, True),
        (X_M + 10.1, Y_M, 0.0, False),
        (X_M, Y_M + 2.1, 0.0, False),
        (X_M, Y_M + 9.0, 90.0, True),
        (X_M + 2.1, Y_M, 90.0, False),
        (X_M + 6.0, Y_M + 6.0, 45.0, True),
        (X_M + 8.0, Y_M + 8.0, 45.0, False),
        (X_M + 6.0, Y_M - 6.0, 45.0, False),
    ],
)
def test_an_area_is_a_turned_box(street: World, x_m: float, y_m: float, yaw_deg: float, inside: bool) -> None:
    row = spawn_car(street, x_m, y_m)
    street.spawn(AREA, ICE, (X_M, Y_M, 0.0, 0.0, yaw_deg, 0.0))
    assert is_slippery(street, row) is inside


@pytest.mark.parametrize(("z_m", "inside"), [(1.9, True), (2.1, False), (-3.3, True), (-3.6, False)])
def test_an_area_counts_at_its_own_height(street: World, z_m: float, inside: bool) -> None:
    # The car's body is 1.39 m high and the area reaches 2 m up and down.
    row = spawn_car(street)
    street.spawn(AREA, ICE, (X_M, Y_M, -z_m, 0.0, 0.0, 0.0))
    assert is_slippery(street, row) is inside


def test_ice_takes_grip_and_brakes_and_leaves_those_outside_alone(street: World) -> None:
    rows = np.array([spawn_car(street), spawn_car(street, X_M + 50.0)])
    street.spawn(AREA, ICE, (X_M, Y_M, 0.0, 0.0, 0.0, 0.0))
    tuning = tuning_on(street.table, rows, REFERENCE)
    assert np.asarray(tuning.grip_mps2) == pytest.approx([0.1 * GRIP_MPS2, GRIP_MPS2])
    assert np.asarray(tuning.limit_mps2) == pytest.approx([0.1 * GRIP_MPS2, np.inf])


def test_where_areas_overlap_the_last_one_counts(street: World) -> None:
    rows = np.array([spawn_car(street)])
    for friction in ("0.35", "0.7"):
        street.spawn(AREA, ICE | {"friction": friction}, (X_M, Y_M, 0.0, 0.0, 0.0, 0.0))
    assert np.asarray(tuning_on(street.table, rows, REFERENCE).grip_mps2) == pytest.approx([0.2 * GRIP_MPS2])


def test_it_takes_far_longer_to_stop_on_ice(street: World) -> None:
    dry_m = stopping_distance_m(street, spawn_car(street))
    for info in list(street.table.info.values()):
        street.destroy(info.id)
    row = spawn_car(street)
    street.spawn(AREA, ICE | {"extent_x": "100000"}, (X_M, Y_M, 0.0, 0.0, 0.0, 0.0))
    assert stopping_distance_m(street, row) > 5.0 * dry_m


@pytest.mark.parametrize("wrong", [{"friction": "nan"}, {"friction": "0"}, {"extent_x": "1e9"}, {"extent_z": "wide"}])
def test_numbers_that_make_no_sense_are_refused(street: World, wrong: dict[str, str]) -> None:
    count = len(street.table)
    with pytest.raises(SimError, match="expected a number in"):
        street.spawn(AREA, ICE | wrong, (X_M, Y_M, 0.0, 0.0, 0.0, 0.0))
    assert len(street.table) == count
