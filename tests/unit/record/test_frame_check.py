"""Every check of frames fires, and none of them on a sound frame."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.record.frame_check import (
    Finding,
    boxes_findings,
    following_findings,
    frame_findings,
    length_findings,
    meta_findings,
)
from harness.record.schema import BOX_FIELDS, META_FIELDS

Frames = list[tuple[dict[str, Any], list[dict[str, Any]]]]
Change = Callable[[dict[str, Any], list[dict[str, Any]]], Any]


def changed(frames: Frames, number: int, change: Change) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a copy of a frame that something was done to."""
    meta, boxes = copy.deepcopy(frames[number])
    change(meta, boxes)
    return meta, boxes


def test_every_missing_key_of_a_meta_is_found(frames: Frames) -> None:
    meta = frames[3][0]
    for key, kind in META_FIELDS.items():
        without = {name: value for name, value in meta.items() if name != key}
        assert meta_findings(without) == [Finding(f"no key {key}", str(kind))]


def test_every_value_of_another_kind_is_found(frames: Frames) -> None:
    for key, kind in META_FIELDS.items():
        (finding,) = meta_findings({**frames[3][0], key: object()})
        assert finding.found.startswith(f"key {key}: object ")
        assert finding.expected == str(kind)


def test_keys_of_sensors_are_welcome(frames: Frames) -> None:
    meta, boxes = changed(frames, 3, lambda meta, boxes: meta.update(jpeg_storage_quality=30))
    boxes[1]["num_points"] = 7
    assert meta_findings(meta) == [] == boxes_findings(boxes)


@pytest.mark.parametrize("kind", BOX_FIELDS)
def test_every_missing_key_of_a_box_is_found(frames: Frames, kind: str) -> None:
    sound = frames[0][1]
    number = next((number for number, box in enumerate(sound) if box["class"] == kind), 0)
    if kind == "static_prop_car":  # there is none on this street
        box = {name: sound[1][name] for name in BOX_FIELDS[kind]} | {"class": kind, "id": -1}
        sound, number = [*sound[:2], box, *sound[2:]], 2
        assert boxes_findings(sound) == []
    for key, wanted in BOX_FIELDS[kind].items():
        if key != "class":
            without = {name: value for name, value in sound[number].items() if name != key}
            findings = boxes_findings([*sound[:number], without, *sound[number + 1 :]])
            assert findings == [Finding(f"no {kind} key {key}", str(wanted))]


@pytest.mark.parametrize("content", [None, [], 3, "text"])
def test_a_meta_that_is_no_dict_is_found(content: Any) -> None:
    assert [finding.expected for finding in meta_findings(content)] == ["a dict"]


@pytest.mark.parametrize("content", [None, {}, [3], "text"])
def test_boxes_that_are_no_list_are_found(content: Any) -> None:
    assert [finding.expected for finding in boxes_findings(content)] == ["a list of dicts"]


def _swap(boxes: list[dict[str, Any]], first: int, second: int) -> None:
    boxes[first], boxes[second] = boxes[second], boxes[first]


BOX_CHANGES: dict[str, Change] = {
    "box 1 of class 'ufo'": lambda meta, boxes: boxes[1].update({"class": "ufo"}),
    "box 1 of class 'None'": lambda meta, boxes: boxes[1].pop("class"),
    "ego_car at []": lambda meta, boxes: boxes.pop(0),
    "ego_car at [0, 1]": lambda meta, boxes: boxes.insert(1, {**boxes[0], "id": -9}),
    "boxes in another order": lambda meta, boxes: _swap(boxes, 1, 3),
    "an id twice": lambda meta, boxes: boxes[2].update(id=boxes[1]["id"]),
    "at another distance": lambda meta, boxes: boxes[1].update(position=[1.0, 1.0, 1.0]),
    "futures of different length": lambda meta, boxes: boxes[1].update(future_yaws=boxes[1]["future_yaws"][:-1]),
    "future_positions that do not begin with now": lambda meta, boxes: boxes[1].update(
        future_positions=boxes[1]["future_positions"][1:], future_yaws=boxes[1]["future_yaws"][1:]
    ),
    "future_yaws that do not begin with now": lambda meta, boxes: boxes[1].update(
        future_yaws=boxes[1]["future_yaws"] + np.float16(1.0)
    ),
    "key future_positions": lambda meta, boxes: boxes[1].update(future_positions=np.zeros((42, 2), np.float16)),
}


