"""A folder to evaluate in, and a simulator for drives in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.jobs.ports import PortBlock, take_port_block
from harness.supervisor import EmbeddedSimulator
from tests.integration.evaluation import Evaluation


@pytest.fixture
def evaluation(tmp_path: Path, repository: Path) -> Iterator[Evaluation]:
    """Return a folder to evaluate in; processes that a failing test leaves there are killed."""
    folder = tmp_path / "work"
    folder.mkdir()
    made = Evaluation(folder, tmp_path / "data", repository)
    yield made
    for process in made.processes():
        process.kill()


@pytest.fixture(scope="module")
def ports() -> Iterator[PortBlock]:
    """Return ports that nobody else has."""
    block = take_port_block()
    yield block
    block.release()


@pytest.fixture(scope="module")
def simulator(ports: PortBlock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSimulator]:
    """Return a simulator that has Borough01 loaded."""
    made = EmbeddedSimulator(ports.rpc, [], tmp_path_factory.mktemp("simulator") / "log")
    made.ensure_running("Borough01")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def client(simulator: EmbeddedSimulator, ports: PortBlock) -> Any:
    """Return a carla.Client of it."""
    import carla

    connected = carla.Client("127.0.0.1", ports.rpc)
    connected.set_timeout(20.0)
    return connected
