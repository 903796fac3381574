"""The cluster itself: what the other tests of this folder stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.slurm_cluster import NOT_INSTALLED, SlurmCluster
from tests.slurm_files import NODES, PARTITIONS
from tests.slurm_guard import end_leftovers, is_alive, processes_of

pytestmark = pytest.mark.slurm
SLEEP = "--wrap=sleep 60"
# Owns a cluster with a running job, says so, and is killed.
OWNER = """
import sys, time
from pathlib import Path
from tests.slurm_cluster import SlurmCluster
cluster = SlurmCluster(Path(sys.argv[1]))
cluster.start()
job = cluster.submit("--output=/dev/null", "--wrap=trap '' TERM; sleep 60; sleep 60")
cluster.wait_for(lambda: cluster.states(job) == ["RUNNING"], "the job to run")
print(*[process.pid for process in cluster.daemons.values()], flush=True)
time.sleep(60)
"""


def names_of(conf: Path) -> list[str]:
    return [process.name() for process in processes_of(conf)]


def test_array_runs_on_two_nodes_with_devices_of_its_own(slurm: SlurmCluster, tmp_path: Path) -> None:
    job = slurm.submit(
        "--array=0-3", "--gres=gpu:2080ti:4", f"--output={tmp_path}/%a", "--time=5",
        "--wrap=echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES; sleep 1",
    )  # fmt: skip
    slurm.wait_for(lambda: slurm.states(job) == ["COMPLETED"] * 4, "four tasks")
    placed = sorted((tmp_path / str(task)).read_text().strip() for task in range(4))
    assert placed == [f"gpu2080-0{node} {devices}" for node in (1, 2) for devices in ("0,1,2,3", "4,5,6,7")]


def test_partitions_and_nodes_are_those_of_the_names(slurm: SlurmCluster) -> None:
    listed = slurm.run("sinfo", "-h", "-o", "%R").stdout.split()
    assert sorted(listed) == sorted(PARTITIONS)
    assert sorted(slurm.node_states()) == sorted(NODES)


def test_nobody_outside_can_connect(slurm: SlurmCluster) -> None:
    pids = {process.pid for process in slurm.daemons.values()}
    listening = [
        link for link in psutil.net_connections("tcp") if link.pid in pids and link.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 1 + len(NODES)
    assert {link.laddr.ip for link in listening} <= {"127.0.0.1", "127.0.1.1"}


def test_killed_controller_comes_back_with_what_it_had_saved(slurm: SlurmCluster) -> None:
    before = slurm.daemons["slurmctld"]
    slurm.kill_slurmctld(signal.SIGKILL)
    assert not is_alive(before)
    slurm.wait_for(lambda: "slurmscriptd" not in names_of(slurm.conf), "the child of the controller to end", 5.0)
    slurm.start_slurmctld()
    assert slurm.daemons["slurmctld"].create_time() > before.create_time()
    # What it saved last may have jobs in it that have ended since, so nodes may look busy.
    ready = {"idle", "mixed", "allocated"}
    slurm.wait_for(lambda: set(slurm.node_states().values()) <= ready, "the nodes to register")
    job = slurm.submit("--output=/dev/null", "--wrap=true")
    slurm.wait_for(lambda: slurm.states(job) == ["COMPLETED"], "a job after the restart")


def test_controller_that_ends_in_order_forgets_nothing(slurm: SlurmCluster) -> None:
    job = slurm.submit("--output=/dev/null", "--job-name=kept", SLEEP)
    slurm.kill_slurmctld(signal.SIGTERM)
    slurm.start_slurmctld()
    assert slurm.squeue(columns="%i %j") == [f"{job} kept"]


def test_node_that_goes_down_ends_its_jobs_and_comes_back(slurm: SlurmCluster) -> None:
    job = slurm.submit("--partition=cpu", "--no-requeue", "--output=/dev/null", SLEEP)
    slurm.wait_for(lambda: slurm.states(job) == ["RUNNING"], "the job to run")
    slurm.set_node("cpu-01", "down")
    slurm.wait_for(lambda: slurm.states(job) == ["NODE_FAIL"], "the failure of the node")
    slurm.wait_for(slurm.is_ready, "the living node to be used again")


def test_jobs_survive_their_daemon(slurm: SlurmCluster) -> None:
    job = slurm.submit("--partition=cpu", "--output=/dev/null", SLEEP)
    slurm.wait_for(lambda: slurm.states(job) == ["RUNNING"], "the job to run")
    slurm.kill_slurmd("cpu-01", signal.SIGKILL)
    assert slurm.states(job) == ["RUNNING"]
    slurm.start_slurmd("cpu-01")
    assert slurm.states(job) == ["RUNNING"]


def test_crash_of_a_node_takes_its_jobs_and_no_others(slurm: SlurmCluster) -> None:
    marks = {node: f"sleep 6{number}" for number, node in enumerate(("cpu-01", "a100-01"))}
    for node, command in marks.items():
        slurm.submit(
            f"--partition={'cpu' if node == 'cpu-01' else 'a100-galvani'}", "--output=/dev/null", "--wrap", command
        )

    def running(command: str) -> bool:
        return any(process.cmdline() == command.split() for process in processes_of(slurm.conf))

    slurm.wait_for(lambda: all(map(running, marks.values())), "both jobs to run")
    slurm.crash_node("cpu-01")
    slurm.wait_for(lambda: not running(marks["cpu-01"]), "the job of the node to vanish", 2.0)
    assert running(marks["a100-01"])


def test_leftovers_are_jobs_and_not_a_shell_that_uses_the_cluster(slurm: SlurmCluster, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    bystander = subprocess.Popen(command, env=slurm.env)
    in_job = subprocess.Popen(command, env={**slurm.env, "SLURM_JOB_ID": "1"})
    elsewhere = subprocess.Popen(command, env={**os.environ, "SLURM_CONF": str(tmp_path), "SLURM_JOB_ID": "1"})
    try:
        end_leftovers(slurm.conf)
        assert in_job.wait(10.0) == -signal.SIGKILL
        assert bystander.poll() is None
        assert elsewhere.poll() is None
    finally:
        for process in (bystander, in_job, elsewhere):
            process.kill()
            process.wait()


def test_two_clusters_live_side_by_side_and_nothing_of_one_remains(slurm: SlurmCluster, tmp_path: Path) -> None:
    other = SlurmCluster(tmp_path / "other")
    other.start()
    try:
        job = other.submit("--output=/dev/null", "--job-name=there", "--wrap=trap '' TERM; sleep 60; sleep 60")
        other.wait_for(lambda: other.states(job) == ["RUNNING"], "the job to run")
        assert slurm.squeue() == []
        other.kill_slurmctld()  # so that nobody can cancel the job
    finally:
        other.stop()
    assert processes_of(other.conf) == []
    assert slurm.is_ready()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_owner(tmp_path: Path, repository: Path, number: signal.Signals) -> None:
    conf = tmp_path / "etc" / "slurm.conf"
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    if not SlurmCluster.is_installed():
        pytest.skip(NOT_INSTALLED)
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        daemons = owner.stdout.readline().split()
        owner.send_signal(number)
    assert len(daemons) == 2 + len(NODES)
    deadline_s = time.monotonic() + 20.0
    while processes_of(conf):
        assert time.monotonic() < deadline_s, processes_of(conf)
        time.sleep(0.05)