@pytest.mark.parametrize("found", BOX_CHANGES)
def test_a_defect_of_boxes_is_found(frames: Frames, found: str) -> None:
    _, boxes = changed(frames, 0, BOX_CHANGES[found])
    assert [finding for finding in boxes_findings(boxes) if found in finding.found]


FRAME_CHANGES: dict[str, Change] = {
    "ego_matrix at another place": lambda meta, boxes: meta.update(pos_global=[0.0, 0.0, 0.0]),
    "an ego_car with another matrix": lambda meta, boxes: boxes[0].update(matrix=np.eye(4).tolist()),
    "futures of different length": lambda meta, boxes: meta.update(future_yaws=meta["future_yaws"][:-1]),
    "pasts of different length": lambda meta, boxes: meta.update(past_positions=meta["past_positions"][:-1]),
    "future_positions that do not begin": lambda meta, boxes: meta.update(
        future_positions=meta["future_positions"] + np.float32(1.0)
    ),
    "future_yaws that do not begin": lambda meta, boxes: meta.update(future_yaws=meta["future_yaws"] + np.float32(1)),
    "future_speeds that do not begin": lambda meta, boxes: meta.update(speed=5.0),
}


@pytest.mark.parametrize("found", FRAME_CHANGES)
def test_a_meta_that_disagrees_with_itself_or_its_boxes_is_found(frames: Frames, found: str) -> None:
    meta, boxes = changed(frames, 3, FRAME_CHANGES[found])
    assert meta_findings(meta) == [] == boxes_findings(boxes)
    assert [finding.found for finding in frame_findings(meta, boxes) if found in finding.found]


def _shift(meta: dict[str, Any], key: str, by: float) -> None:
    meta[key] = meta[key].copy()
    meta[key][1:] += np.float32(by)


FOLLOWING_CHANGES: dict[str, Change] = {
    "future_positions[5] elsewhere than the next frame": lambda meta, boxes: _shift(meta, "future_positions", 0.1),
    "future_yaws[5] other": lambda meta, boxes: _shift(meta, "future_yaws", 0.1),
    "future_speeds[5] other": lambda meta, boxes: _shift(meta, "future_speeds", 0.1),
    "car with future_positions[5] elsewhere": lambda meta, boxes: boxes[1].update(
        future_positions=boxes[1]["future_positions"] * np.float16(1.1)
    ),
}


@pytest.mark.parametrize("found", FOLLOWING_CHANGES)
def test_a_future_that_does_not_come_is_found(frames: Frames, found: str) -> None:
    assert following_findings(*frames[3], *frames[4]) == []
    meta, boxes = changed(frames, 3, FOLLOWING_CHANGES[found])
    assert [finding.found for finding in following_findings(meta, boxes, *frames[4]) if found in finding.found]


def test_a_heading_that_grew_by_a_full_turn_is_the_same_heading(frames: Frames) -> None:
    meta, boxes = changed(frames, 4, lambda meta, boxes: meta.update(theta=meta["theta"] + 2.0 * math.pi))
    assert following_findings(*frames[3], meta, boxes) == []


def test_who_left_is_not_missed(frames: Frames) -> None:
    _, boxes = changed(frames, 4, lambda meta, boxes: boxes.pop(1))
    assert following_findings(*frames[3], frames[4][0], boxes) == []


def test_lengths_that_do_not_fit_the_place_of_a_frame_are_found(frames: Frames) -> None:
    count = len(frames)
    assert [length_findings(meta, number, count) for number, (meta, _) in enumerate(frames)] == [[]] * count
    assert [finding.expected for finding in length_findings(frames[3][0], 4, count)] == ["21"]
    assert [finding.expected for finding in length_findings(frames[3][0], 3, 6)] == ["11 to 15"]
    assert [finding.expected for finding in length_findings(frames[-1][0], count - 1, count + 9)] == ["46 to 50"]
