"""Bench2Drive's driving smoothness (comfort) from the ego's motion, step by step.

Bounds, chunks and oddities are those of Thinklab-SJTU/Bench2Drive ``tools/efficiency_smoothness_benchmark.py``,
kept on purpose, because published numbers have them:

* what is bounded as yaw acceleration is the smoothed yaw rate, so only the bound on the rate can decide;
* yaw rate is in degrees per second as CARLA gives it, while the bound is one in radians;
* the yaw *rate* is unwrapped as if it were an angle;
* a step counts as 0.1 s, whatever the log's rate was.

The smoothing is that of scipy's ``savgol_filter``, in plain arithmetic because scoring has to start quickly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

STEPS_PER_CHUNK: Final = 20
STEP_S: Final = 0.1
WINDOW: Final = 7
#: A parabola needs three points.
FEWEST_STEPS: Final = 3

LONGITUDINAL_ACCELERATION_MPS2: Final = (-4.05, 2.40)
LATERAL_ACCELERATION_MPS2: Final = 4.89
JERK_MPS3: Final = 8.37
LONGITUDINAL_JERK_MPS3: Final = 4.13
YAW_RATE: Final = 0.95

Vector = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionStep:
    """One step of ``metric_info.json``; horizontal parts, world frame, all finite.

    Attributes:
        acceleration_mps2: of the ego.
        forward, right: unit vectors of the ego.
        yaw_rate_degps: third part of ``angular_velocity``.
    """

    acceleration_mps2: Vector
    forward: Vector
    right: Vector
    yaw_rate_degps: float


@dataclass(frozen=True, kw_only=True)
class RouteComfort:
    """Comfort of one drive: ``passed`` of ``chunks`` were comfortable from first to last step."""

    passed: int
    chunks: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.passed / self.chunks


@dataclass(frozen=True, kw_only=True)
class Smoothness:
    """Mean comfort of a run.

    Attributes:
        value: mean share over ``routes``, 0 to 1; None without any.
        routes: drives with a usable trace; the divisor.
        missing: drives without a trace, left out (the official program stops with an error).
        too_short: drives with fewer than `FEWEST_STEPS` steps, left out (the official program stops likewise).
    """

    value: float | None
    routes: int
    missing: tuple[str, ...]
    too_short: tuple[str, ...]


def smoothness(drives: Sequence[str], comforts: Mapping[str, RouteComfort | None]) -> Smoothness:
    """Return the mean comfort over the drives of a run.

    Args:
        drives: the records of the run, whatever names them uniquely.
        comforts: what `route_comfort` gives, by the same names; a drive without a trace is absent.
    """
    shares = [comfort.share for name in drives if (comfort := comforts.get(name)) is not None]
    return Smoothness(
        value=sum(shares) / len(shares) if shares else None,
        routes=len(shares),
        missing=tuple(name for name in drives if name not in comforts),
        too_short=tuple(name for name in drives if name in comforts and comforts[name] is None),
    )


def route_comfort(steps: Sequence[MotionStep]) -> RouteComfort | None:
    """Return how many chunks of 20 steps were comfortable; None if the trace is too short to smooth.

    The incomplete last chunk is dropped, but a trace of up to 20 steps is one chunk as it is.
    """
    if len(steps) < FEWEST_STEPS:
        return None
    if len(steps) <= STEPS_PER_CHUNK:
        return RouteComfort(passed=int(is_comfortable(steps)), chunks=1)
    chunks = len(steps) // STEPS_PER_CHUNK
    passed = sum(is_comfortable(steps[i * STEPS_PER_CHUNK : (i + 1) * STEPS_PER_CHUNK]) for i in range(chunks))
    return RouteComfort(passed=passed, chunks=chunks)


def is_comfortable(steps: Sequence[MotionStep]) -> bool:
    """Return whether every bound holds strictly at every one of at least three steps."""
    longitudinal = savitzky_golay([_dot(step.acceleration_mps2, step.forward) for step in steps])
    lateral = savitzky_golay([_dot(step.acceleration_mps2, step.right) for step in steps])
    magnitude = savitzky_golay([math.hypot(*step.acceleration_mps2) for step in steps])
    jerk = savitzky_golay(magnitude, derivative=1, step_s=STEP_S)
    longitudinal_jerk = savitzky_golay(longitudinal, derivative=1, step_s=STEP_S)
    yaw_rate = savitzky_golay(_unwrapped([step.yaw_rate_degps for step in steps]))
    return (
        _lies_within(longitudinal, *LONGITUDINAL_ACCELERATION_MPS2)
        and _lies_within(lateral, -LATERAL_ACCELERATION_MPS2, LATERAL_ACCELERATION_MPS2)
        and _lies_within(jerk, -JERK_MPS3, JERK_MPS3)
        and _lies_within(longitudinal_jerk, -LONGITUDINAL_JERK_MPS3, LONGITUDINAL_JERK_MPS3)
        and _lies_within(yaw_rate, -YAW_RATE, YAW_RATE)
    )


def savitzky_golay(values: Sequence[float], *, derivative: int = 0, step_s: float = 1.0) -> list[float]:
    """Smooth with a parabola fitted to seven neighbours, or to all values if there are fewer.

    At both ends the parabola of the outermost window is read off, as ``scipy.signal.savgol_filter`` does with
    ``mode="interp"``.

    Args:
        values: at least three.
        derivative: 0 for the smoothed values, 1 for their slope per second.
        step_s: seconds between two values.
    """
    window = min(WINDOW, len(values))
    smoothed = []
    for index in range(len(values)):
        begin = min(max(index - window // 2, 0), len(values) - window)
        weights = _weights(window, index - begin, derivative)
        total = sum(w * values[begin + offset] for offset, w in enumerate(weights))
        smoothed.append(total / step_s**derivative)
    return smoothed


@cache
def _weights(window: int, position: int, derivative: int) -> tuple[float, ...]:
    """Return what each value of a window adds to the fitted parabola, or to its slope, at a position.

    One row of the inverse of the normal equations of c0 + c1 t + c2 t^2 with t counted from the position.
    """
    times = [offset - position for offset in range(window)]
    s0, s1, s2, s3, s4 = (sum(t**power for t in times) for power in range(5))
    determinant = s0 * (s2 * s4 - s3 * s3) - s1 * (s1 * s4 - s2 * s3) + s2 * (s1 * s3 - s2 * s2)
    if derivative == 0:
        row = (s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2)
    else:
        row = (s2 * s3 - s1 * s4, s0 * s4 - s2 * s2, s1 * s2 - s0 * s3)
    return tuple((row[0] + row[1] * t + row[2] * t * t) / determinant for t in times)


def _unwrapped(angles: Sequence[float]) -> list[float]:
    """Take whole turns (of 2 pi) out of the steps between neighbours."""
    turns, unwrapped = 0, [angles[0]]
    for before, now in itertools.pairwise(angles):
        turns += round((now - before) / math.tau)
        unwrapped.append(now - math.tau * turns)
    return unwrapped


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1]


def _lies_within(values: Sequence[float], low: float, high: float) -> bool:
    return all(low < value < high for value in values)
