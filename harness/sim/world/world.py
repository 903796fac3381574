"""One episode: the actors of a town and what a tick does to them.

The world counts its own time. Ids are never used twice within an episode; everything that happens follows from the
town and the calls made, so the same calls give the same states, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.errors import SimError
from harness.sim.world.actors import ACCELERATION, ANGULAR_VELOCITY, POSE, VELOCITY, ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.blueprints import LIBRARY, Blueprint, SemanticTag
from harness.sim.world.impacts import Collision, Impacts
from harness.sim.world.poses import Pose, compose, normalized
from harness.sim.world.right_of_way import RightOfWay
from harness.sim.world.signals import SPEED_TYPE, STOP_TYPE, Signal
from harness.sim.world.town import Town
from harness.sim.world.traffic_lights import TrafficLights
from harness.sim.world.vehicle_dynamics import advance, gear_of

# CARLA's limit of a vehicle that has passed no sign yet.
DEFAULT_SPEED_LIMIT_KMH = 30.0
# More than any client has use for; memory and the time of a tick stay bounded.
MAX_ACTORS = 5_000
# The rows of the lights, then of the signs, follow the spectator's.
FIRST_SIGNAL_ROW = 1
# The observer record has room for so many bytes of a signal's id, and a zero.
_SIGNAL_NAME_BYTES = 31


class World:
    """The state of one episode.

    Attributes:
        table: all live actors.
        lights: states of the traffic lights; light k is the actor `light_ids[k]`.
        weather: values in CARLA's field order; stored and returned, nothing here depends on it.
        frame, elapsed_s: counted by `step`.
        signal_names: OpenDRIVE ids of the lights, then of the signs, as bytes.
    """

    def __init__(self, town: Town, *, episode_id: int, first_actor_id: int, frame: int) -> None:
        self.town = town
        self.episode_id = episode_id
        self.frame = frame
        self.elapsed_s = 0.0
        self.delta_s = 0.0
        self.next_actor_id = first_actor_id
        self.weather: Sequence[float] = DEFAULT_WEATHER
        self.table = ActorTable()
        self.lights = TrafficLights(town.lights, town.controllers)
        self._right_of_way = RightOfWay(town.signed_junctions)
        self.spectator_id = self._add(ActorInfo(id=0, type_id="spectator", kind=Kind.SPECTATOR), (0, 0, 10, 0, 0, 0)).id
        self.light_ids = [self._add_signal(s, "traffic.traffic_light", Kind.TRAFFIC_LIGHT).id for s in town.lights]
        self.sign_ids = [self._add_signal(s, _sign_type_id(s), Kind.SIGN).id for s in town.signs]
        self.signal_names = np.array([_cut(signal.signal_id) for signal in (*town.lights, *town.signs)], "S32")
        self._light_of_id = {actor_id: index for index, actor_id in enumerate(self.light_ids)}
        self._impacts = Impacts(self.table, town.poles_m, self._find_pole_ids())

    # --- actors ------------------------------------------------------------------------------------------------------

    def _add(self, info: ActorInfo, pose: Pose) -> ActorInfo:
        info.id = self.next_actor_id
        self.next_actor_id += 1
        if info.type_id in STREAMING_SENSORS:
            # Like actor ids, stream ids are never used twice: an old subscriber must not see a new sensor.
            info.stream_id = FIRST_SENSOR_STREAM_ID + info.id
        self.table.add(info, np.asarray(pose, np.float64))
        return info

    def _add_signal(self, signal: Signal, type_id: str, kind: Kind) -> ActorInfo:
        box = signal.trigger
        info = ActorInfo(
            id=0,
            type_id=type_id,
            kind=kind,
            box_centre_m=(box.x_m, box.y_m, box.z_m),
            box_half_m=(box.half_x_m, box.half_y_m, box.half_z_m),
            semantic_tag=SemanticTag.TRAFFIC_LIGHT if kind is Kind.TRAFFIC_LIGHT else SemanticTag.TRAFFIC_SIGN,
            signal_id=signal.signal_id,
        )
        return self._add(info, (signal.x_m, signal.y_m, signal.z_m, 0.0, signal.yaw_deg, 0.0))

    def _find_pole_ids(self) -> list[int]:
        by_signal = {info.signal_id: info.id for info in self.table.info.values() if info.signal_id}
        return [by_signal[name] for name in self.town.pole_signals]

    def spawn(
        self,
        type_id: str,
        attributes: Mapping[str, str],
        pose: Pose,
        *,
        parent_id: int = 0,
    ) -> ActorInfo:
        """Spawn an actor.

        Args:
            pose: x, y, z [m], pitch, yaw, roll [deg]; in the world frame, or relative to the parent if there is one.
            parent_id: live actor to attach to, 0 = none.

        Raises:
            SimError: with CARLA's text: unknown type, place taken, world full.
        """
        blueprint = LIBRARY.get(type_id)
        if blueprint is None:
            raise SimError(f"Actor description not found: '{type_id}' is not in the blueprint library of this server")
        if len(self.table) >= MAX_ACTORS:
            raise SimError(f"Spawn failed: the world holds {MAX_ACTORS} actors, its limit; destroy some first")
        offset, pose = None, normalized(pose)
        if parent_id:
            row = self.table.row(parent_id)
            assert row is not None, "callers look the parent up"
            offset, pose = pose, normalized(compose(self.table.kin[row, POSE], pose))
        info = self._describe(blueprint, attributes, parent_id, offset)
        if info.kind in (Kind.VEHICLE, Kind.PROP) and not self._impacts.is_free(info, pose):
            raise SimError("Spawn failed because of collision at spawn position")
        self._add(info, pose)
        if info.kind is Kind.VEHICLE:
            self._prepare_vehicle(info, blueprint)
        return info

    def _describe(
        self, blueprint: Blueprint, attributes: Mapping[str, str], parent_id: int, offset: Pose | None
    ) -> ActorInfo:
        kind = _kind_of(blueprint.type_id)
        return ActorInfo(
            id=0,
            type_id=blueprint.type_id,
            kind=kind,
            attributes={a.id: str(attributes.get(a.id, a.value)) for a in blueprint.attributes},
            box_centre_m=(0.0, 0.0, blueprint.centre_z_m),
            box_half_m=blueprint.half_m,
            semantic_tag=blueprint.semantic_tag,
            parent_id=parent_id,
            offset=offset,
        )

    def _prepare_vehicle(self, info: ActorInfo, blueprint: Blueprint) -> None:
        table, row = self.table, len(self.table) - 1
        table.simulates_physics[row] = True
        table.mass_kg[row] = blueprint.mass_kg
        table.wheelbase_m[row] = blueprint.wheelbase_m
        table.response[row] = blueprint.response
        table.speed_limit_kmh[row] = DEFAULT_SPEED_LIMIT_KMH
        table.gear[row] = 1

    def destroy(self, actor_id: int) -> bool:
        """Remove an actor; False if there is none with this id or it belongs to the town."""
        info = self.table.info.get(actor_id)
        if info is None or info.kind in (Kind.SPECTATOR, Kind.TRAFFIC_LIGHT, Kind.SIGN):
            return False
        self.table.remove(actor_id)
        return True

    # --- what clients set --------------------------------------------------------------------------------------------

    def set_pose(self, row: int, pose: Pose) -> None:
        """Put an actor somewhere; its velocity in the world frame is kept."""
        table = self.table
        table.kin[row, POSE] = normalized(pose)
        if table.kind[row] == Kind.VEHICLE:
            table.set_velocity(row, table.kin[row, VELOCITY])
        info = table.info[int(table.ids[row])]
        if info.parent_id:
            info.offset = None

    def set_angular_velocity(self, row: int, angular_velocity_dps: Sequence[float]) -> None:
        """Set the angular velocity of an actor [deg/s]; of a vehicle the part about the vertical counts."""
        self.table.kin[row, ANGULAR_VELOCITY] = np.clip(angular_velocity_dps, -720.0, 720.0)
        self.table.spin_dps[row] = self.table.kin[row, Kin.WZ]

    def light_of(self, actor_id: int) -> int | None:
        """Return the index of a traffic light actor, or None."""
        return self._light_of_id.get(actor_id)

    # --- the tick ----------------------------------------------------------------------------------------------------

    def step(self, dt_s: float) -> list[Collision]:
        """Advance the world by one tick and return the collisions that began or pressed in it."""
        table = self.table
        before = table.kin[:, VELOCITY].copy()
        self.frame += 1
        self.elapsed_s += dt_s
        self.delta_s = dt_s
        self.lights.step(dt_s)
        self._drive(dt_s)
        collisions = self._impacts.step()
        self._follow_road(dt_s)
        self._carry_attached()
        table.kin[:, ACCELERATION] = (table.kin[:, VELOCITY] - before) / max(dt_s, 1e-6)
        return collisions

    def _drive(self, dt_s: float) -> None:
        table = self.table
        rows = table.vehicle_rows[table.simulates_physics[table.vehicle_rows]]
        if not len(rows):
            return
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
        )
        table.along_mps[rows], table.side_mps[rows], table.spin_dps[rows] = (
            motion.along_mps,
            motion.side_mps,
            motion.spin_dps,
        )
        yaw_deg = table.kin[rows, Kin.YAW]
        course_rad = np.radians(yaw_deg + 0.5 * motion.yaw_rate_dps * dt_s)
        vx = motion.along_mps * np.cos(course_rad + motion.slip_rad) - motion.side_mps * np.sin(course_rad)
        vy = motion.along_mps * np.sin(course_rad + motion.slip_rad) + motion.side_mps * np.cos(course_rad)
        table.kin[rows, Kin.X] += vx * dt_s
        table.kin[rows, Kin.Y] += vy * dt_s
        table.kin[rows, Kin.YAW] = (yaw_deg + motion.yaw_rate_dps * dt_s + 180.0) % 360.0 - 180.0
        table.kin[rows, Kin.VX], table.kin[rows, Kin.VY] = vx, vy
        table.kin[rows, Kin.WZ] = motion.yaw_rate_dps
        automatic = rows[~table.manual_gear_shift[rows]]
        table.gear[automatic] = gear_of(table.along_mps[automatic], table.reverse[automatic])

    def _follow_road(self, dt_s: float) -> None:
        """Set height, slope, governing light and speed limit of the vehicles from the road under them."""
        table, lanes = self.table, self.town.lanes
        rows = table.vehicle_rows
        if not len(rows):
            return
        xy_m, yaw_deg = table.kin[rows, :2], table.kin[rows, Kin.YAW]
        yaw_rad = np.radians(yaw_deg)
        front_m = xy_m + table.box_half_m[rows, :1] * np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1)
        both = lanes.nearest(np.concatenate([xy_m, front_m]), np.concatenate([yaw_deg, yaw_deg]))
        here, ahead = both[: len(rows)], both[len(rows) :]

        governed = lanes.light_index[ahead]
        table.light_index[rows] = np.where(governed >= 0, governed, lanes.light_index[here])
        table.must_yield[rows] = self._right_of_way.step(
            table.ids[rows], here, ahead, np.abs(table.along_mps[rows]), dt_s
        )
        limit = lanes.sign_limit_kmh[here]
        table.speed_limit_kmh[rows] = np.where(limit > 0.0, limit, table.speed_limit_kmh[rows])

        moved = table.simulates_physics[rows]
        rows, here, xy_m, yaw_deg = rows[moved], here[moved], xy_m[moved], yaw_deg[moved]
        before_m = table.kin[rows, Kin.Z].copy()
        table.kin[rows, Kin.Z] = lanes.surface_m(here, xy_m)
        along = np.cos(np.radians(lanes.yaw_deg[here] - yaw_deg))
        table.kin[rows, Kin.PITCH] = lanes.pitch_deg[here] * along
        fell = np.abs(table.kin[rows, Kin.Z] - before_m) > 0.5
        climb = np.tan(np.radians(table.kin[rows, Kin.PITCH])) * table.along_mps[rows]
        table.kin[rows, Kin.VZ] = np.where(fell, 0.0, climb)

    def _carry_attached(self) -> None:
        for info in self.table.info.values():
            if info.offset is None:
                continue
            row, parent = self.table.row(info.id), self.table.row(info.parent_id)
            if row is not None and parent is not None:
                self.table.kin[row, POSE] = normalized(compose(self.table.kin[parent, POSE], info.offset))
                self.table.kin[row, VELOCITY] = self.table.kin[parent, VELOCITY]


def _kind_of(type_id: str) -> Kind:
    prefix = type_id.split(".", 1)[0]
    return {"vehicle": Kind.VEHICLE, "static": Kind.PROP, "sensor": Kind.SENSOR}[prefix]


def _cut(signal_id: str) -> bytes:
    """Return as much of an id as the observer record has room for, cut between characters."""
    return signal_id.encode()[:_SIGNAL_NAME_BYTES].decode(errors="ignore").encode()


def _sign_type_id(signal: Signal) -> str:
    if signal.type == SPEED_TYPE:
        return f"traffic.speed_limit.{round(signal.limit_kmh)}"
    return "traffic.stop" if signal.type == STOP_TYPE else "traffic.yield"


# Sensors whose data the server sends; lane invasion is computed in the client.
STREAMING_SENSORS = frozenset({"sensor.other.collision"})
FIRST_SENSOR_STREAM_ID = 2  # of the actor with id 0; the world observer has stream 1
# CARLA's default: cloudiness 5, sun at 45 degrees, fog distance 0.75, falloff 0.1, scattering as in the client's type.
DEFAULT_WEATHER: tuple[float, ...] = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
