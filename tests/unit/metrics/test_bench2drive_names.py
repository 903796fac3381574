"""What the Bench2Drive fork calls a drive, against the names in published records."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.route import Point, Route, RouteScenario, TriggerPoint, WeatherKeyframe
from harness.metrics.bench2drive_names import WEATHERS, names_of, weather_id
from harness.routes import WEATHER_DEFAULTS, read_routes
from tests.golden.published import published_records

TRIGGER = TriggerPoint(x=0.0, y=0.0, z=0.0, yaw_deg=0.0)
ROUTE = Route(
    route_id="7",
    town="Town05",
    file=Path("7.xml"),
    keypoints=(Point(0.0, 0.0, 0.0), Point(9.0, 0.0, 0.0)),
    scenarios=(RouteScenario(name="Accident_1", type="Accident", trigger=TRIGGER),) * 2,
)

#: Route and weather of four records that say otherwise than all others of the same route.
OTHERWISE = {("28330", "26"), ("11755", "18")}


def test_names_of_every_official_route_are_those_of_published_records(harness_data: Path) -> None:
    folder = harness_data / "routes" / "bench2drive"
    routes = {file.stem: read_routes(file)[0] for file in folder.glob("*.xml")}
    seen = set()
    for _, record in published_records(harness_data / "results", "bench2drive"):
        name = record["route_id"].split("_")[1]
        names = names_of(routes[name], 0, 1)
        seen.add(name)
        if (name, record["weather_id"]) in OTHERWISE:
            continue
        ours = [names.scenario_name, names.weather_id, names.town_name]
        assert ours == [record[key] for key in ("scenario_name", "weather_id", "town_name")]
        assert names.save_name is not None
        # Theirs ends with the time of the start, ours with the seed.
        assert names.save_name.removesuffix("_seed1") == re.sub(r"(_\d\d){5}$", "", record["save_name"])
    assert seen == set(routes)


def test_route_without_weather_has_the_number_of_what_the_evaluator_sets() -> None:
    assert names_of(ROUTE, 0, 1).weather_id == "26"


def test_weather_is_that_of_the_start() -> None:
    keys = ("cloudiness", "precipitation", "precipitation_deposits", "wetness", "wind_intensity")
    start = dict(zip((*keys, "sun_azimuth_angle", "sun_altitude_angle", "fog_density"), WEATHERS["9"], strict=True))
    frames = (
        WeatherKeyframe(route_percentage=100.0, values={}),
        WeatherKeyframe(route_percentage=0.0, values=start),
    )
    assert names_of(replace(ROUTE, weathers=frames), 0, 1).weather_id == "9"
    assert weather_id({**WEATHER_DEFAULTS, **start, "fog_density": 50.5}) is None


def test_what_is_unknown_has_no_name() -> None:
    frame = WeatherKeyframe(route_percentage=0.0, values={"cloudiness": 1.0})
    names = names_of(replace(ROUTE, scenarios=(), weathers=(frame,)), 2, 3)
    assert (names.scenario_name, names.weather_id) == (None, None)
    assert names.save_name == "RouteScenario_7_rep2_Town05_None_None_seed3"


@pytest.mark.parametrize("change", [{"repetition": 1}, {"seed": 2}])
def test_drives_of_a_run_never_share_a_folder(change: dict[str, int]) -> None:
    assert names_of(ROUTE, **{"repetition": 0, "seed": 1, **change}).save_name != names_of(ROUTE, 0, 1).save_name


@given(st.text(max_size=300))
def test_folder_is_a_plain_name_whatever_the_scenario_is_called(name: str) -> None:
    scenario = RouteScenario(name=name, type="Accident", trigger=TRIGGER)
    names = names_of(replace(ROUTE, scenarios=(scenario,)), 0, 1)
    assert names.scenario_name == name
    assert names.save_name is not None
    assert re.fullmatch(r"RouteScenario_7_rep0_Town05_[A-Za-z0-9_.-]{0,80}_26_seed1", names.save_name)
