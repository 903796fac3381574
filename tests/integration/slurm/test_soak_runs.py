"""Runs of some length: killed as a whole again and again, and how much of a task's time goes into driving."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.slurm.cluster_runs import PARTITION, ClusterRun, assert_each_unit_was_driven_once, is_short
from tests.slurm_cluster import SlurmCluster

KILLS = 4 if is_short() else 20
OVERHEAD_SEEDS = 3 if is_short() else 25  # of these routes of mini
ROUTES = ("--only", "01,02,03,04,05,06,07,08")
WALL_CLOCK = {"wall_s", "simulated_per_wall"}
pytestmark = [pytest.mark.soak, pytest.mark.slurm, pytest.mark.timeout(1800)]


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    return ClusterRun(tmp_path / "work", slurm, repository)


@pytest.fixture(scope="module")
def undisturbed(slurm_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> list[Any]:
    """Return the scoreboards of a run of half of mini that nobody disturbs."""
    run = ClusterRun(tmp_path_factory.mktemp("undisturbed"), slurm_cluster, repository)
    assert run.run("eval", *ROUTES).returncode == 0
    return scoreboards(run)


def scoreboards(run: ClusterRun) -> list[Any]:
    """Return both scoreboards of the newest run without what the clock says."""
    latest = run.latest()
    data = json.loads((latest / "scoreboard.json").read_text().replace(latest.name, "TIME"))
    lines = (latest / "scoreboard.md").read_text().splitlines()
    # The last two columns are wall-clock time.
    return [_stripped(data), [line.rsplit("|", 3)[0] if line.startswith("|") else line for line in lines]]


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in WALL_CLOCK}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arguments", [(), ("--partition", PARTITION)], ids=["local", "slurm"])
def test_run_that_is_killed_again_and_again_scores_the_same(
    run: ClusterRun, undisturbed: list[Any], arguments: tuple[str, ...]
) -> None:
    drawn = random.Random(7)
    command = ("eval", *ROUTES, "--jobs", "2", *arguments)
    for _ in range(KILLS):
        process = run.start(*command)
        deadline_s = time.monotonic() + drawn.uniform(1.0, 8.0)
        while time.monotonic() < deadline_s and process.poll() is None:
            time.sleep(0.05)
        victims = run.processes()
        drawn.shuffle(victims)
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        process.wait()
    answer = run.run(*command, limit_s=600.0)
    assert answer.returncode == 0, answer.stderr
    assert len(list(run.folder.glob("outputs/evaluation/*/*/*/run.toml"))) == 1
    assert scoreboards(run) == undisturbed
    assert_each_unit_was_driven_once([file.parent for file in run.latest().glob("*/result.json")])
    run.wait_for_no_job(60.0)


def test_tasks_spend_their_time_driving(run: ClusterRun) -> None:
    seeds = ",".join(str(seed) for seed in range(1, OVERHEAD_SEEDS + 1))
    answer = run.run("eval", *ROUTES, "--seeds", seeds, "--jobs", "2", "--partition", PARTITION, limit_s=1500.0)
    assert answer.returncode == 0, answer.stderr
    (share,) = re.findall(r"overhead: ([\d.]+)% of the tasks' time was not driving", answer.stdout)
    print(f"overhead of {8 * OVERHEAD_SEEDS} routes, two tasks side by side: {share} %")
    assert float(share) <= 15.0
