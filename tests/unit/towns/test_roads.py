"""Heights of streets."""

import pytest

from harness.errors import ConfigError
from harness.towns.layout import Grade
from harness.towns.roads import _profile


def test_slope_changes_evenly_within_each_grade() -> None:
    grades = (Grade(50.0, 0.0), Grade(40.0, 0.1), Grade(80.0, -0.1), Grade(40.0, 0.0))
    rows = _profile("hill", grades, 300.0)
    assert rows == [
        (0.0, 0.0, 0.0, 0.0),
        (50.0, 0.0, 0.0, pytest.approx(0.00125)),
        (90.0, pytest.approx(2.0), 0.1, pytest.approx(-0.00125)),
        (170.0, pytest.approx(2.0), -0.1, pytest.approx(0.00125)),
        (210.0, 0.0, 0.0, 0.0),
    ]


def test_level_street_has_one_record() -> None:
    assert _profile("flat", (), 300.0) == [(0.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize(
    ("grades", "length_m"),
    [
        ((Grade(50.0, 0.1), Grade(50.0, 0.0)), 300.0),  # ends high
        ((Grade(50.0, 0.1), Grade(100.0, -0.1)), 300.0),  # ends steep
        ((Grade(50.0, 0.1), Grade(100.0, -0.1), Grade(50.0, 0.0)), 150.0),  # too long
    ],
)
def test_street_that_does_not_come_back_to_level_ground_is_refused(grades: tuple[Grade, ...], length_m: float) -> None:
    with pytest.raises(ConfigError, match="expected 0 m"):
        _profile("hill", grades, length_m)
