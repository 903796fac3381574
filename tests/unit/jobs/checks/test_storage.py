"""Folders: what they must be able to do, and what is said when they cannot."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from harness.jobs.checks import storage
from harness.jobs.checks.check import Check
from harness.jobs.checks.storage import (
    FREE,
    HELD,
    NO_LOCKS,
    clock_offset_s,
    examine_folder,
    judge_clock,
    judge_far_locks,
    judge_locks,
    judge_space,
    judge_temporary,
    lock_state,
)

GIB, MIB = 1 << 30, 1 << 20


@pytest.fixture(autouse=True)
def little_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "SPEED_BYTES", 4 * MIB)


@pytest.mark.parametrize(
    ("free_bytes", "free_files", "state"),
    [
        (50 * GIB, 10**6, "ok"),
        (50 * GIB, None, "ok"),
        (5 * GIB, 10**6, "warning"),
        (50 * GIB, 5_000, "warning"),
        (100 * MIB, 10**6, "failed"),
        (50 * GIB, 10, "failed"),
    ],
)
def test_room_is_bytes_and_files(free_bytes: int, free_files: int | None, state: str) -> None:
    check = judge_space("TMPDIR", Path("/t"), free_bytes, free_files)
    assert (check.state, check.is_needed) == (state, True)


def test_locks_must_be_seen_and_given_up() -> None:
    assert judge_locks("x", HELD, FREE, is_needed=True).state == "ok"
    for answers in ((FREE, FREE), (HELD, HELD), (NO_LOCKS, NO_LOCKS), ("killed by SIGKILL", FREE)):
        assert judge_locks("x", *answers, is_needed=True).is_fatal
        # The claims of a unit have a second guard there.
        assert judge_locks("x", *answers, is_needed=False).state == "warning"


def test_locks_between_machines_are_of_use_but_not_needed() -> None:
    assert judge_far_locks(HELD).state == "ok"
    for state in (FREE, NO_LOCKS):
        assert (judge_far_locks(state).state, judge_far_locks(state).is_needed) == ("warning", False)


def test_lock_state_tells_who_holds_a_lock(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert lock_state(file) == FREE
    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert lock_state(file) == HELD
    assert lock_state(file) == FREE


@pytest.mark.parametrize(
    ("offset_s", "state", "words"),
    [
        (0.5, "ok", "behind ours"),
        (-0.5, "ok", "ahead of ours"),
        (60.0, "warning", "60.00 s behind"),
        (None, "warning", ""),
    ],
)
def test_clock_of_the_file_system(offset_s: float | None, state: str, words: str) -> None:
    check = judge_clock(offset_s)
    assert check.state == state
    assert words in check.found


def test_offset_of_the_clock_here_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offset_s = clock_offset_s(tmp_path)
    assert offset_s is not None
    assert abs(offset_s) < 1.0
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(storage, "file_system_time_s", lambda _: storage.time.time() - 100.0)
    later_s = clock_offset_s(tmp_path)
    assert later_s == pytest.approx(100.0, abs=1.0)
    assert clock_offset_s(tmp_path / "missing") is not None  # the time was given without it


def test_offset_is_unknown_where_no_file_can_be_made(tmp_path: Path) -> None:
    assert clock_offset_s(tmp_path / "missing") is None


def test_folder_that_tmpdir_names_must_be_the_one_in_use(tmp_path: Path) -> None:
    assert judge_temporary(None, tmp_path) is None
    assert judge_temporary("", tmp_path) is None
    assert judge_temporary(f"{tmp_path}/../{tmp_path.name}", tmp_path) is None
    check = judge_temporary("/scratch/17", tmp_path)
    assert check is not None
    assert check.found == f"/scratch/17 cannot be used here, {tmp_path} is"


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name.removesuffix(" in x"): check for check in checks}


def test_folder_of_this_machine_does_everything_and_is_left_as_it_was(tmp_path: Path) -> None:
    checks = by_name(examine_folder("x", tmp_path, is_work=True))
    assert list(checks) == [
        "room", "locks", "second names", "replacement", "write speed", "clock of the file system",
    ]  # fmt: skip
    assert {check.state for name, check in checks.items() if name != "room"} == {"ok"}
    assert list(tmp_path.iterdir()) == []
    assert list(by_name(examine_folder("x", tmp_path, is_work=False))) == ["room", "locks"]


def test_folder_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    (check,) = examine_folder("the working folder", tmp_path / "missing", is_work=True)
    assert check.is_fatal
    assert check.found.endswith("missing cannot be written: No such file or directory")


@pytest.mark.parametrize(("number", "state"), [(errno.EPERM, "warning"), (errno.EIO, "failed")])
def test_missing_hard_links_are_a_warning_and_errors_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, state: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    assert by_name(examine_folder("x", tmp_path, is_work=True))["second names"].state == state


def test_full_disk_is_said_of_the_check_that_met_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", refuse)
    checks = by_name(examine_folder("x", tmp_path, is_work=True))
    assert checks["write speed"].is_fatal
    assert checks["write speed"].found == "Disk quota exceeded"
    assert checks["replacement"].state == "ok"


def test_file_that_is_missing_for_a_moment_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(self: Path, target: Path) -> None:
        target.unlink()
        storage.time.sleep(0.001)
        self.rename(target)

    monkeypatch.setattr(Path, "replace", replace)
    check = by_name(examine_folder("x", tmp_path, is_work=True))["replacement"]
    assert check.state == "warning"
    assert "No such file or directory" in check.found


def test_missing_locks_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert by_name(examine_folder("x", tmp_path, is_work=True))["locks"].state == "warning"
    assert by_name(examine_folder("x", tmp_path, is_work=False))["locks"].is_fatal
