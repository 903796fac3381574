"""Contacts become infractions: once per accident, by the tick they happened in, in whatever order they arrive."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.drive.criteria.collision import Contact, Moment, judge, kind_of
from tests.unit.drive.criteria.drawn import ego_at

CAR, OTHER_CAR = 7, 8
TICK_S = 0.05


def moments(*places_m: float, speed_mps: float = 5.0, tick_s: float = TICK_S) -> dict[int, Moment]:
    """Draw the ego on the x axis, one place per frame, beginning with frame 0."""
    return {frame: Moment(frame * tick_s, ego_at(x, speed_mps=speed_mps)) for frame, x in enumerate(places_m)}


def frames_of(contacts: list[Contact], track: dict[int, Moment]) -> list[int]:
    return [infraction.frame for infraction in judge(contacts, track)]


def with_car(*frames: int, other_id: int = CAR) -> list[Contact]:
    return [Contact(frame, other_id, "vehicle.tesla.model3") for frame in frames]


@pytest.mark.parametrize(
    ("other_type", "kind"),
    [
        ("vehicle.tesla.model3", InfractionKind.COLLISION_VEHICLE),
        ("walker.pedestrian.0001", InfractionKind.COLLISION_PEDESTRIAN),
        ("static.prop.streetbarrier", InfractionKind.COLLISION_LAYOUT),
        ("static.vegetation", InfractionKind.COLLISION_LAYOUT),
        ("traffic.traffic_light", InfractionKind.COLLISION_LAYOUT),
        ("static.sidewalk", None),
        ("sensor.other.collision", None),
        ("", None),
    ],
)
def test_kind_follows_from_the_type(other_type: str, kind: InfractionKind | None) -> None:
    assert kind_of(other_type) is kind


def test_a_contact_says_what_when_and_where() -> None:
    track = {40: Moment(2.0, ego_at(12.0, -3.0, z_m=0.5))}
    (found,) = judge([Contact(40, CAR, "vehicle.tesla.model3")], track)
    assert found == Infraction(
        kind=InfractionKind.COLLISION_VEHICLE,
        frame=40,
        time_s=2.0,
        location_world=found.location_world,
        other_type="vehicle.tesla.model3",
        other_id=CAR,
    )
    place = found.location_world
    assert (place.x, place.y, place.z) == (12.0, -3.0, 0.5)


@pytest.mark.parametrize(("speed_mps", "counts"), [(0.0, 0), (0.099, 0), (0.1, 1), (5.0, 1)])
def test_a_standing_ego_is_not_to_blame(speed_mps: float, counts: int) -> None:
    assert len(judge(with_car(0), moments(0.0, speed_mps=speed_mps))) == counts


def test_a_contact_while_standing_hides_none_that_follows() -> None:
    track = moments(0.0, speed_mps=0.0) | {1: Moment(TICK_S, ego_at(0.1, speed_mps=3.0))}
    assert frames_of(with_car(0, 1), track) == [1]


@pytest.mark.parametrize(("second_x_m", "frames"), [(4.99, [0]), (5.0, [0]), (5.01, [0, 1])])
def test_within_5_m_of_the_last_one_it_is_the_same_accident(second_x_m: float, frames: list[int]) -> None:
    contacts = with_car(0) + with_car(1, other_id=OTHER_CAR)
    assert frames_of(contacts, moments(0.0, second_x_m)) == frames


def test_once_further_away_than_5_m_the_same_place_counts_again() -> None:
    contacts = with_car(0) + with_car(2, other_id=OTHER_CAR)
    assert frames_of(contacts, moments(0.0, 6.0, 1.0)) == [0, 2]


@pytest.mark.parametrize(("gap_s", "frames"), [(4.9, [0]), (5.0, [0]), (5.1, [0, 1])])
def test_the_same_actor_within_5_s_is_the_same_accident(gap_s: float, frames: list[int]) -> None:
    assert frames_of(with_car(0, 1), moments(0.0, 50.0, tick_s=gap_s)) == frames


def test_another_actor_within_5_s_counts() -> None:
    assert frames_of(with_car(0) + with_car(1, other_id=OTHER_CAR), moments(0.0, 50.0)) == [0, 1]


def test_static_things_share_the_id_zero_and_are_told_apart_by_place() -> None:
    contacts = [Contact(frame, 0, "static.wall") for frame in range(4)]
    assert frames_of(contacts, moments(0.0, 4.0, 8.0, 12.0)) == [0, 2]


def test_a_static_thing_does_not_make_the_car_before_it_unknown() -> None:
    contacts = [*with_car(0), Contact(1, 0, "static.wall"), *with_car(2)]
    assert frames_of(contacts, moments(0.0, 20.0, 40.0)) == [0, 1]


def test_a_sidewalk_counts_for_nothing_but_marks_the_place() -> None:
    contacts = [Contact(0, 0, "static.sidewalk"), *with_car(1)]
    assert frames_of(contacts, moments(0.0, 1.0)) == []
    assert frames_of(contacts, moments(0.0, 6.0)) == [1]


def test_time_decides_and_not_the_order_of_the_moments() -> None:
    track = moments(0.0, 4.0, 8.0)
    backwards = dict(reversed(track.items()))
    assert frames_of(with_car(0) + with_car(1, other_id=OTHER_CAR), backwards) == [0]


def test_contacts_outside_the_route_count_for_nothing() -> None:
    assert judge(with_car(99), moments(0.0)) == []


TRACK = {frame: Moment(frame * 0.5, ego_at(frame * 1.7, speed_mps=frame % 4 * 0.06)) for frame in range(40)}
CONTACTS = st.lists(
    st.builds(
        Contact,
        st.integers(0, 39),
        st.integers(0, 3),
        st.sampled_from(["vehicle.a", "walker.b", "static.c", "static.sidewalk"]),
    ),
    max_size=30,
    unique_by=lambda contact: (contact.frame, contact.other_id),
)


@given(CONTACTS, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(contacts: list[Contact], chance: random.Random) -> None:
    shuffled = contacts.copy()
    chance.shuffle(shuffled)
    assert judge(shuffled, TRACK) == judge(contacts, TRACK)


@given(CONTACTS)
def test_repeated_contacts_change_nothing(contacts: list[Contact]) -> None:
    assert judge(contacts + contacts, TRACK) == judge(contacts, TRACK)


def test_two_contacts_of_one_tick_are_one_accident_named_by_the_lower_id() -> None:
    contacts = with_car(0, other_id=OTHER_CAR) + with_car(0)
    assert [found.other_id for found in judge(contacts, moments(0.0))] == [CAR]
