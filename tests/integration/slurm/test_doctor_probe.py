"""`harness doctor --partition` on a real Slurm cluster: jobs look at nodes and answer, or it is said why not."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from harness.jobs.checks.check import Check
from harness.jobs.profile import Profile
from harness.stages import doctor_probe
from harness.stages.doctor_follow import ProbeOptions
from harness.stages.doctor_probe import probe
from tests.integration.slurm.cluster_runs import ClusterRun
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(240)]


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    return ClusterRun(tmp_path / "work", slurm, repository)


@pytest.fixture
def here(run: ClusterRun, monkeypatch: pytest.MonkeyPatch) -> ClusterRun:
    """Let this very process be on the login node, in the folder of the run."""
    monkeypatch.chdir(run.folder)
    for name, value in run.environment().items():
        monkeypatch.setenv(name, value)
    return run


def by_name(checks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in checks}


def options(**changes: Any) -> ProbeOptions:
    return ProbeOptions(profile=Profile(), poll_s=0.5, gone_limit_s=1.0, **changes)


def only(checks: tuple[Check, ...]) -> Check:
    (check,) = checks
    return check


def test_nodes_of_two_partitions_answer(run: ClusterRun) -> None:
    answer = run.run("doctor", "--partition", "gpu-2080ti,cpu", "--output", "json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    document = json.loads(answer.stdout)
    login = by_name(document["data"]["checks"])
    assert login["Slurm controller"]["state"] == "ok"
    assert login["partition a100-galvani"]["state"] == "warning"
    assert login["partition cpu"]["found"].startswith("up, 1 of 1 nodes usable")
    assert (login["MinJobAge"]["state"], login["accounting"]["state"]) == ("ok", "absent")
    gpu, cpu = document["data"]["nodes"]
    assert (gpu["partition"], cpu["partition"], cpu["node"]) == ("gpu-2080ti", "cpu", "cpu-01")
    assert gpu["node"] in ("gpu2080-01", "gpu2080-02")
    for node in (gpu, cpu):
        found = by_name(node["checks"])
        for name in ("probe job", "embedded simulator", "locks between machines", "clock between machines"):
            assert found[name]["state"] == "ok", found[name]
        assert "MinJobAge" not in found
    # One GPU was asked for where the partition has some; its devices are links to /dev/null.
    visible = by_name(gpu["checks"])["CUDA_VISIBLE_DEVICES"]
    assert (visible["state"], "cannot be seen" in visible["found"]) == ("warning", True)
    assert "CUDA_VISIBLE_DEVICES" not in by_name(cpu["checks"])
    assert by_name(cpu["checks"])["Slurm job"]["found"].endswith("no GPU")
    assert "cpu: cpu-01 has answered" in answer.stderr
    run.wait_for_no_job()
    (folder,) = (run.folder / "outputs" / "doctor").iterdir()
    suffixes = sorted(file.suffix for file in folder.iterdir())
    assert suffixes == [".json", ".json", ".lock", ".log", ".log", ".sbatch", ".sbatch"]


@pytest.mark.soak
def test_refused_job_is_an_error_and_the_others_are_waited_for(
    here: ClusterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_probe, "harness_command", lambda *_: ["true"])
    refused, silent = probe(["nosuch", "cpu"], options(), str)
    assert only(refused.checks).is_fatal
    assert only(refused.checks).found.startswith("sbatch refuses it: ")
    assert "nvalid partition" in only(refused.checks).found
    assert only(silent.checks).found == f"job {silent.job_id} ended (COMPLETED) without an answer"


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_interrupted_doctor_cancels_its_jobs(run: ClusterRun, number: signal.Signals) -> None:
    run.cluster.set_node("cpu-01", "drain")
    with run.start("doctor", "--partition", "cpu,a100-galvani") as process:
        run.cluster.wait_for(
            lambda: "cpu: job" in run.said(0)[1] and "is pending (" in run.said(0)[1], "the jobs", 60.0
        )
        assert any("PENDING" in job for job in run.live_jobs())
        process.send_signal(number)
        process.wait(60.0)
    out, err = run.said(0)
    assert process.returncode == 1
    assert "error: interrupted" in err
    assert "cancelled " in err
    assert out.startswith("this machine (")
    run.wait_for_no_job()


@pytest.mark.soak
def test_job_that_does_not_begin_is_cancelled_with_its_reason(here: ClusterRun) -> None:
    here.cluster.set_node("cpu-01", "drain")
    told: list[str] = []
    (report,) = probe(["cpu"], options(pending_limit_s=3.0), told.append)
    check = only(report.checks)
    assert not report.is_answered
    assert (check.state, check.is_fatal) == ("warning", False)
    assert "is pending after" in check.found
    assert any("is pending (" in text for text in told)
    assert any(text.startswith("cancelled ") for text in told)
    here.cluster.wait_for(lambda: not here.live_jobs(), "the end of the job")


def test_job_that_ends_without_an_answer_shows_its_last_words(
    here: ClusterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "ImportError: libomp.so.5: cannot open shared object file"
    monkeypatch.setattr(doctor_probe, "harness_command", lambda *_: ["sh", "-c", f"echo '{words}'; exit 1"])
    (report,) = probe(["cpu"], options(), str)
    check = only(report.checks)
    assert check.is_fatal
    assert check.found == f"job {report.job_id} ended (FAILED) without an answer: {words}"
    assert check.hint.startswith("see ")


def test_answer_that_is_no_answer_is_told(here: ClusterRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*arguments: str) -> list[str]:
        return ["sh", "-c", f"echo '[1, 2' >{arguments[-1]}"]

    monkeypatch.setattr(doctor_probe, "harness_command", write)
    (report,) = probe(["cpu"], options(), str)
    assert only(report.checks).is_fatal
    assert "is not complete JSON" in only(report.checks).found


@pytest.mark.soak
def test_silent_controller_is_waited_for_and_then_said(here: ClusterRun, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(doctor_probe.Slurm, "queue", lambda self: None)
    monkeypatch.setattr(doctor_probe, "harness_command", lambda *_: ["sleep", "60"])
    (report,) = probe(["cpu"], options(pending_limit_s=2.0), told.append)
    assert only(report.checks).state == "warning"
    assert "Slurm does not answer" in told
    monkeypatch.undo()
    here.cluster.wait_for(lambda: not here.live_jobs(), "the end of the job")
