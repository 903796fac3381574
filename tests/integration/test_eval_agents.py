"""Agents of one's own: a small one that drives, and those that break."""

from __future__ import annotations

import json

import pytest

from tests.integration.evaluation import Evaluation, record

pytestmark = pytest.mark.timeout(180)

TEN_LINES = """
import math, carla
from harness.drive.agents import Agent

class MyAgent(Agent):
    def run_step(self, input_data, timestamp):
        plan, pose = self._global_plan_world_coord, self.hero.get_transform()
        while len(plan) > 1 and pose.location.distance(plan[0][0].location) < 6.0:
            plan.pop(0)
        way = plan[0][0].location - pose.location
        turn_deg = (math.degrees(math.atan2(way.y, way.x)) - pose.rotation.yaw + 180.0) % 360.0 - 180.0
        throttle = 0.5 if self.hero.get_velocity().length() < 4.0 else 0.0
        return carla.VehicleControl(throttle=throttle, steer=max(-1.0, min(1.0, turn_deg / 45.0)))
"""


def test_ten_lines_are_an_agent(evaluation: Evaluation) -> None:
    (evaluation.folder / "my_agent.py").write_text(TEN_LINES)
    answer = evaluation.run("--only", "01", "--agent", "my_agent.py:MyAgent", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads(answer.stdout)["data"]["routes"]
    assert row["scores"]["score_route"] == 100.0
    assert answer.stdout.count("my_agent.MyAgent") >= 1


# Breaks where the configuration says, on the route that begins in the east; drives nowhere on others.
BREAKING = """
import carla

class Breaking:
    def setup(self, config):
        self.config, self.plan = config, []
        self.there = "setup" in config and self._raise("setup")

    def sensors(self):
        return [{"type": "sensor.camera.rgb", "id": "front"}] if "camera" in self.config else []

    def set_global_plan(self, gps, world):
        self.is_east = world[0][0].location.x > 300.0

    def run_step(self, input_data, timestamp):
        if timestamp > 0.5 and self.is_east:
            if "exit" in self.config:
                raise SystemExit(0)
            if "nothing" in self.config:
                return None
            self._raise("run_step")
        return carla.VehicleControl(throttle=1.0)

    def _raise(self, where):
        raise ValueError(f"broken in {where}")
"""


def test_exception_while_driving_ends_one_route_and_the_others_go_on(evaluation: Evaluation) -> None:
    (evaluation.folder / "breaking.py").write_text(BREAKING)
    answer = evaluation.run("--only", "01,00", "--agent", "breaking.py:Breaking", "--jobs", "2")
    assert answer.returncode == 0, answer.stderr
    results = evaluation.results(evaluation.latest())
    broken, other = record(results["01"]), record(results["00"])
    assert broken["status"] == "Failed - Agent crashed"
    assert 0.0 <= broken["scores"]["score_route"] < 100.0
    assert broken["meta"]["duration_game"] == pytest.approx(0.55, abs=0.06)
    assert other["status"] != "Failed - Agent crashed"
    assert json.loads(results["01"].read_text())["harness"]["failure_detail"] == "ValueError: broken in run_step"
    log = (results["01"].parent / "drive.log").read_text()
    assert "Traceback" in log
    assert 'breaking.py", line ' in log
    assert "│ Failed - Agent crashed" in answer.stdout


@pytest.mark.parametrize(
    ("config", "status", "detail"),
    [
        ("setup", "Failed - Agent couldn't be set up", "ValueError: broken in setup"),
        (
            "camera",
            "Failed - Agent's sensors were invalid",
            "SensorError: the agent asks for sensor.camera.rgb, this version has",
        ),
        ("nothing", "Failed - Agent crashed", "AgentError: run_step returned NoneType, expected carla.VehicleControl"),
    ],
)
def test_what_an_agent_does_wrong_is_its_routes_result(
    evaluation: Evaluation, config: str, status: str, detail: str
) -> None:
    (evaluation.folder / "breaking.py").write_text(BREAKING)
    answer = evaluation.run("--only", "01", "--agent", "breaking.py:Breaking", "--config", config)
    assert answer.returncode == 0, answer.stderr
    result = evaluation.results(evaluation.latest())["01"]
    assert record(result)["status"] == status
    assert json.loads(result.read_text())["harness"]["failure_detail"].startswith(detail)
