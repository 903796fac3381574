"""GNSS, inertial and obstacle sensors on their own, against values worked out by hand."""

from __future__ import annotations

import math

import carla
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim.sensors.gnss import GeoReference, Gnss
from harness.sim.sensors.imu import Imu, InertialReading, compass_rad
from harness.sim.sensors.noise import Noise
from harness.sim.sensors.obstacle import ObstacleDetector, roll_ball
from harness.sim.sensors.settings import read_number, read_switch
from harness.sim.world.oriented_boxes import OrientedBoxes, axes_of

DT_S = 0.05
STILL = np.zeros(3)

# --- attributes ------------------------------------------------------------------------------------------------------


@given(st.text())
def test_any_text_is_a_number_within_limits(text: str) -> None:
    value = read_number({"a": text}, "a", 3.0, lowest=0.0)
    assert 0.0 <= value <= 1e9


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.25", 0.25), (" 7 ", 7.0), ("nan", 3.0), ("inf", 3.0), ("-1e400", 3.0), ("-2", -2.0), ("1e30", 1e9), ("", 3.0)],
)
def test_numbers_are_read_as_they_stand(text: str, value: float) -> None:
    assert read_number({"a": text}, "a", 3.0) == value
    assert read_number({}, "a", 3.0) == 3.0


def test_switches_know_carlas_spellings() -> None:
    assert [read_switch({"a": text}, "a") for text in ("true", "True", "1", "false", "0", "yes", "")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
    assert read_switch({}, "a") is False


# --- noise -----------------------------------------------------------------------------------------------------------


def _noise(**attributes: str) -> Noise:
    return Noise(attributes, ("deviation", "", "deviation"), ("", "bias", ""))


def test_noise_depends_on_seed_and_tick_alone() -> None:
    first, second = _noise(deviation="1", noise_seed="5"), _noise(deviation="1", noise_seed="5")
    assert [second.at(k).tolist() for k in (9, 3)] == [first.at(k).tolist() for k in (9, 3)]
    assert first.at(3).tolist() != first.at(4).tolist()
    assert first.at(3).tolist() != _noise(deviation="1", noise_seed="6").at(3).tolist()


def test_noise_has_its_deviation_and_bias() -> None:
    drawn = np.array([_noise(deviation="2", bias="0.5").at(k) for k in range(1000)])
    assert drawn[:, 0].std() == pytest.approx(2.0, rel=0.1)
    assert drawn[:, 0].mean() == pytest.approx(0.0, abs=0.2)
    assert set(drawn[:, 1]) == {0.5}
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1]) < 0.1
    assert _noise(bias="0.5").at(1).tolist() == [0.0, 0.5, 0.0]


# --- gnss ------------------------------------------------------------------------------------------------------------

_PLACES = [(0.0, 0.0, 0.0), (123.5, -4567.25, 8.0), (-7000.0, 7000.0, -2.5)]
_PROJECTION = "+proj=tmerc +lat_0=49.5 +lon_0=-8.25 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"


@pytest.mark.parametrize(
    "header",
    [
        f"<header><geoReference>{_PROJECTION}</geoReference></header>",
        f"<header revMajor='1'>\n<geoReference>\n<![CDATA[{_PROJECTION} ]]>\n</geoReference></header>",
        "<header><geoReference></geoReference></header>",
        f"<header><!-- <geoReference>{_PROJECTION}</geoReference> --><userData>{9000 * 'x'}</userData>"
        "<geoReference>+proj=tmerc +lat_0=1&#48; +lon_0=20</geoReference></header>",
        "<header/>",
    ],
)
def test_places_on_earth_are_the_clients(header: str) -> None:
    from tests.unit.sim.conftest import SLOPED_ROAD

    text = SLOPED_ROAD.replace('<header revMajor="1" revMinor="4" name="slope"/>', header)
    reference, town = GeoReference(text), carla.Map("town", text)
    for place in _PLACES:
        expected = town.transform_to_geolocation(carla.Location(*place))
        fix = Gnss({}).read(reference, place, 1)
        assert (fix.latitude_deg, fix.longitude_deg, fix.altitude_m) == (
            expected.latitude,
            expected.longitude,
            expected.altitude,
        )


def test_gnss_noise_goes_to_its_coordinate() -> None:
    reference = GeoReference("<OpenDRIVE><header/></OpenDRIVE>")
    exact = Gnss({}).read(reference, _PLACES[1], 1)
    for name, change in (("lat", (0.5, 0, 0)), ("lon", (0, 0.5, 0)), ("alt", (0, 0, 0.5))):
        fix = Gnss({f"noise_{name}_bias": "0.5"}).read(reference, _PLACES[1], 1)
        difference = (
            fix.latitude_deg - exact.latitude_deg,
            fix.longitude_deg - exact.longitude_deg,
            fix.altitude_m - exact.altitude_m,
        )
        assert difference == pytest.approx(change)


# --- imu -------------------------------------------------------------------------------------------------------------


