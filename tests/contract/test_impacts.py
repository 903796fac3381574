"""What the sensors `collision` and `lane_invasion` report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import STRAIGHT_X_M, STRAIGHT_Y_M, attach, tick, wait_for_connection, wait_until

Spawn = Callable[..., Any]
Listen = Callable[[Any], list[Any]]


def _drive_until(world: Any, is_true: Callable[[], bool], otherwise: str, ticks: int = 120) -> None:
    for _ in range(ticks):
        if is_true():
            return
        world.tick()
    pytest.fail(f"{otherwise} within {ticks} ticks")


def test_two_cars_head_on_hit_each_other(world: Any, spawn: Spawn, listen: Listen) -> None:
    left, right = spawn(), spawn(x=STRAIGHT_X_M + 15.0, yaw=180.0)
    of_left, of_right = listen(left), listen(right)
    for car in (left, right):
        car.apply_control(carla.VehicleControl(throttle=1.0))
    before = 0.0
    for _ in range(60):
        speed_mps = left.get_velocity().x
        world.tick()
        if left.get_velocity().x < speed_mps - 1.0:
            before = speed_mps
            break
    wait_until(lambda: of_left and of_right, "both sensors report")
    first, second = of_left[0], of_right[0]
    assert (first.actor.id, first.other_actor.id) == (left.id, right.id)
    assert (second.actor.id, second.other_actor.id) == (right.id, left.id)
    assert first.frame == second.frame == world.get_snapshot().frame
    assert first.timestamp == pytest.approx(world.get_snapshot().timestamp.elapsed_seconds)
    # Equal masses of 1800 kg, equal speeds: each takes its whole momentum and a tenth, against its own direction.
    assert first.normal_impulse.x == pytest.approx(-1.1 * 1800.0 * before, rel=0.1)
    assert second.normal_impulse.x == pytest.approx(-first.normal_impulse.x)
    assert first.normal_impulse.y == pytest.approx(0.0, abs=1.0)
    assert first.transform.location.x == pytest.approx(left.get_location().x, abs=0.2)
    assert right.get_location().x - left.get_location().x >= 2 * 2.4462 - 1e-3


def test_a_car_runs_into_the_back_of_another(world: Any, spawn: Spawn, listen: Listen) -> None:
    behind, ahead = spawn(), spawn(x=STRAIGHT_X_M + 12.0)
    events = listen(ahead)
    behind.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    _drive_until(world, lambda: bool(events), "no collision")
    assert events[0].normal_impulse.x > 1000.0  # pushed forward
    assert ahead.get_velocity().x > 2.0
    assert behind.get_velocity().x < 8.0


def test_a_car_hits_a_prop(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, prop = spawn(), spawn("static.prop.streetbarrier", x=STRAIGHT_X_M + 10.0, z=0.0)
    events = listen(car)
    car.set_target_velocity(carla.Vector3D(8.0, 0.0, 0.0))
    _drive_until(world, lambda: bool(events), "no collision")
    assert (events[0].other_actor.id, events[0].other_actor.type_id) == (prop.id, "static.prop.streetbarrier")
    assert events[0].normal_impulse.x < -1000.0
    assert prop.get_location().x == pytest.approx(STRAIGHT_X_M + 10.0)  # props do not move
    assert car.get_velocity().x < 0.1


def test_a_car_hits_two_cones_side_by_side(world: Any, spawn: Spawn, listen: Listen) -> None:
    car = spawn()
    cones = [
        spawn("static.prop.trafficcone01", x=STRAIGHT_X_M + 10.0, y=STRAIGHT_Y_M + side_m, z=0.0)
        for side_m in (-0.5, 0.5)
    ]
    events = listen(car)
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    _drive_until(world, lambda: len(events) >= 2, "no collision with both")
    assert {event.other_actor.id for event in events} == {cone.id for cone in cones}
    assert events[0].frame == events[1].frame
    assert -1.1 < car.get_velocity().x <= 0.0
    # Together they take its momentum and a tenth.
    assert sum(event.normal_impulse.x for event in events[:2]) == pytest.approx(-1.1 * 1800.0 * 9.3, rel=0.1)


def test_a_car_hits_the_pole_of_a_sign(world: Any, spawn: Spawn, listen: Listen) -> None:
    sign = min(
        world.get_actors().filter("traffic.speed_limit.60"), key=lambda a: a.get_location().x
    )  # beside the straight road
    place = sign.get_location()
    car = spawn(x=place.x + 12.0, y=place.y, yaw=180.0)
    events = listen(car)
    car.set_target_velocity(carla.Vector3D(-8.0, 0.0, 0.0))
    _drive_until(world, lambda: bool(events), "no collision")
    assert (events[0].other_actor.id, events[0].other_actor.type_id) == (sign.id, "traffic.speed_limit.60")
    assert events[0].normal_impulse.x > 1000.0
    assert car.get_location().x > place.x + 2.4


def test_a_sensor_on_one_car_does_not_report_the_crash_of_others(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, other, bystander = spawn(), spawn(x=STRAIGHT_X_M + 8.0), spawn(x=STRAIGHT_X_M + 40.0)
    of_bystander, of_car = listen(bystander), listen(car)
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    _drive_until(world, lambda: bool(of_car), "no collision")
    assert of_car[0].other_actor.id == other.id
    assert of_bystander == []


def test_standing_together_makes_no_endless_events(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 12.0)
    events = listen(car)
    other.set_transform(carla.Transform(carla.Location(STRAIGHT_X_M + 4.5, STRAIGHT_Y_M, 0.0)))  # 0.4 m inside the car
    for actor in (car, other):
        actor.apply_control(carla.VehicleControl(hand_brake=True))
    tick(world, 60)
    assert 1 <= len(events) <= 2


def test_a_stopped_sensor_is_silent_and_can_listen_again(world: Any, spawn: Spawn) -> None:
    car = spawn()
    spawn("static.prop.streetbarrier", x=STRAIGHT_X_M + 6.0, z=0.0)
    sensor = attach(world, "sensor.other.collision", car)
    events: list[Any] = []
    sensor.listen(events.append)
    assert sensor.is_listening()
    sensor.stop()
    wait_for_connection(world)
    assert not sensor.is_listening()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    tick(world, 40)
    assert events == []
    sensor.listen(events.append)
    wait_for_connection(world)
    tick(world, 5)
    wait_until(lambda: bool(events), "the sensor reports that the car presses on")
    sensor.destroy()


def test_a_vehicle_can_be_destroyed_under_its_sensor(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 8.0)
    events = listen(car)
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    _drive_until(world, lambda: bool(events), "no collision")
    assert other.destroy() and car.destroy()
    tick(world, 5)
    assert world.get_snapshot().frame > events[-1].frame


# --- every pair of kinds ---------------------------------------------------------------------------------------------


def test_a_parked_car_is_pushed_as_far_as_its_tyres_let_it_and_never_teleported(world: Any, spawn: Spawn) -> None:
    moving, parked = spawn(), spawn(x=STRAIGHT_X_M + 15.0)
    parked.apply_control(carla.VehicleControl(brake=1.0, hand_brake=True))
    moving.set_target_velocity(carla.Vector3D(12.0, 0.0, 0.0))
    places, speeds = [], []
    for _ in range(80):
        world.tick()
        places.append((moving.get_location().x, parked.get_location().x))
        speeds.append(max(abs(moving.get_velocity().x), abs(parked.get_velocity().x)))
    for before, after, fastest in zip(places, places[1:], map(max, speeds, speeds[1:]), strict=False):
        assert max(abs(b - a) for a, b in zip(before, after, strict=True)) <= 0.05 * max(fastest, 12.0) + 0.21
    pushed_m = parked.get_location().x - (STRAIGHT_X_M + 15.0)
    # Both start at half the speed; foot and hand brake slow it by 12.6 m/s^2.
    assert 0.8 < pushed_m < 3.0
    assert parked.get_velocity().x == 0.0
    assert parked.get_location().x - moving.get_location().x >= 2 * 2.4462 - 1e-3


def test_cars_put_into_each_other_part_at_walking_speed(world: Any, spawn: Spawn) -> None:
    car, other = spawn(), spawn(x=STRAIGHT_X_M + 12.0)
    tick(world)
    other.set_transform(carla.Transform(carla.Location(STRAIGHT_X_M + 1.5, STRAIGHT_Y_M, 0.0)))  # 3.4 m inside
    before = STRAIGHT_X_M, STRAIGHT_X_M + 1.5
    for _ in range(60):
        world.tick()
        after = car.get_location().x, other.get_location().x
        assert max(abs(b - a) for a, b in zip(before, after, strict=True)) < 0.21
        before = after
    touching = abs(after[1] - after[0]) < 4.89 and abs(car.get_location().y - other.get_location().y) < 1.83
    assert not touching


def test_a_cone_with_physics_is_knocked_away(world: Any, spawn: Spawn, listen: Listen) -> None:
    car, cone = spawn(), spawn("static.prop.trafficcone01", x=STRAIGHT_X_M + 10.0, y=STRAIGHT_Y_M + 0.5, z=0.0)
    cone.set_simulate_physics(True)
    of_car, of_cone = listen(car), listen(cone)
    car.set_target_velocity(carla.Vector3D(10.0, 0.0, 0.0))
    tick(world, 100)
    assert {event.other_actor.id for event in of_car} == {cone.id}
    assert {event.other_actor.id for event in of_cone} == {car.id}
    assert of_cone[0].normal_impulse.x > 5.0
    assert car.get_velocity().x > 5.0
    assert STRAIGHT_X_M + 15.0 < cone.get_location().x < STRAIGHT_X_M + 60.0


def test_props_with_physics_push_each_other(world: Any, spawn: Spawn, listen: Listen) -> None:
    first, second = spawn("static.prop.bin", z=0.0), spawn("static.prop.bin", x=STRAIGHT_X_M + 3.0, z=0.0)
    for prop in (first, second):
        prop.set_simulate_physics(True)
    events = listen(second)
    first.set_target_velocity(carla.Vector3D(8.0, 0.0, 0.0))
    tick(world, 60)
    assert events[0].other_actor.id == first.id
    assert events[0].normal_impulse.x > 1.0
    assert second.get_location().x > STRAIGHT_X_M + 3.3
    assert second.get_location().x - first.get_location().x >= 2 * 0.2741 - 1e-3


def test_a_walker_bumps_into_a_prop(world: Any, spawn: Spawn, listen: Listen) -> None:
    walker, prop = spawn("walker.pedestrian.0015", z=1.0), spawn("static.prop.bin", x=STRAIGHT_X_M + 2.0, z=0.0)
    of_walker, of_prop = listen(walker), listen(prop)
    walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), 1.5, False))
    tick(world, 60)
    assert [event.other_actor.id for event in of_walker] == [prop.id]
    assert [event.other_actor.id for event in of_prop] == [walker.id]
    assert walker.get_location().x == pytest.approx(STRAIGHT_X_M + 2.0 - 0.2741 - 0.1877, abs=0.01)
    assert prop.get_location().x == pytest.approx(STRAIGHT_X_M + 2.0)


# --- lane invasion: computed in the client, from poses and map -------------------------------------------------------


def test_crossing_a_line_is_reported_with_its_kind(world: Any, spawn: Spawn) -> None:
    car = spawn()
    events: list[Any] = []
    sensor = attach(world, "sensor.other.lane_invasion", car)
    sensor.listen(events.append)
    tick(world, 2)
    crossed = []
    # From lane -2 to the left: the broken line to lane -1, then the double line to the other direction.
    for y_m in (-185.2, -186.2, -187.2, -188.2, -189.4, -190.6):
        car.set_transform(carla.Transform(carla.Location(car.get_location().x + 1.0, y_m, 0.0)))
        tick(world)
    wait_until(lambda: len(events) >= 2, "two lines are crossed")
    for event in events:
        crossed += [str(marking.type) for marking in event.crossed_lane_markings]
    assert set(crossed) == {"Broken", "SolidSolid"}
    assert crossed.index("Broken") < crossed.index("SolidSolid")
    sensor.stop()
    sensor.destroy()


def test_staying_in_lane_is_not_reported(world: Any, spawn: Spawn) -> None:
    car = spawn()
    events: list[Any] = []
    sensor = attach(world, "sensor.other.lane_invasion", car)
    sensor.listen(events.append)
    car.apply_control(carla.VehicleControl(throttle=0.6))
    tick(world, 60)
    assert car.get_location().x > STRAIGHT_X_M + 10.0
    assert events == []
    sensor.stop()
    sensor.destroy()
