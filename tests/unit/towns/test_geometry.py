"""Rounded polylines and turns, checked against drawn corners."""

import math

import pytest

from harness.errors import ConfigError
from harness.towns.geometry import Bend, Path, Point, Segment, rounded_polyline, turn_path, wrap

EAST, NORTH, WEST = 0.0, math.pi / 2.0, math.pi


def end_of(path: Path) -> tuple[float, float, float]:
    """Return x, y and heading at the end."""
    here, heading = path.end
    return here.x, here.y, heading


def test_end_of_a_path_is_where_small_steps_lead() -> None:
    path = Path(Point(1.0, 2.0), 0.3, (Segment(10.0), Segment(30.0, 0.02), Segment(20.0, -0.05)))
    x, y, heading, step = 1.0, 2.0, 0.3, 0.01
    for segment in path.segments:
        for _ in range(round(segment.length_m / step)):
            heading += step * segment.curvature_1pm / 2.0
            x, y = x + step * math.cos(heading), y + step * math.sin(heading)
            heading += step * segment.curvature_1pm / 2.0
    assert end_of(path) == pytest.approx((x, y, heading), abs=1e-4)


def test_corner_of_a_polyline_becomes_line_arc_line() -> None:
    path = rounded_polyline(Point(0.0, 0.0), (Bend(Point(100.0, 0.0), 40.0),), Point(100.0, 90.0))
    lengths = [segment.length_m for segment in path.segments]
    assert lengths == pytest.approx([60.0, 20.0 * math.pi, 50.0])
    assert [segment.curvature_1pm for segment in path.segments] == pytest.approx([0.0, 1.0 / 40.0, 0.0])
    assert end_of(path) == pytest.approx((100.0, 90.0, NORTH))


def test_arcs_that_overlap_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"overlap by 20\.00 m"):
        rounded_polyline(Point(0.0, 0.0), (Bend(Point(30.0, 0.0), 50.0),), Point(30.0, 90.0))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_turn_uses_the_wanted_radius_between_straight_pieces(side: float) -> None:
    path = turn_path(Point(0.0, 0.0), EAST, Point(16.0, side * 20.0), side * NORTH, 11.0)
    assert path.segments[0] == Segment(pytest.approx(5.0))
    assert path.segments[1].curvature_1pm == pytest.approx(side / 11.0)
    assert path.segments[2] == Segment(pytest.approx(9.0))
    assert end_of(path) == pytest.approx((16.0, side * 20.0, side * NORTH))


def test_turn_that_is_nearer_than_its_radius_gets_a_smaller_arc() -> None:
    path = turn_path(Point(0.0, 0.0), EAST, Point(8.0, 20.0), NORTH, 11.0)
    assert path.segments[0].curvature_1pm == pytest.approx(1.0 / 8.0)
    assert end_of(path) == pytest.approx((8.0, 20.0, NORTH))


def test_way_straight_on_is_one_line() -> None:
    assert turn_path(Point(3.0, 1.0), WEST, Point(-9.0, 1.0), -WEST, 11.0).segments == (Segment(12.0),)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_way_sideways_is_an_s_of_two_equal_arcs(side: float) -> None:
    path = turn_path(Point(0.0, 0.0), EAST, Point(80.0, side * 3.5), EAST, 11.0)
    first, second = path.segments
    assert first.length_m == second.length_m
    assert first.curvature_1pm == -second.curvature_1pm == pytest.approx(side * 14.0 / (80.0**2 + 3.5**2))
    assert end_of(path) == pytest.approx((80.0, side * 3.5, EAST))


def test_angles_are_wrapped_into_one_turn() -> None:
    angles = [0.0, math.pi, -math.pi, 3.5 * math.pi, -3.5 * math.pi]
    assert [wrap(angle) for angle in angles] == pytest.approx([0.0, math.pi, math.pi, -NORTH, NORTH])
