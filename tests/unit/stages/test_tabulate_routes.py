"""The tables of routes are what the program writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import carla
import pytest

from harness.config import SUITES_DIR
from harness.datatypes.route import Route
from harness.errors import RouteError
from harness.route_facts import read_route_facts
from harness.stages.fetch_routes import fetch_routes
from harness.stages.fetch_towns import TOWNS
from harness.stages.simulate import read_opendrive
from harness.stages.tabulate_routes import facts_of, lay_out, tabulate, write_table
from harness.suites import find_town, load_suite, resolve_routes

OWN = Path("nowhere")


def test_the_table_of_our_own_suite_is_what_the_program_writes(tmp_path: Path) -> None:
    suite = load_suite("mini", SUITES_DIR)
    file = write_table(suite, tabulate(suite, data=None, cache=tmp_path, towns=[]), tmp_path)
    assert file.name == "mini.csv"
    assert file.read_bytes() == (SUITES_DIR / "mini.csv").read_bytes()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["fail2drive", "longest6", "town13"])
def test_tables_of_suites_without_plans(tmp_path: Path, harness_data: Path, name: str) -> None:
    suite = load_suite(name, SUITES_DIR)
    file = write_table(suite, tabulate(suite, data=harness_data, cache=tmp_path, towns=[]), tmp_path)
    assert file.read_bytes() == (SUITES_DIR / file.name).read_bytes()


#: Their plans take a quarter of a minute.
LARGEST = ("Town12", "Town13")


@pytest.fixture(scope="module")
def routes_of(harness_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Route]]:
    """Return all routes of the sets of Bench2Drive, by suite."""
    found, cache = {}, tmp_path_factory.mktemp("cache")
    for name in ("bench2drive", "bench2drive_0.0.4", "bench2drive_dev10"):
        suite = load_suite(name, SUITES_DIR)
        if not (harness_data / suite.folder).is_dir():
            fetch_routes(suite, cache, source=None, data=harness_data, print_only=False, say=lambda text: None)
        found[name], problems = resolve_routes(suite, repository=OWN, data=harness_data, cache=cache)
        assert problems == []
    return found


@pytest.mark.parametrize(
    "town", [pytest.param(town, marks=[pytest.mark.soak] if town in LARGEST else []) for town in TOWNS]
)
def test_plans_of_bench2drive(harness_data: Path, routes_of: Mapping[str, list[Route]], town: str) -> None:
    """Row by row for the towns that are there, of all three sets."""
    file = find_town(town, [harness_data / "maps"])
    if file is None:
        pytest.skip(f"HARNESS_DATA={harness_data} has no {town}; set HARNESS_DATA=<folder with maps/{town}.xodr.gz>")
    carla_map = carla.Map(town, read_opendrive(file))
    checked = 0
    for name, routes in routes_of.items():
        here = [route for route in routes if route.town == town]
        plans = lay_out(here, carla_map)
        committed = {key: row for key, row in read_route_facts(name, SUITES_DIR).items() if row.town == town}
        assert {route.route_id: facts_of(route, *plans[route.route_id]) for route in here} == committed
        checked += len(committed)
    assert checked > 0


def test_a_table_is_whole_or_not_written(tmp_path: Path, harness_data: Path) -> None:
    with pytest.raises(
        RouteError, match="220 of 220 routes of bench2drive are not there to tabulate: 1711: "
    ) as caught:
        tabulate(load_suite("bench2drive", SUITES_DIR), data=None, cache=tmp_path, towns=[])
    assert caught.value.hint == "make routes BENCH=bench2drive, make towns"
    with pytest.raises(
        RouteError, match=r"10 of 10 routes of bench2drive_dev10 are not .*: 2091: town Town12 not found"
    ):
        tabulate(load_suite("bench2drive_dev10", SUITES_DIR), data=harness_data, cache=tmp_path, towns=[tmp_path])
