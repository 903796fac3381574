"""One episode: the actors of a town and what a tick does to them.

The world counts its own time. Ids are never used twice within an episode; everything that happens follows from the
town and the calls made, so the same calls give the same states, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import SimError
from harness.sim.world.actors import ACCELERATION, ANGULAR_VELOCITY, POSE, VELOCITY, ActorInfo, ActorTable, Kin, Kind
from harness.sim.world.blueprints import LIBRARY, Blueprint
from harness.sim.world.collisions import Boxes, Contacts, candidate_pairs, find_contacts, impulses_ns
from harness.sim.world.signals import SPEED_TYPE, STOP_TYPE, Signal
from harness.sim.world.town import POLE_HALF_M, POLE_HEIGHT_M, Town
from harness.sim.world.traffic_lights import TrafficLights
from harness.sim.world.vehicle_dynamics import advance, gear_of

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Pose = tuple[float, float, float, float, float, float]

# CARLA's limit of a vehicle that has passed no sign yet.
DEFAULT_SPEED_LIMIT_KMH = 30.0
# The coordinates a client may send; the largest town is 15 km wide.
MAX_COORDINATE_M = 1.0e6
MAX_SPEED_MPS = 150.0
_CLOSING_REPORTED_MPS = 0.05
# Yaw moment of a push relative to a free box: tyres hold most of it.
_SPIN_SHARE = 0.3


@dataclass(frozen=True)
class Collision:
    """`this` was hit by `other`; ids of actors, impulse on `this` [N s] in the world frame."""

    this: int
    other: int
    impulse_ns: tuple[float, float, float]


class World:
    """The state of one episode.

    Attributes:
        table: all live actors.
        lights: states of the traffic lights; light k is the actor `light_ids[k]`.
        weather: values in CARLA's field order; stored and returned, nothing here depends on it.
        frame, elapsed_s: counted by `step`.
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
        self._touching: set[tuple[int, int]] = set()
        self._next_stream_id = FIRST_SENSOR_STREAM_ID
        self.spectator_id = self._add(ActorInfo(id=0, type_id="spectator", kind=Kind.SPECTATOR), (0, 0, 10, 0, 0, 0)).id
        self.light_ids = [self._add_signal(s, "traffic.traffic_light", Kind.TRAFFIC_LIGHT).id for s in town.lights]
        self.sign_ids = [self._add_signal(s, _sign_type_id(s), Kind.SIGN).id for s in town.signs]
        self._light_of_id = {actor_id: index for index, actor_id in enumerate(self.light_ids)}
        self._pole_ids = self._find_pole_ids()
        self._pole_tree = self._build_pole_tree()

    # --- actors ------------------------------------------------------------------------------------------------------

    def _add(self, info: ActorInfo, pose: Pose) -> ActorInfo:
        info.id = self.next_actor_id
        self.next_actor_id += 1
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
            semantic_tag=7 if kind is Kind.TRAFFIC_LIGHT else 8,
            signal_id=signal.signal_id,
        )
        return self._add(info, (signal.x_m, signal.y_m, signal.z_m, 0.0, signal.yaw_deg, 0.0))

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
            parent_id: actor to attach to, 0 = none.

        Raises:
            SimError: with CARLA's text: unknown type, place taken, unknown parent.
        """
        blueprint = LIBRARY.get(type_id)
        if blueprint is None:
            raise SimError(f"Actor description not found: '{type_id}' is not in the blueprint library of this server")
        offset = None
        if parent_id:
            row = self.table.row(parent_id)
            if row is None:
                raise SimError(f"unable to attach actor: parent actor not found. Actor Id: {parent_id}")
            offset, pose = pose, compose(self.table.kin[row, POSE], pose)
        info = self._describe(blueprint, attributes, parent_id, offset)
        if info.kind in (Kind.VEHICLE, Kind.PROP) and self._is_taken(info, pose):
            raise SimError("Spawn failed because of collision at spawn position")
        self._add(info, pose)
        if info.kind is Kind.VEHICLE:
            self._prepare_vehicle(info, blueprint)
        return info

    def _describe(
        self, blueprint: Blueprint, attributes: Mapping[str, str], parent_id: int, offset: Pose | None
    ) -> ActorInfo:
        kind = _kind_of(blueprint.type_id)
        stream_id = 0
        if blueprint.type_id in STREAMING_SENSORS:
            stream_id = self._next_stream_id
            self._next_stream_id += 1
        return ActorInfo(
            id=0,
            type_id=blueprint.type_id,
            kind=kind,
            attributes={a.id: str(attributes.get(a.id, a.value)) for a in blueprint.attributes},
            box_centre_m=(0.0, 0.0, blueprint.centre_z_m),
            box_half_m=blueprint.half_m,
            semantic_tag=blueprint.semantic_tag,
            parent_id=parent_id,
            stream_id=stream_id,
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

    def _is_taken(self, info: ActorInfo, pose: Pose) -> bool:
        solid = self._solid_boxes()
        new = Boxes(
            centre_m=np.array([[pose[0], pose[1]]]),
            yaw_rad=np.radians([pose[4]]),
            half_m=np.array([info.box_half_m[:2]]),
            bottom_m=np.array([pose[2] - 1.0]),
            top_m=np.array([pose[2] + 2.0 * info.box_half_m[2] + 1.0]),
        )
        both = _concatenate(new, solid)
        others = np.arange(1, len(both.yaw_rad))
        return len(find_contacts(both, np.zeros(len(others), np.intp), others).first) > 0

    # --- what clients set --------------------------------------------------------------------------------------------

    def set_pose(self, row: int, pose: Pose) -> None:
        """Put an actor somewhere; its velocity in the world frame is kept."""
        table = self.table
        table.kin[row, POSE] = np.clip(pose, -MAX_COORDINATE_M, MAX_COORDINATE_M)
        if table.kind[row] == Kind.VEHICLE:
            self.set_velocity(row, table.kin[row, VELOCITY])
        info = table.info[int(table.ids[row])]
        if info.parent_id:
            info.offset = None

    def set_velocity(self, row: int, velocity_mps: Sequence[float] | NDArray[np.float64]) -> None:
        """Set the velocity of an actor, world frame."""
        table = self.table
        velocity = np.clip(velocity_mps, -MAX_SPEED_MPS, MAX_SPEED_MPS)
        table.kin[row, VELOCITY] = velocity
        yaw_rad = math.radians(table.kin[row, Kin.YAW])
        cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
        table.along_mps[row] = velocity[0] * cos + velocity[1] * sin
        table.side_mps[row] = -velocity[0] * sin + velocity[1] * cos

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
        collisions = self._collide()
        self._follow_road()
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

    def _follow_road(self) -> None:
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
                self.table.kin[row, POSE] = compose(self.table.kin[parent, POSE], info.offset)
                self.table.kin[row, VELOCITY] = self.table.kin[parent, VELOCITY]

    # --- collisions --------------------------------------------------------------------------------------------------

    def _solid_boxes(self) -> Boxes:
        """Return the boxes of vehicles and props, in the order of `table.solid_rows`, then of all poles."""
        table = self.table
        rows = table.solid_rows
        yaw_rad = np.radians(table.kin[rows, Kin.YAW])
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        offset = table.box_centre_m[rows]
        actors = Boxes(
            centre_m=np.stack(
                [
                    table.kin[rows, Kin.X] + offset[:, 0] * cos - offset[:, 1] * sin,
                    table.kin[rows, Kin.Y] + offset[:, 0] * sin + offset[:, 1] * cos,
                ],
                axis=1,
            ),
            yaw_rad=yaw_rad,
            half_m=table.box_half_m[rows, :2],
            bottom_m=table.kin[rows, Kin.Z] + offset[:, 2] - table.box_half_m[rows, 2],
            top_m=table.kin[rows, Kin.Z] + offset[:, 2] + table.box_half_m[rows, 2],
        )
        return _concatenate(actors, self._pole_boxes)

    def _collide(self) -> list[Collision]:
        table = self.table
        rows = table.solid_rows
        if not len(table.vehicle_rows) or len(rows) + len(self._pole_ids) < 2:
            return []
        boxes = self._solid_boxes()
        movers = (table.kind[rows] == Kind.VEHICLE) & table.simulates_physics[rows]
        first, second = candidate_pairs(boxes.take(np.arange(len(rows))), movers)
        pole_first, pole_second = self._near_poles(boxes, np.flatnonzero(movers), len(rows))
        contacts = find_contacts(boxes, np.concatenate([first, pole_first]), np.concatenate([second, pole_second]))
        if not len(contacts.first):
            self._touching = set()
            return []
        return self._push(boxes, contacts, movers)

    def _near_poles(
        self, boxes: Boxes, movers: NDArray[np.intp], offset: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        none = np.zeros(0, np.intp)
        if self._pole_tree is None or not len(movers):
            return none, none
        distance_m, pole = self._pole_tree.query(boxes.centre_m[movers], k=1)
        near = distance_m < np.hypot(boxes.half_m[movers, 0], boxes.half_m[movers, 1]) + POLE_HALF_M * 1.5
        return movers[near], pole[near] + offset

    def _push(self, boxes: Boxes, contacts: Contacts, movers: NDArray[np.bool_]) -> list[Collision]:
        """Apply the impulses of the contacts, part the boxes and report the contacts that are new or pressing."""
        table, rows, count = self.table, self.table.solid_rows, len(boxes.yaw_rad)
        inverse_mass = np.zeros(count)
        inverse_mass[: len(rows)][movers] = 1.0 / table.mass_kg[rows[movers]]
        velocity = np.zeros((count, 2))
        velocity[: len(rows)] = table.kin[rows, Kin.VX : Kin.VZ]
        impulse = impulses_ns(contacts, velocity, inverse_mass)
        ids = np.concatenate([table.ids[rows], np.array(self._pole_ids, np.uint32)])
        reports: list[Collision] = []
        touching = set()
        for k in range(len(contacts.first)):
            a, b = int(contacts.first[k]), int(contacts.second[k])
            pair = (int(ids[a]), int(ids[b]))
            touching.add(pair)
            push = impulse[k] * contacts.normal[k]
            inverse = inverse_mass[a] + inverse_mass[b]
            for index, sign in ((a, -1.0), (b, 1.0)):
                if inverse_mass[index] > 0.0:
                    share = inverse_mass[index] / inverse
                    self._kick(int(rows[index]), sign * push, contacts.point_m[k] - boxes.centre_m[index])
                    shift = sign * share * contacts.depth_m[k] * contacts.normal[k]
                    table.kin[rows[index], :2] += shift
            if pair not in self._touching or impulse[k] * inverse > _CLOSING_REPORTED_MPS:
                reports.append(Collision(pair[0], pair[1], (-float(push[0]), -float(push[1]), 0.0)))
                reports.append(Collision(pair[1], pair[0], (float(push[0]), float(push[1]), 0.0)))
        self._touching = touching
        return reports

    def _kick(self, row: int, impulse_ns: NDArray[np.float64], lever_m: NDArray[np.float64]) -> None:
        table = self.table
        mass_kg, half_m = table.mass_kg[row], table.box_half_m[row]
        velocity = table.kin[row, VELOCITY].copy()
        velocity[:2] += impulse_ns / mass_kg
        inertia = mass_kg * (half_m[0] ** 2 + half_m[1] ** 2) / 3.0
        moment = lever_m[0] * impulse_ns[1] - lever_m[1] * impulse_ns[0]
        self.set_velocity(row, velocity)
        spin = table.spin_dps[row] + _SPIN_SHARE * math.degrees(moment / inertia)
        table.spin_dps[row] = min(max(spin, -180.0), 180.0)

    def _find_pole_ids(self) -> list[int]:
        by_signal = {info.signal_id: info.id for info in self.table.info.values() if info.signal_id}
        return [by_signal[name] for name in self.town.pole_signals]

    def _build_pole_tree(self) -> cKDTree | None:
        from scipy.spatial import cKDTree

        feet = self.town.poles_m
        count = len(feet)
        self._pole_boxes = Boxes(
            centre_m=feet[:, :2].copy(),
            yaw_rad=np.zeros(count),
            half_m=np.full((count, 2), POLE_HALF_M),
            bottom_m=feet[:, 2] - 1.0,
            top_m=feet[:, 2] + POLE_HEIGHT_M,
        )
        return cKDTree(feet[:, :2]) if count else None


def _concatenate(first: Boxes, second: Boxes) -> Boxes:
    return Boxes(
        centre_m=np.concatenate([first.centre_m, second.centre_m]),
        yaw_rad=np.concatenate([first.yaw_rad, second.yaw_rad]),
        half_m=np.concatenate([first.half_m, second.half_m]),
        bottom_m=np.concatenate([first.bottom_m, second.bottom_m]),
        top_m=np.concatenate([first.top_m, second.top_m]),
    )


def compose(parent: Sequence[float] | NDArray[np.float64], offset: Pose) -> Pose:
    """Return the world pose of something attached to `parent` at `offset` (x, y, z [m], pitch, yaw, roll [deg]).

    The rotation of the offset is added to the parent's, exact for the level parents of this world.
    """
    pitch, yaw, roll = (math.radians(float(angle)) for angle in parent[3:6])
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch),
        math.sin(pitch),
        math.cos(yaw),
        math.sin(yaw),
        math.cos(roll),
        math.sin(roll),
    )
    x, y, z = offset[0], offset[1], offset[2]
    return (
        float(parent[0]) + x * cp * cy + y * (cy * sp * sr - sy * cr) - z * (cy * sp * cr + sy * sr),
        float(parent[1]) + x * cp * sy + y * (sy * sp * sr + cy * cr) - z * (sy * sp * cr - cy * sr),
        float(parent[2]) + x * sp - y * cp * sr + z * cp * cr,
        float(parent[3]) + offset[3],
        float(parent[4]) + offset[4],
        float(parent[5]) + offset[5],
    )


def _kind_of(type_id: str) -> Kind:
    prefix = type_id.split(".", 1)[0]
    return {"vehicle": Kind.VEHICLE, "static": Kind.PROP, "sensor": Kind.SENSOR}[prefix]


def _sign_type_id(signal: Signal) -> str:
    if signal.type == SPEED_TYPE:
        return f"traffic.speed_limit.{round(signal.limit_kmh)}"
    return "traffic.stop" if signal.type == STOP_TYPE else "traffic.yield"


# Sensors whose data the server sends; lane invasion is computed in the client.
STREAMING_SENSORS = frozenset({"sensor.other.collision"})
FIRST_SENSOR_STREAM_ID = 2
# CARLA's default: cloudiness 5, sun at 45 degrees, fog distance 0.75, falloff 0.1, scattering as in the client's type.
DEFAULT_WEATHER: tuple[float, ...] = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
