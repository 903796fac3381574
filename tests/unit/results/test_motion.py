"""Motion logs: what they give, and that damage is a problem of the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.smoothness import MotionStep
from harness.results.motion import read_motion
from harness.results.read import read_results
from harness.results.result_set import FileKind, Problem
from tests.unit.results.drawn import write

STEP = {
    "acceleration": [1.0, 2.0, 3.0],
    "angular_velocity": [4.0, 5.0, 6.0],
    "forward_vector": [0.6, 0.8, 0.0],
    "right_vector": [-0.8, 0.6, 0.0],
    "location": [0, 0, 0],
}


def motion_of(folder: Path, content: Any) -> list[MotionStep] | Problem:
    write(folder / "a" / "metric_info.json", content)
    files = read_results([folder]).of_kind(FileKind.METRIC_INFO)
    ((_, motion),) = read_motion(files)
    return motion


def test_horizontal_parts_and_the_yaw_rate_are_taken_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = motion_of(tmp_path, {"0": STEP, "1": STEP | {"acceleration": [0, 0, 0]}, "10": STEP, "2": STEP})
    assert isinstance(found, list)
    step = MotionStep(acceleration_mps2=(1.0, 2.0), forward=(0.6, 0.8), right=(-0.8, 0.6), yaw_rate_degps=6.0)
    assert (found[0], found[1].acceleration_mps2, len(found)) == (step, (0.0, 0.0), 4)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"0": {"acceleration": [0, 0, 0]}}, "found no angular_velocity"),
        (
            {"0": STEP | {"acceleration": [1, 2]}},
            "found something else at $[...].acceleration, expected `array` of length 3",
        ),
        ({"0": STEP | {"forward_vector": ["x", 0, 0]}}, "found `str`"),
        ({"0": STEP | {"acceleration": [1e300, 0, 0]}}, "found a number beyond 1e+09 in step '0'"),
        ({"0": [STEP]}, "found `array`"),
    ],
)
def test_damage_is_a_problem_of_the_file(tmp_path: Path, content: Any, found: str) -> None:
    problem = motion_of(tmp_path, content)
    assert isinstance(problem, Problem)
    assert problem.file == str(tmp_path / "a" / "metric_info.json") and found in str(problem)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=4))
def test_any_bytes_give_motion_or_a_problem(cut: int, put: bytes) -> None:
    whole = json.dumps({str(index): STEP for index in range(3)}).encode()
    place = cut % len(whole)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name, "a", "metric_info.json"), whole[:place] + put)
        results = read_results([Path(name)])
        for _, motion in read_motion(results.of_kind(FileKind.METRIC_INFO)):
            assert isinstance(motion, list) or str(motion).isprintable()
