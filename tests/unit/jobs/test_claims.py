"""Claims: one living process at a time works on a unit, on this machine and on others."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.jobs import claims
from harness.jobs.claims import Claim, Holder, file_system_time_s, is_live, read_holder, take_claim

LIMIT_S = 20.0
LEASE_S = 60.0
HERE = Holder.this_process("0123456789ab", 3)
# Somebody on another machine; its clock is as wrong as it likes.
ELSEWHERE = replace(HERE, machine="other/1", kernel="other", pid=1, started_s=0.0)
# A process that is no more: nobody has this pid and this start time.
DEAD = replace(HERE, pid=1, started_s=1.0)

# Claims the unit named on its command line, says so, and works on until its input ends.
WORKER = """
import sys
from pathlib import Path
from harness.jobs.claims import Holder, take_claim
claim = take_claim(Path(sys.argv[1]), Holder.this_process("worker", 0))
print("claimed" if claim else "taken", flush=True)
sys.stdin.read()
"""
# The same, and has a child in a session of its own that inherits the lock, as a drive does.
PARENT = """
import os, subprocess, sys
from pathlib import Path
from harness.jobs.claims import Holder, take_claim
claim = take_claim(Path(sys.argv[1]), Holder.this_process("worker", 0))
child = subprocess.Popen(["sleep", "60"], pass_fds=[claim.lock_fd], start_new_session=True)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(repository: Path) -> Iterator[Callable[[str, Path], tuple[subprocess.Popen[str], str]]]:
    """Return a function that starts a program about a unit and returns the process and what it says first."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, unit: Path) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(unit)],
            cwd=repository,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def write_claim(unit: Path, holder: Holder, age_s: float = 0.0) -> None:
    """Let somebody else hold a unit who showed that it lives some time ago."""
    unit.mkdir(exist_ok=True)
    file = unit / "claim.json"
    file.write_text(json.dumps(asdict(holder)))
    touched_s = file.stat().st_mtime - age_s
    os.utime(file, (touched_s, touched_s))


def taken(unit: Path, holder: Holder = HERE) -> Claim:
    claim = take_claim(unit, holder, LEASE_S)
    assert claim is not None
    return claim


# --- on this machine -------------------------------------------------------------------------------------------------


def test_claim_is_held_until_it_is_released(tmp_path: Path) -> None:
    claim = taken(tmp_path / "new" / "05")
    assert take_claim(tmp_path / "new" / "05", HERE) is None
    assert claim.is_ours()
    assert read_holder(tmp_path / "new" / "05") == HERE
    claim.release()
    assert read_holder(tmp_path / "new" / "05") is None
    taken(tmp_path / "new" / "05").release()
    assert [entry.name for entry in (tmp_path / "new" / "05").iterdir()] == ["claim.lock"]


def test_of_two_processes_one_has_the_claim(tmp_path: Path, start: Any) -> None:
    first, said = start(WORKER, tmp_path)
    assert said == "claimed"
    assert start(WORKER, tmp_path)[1] == "taken"
    assert take_claim(tmp_path, HERE) is None
    first.communicate()
    assert start(WORKER, tmp_path)[1] == "claimed"


def test_claim_of_a_killed_worker_is_free_at_once(tmp_path: Path, start: Any) -> None:
    worker, _ = start(WORKER, tmp_path)
    holder = read_holder(tmp_path)
    assert holder is not None
    assert holder.pid == worker.pid
    assert is_live(tmp_path, HERE, time.time())
    assert holder.is_running_here()
    worker.kill()
    worker.wait()
    assert not is_live(tmp_path, HERE, time.time())
    assert not holder.is_running_here()
    taken(tmp_path).release()


def test_claim_lasts_as_long_as_the_drive_of_a_killed_worker(tmp_path: Path, start: Any) -> None:
    worker, pid = start(PARENT, tmp_path)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert not is_live(tmp_path, HERE, time.time())
    assert take_claim(tmp_path, HERE) is None
    child = psutil.Process(int(pid))
    child.kill()
    deadline_s = time.monotonic() + LIMIT_S
    while (claim := take_claim(tmp_path, HERE)) is None:
        assert time.monotonic() < deadline_s
    claim.release()


def test_a_hundred_threads_and_one_claim(tmp_path: Path) -> None:
    for round_number in range(5):
        unit = tmp_path / str(round_number)
        found: list[Claim | None] = []
        gate = threading.Barrier(20)

        def claim(unit: Path = unit, found: list[Claim | None] = found, gate: threading.Barrier = gate) -> None:
            gate.wait()
            found.append(take_claim(unit, HERE))

        threads = [threading.Thread(target=claim) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (one,) = [claim for claim in found if claim is not None]
        one.release()


def test_pid_of_a_later_process_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    write_claim(tmp_path, replace(HERE, started_s=HERE.started_s - 100.0))
    assert not is_live(tmp_path, HERE, time.time())
    write_claim(tmp_path, HERE)
    assert is_live(tmp_path, HERE, time.time())


def test_no_descriptor_is_left_open_by_a_claim_in_vain(tmp_path: Path) -> None:
    claim = taken(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        assert take_claim(tmp_path, HERE) is None
    claim.release()
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1


# --- from another machine --------------------------------------------------------------------------------------------


def test_claim_of_another_machine_holds_while_it_shows_that_it_lives(tmp_path: Path) -> None:
    write_claim(tmp_path, ELSEWHERE, age_s=LEASE_S - 10.0)
    assert is_live(tmp_path, HERE, file_system_time_s(tmp_path), LEASE_S)
    assert take_claim(tmp_path, HERE, LEASE_S) is None
    assert read_holder(tmp_path) == ELSEWHERE


def test_claim_of_another_machine_lapses(tmp_path: Path) -> None:
    write_claim(tmp_path, ELSEWHERE, age_s=LEASE_S + 10.0)
    assert not is_live(tmp_path, HERE, file_system_time_s(tmp_path), LEASE_S)
    claim = taken(tmp_path)
    assert read_holder(tmp_path) == HERE
    claim.release()


def test_another_process_id_name_space_counts_as_another_machine(tmp_path: Path) -> None:
    # A container: the kernel's locks are the same, process ids are not.
    container = replace(HERE, machine=f"{HERE.kernel}/1", pid=1, started_s=0.0)
    write_claim(tmp_path, container)
    assert is_live(tmp_path, HERE, file_system_time_s(tmp_path), LEASE_S)
    write_claim(tmp_path, container, age_s=LEASE_S + 10.0)
    assert not is_live(tmp_path, HERE, file_system_time_s(tmp_path), LEASE_S)
    # The lock proves that it is gone, however lately it was there.
    write_claim(tmp_path, container)
    taken(tmp_path).release()


def test_claim_that_was_taken_over_is_noticed_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_EVERY_S", 0.0)
    claim = taken(tmp_path)
    assert claim.beat()
    write_claim(tmp_path, ELSEWHERE, age_s=30.0)
    touched_s = (tmp_path / "claim.json").stat().st_mtime
    assert not claim.is_ours()
    assert not claim.beat()
    claim.release()
    assert read_holder(tmp_path) == ELSEWHERE
    assert (tmp_path / "claim.json").stat().st_mtime == touched_s


def test_claim_whose_folder_is_gone_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_EVERY_S", 0.0)
    claim = taken(tmp_path)
    (tmp_path / "claim.json").unlink()
    assert not claim.beat()
    claim.release()


def test_a_sign_of_life_is_given_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now_s[0])
    claim = taken(tmp_path)
    file = tmp_path / "claim.json"

    def beats() -> bool:
        os.utime(file, (0.0, 0.0))
        assert claim.beat()
        return file.stat().st_mtime > 0.0

    assert not beats()
    now_s[0] += claims.BEAT_EVERY_S + 0.1
    assert beats()
    assert not beats()
    assert claims.BEAT_EVERY_S < claims.LEASE_S / 10
    claim.release()


# --- file systems ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the kernel's locks away."""

    def refuse(*_: Any) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_locks_signs_of_life_decide(tmp_path: Path, no_locks: None) -> None:
    write_claim(tmp_path, ELSEWHERE)
    assert take_claim(tmp_path, HERE, LEASE_S) is None
    write_claim(tmp_path, HERE)  # this process is alive
    assert take_claim(tmp_path, replace(HERE, task=4), LEASE_S) is None
    write_claim(tmp_path, DEAD)
    claim = taken(tmp_path)
    assert take_claim(tmp_path, replace(HERE, task=4), LEASE_S) is None
    claim.release()
    taken(tmp_path).release()


