"""What happens when solid things meet: who touches whom, the push, and the collisions to report.

Contacts are found by `harness.sim.world.collisions` and solved by `harness.sim.world.response`, those of walkers by
`harness.sim.world.walkers`; here they act on the actors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.collisions import Boxes, Contacts, candidate_pairs, find_contacts
from harness.sim.world.poses import Pose
from harness.sim.world.response import Bodies, closing_mps, part, solve_impulses
from harness.sim.world.town import POLE_HALF_M, POLE_HEIGHT_M
from harness.sim.world.walkers import bump

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_CLOSING_REPORTED_MPS = 0.05
# Yaw that a push makes relative to a free box: tyres hold most of it.
_SPIN_SHARE = 0.3
_MAX_SPIN_DPS = 180.0
# A spawn pose may be this much too high or too low: the road sets the height at the next tick.
_SPAWN_TOLERANCE_M = 1.0
# What overlaps without having come at each other, such as after a teleport, parts at this speed.
_PARTING_MPS = 4.0
# Corners of a pole are not further from its foot.
_POLE_RADIUS_M = POLE_HALF_M * 1.5
# More touch only where a client has put a crowd on one place; the deepest are parted first.
_MOST_CONTACTS = 2_000


@dataclass(frozen=True)
class Collision:
    """`this` was hit by `other`; ids of actors, impulse on `this` [N s] in the world frame."""

    this: int
    other: int
    impulse_ns: tuple[float, float, float]


class Impacts:
    """The solid things of an episode.

    Args:
        table: actors; vehicles, walkers and props are solid, those with physics can be pushed.
        poles_m: (P, 3) feet of the poles.
        pole_ids: actor ids of the lights and signs on them.
    """

    def __init__(self, table: ActorTable, poles_m: NDArray[np.float64], pole_ids: Sequence[int]) -> None:
        self._table = table
        self._pole_ids = np.array(pole_ids, np.uint32)
        self._pole_boxes = _pole_boxes(poles_m)
        self._pole_tree = _pole_tree(poles_m)
        self._touching: set[tuple[int, int]] = set()

    def is_free(self, info: ActorInfo, pose: Pose) -> bool:
        """Return whether nothing solid is where an actor is to be spawned."""
        yaw_rad, (x_m, y_m, z_m), half_m = math.radians(pose[4]), info.box_centre_m, info.box_half_m
        cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
        new = Boxes(
            centre_m=np.array([[pose[0] + x_m * cos - y_m * sin, pose[1] + x_m * sin + y_m * cos]]),
            yaw_rad=np.array([yaw_rad]),
            half_m=np.array([half_m[:2]]),
            bottom_m=np.array([pose[2] + z_m - half_m[2] - _SPAWN_TOLERANCE_M]),
            top_m=np.array([pose[2] + z_m + half_m[2] + _SPAWN_TOLERANCE_M]),
        )
        both = _concatenate(new, self._boxes_around(new.centre_m[0], math.hypot(half_m[0], half_m[1])))
        others = np.arange(1, len(both.yaw_rad))
        return len(find_contacts(both, np.zeros(len(others), np.intp), others).first) == 0

    def _boxes_around(self, centre_m: NDArray[np.float64], radius_m: float) -> Boxes:
        """Return the boxes of everything solid that can reach into a circle."""
        table, rows = self._table, self._touchable_rows()
        # An actor's box is not centred on its origin: what lies between them counts to its reach.
        reach_m = np.hypot(*table.box_half_m[rows, :2].T) + np.hypot(*table.box_centre_m[rows, :2].T) + radius_m
        offset_m = table.kin[rows, : Kin.Z] - centre_m
        actors = self._actor_boxes(rows[(np.abs(offset_m) <= reach_m[:, None]).all(axis=1)])
        if self._pole_tree is None:
            return actors
        poles = self._pole_tree.query_ball_point(centre_m, radius_m + _POLE_RADIUS_M)
        return _concatenate(actors, self._pole_boxes.take(np.array(poles, np.intp)))

    def step(self, dt_s: float) -> list[Collision]:
        """Push what touches apart and return the collisions that began or press."""
        rows = self._touchable_rows()
        movers = self._table.simulates_physics[rows]
        if not movers.any() or len(rows) + len(self._pole_ids) < 2:
            self._touching = set()
            return []
        boxes = _concatenate(self._actor_boxes(rows), self._pole_boxes)
        first, second = candidate_pairs(boxes.take(np.arange(len(rows))), movers)
        pole_first, pole_second = self._near_poles(boxes, np.flatnonzero(movers), len(rows))
        first, second = np.concatenate([first, pole_first]), np.concatenate([second, pole_second])
        contacts = find_contacts(boxes, first, second, self._approach(rows, movers, first, second))
        if not len(contacts.first):
            self._touching = set()
            return []
        if len(contacts.first) > _MOST_CONTACTS:
            deepest = np.zeros(len(contacts.first), np.bool_)
            deepest[np.argsort(-contacts.depth_m, kind="stable")[:_MOST_CONTACTS]] = True
            contacts = contacts.take(deepest)
        return self._solve(rows, boxes, contacts, dt_s)

    def _touchable_rows(self) -> NDArray[np.intp]:
        table = self._table
        rows = table.solid_rows
        gone = table.is_intangible[rows] | table.is_dormant[rows] | (table.fallen_s[rows] > 0.0)
        return rows[~gone] if gone.any() else rows

    def _actor_boxes(self, rows: NDArray[np.intp]) -> Boxes:
        table = self._table
        kin, offset, half = table.kin[rows], table.box_centre_m[rows], table.box_half_m[rows]
        yaw_rad = np.radians(kin[:, Kin.YAW])
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        centre_m = np.empty((len(rows), 2))
        centre_m[:, 0] = kin[:, Kin.X] + offset[:, 0] * cos - offset[:, 1] * sin
        centre_m[:, 1] = kin[:, Kin.Y] + offset[:, 0] * sin + offset[:, 1] * cos
        height_m = kin[:, Kin.Z] + offset[:, 2]
        # What stands on a slope reaches higher and lower with its ends.
        tilt = np.abs(np.sin(np.radians(kin[:, Kin.PITCH : Kin.ROLL + 1])))
        tall_m = half[:, 2] + tilt[:, 0] * half[:, 0] + tilt[:, 2] * half[:, 1]
        return Boxes(
            centre_m=centre_m,
            yaw_rad=yaw_rad,
            half_m=half[:, :2],
            bottom_m=height_m - tall_m,
            top_m=height_m + tall_m,
        )

    def _near_poles(
        self, boxes: Boxes, movers: NDArray[np.intp], offset: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        none = np.zeros(0, np.intp)
        if self._pole_tree is None:
            return none, none
        # The second nearest may be the one that a long vehicle touches.
        distance_m, pole = self._pole_tree.query(boxes.centre_m[movers], k=[1, 2])
        reach_m = np.hypot(boxes.half_m[movers, 0], boxes.half_m[movers, 1]) + _POLE_RADIUS_M
        mover, rank = np.nonzero(distance_m < reach_m[:, None])
        return movers[mover], pole[mover, rank] + offset

    def _approach(
        self, rows: NDArray[np.intp], movers: NDArray[np.bool_], first: NDArray[np.intp], second: NDArray[np.intp]
    ) -> NDArray[np.float64] | None:
        """Return the relative velocities of the pairs with a walker or a prop that can be pushed, zero for others."""
        table = self._table
        is_small = np.zeros(len(rows) + len(self._pole_ids), np.bool_)
        is_small[: len(rows)] = (table.kind[rows] == Kind.WALKER) | ((table.kind[rows] == Kind.PROP) & movers)
        if not is_small.any():
            return None
        velocity_mps = np.zeros((len(is_small), 2))
        velocity_mps[: len(rows)][movers] = table.kin[rows[movers], Kin.VX : Kin.VZ]
        relative_mps: NDArray[np.float64] = velocity_mps[first] - velocity_mps[second]
        relative_mps[~(is_small[first] | is_small[second])] = 0.0
        return relative_mps

    def _solve(self, rows: NDArray[np.intp], boxes: Boxes, contacts: Contacts, dt_s: float) -> list[Collision]:
        """Let the contacts act on the actors and return what to report of them."""
        bodies = self._bodies(rows, boxes)
        closing = np.maximum(closing_mps(contacts, bodies), 0.0)
        contacts = contacts.limited((closing + _PARTING_MPS) * dt_s)
        row_of = np.concatenate([rows, np.full(len(self._pole_ids), -1, np.intp)])
        ids = np.concatenate([self._table.ids[rows], self._pole_ids])
        is_walker = np.zeros(len(ids), np.bool_)
        is_walker[: len(rows)] = self._table.kind[rows] == Kind.WALKER
        before, self._touching = self._touching, set()
        bumps = is_walker[contacts.first] | is_walker[contacts.second]
        reports = self._push(rows, bodies, contacts.take(~bumps), ids, before) if not bumps.all() else []
        if bumps.any():
            contacts = contacts.take(bumps)
            impulse_ns = bump(self._table, row_of, contacts)
            # A walker that stands against something presses at every tick: that is told once.
            reports += self._report(contacts, impulse_ns, np.zeros(len(impulse_ns)), ids, before)
        return reports

    def _push(
        self,
        rows: NDArray[np.intp],
        bodies: Bodies,
        contacts: Contacts,
        ids: NDArray[np.uint32],
        before: set[tuple[int, int]],
    ) -> list[Collision]:
        table = self._table
        impulse_ns, velocity = solve_impulses(contacts, bodies)
        shift_m = part(contacts, bodies.inverse_mass[:, 0])
        touched = np.unique(np.concatenate([contacts.first, contacts.second]))
        for index in touched[bodies.inverse_mass[touched, 0] > 0.0]:
            row = int(rows[index])
            table.kin[row, :2] += shift_m[index]
            if (velocity[index] != bodies.velocity[index]).any():
                table.set_velocity(row, (velocity[index, 0], velocity[index, 1], table.kin[row, Kin.VZ]))
                spin_dps = math.degrees(velocity[index, 2])
                table.spin_dps[row] = min(max(spin_dps, -_MAX_SPIN_DPS), _MAX_SPIN_DPS)
        inverse = bodies.inverse_mass[:, 0]
        pressed_mps = impulse_ns * (inverse[contacts.first] + inverse[contacts.second])
        return self._report(contacts, impulse_ns, pressed_mps, ids, before)

    def _bodies(self, rows: NDArray[np.intp], boxes: Boxes) -> Bodies:
        """Return what the boxes weigh and how they move; what is not pushed stands like a wall, whatever it reports."""
        table = self._table
        moving = np.flatnonzero(table.simulates_physics[rows])
        rows = rows[moving]
        inverse_mass, velocity = np.zeros((len(boxes.yaw_rad), 3)), np.zeros((len(boxes.yaw_rad), 3))
        mass_kg = table.mass_kg[rows]
        inertia_kgm2 = mass_kg * (table.box_half_m[rows, 0] ** 2 + table.box_half_m[rows, 1] ** 2) / 3.0
        inverse_mass[moving, :2] = 1.0 / mass_kg[:, None]
        inverse_mass[moving, 2] = _SPIN_SHARE / inertia_kgm2
        velocity[moving, :2] = table.kin[rows, Kin.VX : Kin.VZ]
        velocity[moving, 2] = np.radians(table.spin_dps[rows])
        return Bodies(centre_m=boxes.centre_m, velocity=velocity, inverse_mass=inverse_mass)

    def _report(
        self,
        contacts: Contacts,
        impulse_ns: NDArray[np.float64],
        pressed_mps: NDArray[np.float64],
        ids: NDArray[np.uint32],
        before: set[tuple[int, int]],
    ) -> list[Collision]:
        """Return what begins or presses, and note who touches.

        Args:
            before: pairs that touched at the last tick.
        """
        reports: list[Collision] = []
        for k, (a, b) in enumerate(zip(contacts.first, contacts.second, strict=True)):
            pair = (int(ids[a]), int(ids[b]))
            self._touching.add(pair)
            x_ns, y_ns = (impulse_ns[k] * contacts.normal[k]).tolist()
            if pair not in before or pressed_mps[k] > _CLOSING_REPORTED_MPS:
                reports.append(Collision(pair[0], pair[1], (-x_ns, -y_ns, 0.0)))
                reports.append(Collision(pair[1], pair[0], (x_ns, y_ns, 0.0)))
        return reports


def _pole_boxes(feet_m: NDArray[np.float64]) -> Boxes:
    return Boxes(
        centre_m=feet_m[:, :2].copy(),
        yaw_rad=np.zeros(len(feet_m)),
        half_m=np.full((len(feet_m), 2), POLE_HALF_M),
        bottom_m=feet_m[:, 2] - 1.0,
        top_m=feet_m[:, 2] + POLE_HEIGHT_M,
    )


def _pole_tree(feet_m: NDArray[np.float64]) -> cKDTree | None:
    from scipy.spatial import cKDTree

    return cKDTree(feet_m[:, :2]) if len(feet_m) else None


def _concatenate(first: Boxes, second: Boxes) -> Boxes:
    return Boxes(
        centre_m=np.concatenate([first.centre_m, second.centre_m]),
        yaw_rad=np.concatenate([first.yaw_rad, second.yaw_rad]),
        half_m=np.concatenate([first.half_m, second.half_m]),
        bottom_m=np.concatenate([first.bottom_m, second.bottom_m]),
        top_m=np.concatenate([first.top_m, second.top_m]),
    )
