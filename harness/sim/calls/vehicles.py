"""Calls about vehicles: controls, targets, lights, doors and wheels."""

from __future__ import annotations

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import (
    AckermannControllerSettings,
    VehicleAckermannControl,
    VehicleControl,
    VehicleLightState,
    VehicleTelemetryData,
    WheelTelemetryData,
)
from harness.sim.world.actors import Kind
from harness.sim.world.driving import set_gains, set_targets
from harness.sim.world.telemetry import read_telemetry
from harness.sim.world.vehicle_parts import wheel_angles_deg
from harness.sim.world.vehicle_physics import settings_of
from harness.sim.world.vehicle_settings import VehicleSettings

_DOORS = (0, 1, 2, 3)
_ALL_DOORS = 6


def _settings(simulation: Simulation, actor_id: int, method: str) -> VehicleSettings:
    return settings_of(simulation.world.table, simulation.find_row(actor_id, method, Kind.VEHICLE))


# --- driving ---------------------------------------------------------------------------------------------------------


def apply_control_to_vehicle(simulation: Simulation, actor_id: int, control: VehicleControl) -> None:
    """Set the pedals; targets that drove the vehicle until now are forgotten."""
    row, table = simulation.find_row(actor_id, "apply_control_to_vehicle", Kind.VEHICLE), simulation.world.table
    table.follows_targets[row] = False
    table.control[row] = (
        min(max(control.throttle, 0.0), 1.0),
        min(max(control.steer, -1.0), 1.0),
        min(max(control.brake, 0.0), 1.0),
    )
    table.hand_brake[row] = control.hand_brake
    table.reverse[row] = control.reverse or (control.manual_gear_shift and control.gear < 0)
    table.manual_gear_shift[row] = control.manual_gear_shift
    if control.manual_gear_shift:
        info = table.info[actor_id]
        gears = len(info.settings.physics.forward_gears) if info.settings else 6
        table.gear[row] = min(max(control.gear, -1), gears)


def apply_ackermann_control_to_vehicle(simulation: Simulation, actor_id: int, control: VehicleAckermannControl) -> None:
    """Drive by targets until pedals are set."""
    row = simulation.find_row(actor_id, "apply_ackermann_control_to_vehicle", Kind.VEHICLE)
    set_targets(simulation.world.table, row, control)


def get_ackermann_controller_settings(simulation: Simulation, actor_id: int) -> AckermannControllerSettings:
    row = simulation.find_row(actor_id, "get_ackermann_controller_settings", Kind.VEHICLE)
    return AckermannControllerSettings(*simulation.world.table.driving_gain[row].tolist())


def apply_ackermann_controller_settings(
    simulation: Simulation, actor_id: int, settings: AckermannControllerSettings
) -> None:
    row = simulation.find_row(actor_id, "apply_ackermann_controller_settings", Kind.VEHICLE)
    set_gains(simulation.world.table, row, settings)


def get_telemetry_data(simulation: Simulation, actor_id: int) -> VehicleTelemetryData:
    row = simulation.find_row(actor_id, "get_telemetry_data", Kind.VEHICLE)
    telemetry = read_telemetry(simulation.world.table, row)
    wheels = [WheelTelemetryData(*wheel) for wheel in telemetry.wheels]
    return VehicleTelemetryData(*telemetry[:-1], wheels)


def show_vehicle_debug_telemetry(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    """Note the wish: there is no screen here to show anything on."""
    _settings(simulation, actor_id, "show_vehicle_debug_telemetry").shows_telemetry = is_enabled


# --- wheels ----------------------------------------------------------------------------------------------------------


def set_wheel_steer_direction(simulation: Simulation, actor_id: int, wheel: int, angle_deg: float) -> None:
    """Turn a wheel for the eye, while physics is off; with physics, the control decides."""
    row = simulation.find_row(actor_id, "set_wheel_steer_direction", Kind.VEHICLE)
    settings = _with_wheel(simulation, actor_id, wheel, "set_wheel_steer_direction")
    if not simulation.world.table.simulates_physics[row]:
        settings.wheel_steer_deg[wheel] = _turned(angle_deg)


def get_wheel_steer_angle(simulation: Simulation, actor_id: int, wheel: int) -> float:
    """Return the angle of a wheel [deg], positive to the right."""
    row = simulation.find_row(actor_id, "get_wheel_steer_angle", Kind.VEHICLE)
    _with_wheel(simulation, actor_id, wheel, "get_wheel_steer_angle")
    return wheel_angles_deg(simulation.world.table, row)[wheel]


def set_wheel_pitch_angle(simulation: Simulation, actor_id: int, wheel: int, angle_deg: float) -> None:
    """Roll a wheel for the eye, while physics is off."""
    row = simulation.find_row(actor_id, "set_wheel_pitch_angle", Kind.VEHICLE)
    settings = _with_wheel(simulation, actor_id, wheel, "set_wheel_pitch_angle")
    if not simulation.world.table.simulates_physics[row]:
        settings.wheel_pitch_deg[wheel] = _turned(angle_deg)


def get_wheel_pitch_angle(simulation: Simulation, actor_id: int, wheel: int) -> float:
    """Return how far a client rolled a wheel [deg]; the rolling of driven wheels is not followed."""
    return _with_wheel(simulation, actor_id, wheel, "get_wheel_pitch_angle").wheel_pitch_deg.get(wheel, 0.0)


def _with_wheel(simulation: Simulation, actor_id: int, wheel: int, method: str) -> VehicleSettings:
    settings = _settings(simulation, actor_id, method)
    if wheel >= len(settings.physics.wheels):
        raise SimError(f"{method}: wheel is {wheel}, expected 0 to {len(settings.physics.wheels) - 1}")
    return settings


def _turned(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


# --- lights and doors ------------------------------------------------------------------------------------------------


def get_vehicle_light_state(simulation: Simulation, actor_id: int) -> VehicleLightState:
    row = simulation.find_row(actor_id, "get_vehicle_light_state", Kind.VEHICLE)
    return VehicleLightState(int(simulation.world.table.lights[row]))


def set_vehicle_light_state(simulation: Simulation, actor_id: int, state: VehicleLightState) -> None:
    row = simulation.find_row(actor_id, "set_vehicle_light_state", Kind.VEHICLE)
    simulation.world.table.lights[row] = state.flags


def get_vehicle_light_states(simulation: Simulation) -> list[list[int]]:
    table = simulation.world.table
    return [[int(table.ids[row]), int(table.lights[row])] for row in table.vehicle_rows]


def open_vehicle_door(simulation: Simulation, actor_id: int, door: int) -> None:
    """Note an open door; nothing here depends on it: the body of a vehicle is its box."""
    _settings(simulation, actor_id, "open_vehicle_door").open_doors.update(_doors(door, "open_vehicle_door"))


def close_vehicle_door(simulation: Simulation, actor_id: int, door: int) -> None:
    _settings(simulation, actor_id, "close_vehicle_door").open_doors.difference_update(
        _doors(door, "close_vehicle_door")
    )


def _doors(door: int, method: str) -> tuple[int, ...]:
    if door == _ALL_DOORS:
        return _DOORS
    if door not in _DOORS:
        raise SimError(f"{method}: door is {door}, expected 0 to 3 or {_ALL_DOORS} for all")
    return (door,)
