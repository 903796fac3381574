"""What goes wrong on a cluster one at a time, what is called how, and what it costs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.slurm.cluster_runs import (
    PARTITION,
    ClusterRun,
    assert_each_unit_was_driven_once,
    ended,
    read,
    submissions,
)
from tests.integration.slurm.waiting import wait_in
from tests.slurm_cluster import NOT_INSTALLED, SlurmCluster
from tests.slurm_files import write_files

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(400)]
LIMIT_S = 240.0
# Slurm looks every second how much memory a job takes, and ends it if it is too much.
GUARD = (
    "JobAcctGatherType=jobacct_gather/linux",
    "JobAcctGatherParams=OverMemoryKill",
    "JobAcctGatherFrequency=task=1",
)


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    return ClusterRun(tmp_path / "work", slurm, repository)


def allow_one_attempt(run: ClusterRun) -> None:
    """Let the first failure that counts be the last."""
    limits = run.folder / "slurm" / "configs"
    limits.mkdir(parents=True)
    (limits / "max_num_attempts_mini.txt").write_text("1")


def attempts(run: ClusterRun, route: str) -> list[dict[str, Any]]:
    """Return what is known of each attempt of a unit of the newest run."""
    folders = sorted((run.latest() / route).glob("attempt_*"), key=lambda folder: int(folder.name[8:]))
    return [
        {**read(folder / "attempt.json"), **(read(file) if (file := folder / "outcome.json").exists() else {})}
        for folder in folders
    ]


def outcomes(run: ClusterRun, route: str) -> list[str]:
    return [str(attempt.get("outcome", "")) for attempt in attempts(run, route)]


def is_driving(run: ClusterRun, number: int = 1) -> bool:
    """Tell whether an attempt of some unit has got somewhere."""
    return any(run.latest().glob(f"*/attempt_{number}/progress.json")) if (run.folder / "outputs").exists() else False


@pytest.mark.soak
def test_unit_on_a_node_that_goes_down_is_driven_again_for_nothing(run: ClusterRun) -> None:
    allow_one_attempt(run)
    with ended(run.start("eval", "--only", "01", "--partition", PARTITION)) as command:
        wait_in(run, command, lambda: is_driving(run), "the drive")
        run.cluster.set_node(attempts(run, "01")[0]["node"], "down")
        assert command.wait(LIMIT_S) == 0, run.said(0)
    assert outcomes(run, "01") == ["node", "result"]
    first, second = attempts(run, "01")
    assert first["reason"] == "interrupted; Slurm says NODE_FAIL"
    assert (second["job_id"], second["restarts"]) == (first["job_id"], 1)
    assert len(submissions(run.latest())) == 1
    assert_each_unit_was_driven_once([run.latest() / "01"])


@pytest.mark.soak
def test_unit_on_a_node_that_crashes_is_driven_again_for_nothing(run: ClusterRun) -> None:
    allow_one_attempt(run)
    with ended(run.start("eval", "--only", "01", "--partition", PARTITION)) as command:
        wait_in(run, command, lambda: is_driving(run), "the drive")
        node = attempts(run, "01")[0]["node"]
        run.cluster.crash_node(node)
        assert command.wait(LIMIT_S) == 0, run.said(0)
    first, second = attempts(run, "01")
    assert (first["outcome"], second["outcome"]) == ("node", "result")
    assert first["reason"].startswith("ended without a word")
    assert second["node"] != node
    assert_each_unit_was_driven_once([run.latest() / "01"])


@pytest.mark.soak
def test_preempted_unit_is_driven_later_for_nothing(run: ClusterRun) -> None:
    allow_one_attempt(run)
    with ended(run.start("eval", "--only", "01", "--partition", "gpu-2080ti-preemptable")) as command:
        wait_in(run, command, lambda: is_driving(run), "the drive")
        run.cluster.submit(
            f"--partition={PARTITION}", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 3"
        )
        assert command.wait(LIMIT_S) == 0, run.said(0)
    assert outcomes(run, "01") == ["preempted", "result"]
    assert len(submissions(run.latest())) == 1
    assert_each_unit_was_driven_once([run.latest() / "01"])


def test_job_that_an_operator_holds_is_cancelled_and_submitted_again(run: ClusterRun) -> None:
    run.cluster.set_node("ALL", "drain")
    with ended(run.start("eval", "--only", "07", "--partition", PARTITION)) as command:
        wait_in(run, command, lambda: bool(run.live_jobs()), "the job")
        (line,) = run.live_jobs()
        held = line.partition("|")[0].partition("_")[0]
        assert run.cluster.run("scontrol", "hold", held).returncode == 0
        wait_in(run, command, lambda: len(submissions(run.latest())) == 2, "the second submission")
        run.cluster.set_node("ALL", "resume")
        assert command.wait(LIMIT_S) == 0, run.said(0)
    first, second = submissions(run.latest())
    assert first.cancelled == {0}
    assert first.ended == {0: "CANCELLED"}
    assert second.ended == {0: "COMPLETED"}
    assert "the scheduler holds it for good: JobHeldAdmin" in (run.latest() / "submissions.jsonl").read_text()
    assert outcomes(run, "07") == ["result"]


@pytest.mark.soak
def test_job_that_cannot_be_launched_is_cancelled_and_submitted_again(run: ClusterRun) -> None:
    with ExitStack() as stack:
        nodes = stack.enter_context(ExitStack())
        for node in ("gpu2080-01", "gpu2080-02"):
            nodes.enter_context(without_spool(run.cluster, node))
        command = stack.enter_context(ended(run.start("eval", "--only", "07", "--partition", PARTITION)))
        wait_in(run, command, lambda: "launch failed requeued held" in "".join(run.live_jobs()), "the held job")
        nodes.close()
        assert command.wait(LIMIT_S) == 0, run.said(0)
    assert [submission.ended for submission in submissions(run.latest())] == [{0: "CANCELLED"}, {0: "COMPLETED"}]
    assert outcomes(run, "07") == ["result"]


@contextmanager
def without_spool(cluster: SlurmCluster, node: str) -> Iterator[None]:
    """Let a node have no room for the scripts of its jobs."""
    spool = cluster.spool / node
    away = spool.rename(spool.with_suffix(".away"))
    spool.touch()
    yield
    spool.unlink()
    away.rename(spool)


def test_unit_that_is_handed_back_before_the_time_limit_is_driven_by_another_job(run: ClusterRun) -> None:
    allow_one_attempt(run)
    arguments = ("eval", "--only", "03", "--partition", PARTITION, "--timeout", "60")
    with ended(run.start(*arguments)) as command:
        wait_in(run, command, lambda: is_driving(run), "the drive")
        job = attempts(run, "03")[0]["job_id"]
        assert run.cluster.run("scancel", "--batch", "--signal=USR1", job).returncode == 0
        assert command.wait(LIMIT_S) == 0, run.said(0)
    assert outcomes(run, "03")[0] in ("returned", "timeout")
    assert outcomes(run, "03")[1:] == ["result"]
    assert len(submissions(run.latest())) == 2
    assert_each_unit_was_driven_once([run.latest() / "03"])


# Takes for ever the first time.
SLOW = """
import os, time
from harness.drive.agents import ExpertAgent

