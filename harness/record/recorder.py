"""Records a drive as LEAD does: a meta and a list of boxes four times a second.

    <folder>/metas/%04d.pkl  bboxes/%04d.pkl     written three seconds after their tick, when their future is known
    <folder>/results.json                        the Leaderboard's record of the route, written last

A folder with `results.json` is complete; a killed drive leaves one without. What is kept in memory does not grow with
the route.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.drive.agents import DriveContext
from harness.drive.decision import Decision
from harness.drive.expert import Expert
from harness.drive.scene import Others, Scene
from harness.errors import ConfigError
from harness.record.frames import EgoFrame
from harness.record.history import TickState, ego_future, ego_past, others_future
from harness.record.localization import Localization
from harness.record.metas import WITHOUT_RIG, WITHOUT_SCENARIO, motion_fields, neighbour_fields, weather_fields
from harness.record.others import UNLABELED, ActorBook, ParkedCars, near_boxes
from harness.record.plan import decision_fields, light_ahead, route_fields
from harness.record.schema import EGO_TICKS, POP_DISTANCE_M, POP_DISTANCES_M, TICKS_PER_FRAME
from harness.record.signs import SignBoxes
from harness.record.surroundings import Surroundings
from harness.record.target_points import Pursuit, TargetPoints
from harness.record.writer import FrameWriter, cannot_write

RESULTS = "results.json"
METAS, BOXES = "metas", "bboxes"
_SUFFIXES = [f"_{distance}" for distance in POP_DISTANCES_M]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Frame:
    """A frame that waits for its future."""

    tick: int
    meta: dict[str, Any]
    boxes: list[dict[str, Any]]


class RouteRecorder:
    """Records one drive into one folder.

    Args:
        folder: new or empty; the caller gives it its final place when it is complete.
        town: as in file names, e.g. ``Town12``.
        scenario: folder of the dataset that the route belongs to.
        seed: of the noise of the position.

    Raises:
        ConfigError: there is something in the folder.
        HarnessError: the folder cannot be made.
    """

    def __init__(self, folder: Path, *, town: str, scenario: str, seed: int) -> None:
        self._folder = folder
        self._town, self._scenario = town, scenario
        self._localization = Localization(seed)
        self._states: deque[TickState] = deque(maxlen=EGO_TICKS + 1)
        self._waiting: deque[_Frame] = deque()
        self._writer = FrameWriter()
        self._ticks = self._written = 0
        self._theta_rad = 0.0
        try:
            for name in (METAS, BOXES):
                (folder / name).mkdir(parents=True, exist_ok=True)
            found = [entry for entry in folder.rglob("*") if entry.name not in (METAS, BOXES)]
        except OSError as error:
            raise cannot_write(error, folder) from error
        if found:
            raise ConfigError(f"cannot record into {folder}: found {found[0]}, expected an empty folder")

    def begin(self, context: DriveContext, expert: Expert) -> None:
        """Learn who drives where; called once, before the first tick."""
        self._hero, self._expert = context.hero, expert
        self._book = ActorBook(context.world)
        self._surroundings = Surroundings(context.carla_map)
        self._parked = ParkedCars(_level_boxes(context.world))
        self._signs = SignBoxes(context.world, self._town, context.lights, context.stop_signs)
        plan = TargetPoints.of(context.route)
        self._pursuit = Pursuit(plan, (POP_DISTANCE_M,))
        self._pursuits = Pursuit(plan, POP_DISTANCES_M)
        self._gps_pursuits = Pursuit(plan, POP_DISTANCES_M)

    def observe(self, scene: Scene, decision: Decision, weather: Mapping[str, float]) -> None:
        """See a tick, after the expert has decided and before the world moves on.

        Raises:
            HarnessError: a file of an earlier tick could not be written.
        """
        frame = EgoFrame.of(self._hero.get_transform())
        self._remember(scene, frame)
        if self._ticks % TICKS_PER_FRAME == 0:
            boxes = self._boxes(scene, frame)
            meta = self._meta(scene, decision, weather, frame, boxes)
            self._waiting.append(_Frame(tick=self._ticks, meta=meta, boxes=boxes))
        self._ticks += 1
        while self._waiting and self._waiting[0].tick + EGO_TICKS < self._ticks:
            self._write(self._waiting.popleft())

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the frames that still wait for a future that will not come, then `results.json`.

        Args:
            record: the Leaderboard's record of the route.

        Raises:
            HarnessError: a file cannot be written.
        """
        while self._waiting:
            self._write(self._waiting.popleft())
        self._writer.close()
        file = self._folder / RESULTS
        scratch = file.with_name(f".{RESULTS}.{os.getpid()}")
        try:
            with scratch.open("w", encoding="utf-8") as opened:
                json.dump(record, opened, indent=2, allow_nan=False)
                opened.flush()
                os.fsync(opened.fileno())
            scratch.replace(file)
        except OSError as error:
            raise cannot_write(error, file) from error
        finally:
            scratch.unlink(missing_ok=True)

    # --- every tick --------------------------------------------------------------------------------------------------

    def _remember(self, scene: Scene, frame: EgoFrame) -> None:
        ego = scene.ego
        turned_rad = math.remainder(ego.yaw_rad - self._theta_rad, math.tau)
        self._theta_rad = self._theta_rad + turned_rad if self._ticks else ego.yaw_rad
        self._states.append(
            TickState(
                rotation=frame.rotation,
                xyz=frame.xyz,
                theta_rad=self._theta_rad,
                speed_mps=ego.along_mps,
                ids=scene.others.ids,
                poses=self._poses(scene.others),
            )
        )
        self._localization.advance(ego.x_m, ego.y_m, ego.yaw_rad, ego.along_mps)
        self._pursuit.advance(ego.x_m, ego.y_m)
        self._pursuits.advance(ego.x_m, ego.y_m)
        self._gps_pursuits.advance(*self._localization.filtered.tolist())

    def _poses(self, others: Others) -> npt.NDArray[np.float64]:
        poses = np.stack((others.x_m, others.y_m, others.z_m, others.yaw_rad), axis=1)
        for row in np.flatnonzero(others.is_walker):
            # The scene says where a pedestrian walks to; a box has to say where he looks.
            pose = self._book.facts(int(others.ids[row])).actor.get_transform()
            poses[row, 3] = math.radians(pose.rotation.yaw)
        return poses

    # --- every fifth tick --------------------------------------------------------------------------------------------

    def _boxes(self, scene: Scene, frame: EgoFrame) -> list[dict[str, Any]]:
        """Return all boxes, the ego first and then by distance."""
        pose, size = self._hero.get_transform(), self._hero.bounding_box.extent
        ego = {
            **frame.box("ego_car", int(self._hero.id), UNLABELED, pose, [size.x, size.y, size.z]),
            "speed": scene.ego.along_mps,
            "brake": self._hero.get_control().brake,
        }
        lane = self._surroundings.driving_lane_at(pose.location)
        boxes = near_boxes(scene.others, frame, self._book, self._surroundings)
        boxes += self._signs.near_boxes(frame, self._expert, lane.lane_id, scene.light_states)
        boxes += self._parked.near_boxes(frame, scene.others)
        return [ego, *sorted(boxes, key=lambda box: float(box["distance"]))]

    def _meta(
        self,
        scene: Scene,
        decision: Decision,
        weather: Mapping[str, float],
        frame: EgoFrame,
        boxes: list[dict[str, Any]],
    ) -> dict[str, Any]:
        pose = self._hero.get_transform()
        light_id = light_ahead(self._expert)
        return {
            "pos_global": frame.xyz.tolist(),
            "theta": self._theta_rad,
            "privileged_yaw": frame.yaw_rad,
            "ego_matrix": frame.matrix.astype(np.float32),
            "speed": scene.ego.along_mps,
            **motion_fields(self._hero, frame),
            "filtered_pos_global": self._localization.filtered.tolist(),
            "noisy_pos_global": self._localization.noisy.tolist(),
            "past_positions": self._localization.past_smoothed(),
            "past_filtered_state": self._localization.past_filtered(),
            **ego_past(list(self._states)),
            **decision_fields(decision, scene, self._book),
            **route_fields(self._expert, frame),
            **self._pursuit.fields("", [""]),
            **self._pursuits.fields("", _SUFFIXES),
            **self._gps_pursuits.fields("_gps", _SUFFIXES),
            "town": self._town,
            **self._surroundings.fields(pose.location),
            "traffic_light_state": "None" if light_id is None else self._signs.state_name(scene.light_states[light_id]),
            "scenario": self._scenario,
            **WITHOUT_SCENARIO,
            **neighbour_fields(boxes),
            **weather_fields(weather),
            **WITHOUT_RIG,
        }

    # --- three seconds later -----------------------------------------------------------------------------------------

    def _write(self, frame: _Frame) -> None:
        """Write a frame whose tick is among those remembered, with what is known of its future."""
        first = frame.tick - (self._ticks - len(self._states))
        states = list(self._states)[first:]
        moving = [box for box in frame.boxes if box["class"] in ("car", "walker")]
        futures = others_future(states, [box["id"] for box in moving])
        for box in moving:
            box.update(futures[box["id"]])
        name = f"{self._written:04d}.pkl"
        for folder, content in ((METAS, {**frame.meta, **ego_future(states)}), (BOXES, frame.boxes)):
            self._writer.write(self._folder / folder / name, content)
        self._written += 1


def _level_boxes(world: Any) -> list[Any]:
    """Return the boxes of cars that are part of the town; none where the server cannot tell."""
    import carla

    try:
        return list(world.get_level_bbs(carla.CityObjectLabel.Car))
    except RuntimeError as error:
        if "rpc_error" not in str(error):
            raise
        return []
