"""The position that the ego believes in: as noisy as a receiver, better when filtered, best when smoothed."""

from __future__ import annotations

import math

import numpy as np

from harness.record.localization import NOISE_M, Localization

TICK_S = 0.05


def circle(tick: int) -> tuple[float, float, float, float]:
    """Return x, y, yaw and speed on a circle of 50 m radius at 10 m/s."""
    yaw = 10.0 * TICK_S * tick / 50.0
    return 50.0 * math.sin(yaw), 50.0 - 50.0 * math.cos(yaw), yaw, 10.0


def errors(ticks: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances from the truth of what was received and of what was filtered."""
    believed = Localization(seed)
    received, filtered = [], []
    for tick in range(ticks):
        x, y, yaw, speed = circle(tick)
        believed.advance(x, y, yaw, speed)
        received.append(believed.noisy - (x, y))
        filtered.append(believed.filtered - (x, y))
    return np.array(received), np.array(filtered)


def test_noise_is_that_of_the_leaderboards_receiver() -> None:
    received, _ = errors(2000, seed=1)
    np.testing.assert_allclose(received.std(axis=0), NOISE_M, rtol=0.05)
    np.testing.assert_allclose(received.mean(axis=0), 0.0, atol=0.05)
    assert 0.55 < NOISE_M < 0.56


def test_the_filter_takes_most_of_it_away() -> None:
    received, filtered = errors(2000, seed=2)
    assert filtered[200:].std() < 0.3 * received[200:].std()


def test_same_seed_same_noise() -> None:
    np.testing.assert_array_equal(errors(20, seed=3)[0], errors(20, seed=3)[0])
    assert not np.array_equal(errors(20, seed=3)[0], errors(20, seed=4)[0])


def test_the_past_begins_with_now_and_goes_back_sixty_ticks() -> None:
    believed = Localization(5)
    for tick in range(100):
        believed.advance(*circle(tick))
        length = min(tick + 1, 61)
        assert believed.past_filtered().shape == believed.past_smoothed().shape == (length, 2)
    for past in (believed.past_filtered(), believed.past_smoothed()):
        assert past.dtype == np.float32
        np.testing.assert_array_equal(past[0], 0.0)
        # 3 s at 10 m/s on a curve to the right, seen from its end.
        angle = 30.0 / 50.0
        np.testing.assert_allclose(past[60], [-50.0 * math.sin(angle), 50.0 - 50.0 * math.cos(angle)], atol=0.8)


def test_smoothing_is_smoother_than_filtering() -> None:
    believed = Localization(6)
    for tick in range(200):
        believed.advance(*circle(tick))
    roughness = [
        np.abs(np.diff(past, n=2, axis=0)).mean() for past in (believed.past_smoothed(), believed.past_filtered())
    ]
    assert roughness[0] < 0.5 * roughness[1]


def test_without_movement_the_filter_averages() -> None:
    believed = Localization(7)
    for _ in range(3000):
        believed.advance(3.0, -4.0, 1.0, 0.0)
    np.testing.assert_allclose(believed.filtered, (3.0, -4.0), atol=0.25)
