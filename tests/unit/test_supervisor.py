"""A simulator is ready when our own process answers, not when anybody does."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from harness import supervisor
from harness.errors import SimError
from harness.supervisor import EmbeddedSimulator, listens

ENDS = "import sys; sys.exit('error: the port is taken')"
LISTENS = """
import signal, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    signal.pause()
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def simulator(port: int, program: str, folder: Path, patch: pytest.MonkeyPatch) -> EmbeddedSimulator:
    """Return a simulator whose process is a program, at a port where somebody answers as CARLA does."""
    patch.setattr(supervisor, "harness_command", lambda *_: [sys.executable, "-c", program, str(port)])
    patch.setattr(supervisor, "probe_version", lambda *_: "0.9.16")
    return EmbeddedSimulator(port, [], folder / "log")


def test_another_process_that_answers_does_not_make_it_ready(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulator(port, ENDS, tmp_path, monkeypatch)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SimError, match="ended with code 1 at its start: the port is taken"),
    ):
        made.ensure_running("Borough01")
    assert not made.is_alive()


def test_simulator_that_never_listens_is_told_from_the_process_that_answers(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulator(port, "import signal; signal.pause()", tmp_path, monkeypatch)
    monkeypatch.setattr(supervisor, "START_LIMIT_S", 0.2)
    with pytest.raises(SimError, match=rf"no answer from 127.0.0.1:{port}, where another process answers, within"):
        made.ensure_running("Borough01")
    assert not made.is_alive()


def test_own_process_that_answers_is_ready_and_is_kept(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulator(port, LISTENS, tmp_path, monkeypatch)
    try:
        made.ensure_running("Borough01")
        first = made._process
        made.ensure_running("Borough01")
        assert made._process is first and made.is_alive()
    finally:
        made.stop()


def test_process_listens_at_its_own_ports_only(port: int) -> None:
    assert not listens(os.getpid(), port)
    with socket.create_server(("127.0.0.1", port)):
        assert listens(os.getpid(), port)
        assert not listens(os.getppid(), port)
    assert not listens(2**22 + 1, port)
