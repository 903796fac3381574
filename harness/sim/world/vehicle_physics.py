"""The parameters of a vehicle as clients read and set them, and what of them the vehicle model uses.

The model is fitted to measurements and has no engine, gearbox or tyre inside. What a client changes therefore counts
against the values that the vehicle came with: half the torque is half the driving force, half the friction half the
grip. Kept and returned without any effect on the drive are moment of inertia, damping rates, the gearbox (its ratios
show in the engine speed), clutch, centre of mass, tyre stiffness, sweep collision and the steering of rear wheels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.actors import ActorInfo, ActorTable
from harness.sim.world.powertrain import FINAL_RATIO, GEAR_RATIOS, MAX_RPM, WHEEL_RADIUS_M
from harness.sim.world.vehicle_dynamics import (
    AIR_DENSITY_KGPM3,
    FULL_BRAKE_MPS2,
    GRIP_MPS2,
    HAND_BRAKE_MPS2,
    MAX_CURVE_POINTS,
    MAX_STEER_RAD,
    STEERING_CURVE_KMH,
    STEERING_CURVE_SHARE,
    Tuned,
)
from harness.sim.world.vehicle_settings import Points, VehiclePhysics, VehicleSettings, WheelPhysics

_MAX_GEARS = 16
# Share of the box, width times height, that the air meets.
FRONT_AREA_SHARE = 0.8
_MIN_REACH, _MAX_REACH = 0.02, 2.5
_MAX_STEER_RAD = math.radians(85.0)


def settings_of(table: ActorTable, row: int) -> VehicleSettings:
    """Return the settings of a vehicle, to read and to change."""
    info = table.info[int(table.ids[row])]
    if info.settings is None:
        physics = reference_physics(float(table.mass_kg[row]), wheel_count(info))
        info.settings = VehicleSettings(
            reference=physics, reference_response=float(table.response[row]), physics=physics
        )
    return info.settings


def wheel_count(info: ActorInfo) -> int:
    """Return the number of wheels of a vehicle: 2, 4 or more; the first two, of two-wheelers the first, are steered."""
    return int(info.attributes.get("number_of_wheels", "4"))


def front_wheel_count(wheels: int) -> int:
    """Return how many of so many wheels are in front."""
    return 1 if wheels == 2 else 2


def reference_physics(mass_kg: float, wheels: int = 4) -> VehiclePhysics:
    """Return the parameters of a vehicle that nobody changed; numbers are those a float32 can hold.

    So a client that sends back what it read changes nothing, down to the last bit.
    """
    each = tuple(
        WheelPhysics(
            tire_friction=3.5,
            damping_rate=0.25,
            max_steer_angle=round(math.degrees(float(MAX_STEER_RAD)), 6) if is_front else 0.0,
            radius=100.0 * WHEEL_RADIUS_M,
            max_brake_torque=1500.0,
            max_handbrake_torque=0.0 if is_front else 3000.0,
            lat_stiff_max_load=3.0,
            lat_stiff_value=20.0,
            long_stiff_value=3000.0,
        )
        for is_front in (number < front_wheel_count(wheels) for number in range(wheels))
    )
    physics = VehiclePhysics(
        torque_curve=((0.0, 400.0), (1900.0, 500.0), (5800.0, 400.0)),
        max_rpm=MAX_RPM,
        moi=1.0,
        damping_rate_full_throttle=0.15,
        damping_rate_zero_throttle_clutch_engaged=2.0,
        damping_rate_zero_throttle_clutch_disengaged=0.35,
        use_gear_autobox=True,
        gear_switch_time=0.5,
        clutch_strength=10.0,
        final_ratio=FINAL_RATIO,
        forward_gears=tuple((ratio, 0.5, 0.65) for ratio in GEAR_RATIOS),
        mass=mass_kg,
        drag_coefficient=0.3,
        center_of_mass=(0.0, 0.0, 0.0),
        steering_curve=tuple(
            (float(v), float(share)) for v, share in zip(STEERING_CURVE_KMH, STEERING_CURVE_SHARE, strict=True)
        ),
        wheels=each,
        use_sweep_wheel_collision=False,
    )
    rounded: VehiclePhysics = _as_float32(physics)
    return rounded


def _as_float32(value: Any) -> Any:
    if isinstance(value, float):
        return float(np.float32(value))
    if isinstance(value, VehiclePhysics | WheelPhysics):
        return type(value)(*map(_as_float32, value))
    return tuple(map(_as_float32, value)) if isinstance(value, tuple) else value


# --- what clients may set --------------------------------------------------------------------------------------------

# Lowest and highest value of each field that makes sense.
_RANGES: dict[str, tuple[float, float]] = {
    "max_rpm": (100.0, 100_000.0),
    "moi": (0.0, 1e6),
    "damping_rate_full_throttle": (0.0, 1e6),
    "damping_rate_zero_throttle_clutch_engaged": (0.0, 1e6),
    "damping_rate_zero_throttle_clutch_disengaged": (0.0, 1e6),
    "gear_switch_time": (0.0, 1e3),
    "clutch_strength": (0.0, 1e6),
    "final_ratio": (0.01, 1e3),
    "mass": (1.0, 1e6),
    "drag_coefficient": (0.0, 1e3),
}
_WHEEL_RANGES: dict[str, tuple[float, float]] = {
    "tire_friction": (0.0, 100.0),
    "damping_rate": (0.0, 1e6),
    "max_steer_angle": (0.0, 90.0),
    "radius": (1.0, 500.0),
    "max_brake_torque": (0.0, 1e7),
    "max_handbrake_torque": (0.0, 1e7),
    "lat_stiff_max_load": (0.0, 1e7),
    "lat_stiff_value": (0.0, 1e7),
    "long_stiff_value": (0.0, 1e7),
}


def accept(wanted: VehiclePhysics, kept: VehiclePhysics) -> VehiclePhysics:
    """Return `wanted` with every field that no vehicle can have left as it was in `kept`.

    That is: numbers out of range or not finite, empty or overlong lists, curves that run backwards, and another number
    of wheels, as CARLA refuses one.
    """
    changes: dict[str, Any] = {
        name: getattr(kept, name) for name, (low, high) in _RANGES.items() if not low <= getattr(wanted, name) <= high
    }
    if not _is_curve(wanted.torque_curve, highest=1e6):
        changes["torque_curve"] = kept.torque_curve
    if not _is_curve(wanted.steering_curve, highest=1.0):
        changes["steering_curve"] = kept.steering_curve
    if not _is_gearbox(wanted.forward_gears):
        changes["forward_gears"] = kept.forward_gears
    if not (_are_finite(wanted.center_of_mass) and max(map(abs, wanted.center_of_mass)) < 1e6):
        changes["center_of_mass"] = kept.center_of_mass
    changes["wheels"] = kept.wheels
    if len(wanted.wheels) == len(kept.wheels):
        changes["wheels"] = tuple(map(_accept_wheel, wanted.wheels, kept.wheels))
    return wanted._replace(**changes)


def _accept_wheel(wanted: WheelPhysics, kept: WheelPhysics) -> WheelPhysics:
    return wanted._replace(
        **{
            name: getattr(kept, name)
            for name, (low, high) in _WHEEL_RANGES.items()
            if not low <= getattr(wanted, name) <= high
        }
    )


def _are_finite(numbers: Sequence[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _is_gearbox(gears: Sequence[Sequence[float]]) -> bool:
    return 0 < len(gears) <= _MAX_GEARS and all(_are_finite(gear) and 0.0 < gear[0] <= 1e3 for gear in gears)


def _is_curve(points: Points, *, highest: float) -> bool:
    if not 0 < len(points) <= MAX_CURVE_POINTS or not all(_are_finite(point) for point in points):
        return False
    ascends = all(left[0] <= right[0] for left, right in itertools.pairwise(points))
    return ascends and points[0][0] >= 0.0 and all(0.0 <= value <= highest for _, value in points)


# --- what the vehicle model uses -------------------------------------------------------------------------------------


def set_physics(table: ActorTable, row: int, wanted: VehiclePhysics) -> None:
    """Give a vehicle other parameters, as far as it can have them."""
    settings = settings_of(table, row)
    settings.physics = physics = accept(wanted, settings.physics)
    reference = settings.reference
    table.mass_kg[row] = physics.mass
    table.response[row] = settings.reference_response * _force_share(physics, reference)
    half_m = table.box_half_m[row]
    table.tuning[row] = tuned_columns(physics, reference, 4.0 * float(half_m[1] * half_m[2]))
    table.has_own_curve[row] = physics.steering_curve != reference.steering_curve
    if table.has_own_curve[row]:
        table.steering_curve[row] = curve_columns(physics.steering_curve)
    table.is_tuned[row] = True


def _force_share(physics: VehiclePhysics, reference: VehiclePhysics) -> float:
    """Return the driving acceleration relative to that with the reference parameters."""
    torque = _peak(physics.torque_curve) / _peak(reference.torque_curve) * physics.final_ratio / reference.final_ratio
    return torque / _radius_share(physics, reference) * reference.mass / physics.mass


def _peak(points: Points) -> float:
    return max(value for _, value in points)


def _mean(physics: VehiclePhysics, name: str, wheels: slice = slice(None)) -> float:
    values = [getattr(wheel, name) for wheel in physics.wheels[wheels]]
    return float(sum(values) / len(values))


def _radius_share(physics: VehiclePhysics, reference: VehiclePhysics) -> float:
    return _mean(physics, "radius") / _mean(reference, "radius")


def tuned_columns(physics: VehiclePhysics, reference: VehiclePhysics, box_area_m2: float) -> NDArray[np.float64]:
    """Return what the vehicle model uses, in the order of `Tuned`; those of an unchanged car for unchanged parameters.

    Args:
        box_area_m2: width times height.
    """
    radius, mass = _radius_share(physics, reference), physics.mass / reference.mass
    friction = _mean(physics, "tire_friction") / _mean(reference, "tire_friction")
    leverage = 1.0 / (radius * mass)
    brake = leverage * _mean(physics, "max_brake_torque") / _mean(reference, "max_brake_torque")
    hand_brake = leverage * _mean(physics, "max_handbrake_torque") / _mean(reference, "max_handbrake_torque")
    exceeds = friction < 1.0 or max(_force_share(physics, reference), brake, hand_brake) > 1.0
    reach = physics.max_rpm / reference.max_rpm * radius * reference.final_ratio / physics.final_ratio
    drag = 0.5 * AIR_DENSITY_KGPM3 * FRONT_AREA_SHARE * box_area_m2 / physics.mass
    columns = np.empty(len(Tuned))
    columns[Tuned.REACH] = min(max(reach, _MIN_REACH), _MAX_REACH)
    columns[Tuned.MAX_STEER_RAD] = _max_steer_rad(physics, reference)
    columns[Tuned.GRIP_MPS2] = GRIP_MPS2 * friction
    columns[Tuned.LIMIT_MPS2] = GRIP_MPS2 * friction if exceeds else math.inf
    columns[Tuned.BRAKE_MPS2] = FULL_BRAKE_MPS2 * brake
    columns[Tuned.HAND_BRAKE_MPS2] = HAND_BRAKE_MPS2 * hand_brake
    columns[Tuned.DRAG_PER_M] = drag * (physics.drag_coefficient - reference.drag_coefficient)
    return columns


def _max_steer_rad(physics: VehiclePhysics, reference: VehiclePhysics) -> float:
    front = slice(0, front_wheel_count(len(reference.wheels)))
    angle_deg = _mean(physics, "max_steer_angle", front)
    if angle_deg == _mean(reference, "max_steer_angle", front):
        return float(MAX_STEER_RAD)
    return min(math.radians(angle_deg), _MAX_STEER_RAD)


def curve_columns(points: Points) -> NDArray[np.float64]:
    """Return a steering curve as (2, `MAX_CURVE_POINTS`): speeds [km/h], padded with infinity, and shares."""
    columns = np.full((2, MAX_CURVE_POINTS), math.inf)
    columns[:, : len(points)] = np.array(points).T
    columns[1, len(points) :] = points[-1][1]
    return columns
