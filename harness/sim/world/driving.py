"""How vehicles drive at a tick: targets become pedals, pedals become motion, each as the vehicle is tuned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.ackermann import DEFAULT_GAINS, Gain, Target, follow, fresh_memory
from harness.sim.world.actors import MAX_SPEED_MPS, ActorTable, Kin
from harness.sim.world.friction import tuning_on
from harness.sim.world.powertrain import gear_of, pull_of_gear
from harness.sim.world.vehicle_dynamics import REFERENCE, REFERENCE_ROW, Tuned, Tuning, advance, tuning_of


def prepare_driving(table: ActorTable, row: int) -> None:
    """Give a new vehicle what it is driven with until clients change it."""
    table.tuning[row] = REFERENCE_ROW
    table.driving_gain[row] = DEFAULT_GAINS


def set_targets(table: ActorTable, row: int, target: Sequence[float]) -> None:
    """Drive a vehicle by targets from the next tick on, in the order of `Target`."""
    if not table.follows_targets[row]:
        table.follows_targets[row] = True
        table.driving_memory[row] = fresh_memory(float(table.along_mps[row]))
    table.driving_target[row] = target
    speed_mps = table.driving_target[row, Target.SPEED_MPS]
    table.driving_target[row, Target.SPEED_MPS] = min(max(speed_mps, -MAX_SPEED_MPS), MAX_SPEED_MPS)
    # A gear that was chosen by hand would keep the car from its speed.
    table.manual_gear_shift[row] = False


def set_gains(table: ActorTable, row: int, gain: Sequence[float]) -> None:
    """Set the gains of the controllers that turn targets into pedals, in the order of `Gain`."""
    table.driving_gain[row, : len(Gain)] = gain


def follow_targets(table: ActorTable, rows: NDArray[np.intp], dt_s: float) -> None:
    """Set the pedals of those vehicles among some that are driven by targets."""
    rows = rows[table.follows_targets[rows]]
    if not len(rows):
        return
    driven = follow(
        table.driving_target[rows],
        table.driving_gain[rows],
        table.driving_memory[rows],
        table.along_mps[rows],
        table.control[rows],
        table.reverse[rows],
        table.tuning[rows, Tuned.MAX_STEER_RAD],
        dt_s,
    )
    table.control[rows], table.reverse[rows], table.driving_memory[rows] = driven.control, driven.reverse, driven.memory


def tuning_in_force(table: ActorTable, rows: NDArray[np.intp]) -> Tuning:
    """Return how the vehicles of some rows differ from the reference car."""
    is_manual = table.manual_gear_shift[rows]
    pull = None
    if is_manual.any():
        pull = np.where(is_manual, pull_of_gear(table.along_mps[rows], table.gear[rows], table.reverse[rows]), 1.0)
    if pull is None and not table.is_tuned[rows].any():
        return REFERENCE
    return tuning_of(table.tuning[rows], table.steering_curve[rows], table.has_own_curve[rows], pull)


def drive(table: ActorTable, dt_s: float) -> None:
    """Move the vehicles with physics by one tick, as far as the pedals and the slope under them move them."""
    rows = table.moving_vehicles()
    if not len(rows):
        return
    follow_targets(table, rows, dt_s)
    motion = advance(
        table.along_mps[rows],
        table.side_mps[rows],
        table.spin_dps[rows],
        table.control[rows],
        table.hand_brake[rows],
        table.reverse[rows],
        table.wheelbase_m[rows],
        table.response[rows],
        dt_s,
        tuning_on(table, rows, tuning_in_force(table, rows)),
        table.slope_mps2[rows],
    )
    along_mps = np.clip(motion.along_mps, -MAX_SPEED_MPS, MAX_SPEED_MPS)
    table.along_mps[rows], table.side_mps[rows], table.spin_dps[rows] = (
        along_mps,
        motion.side_mps,
        motion.spin_dps,
    )
    yaw_deg = table.kin[rows, Kin.YAW]
    course_rad = np.radians(yaw_deg + 0.5 * motion.yaw_rate_dps * dt_s)
    vx = along_mps * np.cos(course_rad + motion.slip_rad) - motion.side_mps * np.sin(course_rad)
    vy = along_mps * np.sin(course_rad + motion.slip_rad) + motion.side_mps * np.cos(course_rad)
    table.kin[rows, Kin.X] += vx * dt_s
    table.kin[rows, Kin.Y] += vy * dt_s
    table.kin[rows, Kin.YAW] = (yaw_deg + motion.yaw_rate_dps * dt_s + 180.0) % 360.0 - 180.0
    table.kin[rows, Kin.VX], table.kin[rows, Kin.VY] = vx, vy
    table.kin[rows, Kin.WZ] = motion.yaw_rate_dps
    automatic = rows[~table.manual_gear_shift[rows]]
    table.gear[automatic] = gear_of(table.along_mps[automatic], table.reverse[automatic])
