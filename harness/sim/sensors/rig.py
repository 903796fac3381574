"""The streaming sensors of an episode: which of them read something at a tick, and what.

A tick without such sensors costs one look at an empty dictionary. What a sensor reads never depends on who listens:
its clock and its memory go on either way, only the reading itself is left out where nobody would get it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.sim.sensors.gnss import GeoReference, Gnss, GnssFix
from harness.sim.sensors.imu import Imu, InertialReading
from harness.sim.sensors.obstacle import Obstacle, ObstacleDetector, roll_ball
from harness.sim.sensors.settings import read_number
from harness.sim.world.actors import ACCELERATION, ANGULAR_VELOCITY, VELOCITY, ActorInfo, Kin, Kind
from harness.sim.world.impacts import Collision
from harness.sim.world.oriented_boxes import OrientedBoxes, axes_of, boxes_of_actors
from harness.sim.world.world import World

Value: TypeAlias = GnssFix | InertialReading | Obstacle | Collision
Device: TypeAlias = Gnss | Imu | ObstacleDetector
_DEVICES: dict[str, Callable[[Mapping[str, str]], Device]] = {
    "sensor.other.gnss": Gnss,
    "sensor.other.imu": Imu,
    "sensor.other.obstacle": ObstacleDetector.from_attributes,
}
_COLLISION = "sensor.other.collision"
_PLACE, _ROTATION = slice(Kin.X, Kin.PITCH), slice(Kin.PITCH, Kin.ROLL + 1)
_MOVING_KINDS = (Kind.VEHICLE, Kind.WALKER)
# Times are sums of tick lengths.
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Reading:
    """What a sensor has read."""

    sensor: ActorInfo
    value: Value


class _Mounted:
    """A sensor with its device and its clock: it reads at its first tick and then every `sensor_tick` seconds."""

    def __init__(self, info: ActorInfo) -> None:
        self.info = info
        self.device = _DEVICES[info.type_id](info.attributes)
        self.tick = 0
        self._interval_s = read_number(info.attributes, "sensor_tick", lowest=0.0)
        self._due_s: float | None = None

    def is_due(self, now_s: float) -> bool:
        """Return whether it reads at this tick, and count the tick."""
        self.tick += 1
        due_s = now_s if self._due_s is None else self._due_s
        if now_s < due_s - _ROUNDING_S:
            return False
        # An interval that no tick length divides keeps its mean; one below the tick length falls behind nothing.
        self._due_s = max(due_s + self._interval_s, now_s)
        return True


class Rig:
    """All streaming sensors of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._mounted: dict[int, _Mounted] = {}
        self._reference: GeoReference | None = None
        self._bodies: tuple[NDArray[np.uint32], NDArray[np.bool_], OrientedBoxes] | None = None
        self._standing_ids: NDArray[np.uint32] | None = None

    def read(self, collisions: Sequence[Collision], heard: Container[int], gravity_mps2: float) -> list[Reading]:
        """Return the readings of the tick that the world has just made.

        Args:
            collisions: of this tick.
            heard: ids of the streams that somebody listens to.
            gravity_mps2: what inertial sensors feel at rest.
        """
        sensors = self._world.table.streaming
        if not sensors:
            return []
        self._bodies = None
        if len(self._mounted) > len(sensors):
            self._mounted = {key: mounted for key, mounted in self._mounted.items() if key in sensors}
        readings = [
            Reading(info, collision)
            for collision in collisions
            for info in sensors.values()
            if info.type_id == _COLLISION and info.parent_id == collision.this and info.stream_id in heard
        ]
        for info in sensors.values():
            if info.type_id in _DEVICES:
                value = self._read_device(info, info.stream_id in heard, gravity_mps2)
                if value is not None:
                    readings.append(Reading(info, value))
        return readings

    def _read_device(self, info: ActorInfo, is_heard: bool, gravity_mps2: float) -> Value | None:
        mounted = self._mounted.get(info.id)
        if mounted is None:
            mounted = self._mounted[info.id] = _Mounted(info)
        table, device = self._world.table, mounted.device
        row = table.row(info.id)
        assert row is not None, "streaming sensors are in the table"
        if isinstance(device, Imu):
            self._follow(device, info, row)
        if not mounted.is_due(self._world.elapsed_s) or not is_heard:
            return None
        if isinstance(device, Imu):
            return device.read(table.kin[row, _ROTATION], gravity_mps2, mounted.tick)
        if isinstance(device, Gnss):
            if self._reference is None:
                self._reference = GeoReference(self._world.town.opendrive)
            x_m, y_m, z_m = table.kin[row, _PLACE].tolist()
            return device.read(self._reference, (x_m, y_m, z_m), mounted.tick)
        return self._look_ahead(device, info, row)

    def _follow(self, device: Imu, info: ActorInfo, row: int) -> None:
        table = self._world.table
        carrier = table.row(info.parent_id) if info.parent_id else None
        carrier = row if carrier is None else carrier
        device.follow(
            table.kin[carrier, VELOCITY],
            table.kin[carrier, ANGULAR_VELOCITY],
            table.kin[carrier, ACCELERATION],
            table.kin[row, _PLACE] - table.kin[carrier, _PLACE],
            self._world.delta_s,
        )

    def _look_ahead(self, detector: ObstacleDetector, info: ActorInfo, row: int) -> Obstacle | None:
        ids, moves, boxes = self._all_bodies()
        own = np.isin(ids, (info.id, info.parent_id))
        looked_at = np.flatnonzero(~own & (moves | (not detector.only_moving)))
        pose = self._world.table.kin[row]
        forward = axes_of(pose[None, _ROTATION])[0, 0]
        met = roll_ball(boxes.take(looked_at), pose[_PLACE], forward, detector.reach_m, detector.radius_m)
        if met is None:
            return None
        carrier_id = info.id if self._world.table.row(info.parent_id) is None else info.parent_id
        return Obstacle(carrier_id, int(ids[looked_at[met[0]]]), met[1])

    def _all_bodies(self) -> tuple[NDArray[np.uint32], NDArray[np.bool_], OrientedBoxes]:
        """Return actor ids, whether they can move, and boxes of everything solid; once per tick."""
        if self._bodies is None:
            world, scenery = self._world, self._world.town.scenery
            rows, actors = boxes_of_actors(world.table)
            moves = np.isin(world.table.kind[rows], _MOVING_KINDS) | world.table.simulates_physics[rows]
            shown = np.flatnonzero(~np.isin(scenery.ids[scenery.surfaces :], list(world.hidden_scenery)))
            self._bodies = (
                np.concatenate([world.table.ids[rows], self._owners()[shown]]),
                np.concatenate([moves, np.zeros(len(shown), np.bool_)]),
                OrientedBoxes.join(actors, scenery.standing.take(shown)),
            )
        return self._bodies

    def _owners(self) -> NDArray[np.uint32]:
        """Return the ids of the lights and signs to which the standing boxes of the scenery belong."""
        if self._standing_ids is None:
            world = self._world
            signals = (*world.town.lights, *world.town.signs)
            ids = dict(zip((s.signal_id for s in signals), (*world.light_ids, *world.sign_ids), strict=True))
            self._standing_ids = np.array([ids[name] for name in world.town.scenery.standing_signals], np.uint32)
        return self._standing_ids
