"""Measurement noise that follows from the sensor's seed and the number of the tick alone.

It does not matter which readings somebody listened to: the same tick always has the same noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.sim.sensors.settings import read_number

_SEED_RANGE = 2**64


class Noise:
    """Normal noise with a bias on a few channels.

    Args:
        attributes: of the sensor; `noise_seed` is read here.
        deviations, biases: names of the attributes, one per channel; "" = none.
    """

    def __init__(self, attributes: Mapping[str, str], deviations: tuple[str, ...], biases: tuple[str, ...]) -> None:
        self._seed = int(read_number(attributes, "noise_seed")) % _SEED_RANGE
        self._deviation = np.array([_read(attributes, name) for name in deviations])
        self._bias = np.array([_read(attributes, name) for name in biases])
        self._is_silent = not self._deviation.any()

    def at(self, tick: int) -> NDArray[np.float64]:
        """Return what is added to the channels at a tick of the sensor's life; (C,)."""
        if self._is_silent:
            return self._bias
        # Each tick has a part of the generator's sequence for itself.
        generator = np.random.Generator(np.random.Philox(key=self._seed, counter=[0, tick, 0, 0]))
        return self._bias + self._deviation * generator.standard_normal(len(self._bias))


def _read(attributes: Mapping[str, str], name: str) -> float:
    return read_number(attributes, name) if name else 0.0
