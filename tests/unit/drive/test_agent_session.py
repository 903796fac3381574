"""An agent at the wheel: the Leaderboard's order of calls, what it is handed, and who is to blame."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import carla
import pytest

from harness.datatypes.result import Failure
from harness.datatypes.route import Point
from harness.drive.agent_session import CLIENT_TIME_OUT, AgentSession
from harness.drive.agents import Agent, DriveContext, load_agent
from harness.drive.dense_route import DenseRoute, interpolate
from harness.drive.road_graph import RoadGraph

SCENE: Any = SimpleNamespace(frame=7, ego=SimpleNamespace(along_mps=3.0))


@pytest.fixture(scope="module")
def town(repository: Path) -> carla.Map:
    return carla.Map("Borough01", (repository / "routes/towns/Borough01.xodr").read_text())


@pytest.fixture(scope="module")
def route(town: carla.Map) -> DenseRoute:
    return interpolate([Point(220.0, -378.25, 0.0), Point(300.0, -378.25, 0.0)], RoadGraph(town))


@pytest.fixture
def context(town: carla.Map, route: DenseRoute) -> DriveContext:
    return DriveContext(hero="hero", world="world", carla_map=town, route=route, lights=[], stop_signs=[])


class Recorder:
    """Writes down what it is asked, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def set_global_plan(self, gps: list[Any], world: list[Any]) -> None:
        self.calls.append(("plan", (len(gps), len(world))))

    def setup(self, config: str) -> None:
        self.calls.append(("setup", config))

    def sensors(self) -> list[dict[str, Any]]:
        self.calls.append(("sensors", None))
        return [{"type": "sensor.speedometer", "id": "speed"}]

    def run_step(self, data: Any, timestamp: float) -> Any:
        self.calls.append(("step", (data, timestamp)))
        return carla.VehicleControl(throttle=0.5)

    def destroy(self) -> None:
        self.calls.append(("destroy", None))


def session(agent: Any, *, is_trusted: bool = False) -> AgentSession:
    return AgentSession(lambda: agent, "config", is_trusted=is_trusted)


def test_plan_comes_before_setup_and_is_dense(context: DriveContext, route: DenseRoute) -> None:
    agent = Recorder()
    driving = session(agent)
    assert driving.start(context)
    assert driving.control(SCENE, 1.5, context.carla_map).throttle == 0.5
    driving.stop()
    assert agent.calls == [
        ("plan", (len(route), len(route))),
        ("setup", "config"),
        ("sensors", None),
        ("step", ({"speed": (7, {"speed": 3.0})}, 1.5)),
        ("destroy", None),
    ]


def test_base_class_thins_the_plan(context: DriveContext, route: DenseRoute) -> None:
    agent = Agent()
    assert session(agent).start(context)
    assert 2 <= len(agent._global_plan_world_coord) == len(agent._global_plan) < len(route) / 2
    first, last = agent._global_plan_world_coord[0][0].location, agent._global_plan_world_coord[-1][0].location
    assert first.distance(last) == pytest.approx(route.length_m, abs=2.0)


class Raising(Recorder):
    def __init__(self, where: str, error: BaseException) -> None:
        super().__init__()
        self._where, self._error = where, error

    def setup(self, config: str) -> None:
        if self._where == "setup":
            raise self._error

    def run_step(self, data: Any, timestamp: float) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), RuntimeError("own fault")])
def test_what_a_users_agent_raises_is_its_failure(context: DriveContext, error: BaseException) -> None:
    broken = session(Raising("setup", error))
    assert not broken.start(context)
    assert broken.failure is Failure.AGENT_SETUP
    crashing = session(Raising("step", error))
    assert crashing.start(context)
    assert crashing.control(SCENE, 0.0, context.carla_map) is None
    assert crashing.failure is Failure.AGENT_CRASHED
    assert crashing.failure_detail == f"{type(error).__name__}: {error}"


def test_a_silent_server_is_not_the_agents_fault(context: DriveContext) -> None:
    error = RuntimeError(f"time-out of 30000ms {CLIENT_TIME_OUT}, make sure the simulator is ready")
    driving = session(Raising("step", error))
    assert driving.start(context)
    with pytest.raises(RuntimeError, match="time-out"):
        driving.control(SCENE, 0.0, context.carla_map)


def test_our_own_bugs_are_not_results(context: DriveContext) -> None:
    driving = session(Raising("step", ValueError("bug")), is_trusted=True)
    assert driving.start(context)
    with pytest.raises(ValueError, match="bug"):
        driving.control(SCENE, 0.0, context.carla_map)


def test_a_missing_sensor_is_named(context: DriveContext) -> None:
    class Looking(Recorder):
        def sensors(self) -> list[dict[str, Any]]:
            return [{"type": "sensor.camera.rgb", "id": "front"}]

    driving = session(Looking())
    assert not driving.start(context)
    assert driving.failure is Failure.AGENT_SENSORS
    assert driving.failure_detail.startswith("SensorError: the agent asks for sensor.camera.rgb, this version has")


@pytest.mark.parametrize("parameters", ["host, port", "host, port, debug"])
def test_constructors_get_the_address_of_the_simulator(tmp_path: Path, parameters: str) -> None:
    file = tmp_path / "placed.py"
    file.write_text(
        f"class Placed:\n    def __init__(self, {parameters}): self.address = (host, port)\n"
        "    def setup(self, config): pass\n    def sensors(self): return []\n    def run_step(self, data, t): pass\n"
    )
    agent: Any = load_agent(f"{file}:Placed", "carla.example", 21000)
    assert agent.address == ("carla.example", 21000)
