"""How a run stands, from its files alone."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.datatypes.job import Outcome
from harness.jobs.attempts import begin_attempt
from harness.jobs.claims import Holder
from harness.jobs.publish import publish_json
from harness.jobs.run_folder import RunFolder
from harness.stages.launch import Launch
from harness.stages.status import Group, Status, has_failed, run_status
from tests.unit.jobs.drawn import RESULT, begin, finish, new_run, unit, units


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = new_run(tmp_path, seeds=(1, 2))
    Launch(verb="eval", what="mini").save(made)
    return made


def look(run: RunFolder) -> Status:
    return run_status(run, has_failed)


def fail(run: RunFolder, route: str, outcome: Outcome, reason: str, node: str = "node07") -> None:
    folder = run.unit_folder(unit(route))
    folder.mkdir(exist_ok=True)
    facts = {"token": "a" * 12, "task": 0, "node": node, "started_s": time.time()}
    attempt = begin_attempt(folder, unit(route), facts)
    attempt.write_outcome(outcome, reason, fingerprint=reason, evidence=["first line", "last line"])


def test_nothing_has_begun(run: RunFolder) -> None:
    status = look(run)
    assert status.state == "idle: the same command continues"
    assert (status.whole.total, status.whole.done, status.whole.running) == (4, 0, 0)
    assert status.eta_s is None


def test_everything_is_done(run: RunFolder) -> None:
    for each in units((1, 2)):
        finish(run, each)
    status = look(run)
    assert status.state == "complete"
    assert [(group.name, group.done, group.total) for group in status.by_town] == [("Borough01", 4, 4)]
    assert status.attempts == {1: 4}


def test_a_drive_that_runs(run: RunFolder) -> None:
    finish(run, unit("05"))
    attempt = begin(run, unit("07"))
    attempt.write_progress(50.0, 20.0)
    holder = Holder.this_process("a" * 12, 0)
    (run.unit_folder(unit("07")) / "claim.json").write_text(json.dumps(asdict(holder)))
    status = look(run)
    assert (status.state, status.whole.running, status.whole.done) == ("running", 1, 1)
    assert status.eta_s is not None and status.eta_s > 0.0


def test_troubles_are_counted_by_kind_with_reason_and_evidence(run: RunFolder) -> None:
    for route in ("05", "07", "05"):
        fail(run, route, Outcome.SIMULATOR_CRASH, "the simulator ended during the drive")
    fail(run, "05", Outcome.PREEMPTED, "preempted")
    status = look(run)
    first, second = status.troubles
    assert (first.outcome, first.count, first.units) == ("simulator crash", 3, 2)
    assert first.reason == "the simulator ended during the drive"
    assert first.evidence == "last line"
    assert Path(first.example, "outcome.json").exists()
    assert (second.outcome, second.count) == ("preempted", 1)
    assert status.outcomes == {"simulator crash": 3, "preempted": 1}
    (node,) = status.nodes
    assert node["node"] == "node07"


def test_a_unit_that_is_given_up(run: RunFolder) -> None:
    for _ in range(3):
        fail(run, "05", Outcome.AGENT, "signal SIGSEGV")
    status = look(run)
    assert status.whole.given_up == 1
    assert status.whole.failure_share == 1.0


def test_cancelled_run(run: RunFolder) -> None:
    run.cancel_wish.touch()
    assert look(run).state == "cancelled"


@pytest.mark.parametrize(
    ("failed", "remark"), [(0, ""), (9, ""), (30, "unusual"), (50, "unusual"), (51, "look at the troubles")]
)
def test_guidance_on_failure_rates(failed: int, remark: str) -> None:
    found = Group(name="x", total=100, done=100, failed=failed, running=0, given_up=0).remark
    assert (remark in found) if remark else found == ""


def test_result_of_a_broken_drive_has_failed(tmp_path: Path) -> None:
    assert not has_failed(RESULT)
    record = {**RESULT["_checkpoint"]["records"][0], "status": "Failed - Agent crashed"}
    file = tmp_path / "result.json"
    publish_json(file, {**RESULT, "_checkpoint": {**RESULT["_checkpoint"], "records": [record]}})
    assert has_failed(json.loads(file.read_text()))
