"""All live actors: one row per actor in parallel arrays, so that a tick is a few array operations.

The arrays are the truth for everything that changes; `ActorInfo` holds what is fixed when the actor is spawned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.ackermann import Gain, Memory, Target
from harness.sim.world.vehicle_dynamics import MAX_CURVE_POINTS, Tuned
from harness.sim.world.vehicle_settings import VehicleSettings


class Kind(IntEnum):
    """What an actor is to the world."""

    SPECTATOR = 0
    VEHICLE = 1
    PROP = 2
    TRAFFIC_LIGHT = 3
    SIGN = 4
    SENSOR = 5
    WALKER = 6
    MARKER = 7  # has a place, but neither body nor eyes
    AREA = 8  # the road in its box has another friction


class Kin(IntEnum):
    """Columns of the kinematic state: metres, degrees, seconds, world frame; the order of CARLA's observer record."""

    X = 0
    Y = 1
    Z = 2
    PITCH = 3
    YAW = 4
    ROLL = 5
    VX = 6
    VY = 7
    VZ = 8
    WX = 9
    WY = 10
    WZ = 11
    AX = 12
    AY = 13
    AZ = 14


POSE = slice(Kin.X, Kin.ROLL + 1)
VELOCITY = slice(Kin.VX, Kin.VZ + 1)
ANGULAR_VELOCITY = slice(Kin.WX, Kin.WZ + 1)
ACCELERATION = slice(Kin.AX, Kin.AZ + 1)
MAX_SPEED_MPS = 150.0
GRAVITY_MPS2 = 9.81


@dataclass(kw_only=True)
class ActorInfo:
    """What is fixed when an actor is spawned.

    Attributes:
        attributes: blueprint attribute id -> value, as the client sent them, defaults filled in.
        box_centre_m, box_half_m: bounding box in the actor's frame.
        signal_id: OpenDRIVE id of a light or sign.
        stream_id: of a streaming sensor, 0 = none.
        offset: pose relative to the parent (x, y, z [m], pitch, yaw, roll [deg]), for attached actors.
        settings: what clients set on a vehicle beside its controls; None = nothing yet.
    """

    id: int
    type_id: str
    kind: Kind
    attributes: dict[str, str] = field(default_factory=dict)
    box_centre_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    box_half_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    semantic_tag: int = 0
    parent_id: int = 0
    signal_id: str = ""
    stream_id: int = 0
    offset: tuple[float, float, float, float, float, float] | None = None
    settings: VehicleSettings | None = None


# What other things can touch.
SOLID_KINDS = (Kind.VEHICLE, Kind.PROP, Kind.WALKER)

# name -> (dtype, shape behind the row axis); zeros for the kinds that a column is not for.
_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "ids": (np.uint32, ()),
    "kind": (np.uint8, ()),
    "kin": (np.float64, (15,)),
    "box_centre_m": (np.float64, (3,)),
    "box_half_m": (np.float64, (3,)),
    "simulates_physics": (np.bool_, ()),
    "mass_kg": (np.float64, ()),
    "is_intangible": (np.bool_, ()),  # a client took its collisions away
    "is_weightless": (np.bool_, ()),  # a client took its gravity away
    "is_airborne": (np.bool_, ()),  # falls, or was thrown
    "is_dormant": (np.bool_, ()),  # sleeps: too far from everything that is evaluated
    "is_hero": (np.bool_, ()),
    "keeps_velocity": (np.bool_, ()),  # of `kept_mps`, whatever its control says
    "kept_mps": (np.float64, (3,)),  # body frame
    "walk": (np.float64, (4,)),  # of a walker: direction x, y, z and speed [m/s]
    "walk_jump": (np.bool_, ()),
    "fallen_s": (np.float64, ()),  # since a walker began to fall over, 0 = upright
    "lying_deg": (np.float64, (2,)),  # pitch and roll in which it comes to lie
    "control": (np.float64, (3,)),  # throttle, steer, brake
    "hand_brake": (np.bool_, ()),
    "reverse": (np.bool_, ()),
    "manual_gear_shift": (np.bool_, ()),
    "gear": (np.int32, ()),
    "along_mps": (np.float64, ()),  # body frame velocity, forward
    "side_mps": (np.float64, ()),  # body frame velocity to the right: only a push makes it
    "slope_mps2": (np.float64, ()),  # what gravity does along the body; 0 in the air
    "spin_dps": (np.float64, ()),  # yaw rate that a push made
    "wheelbase_m": (np.float64, ()),
    "response": (np.float64, ()),  # acceleration relative to the reference car
    "is_tuned": (np.bool_, ()),  # a client set physics parameters
    "tuning": (np.float64, (len(Tuned),)),
    "has_own_curve": (np.bool_, ()),  # steers by its own steering curve
    "steering_curve": (np.float64, (2, MAX_CURVE_POINTS)),
    "follows_targets": (np.bool_, ()),  # is driven by targets, not by pedals
    "driving_target": (np.float64, (len(Target),)),
    "driving_gain": (np.float64, (len(Gain),)),
    "driving_memory": (np.float64, (len(Memory),)),
    "speed_limit_kmh": (np.float64, ()),
    "light_index": (np.int32, ()),  # governing traffic light, -1 = none
    "must_yield": (np.bool_, ()),  # a stop or yield sign holds it
    "lights": (np.uint32, ()),  # VehicleLightState flags
}


