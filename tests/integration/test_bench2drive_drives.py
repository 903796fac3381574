"""Drives by the rules of Bench2Drive, as a command makes them and in one process: what ends them, what they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.datatypes.result import Failure
from harness.datatypes.route import Point, Route
from harness.drive import rollout
from harness.drive.agents import Agent
from harness.drive.rollout import DriveReport, DriveRequest, drive_route
from harness.drive.traffic import TrafficPlan
from harness.metrics.audit import audit
from harness.metrics.engine import BENCH2DRIVE, Engine
from harness.metrics.rules import RuleVersion
from harness.results.contents import contents_of
from harness.results.motion import read_motion
from harness.results.motion_owners import motion_owners
from harness.results.read import read_results
from tests.integration.evaluation import ROUTES, Evaluation, attempt_of, record

pytestmark = pytest.mark.timeout(180)

ID = "24211"
SAVE_NAME = f"RouteScenario_{ID}_rep0_Borough01_S_9_26_seed1"


@pytest.fixture
def bench2drive(evaluation: Evaluation) -> Evaluation:
    """Return a folder to evaluate in, with a short route of our own town under the name of one of Bench2Drive's."""
    positions = "".join(f'<position x="{x}" y="{y}" z="0.0" />' for x, y in ROUTES["00"])
    scenario = '<scenario name="S_9" type="Accident"><trigger_point x="1" y="2" z="0" yaw="0"/></scenario>'
    folder = evaluation.routes.parent / "bench2drive"
    folder.mkdir()
    (folder / f"{ID}.xml").write_text(
        f'<routes><route id="{ID}" town="Borough01"><waypoints>{positions}</waypoints>'
        f"<scenarios>{scenario}</scenarios></route></routes>"
    )
    return evaluation


def evaluate(bench2drive: Evaluation, *arguments: str) -> tuple[int, dict[str, Any], Path]:
    """Evaluate the route; return exit code, the document that was printed, and the folder of the drive."""
    with bench2drive.start(
        "eval", "--bench", "bench2drive", "--only", ID, "--seeds", "1", "--output", "json", *arguments
    ) as process:
        out, err = process.communicate(timeout=60.0)
    assert out, err
    return process.returncode, json.loads(out), bench2drive.latest() / ID


def test_drive_by_the_rules_of_bench2drive_can_be_scored_by_them(bench2drive: Evaluation) -> None:
    code, document, folder = evaluate(bench2drive)
    assert code == 0
    data = document["data"]
    found = record(folder / "result.json")
    assert [found[key] for key in ("scenario_name", "weather_id", "save_name", "town_name")] == [
        *("S_9", "26", SAVE_NAME, "Borough01")
    ]
    # 80 m in parts of 4 m: each is logged, and none costs anything.
    speeds = found["infractions"]["min_speed_infractions"]
    assert 14 <= len(speeds) <= 20
    assert (found["status"], found["scores"]["score_penalty"]) == ("Completed", 1.0)
    assert (data["rule_version"], data["success_rate"]) == ("bench2drive", 1.0)
    results = read_results([bench2drive.latest()], benchmark="bench2drive")
    assert results.problems == ()
    (read,) = results.records
    assert audit([read.route]).mismatches(RuleVersion.BENCH2DRIVE) == ()
    # The motion is where the record says, and where its readers look.
    ((owner, file),) = motion_owners(results).pairs
    assert owner is read
    ((_, motion),) = contents_of([file])
    steps = json.loads(motion)
    ((_, logged),) = read_motion([file])
    assert len(logged) == len(steps) if isinstance(logged, list) else False, logged
    assert list(steps) == [str(number) for number in range(len(steps))]
    assert len(steps) == round(found["meta"]["duration_game"] / 0.05)
    assert list(steps["0"]) == [
        *("acceleration", "angular_velocity", "forward_vector", "right_vector", "location", "rotation")
    ]
    assert steps["0"]["location"][0] == pytest.approx(ROUTES["00"][0][0], abs=1.0)
    travelled_m = steps[str(len(steps) - 1)]["location"][0] - steps["0"]["location"][0]
    assert travelled_m == pytest.approx(80.0, abs=8.0)
    assert max(step["acceleration"][0] for step in steps.values()) > 1.0
    assert {path.name for path in folder.iterdir()} == {"attempt_1", "claim.lock", "result.json", SAVE_NAME}
    assert [path.name for path in (folder / SAVE_NAME).iterdir()] == ["metric_info.json"]


