"""What a recorded drive looks like on disk, and what happens when it cannot be written or does not end."""

from __future__ import annotations

import json
import math
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest

from harness.drive.decision import Reason
from harness.drive.idm import Cause
from harness.errors import ConfigError, HarnessError
from harness.record.frame_check import (
    boxes_findings,
    following_findings,
    frame_findings,
    length_findings,
    meta_findings,
)
from harness.record.pickles import read_pickle
from harness.record.schema import META_FIELDS
from tests.unit.record.drawn import (
    RECORD,
    START_X_M,
    STREET_Y_M,
    DrawnDrive,
    Place,
    busy_street,
    record_route,
    recorder_in,
)

Frames = list[tuple[dict[str, Any], list[dict[str, Any]]]]


def names_in(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("ticks", "frames"), [(1, 1), (5, 1), (6, 2), (61, 13), (62, 13), (143, 29)])
def test_every_fifth_tick_becomes_a_frame(tmp_path: Path, ticks: int, frames: int) -> None:
    folder = record_route(tmp_path / "route", DrawnDrive(), ticks)
    numbers = [f"{number:04d}.pkl" for number in range(frames)]
    assert names_in(folder) == [f"bboxes/{n}" for n in numbers] + [f"metas/{n}" for n in numbers] + ["results.json"]


def test_the_record_of_the_route_is_written_as_it_is(recorded: Path) -> None:
    assert json.loads((recorded / "results.json").read_text()) == RECORD


def test_frames_hold_every_key_and_agree_with_each_other(frames: Frames) -> None:
    for number, (meta, boxes) in enumerate(frames):
        assert meta.keys() == META_FIELDS.keys()
        assert meta_findings(meta) == [] == boxes_findings(boxes)
        assert frame_findings(meta, boxes) == [] == length_findings(meta, number, len(frames))
    for (meta, boxes), (next_meta, next_boxes) in pairwise(frames):
        assert following_findings(meta, boxes, next_meta, next_boxes) == []


def test_looks_back_and_ahead_are_as_long_as_the_drive_allows(frames: Frames) -> None:
    lengths = [(len(meta["past_speeds"]), len(meta["future_speeds"])) for meta, _ in frames]
    assert lengths[0] == (1, 61)
    assert lengths[12] == (61, 61)
    assert lengths[16] == (61, 61)
    assert lengths[17] == (61, 58)  # ticks 85 to 142
    assert lengths[-1] == (61, 3)
    cars = [next(box for box in boxes if box["id"] == 20) for _, boxes in frames]
    assert [len(car["future_yaws"]) for car in (cars[0], *cars[-2:])] == [41, 8, 3]


