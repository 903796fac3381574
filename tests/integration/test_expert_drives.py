"""The expert against the embedded simulator: it passes what stands in its lane, and waits where it has to.

On North Street of Borough01, one lane each way, nothing but the lanes between x = 206 and x = 384.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.route import Point, Route
from harness.drive import rollout
from harness.drive.agents import ExpertAgent
from harness.drive.rollout import DriveReport, DriveRequest, drive_route
from harness.drive.scene import Scene
from harness.drive.traffic import TrafficPlan
from harness.sim.world.vehicle_dynamics import holding_throttle

pytestmark = pytest.mark.timeout(120)

TOWN, EAST_Y_M, WEST_Y_M = "Borough01", -378.25, -381.75
START_X_M, OBSTACLE_X_M, END_X_M = 220.0, 265.0, 310.0
CAR = "vehicle.tesla.model3"


class Watched(ExpertAgent):
    """The expert, and what it saw and decided."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.causes: list[str] = []

    def drive(self, scene: Scene) -> Any:
        decide = self.driver.step

        def step(seen: Scene) -> Any:
            decision = decide(seen)
            self.scenes.append(seen)
            self.causes.append(decision.cause)
            return decision

        self.driver.step = step  # type: ignore[method-assign]
        try:
            return super().drive(scene)
        finally:
            self.driver.step = decide  # type: ignore[method-assign]


@pytest.fixture
def drive(client: Any, ports: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[DriveReport, Watched]]:
    """Return a function that drives along North Street with nobody on it but what is asked for.

    Its arguments are (type id, x, y, yaw, speed) of each actor; the town is loaded by the drive, so that they have to
    be spawned after that, together with the hero.
    """
    monkeypatch.setattr(rollout, "plan_traffic", lambda *_: TrafficPlan([]))
    spawn_hero = rollout._Drive._spawn_hero

    def drive(*actors: tuple[str, float, float, float, float]) -> tuple[DriveReport, Watched]:
        def spawn_all(self: Any) -> Any:
            for type_id, x_m, y_m, yaw_deg, speed_mps in actors:
                pose = carla.Transform(carla.Location(x_m, y_m, 0.3), carla.Rotation(yaw=yaw_deg))
                actor = self._world.spawn_actor(self._world.get_blueprint_library().find(type_id), pose)
                self._spawned.append(actor)
                if speed_mps:
                    heading = pose.get_forward_vector()
                    actor.set_target_velocity(carla.Vector3D(speed_mps * heading.x, speed_mps * heading.y, 0.0))
                    actor.apply_control(carla.VehicleControl(throttle=float(holding_throttle(np.array(speed_mps)))))
            return spawn_hero(self)

        monkeypatch.setattr(rollout._Drive, "_spawn_hero", spawn_all)
        route = Route(
            route_id="7",
            town=TOWN,
            file=Path("drawn.xml"),
            keypoints=(Point(START_X_M, EAST_Y_M, 0.0), Point(END_X_M, EAST_Y_M, 0.0)),
        )
        request = DriveRequest(route=route, repetition=0, traffic_seed=1, traffic_manager_port=ports.traffic_manager)
        agent = Watched()
        return drive_route(client, request, lambda: agent, lambda _: None), agent

    return drive


def lateral_m(agent: Watched) -> list[float]:
    """Return how far left of its lane's middle the hero was at each tick."""
    return [EAST_Y_M - scene.ego.y_m for scene in agent.scenes]


def kinds(report: DriveReport) -> set[InfractionKind]:
    """Return what went wrong; the rules forgive nobody who drives in the lane of the oncoming traffic."""
    return {infraction.kind for infraction in report.outcome.infractions}


def test_a_car_parked_half_in_the_lane_is_passed(drive: Any) -> None:
    report, agent = drive((CAR, OBSTACLE_X_M, EAST_Y_M + 1.4, 0.0, 0.0))
    assert report.failure_detail == ""
    assert report.outcome.completion_percent == 100.0
    assert report.outcome.infractions == ()
    assert 1.0 < max(lateral_m(agent)) < 2.5
    assert "two_way_wait" not in agent.causes


def test_a_prop_in_the_middle_of_the_lane_is_passed(drive: Any) -> None:
    report, agent = drive(("static.prop.streetbarrier", OBSTACLE_X_M, EAST_Y_M, 90.0, 0.0))
    assert report.outcome.completion_percent == 100.0
    assert kinds(report) == {InfractionKind.OUTSIDE_LANES}
    assert 1.5 < max(lateral_m(agent)) < 3.0


def test_an_oncoming_car_is_let_by_first(drive: Any) -> None:
    report, agent = drive((CAR, OBSTACLE_X_M, EAST_Y_M, 0.0, 0.0), ("vehicle.audi.tt", 360.0, WEST_Y_M, 180.0, 8.0))
    assert report.outcome.completion_percent == 100.0
    assert kinds(report) == {InfractionKind.OUTSIDE_LANES}
    assert "two_way_wait" in agent.causes
    oncoming = [scene.others.x_m[scene.others.speed_mps > 1.0].max(initial=0.0) for scene in agent.scenes]
    assert max(oncoming) > 350.0
    # It stays in its lane until the other is past.
    waits = [
        away for away, x_m, scene in zip(lateral_m(agent), oncoming, agent.scenes, strict=True) if x_m > scene.ego.x_m
    ]
    assert len(waits) > 100
    assert max(waits) < 0.5
    assert max(lateral_m(agent)) > 2.0
