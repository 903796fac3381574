"""What a dataset is better off without, and what deleting it means for the next collection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.attempts import AttemptFolder, begin_attempt
from harness.jobs.publish import publish_json, publish_text
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import open_dataset
from harness.stages.clean_failed import delete, find_waste
from harness.stages.work import publish_attempt
from tests.unit.jobs.drawn import RESULT, new_run, unit

NAME = "Borough01_Rep0_05_route0"


def recorded(route: str) -> Unit:
    return replace(unit(route), route=f"{route}_route0", scenario="noScenarios")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = open_dataset(tmp_path / "set")
    made.folder.mkdir(parents=True)
    made.write_manifest([recorded("05"), recorded("07")])
    publish_text(made.run_file, "[config]\n")
    return made


def begin(run: RunFolder, one: Unit) -> AttemptFolder:
    folder = run.unit_folder(one)
    folder.mkdir(parents=True, exist_ok=True)
    attempt = begin_attempt(folder, one, {"token": "a" * 12, "task": 0, "node": "n", "started_s": 1.0})
    attempt.recording.mkdir()
    (attempt.recording / "metas").mkdir()
    (attempt.recording / "metas" / "0000.pkl").write_bytes(b"frame")
    return attempt


def collect(run: RunFolder, one: Unit, **changes: Any) -> Path:
    """Record a route whose record has some other values, and return its folder in the dataset."""
    attempt = begin(run, one)
    record = {**RESULT["_checkpoint"]["records"][0], **changes}
    name = f"data/noScenarios/{one.town}_Rep0_{one.route}_11_20_08_00_00"
    content = {
        **RESULT,
        "_checkpoint": {**RESULT["_checkpoint"], "records": [record]},
        "harness": {"wall": {"data_folder": name}},
    }
    publish_json(attempt.recording / "results.json", record)
    publish_json(attempt.result, content)
    publish_attempt(run, one, attempt, content)
    return run.root / name


def test_good_routes_are_left_alone(run: RunFolder) -> None:
    collect(run, recorded("05"))
    assert find_waste(run) == []


def test_broken_route_is_deleted_and_collected_again(run: RunFolder) -> None:
    good, broken = recorded("05"), recorded("07")
    kept = collect(run, good)
    folder = collect(run, broken, status="Failed - Agent crashed")
    (waste,) = find_waste(run)
    assert (waste.folder, waste.is_repeated) == (folder, True)
    assert folder.is_dir() and run.is_done(broken)  # looking deletes nothing
    delete(run, [waste])
    assert not folder.exists() and kept.is_dir()
    assert run.is_done(good) and not run.is_done(broken)
    assert [file.name for file in (run.root / "results" / "noScenarios").iterdir()] == [f"{NAME}_result.json"]
    assert find_waste(run) == []
    assert collect(run, broken).is_dir() and run.is_done(broken)


def test_badly_driven_route_is_deleted_and_not_driven_again(run: RunFolder) -> None:
    one = recorded("05")
    infractions = {**RESULT["_checkpoint"]["records"][0]["infractions"], "red_light": ["ran a light"]}
    scores = {"score_route": 100.0, "score_penalty": 0.7, "score_composed": 70.0}
    folder = collect(run, one, status="Completed", num_infractions=1, infractions=infractions, scores=scores)
    (waste,) = find_waste(run)
    assert not waste.is_repeated
    delete(run, [waste])
    assert not folder.exists() and run.is_done(one)


def test_recording_of_a_killed_attempt_is_waste(run: RunFolder) -> None:
    attempt = begin(run, recorded("05"))
    (waste,) = find_waste(run)
    assert waste.folder == attempt.recording
    delete(run, [waste])
    assert attempt.folder.is_dir() and not attempt.recording.exists()


def test_nothing_is_deleted_while_somebody_works_on_the_dataset(run: RunFolder) -> None:
    folder = collect(run, recorded("05"), status="Failed - Agent crashed")
    run.lock()
    with pytest.raises(HarnessError, match="another process works on"):
        delete(RunFolder(run.folder), find_waste(run))
    run.unlock()
    assert folder.is_dir()


def test_evaluation_has_no_waste(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a dataset"):
        find_waste(new_run(tmp_path))
