"""No process outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.jobs.processes import die_with_parent, end, harness_command, last_lines, start

LIMIT_S = 10.0
# Ignores TERM, says its pid and sleeps.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Tell whether a process does anything; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids_in(log: Path, count: int) -> list[int]:
    wait_for(lambda: log.exists() and len(log.read_text().split()) >= count)
    return [int(word) for word in log.read_text().split()]


def test_output_of_both_kinds_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "new folder" / "job.log"
    for word in ("first", "second"):
        start(
            python(f"import sys; print('{word}'); sys.stdout.flush(); sys.stderr.write('error {word}\\n')"), log
        ).wait(LIMIT_S)
    assert log.read_text() == "first\nerror first\nsecond\nerror second\n"


def test_process_has_a_session_of_its_own_and_no_input(tmp_path: Path) -> None:
    program = "import os, sys; print(os.getsid(0) == os.getpid() == os.getpgid(0), repr(sys.stdin.read()))"
    start(python(program), tmp_path / "log", cwd=tmp_path).wait(LIMIT_S)
    assert (tmp_path / "log").read_text() == "True ''\n"


def test_process_has_our_environment_unless_it_is_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWN", "ours")
    program = "import os; print(os.environ.get('DRAWN'), os.environ.get('OTHER'))"
    start(python(program), tmp_path / "log").wait(LIMIT_S)
    start(python(program), tmp_path / "log", environment={"OTHER": "given"}).wait(LIMIT_S)
    assert (tmp_path / "log").read_text() == "ours None\nNone given\n"


def test_only_the_descriptors_that_are_passed_are_open_in_the_process(tmp_path: Path) -> None:
    passed, kept = os.pipe()
    os.set_inheritable(kept, True)
    program = "import os; print(*sorted(int(name) for name in os.listdir('/proc/self/fd')))"
    start(python(program), tmp_path / "log", pass_fds=[passed]).wait(LIMIT_S)
    os.close(passed)
    os.close(kept)
    found = [int(word) for word in (tmp_path / "log").read_text().split()]
    assert passed in found
    assert kept not in found


def test_end_of_an_obedient_process_is_quick(tmp_path: Path) -> None:
    process = start(python("import time; print(1, flush=True); time.sleep(60)"), tmp_path / "log")
    pids_in(tmp_path / "log", 1)
    began_s = time.monotonic()
    end(process)
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - began_s < 2.0


def test_end_kills_what_ignores_term(tmp_path: Path) -> None:
    process = start(python(STUBBORN), tmp_path / "log")
    pids_in(tmp_path / "log", 1)
    end(process, grace_s=0.2)
    assert process.returncode == -signal.SIGKILL


def test_end_takes_the_children_along_even_those_that_ignore_term(tmp_path: Path) -> None:
    # The leader obeys TERM at once; its child does not.
    leader = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); time.sleep(60)"
    process = start(python(leader), tmp_path / "log")
    (child,) = pids_in(tmp_path / "log", 1)
    end(process)
    assert process.returncode == -signal.SIGTERM
    wait_for(lambda: not is_running(child))


def test_end_takes_the_children_of_a_leader_that_has_ended_by_itself(tmp_path: Path) -> None:
    leader = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])"
    process = start(python(leader), tmp_path / "log")
    process.wait(LIMIT_S)
    (child,) = pids_in(tmp_path / "log", 1)
    assert is_running(child)
    end(process)
    assert process.returncode == 0
    wait_for(lambda: not is_running(child))


def test_end_twice_is_no_error(tmp_path: Path) -> None:
    process = start(python("pass"), tmp_path / "log")
    end(process)
    end(process)


PARENT = """
import subprocess, sys, time
child = "import os, sys, time; from harness.jobs.processes import die_with_parent; die_with_parent(int(sys.argv[1])); "
child += "print(os.getpid(), flush=True); time.sleep(60)"
import os
subprocess.Popen([sys.executable, "-c", child, str(os.getpid())], start_new_session=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_child_dies_with_its_parent_however_that_ends(tmp_path: Path, repository: Path, number: signal.Signals) -> None:
    parent = start(python(PARENT), tmp_path / "log", cwd=repository)
    (child,) = pids_in(tmp_path / "log", 1)
    assert is_running(child)
    os.kill(parent.pid, number)
    parent.wait(LIMIT_S)
    wait_for(lambda: not is_running(child))


def test_child_whose_parent_is_gone_already_exits(repository: Path) -> None:
    program = "from harness.jobs.processes import die_with_parent; die_with_parent(1 << 22); print('goes on')"
    answer = subprocess.run(python(program), cwd=repository, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == f"the parent process {1 << 22} has ended\n"


def test_child_of_a_living_parent_goes_on() -> None:
    child = os.fork()
    if child == 0:
        die_with_parent(os.getppid())
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_harness_command_runs_this_harness(repository: Path) -> None:
    answer = subprocess.run(harness_command("--version"), cwd=repository, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("harness, version ")


def test_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == ""
    log.write_bytes(b"\xff broken\n" + b"".join(b"line %d\n" % n for n in range(30_000)))
    assert last_lines(log, 2) == "line 29998\nline 29999"
    assert last_lines(log, 10**6).count("\n") < 3000  # the end of a large log, not all of it
