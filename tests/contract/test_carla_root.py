"""`$(harness carla-root)` in the place of CARLA's folder: scripts start, drive and end the server as they are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import carla
import psutil
import pytest

from harness.commands.carla_root import CARLA_ROOT
from harness.jobs.ports import PortBlock, take_port_block
from harness.supervisor import listens, probe_version
from tests.contract.conftest import CAR, DT_S, TOWN, wait_until

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def block() -> Iterator[PortBlock]:
    block = take_port_block()
    yield block
    block.release()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a script: another Python is active, and the folder is on PYTHONPATH."""
    (tmp_path / "other" / "bin").mkdir(parents=True)
    (tmp_path / "other" / "numpy.py").write_text("raise ImportError('of another environment')")
    python = tmp_path / "other" / "bin" / "python3"
    python.write_text("#!/bin/sh\nexit 9\n")
    python.chmod(0o755)
    root = f"{CARLA_ROOT}/PythonAPI"
    api = f"{root}:{root}/carla:{root}/carla/dist/carla-0.9.15-py3.7-linux-x86_64.egg:{tmp_path}/other"
    kept = {name: value for name, value in os.environ.items() if name not in ("HARNESS_PYTHON", "VIRTUAL_ENV")}
    return kept | {"PATH": f"{tmp_path}/other/bin:/usr/bin:/bin", "PYTHONPATH": api, "PYTHONHOME": "/nowhere"}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a command line through the shell, as the leader of a group, in an empty folder."""
    started = []

    def run(line: str) -> subprocess.Popen[str]:
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            line, shell=True, start_new_session=True, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _drive(port: int, count: int) -> Any:
    """Spawn a car and drive it a few ticks; return the world."""
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(10.0)
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DT_S
    world.apply_settings(settings)
    world.tick()
    points = world.get_map().get_spawn_points()
    car = world.spawn_actor(world.get_blueprint_library().find(CAR), points[0])
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(count):
        world.tick()
    assert car.get_location().distance(points[0].location) > 0.5
    return world


def _answers(port: int) -> bool:
    return probe_version("127.0.0.1", port, 0.5) is not None


def test_a_script_starts_it_drives_and_kills_its_group(start: Start, block: PortBlock, tmp_path: Path) -> None:
    # As Bench2Drive does: a path of its own, the shell, a group, and SIGKILL to that group.
    root = tmp_path / "folder with spaces"
    root.symlink_to(CARLA_ROOT)
    process = start(
        f'"{root}/CarlaUE4.sh" {TOWN} -RenderOffScreen -nosound -carla-rpc-port={block.rpc} '
        f"-carla-streaming-port=0 -graphicsadapter=7 -new-flag=1"
    )
    wait_until(lambda: _answers(block.rpc), "the server answers", 20.0)
    world = _drive(block.rpc, 20)
    assert world.get_map().name == f"Carla/Maps/{TOWN}"
    (server,) = [found for found in psutil.process_iter() if _is_server(found, block.rpc)]
    # What scripts look for that clean up after themselves.
    assert server.name().startswith("CarlaUE4-Linux-")
    assert "-graphicsadapter=7" in server.cmdline()
    assert not server.children()

    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(5.0) == -signal.SIGKILL
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the server has ended")
    assert process.stderr is not None
    said = process.stderr.read().splitlines()
    assert said[0] == "warning: -new-flag=1 is unknown to this server and has no effect"
    assert len(said) == 2 and f"served on 127.0.0.1:{block.rpc}" in said[1]


def _is_server(process: psutil.Process, port: int) -> bool:
    try:
        return f"-carla-rpc-port={port}" in process.cmdline()
    except psutil.Error:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_the_process_that_was_started_is_the_server_and_ends_when_told(
    start: Start, block: PortBlock, number: signal.Signals
) -> None:
    process = start(f"exec sh {CARLA_ROOT}/CarlaUE4.sh /Game/Carla/Maps/{TOWN} -p {block.rpc}")
    wait_until(lambda: _answers(block.rpc), "the server answers", 20.0)
    assert listens(process.pid, block.rpc) and listens(process.pid, block.rpc + 1)
    assert not psutil.Process(process.pid).children()
    with socket.create_connection(("127.0.0.1", block.rpc)):  # an open connection does not keep it
        os.kill(process.pid, number)
        assert process.wait(5.0) == 0


def test_what_cannot_work_ends_at_once_with_one_line(start: Start, block: PortBlock) -> None:
    with socket.create_server(("127.0.0.1", block.rpc)):
        process = start(f"exec {CARLA_ROOT}/CarlaUE4.sh {TOWN} -carla-rpc-port={block.rpc} -RenderOffScreen")
        _, said = process.communicate(timeout=60.0)
    assert process.returncode == 1
    assert said.startswith(f"error: port {block.rpc} on 127.0.0.1 cannot be used") and said.count("\n") == 1
    process = start(f"exec {CARLA_ROOT}/CarlaUE4.sh Atlantis")
    _, said = process.communicate(timeout=60.0)
    assert process.returncode == 2
    assert "town 'Atlantis' not found (has " in said and TOWN in said and said.count("\n") == 1


def test_the_command_prints_the_folder_and_the_client_stays_importable(environment: dict[str, str]) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "harness", "carla-root"], capture_output=True, text=True, check=True, timeout=60.0
    )
    assert printed.stdout == f"{CARLA_ROOT}\n"
    root = f"{CARLA_ROOT}/PythonAPI"
    found = subprocess.run(
        [sys.executable, "-c", "import carla; print(carla.__file__, carla.Client)"],
        env=environment | {"PYTHONPATH": f"{root}:{root}/carla", "PYTHONHOME": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60.0,
    )
    assert str(Path(carla.__file__)) in found.stdout
