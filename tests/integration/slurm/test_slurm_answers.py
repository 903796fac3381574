"""What the launcher makes of Slurm's answers, and of a Slurm that is silent, slow, cut off or lying."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from harness.datatypes.job import Presence
from harness.jobs.launchers.slurm import Slurm
from harness.jobs.launchers.slurm_views import Memory, Question, judge_views
from tests.integration.slurm.batch_jobs import Jobs, rows_of, states, submission
from tests.slurm_cluster import SlurmCluster

pytestmark = pytest.mark.slurm
TOKEN = "0123456789ab"


def test_single_waiting_task_that_was_cancelled_is_denied_and_the_others_are_not(
    slurm: SlurmCluster, launcher: Slurm, jobs: Jobs
) -> None:
    base = launcher.submit(jobs.command("sleep 60", array_size=4, array_limit=1)).job_id
    slurm.wait_for(lambda: "RUNNING" in states(launcher).values(), "the first task")
    assert launcher.cancel([f"{base}_2"])
    slurm.wait_for(lambda: f"{base}_2" not in states(launcher), "the task to vanish")
    questions = [Question(jobs.token, f"{base}_{task}") for task in range(5)]
    assert launcher.check(questions) == {questions[2], questions[4]}
    meant = submission(jobs, base, is_array=True, tasks=((0,), (1,), (2,), (3,)))
    memory = judge_views([meant], launcher.queue(), Memory(), 0.0, 60.0).memory
    judged = judge_views([meant], launcher.queue(), memory, 60.0, 60.0)
    assert judged.questions == (questions[2],)
    judged = judge_views([meant], launcher.queue(), memory, 60.0, 60.0, launcher.check(judged.questions))
    assert [view.presence for view in judged.views.values()] == [
        Presence.PRESENT, Presence.PRESENT, Presence.ABSENT, Presence.PRESENT
    ]  # fmt: skip


def test_number_that_belongs_to_another_job_is_denied(launcher: Slurm, jobs: Jobs) -> None:
    job_id = launcher.submit(jobs.command("sleep 60", jobs.other_name)).job_id
    ours, theirs, nobodys = Question(jobs.token, job_id), Question(jobs.other, job_id), Question(jobs.token, "999999")
    assert launcher.check([ours, theirs, nobodys]) == {ours, nobodys}


def test_job_that_was_renamed_is_not_denied(slurm: SlurmCluster, launcher: Slurm, jobs: Jobs) -> None:
    job_id = launcher.submit(jobs.command("sleep 60")).job_id
    assert slurm.run("scontrol", "update", f"jobid={job_id}", "jobname=mine").returncode == 0
    assert launcher.check([Question(jobs.token, job_id)]) == frozenset()
    judged = judge_views([submission(jobs, job_id)], launcher.queue(), Memory({(jobs.token, 0): 0.0}), 100.0, 60.0)
    assert [view.presence for view in judged.views.values()] == [Presence.UNKNOWN]


def test_controller_that_lost_its_memory_makes_nothing_absent_by_itself(
    slurm: SlurmCluster, launcher: Slurm, jobs: Jobs
) -> None:
    saved = slurm.folder / "state"
    slurm.kill_slurmctld(signal.SIGTERM)
    before = {file.name: file.read_bytes() for file in saved.iterdir() if file.is_file()}
    slurm.start_slurmctld()
    slurm.wait_for(slurm.is_ready, "the nodes")
    job_id = launcher.submit(jobs.command("sleep 60", partition="cpu")).job_id
    slurm.wait_for(lambda: states(launcher).get(job_id) == "RUNNING", "the job to run")
    slurm.kill_slurmctld(signal.SIGKILL)
    # What a controller finds that was killed before it had saved anything.
    for name, data in before.items():
        (saved / name).write_bytes(data)
    slurm.start_slurmctld()
    meant, memory = submission(jobs, job_id), Memory()
    for now_s in (0.0, 15.0, 30.0):
        judged = judge_views([meant], launcher.queue(), memory, now_s, 60.0)
        assert [view.presence for view in judged.views.values()] == [Presence.UNKNOWN]
        memory = judged.memory
    judged = judge_views([meant], launcher.queue(), memory, 60.0, 60.0)
    assert judged.questions == (Question(jobs.token, job_id),)
    denied = launcher.check(judged.questions)
    judged = judge_views([meant], launcher.queue(), memory, 60.0, 60.0, denied)
    assert [view.presence for view in judged.views.values()] == [Presence.ABSENT]


def test_silence_denies_nothing(slurm: SlurmCluster, launcher: Slurm) -> None:
    slurm.daemons["slurmctld"].suspend()
    try:
        began_s = time.monotonic()
        assert Slurm(0.5).check([Question(TOKEN, "1"), Question(TOKEN, ""), Question(TOKEN, "2_1")]) == frozenset()
        assert time.monotonic() - began_s < 5.0
    finally:
        slurm.daemons["slurmctld"].resume()


def lie(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, body: str) -> None:
    """Put a command of ours in front of Slurm's."""
    (folder / command).write_text(f"#!/usr/bin/env bash\n{body}\n")
    (folder / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    "body",
    ["exit 1", "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
     "exec sleep 60",
     'PATH=${PATH#*:}; squeue "$@"; exit 1', 'PATH=${PATH#*:}; squeue "$@" | head -c -5', "printf 'garbage\\n'",
     "printf '\\xff\\xfe\\n'",
     "echo 1"],
)  # fmt: skip
def test_answer_that_cannot_be_believed_is_none(
    launcher: Slurm, jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    launcher.submit(jobs.command("sleep 60"))
    lie(tmp_path, monkeypatch, "squeue", body)
    assert Slurm(1.0).queue() is None


def test_empty_answer_is_an_answer_that_proves_nothing(
    launcher: Slurm, jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant, memory = submission(jobs, launcher.submit(jobs.command("sleep 60")).job_id), Memory({(jobs.token, 0): 0.0})
    lie(tmp_path, monkeypatch, "squeue", "exit 0")
    assert launcher.queue() == []
    judged = judge_views([meant], launcher.queue(), memory, 100.0, 60.0)
    judged = judge_views([meant], launcher.queue(), memory, 100.0, 60.0, launcher.check(judged.questions))
    assert [view.presence for view in judged.views.values()] == [Presence.UNKNOWN]


@pytest.mark.parametrize(
    "body",
    [
        "exit 0",
        "echo",
        "exit 1",
        "echo JobId=",
        "exec sleep 60",
        "echo no such thing; exit 1",
        "printf 'JobId=1 JobName=x'",
    ],
)
def test_scontrol_that_says_nothing_denies_nothing(
    launcher: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    lie(tmp_path, monkeypatch, "scontrol", body)
    assert Slurm(1.0).check([Question(TOKEN, ""), Question(TOKEN, "17"), Question(TOKEN, "17_1")]) == frozenset()


def test_habits_of_the_user_hide_no_job(launcher: Slurm, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SQUEUE_PARTITION": "cpu",
        "SQUEUE_STATES": "CD",
        "SQUEUE_FORMAT": "%i",
        "SLURM_TIME_FORMAT": "relative",
    }.items():
        monkeypatch.setenv(name, value)
    job_id = launcher.submit(jobs.command("sleep 60")).job_id
    (row,) = [row for row in rows_of(launcher, jobs) if row.job_id == job_id]
    assert row.submitted[:2] == "20"


def test_programs_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    slurm = Slurm(1.0)
    assert not slurm.is_installed()
    assert slurm.queue() is None
    assert slurm.submit(["sbatch"]).is_refused is False
    assert slurm.cancel(["1"]) is False
