"""The parts of a vehicle: where its wheels are and how they stand, its bones and components.

Names are those that CARLA's vehicles have. A vehicle is a rigid body here, so nothing but the front wheels turns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.sim.world.actors import POSE, ActorTable
from harness.sim.world.poses import Pose, compose
from harness.sim.world.vehicle_dynamics import REFERENCE, Tuned, steering_share, tuning_of
from harness.sim.world.vehicle_physics import front_wheel_count, settings_of

# Of the full width, what lies between the middles of the wheels of an axle.
_TRACK_SHARE = 0.85
# The second rear axle of what has six wheels, in front of the last one.
_AXLE_DISTANCE_M = 1.3
BODY = "Vehicle_Base"
_BONES = {
    2: ("Wheel_Front", "Wheel_Rear"),
    4: ("Wheel_Front_Left", "Wheel_Front_Right", "Wheel_Rear_Left", "Wheel_Rear_Right"),
    6: (
        "Wheel_Front_Left",
        "Wheel_Front_Right",
        "Wheel_Rear_Left",
        "Wheel_Rear_Right",
        "Wheel_Middle_Left",
        "Wheel_Middle_Right",
    ),
}
MESH, BOX = "VehicleMesh", "VehicleBounds"


class WheelPlace(NamedTuple):
    """The middle of a wheel in the frame of the vehicle [m]; `side` is -1 left, 1 right, 0 in the middle."""

    x_m: float
    y_m: float
    z_m: float
    side: int


def wheel_places(table: ActorTable, row: int) -> list[WheelPlace]:
    """Return the places of the wheels: front left, front right, rear left, rear right; of two-wheelers front, rear."""
    half_base_m = 0.5 * float(table.wheelbase_m[row])
    half_track_m = _TRACK_SHARE * float(table.box_half_m[row, 1])
    axles_m = {
        2: (half_base_m, -half_base_m),
        4: (half_base_m, -half_base_m),
        6: (half_base_m, -half_base_m, _AXLE_DISTANCE_M - half_base_m),
    }
    radii_m = [0.01 * wheel.radius for wheel in settings_of(table, row).physics.wheels]
    sides = (0,) if len(radii_m) == 2 else (-1, 1)
    slots = [(x_m, side) for x_m in axles_m[len(radii_m)] for side in sides]
    return [
        WheelPlace(x_m, side * half_track_m, radius_m, side)
        for (x_m, side), radius_m in zip(slots, radii_m, strict=True)
    ]


def wheel_angles_deg(table: ActorTable, row: int) -> list[float]:
    """Return the angle of each wheel about the vertical, positive to the right.

    The inner front wheel stands as the control says, the outer one on the same circle. While physics is off, wheels
    stand as a client set them.
    """
    settings = settings_of(table, row)
    count = len(settings.physics.wheels)
    if not table.simulates_physics[row]:
        return [settings.wheel_steer_deg.get(wheel, 0.0) for wheel in range(count)]
    inner_rad = _steer_rad(table, row)
    if count == 2:
        return [math.degrees(inner_rad), 0.0]
    places = wheel_places(table, row)
    base_m, track_m = places[0].x_m - places[2].x_m, places[1].y_m - places[0].y_m
    turn = abs(math.tan(inner_rad))
    outer_rad = math.copysign(math.atan(base_m * turn / (base_m + track_m * turn)), inner_rad)
    left_rad, right_rad = (outer_rad, inner_rad) if inner_rad > 0.0 else (inner_rad, outer_rad)
    return [math.degrees(left_rad), math.degrees(right_rad), *[0.0] * (count - 2)]


def _steer_rad(table: ActorTable, row: int) -> float:
    rows = np.array([row])
    tuning = REFERENCE
    if table.is_tuned[row]:
        tuning = tuning_of(table.tuning[rows], table.steering_curve[rows], table.has_own_curve[rows], None)
    share = float(steering_share(table.along_mps[rows], tuning)[0])
    return float(table.control[row, 1]) * float(table.tuning[row, Tuned.MAX_STEER_RAD]) * share


def bone_names(table: ActorTable, row: int) -> list[str]:
    """Return the names of the bones: the body, then the wheels."""
    return [BODY, *_BONES[len(settings_of(table, row).physics.wheels)]]


def bone_poses(table: ActorTable, row: int) -> list[Pose]:
    """Return the poses of the bones in the frame of the vehicle."""
    settings = settings_of(table, row)
    wheels = zip(wheel_places(table, row), wheel_angles_deg(table, row), strict=True)
    return [
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        *(
            (place.x_m, place.y_m, place.z_m, settings.wheel_pitch_deg.get(number, 0.0), angle_deg, 0.0)
            for number, (place, angle_deg) in enumerate(wheels)
        ),
    ]


def component_poses(table: ActorTable, row: int) -> dict[str, Pose]:
    """Return the components of a vehicle with their poses in its frame: the mesh and the bounding box."""
    x_m, y_m, z_m = (float(value) for value in table.box_centre_m[row])
    return {MESH: (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), BOX: (x_m, y_m, z_m, 0.0, 0.0, 0.0)}


def in_world(table: ActorTable, row: int, pose: Pose) -> Pose:
    """Return the world pose of a part."""
    return compose(table.kin[row, POSE], pose)


def is_front(wheel: int, count: int) -> bool:
    """Return whether a wheel of so many is a front wheel."""
    return wheel < front_wheel_count(count)
