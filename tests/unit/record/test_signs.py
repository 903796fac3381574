"""Boxes of lights and stop signs: which ones, where, and whom they stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import carla
import pytest

from harness.record.frames import EgoFrame
from harness.record.signs import SignBoxes
from tests.unit.record.drawn import LIGHT_ID, SIGN_ID, STREET_Y_M, TOWN, DrawnDrive


def boxes_at(drive: DrawnDrive, x_m: float, town: str = TOWN, state: int = 0) -> list[dict[str, Any]]:
    signs = SignBoxes(drive.world, town, drive.context.lights, drive.context.stop_signs)
    frame = EgoFrame.of(carla.Transform(carla.Location(x_m, STREET_Y_M, 0.0)))
    lane = drive.map.get_waypoint(carla.Location(x_m, STREET_Y_M, 0.0))
    return signs.near_boxes(frame, drive.expert, lane.lane_id, {LIGHT_ID: state})


@pytest.mark.parametrize(("state", "name"), [(0, "Red"), (1, "Yellow"), (2, "Green"), (3, "Off"), (4, "Unknown")])
def test_states_have_carlas_names(state: int, name: str) -> None:
    assert {box["state"] for box in boxes_at(DrawnDrive(light_x_m=270.0), 250.0, state=state)} == {name}


def test_a_light_has_a_box_on_the_road_for_each_lane() -> None:
    own, other = boxes_at(DrawnDrive(light_x_m=270.0), 250.0)
    assert (own["id"], own["same_lane_as_ego"], own["dummy_traffic_light_bounding_box"]) == (LIGHT_ID, True, False)
    assert (other["same_lane_as_ego"], other["dummy_traffic_light_bounding_box"]) == (False, True)
    assert other["id"] < 0
    assert own["position"] == pytest.approx([20.0, 0.0, 0.0], abs=0.1)
    assert other["position"] == pytest.approx([20.0, -3.5, 0.0], abs=0.1)
    assert own["affects_ego"] and other["affects_ego"]


def test_ids_of_the_other_lanes_stay_the_same() -> None:
    drive = DrawnDrive(light_x_m=270.0)
    signs = SignBoxes(drive.world, TOWN, drive.context.lights, [])
    frames = [EgoFrame.of(carla.Transform(carla.Location(x_m, STREET_Y_M, 0.0))) for x_m in (250.0, 255.0)]
    found = [[box["id"] for box in signs.near_boxes(frame, drive.expert, -1, {LIGHT_ID: 0})] for frame in frames]
    assert found[0] == found[1]
    assert len(set(found[0])) == 2


def test_every_further_lane_has_an_id_of_its_own() -> None:
    drive = DrawnDrive(light_x_m=270.0)
    stops = drive.actors[LIGHT_ID].get_stop_waypoints()
    drive.actors[LIGHT_ID].get_stop_waypoints = lambda: [*stops, *stops]
    ids = [box["id"] for box in boxes_at(drive, 250.0)]
    assert len(set(ids)) == 4
    assert sorted(ids)[-1] == LIGHT_ID


def test_a_light_far_away_or_of_another_route_has_no_box() -> None:
    drive = DrawnDrive(light_x_m=300.0)
    assert boxes_at(drive, 230.0) == []
    assert len(boxes_at(drive, 237.0)) == 2
    drive.expert._lights.clear()
    assert boxes_at(drive, 290.0) == []


@pytest.mark.parametrize(
    ("town", "is_overhead", "is_near_side"),
    [("Town12", True, False), ("Town03", False, True), ("Borough01", False, False)],
)
def test_where_lights_stand_depends_on_the_town(town: str, is_overhead: bool, is_near_side: bool) -> None:
    box = boxes_at(DrawnDrive(light_x_m=270.0), 250.0, town)[0]
    assert (box["is_over_head_traffic_light"], box["is_europe_traffic_light"]) == (is_overhead, is_near_side)


def test_a_light_across_the_junction_is_neither_overhead_nor_near() -> None:
    drive = DrawnDrive(light_x_m=270.0)
    light = drive.actors[LIGHT_ID]
    light.place = replace(light.place, x_m=295.0)
    assert not boxes_at(drive, 250.0, "Town12")[0]["is_over_head_traffic_light"]


def test_a_stop_sign_stops_the_ego_until_it_was_obeyed() -> None:
    drive = DrawnDrive(sign_x_m=265.0)
    (box,) = boxes_at(drive, 250.0)
    assert (box["class"], box["id"], box["affects_ego"]) == ("stop_sign", SIGN_ID, True)
    assert box["position"] == pytest.approx([15.0, 0.0, 0.0], abs=1e-3)
    assert abs(box["yaw"]) == pytest.approx(3.14159, abs=1e-4)
    drive.expert._stop_ticks = 26
    assert not boxes_at(drive, 250.0)[0]["affects_ego"]
    assert boxes_at(drive, 200.0) == []
