"""The client's pedestrian navigation accepts our mesh: it draws places from it and its walkers keep to it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract import pedestrian_client

TOWN = "Borough01"


@pytest.fixture
def run(server: Any, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs a client in a town, with an empty HOME for the first one."""
    return lambda name, *arguments, town=TOWN: pedestrian_client.run(name, tmp_path, server.port, town, *arguments)


def test_places_lie_on_sidewalks(run: Callable[..., Any]) -> None:
    report = run("places", 30)
    assert report["ground"] == ["Sidewalk"] * 30
    assert len({tuple(place) for place in report["places"]}) == 30
    (name,) = report["required"]
    assert list(report["files"]) == [f"carlaCache/0.9.16/{name}"]
    again = run("places", 30)
    assert again == report  # the same seed, and the mesh that the first client left


def test_the_mesh_is_that_of_the_town_that_was_loaded(run: Callable[..., Any]) -> None:
    for town in (TOWN, "Grid01"):
        # The client asks for the mesh before the new episode has begun.
        report = run("places", 8, town=town)
        assert report["ground"] == ["Sidewalk"] * 8
        assert report["required"][0].split("/")[-1].split("-")[0] == town


def test_a_walker_goes_where_it_is_sent(run: Callable[..., Any]) -> None:
    for walker in run("walk", 200):
        assert walker["ground"] == ["Sidewalk"]
        path, goal = walker["path"], walker["goal"]
        assert math.dist(path[-1][:2], goal) < 2.1
        steps_m = [math.dist(one[:2], other[:2]) for one, other in itertools.pairwise(path)]
        assert max(steps_m) < 1.5 * pedestrian_client.DT_S
        assert sum(steps_m) == pytest.approx(8.0, abs=1.0)


def test_a_walker_crosses_anywhere_if_the_client_says_so(run: Callable[..., Any]) -> None:
    for walker in run("go_over", 300, 1.0):
        assert "Driving" in walker["ground"]
        assert math.dist(walker["path"][-1][:2], walker["goal"]) < 2.1
    for walker in run("go_over", 300, 0.0):
        assert walker["ground"] == ["Sidewalk"]
        assert math.dist(walker["path"][-1][:2], walker["start"]) > 10.0


def test_a_walker_crosses_the_road_on_the_crosswalk(run: Callable[..., Any]) -> None:
    for walker in run("cross", 200):
        path, start, goal = walker["path"], walker["start"], walker["goal"]
        assert math.dist(path[-1][:2], goal) < 2.1
        assert "Driving" in walker["ground"] and "nothing" not in walker["ground"]
        length_m = math.dist(start, goal)
        for x, y, _ in path:
            aside_m = abs((x - start[0]) * (goal[1] - start[1]) - (y - start[1]) * (goal[0] - start[0])) / length_m
            assert aside_m < 1.5


def test_an_unknown_file_is_refused(client: Any, world: Any) -> None:
    for name in ("file", "../../../../etc/hostname", "/etc/hostname", ""):
        with pytest.raises(RuntimeError, match="unable to find file"):
            client.request_file(name)
    assert client.get_required_files("TM", False) == []
    assert client.get_required_files("", False) == client.get_required_files("Nav", False)
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1
