"""How a task goes through its units; jobs and simulators are small programs here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.datatypes.job import Outcome, Submission
from harness.errors import ConfigError, JobError
from harness.jobs.attempts import attempt_folders, begin_attempt, choose, read_state
from harness.jobs.budget import Policy
from harness.jobs.claims import Holder
from harness.jobs.events import intent
from harness.jobs.ledger import Ledger
from harness.jobs.orphans import MARK, mark_of
from harness.jobs.publish import publish_json, read_json
from harness.jobs.run_folder import RunFolder
from harness.stages import supervision
from harness.stages import work as work_module
from harness.stages.launch import Launch
from harness.stages.supervision import Address
from harness.stages.work import WorkRequest, work
from tests.unit.jobs.drawn import RESULT, is_running, unit
from tests.unit.stages.drawn import Simulator, job_command

LIMIT_S = 20.0
TOKEN, OTHER = "0123456789ab", "ba9876543210"
HERE = Holder.this_process(TOKEN, 0)
SERVER = Address("carla.example", 2000)


class Scene:
    """A run with three units, and a function that does a task of it with a drawn job."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, simulators: list[Any]) -> None:
        self.run, self._patch, self.simulators = RunFolder(folder / "mini_seed1" / "now"), patch, simulators
        self.run.folder.mkdir(parents=True)
        self.units = [unit("05"), unit("07"), unit("08")]
        self.run.write_manifest(self.units)
        Launch(verb="eval", what="mini").save(self.run)

    def submit(self, *tasks: Sequence[int], token: str = TOKEN, rank: int = 0, backend: str = "local") -> None:
        submission = Submission(
            token=token,
            name=f"eval_mini_{token}",
            backend=backend,
            intended_s=0.0,
            tasks=tuple(map(tuple, tasks)),
            partition_rank=rank,
        )
        Ledger(self.run.ledger).append(intent(submission, "", []))

    def work(self, job: str, *numbers: int, **request: Any) -> bool:
        """Do a task of some units, submitted just now unless there is one."""
        if numbers:
            self.submit(numbers)
        self._patch.setattr(supervision, "harness_command", job_command(job))
        values = {"run": self.run, "token": TOKEN, "task": 0, "policy": Policy(), **request}
        before = set(psutil.Process().children(recursive=True))  # other tests may have left helpers of Python's own
        try:
            return work(WorkRequest(**values))
        finally:
            assert set(psutil.Process().children(recursive=True)) <= before

    def outcomes(self, route: str = "05") -> list[Outcome | None]:
        """Return how the attempts of a unit ended."""
        return [attempt.outcome for attempt in self._state(route).attempts]

    def reasons(self, route: str = "05") -> list[str]:
        return [attempt.reason for attempt in self._state(route).attempts]

    def _state(self, route: str) -> Any:
        return read_state(self.run.unit_folder(unit(route)), HERE, time.time())

    def chosen(self, route: str = "05") -> int | None:
        """Return the number of the attempt whose result counts, None if there is none."""
        result = self.run.result_of(unit(route))
        numbers = [
            attempt.number
            for attempt in attempt_folders(self.run.unit_folder(unit(route)))
            if result is not None and attempt.result.is_file() and attempt.result.samefile(result)
        ]
        return numbers[0] if numbers else None

    def order(self) -> list[str]:
        """Return the routes in the order in which they were first tried."""
        facts = {
            one.route: read_json(attempts[0].folder / "attempt.json")["started_s"]
            for one in self.units
            if (attempts := attempt_folders(self.run.unit_folder(one)))
        }
        return sorted(facts, key=lambda route: facts[route])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made: list[Any] = []

    class Remembered(Simulator):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(work_module, "EmbeddedSimulator", Remembered)
    monkeypatch.setattr(work_module, "SECOND_LOOK_S", 0.0)
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    for name in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(name)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield Scene(tmp_path, monkeypatch, made)
    for number, handler in handlers.items():
        signal.signal(number, handler)


# --- results ---------------------------------------------------------------------------------------------------------


def test_result_of_a_job_is_chosen(scene: Scene) -> None:
    assert scene.work("publish()", 0)
    assert scene.outcomes() == [Outcome.RESULT]
    assert scene.chosen() == 1
    folder = scene.run.unit_folder(unit())
    assert sorted(file.name for file in folder.iterdir()) == ["attempt_1", "claim.lock", "result.json"]
    facts = read_json(folder / "attempt_1" / "attempt.json")
    assert (facts["token"], facts["task"], facts["pid"], facts["restarts"]) == (TOKEN, 0, os.getpid(), 0)
    ending = read_json(folder / "attempt_1" / "outcome.json")
    assert facts["started_s"] <= ending["ended_s"] <= time.time()
    assert ending["drive_wall_s"] == 2.5


