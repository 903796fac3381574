"""Boxes of vehicles, pedestrians and things, as they stand in a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.scene import Others
from harness.record.frames import EgoFrame
from harness.record.schema import BOX_RADIUS_M
from harness.record.surroundings import Surroundings

#: LEAD's numbers of what a camera would see.
UNLABELED, VEHICLE, TRAFFIC_LIGHT, PEDESTRIAN, OBSTACLE = 0, 1, 3, 4, 6
#: Ids of parked cars that are part of the town begin here.
FIRST_PARKED_ID = 100_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class ActorFacts:
    """What does not change about an actor.

    Attributes:
        actor: carla.Actor.
        extent: half sizes [m].
    """

    actor: Any
    type_id: str
    extent: list[float]
    role_name: str
    base_type: str
    mesh_path: str | None


class ActorBook:
    """Facts about the actors of a world, asked for once each."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._facts: dict[int, ActorFacts] = {}
        self._type_ids: dict[int, str] = {}

    def facts(self, actor_id: int) -> ActorFacts:
        """Return what does not change about an actor that is there."""
        if actor_id not in self._facts:
            actor = self._world.get_actor(actor_id)
            size, attributes = actor.bounding_box.extent, actor.attributes
            self._facts[actor_id] = ActorFacts(
                actor=actor,
                type_id=actor.type_id,
                extent=[size.x, size.y, size.z],
                role_name=attributes.get("role_name", ""),
                base_type=attributes.get("base_type", ""),
                mesh_path=attributes.get("mesh_path"),
            )
        return self._facts[actor_id]

    def type_id(self, actor_id: int) -> str:
        """Return the kind of an actor: other vehicles, lights, signs."""
        if actor_id not in self._type_ids:
            self._type_ids[actor_id] = str(self._world.get_actor(actor_id).type_id)
        return self._type_ids[actor_id]


def near_boxes(others: Others, frame: EgoFrame, book: ActorBook, surroundings: Surroundings) -> list[dict[str, Any]]:
    """Return the boxes of everybody within 96 m, without their futures."""
    away = np.hypot(np.hypot(others.x_m - frame.xyz[0], others.y_m - frame.xyz[1]), others.z_m - frame.xyz[2])
    boxes = []
    for row in np.flatnonzero(away < BOX_RADIUS_M):
        facts = book.facts(int(others.ids[row]))
        if others.is_vehicle[row]:
            boxes.append(_car(others, row, frame, facts, surroundings))
        elif others.is_walker[row]:
            boxes.append(_walker(frame, facts))
        else:
            boxes.append(_thing(frame, facts))
    return boxes


def _body(kind: str, semantics_id: int, frame: EgoFrame, facts: ActorFacts) -> dict[str, Any]:
    """Return what the boxes of all actors say."""
    pose, velocity = facts.actor.get_transform(), facts.actor.get_velocity()
    forward = pose.get_forward_vector()
    return {
        **frame.box(kind, int(facts.actor.id), semantics_id, pose, facts.extent),
        "speed": velocity.x * forward.x + velocity.y * forward.y + velocity.z * forward.z,
    }


def _car(others: Others, row: Any, frame: EgoFrame, facts: ActorFacts, surroundings: Surroundings) -> dict[str, Any]:
    lane = surroundings.lane_at(facts.actor.get_location())
    return {
        **_body("car", VEHICLE, frame, facts),
        "ego_velocity": _in_ego_axes(frame, facts.actor.get_velocity()),
        "brake": float(others.brake[row]),
        "steer": float(others.steer[row]),
        "throttle": float(others.throttle[row]),
        "next_action": None,
        "vehicle_cuts_in": False,
        "road_id": lane.road_id,
        "lane_id": lane.lane_id,
        "lane_type_str": str(lane.lane_type),
        "base_type": facts.base_type,
        "role_name": facts.role_name,
        "type_id": facts.type_id,
        "speed_limit": facts.actor.get_speed_limit(),
    }


def _walker(frame: EgoFrame, facts: ActorFacts) -> dict[str, Any]:
    return {
        **_body("walker", PEDESTRIAN, frame, facts),
        "ego_velocity": _in_ego_axes(frame, facts.actor.get_velocity()),
        "role_name": facts.role_name,
    }


def _thing(frame: EgoFrame, facts: ActorFacts) -> dict[str, Any]:
    is_parked_car = "Car" in (facts.mesh_path or "")
    return {
        **_body("static", VEHICLE if is_parked_car else OBSTACLE, frame, facts),
        "type_id": facts.type_id,
        "mesh_path": facts.mesh_path,
    }


def _in_ego_axes(frame: EgoFrame, velocity: Any) -> list[float]:
    cos, sin = math.cos(frame.yaw_rad), math.sin(frame.yaw_rad)
    return [velocity.x * cos + velocity.y * sin, velocity.y * cos - velocity.x * sin]


class ParkedCars:
    """Cars that are part of the town and no actors.

    Args:
        boxes: carla.BoundingBox of each, as the world lists them.
    """

    def __init__(self, boxes: Iterable[Any]) -> None:
        self._boxes = list(boxes)
        centres = [(box.location.x, box.location.y, box.location.z) for box in self._boxes]
        self._xyz: npt.NDArray[np.float64] = np.array(centres).reshape(-1, 3)

    def near_boxes(self, frame: EgoFrame, others: Others) -> list[dict[str, Any]]:
        """Return the boxes of those within 96 m, except where an actor stands for the same car."""
        import carla

        boxes = []
        for number in np.flatnonzero(np.linalg.norm(self._xyz - frame.xyz, axis=1) < BOX_RADIUS_M).tolist():
            box, (x_m, y_m, _) = self._boxes[number], self._xyz[number]
            gap_m = np.hypot(others.x_m - x_m, others.y_m - y_m)
            if (gap_m < others.half_width_m + min(box.extent.x, box.extent.y)).any():
                continue
            pose = carla.Transform(box.location, box.rotation)
            extent = [box.extent.x, box.extent.y, box.extent.z]
            boxes.append(frame.box("static_prop_car", FIRST_PARKED_ID + number, VEHICLE, pose, extent))
        return boxes
