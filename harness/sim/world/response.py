"""How solid bodies part after contact: impulses against the approach, shifts against the overlap.

Contacts are solved one after the other, each on what those before it left over, so that a body held by several takes
no push twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.collisions import Contacts

Array = NDArray[np.float64]

# Share of the approach speed that comes back; cars crumple.
RESTITUTION = 0.1
# Passes over the contacts, and the change of an approach speed that ends them early.
_MOST_PASSES = 10
_SETTLED_MPS = 1e-4


@dataclass(frozen=True, kw_only=True)
class Bodies:
    """N bodies on the ground, world frame.

    Attributes:
        centre_m: (N, 2).
        velocity: (N, 3), along x and y [m/s] and about the vertical [rad/s].
        inverse_mass: (N, 3), 1 / mass [1/kg] twice and 1 / moment of inertia [1/(kg m^2)]; 0 = immovable.
    """

    centre_m: Array
    velocity: Array
    inverse_mass: Array


def solve_impulses(contacts: Contacts, bodies: Bodies) -> tuple[Array, Array]:
    """Return the impulse along each normal, (K,) [N s] and never negative, and the velocities after it, (N, 3).

    Compression is solved to the end of all approaches, then every impulse grows by the share that comes back:

        l_k' = max(l_k + (closing speed at k now) / (1/m at k), 0)         pass after pass
        push = l (1 + e)

    Each step of a pass minimizes the kinetic energy along one impulse, so compression adds none; along all impulses
    together the energy is a parabola with its minimum where compression ends, so that a little more adds none either.
    That minimum is exact once the passes settle; where they run out first, it is the tests that hold the claim.

    Source: projected Gauss-Seidel with accumulated impulses, Catto, Iterative Dynamics with Temporal Coherence, 2005;
        Poisson's law of restitution as in Mirtich, Impulse-based Dynamic Simulation, 1996, chapter 3.
    """
    directions = _directions(contacts, bodies)
    pairs = np.stack([contacts.first, contacts.second], axis=1)
    answers = directions * bodies.inverse_mass[pairs]
    inverse = np.einsum("ksc,ksc->k", directions, answers)
    impulse_ns, velocity = np.zeros(len(pairs)), bodies.velocity.copy()
    solvable = np.flatnonzero(inverse > 0.0)
    if (np.einsum("ksc,ksc->k", directions, velocity[pairs])[solvable] < 0.0).any():
        for _ in range(_MOST_PASSES):
            before_mps = impulse_ns * inverse
            _pass_over(solvable, pairs, directions, answers, inverse, impulse_ns, velocity)
            if np.abs(impulse_ns * inverse - before_mps).max() < _SETTLED_MPS:
                break
    growth = 1.0 + RESTITUTION
    return impulse_ns * growth, bodies.velocity + growth * (velocity - bodies.velocity)


def _pass_over(
    solvable: NDArray[np.intp],
    pairs: NDArray[np.intp],
    directions: Array,
    answers: Array,
    inverse: Array,
    impulse_ns: Array,
    velocity: Array,
) -> None:
    """Correct `impulse_ns` and `velocity` contact by contact, in place."""
    for k in solvable:
        pair = pairs[k]
        closing_mps = -np.vdot(directions[k], velocity[pair])
        change_ns = max(closing_mps / inverse[k], -impulse_ns[k])
        if change_ns != 0.0:
            impulse_ns[k] += change_ns
            velocity[pair] += change_ns * answers[k]


def _directions(contacts: Contacts, bodies: Bodies) -> Array:
    """Return what an impulse of one does to momentum and angular momentum of first and second; (K, 2, 3)."""
    directions = np.empty((len(contacts.first), 2, 3))
    for side, (index, sign) in enumerate(((contacts.first, -1.0), (contacts.second, 1.0))):
        lever_m, push = contacts.point_m - bodies.centre_m[index], sign * contacts.normal
        directions[:, side, :2] = push
        directions[:, side, 2] = lever_m[:, 0] * push[:, 1] - lever_m[:, 1] * push[:, 0]
    return directions


def closing_mps(contacts: Contacts, bodies: Bodies) -> Array:
    """Return how fast the sides of each contact approach each other, turning included, (K,); negative if they part."""
    pairs = np.stack([contacts.first, contacts.second], axis=1)
    closing: Array = -np.einsum("ksc,ksc->k", _directions(contacts, bodies), bodies.velocity[pairs])
    return closing


def part(contacts: Contacts, inverse_mass: Array) -> Array:
    """Return how far each of N bodies is moved so that they no longer overlap, (N, 2) [m].

    No body moves further than its deepest overlap; what is left of the others shows at the next tick.

    Args:
        inverse_mass: (N,) [1/kg], 0 = immovable.
    """
    shift_m, deepest_m = np.zeros((len(inverse_mass), 2)), np.zeros(len(inverse_mass))
    for k, (a, b) in enumerate(zip(contacts.first, contacts.second, strict=True)):
        normal, inverse = contacts.normal[k], inverse_mass[a] + inverse_mass[b]
        left_m = float(contacts.depth_m[k] - (shift_m[b] - shift_m[a]) @ normal)
        if inverse > 0.0 and left_m > 0.0:
            shift_m[a] -= inverse_mass[a] / inverse * left_m * normal
            shift_m[b] += inverse_mass[b] / inverse * left_m * normal
        deepest_m[[a, b]] = np.maximum(deepest_m[[a, b]], contacts.depth_m[k])
    length_m = np.hypot(shift_m[:, 0], shift_m[:, 1])
    bounded: Array = shift_m * np.minimum(1.0, deepest_m / np.maximum(length_m, 1e-12))[:, None]
    return bounded
