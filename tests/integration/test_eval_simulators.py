"""Simulators that die, and servers that were there before."""

from __future__ import annotations

import json
import signal

import carla
import pytest

from harness.jobs.ports import take_port_block
from tests.integration.evaluation import (
    Evaluation,
    attempt_of,
    ended,
    outcomes,
    route_xml,
    wait_for,
    without_wall_clock,
)

pytestmark = pytest.mark.timeout(180)
# The expert, but it leaves a file behind at its 100th tick.
# The first one takes its time after the mark, so that a slow test still meets it on its way.
MARKING = """
import time
from pathlib import Path
from harness.drive.agents import ExpertAgent

class Marking(ExpertAgent):
    ticks = 0
    is_slow = False

    def drive(self, scene):
        self.ticks += 1
        if self.ticks == 100:
            self.is_slow = not Path("marked").exists()
            Path("marked").touch()
        if self.is_slow:
            time.sleep(0.03)
        return super().drive(scene)
"""


def test_killed_simulator_is_replaced_and_the_drive_repeated(evaluation: Evaluation) -> None:
    (evaluation.folder / "marking.py").write_text(MARKING)
    command = ("--only", "00", "--agent", "marking.py:Marking")
    marked = evaluation.folder / "marked"
    with ended(evaluation.start_eval(*command)) as process:
        wait_for(marked.exists, "the 100th tick")
        simulator = evaluation.process("simulator")
        assert simulator is not None
        simulator.kill()
        _, err = process.communicate(timeout=60.0)
    assert process.returncode == 0, err
    assert "00 seed 1: attempt 2" in err
    (run,) = evaluation.runs()
    repeated = evaluation.results(run)["00"]
    assert attempt_of(repeated).name == "attempt_2"
    assert outcomes(repeated.parent) == ["simulator crash", "result"]

    assert evaluation.run(*command, "--new").returncode == 0
    undisturbed = evaluation.results(evaluation.latest())["00"]
    assert attempt_of(undisturbed).name == "attempt_1"
    assert without_wall_clock(repeated) == without_wall_clock(undisturbed)


def test_server_that_is_already_running(evaluation: Evaluation) -> None:
    block = take_port_block()
    with ended(evaluation.start("simulator", "--port", str(block.rpc))) as server:
        assert server.stderr is not None
        assert server.stderr.readline().startswith(f"Borough01 is served on 127.0.0.1:{block.rpc}")
        with ended(evaluation.start_eval("--only", "00,01", "--sim", f"127.0.0.1:{block.rpc}")) as process:
            _, err = process.communicate(timeout=60.0)
        assert process.returncode == 0, err
        assert server.poll() is None
        assert [process.pid for process in evaluation.processes()] == [server.pid]
    block.release()

    own = evaluation.run("--only", "00,01")
    assert own.returncode == 0, own.stderr
    there, here = (
        {route: json.loads(without_wall_clock(file)) for route, file in evaluation.results(run).items()}
        for run in evaluation.runs()
    )
    for route in ("00", "01"):
        assert there[route]["harness"].pop("simulator") == "CARLA 0.9.16"
        assert here[route]["harness"].pop("simulator") == "embedded 0.9.16"
    assert there == here


@pytest.mark.soak  # the client notices after twenty seconds
def test_server_that_dies_ends_the_run_and_the_same_command_continues(evaluation: Evaluation) -> None:
    (evaluation.folder / "marking.py").write_text(MARKING)
    block = take_port_block()
    server_command = ("simulator", "--port", str(block.rpc))
    command = ("--only", "00,01", "--agent", "marking.py:Marking", "--sim", f"127.0.0.1:{block.rpc}")
    with ended(evaluation.start(*server_command)) as server:
        assert server.stderr is not None
        server.stderr.readline()
        with ended(evaluation.start_eval(*command)) as process:
            wait_for((evaluation.folder / "marked").exists, "the 100th tick")
            server.kill()
            out, _ = process.communicate(timeout=90.0)
    assert process.returncode == 3
    gone = f"no CARLA server answers at 127.0.0.1:{block.rpc} any more"
    assert f"stopped: {gone}; 0 of 2 drives have a result" in out
    assert f"no result: {gone}" in out
    (run,) = evaluation.runs()
    (began,) = run.glob("*/attempt_*")
    assert outcomes(began.parent) == ["simulator hang"]
    with ended(evaluation.start(*server_command)) as server:
        assert server.stderr is not None
        server.stderr.readline()
        with ended(evaluation.start_eval(*command)) as process:
            _, err = process.communicate(timeout=60.0)
    assert process.returncode == 0, err
    assert evaluation.runs() == [run]
    assert outcomes(began.parent) == ["simulator hang", "result"]
    block.release()


WEATHER = """<weathers>
<weather route_percentage="0" cloudiness="0"/><weather route_percentage="100" cloudiness="80"/>
</weathers>"""


def test_a_server_is_left_as_it_was_after_a_drive_and_after_an_interrupt(evaluation: Evaluation) -> None:
    (evaluation.folder / "marking.py").write_text(MARKING)
    changing = route_xml("00").replace("<waypoints>", WEATHER + "<waypoints>")
    (evaluation.routes / "00.xml").write_text(changing)
    block = take_port_block()
    where = ("--sim", f"127.0.0.1:{block.rpc}")
    with ended(evaluation.start("simulator", "--port", str(block.rpc))) as server:
        assert server.stderr is not None
        server.stderr.readline()
        command = ("--only", "00", "--agent", "marking.py:Marking", *where)
        with ended(evaluation.start_eval(*command)) as process:
            wait_for((evaluation.folder / "marked").exists, "the 100th tick")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60.0)
        assert process.returncode == 3
        client = carla.Client("127.0.0.1", block.rpc)
        client.set_timeout(20.0)
        assert_is_free(client)

        with ended(evaluation.start_eval("--only", "00", *where)) as process:
            _, err = process.communicate(timeout=60.0)
        assert process.returncode == 0, err
        assert_is_free(client)
        # The weather of the last percent of the route, not that of its beginning.
        assert 70.0 < client.get_world().get_weather().cloudiness <= 80.0
    block.release()


def assert_is_free(client: carla.Client) -> None:
    world = client.get_world()
    assert not world.get_settings().synchronous_mode
    world.wait_for_tick()
    assert not world.get_actors().filter("vehicle.*")
    assert not world.get_actors().filter("sensor.*")


def test_a_route_whose_town_the_server_does_not_have_is_named_before_anything_starts(evaluation: Evaluation) -> None:
    (evaluation.routes / "01.xml").write_text(route_xml("01").replace("Borough01", "Atlantis"))
    block = take_port_block()
    with ended(evaluation.start("simulator", "--port", str(block.rpc))) as server:
        assert server.stderr is not None
        server.stderr.readline()
        with ended(evaluation.start_eval("--only", "00,01", "--sim", f"127.0.0.1:{block.rpc}")) as process:
            _, err = process.communicate(timeout=60.0)
    assert process.returncode == 3
    assert err.startswith("route 01 cannot be driven: the server has no town Atlantis (has Borough01")
    block.release()
