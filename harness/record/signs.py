"""Boxes of the traffic light that the ego obeys and of the stop signs around, on the road where one stops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.expert import Expert
from harness.drive.regulations import Light, StopSign
from harness.record.frames import EgoFrame
from harness.record.others import TRAFFIC_LIGHT, UNLABELED
from harness.record.schema import SIGN_RADIUS_M

BOX_EXTENT = [1.5, 1.5, 0.5]
#: Lights hang above the road that they govern in these towns, and stand beside it in those.
OVERHEAD_TOWNS = frozenset({"Town11", "Town12", "Town13", "Town15"})
NEAR_SIDE_TOWNS = frozenset({f"Town0{number}" for number in range(1, 8)} | {"Town10HD"})
NEAR_SIDE_M = 4.0
#: Every lane of a light but one gets an id of its own, downwards from here.
FIRST_NEGATIVE_ID = -100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class _LightBox:
    """The box of a light on one lane.

    Attributes:
        pose: carla.Transform.
        from_light_m: distance to the light itself, in the plane.
        is_near_side: the light is above or beside the place where one stops.
    """

    box_id: int
    pose: Any
    lane_id: int
    from_light_m: float
    is_near_side: bool


class SignBoxes:
    """Lights and signs of one route.

    Args:
        world: carla.World; asked once for each light and sign.
    """

    def __init__(self, world: Any, town: str, lights: Sequence[Light], stop_signs: Sequence[StopSign]) -> None:
        import carla

        self._world = world
        self._town = town
        self._lights = {light.actor_id: light for light in lights}
        self._state_names = {int(state): name for name, state in carla.TrafficLightState.names.items()}
        self._light_boxes: dict[int, list[_LightBox]] = {}
        self._negative_id = FIRST_NEGATIVE_ID
        self._signs = list(stop_signs)
        centres = [(sign.centre_x_m, sign.centre_y_m, sign.centre_z_m) for sign in stop_signs]
        self._sign_xyz: npt.NDArray[np.float64] = np.array(centres).reshape(-1, 3)
        self._sign_poses: dict[int, Any] = {}

    def state_name(self, state: int) -> str:
        """Return ``Red``, ``Yellow``, ``Green``, ``Off`` or ``Unknown``."""
        return str(self._state_names[state])

    def near_boxes(
        self, frame: EgoFrame, expert: Expert, lane_id: int, light_states: Mapping[int, int]
    ) -> list[dict[str, Any]]:
        """Return the boxes of the next light, one per lane, and of all stop signs within 64 m.

        Args:
            lane_id: of the lane where the ego is.
            light_states: actor id -> carla.TrafficLightState as an integer.
        """
        return [*self._of_light(frame, expert, lane_id, light_states), *self._of_signs(frame, expert)]

    def _of_light(
        self, frame: EgoFrame, expert: Expert, lane_id: int, light_states: Mapping[int, int]
    ) -> list[dict[str, Any]]:
        light = self._lights.get(expert.next_light.actor_id) if expert.next_light else None
        if light is None:
            return []
        away = np.array((light.centre_x_m, light.centre_y_m, light.centre_z_m)) - frame.xyz
        if np.linalg.norm(away) >= SIGN_RADIUS_M:
            return []
        state = self.state_name(light_states[light.actor_id])
        return [
            {
                **frame.box("traffic_light", box.box_id, TRAFFIC_LIGHT, box.pose, BOX_EXTENT),
                "state": state,
                "affects_ego": True,
                "distance_to_physical_traffic_light": box.from_light_m,
                "dummy_traffic_light_bounding_box": box.box_id < 0,
                "same_lane_as_ego": box.lane_id == lane_id,
                "is_over_head_traffic_light": self._town in OVERHEAD_TOWNS and box.is_near_side,
                "is_europe_traffic_light": self._town in NEAR_SIDE_TOWNS and box.is_near_side,
            }
            for box in self._boxes_of(light, lane_id)
        ]

    def _boxes_of(self, light: Light, lane_id: int) -> list[_LightBox]:
        """Return the boxes of a light; the one on the lane where the ego first came near it has the light's own id."""
        if light.actor_id not in self._light_boxes:
            import carla

            actor = self._world.get_actor(light.actor_id)
            pose = actor.get_transform()
            stops = sorted(actor.get_stop_waypoints(), key=lambda stop: int(stop.lane_id != lane_id))
            boxes = []
            for number, stop in enumerate(stops):
                away = pose.location - stop.transform.location
                forward = stop.transform.get_forward_vector()
                boxes.append(
                    _LightBox(
                        box_id=light.actor_id if number == 0 else self._negative_id,
                        pose=carla.Transform(stop.transform.location, pose.rotation),
                        lane_id=stop.lane_id,
                        from_light_m=math.hypot(away.x, away.y),
                        is_near_side=abs(away.x * forward.x + away.y * forward.y) < NEAR_SIDE_M,
                    )
                )
                self._negative_id -= int(number > 0)
            self._light_boxes[light.actor_id] = boxes
        return self._light_boxes[light.actor_id]

    def _of_signs(self, frame: EgoFrame, expert: Expert) -> list[dict[str, Any]]:
        obeyed = expert.next_stop_sign
        boxes = []
        for number in np.flatnonzero(np.linalg.norm(self._sign_xyz - frame.xyz, axis=1) < SIGN_RADIUS_M):
            sign = self._signs[number]
            box = frame.box("stop_sign", sign.actor_id, UNLABELED, self._pose_of(sign), BOX_EXTENT)
            boxes.append({**box, "affects_ego": obeyed is not None and obeyed.actor_id == sign.actor_id})
        return boxes

    def _pose_of(self, sign: StopSign) -> Any:
        if sign.actor_id not in self._sign_poses:
            import carla

            rotation = self._world.get_actor(sign.actor_id).get_transform().rotation
            centre = carla.Location(sign.centre_x_m, sign.centre_y_m, sign.centre_z_m)
            self._sign_poses[sign.actor_id] = carla.Transform(centre, rotation)
        return self._sign_poses[sign.actor_id]
