"""What a dataset is better off without, and what deleting it means for the next collection."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.commands.dataset import clean_failed_command
from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs.attempts import RESULT as RESULT_NAME
from harness.jobs.attempts import AttemptFolder, begin_attempt
from harness.jobs.claims import Holder, file_system_time_s, take_claim
from harness.jobs.profile import Poll, Profile
from harness.jobs.publish import publish_json, publish_text
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import open_dataset
from harness.stages import clean_failed
from harness.stages.clean_failed import Deletion, Waste, delete_waste, find_waste
from harness.stages.launch import Launch
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
    Launch(verb="collect", what="set").save(made)
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
    assert delete_waste(run) == Deletion(deleted=[waste])
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
    assert delete_waste(run) == Deletion(deleted=[waste])
    assert not folder.exists() and run.is_done(one)


def test_recording_of_a_killed_attempt_is_waste(run: RunFolder) -> None:
    attempt = begin(run, recorded("05"))
    (waste,) = find_waste(run)
    assert waste.folder == attempt.recording
    assert delete_waste(run) == Deletion(deleted=[waste])
    assert attempt.folder.is_dir() and not attempt.recording.exists()


def test_nothing_is_deleted_while_somebody_works_on_the_dataset(run: RunFolder) -> None:
    folder = collect(run, recorded("05"), status="Failed - Agent crashed")
    run.lock()
    with pytest.raises(HarnessError, match="another process works on"):
        delete_waste(RunFolder(run.folder))
    run.unlock()
    assert folder.is_dir()


def test_evaluation_has_no_waste(tmp_path: Path) -> None:
    evaluation = new_run(tmp_path)
    for look in (find_waste, delete_waste):
        with pytest.raises(ConfigError, match="expected a dataset"):
            look(evaluation)


def elsewhere(age_s: float, folder: Path) -> None:
    """Let a process on another machine have held the claim of a unit, and shown life some seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    holder = replace(Holder.this_process("b" * 12, 1), machine="other", kernel="other")
    publish_text(folder / "claim.json", json.dumps(asdict(holder)))
    then_s = file_system_time_s(folder) - age_s
    os.utime(folder / "claim.json", (then_s, then_s))


