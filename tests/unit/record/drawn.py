"""A drive to record that needs no simulator: a car on North Street of Borough01 and who is around it.

The map is the client's own, read from the file; actors are drawn: places and speeds stand where they are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import carla
import numpy as np

from harness.config import OWN_TOWNS_DIR
from harness.datatypes.route import Point
from harness.drive.agents import DriveContext
from harness.drive.decision import Decision, Reason
from harness.drive.dense_route import interpolate
from harness.drive.expert import Expert
from harness.drive.privileged_route import build_privileged_route
from harness.drive.regulations import Light, OnRoute, StopSign
from harness.drive.road_graph import RoadGraph
from harness.drive.scene import Others, Scene
from harness.record.recorder import RouteRecorder
from harness.routes import WEATHER_UNSPECIFIED
from tests.unit.drive.criteria.drawn import ego_at, tick

TOWN, SCENARIO = "Borough01", "noScenarios"
START_X_M, END_X_M, STREET_Y_M = 220.0, 330.0, -378.25
TICK_S = 0.05
HERO_ID, LIGHT_ID, SIGN_ID = 1, 70, 80
RECORD: dict[str, Any] = {
    "index": 0,
    "route_id": "RouteScenario_7_rep0",
    "status": "Perfect",
    "num_infractions": 0,
    "infractions": {
        kind: []
        for kind in (
            *("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction"),
            *("outside_route_lanes", "min_speed_infractions", "yield_emergency_vehicle_infractions"),
            *("scenario_timeouts", "route_dev", "vehicle_blocked", "route_timeout"),
        )
    },
    "scores": {"score_route": 100, "score_penalty": 1.0, "score_composed": 100.0},
    "meta": {"route_length": 109.0, "duration_game": 10.0, "duration_system": 1.0},
}


def borough() -> Any:
    """Return the carla.Map of our own town."""
    return carla.Map(TOWN, (OWN_TOWNS_DIR / f"{TOWN}.xodr").read_text())


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an actor is at a time."""

    x_m: float
    y_m: float = STREET_Y_M
    z_m: float = 0.0
    yaw_deg: float = 0.0
    speed_mps: float = 0.0
    course_deg: float | None = None


class DrawnActor:
    """An actor whose place somebody sets; only what a recorder may ask of it."""

    def __init__(self, actor_id: int, type_id: str, **attributes: str) -> None:
        self.id, self.type_id, self.attributes = actor_id, type_id, attributes
        self.bounding_box = carla.BoundingBox(carla.Location(), carla.Vector3D(2.4, 1.0, 0.75))
        self.place = Place(x_m=0.0)

    def get_transform(self) -> Any:
        place = self.place
        return carla.Transform(carla.Location(place.x_m, place.y_m, place.z_m), carla.Rotation(yaw=place.yaw_deg))

    def get_location(self) -> Any:
        return self.get_transform().location

    def get_velocity(self) -> Any:
        place = self.place
        course_rad = math.radians(place.yaw_deg if place.course_deg is None else place.course_deg)
        return carla.Vector3D(place.speed_mps * math.cos(course_rad), place.speed_mps * math.sin(course_rad), 0.0)

    def get_acceleration(self) -> Any:
        return carla.Vector3D(0.5, 0.0, 0.0)

    def get_angular_velocity(self) -> Any:
        return carla.Vector3D(0.0, 0.0, 90.0)

    def get_control(self) -> Any:
        return carla.VehicleControl(throttle=0.25, steer=-0.5, brake=1.0)

    def get_speed_limit(self) -> float:
        return 36.0


class DrawnWorld:
    """Knows actors by id and counts how often it is asked."""

    def __init__(self, actors: Mapping[int, Any], parked: list[Any] | None = None) -> None:
        self._actors, self._parked = dict(actors), parked
        self.asked: list[int] = []

    def get_actor(self, actor_id: int) -> Any:
        self.asked.append(actor_id)
        return self._actors[actor_id]

    def get_level_bbs(self, label: Any) -> list[Any]:
        assert label == carla.CityObjectLabel.Car
        if self._parked is None:
            raise RuntimeError("rpc_error during call in function get_all_level_BBs")
        return self._parked