def test_agent_that_cannot_be_set_up_costs_its_drive_and_leaves_the_file_of_the_fork(bench2drive: Evaluation) -> None:
    (bench2drive.folder / "broken.py").write_text(
        "from harness.drive.agents import Agent\n\n\n"
        "class Broken(Agent):\n    def setup(self, config):\n        raise ValueError('no weights')\n"
    )
    code, document, folder = evaluate(bench2drive, "--agent", "broken.py:Broken")
    assert (code, document["data"]["crashed"]) == (0, 1)
    content = json.loads((folder / "result.json").read_text())
    assert (content["entry_status"], content["_checkpoint"]["global_record"]) == ("Started", {})
    assert record(folder / "result.json")["status"] == "Failed - Agent couldn't be set up"
    assert not (folder / SAVE_NAME).exists()
    assert not (attempt_of(folder / "result.json") / "motion").exists()


# --- in one process --------------------------------------------------------------------------------------------------


class Held(Agent):
    """Gives the same control at every tick and counts them."""

    def __init__(self, throttle: float) -> None:
        self.throttle, self.ticks = throttle, 0

    def run_step(self, input_data: Any, timestamp: float) -> Any:
        self.ticks += 1
        return carla.VehicleControl(throttle=self.throttle, brake=0.0 if self.throttle else 1.0)


@pytest.fixture
def drive(client: Any, ports: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that drives 80 m of an empty street with one control."""
    monkeypatch.setattr(rollout, "plan_traffic", lambda *_: TrafficPlan([]))
    keypoints = tuple(Point(x, y, 0.0) for x, y in ROUTES["00"])
    route = Route(route_id="7", town="Borough01", file=Path("drawn.xml"), keypoints=keypoints)

    def drive(throttle: float, engine: Engine) -> tuple[DriveReport, Held]:
        agent = Held(throttle)
        request = DriveRequest(
            route=route, repetition=0, traffic_seed=1, traffic_manager_port=ports.traffic_manager, engine=engine
        )
        return drive_route(client, request, lambda: agent, lambda _: None), agent

    return drive


def test_standing_ends_a_drive_after_sixty_seconds(drive: Any) -> None:
    report, agent = drive(0.0, BENCH2DRIVE)
    kinds = [infraction.kind.value for infraction in report.outcome.infractions]
    assert (kinds, report.outcome.failure) == (["vehicle_blocked"], Failure.NONE)
    assert 60.0 < report.outcome.duration_sim_s < 60.2
    assert len(report.motion) == agent.ticks == report.ticks


@pytest.mark.parametrize("ticks", [1, 60])
def test_drive_is_cut_after_so_many_ticks_and_keeps_its_score(drive: Any, ticks: int) -> None:
    report, agent = drive(0.6, replace(BENCH2DRIVE, most_ticks=ticks))
    assert (report.outcome.failure, report.ticks, agent.ticks) == (Failure.TICK_RUNTIME, ticks, ticks)
    assert (report.outcome.completion_percent > 3.0) == (ticks == 60)
    assert len(report.motion) == ticks


def test_drive_that_arrives_before_the_last_tick_is_not_cut(drive: Any) -> None:
    arrived, _ = drive(0.6, replace(BENCH2DRIVE, most_ticks=None))
    assert (arrived.outcome.failure, arrived.outcome.completion_percent) == (Failure.NONE, 100.0)
    again, _ = drive(0.6, replace(BENCH2DRIVE, most_ticks=arrived.ticks + 1))
    assert again.outcome.failure is Failure.NONE
    assert again.trajectory_sha256 == arrived.trajectory_sha256
    cut, _ = drive(0.6, replace(BENCH2DRIVE, most_ticks=arrived.ticks))
    assert cut.outcome.failure is Failure.TICK_RUNTIME
    assert cut.outcome.completion_percent < 100.0


def test_leaderboard_20_logs_no_motion_and_no_speed_without_traffic(drive: Any) -> None:
    report, _ = drive(0.6, Engine())
    assert (report.motion, report.outcome.infractions) == ((), ())
    report, _ = drive(0.6, BENCH2DRIVE)
    assert {infraction.percentage for infraction in report.outcome.infractions} == {100}
