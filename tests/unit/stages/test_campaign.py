"""The loop that brings a run to its end, with a drawn scheduler; and tasks of this machine that all fail."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.job import Outcome, Presence, Submission, TaskKey, TaskView
from harness.datatypes.unit import Unit
from harness.jobs.attempts import AttemptFolder, begin_attempt, choose
from harness.jobs.claims import Holder
from harness.jobs.events import intent, submitted
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.ledger import Ledger
from harness.jobs.publish import publish_json
from harness.jobs.run_folder import RunFolder
from harness.stages.backends import MAX_FAILED_TASKS, LocalBackend, SlurmBackend
from harness.stages.campaign import Campaign, CampaignResult
from harness.stages.launch import Launch
from harness.stages.submissions import Planned
from harness.stages.supervision import Address
from tests.unit.jobs.drawn import RESULT, finish, new_run, unit, units

LIMIT_S = 20.0


class Log:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, bool, str]] = []
        self.progress: list[tuple[str, int, float]] = []
        self.said: list[str] = []

    def begin(self, *_: Any) -> None:
        pass

    def unit_progress(self, number: int, unit: Unit, attempt: int, percent: float, sim_s: float) -> None:
        self.progress.append((unit.route, attempt, percent))

    def unit_ended(self, number: int, unit: Unit, result: Path | None, text: str) -> None:
        self.ended.append((unit.route, result is not None, text))

    def say(self, text: str) -> None:
        self.said.append(text)


class Scheduler:
    """A scheduler whose tasks do at once what a test says, and end."""

    poll_s = 0.0
    stuck_reasons: Sequence[str] = ()

    def __init__(self, act: Callable[[Planned], None]) -> None:
        self._act, self.calls, self.left = act, 0, False
        self.why_not = ""
        self.states: dict[str, str] = {}
        self.on_wait: Callable[[], None] = lambda: None

    def views(self, submissions: Sequence[Submission], record: Any) -> Mapping[TaskKey, TaskView]:
        absent = {s.token: TaskView(presence=Presence.ABSENT, state=self.states.get(s.token, "")) for s in submissions}
        return {(token, 0): view for token, view in absent.items()}

    def submit(self, planned: Planned, record: Callable[[dict[str, Any]], None]) -> str:
        self.calls += 1
        record({"event": "submitted", "token": planned.submission.token, "job_id": str(self.calls)})
        self.states[planned.submission.token] = "COMPLETED"
        self._act(planned)
        return f"call {self.calls}"

    def obstacle(self) -> str:
        return self.why_not

    def cancel(self, keys: Sequence[TaskKey], submissions: Mapping[str, Submission]) -> None:
        pass

    def throttle(self, *_: Any) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        self.on_wait()
        return True

    def leave(self) -> str:
        self.left = True
        return ""


class Scene:
    """A run of two units and a campaign on it."""

    def __init__(self, folder: Path) -> None:
        self.run, self.log = new_run(folder), Log()
        self.launch = Launch(verb="eval", what="mini", config_folder=str(folder / "configs"))

    def attempt(self, number: int, **facts: Any) -> AttemptFolder:
        folder = self.run.unit_folder(units()[number])
        folder.mkdir(parents=True, exist_ok=True)
        return begin_attempt(folder, units()[number], {"started_s": time.time(), **facts})

    def succeed(self, planned: Planned) -> None:
        """Do every unit of a submission that is not done."""
        for number in planned.submission.tasks[0]:
            one = units()[number]
            if not self.run.is_done(one):
                attempt = self.attempt(number, token=planned.submission.token, task=0)
                publish_json(attempt.result, RESULT)
                attempt.write_outcome(Outcome.RESULT, "")
                choose(self.run.unit_folder(one), attempt)

    def fail(self, planned: Planned) -> None:
        for number in planned.submission.tasks[0]:
            attempt = self.attempt(number, token=planned.submission.token, task=0)
            attempt.write_outcome(Outcome.AGENT, f"error {attempt.number}: x", fingerprint=str(attempt.number))

    def work(self, scheduler: Any, wanted: Sequence[int] = (0, 1)) -> CampaignResult:
        return Campaign(self.run, units(), wanted, self.launch, scheduler, self.log).work()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def events(run: RunFolder) -> list[str]:
    return [json.loads(line)["event"] for line in run.ledger.read_text().splitlines()]


# --- to the end ------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_until_every_unit_has_a_result(scene: Scene) -> None:
    scheduler = Scheduler(scene.succeed)
    result = scene.work(scheduler)
    assert (result.is_complete, result.stop, result.is_interrupted, dict(result.given_up)) == (True, "", False, {})
    assert sorted(scene.log.ended) == [("05", True, ""), ("07", True, "")]
    assert scene.log.said == ["call 1"]
    assert scheduler.left
    assert events(scene.run) == ["intent", "submitted", "ended"]
    assert scene.run.missing(units()) == []


def test_what_was_done_before_is_neither_driven_nor_told(scene: Scene) -> None:
    finish(scene.run, unit("05"))
    result = scene.work(Scheduler(scene.succeed))
    assert result.is_complete
    assert scene.log.ended == [("07", True, "")]


def test_what_nobody_asked_for_is_not_driven(scene: Scene) -> None:
    scene.work(Scheduler(scene.succeed), wanted=[1])
    assert [one.route for one in scene.run.missing(units())] == ["05"]


def test_a_unit_that_keeps_failing_is_given_up_and_told_once(scene: Scene) -> None:
    result = scene.work(Scheduler(scene.fail), wanted=[0])
    assert result.is_complete
    ((number, verdict),) = result.given_up.items()
    assert (number, verdict.outcome) == (0, Outcome.AGENT)
    ((route, has_result, text),) = scene.log.ended
    assert (route, has_result) == ("05", False)
    assert text == verdict.reason
    assert text.endswith("last: error 3: x")


def test_the_same_command_tries_again_what_an_earlier_one_gave_up(scene: Scene) -> None:
    scene.work(Scheduler(scene.fail))
    scene.launch = replace(scene.launch, began_s=time.time())
    scene.log.ended.clear()
    assert scene.work(Scheduler(scene.succeed)).is_complete
    assert sorted(scene.log.ended) == [("05", True, ""), ("07", True, "")]


def test_the_intent_is_on_disk_before_the_call(scene: Scene) -> None:
    seen: list[list[str]] = []
    scheduler = Scheduler(lambda planned: seen.append(events(scene.run)))
    scheduler.on_wait = scene.run.cancel_wish.touch
    scene.work(scheduler)
    assert seen[0] == ["intent", "submitted"]


def test_progress_of_what_is_being_driven_is_told(scene: Scene) -> None:
    scheduler = Scheduler(lambda planned: hold(scene, 0))
    scheduler.on_wait = scene.run.cancel_wish.touch
    scene.work(scheduler, wanted=[0])
    assert scene.log.progress
    assert set(scene.log.progress) == {("05", 1, 42.0)}


def hold(scene: Scene, number: int) -> None:
    """Let a living process drive a unit."""
    scene.attempt(number).write_progress(42.0, 7.0)
    claim = scene.run.unit_folder(units()[number]) / "claim.json"
    claim.write_text(json.dumps(asdict(Holder.this_process("", 0))))


# --- before the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_names_what_was_being_driven(scene: Scene, number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    scheduler = Scheduler(lambda planned: hold(scene, 0))
    scheduler.on_wait = lambda: os.kill(os.getpid(), number) if scene.log.progress else None
    result = scene.work(scheduler)
    assert (result.is_interrupted, result.is_complete) == (True, False)
    assert scene.log.ended == [("05", False, "interrupted")]
    assert scheduler.left
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_obstacle_stops_it_before_the_next_submission(scene: Scene) -> None:
    scheduler = Scheduler(scene.fail)

    def take_away() -> None:
        scheduler.why_not = "no CARLA server answers at carla.example:2000 any more"

    scheduler.on_wait = take_away
    result = scene.work(scheduler)
    assert (result.stop, result.is_complete) == (scheduler.why_not, False)
    assert scheduler.calls == 1
    assert scheduler.left


def test_an_obstacle_is_none_when_nothing_is_left_to_do(scene: Scene) -> None:
    scheduler = Scheduler(scene.succeed)
    scene.work(scheduler)
    scheduler.why_not = "gone"
    result = scene.work(scheduler)
    assert (result.is_complete, result.stop) == (True, "")


def test_a_cancelled_run_ends(scene: Scene) -> None:
    scheduler = Scheduler(lambda planned: scene.run.cancel_wish.touch())
    result = scene.work(scheduler)
    assert (result.is_complete, scheduler.calls) == (False, 1)


def test_what_would_be_done_is_foreseen_to_the_letter(scene: Scene) -> None:
    before = sorted(scene.run.folder.rglob("*"))
    campaign = Campaign(scene.run, units(), [0, 1], scene.launch, Scheduler(scene.succeed), scene.log)
    (foreseen,) = campaign.foresee(is_new=False)
    assert sorted(scene.run.folder.rglob("*")) == before
    done: list[Planned] = []
    scheduler = Scheduler(lambda planned: (done.append(planned), scene.succeed(planned))[1])
    scene.work(scheduler)
    assert [planned.command for planned in done] == [foreseen.command]


# --- tasks of this machine -------------------------------------------------------------------------------------------


class Local:
    """A local backend whose tasks are drawn programs."""

    def __init__(self, run: RunFolder, endpoint: Address | None = None) -> None:
        self.backend = LocalBackend(run, SlurmBackend(run, Slurm(1.0), 1.0, 1.0, print), (), endpoint)
        self._run, self._count = run, 0
        self.events: list[dict[str, Any]] = []

    def submit(self, program: str) -> None:
        """Start a task and wait for its end."""
        self._count += 1
        token = f"{self._count:012}"
        submission = Submission(token=token, name=f"task_{self._count}", backend="local", intended_s=0.0, tasks=((0,),))
        planned = Planned(
            submission=submission,
            name=submission.name,
            script=Path(),
            text="",
            command=(sys.executable, "-S", "-c", program),
        )
        self.backend.submit(planned, self.events.append)
        deadline_s = time.monotonic() + LIMIT_S
        while self.backend.views([submission], self.events.append)[token, 0].presence is Presence.PRESENT:
            assert time.monotonic() < deadline_s
            self.backend.wait(0.1)


FAILS = "print('error: no free block of 10 ports'); raise SystemExit(1)"


def test_tasks_that_fail_one_after_the_other_are_an_obstacle(scene: Scene) -> None:
    local = Local(scene.run)
    for _ in range(MAX_FAILED_TASKS):
        assert local.backend.obstacle() == ""
        local.submit(FAILS)
    log = scene.run.stdout / f"task_{MAX_FAILED_TASKS}.log"
    assert local.backend.obstacle() == (
        f"{MAX_FAILED_TASKS} tasks in a row ended with an error; last: no free block of 10 ports; see {log}"
    )
    assert [event["event"] for event in local.events] == ["submitted"] * MAX_FAILED_TASKS
    local.backend.leave()


def test_killed_tasks_are_no_obstacle(scene: Scene) -> None:
    local = Local(scene.run)
    for program in (FAILS, FAILS, "import os; os.kill(os.getpid(), 9)", FAILS, FAILS):
        local.submit(program)
    assert local.backend.obstacle() == ""


def test_a_server_that_is_gone_is_an_obstacle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    local = Local(scene.run, Address("carla.example", 2000))
    monkeypatch.setattr(Address, "version", lambda self: "0.9.16")
    assert local.backend.obstacle() == ""
    monkeypatch.setattr(Address, "version", lambda self: None)
    assert local.backend.obstacle() == "no CARLA server answers at carla.example:2000 any more"


def test_leaving_ends_what_was_started(scene: Scene) -> None:
    local = Local(scene.run)
    submission = Submission(token="a", name="a", backend="local", intended_s=0.0, tasks=((0,),))
    command = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
    planned = Planned(submission=submission, name="a", script=Path(), text="", command=command)
    local.backend.submit(planned, local.events.append)
    assert local.backend.leave() == ""
    assert local.backend.views([submission], local.events.append)["a", 0].presence is Presence.ABSENT


class Forgetful(Scheduler):
    """A scheduler that does not list a task at first, and later says that it does not know it."""

    def __init__(self) -> None:
        super().__init__(lambda planned: None)
        self.looks = 0
        self.known: set[str] = set()

    def views(self, submissions: Sequence[Submission], record: Any) -> Mapping[TaskKey, TaskView]:
        self.looks += 1
        presence = Presence.UNKNOWN if self.looks < 3 else Presence.ABSENT
        return {
            (s.token, 0): TaskView(presence=Presence.PRESENT if s.token in self.known else presence)
            for s in submissions
        }

    def submit(self, planned: Planned, record: Any) -> str:
        self.known.add(planned.submission.token)
        return ""


def test_a_single_look_lasts_until_a_forgotten_task_is_known_as_gone(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    old = Submission(token="e" * 12, backend="slurm", intended_s=1.0, tasks=((0, 1),), job_ids=("17",))
    ledger = Ledger(run.ledger)
    ledger.append(intent(old, "", []))
    ledger.append(submitted(old.token, "17"))
    scheduler = Forgetful()
    launch = Launch(verb="eval", what="mini", backend="slurm", jobs=1)
    result = Campaign(run, run.units(), [0, 1], launch, scheduler, Log(), is_once=True).work()  # type: ignore[arg-type]
    assert scheduler.looks == 3
    assert not result.is_complete
    (new,) = result.present
    assert [s.token for s in ledger.read()] == [old.token, new]
    assert ledger.read()[0].ended == {0: ""}


def test_units_that_would_wait_for_ever_are_given_up_with_the_reason(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    token = "e" * 12
    old = Submission(token=token, backend="slurm", intended_s=1.0, tasks=((0, 1),), partition="day", job_ids=("17",))
    Ledger(run.ledger).append(intent(old, "", []))
    scheduler = Scheduler(lambda planned: None)
    view = TaskView(presence=Presence.PRESENT, state="PENDING", reason="PartitionTimeLimit", job_id="17")
    cancelled: list[TaskKey] = []
    scheduler.views = lambda submissions, record: {  # type: ignore[method-assign]
        (token, 0): TaskView(presence=Presence.ABSENT, state="CANCELLED") if cancelled else view
    }
    scheduler.cancel = lambda keys, submissions: cancelled.extend(keys)  # type: ignore[method-assign]
    log = Log()
    launch = Launch(verb="eval", what="mini", backend="slurm", jobs=1)
    result = Campaign(run, run.units(), [0, 1], launch, scheduler, log).work()  # type: ignore[arg-type]
    assert cancelled == [(token, 0)]
    assert result.is_complete and set(result.given_up) == {0, 1}
    assert {text for _, _, text in log.ended} == {"job 17 would wait for ever in day: PartitionTimeLimit"}
