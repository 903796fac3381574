"""Where everybody was and will be, seen from one tick: the parts of a frame that need other ticks.

A tick keeps the poses of the ego and of every other actor; a frame is complete once the ticks of the next three
seconds are known. Nothing older or younger than that is ever needed, so that the memory does not grow with the route.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.record.schema import OTHERS_TICKS, TICK_S

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TickState:
    """Poses of a tick, world frame.

    Attributes:
        rotation: of the ego, its axes as columns; shape (3, 3).
        xyz: of the ego [m], shape (3,).
        theta_rad: the ego's heading, without jumps from tick to tick.
        speed_mps: of the ego along its heading.
        ids: actor ids of the others, ascending, shape (N,); the same object while nobody comes or goes.
        poses: x, y, z [m] and yaw [rad] of the others, shape (N, 4).
    """

    rotation: FloatArray
    xyz: FloatArray
    theta_rad: float
    speed_mps: float
    ids: npt.NDArray[np.int64]
    poses: FloatArray


def ego_past(states: Sequence[TickState]) -> dict[str, Any]:
    """Return what the last tick's frame says of the past, newest first.

    Args:
        states: oldest first; the last one is now.
    """
    now, back = states[-1], states[::-1]
    xyz = np.array([state.xyz for state in back])
    return {
        "privileged_past_positions": _float32(((xyz - now.xyz) @ now.rotation)[:, :2]),
        "past_speeds": _float32([state.speed_mps for state in back]),
        "past_yaws": _float32(wrapped(np.array([state.theta_rad for state in back]) - now.theta_rad)),
    }


def ego_future(states: Sequence[TickState]) -> dict[str, Any]:
    """Return what the first tick's frame says of the future.

    Args:
        states: oldest first; the first one is now.
    """
    now = states[0]
    xyz = np.array([state.xyz for state in states])
    is_last = len(states) == 1
    turned_rad = math.remainder(states[1].theta_rad - now.theta_rad, math.tau) if not is_last else 0.0
    return {
        "future_positions": _float32((xyz - now.xyz) @ now.rotation),
        "future_yaws": _float32(wrapped(np.array([state.theta_rad for state in states]) - now.theta_rad)),
        "future_speeds": _float32([state.speed_mps for state in states]),
        "privileged_acceleration": 0.0 if is_last else (states[1].speed_mps - now.speed_mps) / TICK_S,
        "privileged_rotation_speed": turned_rad / TICK_S,
    }


def others_future(states: Sequence[TickState], ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return actor id -> future_positions, future_yaws in the ego frame of the first tick, until the actor vanishes.

    Args:
        states: oldest first; the first one is now.
        ids: actors that are there now.
    """
    if not ids:
        return {}
    now, states = states[0], states[: OTHERS_TICKS + 1]
    wanted = np.array(ids, np.int64)
    track = np.zeros((len(states), len(ids), 4))
    is_there = np.zeros((len(states), len(ids)), np.bool_)
    known: npt.NDArray[np.int64] | None = None
    for step, state in enumerate(states):
        if state.ids is not known:
            known = state.ids
            rows = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
            found = known[rows] == wanted if len(known) else np.zeros(len(ids), np.bool_)
        is_there[step] = found
        track[step, found] = state.poses[rows[found]]
    lengths = np.logical_and.accumulate(is_there, axis=0).sum(axis=0)
    positions = ((track[..., :3] - now.xyz) @ now.rotation)[..., :2].astype(np.float16)
    yaws = wrapped(track[..., 3] - now.theta_rad).astype(np.float16)
    return {
        actor_id: {
            "future_positions": np.ascontiguousarray(positions[:length, column]),
            "future_yaws": np.ascontiguousarray(yaws[:length, column]),
        }
        for column, (actor_id, length) in enumerate(zip(ids, lengths.tolist(), strict=True))
    }


def wrapped(angle_rad: FloatArray) -> FloatArray:
    """Return angles in [-pi, pi)."""
    return np.remainder(angle_rad + np.pi, 2.0 * np.pi) - np.pi


def _float32(values: Any) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)
