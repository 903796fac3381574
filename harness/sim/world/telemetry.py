"""What the instruments of a vehicle show: engine, gear, drag, and the forces on each wheel."""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.sim.world.actors import GRAVITY_MPS2, ActorTable, Kin
from harness.sim.world.powertrain import engine_rpm
from harness.sim.world.vehicle_dynamics import AIR_DENSITY_KGPM3
from harness.sim.world.vehicle_parts import is_front, wheel_places
from harness.sim.world.vehicle_physics import FRONT_AREA_SHARE, settings_of
from harness.sim.world.vehicle_settings import VehiclePhysics

# Height of the centre of mass over half the height of the box.
_CENTRE_HEIGHT_SHARE = 0.7
# Share of its load at rest that a wheel can lose along and across: no wheel lifts.
_MOST_SHIFTED = 0.49
_ROLLING_MPS = 0.1


class WheelTelemetry(NamedTuple):
    """A wheel: angles in degrees, speed in rad/s, forces in N, torque in N m; normalized = relative to the load.

    `normalized_tire_load` is relative to the load at rest.
    """

    tire_friction: float
    lat_slip: float
    long_slip: float
    omega: float
    tire_load: float
    normalized_tire_load: float
    torque: float
    long_force: float
    lat_force: float
    normalized_long_force: float
    normalized_lat_force: float


class Telemetry(NamedTuple):
    """A vehicle: forward speed in m/s, steer, throttle and brake as in its control, drag in N."""

    speed: float
    steer: float
    throttle: float
    brake: float
    engine_rpm: float
    gear: int
    drag: float
    wheels: list[WheelTelemetry]


def read_telemetry(table: ActorTable, row: int) -> Telemetry:
    """Return what the instruments of a vehicle show after the last tick.

    The wheels roll without slipping, but for those that the hand brake locks. The tyres together give the force that
    the body's acceleration and the drag of the air say, each its part by its load; the load shifts with that force as
    on a rigid body.
    """
    physics = settings_of(table, row).physics
    speed_mps, gear = float(table.along_mps[row]), int(table.gear[row])
    throttle, steer, brake = (float(value) for value in table.control[row])
    _, half_y_m, half_z_m = (float(value) for value in table.box_half_m[row])
    area_m2 = FRONT_AREA_SHARE * 4.0 * half_y_m * half_z_m
    drag_n = 0.5 * AIR_DENSITY_KGPM3 * area_m2 * physics.drag_coefficient * speed_mps**2
    wheels = _wheels(table, row, physics, drag_n)
    driven = [wheel for number, wheel in enumerate(wheels) if is_front(number, len(wheels))]
    driven_radps = sum(wheel.omega for wheel in driven) / len(driven)
    rpm = engine_rpm(driven_radps, _ratio(physics, gear), throttle, physics.max_rpm)
    return Telemetry(speed_mps, steer, throttle, brake, rpm, gear, drag_n, wheels)


def _ratio(physics: VehiclePhysics, gear: int) -> float:
    """Return the turns of the engine for one turn of the wheels; 0 in neutral, in reverse as in the first gear."""
    if gear == 0:
        return 0.0
    number = min(max(gear, 1), len(physics.forward_gears)) - 1
    return physics.final_ratio * physics.forward_gears[number][0]


def _wheels(table: ActorTable, row: int, physics: VehiclePhysics, drag_n: float) -> list[WheelTelemetry]:
    yaw_rad, speed_mps = math.radians(table.kin[row, Kin.YAW]), float(table.along_mps[row])
    ax, ay = (float(value) for value in table.kin[row, Kin.AX : Kin.AZ])
    along_mps2 = ax * math.cos(yaw_rad) + ay * math.sin(yaw_rad)
    across_mps2 = ay * math.cos(yaw_rad) - ax * math.sin(yaw_rad)
    along_n = physics.mass * along_mps2 + math.copysign(drag_n, speed_mps)
    across_n = physics.mass * across_mps2
    weight_n = physics.mass * GRAVITY_MPS2
    slip_deg = math.degrees(math.atan2(float(table.side_mps[row]), abs(speed_mps)))
    wheels = []
    for number, (at_rest_n, load_n) in enumerate(_loads(table, row, weight_n, along_mps2, across_mps2)):
        wheel = physics.wheels[number]
        radius_m = 0.01 * wheel.radius
        is_locked = bool(table.hand_brake[row]) and wheel.max_handbrake_torque > 0.0
        long_n, lat_n = along_n * load_n / weight_n, across_n * load_n / weight_n
        wheels.append(
            WheelTelemetry(
                tire_friction=wheel.tire_friction,
                lat_slip=slip_deg,
                long_slip=-1.0 if is_locked and abs(speed_mps) > _ROLLING_MPS else 0.0,
                omega=0.0 if is_locked else speed_mps / radius_m,
                tire_load=load_n,
                normalized_tire_load=load_n / at_rest_n,
                torque=long_n * radius_m,
                long_force=long_n,
                lat_force=lat_n,
                normalized_long_force=abs(long_n) / load_n,
                normalized_lat_force=abs(lat_n) / load_n,
            )
        )
    return wheels


def _loads(
    table: ActorTable, row: int, weight_n: float, along_mps2: float, across_mps2: float
) -> list[tuple[float, float]]:
    """Return the load of each wheel at rest and now [N]; each adds up to the weight."""
    places = wheel_places(table, row)
    height_m = _CENTRE_HEIGHT_SHARE * float(table.box_half_m[row, 2])
    front = [is_front(number, len(places)) for number in range(len(places))]
    base_m = places[0].x_m - min(place.x_m for place in places)
    track_m = 2.0 * max(abs(place.y_m) for place in places)
    backwards = _shifted(along_mps2 * height_m / base_m)
    to_the_left = _shifted(across_mps2 * height_m / track_m) if track_m > 0.0 else 0.0
    loads = []
    for place, is_in_front in zip(places, front, strict=True):
        at_rest_n = 0.5 * weight_n / front.count(is_in_front)
        share = 1.0 - place.side * to_the_left + (-backwards if is_in_front else backwards)
        loads.append((at_rest_n, at_rest_n * share))
    return loads


def _shifted(lever_mps2: float) -> float:
    """Return the share of the load at rest that moves from one side to the other."""
    return min(max(2.0 * lever_mps2 / GRAVITY_MPS2, -_MOST_SHIFTED), _MOST_SHIFTED)
