"""The names that the Bench2Drive fork gives to a drive: scenario, weather, town, and the folder of its motion log.

Source: Thinklab-SJTU/Bench2Drive, leaderboard/leaderboard/leaderboard_evaluator.py and leaderboard/data/weather.xml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from harness.datatypes.route import Route
from harness.metrics.bench2drive_rules import RouteNames
from harness.routes import weather_at

_WEATHER_FIELDS: Final = (
    "cloudiness",
    "precipitation",
    "precipitation_deposits",
    "wetness",
    "wind_intensity",
    "sun_azimuth_angle",
    "sun_altitude_angle",
    "fog_density",
)
#: Number of a weather -> its values, in the order of `_WEATHER_FIELDS`. 4, 16, 17 and 24 do not exist.
WEATHERS: Final[Mapping[str, tuple[float, ...]]] = {
    "0": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, 90.0, 2.0),
    "1": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, 15.0, 2.0),
    "2": (20.0, 30.0, 50.0, 0.0, 30.0, -1.0, 45.0, 3.0),
    "3": (60.0, 60.0, 60.0, 0.0, 60.0, -1.0, 45.0, 3.0),
    "5": (80.0, 0.0, 50.0, 20.0, 10.0, -1.0, 45.0, 3.0),
    "6": (5.0, 0.0, 50.0, 0.0, 10.0, -1.0, 15.0, 10.0),
    "7": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, 45.0, 2.0),
    "8": (100.0, 100.0, 90.0, 0.0, 100.0, -1.0, 45.0, 7.0),
    "9": (70.0, 60.0, 60.0, 0.0, 60.0, -1.0, 45.0, 50.0),
    "10": (40.0, 100.0, 90.0, 0.0, 100.0, -1.0, 0.0, 7.0),
    "11": (100.0, 60.0, 60.0, 0.0, 60.0, -1.0, 45.0, 50.0),
    "12": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, 45.0, 50.0),
    "13": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, 15.0, 50.0),
    "14": (100.0, 100.0, 50.0, 50.0, 100.0, -1.0, 45.0, 10.0),
    "15": (100.0, 50.0, 100.0, 80.0, 80.0, -1.0, 45.0, 10.0),
    "18": (40.0, 0.0, 50.0, 0.0, 10.0, -1.0, 15.0, 2.0),
    "19": (40.0, 0.0, 50.0, 0.0, 10.0, -1.0, -90.0, 2.0),
    "20": (60.0, 30.0, 50.0, 60.0, 30.0, -1.0, -90.0, 3.0),
    "21": (100.0, 100.0, 90.0, 100.0, 100.0, -1.0, -90.0, 3.0),
    "22": (5.0, 0.0, 0.0, 0.0, 10.0, -1.0, -90.0, 60.0),
    "23": (80.0, 60.0, 60.0, 80.0, 60.0, -1.0, -90.0, 60.0),
    "25": (100.0, 100.0, 90.0, 100.0, 100.0, -1.0, -90.0, 100.0),
    "26": (50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 70.0, 0.0),
}
# The name of a scenario is text of a route file, and becomes part of a folder's name.
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_SCENARIO: Final = 80


def names_of(route: Route, repetition: int, seed: int) -> RouteNames:
    """Return the names of one drive.

    The fork ends ``save_name`` with the time at which the drive began. Ours ends with the seed, so that a result does
    not depend on when it was made, and two drives of a run never share a folder.

    Args:
        repetition: of the route in the run.
        seed: that the user asked for.
    """
    scenario = route.scenarios[0].name if route.scenarios else None
    weather = weather_id(weather_at(route, 0.0))
    folder = _UNSAFE.sub("_", str(scenario))[:_LONGEST_SCENARIO]
    return RouteNames(
        scenario_name=scenario,
        weather_id=weather,
        save_name=f"RouteScenario_{route.route_id}_rep{repetition}_{route.town}_{folder}_{weather}_seed{seed}",
        town_name=route.town,
    )


def weather_id(weather: Mapping[str, float]) -> str | None:
    """Return the number of a weather, None if it is none of the fork's.

    Args:
        weather: fields of carla.WeatherParameters.
    """
    values = tuple(weather[name] for name in _WEATHER_FIELDS)
    return next((number for number, known in WEATHERS.items() if known == values), None)
