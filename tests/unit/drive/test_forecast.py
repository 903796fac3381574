"""The two-second forecast: single steps by hand, whole tracks against plain loops, boxes against shapely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from shapely import affinity, geometry

from harness.drive.controllers import LateralState, heading_error_rad, lookahead_points, steer, throttle_and_brake
from harness.drive.forecast import (
    Boxes,
    Track,
    ego_boxes,
    first_collision,
    forecast_ego,
    forecast_vehicles,
    forecast_walkers,
    next_ego_speed,
    vehicle_boxes,
    walker_boxes,
)
from harness.drive.privileged_route import PrivilegedRoute, curvatures, headings_deg

REAR_M, FRONT_M, GAIN = 1.4178275, -0.090769015, 0.36848336


def route_along(xyz: np.ndarray) -> PrivilegedRoute:
    count = len(xyz)
    yaw_deg = headings_deg(xyz)
    return PrivilegedRoute(
        xyz=xyz,
        yaw_deg=yaw_deg,
        curvature_per_m=curvatures(yaw_deg),
        option=np.full(count, 4, dtype=np.int8),
        is_junction=np.zeros(count, dtype=np.bool_),
        lane_width_m=np.full(count, 3.5),
        dense_index=np.arange(count) // 10,
        start_index=0,
        end_index=count - 1,
    )


def straight_route() -> PrivilegedRoute:
    """120 m east along y = 0."""
    xyz = np.zeros((1200, 3))
    xyz[:, 0] = np.arange(1200) * 0.1
    return route_along(xyz)


def plain_vehicle(
    x: float, y: float, yaw: float, v: float, steer: float, throttle: float, brake: float, steps: int
) -> list[tuple[float, float, float]]:
    slip = math.atan(REAR_M / (FRONT_M + REAR_M) * math.tan(GAIN * steer))
    poses = []
    for _ in range(steps):
        x += v * math.cos(yaw + slip) * 0.05
        y += v * math.sin(yaw + slip) * 0.05
        yaw += v / REAR_M * math.sin(slip) * 0.05
        v = max(0.0, v + 0.05 * (-4.952399 if brake else 0.5633837 * throttle))
        poses.append((x, y, yaw))
    return poses


def track_of(*poses: tuple[float, float, float]) -> Track:
    columns = np.array(poses, dtype=np.float64).T
    return Track(x=columns[0], y=columns[1], yaw_rad=columns[2])


def box(x: float, y: float, yaw_deg: float, half_length: float = 2.0, half_width: float = 1.0, steps: int = 1) -> Boxes:
    """A standing box for N = 1."""
    shape = (1, steps)
    track = Track(x=np.full(shape, x), y=np.full(shape, y), yaw_rad=np.full(shape, math.radians(yaw_deg)))
    return Boxes(track=track, half_length_m=np.full(shape, half_length), half_width_m=np.full(shape, half_width))


def ego_at_origin(steps: int = 1) -> Boxes:
    """4 m by 2 m at (0, 0), heading east."""
    zeros = np.zeros(steps)
    return Boxes(
        track=Track(x=zeros, y=zeros, yaw_rad=zeros),
        half_length_m=np.full(steps, 2.0),
        half_width_m=np.full(steps, 1.0),
    )


@pytest.mark.parametrize(
    ("speed_mps", "throttle", "brake", "acceleration"),
    [
        (0.0, 1.0, False, 7.6),
        (5.0, 1.0, False, 6.2),
        (10.0, 1.0, False, 5.0),
        (15.0, 1.0, False, 3.9),
        (20.0, 1.0, False, 3.0),
        (5.0, 0.0, True, -18.4),
        (10.0, 0.0, True, -7.3),
        (15.0, 0.0, True, -7.9),
        (20.0, 0.0, True, -7.3),
        (10.0, 0.29, False, 0.0),
        (0.0, 0.0, True, 0.0),
    ],
)
def test_ego_speed_follows_the_fitted_response(
    speed_mps: float, throttle: float, brake: bool, acceleration: float
) -> None:
    after = next_ego_speed(speed_mps, throttle, brake)
    assert (after - speed_mps) / 0.05 == pytest.approx(acceleration, abs=0.06)


def test_vehicles_move_like_a_plain_loop() -> None:
    rows = [
        (0.0, 0.0, 0.0, 10.0, 0.0, 0.5, 0.0),
        (5.0, -3.0, 1.0, 8.0, 0.4, 0.0, 0.0),
        (1.0, 2.0, -2.0, 3.0, -0.7, 1.0, 1.0),
        (0.0, 0.0, 3.1, 0.0, 0.2, 1.0, 0.0),
    ]
    x, y, yaw, v, steer, throttle, brake = (np.array(column) for column in zip(*rows, strict=True))
    track = forecast_vehicles(x, y, yaw, v, steer=steer, throttle=throttle, brake=brake)
    assert track.x.shape == (4, 40)
    for number, row in enumerate(rows):
        expected = np.array(plain_vehicle(*row, steps=40))
        assert track.x[number] == pytest.approx(expected[:, 0], abs=1e-9)
        assert track.y[number] == pytest.approx(expected[:, 1], abs=1e-9)
        assert track.yaw_rad[number] == pytest.approx(expected[:, 2], abs=1e-9)


def test_walkers_keep_walking_and_never_stand() -> None:
    track = forecast_walkers(np.zeros(2), np.ones(2), np.array([0.0, math.pi / 2]), np.array([1.5, 0.0]))
    assert (track.x[0, -1], track.y[0, -1]) == pytest.approx((3.0, 1.0))
    assert (track.x[1, -1], track.y[1, -1]) == pytest.approx((0.0, 2.0))
    assert track.x[0, 0] == pytest.approx(0.075)


def test_ego_drives_along_a_straight_route() -> None:
    track = forecast_ego(
        straight_route(), 0, x=0.0, y=0.0, yaw_rad=0.0, speed_mps=8.0, target_speed_mps=8.0, lateral=LateralState()
    )
    assert track.x.shape == (40,)
    assert track.y == pytest.approx(0.0, abs=1e-9)
    assert track.x[0] == pytest.approx(0.4)
    assert track.x[-1] == pytest.approx(16.0, rel=0.05)


def test_ego_stops_for_a_target_of_zero() -> None:
    track = forecast_ego(
        straight_route(), 0, x=0.0, y=0.0, yaw_rad=0.0, speed_mps=8.0, target_speed_mps=0.0, lateral=LateralState()
    )
    assert track.x[-1] == pytest.approx(track.x[-5], abs=0.02)
    assert 1.5 < track.x[-1] < 6.0


def test_ego_comes_back_to_the_route_and_follows_a_bend() -> None:
    angle = np.arange(0.0, 3.0, 0.1 / 30.0)
    bend = route_along(np.stack((30 * np.sin(angle), 30 * (1 - np.cos(angle)), np.zeros_like(angle)), axis=1))
    track = forecast_ego(
        bend, 0, x=0.0, y=-0.5, yaw_rad=0.0, speed_mps=8.0, target_speed_mps=8.0, lateral=LateralState()
    )
    radius_m = np.hypot(track.x, track.y - 30.0)
    assert radius_m[-1] == pytest.approx(30.0, abs=0.6)
    assert track.yaw_rad[-1] == pytest.approx(math.atan2(track.x[-1], 30.0 - track.y[-1]), abs=0.1)


def test_ego_uses_the_controllers_like_a_plain_loop() -> None:
    angle = np.arange(0.0, 3.0, 0.1 / 30.0)
    bend = route_along(np.stack((30 * np.sin(angle), 30 * (1 - np.cos(angle)), np.zeros_like(angle)), axis=1))
    x, y, yaw, v, index, lateral = 0.0, -0.5, 0.0, 7.0, 0, LateralState((0.02, 0.01))
    track = forecast_ego(bend, 0, x=x, y=y, yaw_rad=yaw, speed_mps=v, target_speed_mps=9.0, lateral=lateral)
    for step in range(40):
        index = bend.advance(index, x, y)
        target_x, target_y = bend.xy[index + lookahead_points(v)]
        lateral, steering = steer(lateral, heading_error_rad(x, y, yaw, target_x, target_y))
        throttle, brake = throttle_and_brake(v, 9.0)
        x, y, yaw = plain_vehicle(x, y, yaw, v, steering, 0.0, 0.0, steps=1)[0]
        v = next_ego_speed(v, throttle, brake)
        assert (track.x[step], track.y[step], track.yaw_rad[step]) == pytest.approx((x, y, yaw), abs=1e-9)


def test_ego_forecast_survives_the_end_of_the_route() -> None:
    track = forecast_ego(
        straight_route(),
        1195,
        x=119.5,
        y=0.0,
        yaw_rad=0.0,
        speed_mps=15.0,
        target_speed_mps=15.0,
        lateral=LateralState(),
    )
    assert np.isfinite(track.x).all()
    assert track.x[-1] > 119.9


def test_two_forecasts_from_the_same_state_are_equal() -> None:
    def forecast() -> Track:
        lateral = LateralState((0.01, 0.02))
        return forecast_ego(
            straight_route(), 10, x=1.0, y=0.3, yaw_rad=0.1, speed_mps=5.0, target_speed_mps=9.0, lateral=lateral
        )

    first, second = forecast(), forecast()
    assert np.array_equal(first.x, second.x)
    assert np.array_equal(first.yaw_rad, second.yaw_rad)


@pytest.mark.parametrize(
    ("other", "step"),
    [
        (box(3.9, 0.0, 0.0), 0),
        (box(4.1, 0.0, 0.0), -1),
        (box(0.0, 1.9, 0.0), 0),
        (box(0.0, 2.1, 0.0), -1),
        (box(2.9, 0.0, 90.0), 0),
        (box(3.1, 0.0, 90.0), -1),
        (box(3.9, 1.9, 0.0), 0),
        (box(3.6, 2.4, 45.0), -1),
        (box(0.0, 0.0, 30.0, 0.1, 0.1), 0),
    ],
)
def test_boxes_touch_or_not(other: Boxes, step: int) -> None:
    assert first_collision(ego_at_origin(), other).tolist() == [step]


def test_boxes_agree_with_polygons() -> None:
    rng = np.random.default_rng(7)
    count = 300
    x, y = rng.uniform(-6, 6, count), rng.uniform(-6, 6, count)
    yaw, length, width = rng.uniform(-4, 4, count), rng.uniform(0.3, 3, count), rng.uniform(0.3, 2, count)
    ego = ego_at_origin()
    others = Boxes(
        track=Track(x=x[:, None], y=y[:, None], yaw_rad=yaw[:, None]),
        half_length_m=length[:, None],
        half_width_m=width[:, None],
    )
    found = first_collision(ego, others) == 0
    own = geometry.box(-2, -1, 2, 1)
    expected = []
    for row in zip(x, y, yaw, length, width, strict=True):
        shape = geometry.box(-row[3], -row[4], row[3], row[4])
        turned = affinity.translate(affinity.rotate(shape, row[2], origin=(0, 0), use_radians=True), row[0], row[1])
        expected.append(own.intersects(turned))
    assert found.tolist() == expected
    assert 50 < sum(expected) < 250


def test_collision_is_the_first_step_at_the_same_time() -> None:
    ego = Boxes(
        track=track_of(*[(float(step), 0.0, 0.0) for step in range(10)]),
        half_length_m=np.full(10, 0.5),
        half_width_m=np.full(10, 0.5),
    )
    meets = Track(
        x=np.full((2, 10), 6.0), y=np.stack((np.full(10, 0.0), 10.0 - np.arange(10))), yaw_rad=np.zeros((2, 10))
    )
    half = np.full((2, 10), 0.4)
    others = Boxes(track=meets, half_length_m=half, half_width_m=half)
    assert first_collision(ego, others).tolist() == [6, -1]


def test_shorter_forecast_of_the_others_is_compared_as_far_as_it_goes() -> None:
    assert first_collision(ego_at_origin(40), box(0.0, 0.0, 0.0, steps=22)).tolist() == [0]


def test_nobody_around() -> None:
    empty = np.zeros((0, 40))
    others = Boxes(track=Track(x=empty, y=empty, yaw_rad=empty), half_length_m=empty, half_width_m=empty)
    assert first_collision(ego_at_origin(40), others).tolist() == []


def test_boxes_grow_with_speed_time_and_lane_changes() -> None:
    track = Track(x=np.zeros((2, 40)), y=np.zeros((2, 40)), yaw_rad=np.zeros((2, 40)))
    size, speed = np.array([2.0, 2.0]), np.array([0.5, 5.0])
    boxes = vehicle_boxes(track, half_length_m=size, half_width_m=size / 2, speed_mps=speed)
    assert boxes.half_length_m[:, 0].tolist() == [2.0, 2.4]
    assert boxes.half_width_m[0].tolist() == [1.0] * 40
    assert (boxes.half_width_m[1, 0], boxes.half_width_m[1, -1]) == (1.0, 1.3)
    near = vehicle_boxes(track, half_length_m=size, half_width_m=size, speed_mps=speed, is_near_lane_change=True)
    assert near.half_length_m[:, 0].tolist() == [2.0, 4.0]
    walker = walker_boxes(track, half_length_m=np.array([0.2, 2.0]), half_width_m=np.array([0.2, 0.2]))
    assert walker.half_length_m.tolist() == [[1.5], [2.0]]
    assert walker.half_width_m.tolist() == [[1.5], [1.5]]


@pytest.mark.parametrize(("speed_mps", "length", "width"), [(5.0, 2.0, 1.0), (5.1, 2.6, 1.2)])
def test_ego_box_grows_above_5_mps(speed_mps: float, length: float, width: float) -> None:
    boxes = ego_boxes(track_of((0.0, 0.0, 0.0)), half_length_m=2.0, half_width_m=1.0, speed_mps=speed_mps)
    assert (boxes.half_length_m[0], boxes.half_width_m[0]) == pytest.approx((length, width))
