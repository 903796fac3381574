"""Comfort: the filter against scipy's, the chunks, each bound, and the kept oddities."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from harness.metrics.smoothness import MotionStep, is_comfortable, route_comfort, savitzky_golay, smoothness

STILL = MotionStep(acceleration_mps2=(0.0, 0.0), forward=(1.0, 0.0), right=(0.0, 1.0), yaw_rate_degps=0.0)


def trace(count: int, **changes: object) -> list[MotionStep]:
    return [dataclasses.replace(STILL, **changes)] * count  # type: ignore[arg-type]


@given(st.lists(st.floats(-50.0, 50.0), min_size=3, max_size=40), st.sampled_from([0, 1]), st.sampled_from([0.1, 1.0]))
def test_filter_is_that_of_scipy(values: list[float], derivative: int, step_s: float) -> None:
    expected = savgol_filter(values, min(7, len(values)), 2, deriv=derivative, delta=step_s)
    assert savitzky_golay(values, derivative=derivative, step_s=step_s) == pytest.approx(list(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "comfortable"),
    [
        ({}, True),
        ({"acceleration_mps2": (2.39, 0.0)}, True),
        ({"acceleration_mps2": (2.41, 0.0)}, False),
        ({"acceleration_mps2": (-4.04, 0.0)}, True),
        ({"acceleration_mps2": (-4.06, 0.0)}, False),
        ({"acceleration_mps2": (0.0, 4.88)}, True),
        ({"acceleration_mps2": (0.0, 4.9)}, False),
        ({"acceleration_mps2": (0.0, -4.9)}, False),
        ({"yaw_rate_degps": 0.94}, True),
        ({"yaw_rate_degps": 0.96}, False),
        ({"yaw_rate_degps": -0.96}, False),
    ],
)
def test_bound_on_a_steady_drive(changes: dict[str, object], comfortable: bool) -> None:
    assert is_comfortable(trace(20, **changes)) is comfortable


def ramp(axis: int, slope: float, start: float, count: int) -> list[MotionStep]:
    """Acceleration that grows by ``slope`` m/s^3 at 0.1 s per step."""
    values = [start + slope * 0.1 * index for index in range(count)]
    return [
        dataclasses.replace(STILL, acceleration_mps2=(value, 0.0) if axis == 0 else (0.0, value)) for value in values
    ]


@pytest.mark.parametrize(
    ("steps", "comfortable"),
    [
        (ramp(0, -4.1, -0.1, 10), True),
        (ramp(0, -4.2, -0.1, 9), False),  # longitudinal jerk
        (ramp(1, 8.3, 0.1, 6), True),  # lateral jerk has no bound of its own, only that of the norm
        (ramp(1, 8.4, 0.1, 6), False),
        (ramp(1, -8.4, -0.1, 6), False),
    ],
)
def test_bound_on_jerk(steps: list[MotionStep], comfortable: bool) -> None:
    assert is_comfortable(steps) is comfortable


def test_yaw_rate_is_unwrapped_like_an_angle() -> None:
    steps = [dataclasses.replace(STILL, yaw_rate_degps=math.tau * (index % 2)) for index in range(20)]
    assert is_comfortable(steps)
    assert not is_comfortable(trace(20, yaw_rate_degps=math.tau))


@pytest.mark.parametrize(
    ("good", "bad", "passed", "chunks"),
    [(20, 0, 1, 1), (3, 0, 1, 1), (21, 0, 1, 1), (39, 0, 1, 1), (40, 0, 2, 2), (20, 20, 1, 2), (40, 19, 2, 2)],
)
def test_chunks_of_20_steps(good: int, bad: int, passed: int, chunks: int) -> None:
    comfort = route_comfort([*trace(good), *trace(bad, yaw_rate_degps=2.0)])
    assert comfort is not None
    assert (comfort.passed, comfort.chunks, comfort.share) == (passed, chunks, passed / chunks)


def test_missing_and_short_traces_are_named_and_in_no_divisor() -> None:
    traces = {"a": trace(20), "b": trace(2), "d": trace(20, yaw_rate_degps=9.0)}
    ours = smoothness(["a", "b", "c", "d"], {name: route_comfort(steps) for name, steps in traces.items()})
    assert (ours.value, ours.routes, ours.missing, ours.too_short) == (0.5, 2, ("c",), ("b",))
    assert smoothness(["c"], {}).value is None


@given(st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=60))
def test_share_lies_within_its_bounds(values: list[float]) -> None:
    comfort = route_comfort([dataclasses.replace(STILL, yaw_rate_degps=value) for value in values])
    assert comfort is not None
    assert 0 <= comfort.passed <= comfort.chunks == max(len(values) // 20, 1)
