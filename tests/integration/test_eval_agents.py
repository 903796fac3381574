"""Agents of one's own: a small one that drives, and those that break."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.evaluation import Evaluation, attempt_of, record

pytestmark = pytest.mark.timeout(180)


def test_the_agent_in_the_readme_drives(evaluation: Evaluation, repository: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (repository / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (evaluation.folder / "lane_follower.py").write_text(code)
    answer = evaluation.run("--only", "01", "--agent", "lane_follower.py:LaneFollower", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    (row,) = json.loads(answer.stdout)["data"]["routes"]
    assert row["scores"]["score_route"] == 100.0
    assert answer.stdout.count("lane_follower.LaneFollower") >= 1


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
    log = (attempt_of(results["01"]) / "drive.log").read_text()
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
        ("exit", "Failed - Agent crashed", "SystemExit: 0"),
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
