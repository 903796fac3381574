"""Slurm is busy, silent, slow or wrong: nothing is submitted twice and nothing is driven twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.slurm.cluster_runs import (
    PARTITION,
    ClusterRun,
    assert_each_unit_was_driven_once,
    assert_ledger_is_accounted_for,
    ended,
    is_short,
    read,
    submissions,
)
from tests.integration.slurm.intercepted import CUT, FAILING, HONEST, KILLED, LIES, UNANSWERED, Intercepted
from tests.integration.slurm.waiting import wait_in
from tests.slurm_cluster import SlurmCluster

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]
CONFIRM_S = 2.0
# Believes the worst as soon as it may, so that a lie of seconds is one of minutes elsewhere.
HASTY = f"[poll]\ninterval_s = 0.5\nconfirm_s = {CONFIRM_S}\nlease_s = 20\n"


@pytest.fixture
def run(slurm: SlurmCluster, tmp_path: Path, repository: Path) -> ClusterRun:
    made = ClusterRun(tmp_path / "work", slurm, repository)
    (made.folder / "harness.toml").write_text(HASTY)
    return made


@pytest.fixture
def slurm_calls(slurm: SlurmCluster, tmp_path: Path, request: pytest.FixtureRequest) -> Intercepted:
    return Intercepted(tmp_path, slurm, slow_s=5 if request.node.get_closest_marker("soak") else 1)


def drive_through(run: ClusterRun, slurm_calls: Intercepted, command: tuple[str, ...], lie_s: float) -> None:
    """Begin a run, let Slurm tell one lie after the other while its jobs drive, then see it to its end."""
    with ended(run.start(*command, **slurm_calls.environment)) as controller:
        wait_in(run, controller, lambda: bool(run.processes_of("drive-unit")), "the first drive")
        for lie in LIES:
            assert controller.poll() is None, f"it had ended before Slurm was {lie}"
            slurm_calls.answer(lie)
            told = len(slurm_calls.calls("squeue")) + 2
            time.sleep(lie_s)
            wait_in(run, controller, lambda told=told: slurm_calls.answered("squeue") >= told, f"two {lie} answers")
        slurm_calls.answer(HONEST)
        assert controller.wait(900.0) == 0, run.said(0)
    latest = run.latest()
    assert len(slurm_calls.calls("sbatch")) == 1
    (submission,) = submissions(latest)
    units = [latest.parent.parent / f"mini_seed{row['seed']}" / latest.name / row["route"] for row in rows(run)]
    assert len(units) == sum(map(len, submission.tasks))
    assert_each_unit_was_driven_once(units)
    assert_nobody_drove_for_another(units)
    assert_ledger_is_accounted_for(latest)
    assert "Slurm does not answer; nothing is decided until it does" in run.said(0)[1]


def assert_nobody_drove_for_another(units: list[Path]) -> None:
    """Every unit has one result, and whatever was tried for it was tried by one and the same task."""
    for unit in units:
        tries = [read(file) for file in unit.glob("attempt_*/attempt.json")]
        assert len({(one["token"], one["task"]) for one in tries}) == 1, f"{unit}: {tries}"
        assert len(list(unit.glob("attempt_*/result.json"))) == 1


def rows(run: ClusterRun) -> list[dict[str, str]]:
    found: list[dict[str, str]] = read(run.latest() / "scoreboard.json")["data"]["routes"]
    return found


def test_lies_of_seconds(run: ClusterRun, slurm_calls: Intercepted) -> None:
    command = ("eval", "--only", "01,02", "--partition", PARTITION, "--jobs", "2")
    drive_through(run, slurm_calls, command, lie_s=1.0)


@pytest.mark.soak
def test_lies_that_last(run: ClusterRun, slurm_calls: Intercepted) -> None:
    seeds = "1,2,3,4" if is_short() else "1,2,3,4,5,6,7"
    command = ("eval", "--only", "01,02,03,04,05,06,07,08", "--seeds", seeds, "--partition", PARTITION, "--jobs", "2")
    drive_through(run, slurm_calls, command, lie_s=6.0 if is_short() else 15.0)


@pytest.mark.parametrize("lie", [UNANSWERED, pytest.param(KILLED, marks=pytest.mark.soak)])
def test_job_whose_acceptance_was_lost_is_found_by_its_name(
    run: ClusterRun, slurm_calls: Intercepted, lie: str
) -> None:
    slurm_calls.answer(lie, "sbatch")
    # The newest line of every list is missing at first, and that is the job's.
    slurm_calls.answer(CUT)
    with ended(run.start("eval", "--only", "04", "--partition", PARTITION, **slurm_calls.environment)) as controller:
        wait_in(run, controller, lambda: slurm_calls.answered("squeue") >= 8, "some polls")
        slurm_calls.answer(HONEST)
        assert controller.wait(120.0) == 0, run.said(0)
    assert len(slurm_calls.calls("sbatch")) == 1
    (submission,) = submissions(run.latest())
    assert len(submission.job_ids) == 1
    assert not submission.is_abandoned
    assert "sbatch gave no answer" in run.said(0)[1] or "sbatch ended with" in run.said(0)[1]
    assert_each_unit_was_driven_once([run.latest() / "04"])
    assert_ledger_is_accounted_for(run.latest())


def test_job_that_never_arrived_is_submitted_again_once(run: ClusterRun, slurm_calls: Intercepted) -> None:
    slurm_calls.answer(FAILING, "sbatch")
    with ended(run.start("eval", "--only", "04", "--partition", PARTITION, **slurm_calls.environment)) as controller:
        wait_in(run, controller, lambda: bool(slurm_calls.answered("sbatch")), "the first call of sbatch")
        failed_s = time.time()
        slurm_calls.answer(HONEST, "sbatch")
        assert controller.wait(120.0) == 0, run.said(0)
    first, second = submissions(run.latest())
    assert (first.is_abandoned, first.job_ids) == (True, ())
    assert not second.is_abandoned
    assert second.intended_s - failed_s >= CONFIRM_S
    assert len(slurm_calls.calls("sbatch")) == 2
    assert_each_unit_was_driven_once([run.latest() / "04"])
    assert_ledger_is_accounted_for(run.latest())
