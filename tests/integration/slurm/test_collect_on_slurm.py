"""Collecting a dataset on a real Slurm cluster."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.integration.slurm.cluster_runs import (
    PARTITION,
    ClusterRun,
    assert_each_unit_was_driven_once,
    assert_ledger_is_accounted_for,
    is_short,
    submissions,
)
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(240)]
FOLDERS = ["data", "results", "scripts", "stderr", "stdout"]


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    return ClusterRun(tmp_path / "work", slurm, repository)


def hashes(folder: Path) -> dict[str, str]:
    """Return path -> hash of everything in a folder; folders and links too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = str(path.readlink()).encode()
        else:
            content = path.read_bytes() if path.is_file() else b"folder"
        found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def check(run: ClusterRun, dataset: Path, routes: int) -> None:
    """The dataset is complete, sound, and says the same in all of its places."""
    state = dataset / ".harness"
    units = sorted((state / "units").iterdir())
    assert len(units) == routes
    assert_each_unit_was_driven_once(units)
    assert_ledger_is_accounted_for(state)
    assert [path.name for path in sorted(dataset.iterdir()) if not path.name.startswith(".")] == sorted(
        [*FOLDERS, "scancel.sh"]
    )
    folders = sorted((dataset / "data").glob("*/*"))
    assert len(folders) == routes
    assert len(list((dataset / "results").glob("*/*_result.json"))) == routes
    # What a failed attempt has recorded stays with it, until make clean-failed.
    assert not [a for a in state.glob("units/*/attempt_*/recording") if (a.parent / "result.json").exists()]
    checked = run.run("dataset", "check", str(dataset), "--output", "json")
    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)["data"]["routes"] == routes


def test_two_repetitions_are_collected(run: ClusterRun) -> None:
    command = ("collect", "--dataset", "small", "--max-per-type", "1", "--repetitions", "2", "--partition", PARTITION)
    before = hashes(run.folder)
    shown = run.run_silently(*command, "--print-only", "--output", "json")
    assert hashes(run.folder) == before
    foretold = json.loads(shown)["data"]["submissions"]
    answer = run.run(*command)
    assert answer.returncode == 0, answer.stderr
    assert "2 of 2 drives are collected in data/small/data" in answer.stdout
    dataset = run.folder / "data" / "small"
    check(run, dataset, 2)
    made = submissions(dataset / ".harness")
    scripts = [(dataset / "scripts" / f"{submission.name}.sbatch").read_text() for submission in made]
    assert scripts == [submission["script"] for submission in foretold]
    seeds = {json.loads(f.read_text())["harness"]["traffic_seed"] for f in (dataset / "results").glob("*/*.json")}
    assert len(seeds) == 2

    again = run.run(*command)
    assert again.returncode == 0
    assert len(submissions(dataset / ".harness")) == len(made)  # nothing was left to do
    more = run.run(*command[:-4], "--repetitions", "3", "--partition", PARTITION)
    assert more.returncode == 0
    check(run, dataset, 3)
    assert "3 of 3 done" in run.run("status").stdout


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_training_routes_are_collected(run: ClusterRun, repository: Path) -> None:
    routes = run.folder / "routes"
    routes.mkdir()
    for file in sorted((repository / "routes" / "train").glob("*.xml"))[:: 3 if is_short() else 1]:
        shutil.copy(file, routes)
    answer = run.run("collect", "--routes", "routes", "--partition", PARTITION, "--jobs", "3", limit_s=1400.0)
    assert answer.returncode == 0, answer.stderr
    check(run, run.folder / "data" / "carla_leaderboard2", 40 if is_short() else 120)
