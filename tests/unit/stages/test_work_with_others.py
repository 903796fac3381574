"""How a task gets along with others: those that work beside it, were there before it, and tell it to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.datatypes.job import Outcome
from harness.errors import ConfigError
from harness.jobs.attempts import begin_attempt, choose
from harness.jobs.claims import Holder
from harness.jobs.ledger import Ledger
from harness.jobs.orphans import MARK, mark_of
from harness.jobs.publish import publish_json, read_json
from harness.stages import supervision
from harness.stages import work as work_module
from tests.unit.jobs.drawn import RESULT, is_running, unit
from tests.unit.stages.drawn import OTHER_TOKEN, TOKEN, TaskScene

LIMIT_S = 20.0
HERE = Holder.this_process(TOKEN, 0)

# --- with others -----------------------------------------------------------------------------------------------------


def test_task_does_its_own_units_then_those_of_the_others_last_first(task_scene: TaskScene) -> None:
    task_scene.submit([1], [2, 0])
    assert task_scene.work("publish()")
    assert task_scene.order() == ["07", "05", "08"]


def test_units_of_a_larger_partition_are_left_to_it(task_scene: TaskScene) -> None:
    task_scene.submit([0])
    task_scene.submit([1], token=OTHER_TOKEN, rank=1)
    task_scene.work("publish()")
    assert task_scene.outcomes("07") == []
    task_scene.work("publish()", token=OTHER_TOKEN)
    assert task_scene.outcomes("07") == [Outcome.RESULT]


def test_unit_of_somebody_who_lives_is_left_alone(task_scene: TaskScene) -> None:
    folder = task_scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    elsewhere = replace(HERE, machine="other/1", kernel="other")
    (folder / "claim.json").write_text(json.dumps(asdict(elsewhere)))
    task_scene.work("publish()", 0, 1)
    assert task_scene.outcomes("05") == []
    assert task_scene.outcomes("07") == [Outcome.RESULT]
    os.utime(folder / "claim.json", (0.0, 0.0))
    task_scene.work("publish()")
    assert task_scene.outcomes("05") == [Outcome.RESULT]


def test_unit_that_was_not_free_is_looked_at_once_more(task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch) -> None:
    take = work_module.take_claim
    asked: list[str] = []

    def refuse_first(folder: Path, *arguments: Any) -> Any:
        asked.append(folder.name)
        return None if asked == ["05"] else take(folder, *arguments)

    monkeypatch.setattr(work_module, "take_claim", refuse_first)
    task_scene.work("publish()", 0, 1)
    assert asked == ["05", "07", "05"]
    assert task_scene.order() == ["07", "05"]


def test_unit_that_somebody_has_just_finished_is_not_driven_again(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = work_module.take_claim

    def finish_first(folder: Path, *arguments: Any) -> Any:
        folder.mkdir(parents=True)
        attempt = begin_attempt(folder, unit(), {})
        publish_json(attempt.result, RESULT)
        choose(folder, attempt)
        return take(folder, *arguments)

    monkeypatch.setattr(work_module, "take_claim", finish_first)
    task_scene.work("fail(1, 'error: x')", 0)
    assert len(task_scene.attempts()) == 1


def test_what_an_earlier_attempt_left_is_ended_before_the_next_begins(task_scene: TaskScene) -> None:
    folder = task_scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    earlier = begin_attempt(folder, unit(), {"token": "dead", "task": 0})
    marked = {**os.environ, MARK: mark_of(earlier.folder)}
    with (
        subprocess.Popen(["sleep", "60"], env=marked, start_new_session=True) as left,
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(folder)}) as other,
    ):
        task_scene.patch.setattr(psutil.Process, "children", lambda *_, **__: [])
        task_scene.work("publish()", 0)
        assert not is_running(left.pid)
        assert is_running(other.pid)
        other.kill()
    assert task_scene.outcomes() == [None, Outcome.RESULT]


def test_what_appears_while_the_task_works_is_ended_before_its_unit_is_begun(
    task_scene: TaskScene, tmp_path: Path
) -> None:
    folder = task_scene.run.unit_folder(unit("07"))
    folder.mkdir(parents=True)
    earlier = begin_attempt(folder, unit("07"), {"token": "dead", "task": 0})
    job = f"""
if route == "05":
    if os.fork() == 0:
        os.setsid()
        os.environ[{MARK!r}] = {mark_of(earlier.folder)!r}
        os.execvp("sh", ["sh", "-c", "echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60; :"])
    while not os.path.exists("{tmp_path}/pid"): time.sleep(0.01)