def _read(imu: Imu, *, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> InertialReading:
    return imu.read(np.array([pitch, yaw, roll]), 9.81, 1)


@pytest.mark.parametrize(
    ("pose", "felt"),
    [
        ({}, (0.0, 0.0, 9.81)),
        ({"yaw": 77.0}, (0.0, 0.0, 9.81)),
        ({"pitch": 90.0}, (9.81, 0.0, 0.0)),  # the nose up
        ({"roll": 90.0}, (0.0, -9.81, 0.0)),  # on its right side
        ({"pitch": 30.0}, (9.81 * 0.5, 0.0, 9.81 * math.sqrt(0.75))),
    ],
)
def test_at_rest_gravity_is_felt_upwards(pose: dict[str, float], felt: tuple[float, ...]) -> None:
    imu = Imu({})
    imu.follow(STILL, STILL, STILL, STILL, DT_S)
    assert _read(imu, **pose).accelerometer_mps2 == pytest.approx(felt, abs=1e-9)
    assert _read(imu, **pose).gyroscope_radps == (0.0, 0.0, 0.0)


def test_the_first_tick_feels_what_the_actor_feels_and_the_next_the_difference() -> None:
    imu = Imu({})
    imu.follow(np.array([3.0, 0.0, 0.0]), STILL, np.array([1.0, 0.0, 0.0]), STILL, DT_S)
    assert _read(imu).accelerometer_mps2 == pytest.approx((1.0, 0.0, 9.81))
    imu.follow(np.array([3.1, 0.2, 0.0]), STILL, STILL, STILL, DT_S)
    assert _read(imu).accelerometer_mps2 == pytest.approx((2.0, 4.0, 9.81))
    assert _read(imu, yaw=90.0).accelerometer_mps2 == pytest.approx((4.0, -2.0, 9.81))


def test_a_sensor_off_the_axis_feels_the_turn() -> None:
    """A carousel of radius 2 m at 1 rad/s: 2 m/s^2 towards the axis, to first order in the tick."""
    imu, spin_radps, dt_s = Imu({}), 1.0, 1e-4
    for angle_rad in (0.0, spin_radps * dt_s):
        lever_m = 2.0 * np.array([math.cos(angle_rad), math.sin(angle_rad), 0.0])
        imu.follow(STILL, np.array([0.0, 0.0, math.degrees(spin_radps)]), STILL, lever_m, dt_s)
    assert _read(imu).accelerometer_mps2 == pytest.approx((-2.0, 0.0, 9.81), abs=1e-3)
    assert _read(imu).gyroscope_radps == pytest.approx((0.0, 0.0, 1.0))
    assert _read(imu, pitch=90.0).gyroscope_radps == pytest.approx((1.0, 0.0, 0.0))


def test_the_compass_turns_clockwise_from_north() -> None:
    for yaw_deg, expected in ((-90.0, 0.0), (0.0, math.pi / 2), (90.0, math.pi), (180.0, 1.5 * math.pi)):
        forward = axes_of(np.array([[0.0, yaw_deg, 0.0]]))[0, 0]
        assert math.cos(compass_rad(forward) - expected) == pytest.approx(1.0)
    assert compass_rad(np.array([-1e-300, -1.0, 0.0])) < 2.0 * math.pi


# --- obstacle --------------------------------------------------------------------------------------------------------


def _boxes(*centres: tuple[float, float, float], yaw: float = 0.0, half: float = 1.0) -> OrientedBoxes:
    rotation = np.tile([0.0, yaw, 0.0], (len(centres), 1))
    return OrientedBoxes(
        centre_m=np.array(centres, np.float64).reshape(-1, 3),
        axes=axes_of(rotation.reshape(-1, 3)),
        half_m=np.full((len(centres), 3), half),
    )


AHEAD = np.array([1.0, 0.0, 0.0])


@given(st.floats(2.0, 50.0), st.floats(-1.0, 1.0), st.floats(0.0, 0.9))
def test_a_ball_stops_its_radius_before_a_face(x_m: float, y_m: float, radius_m: float) -> None:
    met = roll_ball(_boxes((x_m, y_m, 0.0)), STILL, AHEAD, 100.0, radius_m)
    assert met is not None
    assert met[1] == pytest.approx(x_m - 1.0 - radius_m, abs=0.02)


def test_a_ball_rounds_a_corner() -> None:
    """The corner of a box turned by 45 degrees lies 2 m from a path whose ball has 2.5 m: 3-4-5."""
    boxes = _boxes((10.0, 2.0 + math.sqrt(2.0), 0.0), yaw=45.0)
    met = roll_ball(boxes, STILL, AHEAD, 100.0, 2.5)
    assert met is not None
    assert met[1] == pytest.approx(10.0 - 1.5, abs=0.01)
    assert roll_ball(boxes, STILL, AHEAD, 100.0, 1.9) is None


def test_the_nearest_of_several_is_met_within_reach() -> None:
    boxes = _boxes((20.0, 0.0, 0.0), (10.0, 0.0, 0.0), (5.0, 5.0, 0.0), (-5.0, 0.0, 0.0))
    met = roll_ball(boxes, STILL, AHEAD, 30.0, 0.5)
    assert met is not None
    assert met[0] == 1
    assert met[1] == pytest.approx(8.5, abs=0.01)
    assert roll_ball(boxes, STILL, AHEAD, 8.0, 0.5) is None
    assert roll_ball(boxes.take(np.zeros(0, np.intp)), STILL, AHEAD, 30.0, 0.5) is None


def test_a_ball_that_touches_from_the_start_comes_nowhere() -> None:
    assert roll_ball(_boxes((0.5, 0.0, 0.0)), STILL, AHEAD, 10.0, 0.5) == (0, 0.0)


def test_attributes_of_the_detector_have_carlas_defaults_and_limits() -> None:
    assert ObstacleDetector.from_attributes({}) == ObstacleDetector(5.0, 0.5, False)
    wild = {"distance": "-3", "hit_radius": "1e30", "only_dynamics": "True"}
    assert ObstacleDetector.from_attributes(wild) == ObstacleDetector(0.0, 100.0, True)
