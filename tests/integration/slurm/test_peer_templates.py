"""Batch scripts written for another launcher, which submit themselves again when their time is up, work unedited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.slurm.cluster_runs import (
    PARTITION,
    ClusterRun,
    assert_each_unit_was_driven_once,
    assert_ledger_is_accounted_for,
    ended,
    submissions,
)
from tests.integration.slurm.intercepted import Intercepted
from tests.integration.slurm.waiting import wait_in
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(400)]
TEMPLATES = Path(__file__).with_name("templates")
LIMIT_S = 240.0
# Time limit of a task: more than a drive takes.
TIMEOUT_S = 12
# Long enough for a job that was missing to be missed.
POLLS_WHILE_PENDING = 8
HASTY = "[poll]\ninterval_s = 0.5\nconfirm_s = 2\nlease_s = 20\n"
# Takes for ever the first time, or whenever the configuration says so.
SLOW = """
import os, time
from harness.drive.agents import ExpertAgent

class Slow(ExpertAgent):
    def setup(self, config):
        self.is_slow = config == "always" or os.environ["HARNESS_ATTEMPT"].endswith("attempt_1")

    def drive(self, scene):
        if self.is_slow:
            time.sleep(0.5)
        return super().drive(scene)
"""


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    made = ClusterRun(tmp_path / "work", slurm, repository)
    (made.folder / "slow.py").write_text(SLOW)
    (made.folder / "harness.toml").write_text(HASTY)
    return made


@pytest.fixture
def slurm_calls(slurm: SlurmCluster, tmp_path: Path) -> Intercepted:
    """Return the programs of the cluster, and beside them what the templates expect of a home."""
    made = Intercepted(tmp_path, slurm)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".bashrc").write_text('conda() { echo "conda $*"; }\n')
    conda = made.folder / "bin" / "conda"
    conda.write_text('#!/bin/sh\necho "conda $*"\n')
    conda.chmod(0o755)
    made.environment["HOME"] = str(tmp_path / "home")
    return made


@pytest.mark.soak
@pytest.mark.parametrize("template", ["resubmit.sh", "resubmit_escaped.sh"])
def test_template_that_submits_itself_again(run: ClusterRun, slurm_calls: Intercepted, template: str) -> None:
    arguments = ("eval", "--only", "04,07", "--agent", "slow.py:Slow", "--partition", PARTITION)
    arguments += ("--template", str(TEMPLATES / template), "--timeout", str(TIMEOUT_S))
    with ended(run.start(*arguments, **slurm_calls.environment)) as command:
        wait_in(run, command, lambda: len(run.processes_of("drive-unit")) == 2, "two tasks at work")
        first_ids = {line.partition("|")[0] for line in run.live_jobs()}
        assert len(first_ids) == 2
        assert not any("_" in job_id for job_id in first_ids)  # no arrays
        run.cluster.set_node("ALL", "drain")  # what is submitted from now on has to wait
        wait_in(run, command, lambda: waiting(run) and len(waiting(run)) == len(run.live_jobs()) == 2, "resubmission")
        polls = slurm_calls.answered("squeue") + POLLS_WHILE_PENDING
        wait_in(run, command, lambda: slurm_calls.answered("squeue") >= polls, "more polls")
        assert len(submissions(run.latest())) == 2
        assert len(slurm_calls.calls("sbatch")) == 4
        run.cluster.set_node("ALL", "resume")
        assert command.wait(LIMIT_S) == 0, run.said(0)
    latest = run.latest()
    made = submissions(latest)
    assert len(made) == len(list((latest / "scripts").glob("*.sbatch"))) == 2
    assert all(len(submission.job_ids) >= 2 for submission in made)
    assert {submission.job_ids[0] for submission in made} == first_ids
    assert events(latest).count("intent") == 2
    # Only scripts have submitted anything since.
    resubmitted = sum(len(submission.job_ids) - 1 for submission in made)
    assert len(slurm_calls.calls("sbatch")) == 2 + resubmitted
    assert_each_unit_was_driven_once([latest / "04", latest / "07"])
    assert_ledger_is_accounted_for(latest)
    printed = [*(latest / "stdout").glob("*.log"), *(latest / "scripts").glob("*-slurm-*.out")]
    assert all("conda activate driving" in file.read_text() for file in printed)
    assert len(printed) == 2 + resubmitted
    run.wait_for_no_job()


def waiting(run: ClusterRun) -> list[str]:
    return [line for line in run.live_jobs() if line.split("|")[1] == "PENDING"]


def events(state: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (state / "submissions.jsonl").read_text().splitlines()]


def test_scancel_script_ends_a_job_that_submitted_itself(run: ClusterRun, slurm_calls: Intercepted) -> None:
    arguments = ("eval", "--only", "07", "--agent", "slow.py:Slow", "--config", "always", "--partition", PARTITION)
    arguments += ("--template", str(TEMPLATES / "resubmit.sh"), "--timeout", "5")
    with ended(run.start(*arguments, **slurm_calls.environment)) as command:
        wait_in(run, command, lambda: bool(run.processes_of("work")), "the task")
        command.kill()
        command.wait()
    # Nobody but the job itself can enter its number.
    run.cluster.wait_for(lambda: len(submissions(run.latest())[0].job_ids) > 1, "the registration", 60.0)
    (submission,) = submissions(run.latest())
    scancel = run.latest() / "scancel.sh"
    run.cluster.wait_for(lambda: submission.job_ids[1] in scancel.read_text(), "the script to know it", 10.0)
    assert run.cluster.run(str(scancel)).returncode == 0
    run.wait_for_no_job()
    assert events(run.latest()).count("intent") == 1


@pytest.mark.parametrize(
    ("template", "timeout", "message"),
    [
        ("#!/bin/bash\necho nothing to do\n", "3600", "has no $CMD, expected it where the work is to be done"),
        ("#!/bin/bash\ntimeout $TIMEOUT $CMD\n", "1-00:00:00", "hands $TIMEOUT to timeout, found '1-00:00:00'"),
    ],
)
def test_template_that_cannot_be_right_is_refused_and_nothing_is_written(
    run: ClusterRun, template: str, timeout: str, message: str
) -> None:
    file = run.folder / "template.sh"
    file.write_text(template)
    known = {"command_0.out", "command_0.err"}
    before = {path for path in run.folder.rglob("*") if path.name not in known}
    answer = run.run("eval", "--only", "07", "--partition", PARTITION, "--template", str(file), "--timeout", timeout)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert {path for path in run.folder.rglob("*") if path.name not in known} == before
    assert run.live_jobs() == []
