"""Contacts of boxes against shapely, and what they do to actors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely import Polygon

from harness.sim.world.actors import ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.collisions import Boxes, candidate_pairs, find_contacts
from harness.sim.world.impacts import Impacts
from harness.sim.world.town import POLE_HALF_M

DT_S = 0.05
BOX = st.tuples(
    st.floats(-8, 8), st.floats(-8, 8), st.floats(-3.2, 3.2), st.floats(0.1, 4.0), st.floats(0.1, 2.0)
)  # x, y [m], yaw [rad], half sizes [m]


def _boxes(*boxes: tuple[float, ...], bottom_m: Any = 0.0, top_m: Any = 1.0) -> Boxes:
    table = np.array(boxes)
    return Boxes(
        centre_m=table[:, :2],
        yaw_rad=table[:, 2],
        half_m=table[:, 3:5],
        bottom_m=np.broadcast_to(np.asarray(bottom_m, float), len(boxes)),
        top_m=np.broadcast_to(np.asarray(top_m, float), len(boxes)),
    )


def _polygon(box: tuple[float, ...]) -> Polygon:
    x, y, yaw, length, width = box
    forward = np.array([np.cos(yaw), np.sin(yaw)]) * length
    right = np.array([-np.sin(yaw), np.cos(yaw)]) * width
    centre = np.array([x, y])
    return Polygon([centre + a * forward + b * right for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))])


def _approach(a: tuple[float, ...], b: tuple[float, ...], velocity: tuple[float, float]) -> Any:
    return find_contacts(_boxes(a, b), *_pair(), np.array([velocity]))


@pytest.mark.parametrize(
    ("velocity_mps", "normal"), [((20.0, 0.0), (1.0, 0.0)), ((0.0, 5.0), (0.0, 1.0)), ((-20.0, 0.0), (0.0, 1.0))]
)
def test_the_side_that_was_hit_is_the_one_that_came_to_overlap_last(
    velocity_mps: tuple[float, float], normal: tuple[float, float]
) -> None:
    car, walker = (0.0, 0.0, 0.0, 2.0, 1.0), (1.4, 0.9, 0.0, 0.2, 0.2)  # 0.8 m deep along x, 0.3 m along y
    assert _approach(car, walker, velocity_mps).normal[0].tolist() == pytest.approx(normal)
    assert _approach(car, walker, (0.0, 0.0)).normal[0].tolist() == pytest.approx((0.0, 1.0))


def _pair(count: int = 2) -> tuple[Any, Any]:
    first, second = np.triu_indices(count, 1)
    return first, second


@given(BOX, BOX)
def test_contacts_are_those_of_the_polygons(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    contacts = find_contacts(_boxes(a, b), *_pair())
    area_m2, gap_m = _polygon(a).intersection(_polygon(b)).area, _polygon(a).distance(_polygon(b))
    if area_m2 > 1e-6:
        assert len(contacts.first) == 1
    elif gap_m > 1e-6:
        assert len(contacts.first) == 0


@given(BOX, BOX)
def test_moving_by_the_depth_along_the_normal_parts_the_boxes(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    contacts = find_contacts(_boxes(a, b), *_pair())
    if len(contacts.first):
        assert np.hypot(*contacts.normal[0]) == pytest.approx(1.0)
        shift = contacts.normal[0] * (contacts.depth_m[0] + 1e-6)
        moved = (b[0] + shift[0], b[1] + shift[1], *b[2:])
        assert _polygon(a).intersection(_polygon(moved)).area < 1e-5


@given(st.lists(BOX, min_size=2, max_size=12), st.data())
def test_no_overlapping_pair_with_a_mover_escapes_the_first_look(boxes: list[tuple[float, ...]], data: Any) -> None:
    movers = np.array(data.draw(st.lists(st.booleans(), min_size=len(boxes), max_size=len(boxes))))
    first, second = candidate_pairs(_boxes(*boxes), movers)
    found = list(zip(first.tolist(), second.tolist(), strict=True))
    assert found == sorted(set(found))
    assert all(a < b and (movers[a] or movers[b]) for a, b in found)
    for a in range(len(boxes)):
        for b in range(a + 1, len(boxes)):
            overlapping = _polygon(boxes[a]).intersection(_polygon(boxes[b])).area > 1e-6
            if overlapping and (movers[a] or movers[b]):
                assert (a, b) in found


@pytest.mark.parametrize(("bottom_m", "touching"), [(0.0, True), (0.9, True), (1.1, False), (-2.0, False)])
def test_boxes_above_each_other_do_not_touch(bottom_m: float, touching: bool) -> None:
    box = (0.0, 0.0, 0.0, 2.0, 1.0)
    boxes = _boxes(box, box, bottom_m=[0.0, bottom_m], top_m=[1.0, bottom_m + 1.0])
    assert (len(find_contacts(boxes, *_pair()).first) == 1) == touching


# --- on actors -------------------------------------------------------------------------------------------------------


def _table(*cars: tuple[float, float], kind: Kind = Kind.VEHICLE) -> ActorTable:
    """Return cars along x: (x [m], speed [m/s])."""
    table = ActorTable()
    for number, (x_m, speed_mps) in enumerate(cars, start=1):
        info = ActorInfo(
            id=number, type_id="car", kind=kind, box_half_m=(2.0, 1.0, 0.75), box_centre_m=(0.0, 0.0, 0.75)
        )
        row = table.add(info, np.array([x_m, 0.0, 0.0, 0.0, 0.0, 0.0]))
        table.mass_kg[row], table.simulates_physics[row] = 1000.0, True
        table.set_velocity(row, (speed_mps, 0.0, 0.0))
    return table


def _no_poles() -> Any:
    return np.zeros((0, 3))


def test_a_hit_is_reported_to_both_and_parts_them() -> None:
    table = _table((0.0, 10.0), (3.5, 0.0))
    reports = Impacts(table, _no_poles(), []).step(DT_S)
    assert [(r.this, r.other) for r in reports] == [(1, 2), (2, 1)]
    assert reports[0].impulse_ns[0] == pytest.approx(-5500.0)
    assert reports[1].impulse_ns[0] == pytest.approx(5500.0)
    assert table.kin[:, Kin.VX].tolist() == pytest.approx([4.5, 5.5])
    assert table.kin[1, Kin.X] - table.kin[0, Kin.X] == pytest.approx(4.0)
    assert abs(table.spin_dps).max() < 1e-9  # a straight hit turns nobody


def test_a_hit_beside_the_middle_makes_both_spin() -> None:
    table = _table((0.0, 10.0), (3.5, 0.0))
    table.kin[1, Kin.Y] = 1.5
    table.kin[1, Kin.YAW] = 30.0
    Impacts(table, _no_poles(), []).step(DT_S)
    assert table.spin_dps[0] != 0.0 and table.spin_dps[1] != 0.0


def test_contact_that_goes_on_without_pressing_is_reported_once() -> None:
    table = _table((0.0, 0.0), (3.999, 0.0))
    impacts = Impacts(table, _no_poles(), [])
    assert len(impacts.step(DT_S)) == 2
    for _ in range(20):
        table.kin[1, Kin.X] = table.kin[0, Kin.X] + 3.999
        assert impacts.step(DT_S) == []


def test_only_vehicles_with_physics_are_pushed() -> None:
    table = _table((0.0, 10.0), (3.5, 0.0))
    table.simulates_physics[1] = False
    Impacts(table, _no_poles(), []).step(DT_S)
    assert table.kin[1, Kin.X] == 3.5 and table.kin[1, Kin.VX] == 0.0
    assert table.kin[0, Kin.X] == pytest.approx(-0.5) and table.kin[0, Kin.VX] == pytest.approx(-1.0)


@pytest.mark.parametrize(("speed_mps", "after_mps"), [(0.0, 0.0), (10.0, -1.0)])
def test_what_is_not_pushed_is_a_wall_whatever_velocity_it_reports(speed_mps: float, after_mps: float) -> None:
    table = _table((0.0, speed_mps), (3.5, -20.0))
    table.simulates_physics[1] = False
    reports = Impacts(table, _no_poles(), []).step(DT_S)
    assert table.kin[:, Kin.VX].tolist() == pytest.approx([after_mps, -20.0])
    assert reports[1].impulse_ns[0] == pytest.approx(1000.0 * (speed_mps - after_mps))


def test_a_car_on_a_ramp_hits_the_one_below_with_its_lowered_end() -> None:
    table = _table((0.0, 5.0), (3.95, 0.0))
    table.kin[0, Kin.Z], table.kin[0, Kin.PITCH] = 1.8, -20.0
    assert len(Impacts(table, _no_poles(), []).step(DT_S)) == 2
    table.kin[0, Kin.PITCH] = 0.0
    assert Impacts(table, _no_poles(), []).step(DT_S) == []


def test_a_push_through_the_middle_leaves_the_spin() -> None:
    table = _table((0.0, 10.0), (3.5, 0.0))
    table.spin_dps[0] = 50.0
    Impacts(table, _no_poles(), []).step(DT_S)
    assert table.spin_dps.tolist() == pytest.approx([50.0, 0.0])


def test_two_things_that_nothing_moves_do_not_collide() -> None:
    table = _table((0.0, 0.0), (1.0, 0.0))
    table.simulates_physics[:] = False
    assert Impacts(table, _no_poles(), []).step(DT_S) == []


def test_a_pole_stops_a_car_and_is_named() -> None:
    table = _table((0.0, 5.0))
    reports = Impacts(table, np.array([[2.05, 0.0, 0.0], [50.0, 0.0, 0.0]]), [77, 78]).step(DT_S)
    assert [(r.this, r.other) for r in reports] == [(1, 77), (77, 1)]
    assert table.kin[0, Kin.VX] == pytest.approx(-0.5)


def _cones(table: ActorTable, *places_m: tuple[float, float]) -> None:
    for number, (x_m, y_m) in enumerate(places_m, start=100):
        info = ActorInfo(id=number, type_id="cone", kind=Kind.PROP, box_half_m=(0.2, 0.2, 0.4))
        table.add(info, np.array([x_m, y_m, 0.0, 0.0, 0.0, 0.0]))


def test_two_cones_side_by_side_stop_a_car_no_more_than_one() -> None:
    table = _table((0.0, 10.0))
    _cones(table, (2.1, -0.5), (2.1, 0.5))
    reports = Impacts(table, _no_poles(), []).step(DT_S)
    assert table.kin[0, Kin.VX : Kin.VZ].tolist() == pytest.approx([-1.0, 0.0], abs=0.1)
    assert table.kin[0, :2].tolist() == pytest.approx([-0.1, 0.0])  # the overlap once
    on_car = [report.impulse_ns[0] for report in reports if report.this == 1]
    assert max(on_car) < 0.0 and sum(on_car) == pytest.approx(-11_000.0, rel=0.01)


PLACE = st.tuples(st.floats(-2.3, 2.3), st.floats(-1.3, 1.3))


@given(
    st.floats(-20, 20),
    st.floats(-20, 20),
    st.lists(PLACE, min_size=2, max_size=6),
    st.lists(st.tuples(st.floats(-4, 4), st.floats(-2, 2), st.floats(-180, 180), st.floats(300, 4000)), max_size=3),
)
def test_no_heap_of_things_adds_kinetic_energy_or_moves_a_car_far(
    vx_mps: float,
    vy_mps: float,
    cones: list[tuple[float, float]],
    others: list[tuple[float, float, float, float]],
) -> None:
    table = _table((0.0, 0.0), *[(x_m, 0.0) for x_m, *_ in others])
    table.set_velocity(0, (vx_mps, vy_mps, 0.0))
    for row, (_, y_m, yaw_deg, mass_kg) in enumerate(others, start=1):
        table.kin[row, Kin.Y], table.kin[row, Kin.YAW], table.mass_kg[row] = y_m, yaw_deg, mass_kg
    _cones(table, *cones)
    before_j, before_m = _energy_j(table), table.kin[:, :2].copy()
    Impacts(table, _no_poles(), []).step(DT_S)
    assert _energy_j(table) <= before_j * (1.0 + 1e-9) + 1e-6
    moved_m = np.hypot(*(table.kin[:, :2] - before_m).T)
    # Two boxes of these sizes never overlap by more than this along the shortest way out.
    assert moved_m.max() <= 2.0 * np.hypot(2.0, 1.0)


def _energy_j(table: ActorTable) -> float:
    """Return the kinetic energy of cars of 4 by 2 m, turning included."""
    spin_radps = np.radians(table.spin_dps)
    speed_mps2 = table.kin[:, Kin.VX] ** 2 + table.kin[:, Kin.VY] ** 2
    return float((table.mass_kg * (speed_mps2 + 5.0 / 3.0 * spin_radps**2)).sum() / 2.0)


def test_a_place_is_free_or_taken() -> None:
    table = _table((0.0, 0.0))
    impacts = Impacts(table, np.array([[20.0, 0.0, 0.0]]), [77])
    new = ActorInfo(id=2, type_id="car", kind=Kind.VEHICLE, box_half_m=(2.0, 1.0, 0.75))
    for x_m, free in ((3.9, False), (4.1, True), (19.0, False), (30.0, True)):
        assert impacts.is_free(new, (x_m, 0.0, 0.3, 0.0, 0.0, 0.0)) == free
    assert impacts.is_free(new, (0.0, 0.0, 10.0, 0.0, 0.0, 0.0))  # on a bridge above


@given(BOX, st.lists(BOX, max_size=5), st.floats(-20.0, 20.0))
def test_a_place_is_free_if_no_polygon_reaches_into_it(
    new: tuple[float, ...], others: list[tuple[float, ...]], centre_x_m: float
) -> None:
    table = ActorTable()
    for number, (x_m, y_m, yaw_rad, *half_m) in enumerate(others, start=1):
        # The middle of its box lies before or behind its origin.
        origin_m = np.array([x_m, y_m]) - centre_x_m * np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
        box_half_m, box_centre_m = (half_m[0], half_m[1], 0.75), (centre_x_m, 0.0, 0.75)
        info = ActorInfo(id=number, type_id="car", kind=Kind.VEHICLE, box_half_m=box_half_m, box_centre_m=box_centre_m)
        table.add(info, np.array([*origin_m, 0.0, 0.0, np.degrees(yaw_rad), 0.0]))
    pole = (3.0, 1.0, 0.0, POLE_HALF_M, POLE_HALF_M)
    info = ActorInfo(id=99, type_id="car", kind=Kind.VEHICLE, box_half_m=(new[3], new[4], 0.75))
    overlaps_m2 = [_polygon(new).intersection(_polygon(other)).area for other in (*others, pole)]
    assume(not any(0.0 < area_m2 < 1e-6 for area_m2 in overlaps_m2))
    impacts = Impacts(table, np.array([[pole[0], pole[1], 0.0]]), [77])
    pose = (new[0], new[1], 0.0, 0.0, np.degrees(new[2]), 0.0)
    assert impacts.is_free(info, pose) == (not any(overlaps_m2))


# --- crowds ----------------------------------------------------------------------------------------------------------


def test_a_crowd_on_one_place_is_looked_at_with_few_neighbours_each() -> None:
    count = 1_000
    crowd = _boxes(*[(0.001 * number, 0.0, 0.0, 2.0, 1.0) for number in range(count)])
    first, second = candidate_pairs(crowd, np.ones(count, np.bool_))
    assert count < len(first) <= 24 * count
    assert (first < second).all()
    assert len(np.unique(np.stack([first, second], axis=1), axis=0)) == len(first)


def test_a_long_queue_keeps_all_its_pairs() -> None:
    count = 1_000
    queue = _boxes(*[(6.0 * number, 0.0, 0.0, 3.1, 1.0) for number in range(count)])
    first, second = candidate_pairs(queue, np.ones(count, np.bool_))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(n, n + 1) for n in range(count - 1)]
