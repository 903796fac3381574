"""A run on disk: what is asked for, what is done, and who works on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.jobs.publish import publish_json
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import create_run
from tests.unit.jobs.drawn import CONFIG, RESULT, begin, finish, new_run, unit, units

# --- what is done ----------------------------------------------------------------------------------------------------


def test_a_unit_is_done_once_one_attempt_was_chosen(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    begin(run, unit())
    attempt = finish(run, unit())
    begin(run, unit())
    result = run.result_of(unit())
    assert result is not None
    assert result.samefile(attempt.result)
    assert attempt.number == 2
    assert run.is_done(unit())
    assert [one.route for one in run.missing(units())] == ["07"]


def test_a_result_that_was_not_chosen_is_none(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    publish_json(begin(run, unit()).result, RESULT)
    assert run.result_of(unit()) is None


def test_half_written_result_is_no_result(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    attempt = begin(run, unit())
    for folder in (attempt.folder, run.unit_folder(unit())):
        folder.joinpath(".result.json.123.abcd").write_text('{"half')
    assert run.result_of(unit()) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00\xff",
        b"{}",
        json.dumps(RESULT).replace("2.5", "1e999").encode(),
        json.dumps(RESULT).encode()[:-40],
        b"[" * 100_000,
    ],
)
def test_damaged_result_is_kept_named_and_driven_again(tmp_path: Path, damage: bytes) -> None:
    run = new_run(tmp_path)
    finish(run, unit())
    file = run.unit_folder(unit()) / "result.json"
    file.write_bytes(damage)
    assert run.result_of(unit()) is None
    assert run.missing(units()) == units()
    ((one, path, why),) = run.damaged(units())
    assert (one, path) == (unit(), file)
    assert why
    assert str(file) not in why
    attempt = finish(run, unit())
    result = run.result_of(unit())
    assert result is not None
    assert result.samefile(attempt.result)
    assert attempt.number == 2
    assert (run.unit_folder(unit()) / "result.damaged_1.json").read_bytes() == damage
    assert run.damaged(units()) == []


# --- manifest and configuration --------------------------------------------------------------------------------------


def test_lines_of_the_manifest_keep_their_numbers_when_more_are_added(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    more = [unit("09"), unit("07"), unit("05", 2)]
    assert run.manifest_with(more) == [*units(), unit("09"), unit("05", 2)]
    assert run.units() == units()
    before = run.manifest.stat()
    run.extend(units()[::-1])
    assert run.manifest.stat() == before
    run.extend(more)
    assert run.units() == [*units(), unit("09"), unit("05", 2)]


@pytest.mark.parametrize("damage", ["[config", "\0", "config = 3", "", "a = " + "[" * 100_000])
def test_damaged_configuration_is_named(tmp_path: Path, damage: str) -> None:
    run = new_run(tmp_path)
    run.run_file.write_text(damage)
    with pytest.raises(HarnessError, match=f"cannot read {run.run_file}: ") as caught:
        run.read_config()
    assert caught.value.hint == "NEW=1 starts a new run"


@pytest.mark.parametrize("damage", ['{"suite": "mini"', '{"suite": "mini"}', "[]", "null", '{"unknown": 1}', "\xff"])
def test_damaged_manifest_is_named(tmp_path: Path, damage: str) -> None:
    run = new_run(tmp_path)
    run.manifest.write_bytes(damage.encode("latin-1"))
    with pytest.raises(HarnessError, match=f"cannot read {run.manifest}: "):
        run.units()


@pytest.mark.parametrize(
    ("field", "value"),
    [("route", {}), ("route", "../05"), ("route", ""), ("suite", "a/b"), ("seed", "1"), ("seed", True), ("town", None)],
)
def test_manifest_with_a_field_of_the_wrong_kind_is_named(tmp_path: Path, field: str, value: Any) -> None:
    run = new_run(tmp_path)
    run.manifest.write_text(json.dumps({**unit().as_dict(), field: value}))
    with pytest.raises(HarnessError, match=f"cannot read {run.manifest}: .*found .*, expected "):
        run.units()


# --- one at a time ---------------------------------------------------------------------------------------------------


def lock_elsewhere(repository: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys, pathlib\nfrom harness.jobs.run_folder import RunFolder\nfrom harness.errors import HarnessError\n"
        "try: RunFolder(pathlib.Path(sys.argv[1])).lock(); print('locked')\n"
        "except HarnessError as error: print(error.message)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)


def test_one_process_at_a_time_works_on_a_run(tmp_path: Path, repository: Path) -> None:
    run = create_run(tmp_path, CONFIG, {}, units())
    answer = lock_elsewhere(repository, run.folder).stdout
    assert answer == f"another process works on {run.folder}, expected one at a time\n"
    run.unlock()
    run.unlock()
    assert lock_elsewhere(repository, run.folder).stdout == "locked\n"


def test_lock_goes_with_the_process(tmp_path: Path, repository: Path) -> None:
    for _ in range(2):
        assert lock_elsewhere(repository, tmp_path).stdout == "locked\n"


def test_who_works_on_a_run_is_on_record(tmp_path: Path, repository: Path) -> None:
    run = create_run(tmp_path, CONFIG, {}, units())
    assert run.controller() == os.getpid()
    run.unlock()
    lock_elsewhere(repository, run.folder)
    assert run.controller() is None  # it has ended
    (run.folder / ".lock").write_text("{")
    assert run.controller() is None


# --- places ----------------------------------------------------------------------------------------------------------


def test_places_of_an_evaluation_and_of_a_dataset(tmp_path: Path) -> None:
    run, dataset = RunFolder(tmp_path / "mini_seed1" / "now"), RunFolder(tmp_path / "data" / ".harness")
    assert (run.is_dataset, run.root) == (False, run.folder)
    assert (dataset.is_dataset, dataset.root) == (True, tmp_path / "data")
    assert dataset.ledger == tmp_path / "data" / ".harness" / "submissions.jsonl"
    assert dataset.scancel_script == tmp_path / "data" / "scancel.sh"
    first, again = unit(), unit(seed=2)
    assert run.unit_folder(first) == run.folder / "05"
    assert run.unit_folder(again) == tmp_path / "mini_seed2" / "now" / "05"