def test_life_is_judged_by_the_clock_of_the_file_system(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    one = recorded("05")
    begin(run, one)
    elsewhere(5.0, run.unit_folder(one))
    ahead_s = time.time() + 3600.0
    monkeypatch.setattr(time, "time", lambda: ahead_s)
    assert find_waste(run) == []


@pytest.mark.parametrize(("age_s", "is_left"), [(200.0, False), (400.0, True)])
def test_life_is_judged_by_the_lease_of_the_run(run: RunFolder, age_s: float, is_left: bool) -> None:
    Launch(verb="collect", what="set", profile=Profile(poll=Poll(lease_s=300.0))).save(run)
    one = recorded("05")
    attempt = begin(run, one)
    elsewhere(age_s, run.unit_folder(one))
    assert [waste.folder for waste in find_waste(run)] == [attempt.recording] * is_left
    assert [waste.folder for waste in delete_waste(run).deleted] == [attempt.recording] * is_left
    assert attempt.recording.exists() is not is_left


def test_claim_of_another_machine_holds_for_the_lease_of_the_run(run: RunFolder) -> None:
    Launch(verb="collect", what="set", profile=Profile(poll=Poll(lease_s=300.0))).save(run)
    one = recorded("05")
    folder = collect(run, one, status="Failed - Agent crashed")
    elsewhere(200.0, run.unit_folder(one))
    assert [waste.folder for waste in delete_waste(run).held] == [folder]
    elsewhere(400.0, run.unit_folder(one))
    assert [waste.folder for waste in delete_waste(run).deleted] == [folder]


def test_what_somebody_works_on_is_left_alone(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, left = recorded("05"), recorded("07")
    folder = collect(run, broken, status="Failed - Agent crashed")
    attempt = begin(run, left)
    both = find_waste(run)
    assert [waste.folder for waste in both] == [folder, attempt.recording]
    # As if the tasks had come after the look.
    monkeypatch.setattr(clean_failed, "find_waste", lambda _: both)
    claims = [take_claim(run.unit_folder(one), Holder.this_process("b" * 12, 1)) for one in (broken, left)]
    assert delete_waste(run) == Deletion(held=both)
    assert folder.is_dir() and attempt.recording.is_dir() and run.is_done(broken)
    for claim in claims:
        assert claim is not None
        claim.release()
    assert delete_waste(run) == Deletion(deleted=both)
    # Nothing of ours is left in the way of the next task.
    again = take_claim(run.unit_folder(broken), Holder.this_process("b" * 12, 1))
    assert again is not None
    again.release()


def test_dataset_is_looked_at_again_under_the_lock(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []

    def look(looked_at: RunFolder) -> list[Waste]:
        with pytest.raises(HarnessError, match="another process works on"):
            RunFolder(looked_at.folder).lock()
        looks.append(True)
        return find_waste(looked_at)

    monkeypatch.setattr(clean_failed, "find_waste", look)
    delete_waste(run)
    assert looks == [True]


def test_recording_that_was_completed_since_the_look_is_kept(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = begin(run, recorded("05"))
    found = find_waste(run)
    publish_json(attempt.result, RESULT)
    monkeypatch.setattr(clean_failed, "find_waste", lambda _: found)
    assert delete_waste(run) == Deletion()
    assert attempt.recording.is_dir()


def test_route_whose_result_is_not_chosen_yet_belongs_to_its_unit(run: RunFolder) -> None:
    one = recorded("05")
    folder = collect(run, one, status="Failed - Agent crashed")
    (run.unit_folder(one) / RESULT_NAME).unlink()
    claim = take_claim(run.unit_folder(one), Holder.this_process("b" * 12, 1))
    assert claim is not None
    assert [waste.folder for waste in delete_waste(run).held] == [folder]
    claim.release()
    (waste,) = delete_waste(run).deleted
    assert waste.is_repeated and not folder.exists()
    assert not (run.unit_folder(one) / "attempt_1" / RESULT_NAME).exists()


def test_route_of_an_earlier_attempt_is_deleted_without_the_result_of_the_chosen_one(run: RunFolder) -> None:
    one = recorded("05")
    folder = collect(run, one, status="Failed - Agent crashed")
    (run.unit_folder(one) / RESULT_NAME).unlink()
    second = begin(run, one)
    good = f"{folder.relative_to(run.root)}_again"
    content = {**RESULT, "harness": {"wall": {"data_folder": good}}}
    publish_json(second.recording / "results.json", RESULT["_checkpoint"]["records"][0])
    publish_json(second.result, content)
    publish_attempt(run, one, second, content)
    (waste,) = delete_waste(run).deleted
    assert (waste.folder, waste.is_repeated) == (folder, False)
    assert run.is_done(one) and (run.root / good).is_dir()
    assert (run.root / "results" / "noScenarios" / f"{NAME}_result.json").is_file()


def answer(*words: str) -> str:
    result = CliRunner().invoke(clean_failed_command, words, standalone_mode=False)
    assert result.exception is None, result.output
    return result.output


def test_print_only_wins_over_confirm(run: RunFolder) -> None:
    folder = collect(run, recorded("05"), status="Failed - Agent crashed")
    for words in ((), ("--print-only",), ("--confirm", "--print-only")):
        text = answer("--run", str(run.root), *words)
        assert "it will be collected again" in text and "1 folders; nothing was deleted: CONFIRM=1" in text
        shown = json.loads(answer("--run", str(run.root), *words, "--output", "json"))["data"]
        assert not shown["is_deleted"] and folder.is_dir()
    assert answer("--run", str(run.root), "--confirm").endswith("deleted 1 folders\n")
    assert not folder.exists()
    assert answer("--run", str(run.root), "--confirm") == f"nothing in {run.root} has failed\n"


def test_held_route_is_named(run: RunFolder) -> None:
    one = recorded("05")
    folder = collect(run, one, status="Failed - Agent crashed")
    claim = take_claim(run.unit_folder(one), Holder.this_process("b" * 12, 1))
    assert claim is not None
    text = answer("--run", str(run.root), "--confirm")
    shown = json.loads(answer("--run", str(run.root), "--confirm", "--output", "json"))["data"]
    claim.release()
    assert text.splitlines()[0].endswith("; not deleted, since somebody works on this route now")
    assert text.splitlines()[-1] == "deleted 0 folders"
    assert (shown["found"], shown["held"]) == ([], [str(folder)])