@dataclass
class DrawnDrive:
    """The hero drives east at 8 m/s from x = 220.

    Attributes:
        bodies: actor id -> (type id, attributes, its place at a time; None while it is not there).
        light_x_m, sign_x_m: where a light and a stop sign govern the street, if they do.
        parked: boxes of cars of the town; None if the server cannot tell.
        reason, hit_id: what the expert decides.
    """

    bodies: dict[int, tuple[str, dict[str, str], Callable[[float], Place | None]]] = field(default_factory=dict)
    light_x_m: float | None = None
    sign_x_m: float | None = None
    parked: list[Any] | None = None
    reason: Reason = field(default_factory=lambda: Reason(8.0, "cruise"))
    hit_id: int = -1
    speed_mps: float = 8.0
    yaw_deg: float = 0.0

    def __post_init__(self) -> None:
        self.map = borough()
        self.route = interpolate(
            (Point(START_X_M, STREET_Y_M, 0.0), Point(END_X_M, STREET_Y_M, 0.0)), RoadGraph(self.map)
        )
        long_route = build_privileged_route(self.route, self.map)
        self.hero = DrawnActor(HERO_ID, "vehicle.lincoln.mkz_2020", role_name="hero", base_type="car")
        self.actors: dict[int, Any] = {
            actor_id: DrawnActor(actor_id, type_id, **attributes)
            for actor_id, (type_id, attributes, _) in self.bodies.items()
        }
        lights, signs = self._lights(), self._signs()
        self.world = DrawnWorld(self.actors, self.parked)
        self.expert = Expert(
            long_route,
            lights=[OnRoute(self._index(long_route, self.light_x_m), LIGHT_ID)] if self.light_x_m else [],
            stop_signs=[OnRoute(self._index(long_route, self.sign_x_m), SIGN_ID)] if self.sign_x_m else [],
            half_length_m=2.4,
            half_width_m=1.0,
        )
        self.context = DriveContext(
            hero=self.hero,
            world=self.world,
            carla_map=self.map,
            route=self.route,
            lights=lights,
            stop_signs=signs,
        )
        self.light_state = 0
        self._number = 0

    @staticmethod
    def _index(route: Any, x_m: float) -> int:
        return int(np.argmin(np.abs(route.xyz[:, 0] - x_m)))

    def _lights(self) -> list[Light]:
        if self.light_x_m is None:
            return []
        stops = [self.map.get_waypoint(carla.Location(self.light_x_m, y, 0.0)) for y in (STREET_Y_M, -381.75)]
        light = DrawnActor(LIGHT_ID, "traffic.traffic_light")
        light.place = Place(x_m=self.light_x_m + 2.0, y_m=STREET_Y_M + 5.0, yaw_deg=90.0)
        light.get_stop_waypoints = lambda: stops[::-1]  # type: ignore[attr-defined]
        self.actors[LIGHT_ID] = light
        centre = (self.light_x_m, STREET_Y_M, 0.0)
        return [
            Light(
                actor_id=LIGHT_ID,
                x_m=light.place.x_m,
                y_m=light.place.y_m,
                z_m=0.0,
                centre_x_m=centre[0],
                centre_y_m=centre[1],
                centre_z_m=centre[2],
                stops=(),
            )
        ]

    def _signs(self) -> list[StopSign]:
        if self.sign_x_m is None:
            return []
        self.actors[SIGN_ID] = DrawnActor(SIGN_ID, "traffic.stop")
        self.actors[SIGN_ID].place = Place(x_m=self.sign_x_m, y_m=STREET_Y_M + 3.0, yaw_deg=180.0)
        return [
            StopSign(
                actor_id=SIGN_ID,
                x_m=self.sign_x_m,
                y_m=STREET_Y_M + 3.0,
                z_m=0.0,
                centre_x_m=self.sign_x_m,
                centre_y_m=STREET_Y_M,
                centre_z_m=0.0,
                half_x_m=1.0,
                half_y_m=1.5,
            )
        ]

    def scene(self) -> Scene:
        """Return the present tick, with every actor in its place."""
        time_s = self._number * TICK_S
        x_m = START_X_M + self.speed_mps * time_s
        self.hero.place = Place(x_m=x_m, yaw_deg=self.yaw_deg, speed_mps=self.speed_mps)
        present = {}
        for actor_id, (_, _, where) in sorted(self.bodies.items()):
            place = where(time_s)
            if place is not None:
                self.actors[actor_id].place = place
                present[actor_id] = place
        self.expert.index = self.expert.route.advance(self.expert.index, x_m, STREET_Y_M)
        ego = ego_at(x_m, STREET_Y_M, yaw_deg=self.yaw_deg, speed_mps=self.speed_mps)
        lights = {LIGHT_ID: self.light_state} if self.light_x_m else {}
        return tick(ego, frame=self._number, time_s=time_s, others=self._others(present), lights=lights)

    def _others(self, present: Mapping[int, Place]) -> Others:
        places = list(present.values())
        kinds = [self.bodies[actor_id][0].split(".")[0] for actor_id in present]

        def column(values: list[float]) -> Any:
            return np.array(values, np.float64)

        walks = [kind == "walker" for kind in kinds]
        courses = [
            place.course_deg if walk and place.course_deg is not None else place.yaw_deg
            for place, walk in zip(places, walks, strict=True)
        ]
        count = len(places)
        return Others(
            ids=np.array(list(present), np.int64),
            x_m=column([place.x_m for place in places]),
            y_m=column([place.y_m for place in places]),
            z_m=column([place.z_m for place in places]),
            yaw_rad=np.radians(column(courses)),
            speed_mps=column([place.speed_mps for place in places]),
            half_length_m=np.full(count, 2.4),
            half_width_m=np.full(count, 1.0),
            steer=np.zeros(count),
            throttle=np.full(count, 0.5),
            brake=np.zeros(count),
            is_vehicle=np.array([kind == "vehicle" for kind in kinds], np.bool_),
            is_walker=np.array(walks, np.bool_),
            is_background=np.zeros(count, np.bool_),
        )

    def decision(self) -> Decision:
        """Return what the expert decides in every tick."""
        return Decision(steer=0.125, throttle=0.5, brake=False, reason=self.reason, cruise_mps=10.0, hit_id=self.hit_id)

    def record(self, recorder: RouteRecorder, ticks: int) -> None:
        """Drive some ticks with a recorder looking on."""
        if self._number == 0:
            recorder.begin(self.context, self.expert)
        for _ in range(ticks):
            recorder.observe(self.scene(), self.decision(), dict(WEATHER_UNSPECIFIED))
            self._number += 1


