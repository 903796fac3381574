"""Turns at stop and yield signs: drawn places first, then those of the repository's own town."""

from __future__ import annotations

from collections.abc import Mapping

import carla
import numpy as np
import pytest

from harness.sim.world.right_of_way import RightOfWay, SignedJunctions
from harness.sim.world.signals import STOP_TYPE, YIELD_TYPE
from harness.sim.world.town import Town

DT_S = 0.05
# Lane samples of a drawn town: what each number means.
OPEN, STOP_NORTH, STOP_EAST, YIELD, INSIDE, MAJOR_NEAR, MAJOR_6M, MAJOR_40M, OTHER_STOP = range(9)
PLACES = SignedJunctions(
    waiting=np.array([-1, 7, 7, 7, -1, -1, -1, -1, 8]),
    wait_s=np.array([0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]),
    inside=np.array([-1, -1, -1, -1, 7, -1, -1, -1, -1]),
    major=np.array([-1, -1, -1, -1, -1, 7, 7, 7, -1]),
    major_m=np.array([np.inf, np.inf, np.inf, np.inf, np.inf, 20.0, 6.0, 40.0, np.inf]),
)
Places = Mapping[int, int | tuple[int, float]]


class Crossing:
    """Vehicles that stand or drive on the drawn places."""

    def __init__(self, places: SignedJunctions = PLACES) -> None:
        self._right_of_way = RightOfWay(places)

    def held(self, vehicles: Places, seconds: float = DT_S) -> set[int]:
        """Let time pass with vehicles (id -> place or (place, speed)) and return who has to wait at its end."""
        rows = {key: value if isinstance(value, tuple) else (value, 0.0) for key, value in vehicles.items()}
        ids = np.array(list(rows), np.uint32)
        here = np.array([place for place, _ in rows.values()], np.intp)
        speed = np.array([speed_mps for _, speed_mps in rows.values()])
        held = np.zeros(len(ids), np.bool_)
        for _ in range(round(seconds / DT_S)):
            held = self._right_of_way.step(ids, here, here, speed, DT_S)
        assert held.shape == (len(ids),)
        return set(ids[held].tolist())


# --- one vehicle ------------------------------------------------------------------------------------------------------


def test_a_vehicle_waits_two_seconds_at_a_stop_sign() -> None:
    crossing = Crossing()
    assert crossing.held({1: STOP_NORTH}, 1.9) == {1}
    assert crossing.held({1: STOP_NORTH}, 0.2) == set()


def test_a_vehicle_yields_without_waiting_where_nobody_comes() -> None:
    assert Crossing().held({1: YIELD}) == set()


def test_only_who_is_at_a_sign_can_be_held() -> None:
    assert Crossing().held({1: OPEN, 2: INSIDE, 3: MAJOR_6M, 4: STOP_EAST}, 1.0) == {4}


def test_the_sign_counts_as_soon_as_the_front_reaches_it() -> None:
    right_of_way = RightOfWay(PLACES)
    here, ahead = np.array([OPEN, STOP_NORTH]), np.array([STOP_NORTH, INSIDE])
    held = right_of_way.step(np.array([1, 2], np.uint32), here, ahead, np.zeros(2), DT_S)
    assert held.tolist() == [True, True]


# --- several ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_first_come_first_served_whatever_the_ids(first: int, second: int) -> None:
    crossing = Crossing()
    assert crossing.held({first: STOP_NORTH}, 0.5) == {first}
    both: Places = {1: STOP_NORTH if first == 1 else STOP_EAST, 2: STOP_NORTH if first == 2 else STOP_EAST}
    assert crossing.held(both, 1.4) == {1, 2}
    assert crossing.held(both, 0.3) == {second}
    # Both have waited for long; the second still waits for the first to use its turn.
    assert crossing.held(both, 3.0) == {second}
    assert crossing.held({second: STOP_EAST, first: INSIDE}, 1.0) == {second}
    assert crossing.held({second: STOP_EAST, first: OPEN}) == set()


def test_junctions_do_not_wait_for_each_other() -> None:
    assert Crossing().held({1: STOP_NORTH, 2: OTHER_STOP}, 2.2) == set()


