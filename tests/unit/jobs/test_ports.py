"""A block of ports has one owner on the machine, whoever lives and dies."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from harness.errors import JobError
from harness.jobs import ports
from harness.jobs.ports import BLOCK_SIZE, lock_server, take_port_block

# Every worker of pytest-xdist has a range of its own, above the one that simulators of other tests use.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
FIRST_PORT = ports.LAST_PORT + 10 + 100 * WORKER
LOCK_NAMES = f"carla-harness-test-{os.getpid()}"
TAKE_AND_TELL = f"""
from harness.jobs import ports
ports.FIRST_PORT, ports.LAST_PORT, ports.LOCK_NAMES = {FIRST_PORT}, {FIRST_PORT + 100}, {LOCK_NAMES!r}
block = ports.take_port_block()
print(block.rpc, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def own_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests that run side by side have ports and locks of their own."""
    monkeypatch.setattr(ports, "LOCK_NAMES", LOCK_NAMES)
    monkeypatch.setattr(ports, "FIRST_PORT", FIRST_PORT)
    monkeypatch.setattr(ports, "LAST_PORT", FIRST_PORT + 100)


@contextmanager
def other_process(repository: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a process that takes a block and keeps it; yields it and its first port."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_TELL], cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_a_block_holds_ports_for_everything_a_worker_needs() -> None:
    block = take_port_block()
    assert block.first <= block.rpc < block.rpc + 1 < block.traffic_manager < block.first + BLOCK_SIZE
    block.release()


def test_two_processes_never_have_the_same_block(repository: Path) -> None:
    mine = take_port_block()
    with other_process(repository) as (_, first), other_process(repository) as (_, second):
        assert len({mine.first, first, second}) == 3
    mine.release()


def test_one_process_can_have_several_blocks() -> None:
    blocks = [take_port_block() for _ in range(4)]
    assert len({block.first for block in blocks}) == 4
    for block in blocks:
        block.release()


def test_released_block_is_free_again() -> None:
    first = take_port_block()
    first.release()
    second = take_port_block()
    assert second.first == first.first
    second.release()


def test_block_of_a_killed_process_is_free_again(repository: Path) -> None:
    with other_process(repository) as (process, taken):
        mine = take_port_block()
        assert mine.first != taken
        mine.release()
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = take_port_block()
        assert again.first == taken
        again.release()


@pytest.mark.parametrize("offset", [0, 1, 5])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_block_that_somebody_listens_in_is_skipped(offset: int, host: str) -> None:
    free = take_port_block()
    free.release()
    with socket.create_server((host, free.first + offset)):
        other = take_port_block()
        assert other.first > free.first
        other.release()


def test_no_free_block_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    held = take_port_block()
    monkeypatch.setattr(ports, "FIRST_PORT", held.first)
    monkeypatch.setattr(ports, "LAST_PORT", held.first + BLOCK_SIZE)
    with pytest.raises(JobError, match="no free block of 10 ports between") as caught:
        take_port_block()
    assert caught.value.hint == "ss -ltn shows what listens"
    held.release()


def test_processes_with_folders_of_their_own_for_temporary_files_have_different_blocks(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = take_port_block()
    other = tmp_path / "scratch of another job"
    other.mkdir()
    monkeypatch.setenv("TMPDIR", str(other))
    with other_process(repository) as (_, taken):
        assert taken != mine.first
    mine.release()


def test_machine_without_such_locks_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):
        def bind(self, _: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(ports.socket, "socket", Forbidden)
    with pytest.raises(JobError, match=r"cannot bind the abstract Unix socket .*Operation not permitted"):
        take_port_block()


def test_one_process_drives_in_a_server_whatever_its_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_server("carla.example", 2000)
    with pytest.raises(JobError, match=r"another process drives in the server at carla\.example:2000"):
        lock_server("carla.example", 2000)
    lock_server("carla.example", 2001).close()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "of another job"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "of another job").mkdir()
    with pytest.raises(JobError, match="another process drives"):
        lock_server("carla.example", 2000)
    lock.close()
    with lock_server("carla.example", 2000):
        pass
    lock_server("carla.example", 2000).close()


def test_server_may_have_a_long_name() -> None:
    host = "node." * 50 + "example"
    with lock_server(host, 2000), pytest.raises(JobError, match="another process drives"):
        lock_server(host, 2000)


def test_drives_in_a_server_take_turns_with_traffic_manager_ports() -> None:
    block = take_port_block()
    numbers = [block.traffic_manager_of(drive) for drive in range(16)]
    assert len(set(numbers)) == 8
    assert all(first != second for first, second in pairwise(numbers))
    assert block.first + 1 < min(numbers) <= max(numbers) < block.first + BLOCK_SIZE
    block.release()
