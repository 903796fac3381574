"""The files of a unit: attempts that count up, and one result that is chosen once."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.job import Outcome
from harness.errors import HarnessError
from harness.jobs import attempts
from harness.jobs.attempts import (
    AttemptFolder,
    attempt_folders,
    begin_attempt,
    choose,
    defect,
    give_motion,
    is_number,
    motion_folder,
    read_state,
)
from harness.jobs.claims import Holder
from harness.jobs.publish import publish_json
from tests.unit.jobs.drawn import RESULT, unit

FACTS = {"token": "0123456789ab", "task": 3, "node": "node07", "started_s": 1234.5, "more": [1, 2]}
HERE = Holder.this_process("0123456789ab", 3)


def begin(folder: Path, **facts: Any) -> AttemptFolder:
    return begin_attempt(folder, unit(), {**FACTS, **facts})


def with_result(folder: Path, wall_s: float = 2.5) -> AttemptFolder:
    """Draw an attempt that published a result, which tells itself from others by how long it took."""
    attempt = begin(folder)
    record = RESULT["_checkpoint"]["records"][0]
    record = {**record, "meta": {**record["meta"], "duration_system": wall_s}}
    content = {**RESULT, "_checkpoint": {**RESULT["_checkpoint"], "records": [record]}}
    attempt.result.write_text(json.dumps(content))
    return attempt


def hold(folder: Path, holder: Holder = HERE) -> None:
    """Let a living process hold the unit."""
    (folder / "claim.json").write_text(json.dumps(asdict(holder)))


def state_of(folder: Path) -> Any:
    return read_state(folder, HERE, (folder / "claim.json").stat().st_mtime if folder.is_dir() else 0.0)


# --- attempts --------------------------------------------------------------------------------------------------------


def test_attempts_count_up_and_nothing_is_overwritten(tmp_path: Path) -> None:
    for number in (1, 2):
        attempt = begin(tmp_path)
        assert attempt.number == number
        attempt.log.write_text(f"log {number}")
    assert [attempt.log.read_text() for attempt in attempt_folders(tmp_path)] == ["log 1", "log 2"]
    assert json.loads(attempt.unit_file.read_text()) == unit().as_dict()
    assert json.loads((attempt.folder / "attempt.json").read_text()) == FACTS


def test_tenth_attempt_follows_the_ninth(tmp_path: Path) -> None:
    for _ in range(10):
        attempt = begin(tmp_path)
    assert attempt.number == 10
    assert [attempt.number for attempt in attempt_folders(tmp_path)] == list(range(1, 11))


def test_a_gap_is_not_filled(tmp_path: Path) -> None:
    for _ in range(3):
        begin(tmp_path)
    (tmp_path / "attempt_2").rename(tmp_path / "moved away")
    assert begin(tmp_path).number == 4


def test_foreign_entries_are_no_attempts(tmp_path: Path) -> None:
    begin(tmp_path)
    for name in ("attempt_", "attempt_x", "attempt_2.bak", "attempt_²", "attempt_٣", "result.json"):
        (tmp_path / name).mkdir()
    assert begin(tmp_path).number == 2


def test_a_unit_without_a_folder_has_no_attempts(tmp_path: Path) -> None:
    assert attempt_folders(tmp_path / "absent") == []
    state = read_state(tmp_path / "absent", HERE, 0.0)
    assert (state.is_done, state.attempts, state.is_live) == (False, (), False)


@pytest.mark.parametrize(("text", "expected"), [("10", True), ("", False), ("²", False), ("٣", False), ("-1", False)])
def test_numbers_are_digits(text: str, expected: bool) -> None:
    assert is_number(text) is expected


# --- outcome and progress --------------------------------------------------------------------------------------------


def test_the_first_word_about_an_attempt_stands(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    attempt.write_outcome(Outcome.SIMULATOR_HANG, "no frame", fingerprint="abc", ended_s=7.0)
    attempt.write_outcome(Outcome.RESULT, "")
    content = json.loads((attempt.folder / "outcome.json").read_text())
    assert content == {"outcome": "simulator hang", "reason": "no frame", "fingerprint": "abc", "ended_s": 7.0}
    (found,) = read_state(tmp_path, HERE, 0.0).attempts
    assert (found.outcome, found.reason, found.fingerprint) == (Outcome.SIMULATOR_HANG, "no frame", "abc")
    assert (found.number, found.task, found.node, found.started_s) == (1, ("0123456789ab", 3), "node07", 1234.5)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_read_back(tmp_path: Path, outcome: Outcome) -> None:
    begin(tmp_path).write_outcome(outcome, "why")
    assert read_state(tmp_path, HERE, 0.0).attempts[0].outcome is outcome


def test_progress_is_the_last_that_was_shown(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    assert attempt.read_progress() == (0.0, 0.0)
    for percent in (1.0, 42.5):
        attempt.write_progress(percent, 17.25)
    assert attempt.read_progress() == (42.5, 17.25)
    assert sorted(file.name for file in attempt.folder.iterdir()) == ["attempt.json", "progress.json", "unit.json"]


TORN = ["", "{", '{"percent": 1', "[]", "3", "null", "\xff", "[" * 100_000, '{"percent": "x", "sim_s": []}']


@pytest.mark.parametrize("damage", TORN)
def test_torn_files_tell_nothing_and_break_nothing(tmp_path: Path, damage: str) -> None:
    attempt = begin(tmp_path)
    for name in ("attempt.json", "outcome.json", "progress.json"):
        (attempt.folder / name).write_bytes(damage.encode("latin-1"))
    assert attempt.read_progress() == (0.0, 0.0)
    (found,) = read_state(tmp_path, HERE, 0.0).attempts
    assert (found.number, found.task, found.outcome, found.node, found.started_s) == (1, ("", 0), None, "", 0.0)


@pytest.mark.parametrize(
    ("facts", "ending"),
    [
        ({"token": 3, "task": "x", "started_s": "soon", "node": None}, {"outcome": "no such word"}),
        ({"token": "a", "task": None, "started_s": True}, {"outcome": 3, "reason": [], "fingerprint": {}}),
        ({}, {"outcome": None}),
    ],
)
def test_fields_of_the_wrong_kind_count_as_absent(tmp_path: Path, facts: Any, ending: Any) -> None:
    attempt = AttemptFolder(tmp_path / "attempt_1")
    attempt.folder.mkdir()
    publish_json(attempt.folder / "attempt.json", facts)
    publish_json(attempt.folder / "outcome.json", ending)
    (found,) = read_state(tmp_path, HERE, 0.0).attempts
    assert (found.task, found.outcome, found.started_s) == (("", 0), None, 0.0)


# --- what is live ----------------------------------------------------------------------------------------------------


def test_the_last_attempt_is_live_while_its_unit_is_held(tmp_path: Path) -> None:
    for _ in range(2):
        begin(tmp_path)
    hold(tmp_path)
    state = state_of(tmp_path)
    assert [attempt.is_live for attempt in state.attempts] == [False, True]
    assert state.is_live
    hold(tmp_path, replace(HERE, pid=1, started_s=1.0))
    assert not state_of(tmp_path).is_live


def test_an_attempt_that_has_an_outcome_is_not_live(tmp_path: Path) -> None:
    begin(tmp_path).write_outcome(Outcome.AGENT, "why")
    hold(tmp_path)
    assert not state_of(tmp_path).is_live


def test_a_unit_that_is_done_is_not_live(tmp_path: Path) -> None:
    choose(tmp_path, with_result(tmp_path))
    hold(tmp_path)
    state = state_of(tmp_path)
    assert (state.is_done, state.is_live) == (True, False)


# --- the one result --------------------------------------------------------------------------------------------------


def test_chosen_result_is_a_second_name_of_the_attempts_file(tmp_path: Path) -> None:
    first, second = with_result(tmp_path), with_result(tmp_path, 3.5)
    assert choose(tmp_path, first)
    chosen = tmp_path / "result.json"
    assert chosen.samefile(first.result)
    assert not choose(tmp_path, second)
    assert not choose(tmp_path, first)
    assert chosen.samefile(first.result)
    assert read_state(tmp_path, HERE, 0.0).is_done


def test_of_many_threads_one_chooses(tmp_path: Path) -> None:
    for round_number in range(10):
        folder = tmp_path / str(round_number)
        folder.mkdir()
        tries = [with_result(folder, 1.0 + number) for number in range(8)]
        gate, won = threading.Barrier(len(tries)), []

        def race(attempt: AttemptFolder, folder: Path = folder, gate: Any = gate, won: list[Any] = won) -> None:
            gate.wait()
            if choose(folder, attempt):
                won.append(attempt)

        threads = [threading.Thread(target=race, args=(attempt,)) for attempt in tries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = won
        assert (folder / "result.json").samefile(winner.result)


def _choose_often(folder: str, number: int, gate: Any, won: Any) -> None:
    for round_number in range(20):
        unit_folder = Path(folder) / str(round_number)
        attempt = AttemptFolder(unit_folder / f"attempt_{number}")
        gate.wait(60.0)
        if choose(unit_folder, attempt):
            won.put((round_number, number))


def test_of_two_processes_one_chooses(tmp_path: Path) -> None:
    for round_number in range(20):
        (tmp_path / str(round_number)).mkdir()
        for number in (1, 2):
            with_result(tmp_path / str(round_number), float(number))
    context = multiprocessing.get_context("spawn")
    gate, won = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_choose_often, args=(str(tmp_path), number, gate, won)) for number in (1, 2)]
    for process in processes:
        process.start()
    found = dict(won.get(timeout=60.0) for _ in range(20))
    for process in processes:
        process.join(60.0)
        assert process.exitcode == 0
    assert won.empty()
    assert len(found) == 20
    for round_number, number in found.items():
        chosen = tmp_path / str(round_number) / "result.json"
        assert chosen.samefile(tmp_path / str(round_number) / f"attempt_{number}" / "result.json")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"_checkpoint": ', b"\xff"])
def test_a_damaged_chosen_result_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    chosen = tmp_path / "result.json"
    for number in (1, 2):
        chosen.write_bytes(damage)
        assert defect(chosen)
        attempt = with_result(tmp_path)
        assert choose(tmp_path, attempt)
        assert chosen.samefile(attempt.result)
        assert (tmp_path / f"result.damaged_{number}.json").read_bytes() == damage
        chosen.unlink()


def test_a_sound_result_that_comes_while_the_damaged_one_is_set_aside_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tmp_path / "result.json"
    chosen.write_text("{}")
    ours, theirs = with_result(tmp_path), with_result(tmp_path, 3.5)
    rename = Path.rename

    def rename_late(self: Path, target: Path) -> Path:
        monkeypatch.undo()
        assert choose(tmp_path, theirs)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    assert not choose(tmp_path, ours)
    assert chosen.samefile(theirs.result)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_second_names_gets_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(attempts.os, "link", refuse)
    first, second = with_result(tmp_path), with_result(tmp_path, 3.5)
    assert choose(tmp_path, first)
    assert not choose(tmp_path, second)
    chosen = tmp_path / "result.json"
    assert chosen.read_bytes() == first.result.read_bytes()
    assert not chosen.samefile(first.result)


def test_a_disk_that_is_full_chooses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    attempt = with_result(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(attempts.os, "link", refuse)
        choose(tmp_path, attempt)
    assert not (tmp_path / "result.json").exists()
    assert choose(tmp_path, attempt)


def test_what_is_wrong_with_a_result_does_not_name_its_path(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    assert "No such file" in (defect(file) or "")
    file.write_text('{"_checkpoint": ')
    why = defect(file)
    assert why is not None
    assert why.startswith("is not complete JSON")
    assert str(tmp_path) not in why
    assert defect(with_result(tmp_path).result) is None


def test_something_else_in_the_place_of_the_result_is_named(tmp_path: Path) -> None:
    attempt = with_result(tmp_path)
    (tmp_path / "result.json").mkdir()
    with pytest.raises(HarnessError, match=r"result\.json is no file, expected a result or nothing"):
        choose(tmp_path, attempt)


# --- the motion of a drive -------------------------------------------------------------------------------------------

SAVE_NAME = "RouteScenario_5_rep0_Town01_Accident_1_3_seed1"


def with_motion(folder: Path, text: str) -> AttemptFolder:
    """Draw an attempt that published the motion of its drive."""
    attempt = begin(folder)
    motion_folder(attempt.result).mkdir()
    (motion_folder(attempt.result) / "metric_info.json").write_text(text)
    return attempt


def content_with(save_name: object) -> dict[str, Any]:
    return {"_checkpoint": {"records": [{"save_name": save_name}]}}


def test_motion_goes_where_its_record_says_however_often_that_is_asked(tmp_path: Path) -> None:
    attempt = with_motion(tmp_path, "one")
    for _ in range(2):
        give_motion(tmp_path, attempt, content_with(SAVE_NAME))
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("metric_info.json")] == [
        f"{SAVE_NAME}/metric_info.json"
    ]


def test_motion_of_a_drive_that_replaces_another_is_the_one_that_is_found(tmp_path: Path) -> None:
    give_motion(tmp_path, with_motion(tmp_path, "first"), content_with(SAVE_NAME))
    second = with_motion(tmp_path, "second")
    give_motion(tmp_path, second, content_with(SAVE_NAME))
    assert (tmp_path / SAVE_NAME / "metric_info.json").read_text() == "second"
    assert (second.folder / "motion_before" / "metric_info.json").read_text() == "first"


@pytest.mark.parametrize("name", [None, 3, "", ".", "..", "result.json", "RouteScenario_5/../../x", "RouteScenario_\n"])
def test_motion_never_leaves_the_unit(tmp_path: Path, name: object) -> None:
    (tmp_path / "unit").mkdir()
    attempt = with_motion(tmp_path / "unit", "kept")
    give_motion(tmp_path / "unit", attempt, content_with(name))
    assert (motion_folder(attempt.result) / "metric_info.json").read_text() == "kept"


def test_drive_without_motion_has_no_folder_for_it(tmp_path: Path) -> None:
    give_motion(tmp_path, begin(tmp_path), content_with(SAVE_NAME))
    assert not (tmp_path / SAVE_NAME).exists()
