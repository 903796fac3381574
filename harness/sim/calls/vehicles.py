"""Calls about vehicles."""

from __future__ import annotations

import math

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import (
    Gear,
    Vector2D,
    Vector3D,
    VehicleControl,
    VehicleLightState,
    VehiclePhysicsControl,
    Wheel,
)
from harness.sim.world.actors import Kin, Kind
from harness.sim.world.vehicle_dynamics import MAX_STEER_RAD, STEERING_CURVE_KMH, STEERING_CURVE_SHARE

_WHEEL_RADIUS_CM = 35.0
_FRONT, _REAR = 0.5, -0.5


def apply_control_to_vehicle(simulation: Simulation, actor_id: int, control: VehicleControl) -> None:
    row, table = _vehicle_row(simulation, actor_id, "apply_control_to_vehicle"), simulation.world.table
    table.control[row] = (
        min(max(control.throttle, 0.0), 1.0),
        min(max(control.steer, -1.0), 1.0),
        min(max(control.brake, 0.0), 1.0),
    )
    table.hand_brake[row] = control.hand_brake
    table.reverse[row] = control.reverse or (control.manual_gear_shift and control.gear < 0)
    table.manual_gear_shift[row] = control.manual_gear_shift
    if control.manual_gear_shift:
        table.gear[row] = min(max(control.gear, -1), 6)


def get_physics_control(simulation: Simulation, actor_id: int) -> VehiclePhysicsControl:
    """Return the parameters of the vehicle model in the client's layout.

    Mass, wheel angle, steering curve and wheel positions are what the model uses; engine and gearbox values describe
    the reference car, whose acceleration the model reproduces without simulating them.
    """
    row, table = _vehicle_row(simulation, actor_id, "get_physics_control"), simulation.world.table
    return VehiclePhysicsControl(
        torque_curve=[Vector2D(0.0, 400.0), Vector2D(1900.0, 500.0), Vector2D(5800.0, 400.0)],
        max_rpm=5800.0,
        moi=1.0,
        damping_rate_full_throttle=0.15,
        damping_rate_zero_throttle_clutch_engaged=2.0,
        damping_rate_zero_throttle_clutch_disengaged=0.35,
        use_gear_autobox=True,
        gear_switch_time=0.5,
        clutch_strength=10.0,
        final_ratio=4.0,
        forward_gears=[Gear(ratio, 0.5, 0.65) for ratio in (5.0, 3.1, 2.1, 1.5, 1.0, 0.8)],
        mass=float(table.mass_kg[row]),
        drag_coefficient=0.3,
        center_of_mass=Vector3D(0.0, 0.0, 0.0),
        steering_curve=[
            Vector2D(float(v), float(s)) for v, s in zip(STEERING_CURVE_KMH, STEERING_CURVE_SHARE, strict=True)
        ],
        wheels=[_wheel(simulation, row, axle, side) for axle in (_FRONT, _REAR) for side in (-1.0, 1.0)],
        use_sweep_wheel_collision=False,
    )


def _wheel(simulation: Simulation, row: int, axle: float, side: float) -> Wheel:
    table = simulation.world.table
    yaw_rad = math.radians(table.kin[row, Kin.YAW])
    along_m = axle * float(table.wheelbase_m[row])
    across_m = side * 0.85 * float(table.box_half_m[row, 1])
    x_m = table.kin[row, Kin.X] + along_m * math.cos(yaw_rad) - across_m * math.sin(yaw_rad)
    y_m = table.kin[row, Kin.Y] + along_m * math.sin(yaw_rad) + across_m * math.cos(yaw_rad)
    return Wheel(
        tire_friction=3.5,
        damping_rate=0.25,
        max_steer_angle=math.degrees(MAX_STEER_RAD) if axle == _FRONT else 0.0,
        radius=_WHEEL_RADIUS_CM,
        max_brake_torque=1500.0,
        max_handbrake_torque=0.0 if axle == _FRONT else 3000.0,
        lat_stiff_max_load=3.0,
        lat_stiff_value=20.0,
        long_stiff_value=3000.0,
        position=Vector3D(
            100.0 * float(x_m), 100.0 * float(y_m), 100.0 * float(table.kin[row, Kin.Z]) + _WHEEL_RADIUS_CM
        ),
    )


def get_vehicle_light_state(simulation: Simulation, actor_id: int) -> VehicleLightState:
    row = _vehicle_row(simulation, actor_id, "get_vehicle_light_state")
    return VehicleLightState(int(simulation.world.table.lights[row]))


def set_vehicle_light_state(simulation: Simulation, actor_id: int, state: VehicleLightState) -> None:
    row = _vehicle_row(simulation, actor_id, "set_vehicle_light_state")
    simulation.world.table.lights[row] = state.flags


def get_vehicle_light_states(simulation: Simulation) -> list[list[int]]:
    table = simulation.world.table
    return [[int(table.ids[row]), int(table.lights[row])] for row in table.vehicle_rows]


def _vehicle_row(simulation: Simulation, actor_id: int, method: str) -> int:
    row = simulation.find_row(actor_id, method)
    if simulation.world.table.kind[row] != Kind.VEHICLE:
        raise SimError(f"{method}: Actor is not a vehicle. Actor Id: {actor_id}")
    return row
