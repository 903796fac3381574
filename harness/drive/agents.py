"""Agents: what drives the ego. Built in are `expert` and `constant`; anybody's own comes from a Python file.

The interface is the Leaderboard's: `setup(config)`, `sensors()`, `set_global_plan(gps, world)`, `run_step(input_data,
timestamp)`, `destroy()`. A class need not inherit from `Agent`; one that does also gets the hero vehicle and the map.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.drive.decision import Decision
from harness.drive.dense_route import DenseRoute, down_sample
from harness.drive.regulations import Light, StopSign
from harness.drive.scene import Scene
from harness.errors import AgentError

EXPERT = "expert"
BUILT_IN = (EXPERT, "constant")
CONSTANT_SPEED_MPS = 5.0
# Sensors that the evaluator makes itself, without an actor in the simulator.
PSEUDO_SENSORS = ("sensor.speedometer", "sensor.opendrive_map")
_MODULE_NAME = "harness_user_agent"


@dataclass(frozen=True, kw_only=True, eq=False)
class DriveContext:
    """What a privileged agent may know.

    Attributes:
        hero: carla.Vehicle.
        world: carla.World.
        carla_map: carla.Map.
        route: the dense route.
    """

    hero: Any
    world: Any
    carla_map: Any
    route: DenseRoute
    lights: list[Light]
    stop_signs: list[StopSign]


class DrivingAgent(Protocol):
    """What the rollout asks of an agent."""

    def setup(self, path_to_conf_file: str) -> None:
        """Prepare; called once, before the first tick."""

    def sensors(self) -> list[dict[str, Any]]:
        """Return the sensors wanted, as the Leaderboard describes them."""

    def set_global_plan(self, global_plan_gps: list[Any], global_plan_world_coord: list[Any]) -> None:
        """Receive the dense plan, before `setup`: ({lat, lon, z}, option) and (carla.Transform, option)."""

    def run_step(self, input_data: Mapping[str, tuple[int, Any]], timestamp: float) -> Any:
        """Return a carla.VehicleControl for this tick."""

    def destroy(self) -> None:
        """Release what was taken."""


class Agent:
    """Base class with the Leaderboard's attributes; every method may be overridden.

    Attributes:
        hero, world, carla_map: the vehicle to drive, its world and map (privileged; set before `setup`).
    """

    hero: Any = None
    world: Any = None
    carla_map: Any = None
    _route: DenseRoute | None = None

    def attach(self, context: DriveContext) -> None:
        """Receive the privileged view."""
        self.hero, self.world, self.carla_map = context.hero, context.world, context.carla_map
        self._route = context.route

    def setup(self, path_to_conf_file: str) -> None:
        """Prepare; called once, before the first tick."""

    def sensors(self) -> list[dict[str, Any]]:
        """Return the sensors wanted: none unless overridden."""
        return []

    def set_global_plan(self, global_plan_gps: list[Any], global_plan_world_coord: list[Any]) -> None:
        """Keep the plan under the Leaderboard's names, thinned to 200 m and every change of command as it does."""
        kept = range(len(global_plan_world_coord)) if self._route is None else down_sample(self._route)
        self._global_plan = [global_plan_gps[index] for index in kept]
        self._global_plan_world_coord = [global_plan_world_coord[index] for index in kept]

    def run_step(self, input_data: Mapping[str, tuple[int, Any]], timestamp: float) -> Any:
        """Return a carla.VehicleControl for this tick."""
        raise AgentError(f"{type(self).__name__} has no run_step, expected one that returns a carla.VehicleControl")

    def destroy(self) -> None:
        """Release what was taken."""


class ConstantAgent(Agent):
    """Straight on at 5 m/s: the floor that any policy must beat."""

    def run_step(self, input_data: Mapping[str, tuple[int, Any]], timestamp: float) -> Any:
        """Return full, no or a little throttle, whatever holds 5 m/s."""
        import carla

        from harness.drive.controllers import throttle_and_brake

        throttle, brake = throttle_and_brake(self.hero.get_velocity().length(), CONSTANT_SPEED_MPS)
        return carla.VehicleControl(throttle=throttle, steer=0.0, brake=float(brake))


class SceneAgent(Agent):
    """An agent of ours that drives from the true state of the world instead of sensors."""

    def drive(self, scene: Scene) -> Any:
        """Return a carla.VehicleControl for a scene; called instead of `run_step`."""
        raise AgentError(f"{type(self).__name__} has no drive, expected one that returns a carla.VehicleControl")


