"""Scenic's CARLA interface and carla-birdeye-view, unmodified, on Town05."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Server
from tests.foreign.conftest import HERE, TOWN

pytestmark = [pytest.mark.soak, pytest.mark.contract, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], harness_data: Path) -> Server:
    return serve("--town", TOWN)


@pytest.fixture
def drive(run_foreign: Callable[..., dict[str, Any]], server: Server, town_file: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a Scenic program for some steps of 0.1 s."""

    def run(program: str, steps: int) -> dict[str, Any]:
        return run_foreign("scenic", "drive_scenic.py", HERE / program, town_file, TOWN, server.port, steps)

    return run


def test_a_car_follows_another(drive: Callable[..., dict[str, Any]]) -> None:
    ended = drive("follow.scenic", 300)
    # Its own monitor watches the gap all the way.
    assert ended["ended"] == "timeLimit"
    assert ended["steps"] == 301
    assert 5.0 < ended["gap_m"] < 25.0
    assert ended["travelled_m"] > 60.0


def test_a_car_yields_and_goes_on(drive: Callable[..., dict[str, Any]]) -> None:
    ended = drive("yield.scenic", 400)
    assert ended["ended"] == "terminatedByMonitor"
    assert ended["speed_mps"] > 4.0


def test_a_car_overtakes(drive: Callable[..., dict[str, Any]]) -> None:
    ended = drive("overtake.scenic", 400)
    assert ended["ended"] == "terminatedByBehavior"
    assert ended["ahead_m"] > 10.0


def test_a_scene_is_drawn_from_above(
    run_foreign: Callable[..., dict[str, Any]], server: Server, tmp_path: Path
) -> None:
    picture = tmp_path / "scene.png"
    drawn = run_foreign("birdview", "draw_birdview.py", server.port, picture)
    assert picture.stat().st_size > 1000
    # Pixels of two cars of 4.8 m by 2.2 m, the walker and the road at six pixels a metre.
    assert 300 < drawn["AGENT"] < 550
    assert 1.8 * drawn["AGENT"] < drawn["VEHICLES"] < 2.2 * drawn["AGENT"]
    assert drawn["PEDESTRIANS"] > 5
    assert drawn["ROAD"] > 20_000
    assert drawn["LANES"] > 500
    assert drawn["CENTERLINES"] > 500
