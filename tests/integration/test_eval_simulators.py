"""Simulators that die, and servers that were there before."""

from __future__ import annotations

import json

import pytest

from harness.jobs.ports import take_port_block
from tests.integration.evaluation import Evaluation, ended, wait_for, without_wall_clock

pytestmark = pytest.mark.timeout(180)
# The expert, but it leaves a file behind at its 100th tick.
MARKING = """
from pathlib import Path
from harness.drive.agents import ExpertAgent

class Marking(ExpertAgent):
    ticks = 0

    def drive(self, scene):
        self.ticks += 1
        if self.ticks == 100:
            Path("marked").touch()
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
    assert repeated.parent.name == "attempt_2"

    assert evaluation.run(*command, "--new").returncode == 0
    undisturbed = evaluation.results(evaluation.latest())["00"]
    assert undisturbed.parent.name == "attempt_1"
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
