"""What a drive has started is found by its mark, in sessions of its own too, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.jobs import orphans
from harness.jobs.orphans import MARK, end_left_behind, end_marked, mark_of
from tests.unit.jobs.drawn import is_running

LIMIT_S = 20.0
# Leaves a grandchild in a session of its own and ends; the grandchild says its pid.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    os.close(1)
    time.sleep(60)
os._exit(0)
"""


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.01)


class Drawn:
    """Starts processes with marks, and kills what a failing test leaves."""

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._children: list[subprocess.Popen[str]] = []

    def daemon(self, attempt: Path | None) -> int:
        """Start a grandchild in its own session; return its pid."""
        answer = subprocess.run(
            [sys.executable, "-S", "-c", DAEMON],
            env=self._environment(attempt),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        self._pids.append(int(answer.stdout))
        return self._pids[-1]

    def child(self, attempt: Path | None, program: str = "import time; time.sleep(60)") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", program], env=self._environment(attempt), start_new_session=True, text=True
        )
        self._children.append(process)
        return process

    def _environment(self, attempt: Path | None) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key != MARK}
        return environment | ({MARK: mark_of(attempt)} if attempt else {})

    def end(self) -> None:
        for process in self._children:
            process.kill()
            process.wait()
        for pid in self._pids:
            if is_running(pid):
                psutil.Process(pid).kill()


@pytest.fixture
def drawn() -> Iterator[Drawn]:
    made = Drawn()
    yield made
    made.end()


def test_a_grandchild_in_a_session_of_its_own_is_killed_and_no_other(tmp_path: Path, drawn: Drawn) -> None:
    attempt, other = tmp_path / "05" / "attempt_1", tmp_path / "05" / "attempt_10"
    marked, unmarked = drawn.daemon(attempt), drawn.daemon(None)
    another = drawn.daemon(other)
    assert os.getsid(marked) == marked
    assert end_marked(mark_of(attempt)) == 1
    assert not is_running(marked)
    assert is_running(unmarked)
    assert is_running(another)
    assert end_marked(mark_of(attempt)) == 0


def test_everything_that_a_drive_started_is_gone_when_this_returns(tmp_path: Path, drawn: Drawn) -> None:
    attempt = tmp_path / "05" / "attempt_1"
    pids = [drawn.daemon(attempt) for _ in range(5)] + [drawn.child(attempt).pid]
    assert end_marked(mark_of(attempt)) == 6
    assert not [pid for pid in pids if is_running(pid)]


def test_there_is_a_second_look_for_what_was_started_during_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[(11, "mark"), (12, "other")], [(13, "mark")], []])
    killed: list[int] = []
    monkeypatch.setattr(orphans, "_marked", lambda: next(looks))
    monkeypatch.setattr(orphans.os, "kill", lambda pid, number: killed.append(pid))
    assert end_marked("mark") == 2
    assert killed == [11, 13]


def test_what_cannot_be_killed_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "END_LIMIT_S", 0.0)
    monkeypatch.setattr(orphans, "_marked", lambda: [(11, "mark")])
    monkeypatch.setattr(orphans.os, "kill", lambda pid, number: None)
    assert end_marked("mark") == 1


def test_a_mark_in_a_value_or_in_the_arguments_is_no_mark(tmp_path: Path, drawn: Drawn) -> None:
    attempt = tmp_path / "05" / "attempt_1"
    environment = {**os.environ, "OTHER": f"{MARK}={mark_of(attempt)}", f"X{MARK}": mark_of(attempt)}
    environment.pop(MARK, None)
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)", f"{MARK}={mark_of(attempt)}"]
    with subprocess.Popen(command, env=environment) as process:
        # The environment of a program is there once it has been loaded.
        wait_for(lambda: MARK in "".join(psutil.Process(process.pid).cmdline()[-1:]))
        assert end_marked(mark_of(attempt)) == 0
        assert process.poll() is None
        process.kill()


def test_this_process_is_never_killed(tmp_path: Path) -> None:
    attempt = tmp_path / "05" / "attempt_1"
    program = "import sys\nfrom harness.jobs.orphans import end_marked\nprint(end_marked(sys.argv[1]), 'and alive')"
    answer = subprocess.run(
        [sys.executable, "-c", program, mark_of(attempt)],
        env={**os.environ, MARK: mark_of(attempt), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (answer.stdout, answer.stderr) == ("0 and alive\n", "")


# --- of whole units --------------------------------------------------------------------------------------------------


def test_what_attempts_of_these_units_left_is_killed_unless_they_run(tmp_path: Path, drawn: Drawn) -> None:
    first, second, elsewhere = (tmp_path / name / "attempt_1" for name in ("05", "07", "another run"))
    left, running, others = drawn.daemon(first), drawn.daemon(second), drawn.daemon(elsewhere)
    asked: list[Path] = []

    def is_attempt_running(attempt: Path) -> bool:
        asked.append(attempt)
        return attempt == second.resolve()

    assert end_left_behind([first.parent, second.parent], is_attempt_running) == 1
    assert [is_running(pid) for pid in (left, running, others)] == [False, True, True]
    assert elsewhere.resolve() not in asked


def test_units_are_recognised_by_another_name_of_their_folder(tmp_path: Path, drawn: Drawn) -> None:
    unit = tmp_path / "scratch" / "05"
    unit.mkdir(parents=True)
    (tmp_path / "outputs").symlink_to("scratch")
    pid = drawn.daemon(tmp_path / "outputs" / "05" / "attempt_1")
    assert end_left_behind([unit], lambda attempt: False) == 1
    pid = drawn.daemon(unit / "attempt_2")
    assert end_left_behind([tmp_path / "outputs" / "05"], lambda attempt: False) == 1
    assert not is_running(pid)