class Slow(ExpertAgent):
    def drive(self, scene):
        if os.environ["HARNESS_ATTEMPT"].endswith("attempt_1"):
            time.sleep(0.5)
        return super().drive(scene)
"""


@pytest.mark.soak
@pytest.mark.parametrize(("limit", "ends_early", "next_limit"), [("60", False, "00:02:00"), ("4h", True, "08:00:00")])
def test_unit_that_takes_longer_than_its_task_gets_more_time(
    run: ClusterRun, limit: str, ends_early: bool, next_limit: str
) -> None:
    (run.folder / "slow.py").write_text(SLOW)
    arguments = ("eval", "--only", "07", "--agent", "slow.py:Slow", "--partition", PARTITION, "--timeout", limit)
    with ended(run.start(*arguments)) as command:
        wait_in(run, command, lambda: is_driving(run), "the drive")
        if ends_early:
            job = attempts(run, "07")[0]["job_id"]
            end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 8.0))
            assert run.cluster.run("scontrol", "update", f"jobid={job}", f"EndTime={end}").returncode == 0
        assert command.wait(LIMIT_S) == 0, run.said(0)
    # Slurm looks every half minute: warning and end can come at once, and two seconds can be too few for a last word.
    assert outcomes(run, "07")[0] in ("timeout", "")
    assert outcomes(run, "07")[1:] == ["result"]
    first, second = intents(run)
    assert f"--time={next_limit}" in second["command"]
    assert f"--time={next_limit}" not in first["command"]
    assert_each_unit_was_driven_once([run.latest() / "07"])


def intents(run: ClusterRun) -> list[dict[str, Any]]:
    """Return the calls of sbatch as the ledger has them."""
    events = map(json.loads, (run.latest() / "submissions.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == "intent"]


# Has room on the larger machine.
GREEDY = """
import os
from harness.drive.agents import ExpertAgent

class Greedy(ExpertAgent):
    taken = []

    def drive(self, scene):
        if os.environ["SLURM_JOB_PARTITION"] == "gpu-2080ti":
            self.taken.append(b"x" * 20_000_000)
        return super().drive(scene)
