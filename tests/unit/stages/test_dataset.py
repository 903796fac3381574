"""A sound dataset passes the check; every defect is found, with the file, what is there and what should be."""

from __future__ import annotations

import json
import lzma
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.record.pickles import read_pickle, write_pickle
from harness.stages.dataset import as_data, check_dataset, failed_routes, report_lines, route_failure
from tests.unit.record.drawn import RECORD, DrawnDrive, Place, record_route

STAMP = "11_20_09_36_06"
ROUTE = f"data/noScenarios/Borough01_Rep0_01_route0_{STAMP}"
RESULT = "results/noScenarios/Borough01_Rep0_01_route0_result.json"


def result_of(route: str) -> dict[str, Any]:
    """Return the result file of a drive."""
    return {"_checkpoint": {"records": [RECORD]}, "harness": {"wall": {"data_folder": route}}}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of one route with seven frames; not to be changed."""
    root = tmp_path_factory.mktemp("sound") / "dataset"
    for name in ("data/noScenarios", "results/noScenarios", "scripts", "stderr", "stdout"):
        (root / name).mkdir(parents=True)
    car = {"role_name": "background", "base_type": "car"}
    drive = DrawnDrive(bodies={3: ("vehicle.a", car, lambda t: Place(x_m=250.0 + 5.0 * t, speed_mps=5.0))})
    record_route(root / ROUTE, drive, 33)
    (root / RESULT).write_text(json.dumps(result_of(ROUTE)))
    return root


@pytest.fixture
def dataset(sound: Path, tmp_path: Path) -> Path:
    """Return a copy of it to break."""
    return Path(shutil.copytree(sound, tmp_path / "dataset"))


def problems(root: Path, **more: Any) -> list[str]:
    return [str(problem) for problem in check_dataset(root, **more).problems]


def change_frame(file: Path, change: Callable[[Any], Any]) -> None:
    content = read_pickle(file)
    change(content)
    write_pickle(file, content)


def change_record(root: Path, **more: Any) -> None:
    (root / ROUTE / "results.json").write_text(json.dumps({**RECORD, **more}))


# --- sound -----------------------------------------------------------------------------------------------------------


def test_a_sound_dataset(sound: Path) -> None:
    report = check_dataset(sound)
    assert (report.problems, report.failed) == ((), ())
    assert (report.routes, report.frames, report.usable) == (1, 7, {"noScenarios": 1})
    assert report_lines(report) == [
        "noScenarios: 1 usable, 0 failed",
        f"{sound}: 1 routes with 7 frames, 1 usable, 0 failed, 0 problems",
    ]
    assert json.loads(json.dumps(as_data(report)))["usable"] == {"noScenarios": 1}


def test_an_empty_dataset_is_sound(tmp_path: Path) -> None:
    for name in ("data", "results", "scripts", "stderr", "stdout"):
        (tmp_path / name).mkdir()
    report = check_dataset(tmp_path)
    assert (report.problems, report.routes, report.usable) == ((), 0, {})


def test_several_processes_find_the_same(dataset: Path) -> None:
    again = ROUTE.replace("Rep0", "Rep1")
    shutil.copytree(dataset / ROUTE, dataset / again)
    (dataset / ROUTE / "metas" / "0003.pkl").unlink()
    assert problems(dataset, jobs=2) == problems(dataset) != []


def test_leads_own_result_names_are_known(dataset: Path) -> None:
    (dataset / RESULT).rename(dataset / "results" / "noScenarios" / "01_result.json")
    assert problems(dataset) == []


def test_state_of_a_collection_is_none_of_its_business(dataset: Path) -> None:
    (dataset / ".harness" / "units").mkdir(parents=True)
    (dataset / "scancel.sh").touch()
    assert problems(dataset) == []


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    for call in (check_dataset, failed_routes):
        with pytest.raises(ConfigError, match="no dataset in") as caught:
            call(tmp_path / "missing")
        assert caught.value.hint


# --- folders and names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["data", "results", "scripts", "stderr", "stdout"])
def test_a_missing_folder_is_found(dataset: Path, name: str) -> None:
    shutil.rmtree(dataset / name)
    assert f"{name}: found no such folder, expected one of LEAD's five folders" in problems(dataset)


def test_files_among_the_folders_are_found(dataset: Path) -> None:
    (dataset / "data" / "a.txt").touch()
    (dataset / "data" / "noScenarios" / "b.txt").touch()
    assert problems(dataset) == [
        "data/a.txt: found a file, expected folders only",
        "data/noScenarios/b.txt: found a file, expected folders only",
    ]


@pytest.mark.parametrize(
    "name", ["01", "Borough01_01_route0_11_20_09_36_06", "Borough01_Rep0_01_route0", f"Borough01_Rep0_01_{STAMP}"]
)
def test_a_name_that_cannot_be_read_is_found(dataset: Path, name: str) -> None:
    (dataset / ROUTE).rename(dataset / "data" / "noScenarios" / name)
    (found,) = problems(dataset)
    assert found == (
        f"data/noScenarios/{name}: found another name, expected <Town>_Rep<n>_<stem>_route<n>_<MM>_<DD>_<hh>_<mm>_<ss>"
    )


def test_the_same_drive_twice_is_found(dataset: Path) -> None:
    later = ROUTE.replace(STAMP, "11_20_10_00_00")
    shutil.copytree(dataset / ROUTE, dataset / later)
    found = problems(dataset)
    assert f"{later}: found the drive of {Path(ROUTE).name} again, expected one of each" in found
    assert any("data_folder" in problem for problem in found)


def test_scenario_and_town_of_the_frames_have_to_be_those_of_the_path(dataset: Path) -> None:
    for kind in ("data", "results"):
        (dataset / kind / "noScenarios").rename(dataset / kind / "Accident")
    (dataset / "data" / "Accident" / Path(ROUTE).name).rename(
        dataset / "data" / "Accident" / Path(ROUTE).name.replace("Borough01", "Town12")
    )
    found = problems(dataset)
    place = f"data/Accident/Town12_Rep0_01_route0_{STAMP}/metas/0000.pkl"
    assert f"{place}: found scenario 'noScenarios', expected 'Accident' as in the path (and 6 more files)" in found
    assert f"{place}: found town 'Borough01', expected 'Town12' as in the path (and 6 more files)" in found


# --- results ---------------------------------------------------------------------------------------------------------


def test_a_missing_result_file_is_found(dataset: Path) -> None:
    (dataset / RESULT).unlink()
    assert problems(dataset) == [f"{RESULT}: found no such file, expected the result of {Path(ROUTE).name}"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        ("{", "not complete JSON"),
        ("{}", "a file that holds no record"),
        (json.dumps(result_of("data/noScenarios/other")), "data_folder data/noScenarios/other"),
    ],
)
def test_a_result_file_that_says_something_else_is_found(dataset: Path, content: str, why: str) -> None:
    (dataset / RESULT).write_text(content)
    (found,) = problems(dataset)
    assert found.startswith(f"{RESULT}: found ")
    assert why in found


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        ("{", "not complete JSON"),
        ("[]", "a file that holds no record"),
        (json.dumps({**RECORD, "scores": {}}), "a file that holds no score_route at scores"),
        (json.dumps({**RECORD, "status": 3}), "a file that holds `int` at status"),
        (json.dumps({**RECORD, "num_infractions": 3}), "num_infractions 3 for 0 infractions"),
        (json.dumps({**RECORD, "num_infractions": None}), "num_infractions None for 0 infractions"),
        (
            json.dumps({**RECORD, "infractions": {**RECORD["infractions"], "red_light": [3]}}),
            "`int` at infractions",
        ),
        (json.dumps({**RECORD, "route_id": "7"}), "route_id '7'"),
        (json.dumps({**RECORD, "route_id": "RouteScenario_7_rep1"}), "route_id 'RouteScenario_7_rep1'"),
    ],
)
def test_a_record_that_cannot_be_used_is_found(dataset: Path, content: str, why: str) -> None:
    (dataset / ROUTE / "results.json").write_text(content)
    found = problems(dataset)
    assert len(found) == 1
    assert found[0].startswith(f"{ROUTE}/results.json: found ")
    assert why in found[0]


def test_a_route_that_was_not_finished_is_found(dataset: Path) -> None:
    (dataset / ROUTE / "results.json").unlink()
    assert problems(dataset) == [f"{ROUTE}/results.json: found no such file, expected the record of the route"]
    assert [route.reason for route in failed_routes(dataset)] == ["it has no results.json"]


# --- frames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["metas", "bboxes"])
def test_a_gap_in_the_numbers_is_found(dataset: Path, kind: str) -> None:
    (dataset / ROUTE / kind / "0003.pkl").unlink()
    assert problems(dataset) == [f"{ROUTE}/{kind}: found 6 frames without 0003.pkl, expected 7 without a gap"]


def test_a_gap_in_both_is_found(dataset: Path) -> None:
    for kind in ("metas", "bboxes"):
        (dataset / ROUTE / kind / "0003.pkl").unlink()
    assert [problem.split(": ")[1] for problem in problems(dataset)] == [
        "found 6 frames without 0003.pkl, expected 6 without a gap"
    ] * 2


def test_frames_missing_at_the_end_are_found(dataset: Path) -> None:
    for kind in ("metas", "bboxes"):
        (dataset / ROUTE / kind / "0006.pkl").unlink()
    # Six frames that know more of the future than five ticks after the last.
    assert problems(dataset) == [
        f"{ROUTE}/metas/000{number}.pkl: found future_speeds of length {33 - 5 * number}, "
        f"expected {26 - 5 * number} to {30 - 5 * number}"
        for number in range(6)
    ]


@pytest.mark.parametrize("kind", ["metas", "bboxes"])
def test_other_files_among_the_frames_are_found(dataset: Path, kind: str) -> None:
    for name in ("0001.pkl.tmp", "1.pkl", "x.pkl"):
        (dataset / ROUTE / kind / name).touch()
    assert problems(dataset) == [
        f"{ROUTE}/{kind}/{name}: found another name, expected frames 0000.pkl, 0001.pkl, ..."
        for name in ("0001.pkl.tmp", "1.pkl", "x.pkl")
    ]


@pytest.mark.parametrize("kind", ["metas", "bboxes"])
def test_a_missing_folder_of_frames_is_found(dataset: Path, kind: str) -> None:
    shutil.rmtree(dataset / ROUTE / kind)
    assert problems(dataset) == [f"{ROUTE}/{kind}: found no such folder, expected frames"]


def test_a_route_without_frames_is_found(dataset: Path) -> None:
    for kind in ("metas", "bboxes"):
        for file in (dataset / ROUTE / kind).iterdir():
            file.unlink()
    assert problems(dataset) == [f"{ROUTE}: found no frame, expected one at least"]
    assert [route.reason for route in failed_routes(dataset)] == ["it has no metas/0000.pkl"]


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("kind", ["metas", "bboxes"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "expected a readable frame"),
        (b"no archive", "Input format not supported by decoder"),
        (lzma.compress(b"no pickle"), "expected a pickle"),
        (lzma.compress(pickle.dumps(Hostile())), "posix.system, expected plain containers and arrays"),
    ],
    ids=["empty", "no archive", "no pickle", "hostile"],
)
def test_a_frame_that_cannot_be_read_is_found_and_never_run(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, kind: str, content: bytes, why: str
) -> None:
    monkeypatch.chdir(dataset)
    (dataset / ROUTE / kind / "0002.pkl").write_bytes(content)
    (found,) = problems(dataset)
    assert found.startswith(f"{ROUTE}/{kind}/0002.pkl: found ")
    assert why in found
    assert not (dataset / "hacked").exists()


def test_a_defect_of_many_frames_is_told_once(dataset: Path) -> None:
    for number in range(1, 5):
        change_frame(dataset / ROUTE / "metas" / f"{number:04d}.pkl", lambda meta: meta.pop("route"))
    assert problems(dataset) == [
        f"{ROUTE}/metas/0001.pkl: found no key route, expected finite float32 array of shape (1..50, 2) "
        "(and 3 more files)"
    ]


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        ("metas/0002.pkl", lambda meta: meta.update(speed="fast"), "key speed: str 'fast', expected finite float"),
        ("metas/0002.pkl", lambda meta: meta.update(pos_global=[0.0, 0.0, 0.0]), "another place than pos_global"),
        ("metas/0002.pkl", lambda meta: meta.update(theta=1.0), "future_yaws[5] other than the next frame's"),
        ("bboxes/0002.pkl", lambda boxes: boxes.reverse(), "ego_car at [1], expected one ego_car, the first box"),
        ("bboxes/0002.pkl", lambda boxes: boxes[1].update(distance=1.0), "at another distance"),
        ("bboxes/0002.pkl", lambda boxes: boxes[1].pop("future_yaws"), "no car key future_yaws"),
    ],
)
def test_a_defect_of_a_frame_is_found(dataset: Path, file: str, change: Callable[[Any], Any], why: str) -> None:
    change_frame(dataset / ROUTE / file, change)
    assert [problem for problem in problems(dataset) if why in problem]


def test_a_frame_in_the_wrong_place_is_found(dataset: Path) -> None:
    folder = dataset / ROUTE / "metas"
    for old, new in (("0001", "x"), ("0004", "0001"), ("x", "0004")):
        (folder / f"{old}.pkl").rename(folder / f"{new}.pkl")
    found = problems(dataset)
    assert any("past_speeds of length" in problem for problem in found)
    assert any("an ego_car with another matrix" in problem for problem in found)


# --- usable routes ---------------------------------------------------------------------------------------------------


def test_failed_routes_are_listed_with_their_reason(dataset: Path) -> None:
    texts = {**RECORD["infractions"], "collisions_vehicle": ["Agent collided"]}
    scores = {"score_route": 100, "score_penalty": 0.6, "score_composed": 60.0}
    change_record(dataset, status="Completed", num_infractions=1, infractions=texts, scores=scores)
    report = check_dataset(dataset)
    assert (report.problems, report.usable, report.failed_counts) == ((), {}, {"noScenarios": 1})
    reason = "status 'Completed' with 1 collisions_vehicle, driving score 60"
    assert [(route.folder, route.reason) for route in report.failed] == [(dataset / ROUTE, reason)]
    assert report_lines(report)[:2] == [
        f"not usable: {dataset / ROUTE}: {reason}",
        "noScenarios: 0 usable, 1 failed",
    ]
    assert as_data(report)["failed_routes"] == [{"folder": str(dataset / ROUTE), "reason": reason}]


def test_a_record_that_cannot_be_read_makes_a_route_unusable(dataset: Path) -> None:
    (dataset / ROUTE / "results.json").write_text("{")
    assert route_failure(dataset / ROUTE).startswith(
        "its results.json cannot be used: found a file that cannot be read: is not complete JSON"
    )
    change_record(dataset, route_id="7")
    assert route_failure(dataset / ROUTE) == ""