def test_units_share_one_simulator(scene: Scene) -> None:
    assert scene.work("publish()", 0, 1, 2)
    assert [scene.chosen(one.route) for one in scene.units] == [1, 1, 1]
    (simulator,) = scene.simulators
    assert (simulator.starts, simulator.stops) == (3, 1)


def test_the_task_says_what_its_time_went_into(scene: Scene) -> None:
    scene.work("publish()", 0, 1)
    (file,) = (scene.run.folder / "tasks").iterdir()
    assert file.name.startswith(f"{TOKEN}_0_{os.getpid()}_")
    facts = read_json(file)
    assert (facts["results"], facts["drive_wall_s"]) == (2, 5.0)
    assert 0.0 < facts["wall_s"] < LIMIT_S


def test_what_has_a_result_is_not_driven_again(scene: Scene) -> None:
    scene.work("publish()", 0)
    before = (scene.run.unit_folder(unit()) / "result.json").stat()
    assert scene.work("publish()")
    assert scene.outcomes() == [Outcome.RESULT]
    assert (scene.run.unit_folder(unit()) / "result.json").stat() == before


def test_a_result_whose_worker_was_killed_before_it_was_chosen_is_not_driven_again(scene: Scene) -> None:
    folder = scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    publish_json(begin_attempt(folder, unit(), {}).result, RESULT)
    scene.work("publish()", 0)
    assert scene.outcomes() == [Outcome.RESULT]
    assert scene.chosen() == 1


@pytest.mark.parametrize("damage", ["", "{}", '{"_checkpoint": '])
def test_a_damaged_result_is_set_aside_and_the_drive_repeated(scene: Scene, damage: str) -> None:
    scene.work("publish()", 0)
    chosen = scene.run.unit_folder(unit()) / "result.json"
    chosen.write_text(damage)  # which damages the attempt's own file too: it is the same
    scene.work("publish()")
    assert scene.outcomes() == [Outcome.RESULT, Outcome.RESULT]
    assert scene.chosen() == 2
    assert chosen.with_name("result.damaged_1.json").read_text() == damage


def test_a_job_that_publishes_nonsense_is_tried_again(scene: Scene) -> None:
    scene.work("result = {} if attempt == 1 else result; publish()", 0)
    assert scene.outcomes() == [Outcome.AGENT, Outcome.RESULT]
    assert scene.reasons()[0] == "its result holds no record"
    assert scene.chosen() == 2


# --- failures --------------------------------------------------------------------------------------------------------


def test_failed_job_is_tried_again_with_a_fresh_simulator(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.work("publish() if attempt == 2 else fail(1, 'error: no answer (try: make simulator)')", 0)
    assert scene.outcomes() == [Outcome.AGENT, Outcome.RESULT]
    assert scene.chosen() == 2
    (simulator,) = scene.simulators
    assert (simulator.starts, simulator.stops) == (2, 2)
    assert capsys.readouterr().out == "05 attempt 1: agent: error 1: no answer (try: make simulator)\n"


def test_three_tries_are_enough(scene: Scene) -> None:
    assert scene.work("fail(1, 'noise\\nerror: no answer')", 0)
    assert scene.outcomes() == [Outcome.AGENT] * 3
    assert scene.reasons() == ["error 1: no answer"] * 3
    assert scene.chosen() is None
    prints = {read_json(attempt.folder / "outcome.json")["fingerprint"] for attempt in _attempts(scene)}
    assert len(prints) == 1


def _attempts(scene: Scene) -> Any:
    return attempt_folders(scene.run.unit_folder(unit()))


def test_the_policy_says_how_many(scene: Scene) -> None:
    scene.work("fail(1, f'error: {\"abc\"[attempt % 3]}')", 0, policy=Policy(max_attempts=5))
    assert scene.outcomes() == [Outcome.AGENT] * 5


def test_error_of_the_route_is_not_tried_again(scene: Scene) -> None:
    scene.work("fail(2, 'error: route file is gone')", 0)
    assert (scene.outcomes(), scene.reasons()) == ([Outcome.CONFIG], ["error 2: route file is gone"])


def test_one_failure_does_not_stop_the_others(scene: Scene) -> None:
    assert scene.work("fail(2, 'error: gone') if route == '05' else publish()", 0, 1)
    assert scene.outcomes("05") == [Outcome.CONFIG]
    assert scene.outcomes("07") == [Outcome.RESULT]


def test_machine_where_no_simulator_starts_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Simulator, "refuses", "the simulator ended with code 2 at its start: port in use")
    assert not scene.work("publish()", 0, 1)
    assert scene.outcomes("05") == [Outcome.SIMULATOR_START] * 2
    assert scene.outcomes("07") == []
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"error: the simulator does not start here: {Simulator.refuses}"