def test_who_need_not_wait_goes_before_who_still_has_to() -> None:
    crossing = Crossing()
    assert crossing.held({1: STOP_NORTH}, 1.0) == {1}
    assert crossing.held({1: STOP_NORTH, 2: YIELD}) == {1}


@pytest.mark.parametrize(
    ("other", "is_held"),
    [
        ((INSIDE, 0.0), True),
        ((INSIDE, 5.0), True),
        ((MAJOR_NEAR, 10.0), True),  # there in 2 s
        ((MAJOR_NEAR, 5.1), True),  # 3.9 s
        ((MAJOR_NEAR, 4.9), False),  # 4.1 s
        ((MAJOR_NEAR, 0.0), False),  # stands far off
        ((MAJOR_6M, 0.0), True),  # stands right before the junction
        ((MAJOR_40M, 14.0), True),
        ((MAJOR_40M, 9.0), False),
        ((OPEN, 10.0), False),
    ],
)
@pytest.mark.parametrize("sign", [YIELD, STOP_NORTH])
def test_who_is_inside_or_comes_soon_with_priority_goes_first(
    sign: int, other: tuple[int, float], is_held: bool
) -> None:
    crossing = Crossing()
    assert crossing.held({1: sign, 2: other}, 3.0) == ({1} if is_held else set())
    assert crossing.held({1: sign, 2: OPEN}) == set()


def test_whoever_is_next_is_not_overtaken_while_the_junction_is_busy() -> None:
    crossing = Crossing()
    crossing.held({1: STOP_NORTH, 9: INSIDE}, 0.5)
    assert crossing.held({1: STOP_NORTH, 2: STOP_EAST, 9: INSIDE}, 4.0) == {1, 2}
    assert crossing.held({1: STOP_NORTH, 2: STOP_EAST}) == {2}


def test_an_unused_turn_goes_to_the_end_of_the_queue() -> None:
    crossing = Crossing()
    crossing.held({1: STOP_NORTH}, 0.5)
    both: Places = {1: STOP_NORTH, 2: STOP_EAST}
    assert crossing.held(both, 2.0) == {2}
    assert crossing.held(both, 5.0) == {2}
    assert crossing.held(both, 1.2) == {1}
    # And back again: nobody is forgotten.
    assert crossing.held(both, 6.2) == {2}


def test_an_unused_turn_at_a_yield_sign_is_lost_too() -> None:
    crossing = Crossing()
    crossing.held({1: YIELD})
    assert crossing.held({1: YIELD, 2: YIELD}, 5.5) == {2}
    assert crossing.held({1: YIELD, 2: YIELD}, 0.8) == {1}


def test_who_vanishes_is_forgotten() -> None:
    crossing = Crossing()
    crossing.held({1: STOP_NORTH}, 0.5)
    assert crossing.held({1: STOP_NORTH, 2: STOP_EAST}, 2.2) == {2}
    assert crossing.held({2: STOP_EAST}) == set()  # 1 had the turn and is gone
    assert crossing.held({1: STOP_NORTH}, 1.9) == {1}  # comes back: waits again
    assert crossing.held({}) == set()
    assert crossing.held({1: STOP_NORTH}, 1.9) == {1}


def test_without_signs_nobody_is_held() -> None:
    nothing = np.full(9, -1)
    none = SignedJunctions(
        waiting=nothing, wait_s=np.zeros(9), inside=nothing, major=nothing, major_m=np.full(9, np.inf)
    )
    assert Crossing(none).held({place: place for place in range(9)}, 1.0) == set()


def test_the_same_calls_give_the_same_turns() -> None:
    def story() -> list[bool]:
        generator, right_of_way, answers = np.random.default_rng(4), RightOfWay(PLACES), []
        place = np.zeros(6, np.intp)
        for tick in range(400):
            if tick % 20 == 0:
                place = generator.integers(0, 9, 6)
            ids = np.arange(1, 7, dtype=np.uint32)
            answers += right_of_way.step(ids, place, place, generator.uniform(0.0, 10.0, 6), DT_S).tolist()
        return answers

    first = story()
    assert first == story()
    assert {True, False} == set(first)


# --- Borough01 --------------------------------------------------------------------------------------------------------


