"""How long drives took: in this run, else in the newest earlier one of the same suite and agent."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.datatypes.unit import Unit
from harness.jobs.attempts import RESULT as RESULT_NAME
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import UNKNOWN_TIME
from harness.metrics.checkpoint import checkpoint
from harness.metrics.lb20 import route_record
from harness.stages import history
from harness.stages.history import history_s, predicted_s
from tests.unit.jobs.drawn import OUTCOME, unit, units

OLD, NEW, OWN = "2026-01-02_03-04-05", "2026-01-02_03-04-06", "2026-01-02_03-04-06_2"


def run_at(folder: Path, time: str, *, agent: str = "expert", suite: str = "mini", seed: int = 1) -> RunFolder:
    return RunFolder(folder / "evaluation" / agent / f"{suite}_seed{seed}" / time)


def drive(run: RunFolder, route: str, wall_s: float) -> Path:
    """Write the result of a drive that took a time."""
    file = run.folder / route / RESULT_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(checkpoint([route_record(replace(OUTCOME, duration_wall_s=wall_s), 0)], 1)))
    return file


def known(run: RunFolder, these: list[Unit] | None = None) -> dict[str, float]:
    return history_s(run, units() if these is None else these)


def test_a_new_run_knows_what_the_newest_earlier_one_took(tmp_path: Path) -> None:
    drive(run_at(tmp_path, OLD), "05", 99.0)
    drive(run_at(tmp_path, NEW), "07", 40.0)
    own = run_at(tmp_path, OWN)
    assert known(own) == {"07": 40.0}
    assert predicted_s(own, units())[1] == 40.0


def test_results_of_this_run_win(tmp_path: Path) -> None:
    for route in ("05", "07"):
        drive(run_at(tmp_path, NEW), route, 40.0)
    drive(run_at(tmp_path, OWN), "05", 7.0)
    assert known(run_at(tmp_path, OWN)) == {"05": 7.0, "07": 40.0}


def test_later_runs_and_those_of_others_tell_nothing(tmp_path: Path) -> None:
    drive(run_at(tmp_path, "2026-01-02_03-04-06_10"), "05", 1.0)
    drive(run_at(tmp_path, "2027-01-01_00-00-00"), "05", 2.0)
    drive(run_at(tmp_path, OLD, agent="other"), "05", 3.0)
    drive(run_at(tmp_path, OLD, suite="mini_seed1_more"), "05", 4.0)
    drive(run_at(tmp_path, "a copy"), "05", 5.0)
    assert known(run_at(tmp_path, OWN)) == {}


def test_a_preview_knows_what_the_run_will_know(tmp_path: Path) -> None:
    drive(run_at(tmp_path, NEW), "05", 40.0)
    assert known(run_at(tmp_path, UNKNOWN_TIME)) == known(run_at(tmp_path, OWN)) == {"05": 40.0}
    assert known(run_at(tmp_path / "nothing", UNKNOWN_TIME)) == {}


def test_every_seed_of_the_earlier_run_counts(tmp_path: Path) -> None:
    drive(run_at(tmp_path, NEW, seed=1), "05", 40.0)
    drive(run_at(tmp_path, NEW, seed=2), "07", 50.0)
    assert known(run_at(tmp_path, OWN, seed=3), units((3,))) == {"05": 40.0, "07": 50.0}


def test_a_seed_without_a_result_does_not_hide_that_of_another(tmp_path: Path) -> None:
    drive(run_at(tmp_path, OWN, seed=1), "05", 7.0)
    assert known(run_at(tmp_path, OWN), units((1, 2))) == {"05": 7.0}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"_checkpoint": {"records": []}}'])
def test_damaged_files_tell_nothing(tmp_path: Path, text: str) -> None:
    drive(run_at(tmp_path, OLD), "05", 99.0)
    drive(run_at(tmp_path, NEW), "05", 40.0)
    drive(run_at(tmp_path, NEW), "07", 1.0).write_text(text)
    drive(run_at(tmp_path, OWN), "05", 7.0).write_text(text)
    assert known(run_at(tmp_path, OWN)) == {"05": 40.0}


@pytest.mark.parametrize("value", [None, "soon", [1], 10**400])
def test_a_duration_that_is_none_tells_nothing(tmp_path: Path, value: object) -> None:
    file = drive(run_at(tmp_path, OWN), "05", 7.0)
    content = json.loads(file.read_text())
    content["_checkpoint"]["records"][0]["meta"]["duration_system"] = value
    file.write_text(json.dumps(content))
    assert known(run_at(tmp_path, OWN)) == {}


def test_an_earlier_run_without_results_is_passed_over(tmp_path: Path) -> None:
    drive(run_at(tmp_path, OLD), "05", 40.0)
    (run_at(tmp_path, NEW).folder / "05").mkdir(parents=True)
    assert known(run_at(tmp_path, OWN)) == {"05": 40.0}


def test_one_earlier_run_is_read_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for time in (OLD, NEW):
        for route in ("05", "07"):
            drive(run_at(tmp_path, time), route, 40.0)
    read: list[Path] = []
    really = history.read_json
    monkeypatch.setattr(history, "read_json", lambda file: (read.append(file), really(file))[1])
    for _ in range(3):
        known(run_at(tmp_path, OWN))
    assert sorted(read) == [run_at(tmp_path, NEW).folder / route / RESULT_NAME for route in ("05", "07")]


def test_a_dataset_knows_its_own_drives_only(tmp_path: Path) -> None:
    drive(run_at(tmp_path, NEW), "05", 40.0)
    collected = RunFolder(tmp_path / "evaluation" / "expert" / "mini" / ".harness")
    one = replace(unit("05"), scenario="noScenarios")
    file = drive(run_at(tmp_path, OLD), "05", 9.0)
    assert history_s(collected, [one]) == {}
    collected.unit_folder(one).mkdir(parents=True)
    os.link(file, collected.unit_folder(one) / RESULT_NAME)
    assert history_s(collected, [one]) == {"05": 9.0}