def test_simulator_that_starts_at_the_second_try_is_good_enough(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    start = Simulator.ensure_running

    def start_late(self: Simulator, town: str) -> None:
        self.refuses = "not yet" if self.starts % 2 == 0 else ""
        start(self, town)

    monkeypatch.setattr(Simulator, "ensure_running", start_late)
    assert scene.work("publish()", 0, 1, 2)
    assert [scene.outcomes(one.route) for one in scene.units] == [[Outcome.SIMULATOR_START, Outcome.RESULT]] * 3


def test_server_that_is_gone_stops_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Address, "version", lambda self: None)
    assert not scene.work("fail(70, 'error: time-out')", 0, 1, endpoint=SERVER)
    assert scene.outcomes("05") == [Outcome.SIMULATOR_HANG]
    assert scene.outcomes("07") == []
    assert capsys.readouterr().out.endswith("error: no CARLA server answers at carla.example:2000 any more\n")
    assert scene.simulators == []


def test_server_that_still_answers_is_tried_again(scene: Scene) -> None:
    assert scene.work("publish() if attempt == 2 else fail(70, 'error: time-out')", 0, endpoint=SERVER)
    assert scene.outcomes() == [Outcome.SIMULATOR_CRASH, Outcome.RESULT]
    assert scene.simulators == []


def test_defect_of_our_own_is_raised(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise JobError("no free block")

    monkeypatch.setattr(work_module, "take_port_block", refuse)
    with pytest.raises(JobError, match="no free block"):
        scene.work("publish()", 0)


def test_defect_during_a_drive_leaves_no_simulator_and_no_claim(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work_module, "begin_attempt", refuse)
    with pytest.raises(OSError, match="No space left"):
        scene.work("publish()", 0)
    (simulator,) = scene.simulators
    assert simulator.stops == 1
    assert not (scene.run.unit_folder(unit()) / "claim.json").exists()


# --- with others -----------------------------------------------------------------------------------------------------


def test_task_does_its_own_units_then_those_of_the_others_last_first(scene: Scene) -> None:
    scene.submit([1], [2, 0])
    assert scene.work("publish()")
    assert scene.order() == ["07", "05", "08"]


def test_units_of_a_larger_partition_are_left_to_it(scene: Scene) -> None:
    scene.submit([0])
    scene.submit([1], token=OTHER, rank=1)
    scene.work("publish()")
    assert scene.outcomes("07") == []
    scene.work("publish()", token=OTHER)
    assert scene.outcomes("07") == [Outcome.RESULT]


def test_unit_of_somebody_who_lives_is_left_alone(scene: Scene) -> None:
    folder = scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    elsewhere = replace(HERE, machine="other/1", kernel="other")
    (folder / "claim.json").write_text(json.dumps(asdict(elsewhere)))
    scene.work("publish()", 0, 1)
    assert scene.outcomes("05") == []
    assert scene.outcomes("07") == [Outcome.RESULT]
    os.utime(folder / "claim.json", (0.0, 0.0))
    scene.work("publish()")
    assert scene.outcomes("05") == [Outcome.RESULT]


def test_unit_that_was_not_free_is_looked_at_once_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    take = work_module.take_claim
    asked: list[str] = []

    def refuse_first(folder: Path, *arguments: Any) -> Any:
        asked.append(folder.name)
        return None if asked == ["05"] else take(folder, *arguments)

    monkeypatch.setattr(work_module, "take_claim", refuse_first)
    scene.work("publish()", 0, 1)
    assert asked == ["05", "07", "05"]
    assert scene.order() == ["07", "05"]


def test_unit_that_somebody_has_just_finished_is_not_driven_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = work_module.take_claim

    def finish_first(folder: Path, *arguments: Any) -> Any:
        folder.mkdir(parents=True)
        attempt = begin_attempt(folder, unit(), {})
        publish_json(attempt.result, RESULT)
        choose(folder, attempt)
        return take(folder, *arguments)

    monkeypatch.setattr(work_module, "take_claim", finish_first)
    scene.work("fail(1, 'error: x')", 0)
    assert len(_attempts(scene)) == 1


def test_what_an_earlier_attempt_left_is_ended_before_the_next_begins(scene: Scene) -> None:
    folder = scene.run.unit_folder(unit())
    folder.mkdir(parents=True)
    earlier = begin_attempt(folder, unit(), {"token": "dead", "task": 0})
    marked = {**os.environ, MARK: mark_of(earlier.folder)}
    with (
        subprocess.Popen(["sleep", "60"], env=marked, start_new_session=True) as left,
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(folder)}) as other,
    ):
        scene._patch.setattr(psutil.Process, "children", lambda *_, **__: [])
        scene.work("publish()", 0)
        assert not is_running(left.pid)
        assert is_running(other.pid)
        other.kill()
    assert scene.outcomes() == [None, Outcome.RESULT]