"""


@pytest.mark.soak
def test_unit_without_enough_memory_goes_to_the_next_partition(
    guarded_slurm: SlurmCluster, tmp_path: Path, repository: Path
) -> None:
    run = ClusterRun(tmp_path / "work", guarded_slurm, repository)
    allow_one_attempt(run)
    with (run.folder / "harness.toml").open("a") as settings:
        settings.write('[cluster]\nmem = "1000M"\n')
    (run.folder / "greedy.py").write_text(GREEDY)
    partitions = f"{PARTITION},a100-galvani"
    answer = run.run("eval", "--only", "07", "--agent", "greedy.py:Greedy", "--partition", partitions, limit_s=LIMIT_S)
    assert answer.returncode == 0, answer.stderr
    status = read_status(run)
    assert status["outcomes"] == {"out of memory": 1, "result": 1}
    assert [submission.partition for submission in submissions(run.latest())] == [PARTITION, "a100-galvani"]
    assert [attempt["node"] for attempt in attempts(run, "07")][1:] == ["a100-01"]
    assert_each_unit_was_driven_once([run.latest() / "07"])


@pytest.fixture
def guarded_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """Return a cluster that kills jobs that take more memory than they have asked for."""
    if not SlurmCluster.is_installed():
        pytest.skip(NOT_INSTALLED)

    def write_guarded(folder: Path, spool: Path, first_port: int) -> None:
        write_files(folder, spool, first_port)
        conf = folder / "etc" / "slurm.conf"
        kept = [line for line in conf.read_text().splitlines() if not line.startswith("JobAcctGather")]
        conf.write_text("\n".join([*kept, *GUARD, ""]))

    monkeypatch.setattr("tests.slurm_cluster.write_files", write_guarded)
    cluster = SlurmCluster(tmp_path / "slurm")
    cluster.start()
    yield cluster
    cluster.stop()


def read_status(run: ClusterRun) -> dict[str, Any]:
    answer = run.run("status", "--output", "json")
    assert answer.returncode in (0, 3), answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)["data"]
    return found


# Kills the simulator that it drives in.
MURDEROUS = """
import os
import psutil
from harness.drive.agents import ExpertAgent

class Murderous(ExpertAgent):
    def drive(self, scene):
        if os.environ["SLURM_JOB_PARTITION"] == "gpu-2080ti" and scene.frame > 20:
            for sibling in psutil.Process().parent().children():
                if "simulator" in sibling.cmdline():
                    sibling.kill()
        return super().drive(scene)
"""


@pytest.mark.soak
def test_unit_that_crashes_the_simulator_again_and_again_is_quarantined(run: ClusterRun) -> None:
    (run.folder / "murderous.py").write_text(MURDEROUS)
    arguments = ("eval", "--only", "07", "--agent", "murderous.py:Murderous", "--partition")
    answer = run.run(*arguments, PARTITION, limit_s=LIMIT_S)
    assert answer.returncode == 3
    assert outcomes(run, "07") == ["simulator crash"] * 3
    assert "the same failure 3 times, last: the simulator ended during the drive" in answer.stdout
    status = read_status(run)
    (trouble,) = status["troubles"]
    assert (trouble["outcome"], trouble["count"], trouble["units"]) == ("simulator crash", 3, 1)
    assert trouble["reason"] == "the simulator ended during the drive"
    assert status["whole"]["given_up"] == 1
    shown = run.run("status").stdout
    assert "3 x simulator crash in 1 units: the simulator ended during the drive" in shown
    assert trouble["example"] in shown


@pytest.mark.soak
def test_unit_that_crashes_the_simulator_goes_to_the_next_partition(run: ClusterRun) -> None:
    (run.folder / "murderous.py").write_text(MURDEROUS)
    partitions = f"{PARTITION},a100-galvani"
    answer = run.run(
        "eval", "--only", "07", "--agent", "murderous.py:Murderous", "--partition", partitions, limit_s=LIMIT_S
    )
    assert answer.returncode == 0, answer.stderr
    assert outcomes(run, "07") == ["simulator crash", "simulator crash", "result"]
    assert [submission.partition for submission in submissions(run.latest())] == [PARTITION, "a100-galvani"]


SETUP = """
from harness.drive.agents import Agent

class Unready(Agent):
    def setup(self, path_to_conf_file):
        raise FileNotFoundError("no checkpoint in /weights")
"""


def test_agent_that_cannot_be_set_up_stops_the_run_after_three_units(run: ClusterRun) -> None:
    (run.folder / "unready.py").write_text(SETUP)
    began_s = time.monotonic()
    answer = run.run("eval", "--agent", "unready.py:Unready", "--seeds", "1,2,3", "--partition", PARTITION)
    print(f"stopped after {time.monotonic() - began_s:.1f} s")
    assert answer.returncode == 3
    assert "stopped: the first 3 units that finished all failed by a setting; " in answer.stdout
    assert "Agent couldn't be set up: FileNotFoundError: no checkpoint in /weights" in answer.stdout
    driven = [attempt for seed in (1, 2, 3) for attempt in _of_seed(run, seed).glob("*/attempt_*")]
    assert 3 <= len(driven) < 48
    run.wait_for_no_job()


def _of_seed(run: ClusterRun, seed: int) -> Path:
    return run.latest().parent.parent / f"mini_seed{seed}" / run.latest().name