publish()
"""
    task_scene.work(job, 0, 1)
    assert task_scene.outcomes("07") == [None, Outcome.RESULT]
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_orphans_of_a_unit_that_somebody_else_drives_by_now_are_ended(task_scene: TaskScene) -> None:
    folder = task_scene.run.unit_folder(unit("07"))
    folder.mkdir(parents=True)
    first, second = (begin_attempt(folder, unit("07"), {}) for _ in range(2))
    elsewhere = replace(HERE, machine="other/1", kernel="other")
    (folder / "claim.json").write_text(json.dumps(asdict(elsewhere)))
    with (
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(first.folder)}) as orphan,
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(second.folder)}) as driven,
    ):
        task_scene.patch.setattr(psutil.Process, "children", lambda *_, **__: [])
        task_scene.work("publish()", 0)
        assert not is_running(orphan.pid)
        assert is_running(driven.pid)
        driven.kill()


# --- told to end -----------------------------------------------------------------------------------------------------


def when(condition: Callable[[], object], act: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        deadline_s = time.monotonic() + LIMIT_S
        while not condition() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_drive_and_hands_the_unit_back(task_scene: TaskScene, number: signal.Signals) -> None:
    progress = task_scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), number))
    began_s = time.monotonic()
    assert task_scene.work("report(1.0); time.sleep(60)", 0, 1)
    thread.join()
    assert time.monotonic() - began_s < 10.0
    assert (task_scene.outcomes("05"), task_scene.reasons("05")) == ([Outcome.CANCELLED], ["interrupted"])
    assert task_scene.outcomes("07") == []
    assert not (task_scene.run.unit_folder(unit()) / "claim.json").exists()
    (simulator,) = task_scene.simulators
    assert simulator.stops >= 1


def test_warning_lets_a_drive_end_that_will_and_begins_no_other(task_scene: TaskScene) -> None:
    progress = task_scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert task_scene.work("report(99.0); time.sleep(0.5); publish()", 0, 1, warning_s=1000.0)
    thread.join()
    assert task_scene.outcomes("05") == [Outcome.RESULT]
    assert task_scene.outcomes("07") == []


def test_warning_ends_a_drive_that_will_not(task_scene: TaskScene) -> None:
    progress = task_scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert task_scene.work("report(1.0); time.sleep(60)", 0, 1, warning_s=supervision.CLOSING_S + 0.2)
    thread.join()
    assert task_scene.outcomes("05") in ([Outcome.RETURNED], [Outcome.TIMEOUT])
    assert task_scene.outcomes("07") == []


def test_cancelled_run_begins_nothing(task_scene: TaskScene, capsys: pytest.CaptureFixture[str]) -> None:
    task_scene.run.cancel_wish.touch()
    assert task_scene.work("publish()", 0)
    assert task_scene.outcomes() == []
    assert capsys.readouterr().out == "the run was cancelled; nothing to do\n"
    assert task_scene.simulators == []


def test_run_that_is_cancelled_meanwhile_begins_nothing_more(task_scene: TaskScene) -> None:
    assert task_scene.work(f"open({str(task_scene.run.cancel_wish)!r}, 'w').close(); publish()", 0, 1)
    assert task_scene.outcomes("05") == [Outcome.RESULT]
    assert task_scene.outcomes("07") == []


# --- the ledger ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("token", "task"), [(OTHER_TOKEN, 0), (TOKEN, 1)])
def test_task_that_the_ledger_does_not_know_is_an_error(task_scene: TaskScene, token: str, task: int) -> None:
    task_scene.submit([0])
    with pytest.raises(ConfigError, match=f"task {task} of submission {token} is not in {task_scene.run.ledger}"):
        task_scene.work("publish()", token=token, task=task)


def test_job_that_submitted_itself_again_enters_its_number(
    task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_scene.submit([0], backend="slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    for _ in range(2):
        task_scene.work("publish()")
    (submission,) = Ledger(task_scene.run.ledger).read()
    assert submission.job_ids == ("17",)
    assert read_json(task_scene.attempts()[0].folder / "attempt.json")["job_id"] == "17"
    assert f"eval_mini_{TOKEN}" in task_scene.run.scancel_script.read_text()


def test_local_task_below_a_slurm_job_enters_none(task_scene: TaskScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    task_scene.work("publish()", 0)
    (submission,) = Ledger(task_scene.run.ledger).read()
    assert submission.job_ids == ()


def test_importing_a_task_is_light() -> None:
    program = (
        "import sys, harness.stages.work\n"
        "print([name for name in ('carla', 'torch', 'numba', 'scipy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
