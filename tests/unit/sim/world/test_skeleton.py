"""Bones: CARLA's names, chains of poses against the client's own arithmetic, custom poses and blending."""

from __future__ import annotations

import carla
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim.world.poses import Pose
from harness.sim.world.skeleton import BONES, Skeletons, animate, place_bones

UPRIGHT: Pose = (0.0, 0.0, 0.93, 0.0, 0.0, 0.0)


def _place(poses: list[Pose], actor: Pose = UPRIGHT) -> dict[str, Pose]:
    return {bone.name: bone.world for bone in place_bones(actor, poses)}


def test_the_bones_are_those_of_carlas_walkers() -> None:
    names = [bone.name for bone in BONES]
    assert len(set(names)) == len(names) == 66
    assert names[:4] == ["crl_root", "crl_hips__C", "crl_spine__C", "crl_spine01__C"]
    assert {"crl_Head__C", "crl_eye__R", "crl_handThumbEnd__L", "crl_foreArm__R", "crl_toeEnd__L"} <= set(names)
    assert all(bone.parent < number for number, bone in enumerate(BONES))


def test_a_standing_adult_has_head_and_feet_where_they_belong() -> None:
    places = _place(animate(0.93, 0.0, 1.0))
    assert places["crl_root"][2] == pytest.approx(0.0)
    assert 1.5 < places["crl_Head__C"][2] < 1.86
    assert places["crl_toe__L"][2] == pytest.approx(0.0, abs=0.01)
    assert places["crl_hand__L"][1] < 0.0 < places["crl_hand__R"][1]
    assert max(place[2] for place in _place(animate(0.55, 0.0, 0.0), (0.0, 0.0, 0.55, 0.0, 0.0, 0.0)).values()) < 1.1


def test_walking_swings_the_legs_against_each_other() -> None:
    places = _place(animate(0.93, 1.5, 0.25))
    assert places["crl_foot__L"][0] > 0.1 > -0.1 > places["crl_foot__R"][0]
    assert places["crl_hand__L"][0] < places["crl_hand__R"][0]


ANGLES = st.tuples(st.floats(-80, 80), st.floats(-170, 170), st.floats(-170, 170))


@given(ANGLES, ANGLES)
def test_bones_follow_their_parents_as_the_client_composes_poses(
    actor_turn: tuple[float, ...], hips_turn: tuple[float, ...]
) -> None:
    poses = animate(0.93, 0.0, 0.0)
    poses[1] = (*poses[1][:3], *hips_turn)  # type: ignore[assignment]
    actor = carla.Transform(carla.Location(10.0, -5.0, 2.0), carla.Rotation(*actor_turn))
    hips = carla.Transform(carla.Location(*poses[1][:3]), carla.Rotation(*hips_turn))
    in_root = hips.transform(carla.Location(*poses[2][:3]))
    expected = actor.transform(in_root + carla.Location(*poses[0][:3]))
    spine = place_bones((10.0, -5.0, 2.0, *actor_turn), poses)[2]  # type: ignore[arg-type]
    assert spine.world[:3] == pytest.approx((expected.x, expected.y, expected.z), abs=1e-3)


def test_a_clients_pose_shows_as_far_as_it_is_blended_in() -> None:
    skeletons = Skeletons()
    raised = {"crl_arm__L": (0.0, -0.12, 0.0, 90.0, 0.0, 0.0), "crl_no_such": (0.0,) * 6}
    skeletons.set_pose(7, raised.items())  # type: ignore[arg-type]
    number = [bone.name for bone in BONES].index("crl_arm__L")
    pitch_deg = []
    for share in (0.0, 0.5, 1.0, 7.0):
        skeletons.blend(7, share)
        pitch_deg.append(skeletons.relative_poses(7, 0.93, 0.0, 0.0)[number][3])
    assert pitch_deg == pytest.approx([0.0, 45.0, 90.0, 90.0])
    assert skeletons.relative_poses(8, 0.93, 0.0, 0.0) == animate(0.93, 0.0, 0.0)
    skeletons.forget(7)
    assert skeletons.relative_poses(7, 0.93, 0.0, 0.0) == animate(0.93, 0.0, 0.0)
