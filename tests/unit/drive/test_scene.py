"""A tick as plain numbers, read from actors that answer like the client's."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import carla
import pytest

from harness.drive.scene import SceneReader


class DrawnActor:
    """An actor at a place; only what a reader may ask of it."""

    def __init__(
        self,
        actor_id: int,
        type_id: str = "vehicle.tesla.model3",
        *,
        x: float = 0.0,
        y: float = 0.0,
        z: float = 0.0,
        yaw: float = 0.0,
        pitch: float = 0.0,
        velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        role: str | None = None,
    ) -> None:
        self.id, self.type_id = actor_id, type_id
        self.attributes = {} if role is None else {"role_name": role}
        self.bounding_box = carla.BoundingBox(carla.Location(), carla.Vector3D(2.5, 1.0, 0.75))
        self._pose = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw))
        self._velocity = carla.Vector3D(*velocity)

    def get_transform(self) -> Any:
        return self._pose

    def get_velocity(self) -> Any:
        return self._velocity

    def get_speed_limit(self) -> float:
        return 50.0

    def get_control(self) -> Any:
        assert self.type_id.startswith("vehicle."), "props have no control"
        return carla.VehicleControl(throttle=0.25, steer=-0.5, brake=0.75)


SNAPSHOT = SimpleNamespace(frame=17, timestamp=SimpleNamespace(elapsed_seconds=3.25))


def read(ego: DrawnActor, *others: DrawnActor, lights: tuple[Any, ...] = ()) -> Any:
    return SceneReader(ego, list(others), list(lights)).read(SNAPSHOT)


def test_tick_and_ego() -> None:
    scene = read(DrawnActor(1, x=3.0, y=-4.0, z=0.5, yaw=90.0, pitch=-10.0, velocity=(1.0, 2.0, 2.0)))
    assert (scene.frame, scene.time_s, len(scene.others), scene.light_states) == (17, 3.25, 0, {})
    ego = scene.ego
    assert (ego.x_m, ego.y_m, ego.z_m, ego.speed_limit_kmh) == (3.0, -4.0, 0.5, 50.0)
    assert math.degrees(ego.yaw_rad) == pytest.approx(90.0)
    assert math.degrees(ego.pitch_rad) == pytest.approx(-10.0)
    assert ego.speed_mps == pytest.approx(3.0)
    assert ego.along_mps == pytest.approx(2.0)


@pytest.mark.parametrize(("yaw", "along_mps"), [(0.0, 5.0), (180.0, -5.0), (90.0, 0.0), (60.0, 2.5)])
def test_speed_along_the_heading_has_a_sign(yaw: float, along_mps: float) -> None:
    assert read(DrawnActor(1, yaw=yaw, velocity=(5.0, 0.0, 0.0))).ego.along_mps == pytest.approx(along_mps, abs=1e-5)


def test_others_are_ordered_by_id_whatever_the_order_they_came_in() -> None:
    near, far = DrawnActor(30, x=5.0, velocity=(3.0, 4.0, 0.0), yaw=-90.0), DrawnActor(20, x=9.0, y=1.0, z=2.0)
    others = read(DrawnActor(1), near, far).others
    assert others.ids.tolist() == [20, 30]
    assert others.x_m.tolist() == [9.0, 5.0]
    assert (others.y_m.tolist(), others.z_m.tolist()) == ([1.0, 0.0], [2.0, 0.0])
    assert others.speed_mps.tolist() == [0.0, 5.0]
    assert others.yaw_rad == pytest.approx([0.0, -math.pi / 2.0])
    assert (others.half_length_m.tolist(), others.half_width_m.tolist()) == ([2.5, 2.5], [1.0, 1.0])


def test_traffic_is_told_from_other_vehicles_and_props() -> None:
    others = read(
        DrawnActor(1),
        DrawnActor(2, role="background"),
        DrawnActor(3, role="autopilot"),
        DrawnActor(4, "static.prop.barrel"),
    ).others
    assert others.is_vehicle.tolist() == [True, True, False]
    assert others.is_walker.tolist() == [False, False, False]
    assert others.is_background.tolist() == [True, False, False]
    assert others.throttle.tolist() == [0.25, 0.25, 0.0]
    assert others.steer.tolist() == [-0.5, -0.5, 0.0]
    assert others.brake.tolist() == [0.75, 0.75, 0.0]


@pytest.mark.parametrize(
    ("velocity", "heading_deg"), [((0.0, -1.5, 0.0), -90.0), ((-1.0, 1.0, 0.0), 135.0), ((0.0, 0.0, 0.0), 30.0)]
)
def test_a_pedestrian_heads_where_it_walks_to(velocity: tuple[float, float, float], heading_deg: float) -> None:
    others = read(DrawnActor(1), DrawnActor(2, "walker.pedestrian.0001", yaw=30.0, velocity=velocity)).others
    assert (others.is_walker.tolist(), others.is_vehicle.tolist()) == ([True], [False])
    assert math.degrees(others.yaw_rad[0]) == pytest.approx(heading_deg)


def test_lights_by_id() -> None:
    lights = tuple(
        SimpleNamespace(id=number, state=state)
        for number, state in ((9, carla.TrafficLightState.Red), (8, carla.TrafficLightState.Green))
    )
    assert read(DrawnActor(1), lights=lights).light_states == {8: 2, 9: 0}


def test_a_scene_is_not_changed_by_the_next_one() -> None:
    other = DrawnActor(2, x=1.0)
    reader = SceneReader(DrawnActor(1), [other], [])
    first = reader.read(SNAPSHOT)
    other._pose = carla.Transform(carla.Location(x=2.0))
    assert reader.read(SNAPSHOT).others.x_m.tolist() == [2.0]
    assert first.others.x_m.tolist() == [1.0]
