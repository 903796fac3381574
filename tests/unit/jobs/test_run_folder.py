"""A run on disk: found again by its configuration, whatever became of the process that began it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.result import RouteOutcome
from harness.datatypes.unit import Unit
from harness.errors import ConfigError, HarnessError
from harness.jobs import run_folder
from harness.jobs.publish import publish_json
from harness.jobs.run_folder import (
    RunFolder,
    agent_folder_name,
    all_runs,
    create_run,
    differences,
    find_run,
    open_run,
    point_latest,
)
from harness.metrics.checkpoint import checkpoint
from harness.metrics.lb20 import route_record

OUTCOME = RouteOutcome(
    route_id="RouteScenario_5_rep0",
    route_length_m=200.0,
    completion_percent=100.0,
    infractions=(),
    duration_sim_s=40.0,
    duration_wall_s=2.5,
)
RESULT = checkpoint([route_record(OUTCOME, 0)], 1)
CONFIG = {"bench": "mini", "agent": "expert", "seeds": [1], "routes": ["05", "07"]}


def unit(route: str = "05", seed: int = 1) -> Unit:
    return Unit(
        suite="mini",
        rule_version="lb20",
        route=route,
        route_id=route.lstrip("0"),
        route_file=f"/routes/{route}.xml",
        town="Borough01",
        repetition=0,
        seed=seed,
        traffic_seed=7,
        agent="expert",
        agent_sha256="",
        config="",
    )


def units(seeds: Sequence[int] = (1,)) -> list[Unit]:
    return [unit(route, seed) for seed in seeds for route in ("05", "07")]


def new_run(outputs: Path, seeds: Sequence[int] = (1,), **changes: Any) -> RunFolder:
    config = {**CONFIG, "seeds": list(seeds), **changes}
    run = create_run(outputs, config, {"python": "3.11"}, units(seeds))
    run.unlock()
    return run


def finish(run: RunFolder, one: Unit) -> None:
    publish_json(run.next_attempt(one).result, RESULT)


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run begin in the same second."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(run_folder, "datetime", Clock)


# --- creating --------------------------------------------------------------------------------------------------------


def test_new_run_says_what_it_is_before_anything_is_driven(tmp_path: Path, stopped_clock: None) -> None:
    run = new_run(tmp_path)
    assert run.folder == tmp_path / "evaluation" / "expert" / "mini_seed1" / "2026-01-02_03-04-05"
    assert run.read_config() == {"config": CONFIG, "facts": {"python": "3.11"}}
    assert run.units() == units()
    assert run.missing(units()) == units()


def test_seeds_of_one_run_share_the_time(tmp_path: Path, stopped_clock: None) -> None:
    run = new_run(tmp_path, (3, 1, 2))
    base = tmp_path / "evaluation" / "expert"
    assert run.folder == base / "mini_seed3" / "2026-01-02_03-04-05"
    for seed in (1, 2):
        folder = base / f"mini_seed{seed}" / run.folder.name
        assert str((folder / "run").readlink()) == "../../mini_seed3/2026-01-02_03-04-05"
        assert run.unit_folder(unit(seed=seed)) == folder / "05"


def test_runs_of_one_second_have_folders_of_their_own(tmp_path: Path, stopped_clock: None) -> None:
    names = [new_run(tmp_path).folder.name for _ in range(3)]
    assert names == ["2026-01-02_03-04-05", "2026-01-02_03-04-05_2", "2026-01-02_03-04-05_3"]


def test_runs_of_one_second_that_share_a_later_seed_do_not_mix(tmp_path: Path, stopped_clock: None) -> None:
    first, second = new_run(tmp_path, (1,)), new_run(tmp_path, (2, 1))
    assert second.folder.name == "2026-01-02_03-04-05_2"
    assert first.unit_folder(unit()) != second.unit_folder(unit())
    assert not (first.folder / "run").exists()
    # What was claimed in vain is given back.
    assert [entry.name for entry in (tmp_path / "evaluation" / "expert" / "mini_seed2").iterdir()] == [
        second.folder.name
    ]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("expert", "expert"),
        ("/srv/me/my agent.py:Pilot", "my_agent.Pilot"),
        ("/srv/me/pilot.py", "pilot"),
        ("../odd/..py:A/B", "..A_B"),
    ],
)
def test_agent_name_in_paths_has_no_separators(agent: str, name: str) -> None:
    assert agent_folder_name(agent) == name


# --- attempts --------------------------------------------------------------------------------------------------------


def test_attempts_count_up_and_nothing_is_overwritten(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for number in (1, 2):
        attempt = run.next_attempt(unit())
        assert attempt.number == number
        attempt.log.write_text(f"log {number}")
    assert [attempt.log.read_text() for attempt in run.attempts(unit())] == ["log 1", "log 2"]
    assert json.loads(attempt.unit_file.read_text()) == unit().as_dict()


def test_tenth_attempt_follows_the_ninth(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for _ in range(10):
        attempt = run.next_attempt(unit())
    assert attempt.number == 10
    assert [attempt.number for attempt in run.attempts(unit())] == list(range(1, 11))


def test_foreign_entries_are_no_attempts(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    folder = run.next_attempt(unit()).folder.parent
    for name in ("attempt_", "attempt_x", "attempt_2.bak", "attempt_²", "attempt_٣"):
        (folder / name).mkdir()
    assert run.next_attempt(unit()).number == 2


def test_a_unit_is_done_once_one_attempt_has_a_result(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.next_attempt(unit())
    finish(run, unit())
    run.next_attempt(unit())
    result = run.result_of(unit())
    assert result is not None
    assert result.parent.name == "attempt_2"
    assert [one.route for one in run.missing(units())] == ["07"]


def test_half_written_result_is_no_result(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    attempt = run.next_attempt(unit())
    attempt.folder.joinpath(".result.json.123.abcd").write_text('{"half')
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
    file = run.next_attempt(unit()).result
    file.write_bytes(damage)
    assert run.result_of(unit()) is None
    assert run.missing(units()) == units()
    ((one, path, why),) = run.damaged(units())
    assert (one, path) == (unit(), file)
    assert why
    assert str(file) not in why
    finish(run, unit())
    result = run.result_of(unit())
    assert result is not None
    assert result.parent.name == "attempt_2"
    assert file.read_bytes() == damage
    assert run.damaged(units()) == []


# --- finding ---------------------------------------------------------------------------------------------------------


def test_newest_run_of_the_same_configuration_is_found(tmp_path: Path, stopped_clock: None) -> None:
    runs = [new_run(tmp_path) for _ in range(11)]
    new_run(tmp_path, agent_config="other")
    found = find_run(tmp_path, CONFIG)
    assert found is not None
    assert found.folder == runs[-1].folder  # _11 comes after _9


@pytest.mark.parametrize("change", [{"seeds": [1, 2]}, {"routes": ["05"]}, {"commit": "abc"}, {"bench": "other"}])
def test_another_configuration_is_another_run(tmp_path: Path, change: dict[str, Any]) -> None:
    new_run(tmp_path)
    assert find_run(tmp_path, {**CONFIG, **change}) is None


@pytest.mark.parametrize("damage", ["", "config = 3", "[config", "\0", '[config]\nbench = "mini"'])
def test_damaged_runs_are_passed_over(tmp_path: Path, damage: str, stopped_clock: None) -> None:
    good, bad = new_run(tmp_path), new_run(tmp_path)
    bad.run_file.write_text(damage)
    found = find_run(tmp_path, CONFIG)
    assert found is not None
    assert found.folder == good.folder


def test_run_is_opened_by_the_folder_of_any_seed_or_by_the_link(tmp_path: Path) -> None:
    run = new_run(tmp_path, (1, 2))
    other_seed = tmp_path / "evaluation" / "expert" / "mini_seed2" / run.folder.name
    for folder in (run.folder, other_seed, point_latest(tmp_path, run)):
        assert open_run(folder).folder == run.folder.resolve()


@pytest.mark.parametrize("name", ["absent", "empty", "a file"])
def test_what_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a file").write_text("")
    with pytest.raises(ConfigError, match=f"no run in {tmp_path / name}, expected a folder with run.toml") as caught:
        open_run(tmp_path / name)
    assert caught.value.hint == "harness list shows the runs"


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


def test_all_runs_newest_first(tmp_path: Path, stopped_clock: None) -> None:
    runs = [new_run(tmp_path, seeds) for seeds in ((1,), (2, 1), (1,))]
    assert [run.folder for run in all_runs(tmp_path)] == [
        run.folder for run in sorted(runs, key=lambda run: int(run.folder.name[20:] or 1), reverse=True)
    ]
    assert list(all_runs(tmp_path / "absent")) == []


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


# --- the link --------------------------------------------------------------------------------------------------------


def test_latest_points_to_the_run_and_moves_on(tmp_path: Path) -> None:
    for _ in range(2):
        run = new_run(tmp_path)
        link = point_latest(tmp_path, run)
        assert link == tmp_path / "evaluation" / "latest"
        assert link.resolve() == run.folder.resolve()
    assert not link.readlink().is_absolute()  # the folder may be moved as a whole
    assert sorted(entry.name for entry in link.parent.iterdir()) == ["expert", "latest"]


def test_latest_of_a_run_from_elsewhere(tmp_path: Path) -> None:
    run = new_run(tmp_path / "archive")
    assert point_latest(tmp_path / "here", run).resolve() == run.folder.resolve()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_link_is_not_replaced(tmp_path: Path, kind: str) -> None:
    run = new_run(tmp_path)
    link = tmp_path / "evaluation" / "latest"
    link.mkdir() if kind == "folder" else link.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for action in (lambda: point_latest(tmp_path, run), lambda: new_run(tmp_path)):
        with pytest.raises(HarnessError, match=f"{link} is a {kind}, expected the link to the newest run") as caught:
            action()
        assert caught.value.hint == f"mv {link} {link}.old"
    assert sorted(tmp_path.rglob("*")) == before


def test_output_folder_that_is_a_broken_link(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.symlink_to("nowhere")
    with pytest.raises(HarnessError, match=f"found {outputs}, a file or a broken link, expected a folder") as caught:
        new_run(outputs)
    assert caught.value.hint == f"ls -ld {outputs}"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"00": "a", "01": "b"}, []),
        ({"00": "a"}, []),  # 01 could not be read when the run began
        ({"00": "a", "01": "b", "02": "c"}, []),  # 02 cannot be read now
        ({"00": "a", "01": "changed"}, ["inputs"]),
        (3, ["inputs"]),
        (["00"], ["inputs"]),
    ],
)
def test_a_changed_input_file_makes_another_run_a_repaired_one_does_not(found: Any, expected: list[str]) -> None:
    wanted = {"bench": "mini", "inputs": {"00": "a", "01": "b"}}
    assert differences({"bench": "mini", "inputs": found}, wanted) == expected
