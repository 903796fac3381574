"""What the sensors `gnss`, `imu` and `obstacle` report; `collision` and `lane_invasion` are in test_impacts."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, STRAIGHT_X_M, STRAIGHT_Y_M, tick, wait_until, xyz

Spawn = Callable[..., Any]
Listen = Callable[..., list[Any]]
OFFSET_M = (1.0, 0.5, 1.0)


@pytest.fixture
def listen(world: Any) -> Iterator[Listen]:
    """Return a function that attaches a sensor and listens; what it reports arrives in the list it returns."""
    sensors = []

    def start(type_id: str, parent: Any, *, yaw: float = 0.0, pitch: float = 0.0, **attributes: object) -> list[Any]:
        blueprint = world.get_blueprint_library().find(type_id)
        for name, value in attributes.items():
            blueprint.set_attribute(name, str(value))
        pose = carla.Transform(carla.Location(*OFFSET_M), carla.Rotation(yaw=yaw, pitch=pitch))
        events: list[Any] = []
        sensor = world.spawn_actor(blueprint, pose, attach_to=parent)
        sensor.listen(events.append)
        sensors.append(sensor)
        time.sleep(0.15)  # the client opens the connection in another thread
        return events

    yield start
    for sensor in sensors:
        sensor.stop()
        sensor.destroy()


def _collect(world: Any, count: int, *lists: list[Any]) -> None:
    """Tick and wait until each list has that many more events."""
    before = [len(events) for events in lists]
    tick(world, count)
    wait_until(
        lambda: all(len(events) == start + count for events, start in zip(lists, before, strict=True)),
        f"every sensor reports {count} times",
    )


# --- gnss ------------------------------------------------------------------------------------------------------------


def test_gnss_reports_where_the_sensor_is_on_earth(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    fixes = listen("sensor.other.gnss", car)
    car.apply_control(carla.VehicleControl(throttle=0.7))
    for _ in range(3):
        _collect(world, 1, fixes)
        fix, place = fixes[-1], fixes[-1].transform.location
        assert (fix.frame, fix.timestamp) == (world.get_snapshot().frame, pytest.approx(_now_s(world)))
        assert xyz(place) == pytest.approx(xyz(car.get_transform().transform(carla.Location(*OFFSET_M))), abs=0.05)
        expected = world.get_map().transform_to_geolocation(place)
        # A degree has 111 km; the place in the event is a float32.
        assert (fix.latitude, fix.longitude) == pytest.approx((expected.latitude, expected.longitude), abs=1e-9)
        assert fix.altitude == pytest.approx(place.z, abs=1e-4)


def _now_s(world: Any) -> float:
    return float(world.get_snapshot().timestamp.elapsed_seconds)


def test_gnss_noise_follows_from_its_seed(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    noise = {"noise_lat_stddev": 1e-4, "noise_alt_stddev": 2.0, "noise_lon_bias": 0.5}
    first, same, other, exact = (
        listen("sensor.other.gnss", car, **attributes)
        for attributes in ({**noise, "noise_seed": 7}, {**noise, "noise_seed": 7}, {**noise, "noise_seed": 8}, {})
    )
    _collect(world, 40, first, same, other, exact)
    assert [f.latitude for f in first] == [f.latitude for f in same] != [f.latitude for f in other]
    error_m = [f.altitude - e.altitude for f, e in zip(first, exact, strict=True)]
    assert 1.0 < math.sqrt(sum(e * e for e in error_m) / len(error_m)) < 3.0
    assert first[-1].longitude - exact[-1].longitude == pytest.approx(0.5)


# --- imu -------------------------------------------------------------------------------------------------------------


def test_imu_at_rest_feels_gravity_and_knows_where_north_is(world: Any, spawn: Spawn, listen: Listen) -> None:
    for x_m, yaw_deg, compass_rad in ((0.0, -90.0, 0.0), (15.0, 0.0, math.pi / 2), (30.0, 90.0, math.pi)):
        car = spawn(x=STRAIGHT_X_M + x_m, yaw=yaw_deg)
        readings = listen("sensor.other.imu", car)
        _collect(world, 2, readings)
        assert xyz(readings[-1].accelerometer) == pytest.approx((0.0, 0.0, 9.81), abs=1e-3)
        assert xyz(readings[-1].gyroscope) == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)
        assert math.cos(readings[-1].compass - compass_rad) == pytest.approx(1.0, abs=1e-6)
        assert 0.0 <= readings[-1].compass < 2.0 * math.pi


def test_imu_that_looks_up_feels_gravity_ahead(world: Any, spawn: Spawn, listen: Listen) -> None:
    readings = listen("sensor.other.imu", spawn(), pitch=90.0)
    _collect(world, 2, readings)
    assert xyz(readings[-1].accelerometer) == pytest.approx((9.81, 0.0, 0.0), abs=1e-3)


def test_imu_feels_its_vehicle_speed_up(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    ahead, sideways = listen("sensor.other.imu", car), listen("sensor.other.imu", car, yaw=90.0)
    car.apply_control(carla.VehicleControl(throttle=1.0))
    tick(world, 2)
    speed_mps = []
    for _ in range(5):
        speed_mps.append(car.get_velocity().x)
        world.tick()
    speed_mps.append(car.get_velocity().x)
    wait_until(lambda: len(ahead) >= 7 and len(sideways) >= 7, "seven readings")
    expected_mps2 = [(after - before) / DT_S for before, after in itertools.pairwise(speed_mps)]
    assert min(expected_mps2) > 1.0
    assert [r.accelerometer.x for r in ahead[-5:]] == pytest.approx(expected_mps2, abs=0.01)
    # To the right is ahead for the other one, so what is ahead is to its left.
    assert [r.accelerometer.y for r in sideways[-5:]] == pytest.approx([-a for a in expected_mps2], abs=0.01)


def test_imu_feels_its_vehicle_turn(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    readings = listen("sensor.other.imu", car)
    car.set_target_velocity(carla.Vector3D(8.0, 0.0, 0.0))
    car.apply_control(carla.VehicleControl(throttle=0.4, steer=0.2))
    _collect(world, 20, readings)
    spin_radps = math.radians(car.get_angular_velocity().z)
    assert spin_radps > 0.1
    assert readings[-1].gyroscope.z == pytest.approx(spin_radps, rel=1e-3)
    assert readings[-1].accelerometer.y == pytest.approx(spin_radps * car.get_velocity().length(), rel=0.3)


def test_imu_noise_and_gravity_can_be_set(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    readings = listen("sensor.other.imu", car, noise_accel_stddev_x=0.5, noise_gyro_bias_y=0.25, noise_seed=3)
    assert world.get_imui_sensor_gravity() == pytest.approx(9.81)
    world.set_imui_sensor_gravity(1.62)
    _collect(world, 30, readings)
    assert world.get_imui_sensor_gravity() == pytest.approx(1.62)
    world.set_imui_sensor_gravity(9.81)
    assert readings[-1].accelerometer.z == pytest.approx(1.62, abs=1e-3)
    assert readings[-1].gyroscope.y == pytest.approx(0.25, abs=1e-3)
    spread = math.sqrt(sum(r.accelerometer.x**2 for r in readings) / len(readings))
    assert 0.25 < spread < 0.9


# --- obstacle --------------------------------------------------------------------------------------------------------


def test_obstacle_reports_what_is_ahead_and_how_far(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 12.0)
    seen = listen("sensor.other.obstacle", car, distance=20, hit_radius=0.2)
    short = listen("sensor.other.obstacle", car, distance=5, hit_radius=0.2)
    _collect(world, 3, seen)
    event = seen[-1]
    assert (event.actor.id, event.other_actor.id) == (car.id, other.id)
    gap_m = other.get_location().x - other.bounding_box.extent.x - event.transform.location.x
    assert event.distance == pytest.approx(gap_m - 0.2, abs=0.01)
    assert short == []


def test_obstacle_sees_props_unless_it_wants_what_moves(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, prop = spawn(), spawn("static.prop.container", x=STRAIGHT_X_M + 12.0, z=0.0)
    everything = listen("sensor.other.obstacle", car, distance=20)
    moving = listen("sensor.other.obstacle", car, distance=20, only_dynamics=True)
    _collect(world, 2, everything)
    assert everything[-1].other_actor.id == prop.id
    assert moving == []
    tick(world)
    assert prop.destroy()
    tick(world, 2)
    count = len(everything)
    tick(world, 3)
    assert len(everything) == count


def test_obstacle_reports_for_itself_once_its_vehicle_is_gone(world: Any, spawn: Spawn, listen: Listen) -> None:
    spawn(x=STRAIGHT_X_M + 12.0)
    car = spawn()
    reports = listen("sensor.other.obstacle", car, distance=30.0)
    tick(world, 2)
    wait_until(lambda: reports, "the car ahead is seen")
    car.destroy()
    before = len(reports)
    frame = world.get_snapshot().frame
    assert [world.tick() for _ in range(3)] == [frame + 1, frame + 2, frame + 3]
    wait_until(lambda: len(reports) > before, "the sensor goes on")


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval_s", "ticks"), [("0.0", 1), ("0.01", 1), ("0.1", 2), ("0.25", 5)])
def test_sensor_tick_is_the_time_between_readings(
    world: Any, spawn: Spawn, listen: Listen, interval_s: str, ticks: int
) -> None:
    fixes = listen("sensor.other.gnss", spawn(), sensor_tick=interval_s)
    tick(world, 21)
    wait_until(lambda: len(fixes) >= (20 // ticks), "the readings arrive")
    frames = [fix.frame for fix in fixes]
    assert {after - before for before, after in itertools.pairwise(frames)} == {ticks}


def test_nonsense_in_attributes_is_read_as_the_default(world: Any, spawn: Spawn, client: Any) -> None:
    blueprint = world.get_blueprint_library().find("sensor.other.gnss")
    for attribute in blueprint:
        if attribute.is_modifiable and attribute.id.startswith(("noise", "sensor_tick")):
            blueprint.set_attribute(attribute.id, "nan")
    fixes: list[Any] = []
    sensor = world.spawn_actor(blueprint, carla.Transform(carla.Location(STRAIGHT_X_M, STRAIGHT_Y_M, 1.0)))
    sensor.listen(fixes.append)
    time.sleep(0.15)
    _collect(world, 3, fixes)
    assert all(math.isfinite(fix.latitude) and fix.altitude == pytest.approx(1.0) for fix in fixes)
    sensor.stop()
    sensor.destroy()


def test_a_stopped_sensor_is_silent_and_goes_on_where_it_would_be(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    always = listen("sensor.other.gnss", car, noise_alt_stddev=1.0)
    blueprint = world.get_blueprint_library().find("sensor.other.gnss")
    blueprint.set_attribute("noise_alt_stddev", "1.0")
    late: list[Any] = []
    sensor = world.spawn_actor(blueprint, carla.Transform(carla.Location(*OFFSET_M)), attach_to=car)
    ahead = len(always)
    tick(world, 5)
    sensor.listen(late.append)
    time.sleep(0.15)
    _collect(world, 3, late)
    wait_until(lambda: len(always) == ahead + 8, "the other sensor has reported all the time")
    sensor.stop()
    wait_until(lambda: not sensor.is_listening(), "it stops")
    sensor.destroy()
