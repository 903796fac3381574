"""Runs are found again by their configuration, whatever became of the process that began them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, HarnessError
from harness.jobs import runs
from harness.jobs.runs import (
    agent_folder_name,
    all_runs,
    differences,
    find_run,
    open_run,
    point_latest,
)
from tests.unit.jobs.drawn import CONFIG, new_run, unit, units


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run begin in the same second."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(runs, "datetime", Clock)


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


def test_all_runs_newest_first(tmp_path: Path, stopped_clock: None) -> None:
    runs = [new_run(tmp_path, seeds) for seeds in ((1,), (2, 1), (1,))]
    assert [run.folder for run in all_runs(tmp_path)] == [
        run.folder for run in sorted(runs, key=lambda run: int(run.folder.name[20:] or 1), reverse=True)
    ]
    assert list(all_runs(tmp_path / "absent")) == []


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
