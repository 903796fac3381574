"""What happens when solid things meet: who touches whom, the push, and the collisions to report.

Contacts are found by `harness.sim.world.collisions`; here they act on the actors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import VELOCITY, ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.collisions import Boxes, Contacts, candidate_pairs, find_contacts, impulses_ns
from harness.sim.world.poses import Pose
from harness.sim.world.town import POLE_HALF_M, POLE_HEIGHT_M

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_CLOSING_REPORTED_MPS = 0.05
# Yaw moment of a push relative to a free box: tyres hold most of it.
_SPIN_SHARE = 0.3
_MAX_SPIN_DPS = 180.0
# A spawn pose may be this much too high or too low: the road sets the height at the next tick.
_SPAWN_TOLERANCE_M = 1.0


@dataclass(frozen=True)
class Collision:
    """`this` was hit by `other`; ids of actors, impulse on `this` [N s] in the world frame."""

    this: int
    other: int
    impulse_ns: tuple[float, float, float]


class Impacts:
    """The solid things of an episode.

    Args:
        table: actors; vehicles and props are solid, vehicles with physics can be pushed.
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
        new = Boxes(
            centre_m=np.array([[pose[0], pose[1]]]),
            yaw_rad=np.radians([pose[4]]),
            half_m=np.array([info.box_half_m[:2]]),
            bottom_m=np.array([pose[2] - _SPAWN_TOLERANCE_M]),
            top_m=np.array([pose[2] + 2.0 * info.box_half_m[2] + _SPAWN_TOLERANCE_M]),
        )
        both = _concatenate(new, self._boxes())
        others = np.arange(1, len(both.yaw_rad))
        return len(find_contacts(both, np.zeros(len(others), np.intp), others).first) == 0

    def step(self) -> list[Collision]:
        """Push what touches apart and return the collisions that began or press."""
        rows = self._table.solid_rows
        movers = (self._table.kind[rows] == Kind.VEHICLE) & self._table.simulates_physics[rows]
        if not movers.any() or len(rows) + len(self._pole_ids) < 2:
            self._touching = set()
            return []
        boxes = self._boxes()
        first, second = candidate_pairs(boxes.take(np.arange(len(rows))), movers)
        pole_first, pole_second = self._near_poles(boxes, np.flatnonzero(movers), len(rows))
        contacts = find_contacts(boxes, np.concatenate([first, pole_first]), np.concatenate([second, pole_second]))
        if not len(contacts.first):
            self._touching = set()
            return []
        return self._push(boxes, contacts, movers)

    def _boxes(self) -> Boxes:
        """Return the boxes of vehicles and props, in the order of `table.solid_rows`, then of all poles."""
        table = self._table
        rows = table.solid_rows
        kin, offset, half = table.kin[rows], table.box_centre_m[rows], table.box_half_m[rows]
        yaw_rad = np.radians(kin[:, Kin.YAW])
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        centre_m = np.empty((len(rows), 2))
        centre_m[:, 0] = kin[:, Kin.X] + offset[:, 0] * cos - offset[:, 1] * sin
        centre_m[:, 1] = kin[:, Kin.Y] + offset[:, 0] * sin + offset[:, 1] * cos
        height_m = kin[:, Kin.Z] + offset[:, 2]
        actors = Boxes(
            centre_m=centre_m,
            yaw_rad=yaw_rad,
            half_m=half[:, :2],
            bottom_m=height_m - half[:, 2],
            top_m=height_m + half[:, 2],
        )
        return _concatenate(actors, self._pole_boxes)

    def _near_poles(
        self, boxes: Boxes, movers: NDArray[np.intp], offset: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        none = np.zeros(0, np.intp)
        if self._pole_tree is None:
            return none, none
        distance_m, pole = self._pole_tree.query(boxes.centre_m[movers], k=1)
        near = distance_m < np.hypot(boxes.half_m[movers, 0], boxes.half_m[movers, 1]) + POLE_HALF_M * 1.5
        return movers[near], pole[near] + offset

    def _push(self, boxes: Boxes, contacts: Contacts, movers: NDArray[np.bool_]) -> list[Collision]:
        table, rows, count = self._table, self._table.solid_rows, len(boxes.yaw_rad)
        inverse_mass = np.zeros(count)
        inverse_mass[: len(rows)][movers] = 1.0 / table.mass_kg[rows[movers]]
        velocity_mps = np.zeros((count, 2))
        velocity_mps[: len(rows)] = table.kin[rows, Kin.VX : Kin.VZ]
        impulse_ns = impulses_ns(contacts, velocity_mps, inverse_mass)
        ids = np.concatenate([table.ids[rows], self._pole_ids])
        reports: list[Collision] = []
        touching = set()
        for k in range(len(contacts.first)):
            a, b = int(contacts.first[k]), int(contacts.second[k])
            pair = (int(ids[a]), int(ids[b]))
            touching.add(pair)
            push = impulse_ns[k] * contacts.normal[k]
            inverse = inverse_mass[a] + inverse_mass[b]
            for index, sign in ((a, -1.0), (b, 1.0)):
                if inverse_mass[index] > 0.0:
                    self._kick(int(rows[index]), sign * push, contacts.point_m[k] - boxes.centre_m[index])
                    share = sign * inverse_mass[index] / inverse
                    table.kin[rows[index], :2] += share * contacts.depth_m[k] * contacts.normal[k]
            if pair not in self._touching or impulse_ns[k] * inverse > _CLOSING_REPORTED_MPS:
                reports.append(Collision(pair[0], pair[1], (-float(push[0]), -float(push[1]), 0.0)))
                reports.append(Collision(pair[1], pair[0], (float(push[0]), float(push[1]), 0.0)))
        self._touching = touching
        return reports

    def _kick(self, row: int, impulse_ns: NDArray[np.float64], lever_m: NDArray[np.float64]) -> None:
        table = self._table
        mass_kg, half_m = table.mass_kg[row], table.box_half_m[row]
        velocity_mps = table.kin[row, VELOCITY].copy()
        velocity_mps[:2] += impulse_ns / mass_kg
        table.set_velocity(row, velocity_mps)
        inertia = mass_kg * (half_m[0] ** 2 + half_m[1] ** 2) / 3.0
        moment = lever_m[0] * impulse_ns[1] - lever_m[1] * impulse_ns[0]
        spin_dps = table.spin_dps[row] + _SPIN_SHARE * math.degrees(moment / inertia)
        table.spin_dps[row] = min(max(spin_dps, -_MAX_SPIN_DPS), _MAX_SPIN_DPS)


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
