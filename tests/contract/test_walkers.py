"""Walkers as a client sees them: spawning, walking, standing on the ground, bones, the pedestrian AI's batch, death."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import STRAIGHT_X_M, STRAIGHT_Y_M, exists, tick, xyz

Spawn = Callable[..., Any]
WALKER = "walker.pedestrian.0015"
HALF_HEIGHT_M = 0.93


def _walk(walker: Any, x: float, y: float, speed_mps: float) -> None:
    walker.apply_control(carla.WalkerControl(carla.Vector3D(x, y, 0.0), speed_mps, False))


def _stand(spawn: Spawn, x_m: float = STRAIGHT_X_M, y_m: float = STRAIGHT_Y_M, **rest: Any) -> Any:
    return spawn(WALKER, x=x_m, y=y_m, z=1.0, **rest)


def test_a_walker_is_spawned_by_the_middle_of_its_body_and_stands_on_the_ground(world: Any, spawn: Spawn) -> None:
    walker = _stand(spawn, yaw=30.0)
    tick(world)
    assert xyz(walker.get_location()) == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M, HALF_HEIGHT_M), abs=1e-3)
    assert walker.get_transform().rotation.yaw == pytest.approx(30.0)
    assert xyz(walker.bounding_box.location) == (0.0, 0.0, 0.0)
    assert xyz(walker.bounding_box.extent) == pytest.approx((0.1877, 0.1877, HALF_HEIGHT_M))
    assert list(walker.semantic_tags) == [12]
    assert world.get_actors().filter("walker.*")[0].id == walker.id


def test_a_walker_that_is_dropped_falls_to_the_ground(world: Any, spawn: Spawn) -> None:
    walker = spawn(WALKER, z=4.0 + HALF_HEIGHT_M)
    tick(world, 10)
    assert walker.get_location().z == pytest.approx(4.0 + HALF_HEIGHT_M - 0.5 * 9.81 * 0.5 * 0.55, abs=0.01)
    assert walker.get_velocity().z == pytest.approx(-4.9, abs=0.1)
    tick(world, 15)
    assert walker.get_location().z == pytest.approx(HALF_HEIGHT_M, abs=1e-3)


@pytest.mark.parametrize("lane", [carla.LaneType.Driving, carla.LaneType.Sidewalk])
def test_a_walker_walks_three_metres_in_three_seconds(world: Any, spawn: Spawn, lane: Any) -> None:
    place = world.get_map().get_waypoint(carla.Location(STRAIGHT_X_M, STRAIGHT_Y_M, 0.0), lane_type=lane)
    assert place.lane_type == lane
    start = place.transform.location
    walker = _stand(spawn, start.x, start.y, yaw=90.0)
    _walk(walker, 1.0, 0.0, 1.0)
    tick(world, 60)
    here = walker.get_transform()
    assert here.location.x - start.x == pytest.approx(3.0, abs=0.01)
    assert here.location.y == pytest.approx(start.y, abs=1e-3)
    assert here.location.z == pytest.approx(start.z + HALF_HEIGHT_M, abs=0.05)
    assert here.rotation.yaw == pytest.approx(0.0, abs=1e-3)  # turned to where it walks
    assert xyz(walker.get_velocity()) == pytest.approx((1.0, 0.0, 0.0), abs=1e-3)
    control = walker.get_control()
    assert (xyz(control.direction), control.speed, control.jump) == ((1.0, 0.0, 0.0), 1.0, False)
    _walk(walker, 0.0, 0.0, 0.0)
    tick(world, 5)
    assert xyz(walker.get_velocity()) == (0.0, 0.0, 0.0)


def test_a_control_that_is_no_number_counts_as_zero(world: Any, spawn: Spawn) -> None:
    walker = _stand(spawn)
    none = float("nan")
    walker.apply_control(carla.WalkerControl(carla.Vector3D(none, none, none), none, True))
    tick(world, 2)
    assert walker.get_control().speed == 0.0
    assert xyz(walker.get_location())[:2] == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M))
    assert walker.get_velocity().z > 3.0  # the jump counts


def test_physics_of_a_walker_can_be_switched(world: Any, spawn: Spawn) -> None:
    walker = _stand(spawn)
    walker.set_simulate_physics(False)
    walker.set_location(carla.Location(STRAIGHT_X_M, STRAIGHT_Y_M, -200.0))  # how scenarios hide actors
    _walk(walker, 1.0, 0.0, 2.0)
    tick(world, 5)
    assert xyz(walker.get_location()) == (STRAIGHT_X_M, STRAIGHT_Y_M, -200.0)
    walker.set_location(carla.Location(STRAIGHT_X_M, STRAIGHT_Y_M, 1.0))
    walker.set_simulate_physics(True)
    tick(world, 20)
    assert walker.get_location().x == pytest.approx(STRAIGHT_X_M + 2.0, abs=0.1)


def test_a_place_that_a_walker_or_car_has_is_refused(world: Any, spawn: Spawn) -> None:
    walker, car = _stand(spawn), spawn(x=STRAIGHT_X_M + 20.0)
    library = world.get_blueprint_library()
    for type_id, beside in ((WALKER, walker), ("vehicle.audi.tt", walker), (WALKER, car), ("static.prop.bin", walker)):
        tick(world)
        pose = beside.get_transform()
        pose.location += carla.Location(0.2, 0.0, 0.5)
        assert world.try_spawn_actor(library.find(type_id), pose) is None
        with pytest.raises(RuntimeError, match="Spawn failed because of collision at spawn position"):
            world.spawn_actor(library.find(type_id), pose)
    free = carla.Transform(carla.Location(STRAIGHT_X_M + 10.0, STRAIGHT_Y_M, 1.0))
    assert world.try_spawn_actor(library.find(WALKER), free) is not None


def test_batches_walk_as_calls_do(client: Any, world: Any, spawn: Spawn) -> None:
    controlled, led, car = _stand(spawn), _stand(spawn, STRAIGHT_X_M + 5.0), spawn(x=STRAIGHT_X_M + 30.0)
    feet = carla.Transform(carla.Location(STRAIGHT_X_M + 8.0, STRAIGHT_Y_M, 0.0), carla.Rotation(yaw=90.0))
    control = carla.WalkerControl(carla.Vector3D(-1.0, 0.0, 0.0), 1.0, False)
    answers = client.apply_batch_sync(
        [
            carla.command.ApplyWalkerControl(controlled, control),
            carla.command.ApplyWalkerState(led, feet, 1.4),
            carla.command.ApplyWalkerState(car, feet, 1.4),
            carla.command.ApplyWalkerControl(car, control),
        ],
        True,
    )
    assert [answer.has_error() for answer in answers] == [False, False, True, True]
    assert "not a walker" in answers[2].error
    assert controlled.get_velocity().x == pytest.approx(-1.0)
    assert led.get_location().x == pytest.approx(STRAIGHT_X_M + 8.0)
    assert led.get_location().z == pytest.approx(HALF_HEIGHT_M, abs=1e-3)
    assert led.get_transform().rotation.yaw == pytest.approx(90.0)
    assert (led.get_control().speed, led.get_control().direction.y) == pytest.approx((1.4, 1.0))


def test_bones_answer_and_take_poses(world: Any, spawn: Spawn) -> None:
    walker = _stand(spawn, yaw=90.0)
    tick(world)
    bones = {bone.name: bone for bone in walker.get_bones().bone_transforms}
    assert {"crl_root", "crl_hips__C", "crl_Head__C", "crl_hand__L", "crl_foot__R"} <= set(bones)
    head = bones["crl_Head__C"]
    assert xyz(head.world.location) == pytest.approx((STRAIGHT_X_M, STRAIGHT_Y_M, 1.66), abs=0.1)
    assert head.component.location.z == pytest.approx(head.world.location.z - HALF_HEIGHT_M, abs=1e-3)
    left = bones["crl_hand__L"].world.location
    assert left.x > STRAIGHT_X_M + 0.1  # a walker that looks along +y has its left at +x
    before = bones["crl_arm__L"].relative.rotation.pitch

    raised = carla.Transform(bones["crl_arm__L"].relative.location, carla.Rotation(pitch=90.0))
    walker.set_bones(carla.WalkerBoneControlIn([("crl_arm__L", raised)]))

    def pitch_deg() -> float:
        found = {bone.name: bone for bone in walker.get_bones().bone_transforms}
        return float(found["crl_arm__L"].relative.rotation.pitch)

    assert pitch_deg() == pytest.approx(before)
    for blend, expected in ((0.5, 45.0), (1.0, 90.0), (0.0, 0.0)):
        walker.blend_pose(blend)
        assert pitch_deg() == pytest.approx(expected, abs=1e-3)
    walker.show_pose()
    assert pitch_deg() == pytest.approx(90.0, abs=1e-3)
    walker.get_pose_from_animation()
    assert pitch_deg() == pytest.approx(0.0, abs=1e-3)
    walker.hide_pose()


def test_the_pedestrian_ai_cannot_move_whoever_has_fallen(client: Any, world: Any, spawn: Spawn) -> None:
    car, walker = spawn(), _stand(spawn, STRAIGHT_X_M + 5.0)
    car.set_target_velocity(carla.Vector3D(8.0, 0.0, 0.0))
    tick(world, 60)
    place = walker.get_location()
    (answer,) = client.apply_batch_sync([carla.command.ApplyWalkerState(walker, carla.Transform(), 1.0)], True)
    assert "Walker is dead" in answer.error
    assert walker.get_location() == place


def test_a_walker_can_be_destroyed(world: Any, spawn: Spawn) -> None:
    walker = _stand(spawn)
    tick(world)
    assert walker.destroy()
    tick(world)
    assert not exists(world, walker)


# --- hit by cars -----------------------------------------------------------------------------------------------------


def test_both_sensors_report_a_hit_and_the_walker_ends_lying_down(world: Any, spawn: Spawn, listen: Any) -> None:
    car, walker = spawn(), _stand(spawn, STRAIGHT_X_M + 12.0)
    of_car, of_walker = listen(car), listen(walker)
    car.set_target_velocity(carla.Vector3D(8.0, 0.0, 0.0))
    tick(world, 80)
    assert [event.other_actor.id for event in of_car] == [walker.id]
    assert [event.other_actor.id for event in of_walker] == [car.id]
    assert of_walker[0].other_actor.type_id == car.type_id
    assert of_walker[0].normal_impulse.x > 300.0
    assert of_car[0].normal_impulse.x == pytest.approx(-of_walker[0].normal_impulse.x)
    pose = walker.get_transform()
    assert abs(pose.rotation.pitch) + abs(pose.rotation.roll) == pytest.approx(90.0, abs=0.1)
    assert pose.location.z == pytest.approx(0.1877, abs=0.01)
    assert 2.0 < pose.location.x - STRAIGHT_X_M - 12.0 < 15.0
    assert xyz(walker.get_velocity()) == (0.0, 0.0, 0.0)
    assert car.get_velocity().x > 5.0


def test_a_bump_between_walkers_is_reported_once_and_knocks_nobody_over(world: Any, spawn: Spawn, listen: Any) -> None:
    left, right = _stand(spawn), _stand(spawn, STRAIGHT_X_M + 2.0)
    events = listen(left)
    _walk(left, 1.0, 0.0, 1.5)
    tick(world, 50)
    assert [event.other_actor.id for event in events] == [right.id]
    assert left.get_transform().rotation.pitch == right.get_transform().rotation.pitch == 0.0
