"""Past and future as seen from a tick, against the plain matrices of the ego."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.record.history import TickState, ego_future, ego_past, others_future, wrapped

NOBODY = np.zeros(0, np.int64)
POSES = st.tuples(*[st.floats(-500.0, 500.0)] * 3, st.floats(-10.0, 10.0))


def state(
    x_m: float,
    y_m: float = 0.0,
    z_m: float = 0.0,
    yaw_rad: float = 0.0,
    speed_mps: float = 0.0,
    others: dict[int, tuple[float, float, float, float]] | None = None,
) -> TickState:
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    others = dict(sorted((others or {}).items()))
    return TickState(
        rotation=np.array(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0))),
        xyz=np.array((x_m, y_m, z_m)),
        theta_rad=yaw_rad,
        speed_mps=speed_mps,
        ids=np.array(list(others), np.int64),
        poses=np.array(list(others.values()), np.float64).reshape(-1, 4),
    )


def matrix_of(place: TickState) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = place.rotation, place.xyz
    return matrix


@given(poses=st.lists(POSES, min_size=1, max_size=8))
def test_future_is_the_inverse_of_the_ego_matrix_on_later_places(poses: list[tuple[float, ...]]) -> None:
    states = [state(*pose) for pose in poses]
    future = ego_future(states)
    inverse = np.linalg.inv(matrix_of(states[0]))
    wanted = [(inverse @ np.append(later.xyz, 1.0))[:3] for later in states]
    np.testing.assert_allclose(future["future_positions"], wanted, atol=1e-3)
    np.testing.assert_array_equal(future["future_positions"][0], 0.0)
    assert (future["future_yaws"] >= -np.float32(math.pi)).all() and (future["future_yaws"] <= math.pi).all()


@given(poses=st.lists(POSES, min_size=1, max_size=8))
def test_past_is_the_future_backwards(poses: list[tuple[float, ...]]) -> None:
    states = [state(*pose) for pose in poses]
    past, mirrored = ego_past(states), ego_future(states[::-1])
    np.testing.assert_array_equal(past["privileged_past_positions"], mirrored["future_positions"][:, :2])
    np.testing.assert_array_equal(past["past_yaws"], mirrored["future_yaws"])
    np.testing.assert_array_equal(past["past_speeds"], mirrored["future_speeds"])


def test_left_is_negative() -> None:
    future = ego_future([state(0.0, 0.0, yaw_rad=math.pi / 2), state(3.0, 4.0, yaw_rad=math.pi / 2 - 0.1)])
    # Looking along +y, +x lies to the left in CARLA's left-handed world.
    np.testing.assert_allclose(future["future_positions"][1], [4.0, -3.0, 0.0], atol=1e-6)
    assert future["future_yaws"][1] == pytest.approx(-0.1)


def test_acceleration_and_turning_are_those_to_the_next_tick() -> None:
    future = ego_future([state(0.0, yaw_rad=3.1, speed_mps=5.0), state(0.25, yaw_rad=-3.1, speed_mps=5.2)])
    assert future["privileged_acceleration"] == pytest.approx(4.0)
    assert future["privileged_rotation_speed"] == pytest.approx((2 * math.pi - 6.2) / 0.05)
    last = ego_future([state(0.0, speed_mps=5.0)])
    assert (last["privileged_acceleration"], last["privileged_rotation_speed"]) == (0.0, 0.0)


def test_others_stand_in_the_ego_frame_of_the_first_tick() -> None:
    states = [
        state(10.0, 5.0, yaw_rad=math.pi / 2, others={7: (10.0, 25.0, 0.0, math.pi)}),
        state(99.0, 5.0, yaw_rad=0.0, others={7: (9.0, 25.0, 0.0, -math.pi)}),
    ]
    found = others_future(states, [7])[7]
    np.testing.assert_allclose(found["future_positions"], [[20.0, 0.0], [20.0, 1.0]], atol=1e-3)
    np.testing.assert_allclose(found["future_yaws"], [math.pi / 2] * 2, atol=2e-3)
    assert (found["future_positions"].dtype, found["future_yaws"].dtype) == (np.float16, np.float16)


def test_height_counts_where_the_ego_is_tilted() -> None:
    tilted = state(0.0, others={7: (10.0, 0.0, 10.0, 0.0)})
    uphill = TickState(
        rotation=np.array(((0.8, 0.0, -0.6), (0.0, 1.0, 0.0), (0.6, 0.0, 0.8))),
        xyz=tilted.xyz,
        theta_rad=0.0,
        speed_mps=0.0,
        ids=tilted.ids,
        poses=tilted.poses,
    )
    np.testing.assert_allclose(others_future([uphill], [7])[7]["future_positions"], [[14.0, 0.0]], atol=0.01)


def test_a_future_ends_where_the_actor_vanishes_even_if_he_comes_back() -> None:
    here, gone = {7: (1.0, 0.0, 0.0, 0.0), 9: (2.0, 0.0, 0.0, 0.0)}, {9: (2.0, 0.0, 0.0, 0.0)}
    states = [state(0.0, others=others) for others in (here, here, gone, here)]
    found = others_future(states, [7, 9])
    assert [len(found[actor]["future_yaws"]) for actor in (7, 9)] == [2, 4]


def test_rows_are_found_again_when_others_come_and_go() -> None:
    before = {actor: (float(actor), 0.0, 0.0, 0.0) for actor in (5, 7, 9)}
    after = {actor: (float(actor), 1.0, 0.0, 0.0) for actor in (1, 7, 20)}
    found = others_future([state(0.0, others=before), state(0.0, others=after)], [7, 9])
    np.testing.assert_array_equal(found[7]["future_positions"], [[7.0, 0.0], [7.0, 1.0]])
    np.testing.assert_array_equal(found[9]["future_positions"], [[9.0, 0.0]])


def test_when_everybody_has_gone_the_futures_end() -> None:
    states = [state(0.0, others={7: (1.0, 0.0, 0.0, 0.0)}), state(0.0)]
    assert len(others_future(states, [7])[7]["future_yaws"]) == 1
    assert others_future([state(0.0)], []) == {}


def test_others_are_followed_for_two_seconds() -> None:
    states = [state(0.0, others={7: (1.0, 0.0, 0.0, 0.0)})] * 61
    assert len(others_future(states, [7])[7]["future_yaws"]) == 41
    assert len(ego_future(states)["future_speeds"]) == 61


@given(angle=st.floats(-100.0, 100.0))
def test_wrapped_angles_point_the_same_way(angle: float) -> None:
    found = float(wrapped(np.array(angle)))
    assert -math.pi <= found <= math.pi
    assert math.cos(found - angle) == pytest.approx(1.0)
