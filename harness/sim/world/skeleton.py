"""The skeletons of walkers: CARLA's bones, how an animation or a client poses them, and where that puts them.

A pose is relative to the parent bone. The component frame is the actor's; the root bone stands between the feet.
Proportions are those of an adult of 1.86 m and scale with the height of the box; the animation is a plain swing of arms
and legs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.poses import Pose, normalized, pose_of, turn_of

Array = NDArray[np.float64]

_HALF_HEIGHT_M = 0.93
_SWING_DEG_PER_MPS, _MOST_SWING_DEG = 22.0, 40.0
_STRIDES_PER_S = 0.9


class Bone(NamedTuple):
    """A bone: its parent's place in the list (-1 = none) and its own in the parent's frame [m]."""

    name: str
    parent: int
    place_m: tuple[float, float, float]


class BoneTransform(NamedTuple):
    """Where a bone is: in the world, in the frame of the actor, and relative to its parent."""

    name: str
    world: Pose
    component: Pose
    relative: Pose


def _arm(side: str, sign: float) -> list[tuple[str, str, tuple[float, float, float]]]:
    """Return name, parent and place of the bones of an arm; sign -1 = left."""
    hand = f"crl_hand__{side}"
    bones = [
        (f"crl_shoulder__{side}", "crl_spine01__C", (0.0, 0.06 * sign, 0.20)),
        (f"crl_arm__{side}", f"crl_shoulder__{side}", (0.0, 0.12 * sign, 0.0)),
        (f"crl_foreArm__{side}", f"crl_arm__{side}", (0.0, 0.04 * sign, -0.28)),
        (hand, f"crl_foreArm__{side}", (0.0, 0.02 * sign, -0.26)),
    ]
    for finger, forward_m in (("Thumb", 0.05), ("Index", 0.03), ("Middle", 0.01), ("Ring", -0.01), ("Pinky", -0.03)):
        parent, down_m = hand, -0.03 if finger == "Thumb" else -0.09
        for part in ("", "01", "02", "End"):
            name = f"crl_hand{finger}{part}__{side}"
            bones.append((name, parent, (forward_m if parent == hand else 0.0, 0.0, down_m)))
            parent, down_m = name, -0.03
    return bones


def _leg(side: str, sign: float) -> list[tuple[str, str, tuple[float, float, float]]]:
    return [
        (f"crl_thigh__{side}", "crl_hips__C", (0.0, 0.09 * sign, -0.06)),
        (f"crl_leg__{side}", f"crl_thigh__{side}", (0.0, 0.0, -0.43)),
        (f"crl_foot__{side}", f"crl_leg__{side}", (0.0, 0.0, -0.42)),
        (f"crl_toe__{side}", f"crl_foot__{side}", (0.14, 0.0, -0.07)),
        (f"crl_toeEnd__{side}", f"crl_toe__{side}", (0.07, 0.0, 0.0)),
    ]


def _bones() -> tuple[Bone, ...]:
    listed = [
        ("crl_root", "", (0.0, 0.0, -_HALF_HEIGHT_M)),
        ("crl_hips__C", "crl_root", (0.0, 0.0, 0.98)),
        ("crl_spine__C", "crl_hips__C", (0.0, 0.0, 0.12)),
        ("crl_spine01__C", "crl_spine__C", (0.0, 0.0, 0.20)),
        *_arm("L", -1.0),
        ("crl_neck__C", "crl_spine01__C", (0.0, 0.0, 0.26)),
        ("crl_Head__C", "crl_neck__C", (0.0, 0.0, 0.10)),
        ("crl_eye__L", "crl_Head__C", (0.09, -0.03, 0.07)),
        ("crl_eye__R", "crl_Head__C", (0.09, 0.03, 0.07)),
        *_arm("R", 1.0),
        *_leg("R", 1.0),
        *_leg("L", -1.0),
    ]
    index = {name: number for number, (name, _, _) in enumerate(listed)}
    return tuple(Bone(name, index.get(parent, -1), place_m) for name, parent, place_m in listed)


BONES = _bones()
_NAMES = frozenset(bone.name for bone in BONES)


@dataclass
class _Custom:
    """What a client did to a skeleton: bones it posed, and how much of that shows."""

    poses: dict[str, Pose]
    share: float = 0.0


class Skeletons:
    """The poses that clients gave to walkers; others are animated."""

    def __init__(self) -> None:
        self._custom: dict[int, _Custom] = {}

    def forget(self, actor_id: int) -> None:
        """Drop what was said about a walker."""
        self._custom.pop(actor_id, None)

    def set_pose(self, actor_id: int, poses: Iterable[tuple[str, Pose]]) -> None:
        """Pose some bones of a walker, relative to their parents; names that are no bones are skipped."""
        known = {name: normalized(pose) for name, pose in poses if name in _NAMES}
        self._custom.setdefault(actor_id, _Custom({})).poses.update(known)

    def blend(self, actor_id: int, share: float) -> None:
        """Show the client's pose of a walker by a share: 0 = the animation, 1 = the client's."""
        self._custom.setdefault(actor_id, _Custom({})).share = min(max(share, 0.0), 1.0)

    def relative_poses(self, actor_id: int, half_height_m: float, speed_mps: float, time_s: float) -> list[Pose]:
        """Return the pose of every bone relative to its parent, in the order of `BONES`."""
        animation = animate(half_height_m, speed_mps, time_s)
        custom = self._custom.get(actor_id)
        if custom is None or custom.share == 0.0:
            return animation
        return [
            _mix(pose, custom.poses.get(bone.name, pose), custom.share)
            for bone, pose in zip(BONES, animation, strict=True)
        ]


def animate(half_height_m: float, speed_mps: float, time_s: float) -> list[Pose]:
    """Return the pose of every bone of a walker at a speed, relative to its parent."""
    scale = half_height_m / _HALF_HEIGHT_M
    swing_deg = min(_SWING_DEG_PER_MPS * speed_mps, _MOST_SWING_DEG) * math.sin(math.tau * _STRIDES_PER_S * time_s)
    pitch_deg = {
        "crl_thigh__L": swing_deg,
        "crl_thigh__R": -swing_deg,
        "crl_leg__L": -max(-swing_deg, 0.0),
        "crl_leg__R": -max(swing_deg, 0.0),
        "crl_arm__L": -0.7 * swing_deg,
        "crl_arm__R": 0.7 * swing_deg,
    }
    return [
        (*(scale * value for value in bone.place_m), pitch_deg.get(bone.name, 0.0), 0.0, 0.0)  # type: ignore[misc]
        for bone in BONES
    ]


def place_bones(actor: Pose, relative: list[Pose]) -> list[BoneTransform]:
    """Return where the bones of an actor are whose poses relative to their parents are given."""
    world_turn, world_place = turn_of(actor), np.array(actor[:3])
    turns: list[Array] = []
    places: list[Array] = []
    found = []
    for bone, pose in zip(BONES, relative, strict=True):
        turn, place = turn_of(pose), np.array(pose[:3])
        if bone.parent >= 0:
            place = places[bone.parent] + turns[bone.parent] @ place
            turn = turns[bone.parent] @ turn
        turns.append(turn)
        places.append(place)
        world = pose_of(world_place + world_turn @ place, world_turn @ turn)
        found.append(BoneTransform(bone.name, world, pose_of(place, turn), pose))
    return found


def _mix(first: Pose, second: Pose, share: float) -> Pose:
    places = (a + share * (b - a) for a, b in zip(first[:3], second[:3], strict=True))
    angles = (a + share * ((b - a + 180.0) % 360.0 - 180.0) for a, b in zip(first[3:], second[3:], strict=True))
    return normalized((*places, *angles))
