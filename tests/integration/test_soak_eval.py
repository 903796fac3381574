"""The figures that the README promises: expert and floor on mini, official routes in traffic, the same bytes twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.evaluation import without_wall_clock

SHORT = bool(os.environ.get("HARNESS_SOAK_SHORT"))
LIMIT_S = 3000.0
PAIRS_OF_TOWN13 = (
    *("Base_BadParking_0000", "Generalization_BadParking_1000"),
    *("Base_FullyBlocked_0030", "Generalization_FullyBlocked_1030"),
    *("Base_Wall_0097", "Generalization_Wall_1097"),
)
pytestmark = [pytest.mark.soak, pytest.mark.timeout(LIMIT_S + 60.0)]


def evaluate(folder: Path, repository: Path, *arguments: str, data: Path | None = None) -> dict[str, Any]:
    """Run `harness eval` in a folder and return the data of its JSON document."""
    answer = subprocess.run(
        [sys.executable, "-m", "harness", "eval", "--output", "json", "--new", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repository), "HARNESS_DATA": str(data or "")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)["data"]
    return found


def scenarios_in(file: Path) -> Counter[str]:
    """Count the scenarios of each type in a route file."""
    return Counter(scenario.attrib["type"] for scenario in ET.parse(file).iter("scenario"))


def test_expert_and_floor_on_mini(tmp_path: Path, repository: Path) -> None:
    seeds = "1" if SHORT else "1,2,3"
    expert = evaluate(tmp_path, repository, "--seeds", seeds)
    assert {row["scores"]["score_route"] for row in expert["routes"]} == {100.0}
    assert expert["mean"]["score_composed"] >= 88.0
    counts = [
        sum(n for kind, n in row["infractions"].items() if kind != "min_speed_infractions") for row in expert["routes"]
    ]
    assert sum(counts) == 0, expert["routes"]
    floor = evaluate(tmp_path, repository, "--seeds", seeds, "--agent", "constant")
    assert floor["mean"]["score_composed"] < 40.0


def test_mini_gives_the_same_bytes_however_many_run_side_by_side(tmp_path: Path, repository: Path) -> None:
    only = ("--only", "03,04,07") if SHORT else ()
    runs = [evaluate(tmp_path, repository, "--jobs", jobs, *only) for jobs in ("1", "2", "2")]
    files = [[tmp_path / row["result"] for row in run["routes"]] for run in runs]
    for first, second, third in zip(*files, strict=True):
        assert without_wall_clock(first) == without_wall_clock(second) == without_wall_clock(third), first


def test_official_routes_are_completed_in_traffic(tmp_path: Path, repository: Path, harness_data: Path) -> None:
    only = "00,06" if SHORT else "00,06,12,18"
    board = evaluate(tmp_path, repository, "--bench", "longest6", "--only", only, "--seeds", "1", data=harness_data)
    assert {row["scores"]["score_route"] for row in board["routes"]} == {100.0}
    for row in board["routes"]:
        content = json.loads((tmp_path / row["result"]).read_text())["harness"]
        assert content["traffic_vehicles"] >= 5
        asked_for = scenarios_in(harness_data / "routes" / "longest6" / f"{row['route']}.xml")
        assert content["scenarios_not_built"] == row["scenarios_not_built"] == asked_for != {}


@pytest.mark.parametrize(
    ("bench", "routes", "towns"),
    [("bench2drive", ("1711", "2050", "3936"), {"Town12"}), ("fail2drive", PAIRS_OF_TOWN13, {"Town13"})],
)
def test_official_routes_in_the_largest_towns_come_to_a_result(
    tmp_path: Path, repository: Path, harness_data: Path, bench: str, routes: tuple[str, ...], towns: set[str]
) -> None:
    only = routes[:1] if SHORT else routes
    files = [harness_data / "routes" / bench / f"{route}.xml" for route in only]
    assert {route.attrib["town"] for file in files for route in ET.parse(file).iter("route")} == towns
    found = evaluate(
        tmp_path, repository, "--bench", bench, "--only", ",".join(only), "--seeds", "1", data=harness_data
    )
    assert sorted(row["route"] for row in found["routes"]) == sorted(only)
    assert {row["scores"]["score_route"] for row in found["routes"]} == {100.0}
    assert {row["status"] for row in found["routes"]} <= {"Perfect", "Completed"}
