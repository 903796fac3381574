"""The embedded simulator and the unmodified `carla` client against each other.

Each module has one server, kept warm; each test gets a world in synchronous mode that was just loaded.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import carla
import pytest

from harness.jobs.ports import take_port_block
from harness.jobs.processes import end, harness_command, last_lines, start
from harness.supervisor import probe_version
from tests.contract import conformance

HERE = Path(__file__).parent
TOWN = "Borough01"
DT_S = 0.05
# A straight with two lanes each way and nothing but the lanes for 240 m: x forward, lane -2 of road 5.
STRAIGHT_X_M, STRAIGHT_Y_M = 480.0, -184.75
CAR = "vehicle.lincoln.mkz_2020"

if os.environ.get(conformance.FOLDER):
    conformance.install()
    # Programs that tests start note their calls as well.
    known = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "recording"), str(HERE.parents[1]), known])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.contract)
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@dataclass(frozen=True)
class Server:
    """A simulator process of ours: calls on `port`, the Traffic Manager of its clients on `traffic_port`."""

    port: int
    traffic_port: int
    pid: int
    log: Path

    def client(self) -> Any:
        client = carla.Client("127.0.0.1", self.port)
        client.set_timeout(10.0)
        return client


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a simulator with the options given; all end with the module."""
    started = []

    def start_server(*options: str) -> Server:
        block = take_port_block()
        log = tmp_path_factory.mktemp("simulator") / "log"
        # Should the client crash, which takes this process with it, the simulator ends too.
        arguments = ("--port", str(block.rpc), "--town", TOWN, "--parent", str(os.getpid()), *options)
        process = start(harness_command("simulator", *arguments), log)
        started.append((process, block))
        wait_until(
            lambda: probe_version("127.0.0.1", block.rpc, 0.5) is not None, f"no answer: {last_lines(log)}", 60.0
        )
        return Server(block.rpc, block.traffic_manager, process.pid, log)

    yield start_server
    gc.collect()  # clients that no test holds any more hang up now, not in the middle of another module
    for process, block in started:
        end(process)
        block.release()


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Return the simulator of this module; it keeps everything when clients leave, as CARLA does."""
    return serve()


@pytest.fixture(scope="module")
def client(server: Server) -> Any:
    """Return the client of this module."""
    return server.client()


@pytest.fixture
def world(client: Any) -> Any:
    """Return a world that was just loaded, in synchronous mode with ticks of 0.05 s, after its first tick."""
    world = client.load_world(TOWN)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    world.tick()
    return world


@pytest.fixture
def spawn(world: Any) -> Callable[..., Any]:
    """Return a function that spawns an actor; ``spawn("vehicle.mini.cooper_s", x=500.0, role_name="hero")``."""

    def spawn_actor(
        type_id: str = CAR,
        x: float = STRAIGHT_X_M,
        y: float = STRAIGHT_Y_M,
        *,
        z: float = 0.3,
        yaw: float = 0.0,
        parent: Any = None,
        **attributes: str,
    ) -> Any:
        blueprint = world.get_blueprint_library().find(type_id)
        for name, value in attributes.items():
            blueprint.set_attribute(name, value)
        pose = carla.Transform(carla.Location(x, y, z), carla.Rotation(yaw=yaw))
        return world.spawn_actor(blueprint, pose, attach_to=parent)

    return spawn_actor


@pytest.fixture
def listen(world: Any) -> Iterator[Callable[[Any], list[Any]]]:
    """Return a function that listens to the collisions of an actor; events arrive in the list it returns."""
    sensors = []

    def start(actor: Any) -> list[Any]:
        events: list[Any] = []
        sensor = attach(world, "sensor.other.collision", actor)
        sensor.listen(events.append)
        sensors.append(sensor)
        wait_for_connection(world)
        return events

    yield start
    for sensor in sensors:
        sensor.stop()
        sensor.destroy()


def wait_for_connection(world: Any) -> None:
    """Let the sensor's connection reach the server: the client opens it in another thread."""
    time.sleep(0.15)
    world.tick()


def attach(world: Any, type_id: str, parent: Any) -> Any:
    """Attach a sensor at the origin of an actor."""
    return world.spawn_actor(world.get_blueprint_library().find(type_id), carla.Transform(), attach_to=parent)


def tick(world: Any, count: int = 1) -> None:
    """Tick `count` times."""
    for _ in range(count):
        world.tick()


def wait_until(is_true: Callable[[], Any], otherwise: str, limit_s: float = 5.0) -> None:
    """Wait for something that happens in another thread or process."""
    deadline_s = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline_s, f"{otherwise} within {limit_s:g} s"
        time.sleep(0.005)


def xyz(vector: Any) -> tuple[float, float, float]:
    """Return a carla vector as a tuple."""
    return vector.x, vector.y, vector.z


def exists(world: Any, actor: Any) -> bool:
    """Return whether the server still has an actor; `is_alive` only knows what this very object was told."""
    return bool(world.get_snapshot().has_actor(actor.id))
