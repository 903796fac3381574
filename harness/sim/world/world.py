"""One episode: the actors of a town and what a tick does to them.

The world counts its own time. Ids are never used twice within an episode; everything that happens follows from the
town and the calls made, so the same calls give the same states, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.errors import SimError
from harness.sim.world.actors import (
    ACCELERATION,
    ANGULAR_VELOCITY,
    POSE,
    SOLID_KINDS,
    VELOCITY,
    ActorInfo,
    ActorTable,
    Kin,
    Kind,
)
from harness.sim.world.blueprints import LIBRARY, Blueprint, SemanticTag
from harness.sim.world.bodies import Pushes, Uncontrolled, move_props, prop_body, stand_on_road
from harness.sim.world.dormancy import DEFAULT_ACTIVE_DISTANCE_M, is_large, put_to_sleep
from harness.sim.world.driving import drive, prepare_driving
from harness.sim.world.friction import friction_of
from harness.sim.world.impacts import Collision, Impacts
from harness.sim.world.poses import Pose, compose, normalized
from harness.sim.world.right_of_way import RightOfWay
from harness.sim.world.signals import SPEED_TYPE, STOP_TYPE, Signal
from harness.sim.world.skeleton import Skeletons
from harness.sim.world.town import Town
from harness.sim.world.traffic_lights import TrafficLights
from harness.sim.world.walkers import knock_over, walk

# CARLA's limit of a vehicle that has passed no sign yet.
DEFAULT_SPEED_LIMIT_KMH = 30.0
# More than any client has use for, on top of the town's own; memory and the time of a tick stay bounded.
MAX_ACTORS = 5_000
# A dead walker is taken away after this long, as in CARLA.
_DEAD_FOR_S = 10.0
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
        hidden_scenery: ids of scenery that a client switched off; rays do not see it.
        active_distance_m: actors of a large town that are further from every hero sleep.
        pushes: impulses and forces that clients give to actors.
        skeletons: poses of the walkers.
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
        self.hidden_scenery: frozenset[int] = frozenset()
        self.active_distance_m = DEFAULT_ACTIVE_DISTANCE_M
        self.table = ActorTable()
        self.pushes = Pushes(self.table)
        self.skeletons = Skeletons()
        self._is_large = is_large(town.lanes)
        self._dead_until_s: dict[int, float] = {}
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
        if len(self.table) - FIRST_SIGNAL_ROW - len(self.signal_names) >= MAX_ACTORS:
            raise SimError(f"Spawn failed: the world holds {MAX_ACTORS} actors, its limit; destroy some first")
        offset, pose = None, normalized(pose)
        if parent_id:
            row = self.table.row(parent_id)
            assert row is not None, "callers look the parent up"
            offset, pose = pose, normalized(compose(self.table.kin[row, POSE], pose))
        info = self._describe(blueprint, attributes, parent_id, offset)
        mass_kg, moves = prop_body(info) if info.kind is Kind.PROP else (blueprint.mass_kg, True)
        if info.kind in SOLID_KINDS and not self._impacts.is_free(info, pose):
            raise SimError("Spawn failed because of collision at spawn position")
        self._add(info, pose)
        row = len(self.table) - 1
        self.table.is_hero[row] = info.attributes.get("role_name") == "hero"
        if info.kind in SOLID_KINDS:
            self.table.mass_kg[row], self.table.simulates_physics[row] = mass_kg, moves
        if info.kind is Kind.VEHICLE:
            self._prepare_vehicle(info, blueprint)
        return info

    def _describe(
        self, blueprint: Blueprint, attributes: Mapping[str, str], parent_id: int, offset: Pose | None
    ) -> ActorInfo:
        asked = {a.id: attributes.get(a.id, a.value) for a in blueprint.attributes if a.is_modifiable}
        kept = {a.id: str(asked.get(a.id, a.value)) for a in blueprint.attributes}
        centre_m, half_m = blueprint.box(kept)
        if blueprint.is_area:
            friction_of(kept)
        return ActorInfo(
            id=0,
            type_id=blueprint.type_id,
            kind=_kind_of(blueprint, has_body=any(half_m)),
            attributes=kept,
            box_centre_m=centre_m,
            box_half_m=half_m,
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
        prepare_driving(table, row)

    def destroy(self, actor_id: int) -> bool:
        """Remove an actor; False if there is none with this id or it belongs to the town."""
        info = self.table.info.get(actor_id)
        if info is None or info.kind in (Kind.SPECTATOR, Kind.TRAFFIC_LIGHT, Kind.SIGN):
            return False
        self.table.remove(actor_id)
        self.skeletons.forget(actor_id)
        self._dead_until_s.pop(actor_id, None)
        return True

    # --- what clients set --------------------------------------------------------------------------------------------

    def set_pose(self, row: int, pose: Pose) -> None:
        """Put an actor somewhere; its velocity in the world frame is kept.

        Of an attached actor the pose is relative to its parent, as in CARLA, and it stays attached.
        """
        table = self.table
        info = table.info[int(table.ids[row])]
        parent = table.row(info.parent_id)
        if info.offset is not None:
            info.offset = normalized(pose)
            if parent is not None:
                pose = compose(table.kin[parent, POSE], info.offset)
        table.kin[row, POSE] = normalized(pose)
        table.is_airborne[row] = False
        if table.kind[row] == Kind.VEHICLE:
            table.set_velocity(row, table.kin[row, VELOCITY])

    def set_angular_velocity(self, row: int, angular_velocity_dps: Sequence[float]) -> None:
        """Set the angular velocity of an actor [deg/s]; of a vehicle the part about the vertical counts."""
        self.table.kin[row, ANGULAR_VELOCITY] = np.clip(angular_velocity_dps, -720.0, 720.0)
        self.table.spin_dps[row] = self.table.kin[row, Kin.WZ]

    def set_dead(self, row: int) -> None:
        """Have a walker fall, and disappear after ten seconds."""
        knock_over(self.table, row)
        self._dead_until_s.setdefault(int(self.table.ids[row]), self.elapsed_s + _DEAD_FOR_S)

    def light_of(self, actor_id: int) -> int | None:
        """Return the index of a traffic light actor, or None."""
        return self._light_of_id.get(actor_id)

    # --- the tick ----------------------------------------------------------------------------------------------------

    def step(self, dt_s: float) -> list[Collision]:
        """Advance the world by one tick and return the collisions that began or pressed in it."""
        self._take_away_dead()
        table = self.table
        before = table.kin[:, VELOCITY].copy()
        self.frame += 1
        self.elapsed_s += dt_s
        self.delta_s = dt_s
        self.lights.step(dt_s)
        if self._is_large:
            put_to_sleep(table, self.active_distance_m)
        self.pushes.apply(dt_s)
        uncontrolled = Uncontrolled(table)
        drive(self.table, dt_s)
        uncontrolled.move(dt_s)
        walk(table, self.town.lanes, dt_s)
        move_props(table, self.town.lanes, dt_s)
        collisions = self._impacts.step(dt_s)
        self._follow_road(dt_s)
        self._carry_attached()
        table.kin[:, ACCELERATION] = (table.kin[:, VELOCITY] - before) / max(dt_s, 1e-6)
        return collisions

    def _follow_road(self, dt_s: float) -> None:
        """Set height, slope, governing light and speed limit of the vehicles from the road under them."""
        table, lanes = self.table, self.town.lanes
        rows = table.vehicle_rows
        if not len(rows):
            return
        xy_m, yaw_deg = table.kin[rows, :2], table.kin[rows, Kin.YAW]
        yaw_rad = np.radians(yaw_deg)
        front_m = xy_m + table.box_half_m[rows, :1] * np.stack([np.cos(yaw_rad), np.sin(yaw_rad)], axis=1)
        both = lanes.nearest(np.concatenate([xy_m, front_m]), np.tile(yaw_deg, 2), np.tile(table.kin[rows, Kin.Z], 2))
        here, ahead = both[: len(rows)], both[len(rows) :]

        governed = lanes.light_index[ahead]
        table.light_index[rows] = np.where(governed >= 0, governed, lanes.light_index[here])
        table.must_yield[rows] = self._right_of_way.step(
            table.ids[rows], here, ahead, np.abs(table.along_mps[rows]), dt_s
        )
        limit = lanes.sign_limit_kmh[here]
        table.speed_limit_kmh[rows] = np.where(limit > 0.0, limit, table.speed_limit_kmh[rows])

        moved = table.simulates_physics[rows] & ~table.is_dormant[rows]
        stand_on_road(table, lanes, rows[moved], here[moved], dt_s)

    def _take_away_dead(self) -> None:
        for actor_id in [key for key, until_s in self._dead_until_s.items() if self.elapsed_s >= until_s]:
            self.destroy(actor_id)

    def _carry_attached(self) -> None:
        for info in self.table.info.values():
            if info.offset is None:
                continue
            row, parent = self.table.row(info.id), self.table.row(info.parent_id)
            if row is not None and parent is not None:
                self.table.kin[row, POSE] = normalized(compose(self.table.kin[parent, POSE], info.offset))
                self.table.kin[row, VELOCITY] = self.table.kin[parent, VELOCITY]


def _kind_of(blueprint: Blueprint, *, has_body: bool) -> Kind:
    if blueprint.is_area:
        return Kind.AREA
    kind = _KINDS.get(blueprint.type_id.split(".", 1)[0], Kind.MARKER)
    return Kind.MARKER if kind is Kind.PROP and not has_body else kind


def _cut(signal_id: str) -> bytes:
    """Return as much of an id as the observer record has room for, cut between characters."""
    return signal_id.encode()[:_SIGNAL_NAME_BYTES].decode(errors="ignore").encode()


def _sign_type_id(signal: Signal) -> str:
    if signal.type == SPEED_TYPE:
        return f"traffic.speed_limit.{round(signal.limit_kmh)}"
    return "traffic.stop" if signal.type == STOP_TYPE else "traffic.yield"


_KINDS = {"vehicle": Kind.VEHICLE, "walker": Kind.WALKER, "static": Kind.PROP, "sensor": Kind.SENSOR}
# Sensors whose data the server sends; lane invasion is computed in the client.
STREAMING_SENSORS = frozenset(
    {"sensor.other.collision", "sensor.other.gnss", "sensor.other.imu", "sensor.other.obstacle"}
)
FIRST_SENSOR_STREAM_ID = 2  # of the actor with id 0; the world observer has stream 1
# CARLA's default: cloudiness 5, sun at 45 degrees, fog distance 0.75, falloff 0.1, scattering as in the client's type.
DEFAULT_WEATHER: tuple[float, ...] = (5.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0, 0.75, 0.1, 0.0, 1.0, 0.03, 0.0331, 0.0)
