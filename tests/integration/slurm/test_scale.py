"""Nine thousand units: planned, submitted and watched with little effort."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.integration.slurm.cluster_runs import PARTITION, ClusterRun, ended, submissions
from tests.integration.slurm.intercepted import Intercepted
from tests.integration.slurm.waiting import wait_in
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(180)]
ROUTES, REPETITIONS = 120, 75
POLLS = 3
POLL_INTERVAL_S = 1.0
MOST_SUBMIT_S = 10.0
MOST_SBATCH_CALLS = 3
MOST_MEMORY_BYTES = 200e6
MOST_CANCEL_S = 30.0


def test_nine_thousand_units(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> None:
    run = ClusterRun(tmp_path / "work", slurm, repository)
    slurm_calls = Intercepted(tmp_path, slurm)
    slurm.set_node("ALL", "drain")  # the jobs wait, nothing drives
    state = run.folder / "data" / "large" / ".harness"
    began_s = time.monotonic()
    command = ("collect", "--dataset", "large", "--repetitions", str(REPETITIONS), "--partition", PARTITION)
    with ended(run.start(*command, **slurm_calls.environment)) as controller:
        process = psutil.Process(controller.pid)
        wait_in(run, controller, lambda: '"submitted"' in _text(state / "submissions.jsonl"), "the submission")
        submit_s, submit_cpu_s = time.monotonic() - began_s, sum(process.cpu_times()[:2])
        (submission,) = submissions(state)
        assert sorted(unit for task in submission.tasks for unit in task) == list(range(ROUTES * REPETITIONS))
        assert len(submission.tasks) > 8  # spread over the jobs that may run side by side

        memory_bytes = _watch(process, slurm, slurm_calls, POLLS)
        polled_s, other_calls = slurm_calls.call_times_s("squeue"), slurm_calls.calls("scontrol")
        began_s = time.monotonic()
        cancelled = run.run("scancel", **slurm_calls.environment)
        cancel_s = time.monotonic() - began_s
        assert cancelled.returncode == 0, cancelled.stderr
        assert controller.wait(30.0) == 3
    run.wait_for_no_job()
    sbatch_calls = len(slurm_calls.calls("sbatch"))
    print(
        f"\n{ROUTES * REPETITIONS} units in {len(submission.tasks)} tasks: submitted in {submit_s:.1f} s "
        f"({submit_cpu_s:.1f} s of processor time) with {sbatch_calls} calls of sbatch; {len(polled_s)} calls of "
        f"squeue and {len(other_calls)} of scontrol in {polled_s[-1] - polled_s[0]:.1f} s; the controller takes "
        f"{memory_bytes / 1e6:.0f} MB; cancelled in {cancel_s:.1f} s"
    )
    assert submit_s <= MOST_SUBMIT_S
    assert 1 <= sbatch_calls <= MOST_SBATCH_CALLS
    assert memory_bytes <= MOST_MEMORY_BYTES
    # One question per poll: a second one would follow the first at once.
    assert all(later_s - earlier_s >= POLL_INTERVAL_S for earlier_s, later_s in pairwise(polled_s))
    assert other_calls == []
    assert cancel_s <= MOST_CANCEL_S


def _watch(process: psutil.Process, slurm: SlurmCluster, slurm_calls: Intercepted, polls: int) -> float:
    """Return the most memory that a controller takes while it makes its first polls; stop it in the wait after them."""
    most_bytes = 0.0

    def is_polled() -> bool:
        nonlocal most_bytes
        most_bytes = max(most_bytes, process.memory_info().rss)
        return slurm_calls.answered("squeue") >= polls

    slurm.wait_for(is_polled, "some polls", 120.0)
    return most_bytes


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
