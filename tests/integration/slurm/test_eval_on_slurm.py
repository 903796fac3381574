"""The same command as on a laptop, with a partition: on a real Slurm cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.jobs.runs import UNKNOWN_TIME
from harness.stages.campaign import UNKNOWN_TOKEN
from tests.integration.slurm.cluster_runs import (
    PARTITION,
    ClusterRun,
    assert_each_unit_was_driven_once,
    assert_ledger_is_accounted_for,
    ended,
    read,
    submissions,
)
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(240)]
ROUTES = ("--only", "04,07")


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    return ClusterRun(tmp_path / "work", slurm, repository)


def unit_folders(run: ClusterRun) -> list[Path]:
    return [file.parent for file in run.latest().glob("*/result.json")]


def test_evaluation_is_driven_by_jobs(run: ClusterRun) -> None:
    answer = run.run("eval", *ROUTES, "--partition", PARTITION)
    assert answer.returncode == 0, answer.stderr
    assert "found 2, missing 0, crashed 0" in answer.stdout
    assert "of the tasks' time was not driving" in answer.stdout
    latest = run.latest()
    (submission,) = submissions(latest)
    assert submission.partition == PARTITION
    assert re.fullmatch(r"eval_mini_[0-9a-f]{12}", submission.name)
    assert_each_unit_was_driven_once(unit_folders(run))
    assert_ledger_is_accounted_for(latest)
    nodes = {read(file)["node"] for file in latest.glob("*/attempt_1/attempt.json")}
    assert nodes <= {"gpu2080-01", "gpu2080-02"}
    run.wait_for_no_job()


def test_dry_run_writes_nothing_and_foretells_the_script(run: ClusterRun) -> None:
    before = sorted(run.folder.rglob("*"))
    shown = run.run_silently("eval", *ROUTES, "--partition", PARTITION, "--print-only", "--output", "json")
    assert sorted(run.folder.rglob("*")) == before
    (foretold,) = json.loads(shown)["data"]["submissions"]
    assert run.run("eval", *ROUTES, "--partition", PARTITION).returncode == 0
    (submission,) = submissions(run.latest())
    script = run.latest() / "scripts" / f"{submission.name}.sbatch"
    as_foretold = script.read_text().replace(run.latest().name, UNKNOWN_TIME).replace(submission.token, UNKNOWN_TOKEN)
    assert as_foretold == foretold["script"]
    assert submission.tasks == tuple(map(tuple, foretold["tasks"]))


def test_interrupted_watch_leaves_the_jobs_and_the_same_command_takes_them_up(run: ClusterRun) -> None:
    with ended(run.start("eval", *ROUTES, "--partition", PARTITION, "--jobs", "1")) as command:
        run.cluster.wait_for(lambda: bool(run.processes_of("drive-unit")), "the first drive")
        command.kill()
        command.wait()
    assert run.live_jobs()
    answer = run.run("eval", *ROUTES, "--partition", PARTITION, "--jobs", "1")
    assert answer.returncode == 0, answer.stderr
    assert "continuing outputs/evaluation/expert/mini_seed1/" in answer.stderr
    assert len(submissions(run.latest())) == 1
    assert_each_unit_was_driven_once(unit_folders(run))


def test_scancel_ends_the_jobs_and_the_same_command_begins_again(run: ClusterRun) -> None:
    with ended(run.start("eval", *ROUTES, "--partition", PARTITION, "--jobs", "1")) as command:
        run.cluster.wait_for(lambda: bool(run.processes_of("drive-unit")), "the first drive")
        cancelled = run.run("scancel")
        assert cancelled.returncode == 0, cancelled.stderr
        assert "cancelled 1 submissions and process" in cancelled.stdout
        command.wait(30.0)
    assert command.returncode == 3
    run.wait_for_no_job()
    assert run.run("scancel").returncode == 0  # safe to type twice
    answer = run.run("eval", *ROUTES, "--partition", PARTITION)
    assert answer.returncode == 0, answer.stderr
    outcomes = {read(file)["outcome"] for file in run.latest().glob("*/attempt_*/outcome.json")}
    assert outcomes == {"cancelled", "result"}


def test_scancel_script_in_the_run_folder(run: ClusterRun) -> None:
    with ended(run.start("eval", *ROUTES, "--partition", PARTITION, "--jobs", "1")) as command:
        run.cluster.wait_for(lambda: bool(run.processes_of("drive-unit")), "the first drive")
        script = run.latest() / "scancel.sh"
        for _ in range(2):
            assert run.cluster.run(str(script)).returncode == 0
        command.wait(60.0)
    assert command.returncode == 3
    run.wait_for_no_job()


def test_detached_run_needs_no_process(run: ClusterRun) -> None:
    answer = run.run("eval", *ROUTES, "--partition", PARTITION, "--detach")
    assert answer.returncode == 3, answer.stderr
    assert "detached: 0 of 2 drives have a result" in answer.stdout
    board = run.latest() / "scoreboard.json"
    run.cluster.wait_for(lambda: read(board)["data"]["found"] == 2, "the scoreboard", 90.0)
    run.wait_for_no_job()
    assert_each_unit_was_driven_once(unit_folders(run))
    status = run.run("status")
    assert status.returncode == 0, status.stderr
    assert "2 of 2 done" in status.stdout