def test_ego_of_a_frame(frames: Frames) -> None:
    meta, boxes = frames[4]
    x_m = START_X_M + 8.0
    assert meta["pos_global"] == pytest.approx([x_m, STREET_Y_M, 0.0], abs=1e-4)
    assert (meta["speed"], meta["theta"], meta["privileged_yaw"]) == (8.0, 0.0, 0.0)
    assert (meta["accel_x"], meta["accel_z"]) == pytest.approx((0.5, 9.81))
    assert meta["angular_velocity_z"] == pytest.approx(math.pi / 2.0)
    np.testing.assert_allclose(meta["future_positions"][10], [4.0, 0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(meta["privileged_past_positions"][10], [-4.0, 0.0], atol=1e-3)
    assert (meta["steer"], meta["throttle"], meta["brake"]) == (0.125, 0.5, False)
    assert (meta["target_speed"], meta["target_speed_limit"], meta["speed_limit"]) == (8.0, 10.0, 10.0)
    assert (boxes[0]["class"], boxes[0]["brake"], boxes[0]["position"]) == ("ego_car", 1.0, [0.0, 0.0, 0.0])


def test_route_and_town_of_a_frame(frames: Frames) -> None:
    meta, _ = frames[4]
    assert meta["route"].shape == (50, 2)
    np.testing.assert_allclose(meta["route"][:3], [[2.5, 0.0], [3.5, 0.0], [4.5, 0.0]], atol=0.06)
    assert (meta["town"], meta["scenario"], meta["weather_setting"]) == ("Borough01", "noScenarios", "CloudyNoon")
    assert (meta["lane_type_str"], meta["is_junction"], meta["changed_route"]) == ("Driving", False, False)
    assert meta["next_commands"][-1] == 4
    assert len(meta["next_target_points_3.25"]) + len(meta["previous_target_points_3.25"]) == len(
        meta["next_target_points"] + meta["previous_target_points"]
    )


def test_boxes_of_a_frame(frames: Frames) -> None:
    _, boxes = frames[0]
    assert [box["class"] for box in boxes[1:]] == [
        *("car", "walker", "car", "stop_sign", "traffic_light", "traffic_light", "static")
    ]
    car, walker, bicycle, sign, light, other_lane, prop = boxes[1:]
    assert (car["type_id"], car["base_type"], car["speed"]) == ("vehicle.tesla.model3", "car", pytest.approx(6.0))
    assert car["position"] == pytest.approx([25.0, 0.0, 0.0], abs=1e-4)
    assert (car["ego_velocity"], car["throttle"]) == (pytest.approx([6.0, 0.0]), 0.5)
    np.testing.assert_allclose(car["future_positions"][40], [37.0, 0.0], atol=0.05)
    # The scene says where a pedestrian walks, his box says where he looks.
    assert walker["yaw"] == pytest.approx(math.radians(-60.0))
    assert walker["ego_velocity"] == pytest.approx([0.0, -1.0], abs=1e-6)
    np.testing.assert_allclose(walker["future_yaws"], math.radians(-60.0), atol=2e-3)
    assert abs(bicycle["yaw"]) == pytest.approx(math.pi, abs=1e-5)
    assert (sign["affects_ego"], sign["extent"]) == (True, [1.5, 1.5, 0.5])
    assert (light["id"], light["state"], light["same_lane_as_ego"]) == (70, "Red", True)
    assert light["distance_to_physical_traffic_light"] == pytest.approx(math.hypot(2.0, 5.0), abs=1e-3)
    assert (other_lane["id"] < 0, other_lane["dummy_traffic_light_bounding_box"]) == (True, True)
    assert (prop["type_id"], prop["mesh_path"]) == ("static.prop.streetbarrier", None)


def test_who_is_around_is_told_in_the_meta(frames: Frames) -> None:
    meta, boxes = frames[0]
    distance_m = {box["id"]: box["distance"] for box in boxes}
    assert (meta["dist_to_pedestrian"], meta["dist_to_biker"]) == (distance_m[40], distance_m[30])
    assert meta["scenario_actors_ids"] == [30, 40]
    assert meta["second_highest_speed"] == pytest.approx(4.0)


def test_actors_are_asked_for_once(tmp_path: Path) -> None:
    drive = busy_street()
    record_route(tmp_path / "route", drive, 40)
    assert sorted(drive.world.asked) == [20, 30, 40, 50, 70, 80]


def test_the_noise_of_positions_follows_from_the_seed(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((5, 5, 6)):
        recorder = recorder_in(tmp_path / str(number), seed)
        DrawnDrive().record(recorder, 6)
        recorder.finish(RECORD)
        found.append((tmp_path / str(number) / "metas" / "0001.pkl").read_bytes())
    assert found[0] == found[1] != found[2]


def test_who_vanishes_has_a_shorter_future_and_who_comes_later_none_before(tmp_path: Path) -> None:
    def until_one_second(t: float) -> Place | None:
        return Place(x_m=240.0) if t < 1.0 - 1e-9 else None

    def from_one_second(t: float) -> Place | None:
        return Place(x_m=230.0) if t > 1.0 - 1e-9 else None

    car = {"role_name": "background", "base_type": "car"}
    drive = DrawnDrive(bodies={2: ("vehicle.a", car, from_one_second), 3: ("vehicle.b", car, until_one_second)})
    folder = record_route(tmp_path / "route", drive, 60)
    boxes = [read_pickle(folder / "bboxes" / f"{number:04d}.pkl") for number in range(12)]
    assert [[box["id"] for box in found[1:]] for found in boxes] == [[3]] * 4 + [[2]] * 8
    assert [len(found[1]["future_positions"]) for found in boxes] == [20, 15, 10, 5, 40, 35, 30, 25, 20, 15, 10, 5]


@pytest.mark.parametrize(
    ("reason", "hit_id", "expected"),
    [
        (Reason(8.0, "cruise"), -1, {}),
        (Reason(3.0, Cause.LIGHT, 70, 12.0), -1, {"light_hazard": True}),
        (Reason(0.0, Cause.STOP_SIGN, 80, 9.0), -1, {"stop_sign_hazard": True, "stop_sign_close": True}),
        (Reason(3.0, Cause.LEADING_VEHICLE, 20, 9.0), -1, {}),
        (
            Reason(1.0, Cause.PEDESTRIAN, 40, 7.0),
            -1,
            {"walker_hazard": True, "walker_close": True, "walker_affecting_id": 40, "walker_close_id": 40},
        ),
        (Reason(3.0, Cause.LIGHT, 70, 12.0), 20, {"vehicle_hazard": True, "vehicle_affecting_id": 20}),
        (
            Reason(0.0, Cause.LIGHT, 70, 12.0),
            20,
            {"vehicle_hazard": True, "vehicle_affecting_id": 20, "light_hazard": True},
        ),
    ],
)
def test_causes(tmp_path: Path, reason: Reason, hit_id: int, expected: dict[str, Any]) -> None:
    drive = busy_street()
    drive.reason, drive.hit_id = reason, hit_id
    folder = record_route(tmp_path / "route", drive, 1)
    meta = read_pickle(folder / "metas" / "0000.pkl")
    plain: dict[str, Any] = dict.fromkeys(
        ("vehicle_hazard", "light_hazard", "walker_hazard", "stop_sign_hazard", "stop_sign_close", "walker_close"),
        False,
    )
    plain |= dict.fromkeys(("vehicle_affecting_id", "walker_affecting_id", "walker_close_id"))
    assert {key: meta[key] for key in plain} == plain | expected
    assert meta["target_speed"] == (0.0 if hit_id >= 0 else reason.speed_mps)
    slowed_by = hit_id if hit_id >= 0 else reason.actor_id
    assert meta["speed_reduced_by_obj_id"] == (None if slowed_by < 0 else slowed_by)
    kinds = {20: "vehicle.tesla.model3", 40: "walker.pedestrian.0001", 70: "traffic.traffic_light", 80: "traffic.stop"}
    assert meta["speed_reduced_by_obj_type"] == kinds.get(slowed_by)
    if hit_id == 20:
        assert meta["speed_reduced_by_obj_distance"] == pytest.approx(25.0)


def test_cars_of_the_town_have_boxes_unless_an_actor_stands_there(tmp_path: Path) -> None:
    def box(x_m: float) -> Any:
        return carla.BoundingBox(carla.Location(x_m, STREET_Y_M + 3.0, 0.5), carla.Vector3D(2.0, 0.9, 0.8))

    car = {"role_name": "background", "base_type": "car"}
    drive = DrawnDrive(
        bodies={2: ("vehicle.a", car, lambda t: Place(x_m=240.0, y_m=STREET_Y_M + 3.2))},
        parked=[box(230.0), box(240.0), box(400.0)],
    )
    folder = record_route(tmp_path / "route", drive, 1)
    boxes = read_pickle(folder / "bboxes" / "0000.pkl")
    assert [(found["class"], found["id"]) for found in boxes[1:]] == [("static_prop_car", 100_000_000), ("car", 2)]
    assert read_pickle(folder / "metas" / "0000.pkl")["num_parking_vehicles_in_proximity"] == 1


# --- what can go wrong -----------------------------------------------------------------------------------------------


def test_a_drive_that_is_killed_leaves_no_record(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path / "route")
    DrawnDrive().record(recorder, 80)
    assert not (tmp_path / "route" / "results.json").exists()


def test_a_full_disk_ends_the_drive_with_a_readable_error(tmp_path: Path) -> None:
    folder = tmp_path / "route"
    recorder = recorder_in(folder)
    (folder / "metas" / "0001.pkl").symlink_to("/dev/full")
    drive = DrawnDrive()
    with pytest.raises(HarnessError, match=r"cannot write .*0001\.pkl: No space left on device; the recording is"):
        drive.record(recorder, 400)
        recorder.finish(RECORD)
    assert not (folder / "results.json").exists()


def test_a_full_disk_at_the_very_end_is_told_too(tmp_path: Path) -> None:
    folder = tmp_path / "route"
    recorder = recorder_in(folder)
    (folder / "bboxes" / "0002.pkl").symlink_to("/dev/full")
    DrawnDrive().record(recorder, 15)
    with pytest.raises(HarnessError, match=r"cannot write .*bboxes/0002\.pkl: No space left"):
        recorder.finish(RECORD)
    assert not (folder / "results.json").exists()


def test_a_record_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "route"
    recorder = recorder_in(folder)
    DrawnDrive().record(recorder, 1)
    (folder / "results.json").mkdir()
    with pytest.raises(HarnessError, match=r"cannot write .*results\.json"):
        recorder.finish(RECORD)


def test_the_folder_has_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "route" / "metas").mkdir(parents=True)
    recorder_in(tmp_path / "route")  # folders without anything in them are as good as none
    (tmp_path / "route" / "metas" / "0000.pkl").touch()
    with pytest.raises(ConfigError, match=r"found .*0000\.pkl, expected an empty folder"):
        recorder_in(tmp_path / "route")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "route").write_text("a file")
    with pytest.raises(HarnessError, match=r"cannot write .*route"):
        recorder_in(tmp_path / "route")


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    record_route(tmp_path / "route", DrawnDrive(), 20)
    assert threading.active_count() <= before


def test_a_server_that_does_not_answer_is_not_taken_for_one_without_parked_cars(tmp_path: Path) -> None:
    drive = DrawnDrive()

    def time_out(label: Any) -> list[Any]:
        raise RuntimeError("time-out of 30000ms while waiting for the simulator")

    drive.world.get_level_bbs = time_out  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="time-out"):
        drive.record(recorder_in(tmp_path / "route"), 1)