class ExpertAgent(SceneAgent):
    """The privileged expert of `harness.drive.expert`.

    Attributes:
        decision: of the last tick.
    """

    decision: Decision

    def attach(self, context: DriveContext) -> None:
        """Lay out the 10 cm route and what governs it."""
        from harness.drive.expert import Expert
        from harness.drive.privileged_route import build_privileged_route
        from harness.drive.regulations import lights_on_route, stop_signs_on_route

        super().attach(context)
        route = build_privileged_route(context.route, context.carla_map)
        box = context.hero.bounding_box.extent
        self.driver = Expert(
            route,
            lights=lights_on_route(route, context.lights),
            stop_signs=stop_signs_on_route(route, context.stop_signs),
            half_length_m=box.x,
            half_width_m=box.y,
        )

    def drive(self, scene: Scene) -> Any:
        """Return the control for a scene; the rollout calls this instead of `run_step`."""
        import carla

        self.decision = decision = self.driver.step(scene)
        return carla.VehicleControl(throttle=decision.throttle, steer=decision.steer, brake=float(decision.brake))


def load_agent(spec: str, host: str = "127.0.0.1", port: int = 2000) -> DrivingAgent:
    """Return a new agent.

    Args:
        spec: ``expert``, ``constant``, ``path/to/file.py:ClassName``, or ``path/to/file.py`` with a Leaderboard
            ``get_entry_point()``.
        host, port: of the simulator, for constructors that ask for them.

    Raises:
        AgentError: the file is missing, does not import, has no such class, or the class cannot be called.
    """
    if spec in BUILT_IN:
        return ExpertAgent() if spec == EXPERT else ConstantAgent()
    file_name, _, class_name = spec.partition(":")
    path = Path(file_name)
    module = _import_file(path)
    if not class_name:
        class_name = _entry_point(module, path)
    made = getattr(module, class_name, None)
    if not inspect.isclass(made):
        names = [
            name for name, value in vars(module).items() if inspect.isclass(value) and value.__module__ == _MODULE_NAME
        ]
        raise AgentError(
            f"agent class {class_name!r} not in {path} (has {', '.join(names) or 'no class'})",
            hint=f"AGENT={path}:ClassName",
        )
    with _users_code(f"agent {class_name} in {path} cannot be made", path):
        agent = _construct(made, host, port)
    missing = [name for name in ("setup", "sensors", "run_step") if not callable(getattr(agent, name, None))]
    if missing:
        raise AgentError(
            f"agent {class_name} in {path} has no {', '.join(missing)}; expected the Leaderboard's agent interface",
            hint="from harness.drive.agents import Agent; class MyAgent(Agent): ...",
        )
    return agent  # type: ignore[no-any-return]


def check_agent_spec(spec: str) -> None:
    """Refuse a specification that cannot name an agent, without importing anything.

    Raises:
        AgentError: neither a built-in name nor an existing Python file.
    """
    path = spec.partition(":")[0]
    if spec in BUILT_IN or (path.endswith(".py") and Path(path).is_file()):
        return
    found = "no such file" if path.endswith(".py") else "neither a built-in agent nor a .py file"
    raise AgentError(
        f"agent {spec!r}: {found}, expected {', '.join(BUILT_IN)} or path/to/file.py:ClassName",
        hint="make eval AGENT=expert",
    )


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise AgentError(f"agent file {path} not found, expected a Python file", hint="AGENT=path/to/file.py:ClassName")
    spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE_NAME] = module
    sys.path.insert(0, str(path.parent.resolve()))
    with _users_code(f"agent file {path} does not import", path):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _users_code(what_failed: str, path: Path) -> Iterator[None]:
    """Name whatever a user's file raises, `sys.exit()` included."""
    try:
        yield
    except BaseException as error:
        raise AgentError(f"{what_failed}: {type(error).__name__}: {error}", hint=f"python3 {path}") from error


def _entry_point(module: Any, path: Path) -> str:
    entry = getattr(module, "get_entry_point", None)
    if not callable(entry):
        raise AgentError(
            f"{path} has no get_entry_point(), expected one or a class name", hint=f"AGENT={path}:ClassName"
        )
    with _users_code(f"get_entry_point() of {path} fails", path):
        return str(entry())


def _construct(made: Any, host: str, port: int) -> Any:
    """Call a constructor with no arguments, or with the Leaderboard's (host, port[, debug])."""
    required = [
        parameter
        for parameter in inspect.signature(made).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return made(*(host, port, False)[: len(required)]) if len(required) in (2, 3) else made()