@pytest.mark.parametrize("earlier", [None, DEAD])
def test_without_locks_one_of_two_machines_is_quicker(
    tmp_path: Path, no_locks: None, monkeypatch: pytest.MonkeyPatch, earlier: Holder | None
) -> None:
    if earlier is not None:
        write_claim(tmp_path, earlier)
    judge = claims._is_held

    def judge_slowly(*arguments: Any, **options: Any) -> bool:
        found = judge(*arguments, **options)
        write_claim(tmp_path, ELSEWHERE)
        return found

    monkeypatch.setattr(claims, "_is_held", judge_slowly)
    assert take_claim(tmp_path, HERE, LEASE_S) is None
    assert read_holder(tmp_path) == ELSEWHERE
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["claim.json", "claim.lock"]


def test_a_file_system_without_second_names_has_claims_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    claim = taken(tmp_path)
    assert take_claim(tmp_path, HERE) is None
    assert read_holder(tmp_path) == HERE
    claim.release()
    assert [entry.name for entry in tmp_path.iterdir()] == ["claim.lock"]


def test_a_disk_that_is_full_is_an_error_and_leaves_the_unit_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "link", refuse)
        take_claim(tmp_path, HERE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["claim.lock"]
    taken(tmp_path).release()


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "3", "{}", '{"pid": 1}', "\0", "[" * 100_000, json.dumps({**asdict(HERE), "pid": "1"})],
)
def test_a_damaged_claim_is_nobodys(tmp_path: Path, damage: str) -> None:
    (tmp_path / "claim.json").write_text(damage)
    assert read_holder(tmp_path) is None
    assert not is_live(tmp_path, HERE, time.time())
    claim = taken(tmp_path)
    assert read_holder(tmp_path) == HERE
    claim.release()


def test_the_time_of_the_file_system_leaves_nothing_behind(tmp_path: Path) -> None:
    assert abs(file_system_time_s(tmp_path) - time.time()) < 5.0
    assert list(tmp_path.iterdir()) == []
