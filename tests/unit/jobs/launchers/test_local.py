"""Tasks as processes of this machine: what is there, what was, and whose turn it is with the GPUs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.datatypes.job import Presence, Submission, TaskView
from harness.errors import ConfigError
from harness.jobs.claims import Holder
from harness.jobs.launchers import local
from harness.jobs.launchers.local import LocalTasks, local_gpus, local_slots

LIMIT_S = 20.0
MACHINE = Holder.this_process("", 0).machine
SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
ABSENT = TaskView(presence=Presence.ABSENT)


def submission(token: str, *job_ids: str) -> Submission:
    return Submission(token=token, backend="local", intended_s=0.0, tasks=((0,),), job_ids=job_ids)


class Started:
    """Starts drawn tasks whose logs are files of their own."""

    def __init__(self, folder: Path, gpus: tuple[str, ...] = ()) -> None:
        self.tasks, self._folder = LocalTasks(gpus), folder

    def log(self, token: str) -> Path:
        return self._folder / f"{token}.log"

    def __call__(self, token: str, program: str) -> str:
        return self.tasks.start(token, [sys.executable, "-S", "-c", program], self.log(token))

    def until_ready(self, token: str) -> None:
        self.until(lambda: "ready" in self.log(token).read_text())

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline_s, "waited too long"
            time.sleep(0.01)

    def view(self, token: str, job_id: str) -> TaskView:
        return self.tasks.views([submission(token, job_id)])[token, 0]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    monkeypatch.setattr(local, "END_LIMIT_S", 0.5)
    made = Started(tmp_path)
    yield made
    made.tasks.end()


def pid_of(job_id: str) -> int:
    return int(job_id.partition("@")[0])


# --- what is there ---------------------------------------------------------------------------------------------------


def test_a_running_task_is_present_and_tied_to_this_process(started: Started) -> None:
    job_id = started("a", "import sys; print(*sys.argv[1:])\n" + SLEEP)
    started.until_ready("a")
    assert job_id == f"{pid_of(job_id)}@{psutil.Process(pid_of(job_id)).create_time()}@{MACHINE}"
    assert started.view("a", job_id) == TaskView(presence=Presence.PRESENT, state="RUNNING", job_id=job_id)
    assert started.log("a").read_text().splitlines()[0] == f"--parent {os.getpid()}"


@pytest.mark.parametrize(
    ("program", "state"),
    [("pass", "COMPLETED"), ("raise SystemExit(3)", "FAILED 3"), ("import os; os.abort()", "FAILED -6")],
)
def test_a_task_that_has_ended_is_absent_and_says_how(started: Started, program: str, state: str) -> None:
    job_id = started("a", program)
    started.until(lambda: started.view("a", job_id).presence is Presence.ABSENT)
    assert started.view("a", job_id) == TaskView(presence=Presence.ABSENT, state=state)


def test_a_killed_task_is_absent_at_once(started: Started) -> None:
    job_id = started("a", SLEEP)
    os.kill(pid_of(job_id), signal.SIGKILL)
    started.tasks.wait_for_change(LIMIT_S)
    assert started.view("a", job_id) == TaskView(presence=Presence.ABSENT, state="FAILED -9")


def test_every_task_that_is_asked_for_has_a_view(started: Started) -> None:
    views = started.tasks.views([submission("a"), submission("b", "1@1.0@elsewhere")])
    assert views == {("a", 0): ABSENT, ("b", 0): ABSENT}


# --- tasks of a process before this one ------------------------------------------------------------------------------


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that no `LocalTasks` here has started."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_task_of_an_earlier_command_that_still_runs_is_present(
    started: Started, foreign: subprocess.Popen[bytes]
) -> None:
    job_id = f"{foreign.pid}@{psutil.Process(foreign.pid).create_time()}@{MACHINE}"
    assert started.view("a", job_id) == TaskView(presence=Presence.PRESENT, state="RUNNING", job_id=job_id)
    foreign.kill()
    started.until(lambda: started.view("a", job_id) == ABSENT)  # not waited for yet
    foreign.wait()
    assert started.view("a", job_id) == ABSENT


def test_a_later_process_of_the_same_number_is_another(started: Started, foreign: subprocess.Popen[bytes]) -> None:
    started_s = psutil.Process(foreign.pid).create_time()
    assert started.view("a", f"{foreign.pid}@{started_s - 10.0}@{MACHINE}") == ABSENT
    assert started.view("a", f"{foreign.pid}@{started_s + 10.0}@{MACHINE}") == ABSENT
    assert started.view("a", f"{foreign.pid}@{started_s + 0.01}@{MACHINE}").presence is Presence.PRESENT


def test_process_numbers_of_another_machine_mean_nothing_here(
    started: Started, foreign: subprocess.Popen[bytes]
) -> None:
    started_s = psutil.Process(foreign.pid).create_time()
    assert started.view("a", f"{foreign.pid}@{started_s}@another/1") == ABSENT


@pytest.mark.parametrize("job_id", ["", "17", "17_4", "x@y@z", "-1@0@", f"{10**30}@0.0@{MACHINE}", f"1@nan@{MACHINE}"])
def test_what_is_no_job_of_ours_is_absent(started: Started, job_id: str) -> None:
    assert started.view("a", job_id) == ABSENT


def test_the_newest_of_several_jobs_counts(started: Started, foreign: subprocess.Popen[bytes]) -> None:
    job_id = f"{foreign.pid}@{psutil.Process(foreign.pid).create_time()}@{MACHINE}"
    assert started.tasks.views([submission("a", "1@0.0@x", job_id)])["a", 0].presence is Presence.PRESENT
    assert started.tasks.views([submission("a", job_id, "1@0.0@x")])["a", 0] == ABSENT


# --- GPUs ------------------------------------------------------------------------------------------------------------


def visible(started: Started, token: str) -> str:
    """Return the GPU that a task sees."""
    started.until_ready(token)
    return started.log(token).read_text().split()[0]


ASK = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES', 'all'))\n" + SLEEP


def test_tasks_take_turns_with_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "END_LIMIT_S", 0.5)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    started = Started(tmp_path, ("GPU-a", "GPU-b"))
    try:
        for token in ("1", "2", "3", "4"):
            started(token, ASK)
        assert [visible(started, token) for token in ("1", "2", "3", "4")] == ["GPU-a", "GPU-b", "GPU-a", "GPU-b"]
        # The next one gets the GPU of those that have ended.
        started.tasks.end(["2", "4"])
        started("5", ASK)
        started("6", ASK)
        started("7", ASK)
        assert [visible(started, token) for token in ("5", "6", "7")] == ["GPU-b", "GPU-b", "GPU-a"]
    finally:
        started.tasks.end()


@pytest.mark.parametrize(
    ("gpus", "per_task", "slots"),
    [("ab", 1, ["a", "b"]), ("abcd", 2, ["a,b", "c,d"]), ("abc", 2, ["a,b"]), ("abc", 3, ["a,b,c"])],
)
def test_each_slot_has_its_own_gpus(gpus: str, per_task: int, slots: list[str]) -> None:
    assert local_slots(list(gpus), per_task) == slots


def test_a_machine_with_too_few_gpus_is_refused() -> None:
    with pytest.raises(ConfigError, match="GPU=3 asks for 3 GPUs per task, found 2 on this machine") as refused:
        local_slots(["a", "b"], 3)
    assert refused.value.hint == "GPU=2"


def test_gpus_are_those_that_this_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5,")
    assert local_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="found none on this machine"):
        local_gpus()


def test_gpus_are_asked_for_and_an_answer_that_never_comes_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")

    def answer(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess((), 0, stdout="GPU-a\nGPU-b\n")

    def hang(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired("nvidia-smi", 30.0)

    monkeypatch.setattr(subprocess, "run", answer)
    assert local_gpus() == ["GPU-a", "GPU-b"]
    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(ConfigError, match="found none"):
        local_gpus()


@pytest.mark.parametrize("chosen", [None, "3,5"])
def test_without_a_choice_of_ours_tasks_see_what_this_process_sees(
    started: Started, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    if chosen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    started("a", ASK)
    assert visible(started, "a") == (chosen or "all")


# --- ending ----------------------------------------------------------------------------------------------------------


def test_end_of_some_and_of_all(started: Started) -> None:
    jobs = {token: started(token, SLEEP) for token in ("a", "b", "c")}
    for token in jobs:
        started.until_ready(token)
    started.tasks.end(["b", "unknown"])
    assert [started.view(token, jobs[token]).presence for token in "abc"] == [
        Presence.PRESENT,
        Presence.ABSENT,
        Presence.PRESENT,
    ]
    assert started.view("b", jobs["b"]).state == "FAILED -15"
    started.tasks.end()
    assert {started.view(token, jobs[token]).presence for token in "abc"} == {Presence.ABSENT}
    started.tasks.end()


def test_what_does_not_obey_is_killed_after_the_limit_of_all_together(started: Started) -> None:
    jobs = {token: started(token, STUBBORN) for token in ("a", "b", "c")}
    for token in jobs:
        started.until_ready(token)
    began_s = time.monotonic()
    started.tasks.end()
    assert 0.4 < time.monotonic() - began_s < 5.0
    assert {started.view(token, jobs[token]).state for token in jobs} == {"FAILED -9"}


def test_waiting_ends_with_a_task_or_with_the_time(started: Started) -> None:
    started("a", SLEEP)
    began_s = time.monotonic()
    started.tasks.wait_for_change(0.1)
    assert 0.1 <= time.monotonic() - began_s < LIMIT_S
    job_id = started("b", "pass")
    began_s = time.monotonic()
    for _ in range(2):  # it is news until somebody has looked
        started.tasks.wait_for_change(LIMIT_S)
    assert time.monotonic() - began_s < LIMIT_S / 2
    assert started.view("b", job_id).presence is Presence.ABSENT
    started.tasks.wait_for_change(0.1)
    assert started.view("a", "").presence is Presence.PRESENT


# --- a machine on which nothing works --------------------------------------------------------------------------------


def test_tasks_that_fail_one_after_the_other_are_told(started: Started) -> None:
    def run(token: str, program: str) -> list[Path]:
        job_id = started(token, program)
        started.until(lambda: started.view(token, job_id).presence is Presence.ABSENT)
        return started.tasks.failed_in_a_row()

    assert run("a", "raise SystemExit(1)") == [started.log("a")]
    assert run("b", "raise SystemExit(2)") == [started.log("a"), started.log("b")]
    assert run("c", "pass") == []
    assert run("d", "raise SystemExit(1)") == [started.log("d")]
    assert run("e", "import os; os.kill(os.getpid(), 9)") == []
    assert run("f", "raise SystemExit(1)") == [started.log("f")]
    # As long as one works there is hope.
    started("g", SLEEP)
    assert run("h", "raise SystemExit(1)") == []
