"""A name and a degree of visibility for a weather."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cache

#: Fields by which two weathers are alike.
_COMPARED = (
    *("cloudiness", "dust_storm", "fog_density", "precipitation", "precipitation_deposits"),
    *("sun_altitude_angle", "wetness", "wind_intensity"),
)


class Visibility(IntEnum):
    """How well one sees."""

    CLEAR = 0
    OK = 1
    LIMITED = 2
    VERY_LIMITED = 3


@cache
def presets() -> dict[str, dict[str, float]]:
    """Return the weathers that CARLA has names for, such as ``ClearNoon``."""
    import carla

    kind = carla.WeatherParameters
    found = {}
    for name in sorted(vars(kind)):
        if name[0].isupper() and name != "Default":
            found[name] = {field: float(getattr(getattr(kind, name), field)) for field in _COMPARED}
    return found


def weather_name(weather: Mapping[str, float], named: Mapping[str, Mapping[str, float]]) -> str:
    """Return the name of the weather that is most alike.

    Args:
        named: name -> its fields; the first of equals is taken.
    """
    return min(named, key=lambda name: sum((weather[field] - named[name][field]) ** 2 for field in _COMPARED))


def visibility(name: str) -> Visibility:
    """Return how well one sees in a named weather: little at night, less the harder it rains."""
    if name.endswith("Night"):
        return Visibility.VERY_LIMITED
    if name.startswith("HardRain"):
        return Visibility.LIMITED
    return Visibility.OK if name.startswith(("MidRain", "Wet")) else Visibility.CLEAR