def test_orphans_of_a_unit_that_somebody_else_drives_by_now_are_ended(scene: Scene) -> None:
    folder = scene.run.unit_folder(unit("07"))
    folder.mkdir(parents=True)
    first, second = (begin_attempt(folder, unit("07"), {}) for _ in range(2))
    elsewhere = replace(HERE, machine="other/1", kernel="other")
    (folder / "claim.json").write_text(json.dumps(asdict(elsewhere)))
    with (
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(first.folder)}) as orphan,
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark_of(second.folder)}) as driven,
    ):
        scene._patch.setattr(psutil.Process, "children", lambda *_, **__: [])
        scene.work("publish()", 0)
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
def test_signal_ends_the_drive_and_hands_the_unit_back(scene: Scene, number: signal.Signals) -> None:
    progress = scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), number))
    began_s = time.monotonic()
    assert scene.work("report(1.0); time.sleep(60)", 0, 1)
    thread.join()
    assert time.monotonic() - began_s < 10.0
    assert (scene.outcomes("05"), scene.reasons("05")) == ([Outcome.CANCELLED], ["interrupted"])
    assert scene.outcomes("07") == []
    assert not (scene.run.unit_folder(unit()) / "claim.json").exists()
    (simulator,) = scene.simulators
    assert simulator.stops >= 1


def test_warning_lets_a_drive_end_that_will_and_begins_no_other(scene: Scene) -> None:
    progress = scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert scene.work("report(99.0); time.sleep(0.5); publish()", 0, 1, warning_s=1000.0)
    thread.join()
    assert scene.outcomes("05") == [Outcome.RESULT]
    assert scene.outcomes("07") == []


def test_warning_ends_a_drive_that_will_not(scene: Scene) -> None:
    progress = scene.run.unit_folder(unit()) / "attempt_1" / "progress.json"
    thread = when(progress.exists, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert scene.work("report(1.0); time.sleep(60)", 0, 1, warning_s=supervision.CLOSING_S + 0.2)
    thread.join()
    assert scene.outcomes("05") in ([Outcome.RETURNED], [Outcome.TIMEOUT])
    assert scene.outcomes("07") == []


def test_cancelled_run_begins_nothing(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.run.cancel_wish.touch()
    assert scene.work("publish()", 0)
    assert scene.outcomes() == []
    assert capsys.readouterr().out == "the run was cancelled; nothing to do\n"
    assert scene.simulators == []


def test_run_that_is_cancelled_meanwhile_begins_nothing_more(scene: Scene) -> None:
    assert scene.work(f"open({str(scene.run.cancel_wish)!r}, 'w').close(); publish()", 0, 1)
    assert scene.outcomes("05") == [Outcome.RESULT]
    assert scene.outcomes("07") == []


# --- the ledger ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("token", "task"), [(OTHER, 0), (TOKEN, 1)])
def test_task_that_the_ledger_does_not_know_is_an_error(scene: Scene, token: str, task: int) -> None:
    scene.submit([0])
    with pytest.raises(ConfigError, match=f"task {task} of submission {token} is not in {scene.run.ledger}"):
        scene.work("publish()", token=token, task=task)


def test_job_that_submitted_itself_again_enters_its_number(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.submit([0], backend="slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    for _ in range(2):
        scene.work("publish()")
    (submission,) = Ledger(scene.run.ledger).read()
    assert submission.job_ids == ("17",)
    assert read_json(_attempts(scene)[0].folder / "attempt.json")["job_id"] == "17"
    assert f"eval_mini_{TOKEN}" in scene.run.scancel_script.read_text()


def test_local_task_below_a_slurm_job_enters_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    scene.work("publish()", 0)
    (submission,) = Ledger(scene.run.ledger).read()
    assert submission.job_ids == ()


def test_importing_a_task_is_light() -> None:
    program = (
        "import sys, harness.stages.work\n"
        "print([name for name in ('carla', 'torch', 'numba', 'scipy') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
