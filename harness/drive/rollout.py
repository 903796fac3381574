"""Drive one route: set up the world, tick it until the route ends, tell what happened.

This is the same line of code on the embedded simulator and on real CARLA: everything goes through the `carla` client.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.datatypes.result import Failure, RouteOutcome
from harness.datatypes.route import Route
from harness.drive.agent_session import AgentSession
from harness.drive.agents import DriveContext, DrivingAgent
from harness.drive.criteria.collision import Contact, Moment, judge
from harness.drive.criteria.route_criteria import RouteCriteria
from harness.drive.dense_route import interpolate
from harness.drive.motion import Motion, read_motion
from harness.drive.recording import Recorder
from harness.drive.regulations import Light, StopSign, around_route, read_lights, read_stop_signs
from harness.drive.road_graph import RoadGraph
from harness.drive.scene import HERO_ROLE, Scene, SceneReader
from harness.drive.ticking import Ticker
from harness.drive.traffic import plan_traffic, spawn_traffic, traffic_models
from harness.errors import RouteError, SimError
from harness.metrics.engine import LEADERBOARD_20, Engine
from harness.routes import weather_at

TICK_S = 0.05
HERO_MODEL = "vehicle.lincoln.mkz_2020"
SPAWN_HEIGHT_M = 0.5
# The client hears of contacts on its own threads; after the last tick they get this long to arrive.
CONTACT_GRACE_S = 0.2
PROGRESS_EVERY_S = 0.5
# A large town takes real CARLA a minute to load; everything else answers at once or not at all.
LOAD_TIMEOUT_S, CLIENT_TIMEOUT_S = 120.0, 30.0


@dataclass(frozen=True, kw_only=True)
class DriveRequest:
    """What to drive.

    Attributes:
        repetition: of the route in the run; part of the record's route id.
        traffic_seed: of the background traffic.
        traffic_manager_port: free port for the Traffic Manager.
        config: text passed to the agent's `setup`.
        is_agent_trusted: the agent is one of ours; its exceptions are bugs and not results.
        engine: what the rules want of the drive.
    """

    route: Route
    repetition: int
    traffic_seed: int
    traffic_manager_port: int
    config: str = ""
    is_agent_trusted: bool = False
    engine: Engine = LEADERBOARD_20


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a route is."""

    percent: float
    sim_s: float


@dataclass(frozen=True, kw_only=True)
class DriveReport:
    """What happened, for the result file.

    Attributes:
        failure_detail: what broke, in the words of the exception.
        not_built_scenarios: scenario type -> how many of them the route asks for and this version cannot play.
        trajectory_sha256: over the pose and speed of the ego at every tick.
        motion: of the ego at every tick that the agent drove; empty unless the rules want it.
    """

    outcome: RouteOutcome
    failure_detail: str
    not_built_scenarios: dict[str, int]
    ticks: int
    traffic_vehicles: int
    trajectory_sha256: str
    motion: tuple[Motion, ...]


def drive_route(
    client: Any,
    request: DriveRequest,
    make_agent: Callable[[], DrivingAgent],
    on_progress: Callable[[Progress], None],
    recorder: Recorder | None = None,
) -> DriveReport:
    """Drive a route with an agent and return what happened.

    Args:
        client: carla.Client, connected.
        make_agent: builds the agent; its exceptions make the route fail, not the run.
        on_progress: called twice a second.
        recorder: sees every tick; needs the expert as agent.

    Raises:
        ConfigError: there is a recorder and the agent is not the expert.
        SimError: the simulator does not answer or refuses what the route needs.
        RouteError: the route does not fit its town.
    """
    try:
        with _prepared_world(client, request.route.town) as (world, ticker):
            return _Drive(client, world, ticker, request, make_agent, on_progress, recorder).run()
    except RuntimeError as error:
        # The client raises RuntimeError for time-outs and for whatever the server refuses.
        raise SimError(f"the simulator failed on route {request.route.route_id}: {error}") from error