class ActorTable:
    """Rows of live actors in the order in which they were spawned.

    Every name of `_COLUMNS` is an array attribute with one row per live actor; `info` has what is fixed of each, and
    `streaming` the same of those sensors alone whose data the server sends.
    """

    ids: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    kin: NDArray[np.float64]
    box_centre_m: NDArray[np.float64]
    box_half_m: NDArray[np.float64]
    simulates_physics: NDArray[np.bool_]
    mass_kg: NDArray[np.float64]
    is_intangible: NDArray[np.bool_]
    is_weightless: NDArray[np.bool_]
    is_airborne: NDArray[np.bool_]
    is_dormant: NDArray[np.bool_]
    is_hero: NDArray[np.bool_]
    keeps_velocity: NDArray[np.bool_]
    kept_mps: NDArray[np.float64]
    walk: NDArray[np.float64]
    walk_jump: NDArray[np.bool_]
    fallen_s: NDArray[np.float64]
    lying_deg: NDArray[np.float64]
    control: NDArray[np.float64]
    hand_brake: NDArray[np.bool_]
    reverse: NDArray[np.bool_]
    manual_gear_shift: NDArray[np.bool_]
    gear: NDArray[np.int32]
    along_mps: NDArray[np.float64]
    side_mps: NDArray[np.float64]
    slope_mps2: NDArray[np.float64]
    spin_dps: NDArray[np.float64]
    wheelbase_m: NDArray[np.float64]
    response: NDArray[np.float64]
    is_tuned: NDArray[np.bool_]
    tuning: NDArray[np.float64]
    has_own_curve: NDArray[np.bool_]
    steering_curve: NDArray[np.float64]
    follows_targets: NDArray[np.bool_]
    driving_target: NDArray[np.float64]
    driving_gain: NDArray[np.float64]
    driving_memory: NDArray[np.float64]
    speed_limit_kmh: NDArray[np.float64]
    light_index: NDArray[np.int32]
    must_yield: NDArray[np.bool_]
    lights: NDArray[np.uint32]
    vehicle_rows: NDArray[np.intp]
    walker_rows: NDArray[np.intp]
    solid_rows: NDArray[np.intp]

    def __init__(self) -> None:
        self.info: dict[int, ActorInfo] = {}
        self.streaming: dict[int, ActorInfo] = {}
        self._row: dict[int, int] = {}
        self._storage: dict[str, NDArray[Any]] = {
            name: np.zeros((64, *shape), dtype) for name, (dtype, shape) in _COLUMNS.items()
        }
        self._show_rows(0)
        self.vehicle_rows = self.walker_rows = self.solid_rows = np.zeros(0, np.intp)

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, actor_id: int) -> int | None:
        """Return the row of a live actor, or None."""
        return self._row.get(actor_id)

    def add(self, info: ActorInfo, pose: NDArray[np.float64]) -> int:
        """Append a row for a new actor at `pose` (x, y, z [m], pitch, yaw, roll [deg]) and return its index."""
        row = len(self)
        if row == len(self._storage["ids"]):
            self._storage = {name: np.concatenate([old, np.zeros_like(old)]) for name, old in self._storage.items()}
        for column in self._storage.values():
            column[row] = 0
        self._show_rows(row + 1)
        self.ids[row], self.kind[row] = info.id, info.kind
        self.kin[row, POSE] = pose
        self.box_centre_m[row], self.box_half_m[row] = info.box_centre_m, info.box_half_m
        self.light_index[row] = -1
        self.info[info.id] = info
        if info.stream_id:
            self.streaming[info.id] = info
        self._row[info.id] = row
        if info.kind is Kind.VEHICLE:
            self.vehicle_rows = np.append(self.vehicle_rows, row)
        if info.kind is Kind.WALKER:
            self.walker_rows = np.append(self.walker_rows, row)
        if info.kind in SOLID_KINDS:
            self.solid_rows = np.append(self.solid_rows, row)
        return row

    def remove(self, actor_id: int) -> None:
        """Drop the row of a live actor; the rows behind it move up."""
        row, count = self._row[actor_id], len(self)
        for column in self._storage.values():
            column[row : count - 1] = column[row + 1 : count]
        self._show_rows(count - 1)
        del self.info[actor_id], self._row[actor_id]
        self.streaming.pop(actor_id, None)
        for follower in self.ids[row:].tolist():
            self._row[follower] -= 1
        self.vehicle_rows, self.walker_rows, self.solid_rows = (
            _without(rows, row) for rows in (self.vehicle_rows, self.walker_rows, self.solid_rows)
        )

    def moving_vehicles(self) -> NDArray[np.intp]:
        """Return the rows of the vehicles that have physics and are awake."""
        rows = self.vehicle_rows
        return rows[self.simulates_physics[rows] & ~self.is_dormant[rows]]

    def set_velocity(self, row: int, velocity_mps: Sequence[float] | NDArray[np.float64]) -> None:
        """Set the velocity of an actor, world frame, at most `MAX_SPEED_MPS` along each axis."""
        vx, vy, vz = (min(max(float(value), -MAX_SPEED_MPS), MAX_SPEED_MPS) for value in velocity_mps)
        self.kin[row, VELOCITY] = vx, vy, vz
        yaw_rad = math.radians(self.kin[row, Kin.YAW])
        cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
        self.along_mps[row] = vx * cos + vy * sin
        self.side_mps[row] = -vx * sin + vy * cos

    def halt(self, row: int) -> None:
        """Take all motion from an actor."""
        self.set_velocity(row, (0.0, 0.0, 0.0))
        self.kin[row, ANGULAR_VELOCITY] = 0.0
        self.spin_dps[row] = 0.0

    def _show_rows(self, count: int) -> None:
        for name, column in self._storage.items():
            setattr(self, name, column[:count])


def _without(rows: NDArray[np.intp], row: int) -> NDArray[np.intp]:
    """Return ascending row numbers after a row has gone and those behind it have moved up."""
    kept: NDArray[np.intp] = rows[rows != row]
    kept[kept > row] -= 1
    return kept
