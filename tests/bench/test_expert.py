"""How long the expert thinks about a tick in dense traffic; on one core it has to stay under 2 ms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.drive.regulations import OnRoute
from tests.unit.drive.criteria.drawn import ego_at, tick
from tests.unit.drive.drawn import Body, expert_on, others_of, straight_way

LIMIT_S = 0.002


def _traffic(generator: np.random.Generator, count: int, *, is_standing: bool) -> dict[int, Body]:
    """Return vehicles within sight, none of them in the ego's lane: all of them go through the forecast."""
    return {
        key: Body(
            x_m=float(generator.uniform(-40.0, 75.0)),
            y_m=float(generator.choice([-7.0, -3.5, 2.2, 7.0])),
            yaw_deg=float(generator.choice([0.0, 90.0, 180.0])),
            speed_mps=0.0 if is_standing else float(generator.uniform(1.0, 10.0)),
        )
        for key in range(count)
    }


@pytest.mark.parametrize("is_standing", [False, True])
def test_step_with_30_vehicles_around(benchmark: Any, is_standing: bool) -> None:
    generator = np.random.default_rng(1)
    expert = expert_on(straight_way(600.0), lights=(OnRoute(700, 7),), stop_signs=(OnRoute(900, 9),))
    bodies = _traffic(generator, 30, is_standing=is_standing)
    scenes = [
        tick(ego_at(0.0, speed_mps=8.0), time_s=0.05 * n, others=others_of(bodies), lights={7: 0}) for n in range(60)
    ]

    def step_all() -> None:
        for scene in scenes:
            expert.step(scene)

    benchmark.pedantic(step_all, rounds=20, warmup_rounds=1)
    if benchmark.stats:  # none when only the code is tried
        per_tick_s = benchmark.stats.stats.median / len(scenes)
        benchmark.extra_info["ms/tick"] = round(1000.0 * per_tick_s, 3)
        assert per_tick_s < LIMIT_S
