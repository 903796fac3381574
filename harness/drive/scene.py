"""What the expert and the criteria see of a tick: plain numbers, read once from the client's snapshot.

All of it is in CARLA's world frame: metres, radians (yaw), metres per second; left-handed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

BACKGROUND_ROLE = "background"
HERO_ROLE = "hero"


@dataclass(frozen=True, kw_only=True)
class Ego:
    """The evaluated vehicle.

    Attributes:
        along_mps: velocity along the heading; negative when driving backwards.
        speed_mps: length of the velocity.
    """

    x_m: float
    y_m: float
    z_m: float
    pitch_rad: float
    yaw_rad: float
    along_mps: float
    speed_mps: float
    speed_limit_kmh: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Others:
    """N other vehicles, pedestrians and props; arrays of shape (N,), ordered by actor id.

    Attributes:
        is_vehicle, is_walker: both False for props.
        is_background: vehicles that the evaluator's traffic consists of.
        steer, throttle, brake: last control; zeros for all but vehicles.
        yaw_rad: heading; of a pedestrian, where it walks to.
    """

    ids: npt.NDArray[np.int64]
    x_m: FloatArray
    y_m: FloatArray
    z_m: FloatArray
    yaw_rad: FloatArray
    speed_mps: FloatArray
    half_length_m: FloatArray
    half_width_m: FloatArray
    steer: FloatArray
    throttle: FloatArray
    brake: FloatArray
    is_vehicle: npt.NDArray[np.bool_]
    is_walker: npt.NDArray[np.bool_]
    is_background: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One tick.

    Attributes:
        time_s: simulation time.
        light_states: actor id of a traffic light -> carla.TrafficLightState as an integer.
    """

    frame: int
    time_s: float
    ego: Ego
    others: Others
    light_states: Mapping[int, int]


class SceneReader:
    """Reads scenes from a client's world; knows which actors there are.

    Args:
        ego: carla.Vehicle.
        others: every other carla.Actor that can be in the way.
        lights: carla.TrafficLight actors.
    """

    def __init__(self, ego: Any, others: list[Any], lights: list[Any]) -> None:
        self._ego = ego
        self._others = sorted(others, key=lambda actor: int(actor.id))
        self._lights = sorted(lights, key=lambda actor: int(actor.id))
        boxes = [actor.bounding_box.extent for actor in self._others]
        vehicle = [actor.type_id.startswith("vehicle.") for actor in self._others]
        self._fixed: dict[str, Any] = {
            "ids": np.array([actor.id for actor in self._others], np.int64),
            "half_length_m": np.array([box.x for box in boxes], np.float64),
            "half_width_m": np.array([box.y for box in boxes], np.float64),
            "is_vehicle": np.array(vehicle, np.bool_),
            "is_walker": np.array([actor.type_id.startswith("walker.") for actor in self._others], np.bool_),
            "is_background": np.array(
                [actor.attributes.get("role_name") == BACKGROUND_ROLE for actor in self._others], np.bool_
            ),
        }

    def read(self, snapshot: Any) -> Scene:
        """Return the scene of a carla.WorldSnapshot, which must be the newest one."""
        return Scene(
            frame=snapshot.frame,
            time_s=snapshot.timestamp.elapsed_seconds,
            ego=self._read_ego(),
            others=self._read_others(),
            light_states={light.id: int(light.state) for light in self._lights},
        )

    def _read_ego(self) -> Ego:
        pose, velocity = self._ego.get_transform(), self._ego.get_velocity()
        yaw_rad = math.radians(pose.rotation.yaw)
        return Ego(
            x_m=pose.location.x,
            y_m=pose.location.y,
            z_m=pose.location.z,
            pitch_rad=math.radians(pose.rotation.pitch),
            yaw_rad=yaw_rad,
            along_mps=velocity.x * math.cos(yaw_rad) + velocity.y * math.sin(yaw_rad),
            speed_mps=velocity.length(),
            speed_limit_kmh=self._ego.get_speed_limit(),
        )

    def _read_others(self) -> Others:
        rows = np.zeros((len(self._others), 8), np.float64)
        kinds = zip(self._fixed["is_vehicle"], self._fixed["is_walker"], strict=True)
        for row, actor, (is_vehicle, is_walker) in zip(rows, self._others, kinds, strict=True):
            pose, velocity = actor.get_transform(), actor.get_velocity()
            place = pose.location
            row[:5] = (place.x, place.y, place.z, math.radians(pose.rotation.yaw), velocity.length())
            if is_vehicle:
                control = actor.get_control()
                row[5:] = (control.steer, control.throttle, control.brake)
            elif is_walker and velocity.length() > 0.0:
                row[3] = math.atan2(velocity.y, velocity.x)
        x, y, z, yaw, speed, steer, throttle, brake = rows.T.copy()
        return Others(
            x_m=x,
            y_m=y,
            z_m=z,
            yaw_rad=yaw,
            speed_mps=speed,
            steer=steer,
            throttle=throttle,
            brake=brake,
            **self._fixed,
        )