def recorder_in(folder: Path, seed: int = 5) -> RouteRecorder:
    """Return a recorder of a drive in our own town."""
    return RouteRecorder(folder, town=TOWN, scenario=SCENARIO, seed=seed)


def busy_street() -> DrawnDrive:
    """Return a drive with a car, a bicycle, a pedestrian, a prop, a light and a stop sign around."""
    return DrawnDrive(
        bodies={
            20: (
                "vehicle.tesla.model3",
                {"role_name": "background", "base_type": "car"},
                lambda t: Place(x_m=245.0 + 6.0 * t, speed_mps=6.0),
            ),
            30: (
                "vehicle.bh.crossbike",
                {"role_name": "scenario", "base_type": "bicycle"},
                lambda t: Place(x_m=260.0, y_m=-381.75, yaw_deg=180.0, speed_mps=4.0),
            ),
            40: (
                "walker.pedestrian.0001",
                {"role_name": "scenario"},
                lambda t: Place(x_m=250.0, y_m=-374.0 - t, yaw_deg=-60.0, speed_mps=1.0, course_deg=-90.0),
            ),
            50: ("static.prop.streetbarrier", {}, lambda t: Place(x_m=300.0, y_m=-375.0)),
        },
        light_x_m=270.0,
        sign_x_m=265.0,
    )


def record_route(folder: Path, drive: DrawnDrive, ticks: int) -> Path:
    """Record some ticks into a new folder and return it."""
    recorder = recorder_in(folder)
    drive.record(recorder, ticks)
    recorder.finish(RECORD)
    return folder
