"""An agent at the wheel of one route: made, told its plan, asked for a control each tick, and blamed for what it
raises."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from typing import Any

from harness.datatypes.result import Failure
from harness.drive.agents import PSEUDO_SENSORS, Agent, DriveContext, DrivingAgent, ExpertAgent, SceneAgent
from harness.drive.dense_route import to_gps
from harness.drive.scene import Scene
from harness.errors import AgentError, ConfigError, Interrupted, SensorError

# How the client begins when it gives up on a server.
CLIENT_TIME_OUT = "time-out of "


class AgentSession:
    """One agent on one route.

    Args:
        make_agent: builds the agent.
        config: text for its `setup`.
        is_trusted: its exceptions are our own bugs and are not caught.

    Attributes:
        failure: what went wrong; NONE while nothing did.
        failure_detail: in the words of the exception.
    """

    def __init__(self, make_agent: Callable[[], DrivingAgent], config: str, *, is_trusted: bool) -> None:
        self._make_agent = make_agent
        self._config = config
        self._is_trusted = is_trusted
        self._agent: DrivingAgent | None = None
        self._sensors: dict[str, str] = {}
        self.failure = Failure.NONE
        self.failure_detail = ""

    # Whatever an agent raises is its own, KeyboardInterrupt included: the job has a session of its own, so a key that
    # somebody presses never reaches it, and what ends the job from outside is `Interrupted`.

    def start(self, context: DriveContext) -> bool:
        """Make the agent and tell it what it may know, in the Leaderboard's order: plan, set-up, sensors.

        Returns:
            Whether it is ready to drive.
        """
        try:
            self._agent = agent = self._make_agent()
            if isinstance(agent, Agent):
                agent.attach(context)
            if callable(set_plan := getattr(agent, "set_global_plan", None)):
                set_plan(to_gps(context.route, context.carla_map), context.route.plan())
            agent.setup(self._config)
            self._sensors = accepted_sensors(agent.sensors())
        except SensorError as error:
            self._blame(Failure.AGENT_SENSORS, error)
        except BaseException as error:
            self._blame(Failure.AGENT_SETUP, error)
        return self.failure is Failure.NONE

    def control(self, scene: Scene, time_s: float, carla_map: Any) -> Any | None:
        """Return the agent's carla.VehicleControl for a tick, None if it failed."""
        try:
            return self._ask(scene, time_s, carla_map)
        except BaseException as error:
            self._blame(Failure.AGENT_CRASHED, error)
            return None

    @property
    def expert(self) -> ExpertAgent:
        """The agent, if it is the expert.

        Raises:
            ConfigError: it is another one, whose plans nobody knows.
        """
        if not isinstance(self._agent, ExpertAgent):
            raise ConfigError(
                f"the drive of {type(self._agent).__name__} cannot be recorded, expected the expert",
                hint="leave AGENT out to record the expert",
            )
        return self._agent

    def stop(self) -> None:
        """Let the agent release what it took; the drive is over and judged, so nothing it raises can change it."""
        try:
            if callable(destroy := getattr(self._agent, "destroy", None)):
                destroy()
        except Interrupted:
            raise
        except BaseException as error:
            traceback.print_exception(error)

    def _ask(self, scene: Scene, time_s: float, carla_map: Any) -> Any:
        import carla

        if isinstance(self._agent, SceneAgent):
            return self._agent.drive(scene)
        assert self._agent is not None
        data: dict[str, tuple[int, Any]] = {}
        for name, kind in self._sensors.items():
            if kind == "sensor.speedometer":
                data[name] = (scene.frame, {"speed": scene.ego.along_mps})
            else:
                data[name] = (scene.frame, {"opendrive": carla_map.to_opendrive()})
        control = self._agent.run_step(data, time_s)
        if not isinstance(control, carla.VehicleControl):
            raise AgentError(f"run_step returned {type(control).__name__}, expected carla.VehicleControl")
        if not all(math.isfinite(value) for value in (control.throttle, control.steer, control.brake)):
            raise AgentError(
                f"run_step returned throttle {control.throttle}, steer {control.steer}, brake {control.brake}, "
                "expected finite numbers"
            )
        control.manual_gear_shift = False
        return control

    def _blame(self, failure: Failure, error: BaseException) -> None:
        """Keep what an agent did wrong; a time-out of the client is the simulator's fault, whoever was calling."""
        is_servers_fault = isinstance(error, RuntimeError) and str(error).startswith(CLIENT_TIME_OUT)
        if self._is_trusted or is_servers_fault or isinstance(error, Interrupted):
            raise error
        self.failure = failure
        self.failure_detail = f"{type(error).__name__}: {error}"
        traceback.print_exception(error)


def accepted_sensors(wanted: list[dict[str, Any]]) -> dict[str, str]:
    """Return sensor id -> type of the sensors an agent asks for.

    Raises:
        SensorError: one is not among those that this version has.
    """
    accepted = {}
    for sensor in wanted:
        kind = str(sensor.get("type", ""))
        if kind not in PSEUDO_SENSORS:
            raise SensorError(
                f"the agent asks for {kind or 'a sensor without type'}, this version has {', '.join(PSEUDO_SENSORS)}"
            )
        accepted[str(sensor.get("id", kind))] = kind
    return accepted
