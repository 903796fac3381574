"""Traffic lights and signs as actors: where they are, what they govern, how lights switch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import carla
import pytest

from tests.contract.conftest import DT_S, tick, xyz

Spawn = Callable[..., Any]
State = carla.TrafficLightState
PER_SECOND = round(1.0 / DT_S)


def _lights(world: Any) -> list[Any]:
    return sorted(world.get_actors().filter("traffic.traffic_light"), key=lambda light: light.id)


def _ids(actors: Any) -> list[int]:
    return sorted(actor.id for actor in actors)


# --- places ----------------------------------------------------------------------------------------------------------


def test_every_light_of_the_town_file_is_an_actor(world: Any) -> None:
    in_file = {landmark.id for landmark in world.get_map().get_all_landmarks_of_type("1000001")}
    lights = _lights(world)
    assert len(lights) == len(in_file) >= 4
    assert {light.get_opendrive_id() for light in lights} == in_file
    for light in lights:
        assert world.get_traffic_light_from_opendrive_id(light.get_opendrive_id()).id == light.id
    for landmark in world.get_map().get_all_landmarks_of_type("1000001"):
        assert world.get_traffic_light(landmark).get_opendrive_id() == landmark.id


@pytest.mark.parametrize(("code", "type_id"), [("206", "traffic.stop"), ("205", "traffic.yield")])
def test_every_sign_of_the_town_file_is_an_actor(world: Any, code: str, type_id: str) -> None:
    in_file = {landmark.id for landmark in world.get_map().get_all_landmarks_of_type(code)}
    assert len(in_file) == len(world.get_actors().filter(type_id)) >= 1
    for landmark in world.get_map().get_all_landmarks_of_type(code):
        assert world.get_traffic_sign(landmark).type_id == type_id


def test_speed_limits_are_actors_named_after_their_number(world: Any) -> None:
    in_file = {landmark.id: landmark.value for landmark in world.get_map().get_all_landmarks_of_type("274")}
    actors = world.get_actors().filter("traffic.speed_limit.*")
    assert sorted(f"traffic.speed_limit.{value:.0f}" for value in in_file.values()) == sorted(a.type_id for a in actors)


def test_trigger_volumes_lie_on_the_lanes_they_govern(world: Any) -> None:
    for signal in [*_lights(world), *world.get_actors().filter("traffic.stop")]:
        box, pose = signal.trigger_volume, signal.get_transform()
        centre = pose.transform(carla.Location(box.location))  # in place: of a copy
        waypoint = world.get_map().get_waypoint(centre)
        assert waypoint.transform.location.distance(centre) < waypoint.lane_width + 1.5
        if signal.type_id == "traffic.traffic_light":
            # Tools walk along local x and look for the lanes there, which meet at the stop line.
            across = carla.Location(box.location.x + 0.8 * box.extent.x, box.location.y, box.location.z)
            stop_lanes = {(w.road_id, w.lane_id) for w in signal.get_stop_waypoints()}
            found = {
                (w.road_id, w.lane_id)
                for place in (carla.Location(box.location), across)
                for w in [world.get_map().get_waypoint(pose.transform(place))]
            }
            assert found & stop_lanes


def test_stop_waypoints_stand_before_the_junction_and_lead_into_it(world: Any) -> None:
    for light in _lights(world):
        stops, affected = light.get_stop_waypoints(), light.get_affected_lane_waypoints()
        assert stops and affected
        assert all(not waypoint.is_junction for waypoint in stops)
        assert all(any(w.is_junction for w in waypoint.next(8.0)) for waypoint in stops)
        assert all(waypoint.is_junction for waypoint in affected)


def test_lights_ahead_of_a_place_are_found(world: Any) -> None:
    for light in _lights(world):
        stop = light.get_stop_waypoints()[0]
        found = world.get_traffic_lights_from_waypoint(stop.previous(10.0)[0], 50.0)
        assert light.id in _ids(found)
    far = _lights(world)[0].get_stop_waypoints()[0].previous(60.0)[0]
    assert _lights(world)[0].id not in _ids(world.get_traffic_lights_from_waypoint(far, 20.0))


def test_lights_of_a_junction_are_found_and_have_a_pole_number_each(world: Any) -> None:
    for light in _lights(world):
        junction = light.get_affected_lane_waypoints()[0].junction_id
        found = world.get_traffic_lights_in_junction(junction)
        assert _ids(found) == _ids(light.get_group_traffic_lights())
        assert sorted(other.get_pole_index() for other in found) == list(range(len(found)))


def test_signs_have_a_volume_over_the_lane_they_speak_to(world: Any) -> None:
    carla_map = world.get_map()
    for sign in world.get_actors().filter("traffic.*"):
        if sign.type_id == "traffic.traffic_light":
            continue
        box = sign.trigger_volume
        assert min(xyz(box.extent)) > 0.5
        centre = sign.get_transform().transform(carla.Location(box.location))
        lane = carla_map.get_waypoint(centre)
        assert lane.lane_type == carla.LaneType.Driving
        assert math.hypot(lane.transform.location.x - centre.x, lane.transform.location.y - centre.y) < lane.lane_width
        if sign.type_id.startswith("traffic.speed_limit."):
            landmarks = lane.previous(10.0)[0].get_landmarks_of_type(25.0, "274")
            assert f"traffic.speed_limit.{landmarks[0].value:.0f}" == sign.type_id


def test_lights_of_a_junction_form_a_group(world: Any) -> None:
    lights = _lights(world)
    junctions = {light.id: light.get_affected_lane_waypoints()[0].junction_id for light in lights}
    for light in lights:
        expected = [other.id for other in lights if junctions[other.id] == junctions[light.id]]
        assert _ids(light.get_group_traffic_lights()) == expected
    assert len(set(junctions.values())) >= 2


# --- the cycle -------------------------------------------------------------------------------------------------------


def test_lights_take_turns_green_yellow_red(world: Any) -> None:
    world.reset_all_traffic_lights()
    group = sorted(_lights(world)[0].get_group_traffic_lights(), key=lambda light: light.id)
    for light in group:
        assert (light.get_green_time(), light.get_yellow_time(), light.get_red_time()) == (10.0, 3.0, 2.0)
    history = []
    for _ in range(15 * 2 * len(group)):
        history.append([light.get_state() for light in group])
        tick(world, PER_SECOND)
    turns = [frozenset(k for k in range(len(group)) if second[k] == State.Green) for second in history[5::15]]
    count = turns.index(turns[0], 1)  # controllers of the junction; each may switch several lights
    assert count >= 2 and all(turns[k] == turns[k - count] for k in range(count, len(turns)))
    assert sorted(light for turn in turns[:count] for light in turn) == list(range(len(group)))
    for second, states in enumerate(history):
        turn, into = turns[second // 15], second % 15
        shown = State.Green if 0 < into < 10 else State.Yellow if 10 < into < 13 else State.Red
        if into not in (0, 10, 13):  # the very tick of the switch
            assert states == [shown if k in turn else State.Red for k in range(len(group))], second


def test_elapsed_time_counts_from_the_switch(world: Any) -> None:
    light = _lights(world)[0]
    world.reset_all_traffic_lights()
    tick(world, 10)
    assert light.get_elapsed_time() == pytest.approx(10 * DT_S, abs=1e-4)
    light.set_state(State.Yellow)
    tick(world, 4)
    assert light.get_elapsed_time() == pytest.approx(4 * DT_S, abs=1e-4)


def test_times_can_be_set(world: Any) -> None:
    light = _lights(world)[0]
    world.reset_all_traffic_lights()
    light.set_green_time(1.0)
    light.set_yellow_time(0.5)
    light.set_red_time(0.25)
    tick(world)
    assert (light.get_green_time(), light.get_yellow_time(), light.get_red_time()) == (1.0, 0.5, 0.25)
    tick(world, PER_SECOND)
    assert light.get_state() == State.Yellow
    tick(world, PER_SECOND // 2)
    assert light.get_state() == State.Red


@pytest.mark.parametrize("state", [State.Red, State.Yellow, State.Green, State.Off, State.Unknown])
def test_a_state_that_is_set_is_shown_until_the_next_switch(world: Any, state: Any) -> None:
    light, other = _lights(world)[0], _lights(world)[1]
    world.reset_all_traffic_lights()
    light.set_state(state)
    tick(world, PER_SECOND)
    assert (light.get_state(), other.get_state()) == (state, State.Red)


@pytest.mark.parametrize("of_one_light", [False, True])
def test_all_lights_can_be_frozen_and_freed(world: Any, of_one_light: bool) -> None:
    # The freeze of one light, too, is sent by the client as that of all.
    freeze = _lights(world)[0].freeze if of_one_light else world.freeze_all_traffic_lights
    world.reset_all_traffic_lights()
    tick(world)
    freeze(True)
    tick(world, 11 * PER_SECOND)
    assert _lights(world)[0].get_elapsed_time() == pytest.approx(DT_S, abs=1e-4)
    states = [light.get_state() for light in _lights(world)]
    assert all(light.is_frozen() for light in _lights(world))
    assert State.Yellow not in states and State.Green in states
    freeze(False)
    tick(world, 11 * PER_SECOND)
    assert not any(light.is_frozen() for light in _lights(world))
    assert State.Yellow in [light.get_state() for light in _lights(world)]


def test_a_group_can_be_reset(world: Any) -> None:
    light = _lights(world)[0]
    world.reset_all_traffic_lights()
    tick(world, 11 * PER_SECOND)
    assert light.get_state() == State.Yellow
    light.reset_group()
    tick(world)
    assert light.get_state() == State.Green


# --- what a vehicle sees ---------------------------------------------------------------------------------------------


def test_a_vehicle_before_the_line_is_at_its_light(world: Any, spawn: Spawn) -> None:
    light = _lights(world)[0]
    stop = light.get_stop_waypoints()[0]
    behind = stop.previous(30.0)[0].transform
    car = spawn(x=behind.location.x, y=behind.location.y, yaw=behind.rotation.yaw)
    tick(world)
    assert not car.is_at_traffic_light() and car.get_traffic_light() is None
    before = stop.previous(3.0)[0].transform
    car.set_transform(carla.Transform(before.location, before.rotation))
    for state in (State.Red, State.Yellow, State.Green):
        light.set_state(state)
        tick(world, 2)
        assert car.is_at_traffic_light()
        assert car.get_traffic_light().id == light.id
        assert car.get_traffic_light_state() == state


def test_the_speed_limit_of_a_vehicle_changes_at_a_sign(world: Any, spawn: Spawn) -> None:
    sign = min(world.get_actors().filter("traffic.speed_limit.60"), key=lambda a: a.get_location().x)
    place = sign.get_location()
    waypoint = world.get_map().get_waypoint(place)
    start = waypoint.previous(15.0)[0].transform
    car = spawn(x=start.location.x, y=start.location.y, yaw=start.rotation.yaw)
    tick(world)
    assert car.get_speed_limit() == 30.0
    heading = math.radians(start.rotation.yaw)
    car.set_target_velocity(carla.Vector3D(12.0 * math.cos(heading), 12.0 * math.sin(heading), 0.0))
    car.apply_control(carla.VehicleControl(throttle=0.5))
    limits = []
    for _ in range(50):
        world.tick()
        limits.append(car.get_speed_limit())
    assert limits[0] == 30.0 and limits[-1] == 60.0
    assert sorted(limits) == limits
    at = start.location.x + 12.0 * DT_S * limits.index(60.0)
    assert at == pytest.approx(place.x, abs=5.0)


def test_a_light_that_is_asked_as_if_it_were_a_vehicle_is_refused(client: Any, world: Any) -> None:
    light = _lights(world)[0]
    before = xyz(light.get_location())
    answers = client.apply_batch_sync([carla.command.ApplyVehicleControl(light.id, carla.VehicleControl())], True)
    assert "not a vehicle" in answers[0].error
    assert xyz(light.get_location()) == before
