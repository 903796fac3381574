"""The motion of a vehicle at one tick, as the Bench2Drive fork's agents log it for its comfort number.

Source: Thinklab-SJTU/Bench2Drive, leaderboard/leaderboard/autoagents/autonomous_agent.py.
"""

from __future__ import annotations

from typing import Any

#: Quantity -> its three parts, in CARLA's world frame: acceleration [m/s^2], angular velocity [deg/s], unit vectors,
#: location [m], rotation (roll, pitch, yaw) [deg].
Motion = dict[str, list[float]]


def read_motion(vehicle: Any) -> Motion:
    """Return how a carla.Vehicle moves in the client's newest tick; keys and parts in the order of the fork's file."""
    pose = vehicle.get_transform()
    rotation = pose.rotation
    return {
        "acceleration": _parts(vehicle.get_acceleration()),
        "angular_velocity": _parts(vehicle.get_angular_velocity()),
        "forward_vector": _parts(pose.get_forward_vector()),
        "right_vector": _parts(pose.get_right_vector()),
        "location": _parts(pose.location),
        "rotation": [rotation.roll, rotation.pitch, rotation.yaw],
    }


def _parts(vector: Any) -> list[float]:
    return [vector.x, vector.y, vector.z]
