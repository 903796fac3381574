"""What a town file says of things that stand or lie there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.oriented_boxes import axes_of
from harness.sim.world.scenery import Scenery, build_scenery
from harness.sim.world.town import Town


@pytest.fixture(scope="module")
def scenery(borough: Town) -> Scenery:
    return borough.scenery


def _of(scenery: Scenery, tag: SemanticTag) -> list[int]:
    return [int(index) for index in np.flatnonzero(scenery.tag == tag)]


def test_surfaces_lie_within_their_boxes(scenery: Scenery) -> None:
    strips, boxes = scenery.ground.strips, scenery.box_of_sample
    place = np.concatenate([strips.xy_m, strips.z_m[:, None]], axis=1)
    local = np.einsum("kcd,kd->kc", axes_of(scenery.rotation_deg[boxes]), place - scenery.centre_m[boxes])
    assert (np.abs(local) <= scenery.half_m[boxes] + 1e-9).all()
    assert (scenery.tag[boxes] == strips.tag).all()
    assert set(boxes.tolist()) == set(range(scenery.surfaces))
    # No box is much longer than the piece of road it stands for.
    assert scenery.half_m[: scenery.surfaces, 0].max() < 40.0


def test_every_light_and_sign_has_one_box_and_the_solid_poles_one_each(borough: Town, scenery: Scenery) -> None:
    assert len(_of(scenery, SemanticTag.TRAFFIC_LIGHT)) == len(borough.lights) == len(scenery.lights)
    assert len(_of(scenery, SemanticTag.TRAFFIC_SIGN)) == len(borough.signs)
    poles = scenery.centre_m[_of(scenery, SemanticTag.POLES), :2]
    assert sorted(map(tuple, poles.tolist())) == sorted(map(tuple, borough.poles_m[:, :2].tolist()))
    for signal in borough.lights:
        box = scenery.lights[signal.signal_id]
        assert scenery.tag[box] == SemanticTag.TRAFFIC_LIGHT
        assert scenery.centre_m[box, :2] == pytest.approx((signal.x_m, signal.y_m))
        assert scenery.standing_signals[box - scenery.surfaces] == signal.signal_id


def test_poles_stand_on_the_ground_and_carry_their_board(scenery: Scenery) -> None:
    for pole in _of(scenery, SemanticTag.POLES):
        foot_m = scenery.centre_m[pole, 2] - scenery.half_m[pole, 2]
        top_m = scenery.centre_m[pole, 2] + scenery.half_m[pole, 2]
        assert foot_m == pytest.approx(0.0, abs=0.05)
        carried = (
            scenery.names.index(scenery.names[pole].replace("Pole", "TrafficSign"))
            if _is_sign(scenery, pole)
            else scenery.names.index(scenery.names[pole].replace("Pole", "TrafficLight"))
        )
        assert top_m == pytest.approx(scenery.centre_m[carried, 2])


def _is_sign(scenery: Scenery, pole: int) -> bool:
    return scenery.names[pole].replace("Pole", "TrafficSign") in scenery.names


def test_ids_follow_from_town_and_name(borough: Town, scenery: Scenery) -> None:
    def build(town: Town) -> Scenery:
        signals = (*town.lights, *town.signs)
        return build_scenery(town.name, town.lanes, town.beside, signals, town.pole_signals, town.walkways)

    again, elsewhere = build(borough), build(dataclasses.replace(borough, name="Elsewhere"))
    assert again.names == scenery.names == elsewhere.names
    assert again.ids.tolist() == scenery.ids.tolist()
    assert not set(elsewhere.ids.tolist()) & set(scenery.ids.tolist())
    assert len(set(scenery.names)) == len(set(scenery.ids.tolist())) == len(scenery.names)


def test_a_town_without_signals_has_surfaces_alone(hill: Town) -> None:
    scenery = hill.scenery
    assert scenery.surfaces == len(scenery.names) == 4  # 200 m of road in pieces of 50 m
    assert len(scenery.standing.centre_m) == 0
    assert set(scenery.tag.tolist()) == {SemanticTag.ROADS}
