"""What clients set on a vehicle beside its controls, and the parameters among it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

Points = tuple[tuple[float, float], ...]


class WheelPhysics(NamedTuple):
    """A wheel; lengths in centimetres, torques in N m, angles in degrees, as CARLA writes them."""

    tire_friction: float
    damping_rate: float
    max_steer_angle: float
    radius: float
    max_brake_torque: float
    max_handbrake_torque: float
    lat_stiff_max_load: float
    lat_stiff_value: float
    long_stiff_value: float


class VehiclePhysics(NamedTuple):
    """CARLA's description of a vehicle: torque in N m over rpm, mass in kg, steering share over km/h."""

    torque_curve: Points
    max_rpm: float
    moi: float
    damping_rate_full_throttle: float
    damping_rate_zero_throttle_clutch_engaged: float
    damping_rate_zero_throttle_clutch_disengaged: float
    use_gear_autobox: bool
    gear_switch_time: float
    clutch_strength: float
    final_ratio: float
    forward_gears: tuple[tuple[float, float, float], ...]
    mass: float
    drag_coefficient: float
    center_of_mass: tuple[float, float, float]
    steering_curve: Points
    wheels: tuple[WheelPhysics, ...]
    use_sweep_wheel_collision: bool


@dataclass(kw_only=True)
class VehicleSettings:
    """What clients set on a vehicle beside its controls.

    Attributes:
        reference: the parameters it came with.
        reference_response: its acceleration relative to the reference car, with them.
        physics: the parameters in force.
        open_doors: numbers of the doors.
        wheel_steer_deg, wheel_pitch_deg: angles shown while physics is off, by wheel.
        shows_telemetry: a display was asked for; there is no screen to show it on.
    """

    reference: VehiclePhysics
    reference_response: float
    physics: VehiclePhysics
    open_doors: set[int] = field(default_factory=set)
    wheel_steer_deg: dict[int, float] = field(default_factory=dict)
    wheel_pitch_deg: dict[int, float] = field(default_factory=dict)
    shows_telemetry: bool = False
