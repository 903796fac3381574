"""`sensor.other.imu`: what an inertial measurement unit at the sensor's place feels, in the sensor's frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.sim.sensors.noise import Noise
from harness.sim.world.oriented_boxes import axes_of

Array = NDArray[np.float64]

_ACCELERATION = tuple(f"noise_accel_stddev_{axis}" for axis in "xyz")
_SPIN = tuple(f"noise_gyro_stddev_{axis}" for axis in "xyz")
_SPIN_BIAS = tuple(f"noise_gyro_bias_{axis}" for axis in "xyz")


@dataclass(frozen=True)
class InertialReading:
    """Specific force [m/s^2] and angular velocity [rad/s] in the sensor's frame; compass [rad] clockwise from north."""

    accelerometer_mps2: tuple[float, float, float]
    gyroscope_radps: tuple[float, float, float]
    compass_rad: float


class Imu:
    """One sensor; remembers how its place moved at the last tick."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._noise = Noise(attributes, _ACCELERATION + _SPIN, ("", "", "", *_SPIN_BIAS))
        self._velocity_mps: Array | None = None
        self._acceleration_mps2 = np.zeros(3)
        self._spin_radps = np.zeros(3)

    def follow(
        self, velocity_mps: Array, spin_dps: Array, acceleration_mps2: Array, lever_m: Array, dt_s: float
    ) -> None:
        """Take note of one tick.

        The acceleration is that of the sensor's own place, which a turning vehicle carries around itself:
        v = v_actor + spin x lever, differenced over the tick.

        Args:
            velocity_mps, spin_dps, acceleration_mps2: of the actor that carries the sensor, world frame, (3,).
            lever_m: from that actor to the sensor, world frame.
        """
        self._spin_radps = np.radians(spin_dps)
        velocity_mps = velocity_mps + np.cross(self._spin_radps, lever_m)
        if self._velocity_mps is None:
            self._acceleration_mps2 = acceleration_mps2.copy()
        else:
            self._acceleration_mps2 = (velocity_mps - self._velocity_mps) / dt_s
        self._velocity_mps = velocity_mps

    def read(self, rotation_deg: Array, gravity_mps2: float, tick: int) -> InertialReading:
        """Return the reading after the last tick that was followed.

        Args:
            rotation_deg: pitch, yaw, roll of the sensor.
        """
        axes = axes_of(rotation_deg[None])[0]
        force = axes @ (self._acceleration_mps2 + np.array([0.0, 0.0, gravity_mps2]))
        ax, ay, az, wx, wy, wz = (np.concatenate([force, axes @ self._spin_radps]) + self._noise.at(tick)).tolist()
        return InertialReading((ax, ay, az), (wx, wy, wz), compass_rad(axes[0]))


def compass_rad(forward: Array) -> float:
    """Return the direction of a vector [rad] in [0, 2 pi): 0 = north (-y), clockwise, so that +x is pi / 2."""
    angle_rad = math.atan2(float(forward[0]), -float(forward[1])) % (2.0 * math.pi)
    return 0.0 if angle_rad >= 2.0 * math.pi else angle_rad
