"""The push of contacts: momentum, energy, and what several contacts at once come to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim.world.collisions import Contacts
from harness.sim.world.response import RESTITUTION, Bodies, part, solve_impulses

NUMBER = st.floats(-20, 20)
# first, second, angle of the normal [rad], depth [m], place of the contact [m]
CONTACT = st.tuples(
    st.integers(0, 4),
    st.integers(0, 4),
    st.floats(-3.2, 3.2),
    st.floats(0.001, 1.0),
    st.floats(-2, 2),
    st.floats(-2, 2),
)


def _contacts(*rows: tuple[Any, ...]) -> Contacts:
    table = np.array(rows, float).reshape(len(rows), 6)
    return Contacts(
        first=table[:, 0].astype(np.intp),
        second=table[:, 1].astype(np.intp),
        normal=np.stack([np.cos(table[:, 2]), np.sin(table[:, 2])], axis=1),
        depth_m=table[:, 3],
        point_m=table[:, 4:6],
    )


def _bodies(velocity: Any, mass_kg: Any) -> Bodies:
    """Return bodies at the origin; `mass_kg` 0 = immovable; their moment of inertia is mass times 2 m^2."""
    mass = np.array(mass_kg, float)
    inverse = np.where(mass > 0.0, 1.0 / np.maximum(mass, 1e-9), 0.0)
    return Bodies(
        centre_m=np.zeros((len(mass), 2)),
        velocity=np.array(velocity, float) * (inverse[:, None] > 0.0),
        inverse_mass=np.stack([inverse, inverse, inverse / 2.0], axis=1),
    )


def _energy_j(bodies: Bodies, velocity: Any) -> float:
    inverse = np.where(bodies.inverse_mass > 0.0, bodies.inverse_mass, np.inf)
    return float((velocity**2 / inverse).sum() / 2.0)


def test_a_straight_hit_gives_back_the_tenth_and_keeps_momentum() -> None:
    bodies = _bodies([[10.0, 0.0, 0.0], [-2.0, 0.0, 0.0]], [1000.0, 3000.0])
    impulse_ns, after = solve_impulses(_contacts((0, 1, 0.0, 0.1, 1.0, 0.0)), bodies)
    assert impulse_ns[0] == pytest.approx(1.1 * 12.0 * 750.0)
    assert after[1, 0] - after[0, 0] == pytest.approx(RESTITUTION * 12.0)
    assert 1000.0 * after[0, 0] + 3000.0 * after[1, 0] == pytest.approx(4000.0)


def test_things_that_part_get_no_push() -> None:
    bodies = _bodies([[-1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [1000.0, 1000.0])
    impulse_ns, after = solve_impulses(_contacts((0, 1, 0.0, 0.1, 0.5, 0.5)), bodies)
    assert impulse_ns.tolist() == [0.0]
    assert after.tolist() == bodies.velocity.tolist()


def test_an_immovable_pair_takes_no_impulse() -> None:
    impulse_ns, _ = solve_impulses(_contacts((0, 1, 0.0, 0.1, 0.0, 0.0)), _bodies(np.ones((2, 3)), [0.0, 0.0]))
    assert impulse_ns.tolist() == [0.0]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_same_contact_twice_is_one_push(count: int) -> None:
    bodies = _bodies([[10.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [1000.0, 0.0])
    contacts = _contacts(*[(0, 1, 0.0, 0.3, 1.0, 0.0)] * count)
    impulse_ns, after = solve_impulses(contacts, bodies)
    assert after[0].tolist() == pytest.approx([-1.0, 0.0, 0.0])
    assert impulse_ns.sum() == pytest.approx(11_000.0)
    assert part(contacts, bodies.inverse_mass[:, 0]).ravel().tolist() == pytest.approx([-0.3, 0.0, 0.0, 0.0])


def test_a_push_through_a_row_reaches_the_last() -> None:
    bodies = _bodies([[10.0, 0.0, 0.0], [0.0] * 3, [0.0] * 3], [1000.0] * 3)
    # The second pair comes first in the list, so the approach of the first shows in it only at the second pass.
    contacts = _contacts((1, 2, 0.0, 0.1, 0.0, 0.0), (0, 1, 0.0, 0.1, 0.0, 0.0))
    _, after = solve_impulses(contacts, bodies)
    assert after[2, 0] > 3.0


@given(
    st.lists(CONTACT, min_size=2, max_size=8),
    st.lists(st.tuples(NUMBER, NUMBER, st.floats(-3, 3)), min_size=5, max_size=5),
    st.lists(st.sampled_from([0.0, 300.0, 1500.0, 20_000.0]), min_size=5, max_size=5),
)
def test_any_contacts_push_apart_without_adding_energy(
    rows: list[tuple[Any, ...]], velocity: list[tuple[float, ...]], mass_kg: list[float]
) -> None:
    rows = [row for row in rows if row[0] != row[1]]
    contacts, bodies = _contacts(*rows), _bodies(velocity, mass_kg)
    impulse_ns, after = solve_impulses(contacts, bodies)
    assert (impulse_ns >= 0.0).all()
    assert _energy_j(bodies, after) <= _energy_j(bodies, bodies.velocity) * (1.0 + 1e-9) + 1e-6
    push = np.zeros((5, 2))
    np.add.at(push, contacts.second, impulse_ns[:, None] * contacts.normal)
    np.add.at(push, contacts.first, -impulse_ns[:, None] * contacts.normal)
    change = (after - bodies.velocity)[:, :2]
    assert change == pytest.approx(push * bodies.inverse_mass[:, :2], abs=1e-6)


def test_heaps_that_the_passes_do_not_settle_add_no_energy_either() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        mass_kg = generator.choice([0.0, 1.0, 300.0, 20_000.0], 4)
        ends = np.array([generator.permutation(4)[:2] for _ in range(20)])
        rest = generator.uniform((-3.2, 0.0, -2.0, -2.0), (3.2, 1.0, 2.0, 2.0), (20, 4))
        contacts, bodies = _contacts(*np.hstack([ends, rest])), _bodies(generator.uniform(-20, 20, (4, 3)), mass_kg)
        _, after = solve_impulses(contacts, bodies)
        assert _energy_j(bodies, after) <= _energy_j(bodies, bodies.velocity) * (1.0 + 1e-9)


def test_a_push_beside_the_middle_turns_by_its_lever_wherever_it_happens() -> None:
    turned = []
    for shift_m in (0.0, 500.0):
        bodies = _bodies([[10.0, 0.0, 0.0], [0.0] * 3], [1000.0, 0.0])
        bodies = Bodies(centre_m=bodies.centre_m + shift_m, velocity=bodies.velocity, inverse_mass=bodies.inverse_mass)
        contacts = _contacts((0, 1, 0.0, 0.1, 2.0 + shift_m, 1.0 + shift_m))
        impulse_ns, after = solve_impulses(contacts, bodies)
        assert after[0, 2] == pytest.approx(impulse_ns[0] / 2000.0)  # 1 m lever, 2000 kg m^2
        turned.append(after[0].tolist())
    assert turned[0] == pytest.approx(turned[1])


def test_two_that_touch_in_two_places_part_by_the_overlap() -> None:
    shift_m = part(_contacts((0, 1, 0.0, 0.3, 0.0, 0.5), (0, 1, 0.0, 0.3, 0.0, -0.5)), np.array([1e-3, 1e-3]))
    assert shift_m.ravel().tolist() == pytest.approx([-0.15, 0.0, 0.15, 0.0])


@given(
    st.lists(CONTACT, min_size=1, max_size=8), st.lists(st.sampled_from([0.0, 300.0, 1500.0]), min_size=5, max_size=5)
)
def test_no_body_is_moved_further_than_its_deepest_overlap(rows: list[tuple[Any, ...]], mass_kg: list[float]) -> None:
    rows = [row for row in rows if row[0] != row[1]]
    contacts, bodies = _contacts(*rows), _bodies(np.zeros((5, 3)), mass_kg)
    shift_m = part(contacts, bodies.inverse_mass[:, 0])
    for body in range(5):
        deepest_m = max([row[3] for row in rows if body in row[:2]], default=0.0)
        assert np.hypot(*shift_m[body]) <= deepest_m + 1e-9
