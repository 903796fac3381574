"""Calls about the physics of vehicles: their parameters, and the engines of physics that are not built."""

from __future__ import annotations

from typing import Any, NoReturn

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import Gear, Vector2D, Vector3D, VehiclePhysicsControl, Wheel
from harness.sim.world.actors import Kind
from harness.sim.world.vehicle_parts import in_world, wheel_places
from harness.sim.world.vehicle_physics import set_physics, settings_of
from harness.sim.world.vehicle_settings import VehiclePhysics, WheelPhysics

_CM_PER_M = 100.0


def get_physics_control(simulation: Simulation, actor_id: int) -> VehiclePhysicsControl:
    """Return the parameters of a vehicle as clients set them, and where its wheels are in the world."""
    row, table = simulation.find_row(actor_id, "get_physics_control", Kind.VEHICLE), simulation.world.table
    physics = settings_of(table, row).physics
    centres = [in_world(table, row, (*place[:3], 0.0, 0.0, 0.0)) for place in wheel_places(table, row)]
    fields: dict[str, Any] = physics._asdict() | {
        "torque_curve": [Vector2D(*point) for point in physics.torque_curve],
        "forward_gears": [Gear(*gear) for gear in physics.forward_gears],
        "center_of_mass": Vector3D(*physics.center_of_mass),
        "steering_curve": [Vector2D(*point) for point in physics.steering_curve],
        "wheels": [
            Wheel(*wheel, position=Vector3D(*(_CM_PER_M * value for value in centre[:3])))
            for wheel, centre in zip(physics.wheels, centres, strict=True)
        ],
    }
    return VehiclePhysicsControl(**fields)


def apply_physics_control(simulation: Simulation, actor_id: int, control: VehiclePhysicsControl) -> None:
    """Set the parameters of a vehicle; those that no vehicle can have stay as they were.

    The places of the wheels are not set: as in CARLA they are where the model of the vehicle has them.
    """
    row = simulation.find_row(actor_id, "apply_physics_control", Kind.VEHICLE)
    fields: dict[str, Any] = control._asdict() | {
        "torque_curve": tuple(tuple(point) for point in control.torque_curve),
        "forward_gears": tuple(tuple(gear) for gear in control.forward_gears),
        "center_of_mass": tuple(control.center_of_mass),
        "steering_curve": tuple(tuple(point) for point in control.steering_curve),
        "wheels": tuple(WheelPhysics(*wheel[:-1]) for wheel in control.wheels),
    }
    set_physics(simulation.world.table, row, VehiclePhysics(**fields))


# --- not built -------------------------------------------------------------------------------------------------------


def enable_carsim(simulation: Simulation, actor_id: int, simfile_path: str) -> None:
    _refuse(simulation, actor_id, "enable_carsim", "CarSim")


def use_carsim_road(simulation: Simulation, actor_id: int, is_enabled: bool) -> None:
    _refuse(simulation, actor_id, "use_carsim_road", "CarSim")


def enable_chrono_physics(
    simulation: Simulation,
    actor_id: int,
    max_substeps: int,
    max_substep_delta_s: float,
    vehicle_json: str,
    powertrain_json: str,
    tire_json: str,
    base_json_path: str,
) -> None:
    _refuse(simulation, actor_id, "enable_chrono_physics", "Chrono")


def restore_physx_physics(simulation: Simulation, actor_id: int) -> None:
    _refuse(simulation, actor_id, "restore_physx_physics", "PhysX")


def _refuse(simulation: Simulation, actor_id: int, method: str, engine: str) -> NoReturn:
    """Refuse another engine of physics; clients send these calls without waiting, so the log has to say it."""
    simulation.find_row(actor_id, method, Kind.VEHICLE)
    simulation.complaints.log_once(f"call {method}", "is not built in this simulator")
    raise SimError(f"{method}: {engine} is not built in this simulator. Actor Id: {actor_id}")