@contextmanager
def _prepared_world(client: Any, town: str) -> Iterator[tuple[Any, Ticker]]:
    """Load a town in synchronous mode, at time zero; leave the server with its own settings, but asynchronous.

    After a RuntimeError nothing is restored: that is how the client says that the server does not answer.
    """
    client.set_timeout(LOAD_TIMEOUT_S)
    world = client.get_world()
    before = world.get_settings()
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = TICK_S
    settings.deterministic_ragdolls = True
    world.apply_settings(settings)
    before.synchronous_mode = False
    try:
        world = client.load_world(town, False)
    except RuntimeError:
        raise
    except BaseException:
        client.get_world().apply_settings(before)
        raise
    client.set_timeout(CLIENT_TIMEOUT_S)
    ticker = Ticker(world)
    try:
        yield world, ticker
    except RuntimeError:
        raise
    except BaseException:
        ticker.apply_settings(before)
        raise
    else:
        ticker.apply_settings(before)
    finally:
        ticker.close()


class _Drive:
    """One route on a prepared world."""

    def __init__(
        self,
        client: Any,
        world: Any,
        ticker: Ticker,
        request: DriveRequest,
        make_agent: Callable[[], DrivingAgent],
        on_progress: Callable[[Progress], None],
        recorder: Recorder | None,
    ) -> None:
        self._client = client
        self._world = world
        self._request = request
        self._agent = AgentSession(make_agent, request.config, is_trusted=request.is_agent_trusted)
        self._on_progress = on_progress
        self._recorder = recorder
        self._map = world.get_map()
        self._route = interpolate(request.route.keypoints, RoadGraph(self._map))
        self._ticker = ticker
        self._contacts: list[Contact] = []
        self._moments: dict[int, Moment] = {}
        self._digest = hashlib.sha256()
        self._ticks = 0
        self._is_cut = False
        self._motion: list[Motion] = []
        self._weather_percent = 0
        self._spawned: list[Any] = []
        self._contact_sensor: Any = None

    def run(self) -> DriveReport:
        started_s = time.monotonic()
        try:
            self._set_up()
            last = self._tick_until_the_end() if self._start_agent() else self._read()
            self._agent.stop()
            time.sleep(CONTACT_GRACE_S)
            report = self._report(last, time.monotonic() - started_s)
        except RuntimeError:
            raise
        except BaseException:
            self._clean_up()
            raise
        self._clean_up()
        return report

    # --- before the first tick ---------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        self._set_weather(weather_at(self._request.route, 0.0))
        self._hero = self._spawn_hero()
        plan = plan_traffic(
            self._route, self._map.get_spawn_points(), traffic_models(self._world), self._request.traffic_seed
        )
        traffic = spawn_traffic(
            self._client,
            self._world,
            plan,
            self._request.traffic_manager_port,
            self._request.traffic_seed,
            self._ticker,
        )
        self._spawned += traffic
        self._traffic_vehicles = len(traffic)
        self._watch_contacts()
        self._ticker.tick()
        actors = list(self._world.get_actors())
        signals = around_route([actor for actor in actors if actor.type_id.startswith("traffic.")], self._route)
        lights = [actor for actor in signals if actor.type_id == "traffic.traffic_light"]
        self._lights: list[Light] = read_lights(lights)
        self._signs: list[StopSign] = read_stop_signs(signals)
        solid = [
            actor
            for actor in actors
            if actor.type_id.startswith(("vehicle.", "walker.", "static.prop.")) and actor.id != self._hero.id
        ]
        self._reader = SceneReader(self._hero, solid, lights)
        first = self._read()
        self._start_time_s = first.time_s
        self._criteria = RouteCriteria(
            self._request.engine,
            self._route,
            self._map,
            first,
            half_length_m=self._hero.bounding_box.extent.x,
            lights=self._lights,
            signs=self._signs,
        )

    def _spawn_hero(self) -> Any:
        blueprint = self._world.get_blueprint_library().find(HERO_MODEL)
        blueprint.set_attribute("role_name", HERO_ROLE)
        pose = self._route.transform(0)
        pose.location.z += SPAWN_HEIGHT_M
        hero = self._world.try_spawn_actor(blueprint, pose)
        if hero is None:
            raise RouteError(
                f"the hero cannot be spawned at the start of route {self._request.route.route_id}, expected free road"
            )
        self._spawned.append(hero)
        return hero

    def _watch_contacts(self) -> None:
        import carla

        blueprint = self._world.get_blueprint_library().find("sensor.other.collision")
        self._contact_sensor = self._world.spawn_actor(blueprint, carla.Transform(), attach_to=self._hero)
        contacts = self._contacts
        self._contact_sensor.listen(
            lambda event: contacts.append(Contact(event.frame, event.other_actor.id, event.other_actor.type_id))
        )

    def _start_agent(self) -> bool:
        context = DriveContext(
            hero=self._hero,
            world=self._world,
            carla_map=self._map,
            route=self._route,
            lights=self._lights,
            stop_signs=self._signs,
        )
        is_ready = self._agent.start(context)
        if is_ready and self._recorder is not None:
            self._recorder.begin(context, self._agent.expert.driver)
        return is_ready

    # --- ticking -----------------------------------------------------------------------------------------------------

    def _tick_until_the_end(self) -> Scene:
        shown_s = time.monotonic()
        engine = self._request.engine
        while True:
            scene = self._read()
            if self._ticks == engine.most_ticks:
                self._is_cut = True  # before the tick is judged, as in the fork that has the limit
                return scene
            time_s = scene.time_s - self._start_time_s
            if self._judge(scene, time_s):
                return scene
            control = self._agent.control(scene, time_s, self._map)
            if control is None:
                return scene
            if self._recorder is not None:
                self._recorder.observe(scene, self._agent.expert.decision, self._weather)
            if engine.logs_motion:
                self._motion.append(read_motion(self._hero))
            self._hero.apply_control(control)
            self._follow_weather()
            self._ticker.tick()
            self._ticks += 1
            if time.monotonic() - shown_s >= PROGRESS_EVERY_S:
                shown_s = time.monotonic()
                self._on_progress(Progress(percent=self._criteria.completion_percent, sim_s=time_s))

    def _follow_weather(self) -> None:
        """Set the weather of this share of the route, in steps of one percent."""
        percent = int(self._criteria.completion_percent)
        if percent != self._weather_percent:
            self._weather_percent = percent
            weather = weather_at(self._request.route, float(percent))
            if weather != self._weather:
                self._set_weather(weather)

    def _set_weather(self, weather: dict[str, float]) -> None:
        import carla

        self._weather = weather
        self._world.set_weather(carla.WeatherParameters(**weather))

    def _read(self) -> Scene:
        return self._reader.read(self._world.get_snapshot())

    def _judge(self, scene: Scene, time_s: float) -> bool:
        """Show the tick to every criterion; True when the route is over."""
        ego = scene.ego
        self._moments[scene.frame] = Moment(time_s, ego)
        self._digest.update(struct.pack("<5d", ego.x_m, ego.y_m, ego.z_m, ego.yaw_rad, ego.speed_mps))
        return self._criteria.update(scene, time_s)

    # --- afterwards --------------------------------------------------------------------------------------------------

    def _report(self, last: Scene, wall_s: float) -> DriveReport:
        time_s = last.time_s - self._start_time_s
        self._criteria.finish(last, time_s)
        outcome = RouteOutcome(
            route_id=f"RouteScenario_{self._request.route.route_id}_rep{self._request.repetition}",
            route_length_m=self._route.length_m,
            completion_percent=self._criteria.completion_percent,
            infractions=self._criteria.infractions(judge(self._contacts, self._moments)),
            failure=Failure.TICK_RUNTIME if self._is_cut else self._agent.failure,
            duration_sim_s=round(self._ticks * TICK_S, 3),
            duration_wall_s=wall_s,
        )
        types = Counter(scenario.type for scenario in self._request.route.scenarios)
        return DriveReport(
            outcome=outcome,
            failure_detail=self._agent.failure_detail,
            not_built_scenarios=dict(sorted(types.items())),
            ticks=self._ticks,
            traffic_vehicles=self._traffic_vehicles,
            trajectory_sha256=self._digest.hexdigest(),
            motion=tuple(self._motion),
        )

    def _clean_up(self) -> None:
        """Take away what this drive has spawned."""
        import carla

        if self._contact_sensor is not None:
            self._contact_sensor.stop()
            self._contact_sensor.destroy()
        batch = [carla.command.DestroyActor(actor.id) for actor in reversed(self._spawned)]
        self._client.apply_batch_sync(batch, False)
        # In this tick the Traffic Manager forgets its vehicles. Whoever sets the world free next makes it work once
        # more (`apply_settings` does, in client 0.9.16) while new states arrive: of vehicles that vanish meanwhile it
        # would read numbers that nobody has written, and abort.
        self._ticker.tick()
