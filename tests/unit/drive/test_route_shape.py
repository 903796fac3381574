"""From the dense route to a line that a car can follow."""

from __future__ import annotations

from dataclasses import replace

import carla
import numpy as np
import pytest

from harness.drive.road_option import RoadOption
from harness.drive.route_shape import Rows, extend, follow_wide_lanes, resample, smooth_lane_changes, without_backsteps

#: 100 m east; lane -1 is 3.5 m wide, lane -2 opens from nothing at s = 40 to 3.5 m at s = 75.
OPENING_LANE = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="" version="1"/>
<road name="only" length="100" id="1" junction="-1"><link/>
<planView><geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry></planView>
<elevationProfile/><lateralProfile/><lanes>
<laneSection s="0"><center><lane id="0" type="none" level="false"><link/></lane></center>
<right><lane id="-1" type="driving" level="false"><link><successor id="-1"/></link>
<width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right></laneSection>
<laneSection s="40"><center><lane id="0" type="none" level="false"><link/></lane></center>
<right><lane id="-1" type="driving" level="false"><link><predecessor id="-1"/></link>
<width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
<lane id="-2" type="driving" level="false"><link/>
<width sOffset="0" a="0.2" b="0.1" c="0" d="0"/><width sOffset="35" a="3.5" b="0" c="0" d="0"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"""


def rows_at(x: list[float], y: list[float], *, change_at: tuple[int, ...] = ()) -> Rows:
    """Rows that all head east."""
    count = len(x)
    option = np.full(count, int(RoadOption.LANEFOLLOW), dtype=np.int8)
    option[list(change_at)] = int(RoadOption.CHANGELANERIGHT)
    return Rows(
        xyz=np.stack((np.array(x), np.array(y), np.zeros(count)), axis=1),
        yaw_rad=np.zeros(count),
        option=option,
        is_junction=np.zeros(count, dtype=np.bool_),
        lane_width_m=np.full(count, 3.5),
        dense_index=np.arange(count),
        is_route=np.ones(count, dtype=np.bool_),
    )


def lane_change(count: int = 60, at: int = 10, length: int = 5) -> Rows:
    """Rows every metre on y = 0 up to ``at``, then on y = 3.5 from ``at + length`` on."""
    x = [float(value) for value in range(count) if value <= at or value >= at + length]
    return rows_at(x, [0.0 if value <= at else 3.5 for value in x], change_at=(at, at + 1))


def test_resampling_keeps_the_polyline_and_takes_other_columns_from_the_nearest_point() -> None:
    rows = replace(rows_at([0.0, 1.0, 1.0], [0.0, 0.0, 1.0]), option=np.array([4, 1, 2], dtype=np.int8))
    fine = resample(rows, 0.1)
    assert len(fine.xyz) == 20
    assert np.linalg.norm(np.diff(fine.xyz, axis=0), axis=1) == pytest.approx(0.1)
    assert fine.xyz[15] == pytest.approx([1.0, 0.5, 0.0])
    assert fine.option.tolist() == [4] * 6 + [1] * 10 + [2] * 4


def test_lane_change_becomes_a_smooth_ramp_on_the_new_lane() -> None:
    smooth = smooth_lane_changes(lane_change())
    x, y = smooth.xyz[:, 0], smooth.xyz[:, 1]
    assert y[x <= 10.0] == pytest.approx(0.0)
    assert y[x >= 25.5] == pytest.approx(3.5)
    assert (np.diff(y) >= -1e-9).all()
    assert np.abs(np.diff(y)).max() < 0.45
    halfway = np.interp((10.0 + 25.0) / 2.0, x, y)
    assert halfway == pytest.approx(1.75, abs=0.25)
    assert np.diff(x).max() < 1.5


def test_ramp_has_the_command_of_the_change_where_points_were_filled_in() -> None:
    smooth = smooth_lane_changes(lane_change())
    filled = (smooth.xyz[:, 0] > 10.0) & (smooth.xyz[:, 0] < 15.0)
    assert filled.sum() == 4
    assert (smooth.option[filled] == RoadOption.CHANGELANERIGHT).all()


def test_ramp_ends_before_a_junction_when_there_is_room() -> None:
    rows = lane_change()
    rows = replace(rows, is_junction=rows.xyz[:, 0] >= 20.0)
    smooth = smooth_lane_changes(rows)
    assert smooth.xyz[smooth.xyz[:, 0] >= 20.5, 1] == pytest.approx(3.5)


def test_changes_on_the_spot_are_drawn_out_one_after_the_other() -> None:
    x = [float(value) for value in range(11)] + [10.0, 10.0] + [float(value) for value in range(11, 80)]
    y = [0.0] * 11 + [3.5, 7.0] + [7.0] * 69
    smooth = without_backsteps(smooth_lane_changes(rows_at(x, y, change_at=(10, 11, 12))))
    sideways = np.diff(smooth.xyz[:, 1]) / np.diff(smooth.xyz[:, 0])
    assert sideways.max() < 0.5
    assert smooth.xyz[smooth.xyz[:, 0] > 41.0, 1] == pytest.approx(7.0)


def test_a_straight_route_is_left_alone() -> None:
    rows = rows_at([float(value) for value in range(20)], [0.0] * 20)
    assert np.array_equal(smooth_lane_changes(rows).xyz, rows.xyz)


def test_points_behind_the_last_one_are_dropped() -> None:
    rows = rows_at([0.0, 1.0, 0.4, 1.05, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    assert without_backsteps(rows).dense_index.tolist() == [0, 1, 4]


def test_route_stays_on_the_wide_lane_until_its_own_has_opened() -> None:
    carla_map = carla.Map("Opening", OPENING_LANE)
    waypoints = [carla_map.get_waypoint_xodr(1, -1 if s < 45 else -2, float(s)) for s in range(10, 90)]
    places = [waypoint.transform.location for waypoint in waypoints]
    rows = replace(
        rows_at([place.x for place in places], [place.y for place in places]),
        lane_width_m=np.array([waypoint.lane_width for waypoint in waypoints]),
    )
    assert rows.lane_width_m.min() < 1.0
    wide = follow_wide_lanes(rows, carla_map)
    assert wide.lane_width_m.min() >= 2.5
    opening = (wide.xyz[:, 0] >= 45.0) & (wide.xyz[:, 0] < 62.0)
    assert wide.xyz[opening, 1] == pytest.approx(1.75, abs=0.01)
    assert np.array_equal(wide.xyz[wide.xyz[:, 0] > 64.0], rows.xyz[rows.xyz[:, 0] > 64.0])


def test_extension_ends_where_the_road_ends() -> None:
    carla_map = carla.Map("Opening", OPENING_LANE)
    rows = rows_at([float(value) for value in range(20, 36)], [1.75] * 16)
    longer = extend(rows, carla_map, 50)
    assert longer.xyz[0, 0] == pytest.approx(0.0, abs=1.0)
    assert longer.xyz[-1, 0] == pytest.approx(85.0, abs=0.1)
    assert np.diff(longer.xyz[:, 0]) == pytest.approx(1.0, abs=0.01)
    assert longer.is_route.sum() == 16
    assert (longer.dense_index[0], longer.dense_index[-1]) == (0, 15)
