"""Boxes of actors as a turned ego sees them."""

from __future__ import annotations

import math
from typing import Any

import carla
import pytest

from harness.record.frames import EgoFrame
from harness.record.others import ActorBook, near_boxes
from harness.record.surroundings import Surroundings
from tests.unit.record.drawn import STREET_Y_M, DrawnDrive, Place

CAR = {"role_name": "background", "base_type": "car"}


def boxes_seen(place: Place, *, yaw_deg: float, type_id: str = "vehicle.a", **attributes: str) -> list[dict[str, Any]]:
    """Return what an ego at x = 300 sees of one actor."""
    drive = DrawnDrive(bodies={7: (type_id, {**CAR, **attributes}, lambda time_s: place)})
    frame = EgoFrame.of(carla.Transform(carla.Location(300.0, STREET_Y_M, 0.0), carla.Rotation(yaw=yaw_deg)))
    return near_boxes(drive.scene().others, frame, ActorBook(drive.world), Surroundings(drive.map))


def test_positions_headings_and_velocities_turn_with_the_ego() -> None:
    # The ego looks along +y; the car is 10 m ahead of it and drives along +x, to the ego's left.
    place = Place(x_m=300.0, y_m=STREET_Y_M + 10.0, yaw_deg=0.0, speed_mps=5.0)
    (box,) = boxes_seen(place, yaw_deg=90.0)
    assert box["position"] == pytest.approx([10.0, 0.0, 0.0], abs=1e-3)
    assert box["yaw"] == pytest.approx(-math.pi / 2.0, abs=1e-5)
    assert box["ego_velocity"] == pytest.approx([0.0, -5.0], abs=1e-5)
    assert (box["speed"], box["distance"]) == (pytest.approx(5.0), pytest.approx(10.0, abs=1e-3))


def test_who_drives_backwards_has_a_negative_speed() -> None:
    (box,) = boxes_seen(Place(x_m=310.0, yaw_deg=180.0, speed_mps=3.0, course_deg=0.0), yaw_deg=0.0)
    assert box["speed"] == pytest.approx(-3.0)
    assert box["ego_velocity"] == pytest.approx([3.0, 0.0], abs=1e-5)


@pytest.mark.parametrize(("x_m", "z_m", "is_near"), [(395.0, 0.0, True), (397.0, 0.0, False), (350.0, 90.0, False)])
def test_boxes_reach_as_far_as_96_metres(x_m: float, z_m: float, is_near: bool) -> None:
    assert bool(boxes_seen(Place(x_m=x_m, z_m=z_m), yaw_deg=0.0)) is is_near


@pytest.mark.parametrize(("mesh", "semantics_id"), [("/Game/Car/SM_Parked", 1), ("/Game/Cone", 6)])
def test_things_that_look_like_cars_are_labelled_as_cars(mesh: str, semantics_id: int) -> None:
    (box,) = boxes_seen(Place(x_m=310.0), yaw_deg=0.0, type_id="static.prop.mesh", mesh_path=mesh)
    assert (box["class"], box["mesh_path"], box["transfuser_semantics_id"]) == ("static", mesh, semantics_id)
