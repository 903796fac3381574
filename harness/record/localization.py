"""Where the ego believes to be: positions as a GNSS receiver would give them, filtered and smoothed.

Without a receiver in the simulator its noise is drawn here, from a seed. The filter knows heading and speed, so that
only the position is uncertain, alike in x and y:

    predict    p += v dt (cos yaw, sin yaw),  P += Q
    correct    p += K (z - p),                K = P / (P + R),  P = (1 - K) P
    smooth     p(k) += P(k) / P'(k+1) (s(k+1) - p'(k+1)), backwards; ' marks predictions

Source: Rauch, Tung and Striebel, Maximum likelihood estimates of linear dynamic systems, AIAA Journal 3, 1965.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.record.schema import EGO_TICKS, TICK_S

FloatArray = npt.NDArray[np.float64]

#: The Leaderboard's receiver: 5e-6 degrees, here in metres on the equator's sphere.
NOISE_M = math.radians(5e-6) * 6378137.0
#: Variances as in TransFuser++ [m^2].
PROCESS_M2, MEASUREMENT_M2 = 1e-4, 0.5


class _Step(NamedTuple):
    predicted: FloatArray
    predicted_m2: float
    filtered: FloatArray
    filtered_m2: float


class Localization:
    """The receiver and the filter of one drive.

    Args:
        seed: same seed, same noise.

    Attributes:
        noisy: position as received [m, world], shape (2,).
        filtered: after the filter, shape (2,).
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._steps: deque[_Step] = deque(maxlen=EGO_TICKS + 1)
        self._yaw_rad = self._speed_mps = 0.0
        self.noisy = self.filtered = np.zeros(2)

    def advance(self, x_m: float, y_m: float, yaw_rad: float, speed_mps: float) -> None:
        """See the true pose of the next tick."""
        self.noisy = np.array((x_m, y_m)) + NOISE_M * self._generator.standard_normal(2)
        if self._steps:
            driven_m = self._speed_mps * TICK_S
            predicted = self.filtered + driven_m * np.array((math.cos(self._yaw_rad), math.sin(self._yaw_rad)))
            predicted_m2 = self._steps[-1].filtered_m2 + PROCESS_M2
        else:
            predicted, predicted_m2 = self.noisy, MEASUREMENT_M2
        gain = predicted_m2 / (predicted_m2 + MEASUREMENT_M2)
        self.filtered = predicted + gain * (self.noisy - predicted)
        self._steps.append(_Step(predicted, predicted_m2, self.filtered, (1.0 - gain) * predicted_m2))
        self._yaw_rad, self._speed_mps = yaw_rad, speed_mps

    def past_filtered(self) -> npt.NDArray[np.float32]:
        """Return the filtered positions in the present ego frame, newest first; shape (up to 61, 2)."""
        return self._in_ego_frame(np.array([step.filtered for step in reversed(self._steps)]))

    def past_smoothed(self) -> npt.NDArray[np.float32]:
        """Return the smoothed positions in the present ego frame, newest first; shape (up to 61, 2)."""
        steps = list(reversed(self._steps))
        smoothed = [steps[0].filtered]
        for later, step in pairwise(steps):
            share = step.filtered_m2 / later.predicted_m2
            smoothed.append(step.filtered + share * (smoothed[-1] - later.predicted))
        return self._in_ego_frame(np.array(smoothed))

    def _in_ego_frame(self, positions: FloatArray) -> npt.NDArray[np.float32]:
        cos, sin = math.cos(self._yaw_rad), math.sin(self._yaw_rad)
        turned = (positions - positions[0]) @ np.array(((cos, -sin), (sin, cos)))
        return np.ascontiguousarray(turned, np.float32)
