"""An episode: same calls, same bytes; ids; the road under the wheels; attached actors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SimError
from harness.sim.observer import observe
from harness.sim.world.actors import Kin
from harness.sim.world.oriented_boxes import axes_of
from harness.sim.world.poses import MAX_COORDINATE_M, compose, normalized
from harness.sim.world.town import Town, build_town
from harness.sim.world.world import FIRST_SENSOR_STREAM_ID, World

CAR = "vehicle.audi.tt"
DT_S = 0.05
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def _story(town: Town) -> bytes:
    """Return the records of 200 ticks in which cars drive, crash and go."""
    world, record = World(town, episode_id=1, first_actor_id=1, frame=1), b""
    generator = np.random.default_rng(5)
    cars = [world.spawn(CAR, {}, tuple(pose)) for pose in town.spawn_poses[:30:2].tolist()]
    for x_m, speed_mps in ((480.0, 20.0), (492.0, -20.0)):  # towards each other
        row = world.table.row(world.spawn(CAR, {}, (x_m, -184.75, 0.3, 0.0, 0.0, 0.0)).id)
        assert row is not None
        world.table.set_velocity(row, (speed_mps, 0.0, 0.0))
    for tick in range(200):
        if tick % 10 == 0:
            for row in world.table.vehicle_rows:
                world.table.control[row] = generator.uniform((0.0, -1.0, 0.0), (1.0, 1.0, 0.3))
        if tick == 100:
            world.destroy(cars[3].id)
            world.spawn(CAR, {}, tuple(town.spawn_poses[40].tolist()))
        collisions = world.step(DT_S)
        record += observe(world).tobytes() + repr(collisions).encode()
    return record


def test_the_same_calls_give_the_same_bytes(borough: Town) -> None:
    first = _story(borough)
    assert first == _story(borough)
    assert b"Collision" in first


def test_ids_are_never_used_twice_within_an_episode(world: World) -> None:
    seen = []
    for _ in range(20):
        info = world.spawn("sensor.other.collision", {}, (0.0,) * 6)
        seen.append((info.id, info.stream_id))
        world.destroy(info.id)
    assert len({actor_id for actor_id, _ in seen}) == len({stream for _, stream in seen}) == 20
    assert all(stream >= FIRST_SENSOR_STREAM_ID for _, stream in seen)


def test_what_belongs_to_the_town_stays(borough: Town) -> None:
    world = World(borough, episode_id=1, first_actor_id=1, frame=1)
    for actor_id in (world.spectator_id, world.light_ids[0], world.sign_ids[0], 999):
        assert world.destroy(actor_id) is False


def test_an_unknown_blueprint_is_refused_by_name(world: World) -> None:
    with pytest.raises(SimError, match=r"vehicle\.no\.such"):
        world.spawn("vehicle.no.such", {}, (0.0,) * 6)


# --- the road --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("y_m", "yaw_deg", "pitch_deg"), [(1.75, 0.0, 2.862), (-1.75, 180.0, -2.862)])
def test_a_car_stands_on_the_slope(world: World, y_m: float, yaw_deg: float, pitch_deg: float) -> None:
    info = world.spawn(CAR, {}, (100.3, y_m, 15.5, 0.0, yaw_deg, 0.0))
    world.step(DT_S)
    kin = world.table.kin[world.table.row(info.id)]
    assert kin[Kin.Z] == pytest.approx(10.0 + 0.05 * kin[Kin.X], abs=1e-3)
    assert kin[Kin.PITCH] == pytest.approx(pitch_deg, abs=0.01)  # atan(0.05), uphill or down


def test_driving_uphill_rises_with_the_road(world: World) -> None:
    info = world.spawn(CAR, {}, (50.0, 1.75, 12.5, 0.0, 0.0, 0.0))
    row = world.table.row(info.id)
    world.table.control[row, 0] = 1.0
    for _ in range(60):
        world.step(DT_S)
    kin = world.table.kin[row]
    assert kin[Kin.X] > 60.0
    assert kin[Kin.Z] == pytest.approx(10.0 + 0.05 * kin[Kin.X], abs=1e-3)
    assert kin[Kin.VZ] == pytest.approx(0.05 * kin[Kin.VX], rel=0.01)


def test_the_lane_of_the_own_direction_is_found(hill: Town) -> None:
    place = np.array([[100.0, 0.2]])  # 0.2 m right of the middle line
    right, left = hill.lanes.nearest(place, np.array([0.0])), hill.lanes.nearest(place, np.array([180.0]))
    assert (hill.lanes.lane_id[right[0]], hill.lanes.lane_id[left[0]]) == (-1, 1)
    assert hill.lanes.surface_m(right, place)[0] == pytest.approx(15.0, abs=1e-3)


@pytest.mark.parametrize("text", ["", "no xml", "<OpenDRIVE/>", "<OpenDRIVE><road></OpenDRIVE>"])
def test_a_text_that_is_no_town_is_refused(text: str) -> None:
    with pytest.raises(SimError, match="town 'Nowhere'"):
        build_town("Nowhere", text)


# --- poses -----------------------------------------------------------------------------------------------------------


@given(st.tuples(*[FINITE] * 6))
def test_any_pose_a_client_sends_is_brought_into_the_world(pose: tuple[float, ...]) -> None:
    found = normalized(pose)
    assert all(abs(value) <= MAX_COORDINATE_M for value in found[:3])
    assert all(-180.0 <= angle <= 180.0 for angle in found[3:])


@pytest.mark.parametrize(("angle_deg", "expected_deg"), [(0, 0), (270, -90), (-90, -90), (540, -180), (725, 5)])
def test_angles_are_wrapped(angle_deg: float, expected_deg: float) -> None:
    assert normalized((0.0, 0.0, 0.0, 0.0, angle_deg, 0.0))[4] == expected_deg


@given(st.tuples(*[st.floats(-100, 100)] * 3), st.tuples(*[st.floats(-89, 89)] * 3), st.tuples(*[st.floats(-5, 5)] * 3))
def test_offsets_are_placed_as_the_client_does_it(
    place: tuple[float, ...], turn: tuple[float, ...], offset: tuple[float, ...]
) -> None:
    import carla

    parent = carla.Transform(carla.Location(*place), carla.Rotation(*turn))
    expected = parent.transform(carla.Location(*offset))
    found = compose((*place, *turn), (*offset, 0.0, 0.0, 0.0))
    assert found[:3] == pytest.approx((expected.x, expected.y, expected.z), abs=1e-3)


def test_nothing_a_client_can_set_makes_the_state_infinite(world: World) -> None:
    huge = 3.4e38
    infos = [world.spawn(CAR, {}, (huge * sign, huge, huge, huge, huge, huge)) for sign in (1, -1)]
    world.spawn("sensor.other.collision", {}, (huge,) * 6, parent_id=infos[0].id)
    for info in infos:
        row = world.table.row(info.id)
        assert row is not None
        world.table.set_velocity(row, (huge, -huge, huge))
        world.set_angular_velocity(row, (huge, -huge, huge))
        world.table.control[row] = 1.0, 1.0, 0.0
    for _ in range(50):
        world.step(DT_S)
        assert np.isfinite(world.table.kin).all()
        assert np.isfinite(observe(world)["kinematics"]).all()


def test_what_a_blueprint_fixes_cannot_be_sent(world: World) -> None:
    sent = {"number_of_wheels": "2000000000", "base_type": "ship", "color": "1,2,3"}
    car = world.spawn(CAR, sent, (100.3, 1.75, 15.5, 0.0, 0.0, 0.0))
    kept = world.table.info[car.id].attributes
    assert (kept["number_of_wheels"], kept["base_type"], kept["color"]) == ("4", "car", "1,2,3")


@pytest.mark.level_road
@pytest.mark.parametrize(("speed_mps", "reverse"), [(-3.0, False), (8.0, True)])
def test_a_car_that_rolls_against_its_gear_comes_to_rest(world: World, speed_mps: float, reverse: bool) -> None:
    car = world.spawn(CAR, {}, (100.3, 1.75, 15.5, 0.0, 0.0, 0.0))
    row = world.table.row(car.id)
    assert row is not None
    world.table.reverse[row] = reverse
    world.table.set_velocity(row, (speed_mps, 0.0, 0.0))
    for _ in range(400):
        world.step(DT_S)
    assert world.table.along_mps[row] == 0.0


@given(st.tuples(*[st.floats(-80.0, 80.0)] * 3), st.tuples(*[st.floats(-80.0, 80.0)] * 3))
def test_what_is_attached_turns_with_its_parent(parent_deg: tuple[float, ...], offset_deg: tuple[float, ...]) -> None:
    composed = compose((1.0, 2.0, 3.0, *parent_deg), (4.0, 5.0, 6.0, *offset_deg))
    (own,), (parent,), (whole,) = (axes_of(np.array([angles])) for angles in (offset_deg, parent_deg, composed[3:]))
    assert np.allclose(whole, own @ parent, atol=1e-6)
    assert np.allclose(composed[:3], np.array([1.0, 2.0, 3.0]) + np.array([4.0, 5.0, 6.0]) @ parent)
