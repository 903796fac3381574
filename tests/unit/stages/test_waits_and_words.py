"""What stands between the loop and the scheduler: waits that a user can end, and words that Slurm left in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.datatypes.job import Outcome, Presence, Submission, TaskView
from harness.errors import ConfigError
from harness.jobs.failures import Failure, failure
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_text import QueueRow
from harness.jobs.run_folder import RunFolder
from harness.stages import supervision
from harness.stages.backends import SlurmBackend
from harness.stages.campaign import ANSWER_USER_S, Campaign
from harness.stages.launch import Launch, LaunchOptions, make_launch
from harness.stages.roles import SilentReporter
from harness.stages.submissions import error_log
from harness.stages.supervision import Drives, Wishes

TOKEN = "0123456789ab"
KILLED = "slurmstepd-n1: error: Exceeded job memory limit\n"


class Listed(Slurm):
    """Slurm, as far as it lists one job."""

    def __init__(self, state: str) -> None:
        self._state = state

    def queue(self) -> list[QueueRow]:
        """Return the job."""
        return [
            QueueRow(
                job_id="17_0", array_id="17", task=0, state=self._state, reason="", name=f"eval_mini_{TOKEN}",
                submitted="2026-11-20T10:00:00", nodes="n1",
            )
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "log", "said"),
    [
        ("FAILED", KILLED, "OUT_OF_MEMORY"),
        ("FAILED", "a traceback\n", "FAILED"),
        ("FAILED", None, "FAILED"),
        ("COMPLETED", KILLED, "COMPLETED"),
        ("RUNNING", KILLED, "RUNNING"),
    ],
)
def test_job_that_was_killed_for_its_memory_is_told_from_one_that_failed(
    tmp_path: Path, state: str, log: str | None, said: str
) -> None:
    run = RunFolder(tmp_path)
    meant = Submission(
        token=TOKEN, name=f"eval_mini_{TOKEN}", backend="slurm", intended_s=0.0, tasks=((0,),), is_array=True,
        job_ids=("17",),
    )  # fmt: skip
    run.stderr.mkdir()
    if log is not None:
        error_log(run, meant, 0, "17_0").write_text(log)
    backend = SlurmBackend(run, Listed(state), 1.0, 1.0, print)
    presence = Presence.PRESENT if state == "RUNNING" else Presence.ABSENT
    expected = TaskView(presence=presence, state=said, job_id="17_0", node="n1")
    assert backend.views_of_jobs([meant], lambda event: None) == {(TOKEN, 0): expected}


def test_error_logs_are_where_the_jobs_are_told_to_write(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    single = Submission(token=TOKEN, name="a", backend="slurm", intended_s=0.0, tasks=((0,),))
    array = Submission(token=TOKEN, name="a", backend="slurm", intended_s=0.0, tasks=((0,),), is_array=True)
    assert error_log(run, single, 0, "17") == tmp_path / "stderr" / "a_17.log"
    assert error_log(run, array, 3, "17_3") == tmp_path / "stderr" / "a_3.log"


class Waiting:
    """A scheduler of which nothing is wanted but to wait."""

    poll_s = 15.0
    stuck_reasons = ()

    def __init__(self, act: Callable[[int], bool]) -> None:
        self.waits_s: list[float] = []
        self._act = act

    def wait(self, seconds: float) -> bool:
        self.waits_s.append(seconds)
        return self._act(len(self.waits_s))


def waits_s(folder: Path, act: Callable[[Campaign, int], bool]) -> list[float]:
    """Return how long a campaign waits at a time before it goes on; `act` is what happens in the n-th wait."""
    backend = Waiting(lambda number: act(campaign, number))
    launch = Launch(verb="eval", what="mini")
    campaign = Campaign(RunFolder(folder), [], [], launch, backend, SilentReporter())  # type: ignore[arg-type]
    campaign._wait(60.0)
    return backend.waits_s


def test_wait_ends_when_something_has_happened(tmp_path: Path) -> None:
    assert waits_s(tmp_path, lambda campaign, number: number == 3) == [ANSWER_USER_S] * 3


def test_wait_ends_when_the_user_wants_the_end(tmp_path: Path) -> None:
    def interrupt(campaign: Campaign, number: int) -> bool:
        campaign._interrupt()
        return False

    def wish(campaign: Campaign, number: int) -> bool:
        campaign.run.cancel_wish.touch()
        return False

    assert waits_s(tmp_path, interrupt) == [ANSWER_USER_S]
    assert waits_s(tmp_path, wish) == [ANSWER_USER_S]


@pytest.mark.parametrize(
    ("ended_as", "is_told", "counted"),
    [
        (Outcome.SIMULATOR_CRASH, True, Outcome.CANCELLED),
        (Outcome.AGENT, True, Outcome.CANCELLED),
        (Outcome.SIMULATOR_CRASH, False, Outcome.SIMULATOR_CRASH),
        (Outcome.TIMEOUT, True, Outcome.TIMEOUT),
        (None, True, None),
    ],
)
def test_simulator_that_is_told_to_end_before_its_task_has_not_crashed(
    monkeypatch: pytest.MonkeyPatch, ended_as: Outcome | None, is_told: bool, counted: Outcome | None
) -> None:
    drives = drives_that_end(monkeypatch, ended_as, is_told=is_told)
    failed = drive(drives)
    assert (failed and failed.outcome) == counted


@pytest.mark.parametrize(
    ("ended_as", "is_told", "counted"),
    [
        (Outcome.LOST, False, Outcome.OUT_OF_MEMORY),
        (Outcome.SIMULATOR_CRASH, False, Outcome.OUT_OF_MEMORY),
        (Outcome.LOST, True, Outcome.CANCELLED),
        (Outcome.RETURNED, False, Outcome.RETURNED),
        (None, False, None),
    ],
)
def test_process_that_the_kernel_killed_for_its_memory_is_told_from_one_that_vanished(
    monkeypatch: pytest.MonkeyPatch, ended_as: Outcome | None, is_told: bool, counted: Outcome | None
) -> None:
    drives = drives_that_end(monkeypatch, ended_as, is_told=is_told)
    monkeypatch.setattr(supervision, "oom_kills", iter((2, 3)).__next__)
    failed = drive(drives)
    assert (failed and failed.outcome) == counted


def drives_that_end(monkeypatch: pytest.MonkeyPatch, outcome: Outcome | None, *, is_told: bool) -> Drives:
    """Draw drives that end in some way; at the same time their task is told to end, or not."""
    wishes = Wishes()

    def end(*arguments: object, **more: object) -> Failure | None:
        if is_told:
            threading.Timer(0.05, setattr, (wishes, "is_ended", True)).start()
        return failure(outcome, "it ended", "") if outcome else None

    monkeypatch.setattr(Drives, "_drive", end)
    return Drives(None, None, None, wishes)  # type: ignore[arg-type]


def drive(drives: Drives) -> Failure | None:
    return drives.drive(None, "Borough01", None, is_recorded=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "timeout", "message"),
    [
        ("#!/bin/bash\n", "60", "has no $CMD"),
        ("#!/bin/bash\ntimeout $TIMEOUT $CMD\n", "1:00:00", "hands $TIMEOUT to timeout"),
        (None, "60", "cannot read template"),
    ],
)
def test_template_is_refused_before_there_is_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str | None, timeout: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "template.sh"
    if template is not None:
        file.write_text(template)
    options = LaunchOptions(partitions=("gpu",), template=file, timeout=timeout)
    with pytest.raises(ConfigError) as error:
        make_launch("eval", "mini", options, sim="embedded", maps=())
    assert message in error.value.message


def test_options_of_the_cluster_are_refused_before_there_is_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.toml").write_text('[cluster]\nsbatch = ["--array=1-3"]\n')
    with pytest.raises(ConfigError) as error:
        make_launch("eval", "mini", LaunchOptions(partitions=("gpu",)), sim="embedded", maps=())
    assert "which the harness sets itself" in error.value.message
