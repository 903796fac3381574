"""Names and visibility of weathers."""

from __future__ import annotations

import pytest

from harness.record.metas import weather_fields
from harness.record.weather import Visibility, presets, visibility, weather_name
from harness.routes import WEATHER_UNSPECIFIED


def test_every_preset_is_most_like_itself() -> None:
    named = presets()
    assert len(named) == 22
    assert [name for name in named if weather_name(named[name], named) != name] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ClearNoon", Visibility.CLEAR),
        ("SoftRainSunset", Visibility.CLEAR),
        ("DustStorm", Visibility.CLEAR),
        ("WetCloudyNoon", Visibility.OK),
        ("MidRainyNoon", Visibility.OK),
        ("MidRainSunset", Visibility.OK),
        ("HardRainNoon", Visibility.LIMITED),
        ("ClearNight", Visibility.VERY_LIMITED),
        ("HardRainNight", Visibility.VERY_LIMITED),
    ],
)
def test_visibility(name: str, expected: Visibility) -> None:
    assert visibility(name) is expected
    assert name in presets()


def test_fields_keep_the_exact_weather() -> None:
    weather = {**WEATHER_UNSPECIFIED, "sun_altitude_angle": -80.0, "cloudiness": 58.0, "fog_density": 55.0}
    fields = weather_fields(weather)
    assert fields["weather_parameters"] == weather
    assert (fields["weather_setting"], fields["visual_visibility"]) == ("CloudyNight", 3)