def junction_at(town: Town, x_m: float, y_m: float) -> int:
    """Return the id of the junction around a place."""
    waypoint = carla.Map(town.name, town.opendrive).get_waypoint(carla.Location(x_m, y_m, 0.0))
    assert waypoint.is_junction
    return int(waypoint.junction_id)


def test_every_sign_has_waiting_places_right_before_its_line(borough: Town) -> None:
    signs = [sign for sign in borough.signs if sign.type in (STOP_TYPE, YIELD_TYPE)]
    assert {sign.type for sign in signs} == {STOP_TYPE, YIELD_TYPE}
    places, lanes = borough.signed_junctions, borough.lanes
    for sign in signs:
        for line in sign.stop_lines:
            away = lanes.xy_m - np.array([line.x_m, line.y_m])
            yaw_rad = np.radians(line.yaw_deg)
            ahead_m = away[:, 0] * np.cos(yaw_rad) + away[:, 1] * np.sin(yaw_rad)
            across_m = away[:, 1] * np.cos(yaw_rad) - away[:, 0] * np.sin(yaw_rad)
            near = (np.abs(across_m) < 1.0) & (ahead_m > -4.0) & (ahead_m < 0.5) & ~lanes.is_junction
            assert near.sum() >= 4
            assert (places.waiting[near] == line.junction_id).all()
            assert (places.wait_s[near] == (2.0 if sign.type == STOP_TYPE else 0.0)).all()


def test_waiting_places_and_the_inside_of_a_junction_are_apart(borough: Town) -> None:
    places, lanes = borough.signed_junctions, borough.lanes
    assert not lanes.is_junction[places.waiting >= 0].any()
    assert lanes.is_junction[places.inside >= 0].all()
    carla_map = carla.Map(borough.name, borough.opendrive)
    signed = set(places.waiting[places.waiting >= 0].tolist())
    for row in np.flatnonzero(lanes.is_junction):
        road, lane, s_m = int(lanes.road_id[row]), int(lanes.lane_id[row]), float(lanes.s_m[row])
        junction = carla_map.get_waypoint_xodr(road, lane, s_m).junction_id
        assert places.inside[row] == (junction if junction in signed else -1)
    assert not lanes.is_junction[places.major >= 0].any()
    assert not ((places.waiting >= 0) & (places.major == places.waiting)).any()
    assert set(places.inside[places.inside >= 0]) == set(places.waiting[places.waiting >= 0])


def test_no_place_between_the_line_and_the_junction_is_free(borough: Town) -> None:
    # Whoever leaves the area of a sign is inside: the next in the queue may not slip in behind his back.
    places, lanes = borough.signed_junctions, borough.lanes
    carla_map = carla.Map(borough.name, borough.opendrive)
    for entry, _ in carla_map.get_topology():
        behind = entry.previous(1.0)
        if not entry.is_junction or not behind:
            continue
        way = [entry.previous(0.2 * step)[0] for step in range(15, 0, -1)]
        way += [entry, *(entry.next(0.2 * step)[0] for step in range(1, 10))]
        xy = np.array([(w.transform.location.x, w.transform.location.y) for w in way])
        rows = lanes.nearest(xy, np.array([w.transform.rotation.yaw for w in way]))
        if not (places.waiting[rows] == entry.junction_id).any():
            continue
        assert ((places.waiting[rows] == entry.junction_id) | (places.inside[rows] == entry.junction_id)).all()


def test_only_streets_without_a_sign_have_priority(borough: Town) -> None:
    places = borough.signed_junctions
    all_way_stops = {junction_at(borough, 190.0, -190.0), junction_at(borough, 430.0, 40.0)}
    with_priority = {
        junction_at(borough, 400.0, -380.0),  # chapel: stop
        junction_at(borough, 0.0, -190.0),  # quarry: stop
        junction_at(borough, 190.0, 0.0),  # school: yield
    }
    assert set(places.waiting[places.waiting >= 0]) == all_way_stops | with_priority
    assert set(places.major[places.major >= 0]) == with_priority
    for junction in with_priority:
        distance_m = places.major_m[places.major == junction]
        assert distance_m.min() <= 3.0
        assert distance_m.max() > 40.0
    assert np.isinf(places.major_m[places.major < 0]).all()
