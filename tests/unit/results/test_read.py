"""What the reader makes of files that are in order: layouts, seeds, links, our own runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.results.contents import contents_of
from harness.results.motion_owners import motion_owners
from harness.results.read import read_results
from harness.results.result_set import DriveKey, FileKind, ProblemKind, ResultSet
from tests.unit.results.drawn import as_bytes, checkpoint, merged, pack, record, seeds_of, write


def ids(results: ResultSet) -> list[str]:
    return [each.route.xml_id for each in results.records]


def test_a_record_is_read_as_the_file_states_it(tmp_path: Path) -> None:
    content = record(1711, 2, town_name="Town12", scenario_name="Accident_1", weather_id="5", save_name="s")
    results = read_results([write(tmp_path / "1711.json", checkpoint([content]))], benchmark="bench2drive")
    (found,) = results.records
    assert found.key == DriveKey("bench2drive", None, 2, "1711")
    route = found.route
    assert (route.status, route.completion_percent, route.penalty, route.driving_score) == ("Completed", 100.0, 0.7, 70)
    assert (route.length_m, route.duration_sim_s, route.duration_wall_s) == (120.5, 30.0, 61.2)
    assert (route.town, route.scenario, route.weather, route.save_name) == ("Town12", "Accident_1", "5", "s")
    assert route.messages == {key: tuple(texts) for key, texts in content["infractions"].items()}
    assert found.file.kind is FileKind.ROUTE
    assert (found.file.done, found.file.planned, found.file.entry_status) == (1, 1, "Finished")
    assert len(found.file.sha256) == 64
    assert not results.problems and not results.notes


def test_parts_that_the_wild_leaves_out_are_not_missed(tmp_path: Path) -> None:
    bare = {key: value for key, value in record(5).items() if key not in ("index", "meta", "num_infractions")}
    bare |= {"town_name": None, "weather_id": None}
    results = read_results([write(tmp_path / "a.json", {"_checkpoint": {"records": [bare]}})])
    assert ids(results) == ["5"]
    assert (results.records[0].route.length_m, results.records[0].route.town) == (0.0, "")
    assert not results.problems
    assert "records without meta, their lengths are 0: 1" in str(results.notes[0])


@pytest.mark.parametrize(
    ("route_id", "xml_id", "repetition"),
    [
        ("RouteScenario_24333_rep0", "24333", 0),
        ("RouteScenario_route_001795_rep12", "route_001795", 12),
        ("RouteScenario_7", "7", 0),
        ("Base_CustomObstacles_0020-6320", "20", 0),
        ("Generalization_Wall_1000-edfb", "1000", 0),
        ("anything else", "anything else", 0),
    ],
)
def test_route_and_repetition_come_from_the_route_id(
    tmp_path: Path, route_id: str, xml_id: str, repetition: int
) -> None:
    results = read_results([write(tmp_path / "a.json", checkpoint([record(route_id=route_id)]))])
    assert (results.records[0].route.xml_id, results.records[0].route.repetition) == (xml_id, repetition)


@pytest.mark.parametrize(
    ("folder", "seed"),
    [
        ("1", 1),
        ("3/eval", 3),
        ("seed1", 1),
        ("seed_12", 12),
        ("bench2drive_seed2/run", 2),
        ("Seed-4", 4),
        ("seed2/7", 2),
        ("seeds", None),
        ("unseeded1", None),
        ("2026-11-20", None),
        ("24333", None),
    ],
)
def test_seeds_come_from_folder_names(tmp_path: Path, folder: str, seed: int | None) -> None:
    write(tmp_path / "agent" / folder / "a.json", checkpoint([record(50), record(51)]))
    assert seeds_of(read_results([tmp_path / "agent"])) == (seed,)
    archive = pack(tmp_path / "agent.tgz", {f"agent/{folder}/a.json": as_bytes(checkpoint([record(50)]))})
    assert seeds_of(read_results([archive])) == (seed,)


@pytest.mark.parametrize(("folder", "route"), [("17", "17"), ("017", "17"), ("017", "017")])
def test_a_folder_named_after_its_route_is_no_seed(tmp_path: Path, folder: str, route: str) -> None:
    write(tmp_path / "agent" / folder / "eval.json", checkpoint([record(route)]))
    write(tmp_path / "agent" / "18" / "eval.json", checkpoint([record(18)]))
    assert seeds_of(read_results([tmp_path / "agent"])) == (None,)


def test_the_seed_is_seen_when_the_file_itself_is_given(tmp_path: Path) -> None:
    file = write(tmp_path / "seed3" / "eval" / "a.json", checkpoint([record()]))
    assert seeds_of(read_results([file])) == (3,)


def test_kinds_are_told_by_content(tmp_path: Path) -> None:
    write(tmp_path / "a" / "0.json", checkpoint([record(0), record(1)]))
    write(tmp_path / "a" / "1.json", checkpoint([record(2), record(3)]))
    write(tmp_path / "b" / "alone.json", checkpoint([record(4)], planned=20))
    write(tmp_path / "c" / "whole.json", merged([record(5), record(6)]))
    write(
        tmp_path / "c" / "ability.json",
        dict.fromkeys(("Overtaking", "Merging", "Emergency_Brake", "Give_Way", "Traffic_Signs"), 0.5),
    )
    info = write(tmp_path / "d" / "drive" / "metric_info.json", {"0": {"acceleration": [0, 0, 0]}})
    write(tmp_path / "d" / "settings.json", {"a": 1})
    write(tmp_path / "d" / "list.json", [1, 2])
    write(tmp_path / "d" / "README.md", "text")
    results = read_results([tmp_path])
    assert {file.file_name: file.kind.name for file in results.files} == {
        "0.json": "SHARD",
        "1.json": "SHARD",
        "alone.json": "CHECKPOINT",
        "whole.json": "MERGED",
        "ability.json": "ABILITY",
        "metric_info.json": "METRIC_INFO",
        "settings.json": "OTHER",
        "list.json": "OTHER",
    }
    assert ids(results) == [str(number) for number in range(7)]
    assert results.never_opened == {".md": 1}
    stated = {file.file_name: dict(file.stated) for file in results.files}
    assert stated["whole.json"] == {"driving score": 50.0, "success rate": 0.5, "eval num": 2.0}
    assert stated["ability.json"]["Merging"] == 0.5
    assert not results.problems
    ((found, data),) = contents_of(results.of_kind(FileKind.METRIC_INFO))
    assert (found.path, data) == (info, info.read_bytes())


def test_the_metric_info_of_a_record_lies_in_the_folder_that_it_names(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        records = [record(0) | {"save_name": "x/drive_0"}, record(1) | {"save_name": "drive_1"}, record(2)]
        write(tmp_path / seed / "all.json", checkpoint(records))
        write(tmp_path / seed / "logs" / "drive_0" / "metric_info.json", {"0": {}})
    found = motion_owners(read_results([tmp_path]))
    assert [(each.seed, each.route.xml_id, info.path) for each, info in found.pairs] == [
        (seed, "0", tmp_path / str(seed) / "logs" / "drive_0" / "metric_info.json") for seed in (1, 2)
    ]


def test_contents_of_members_are_found_again(tmp_path: Path) -> None:
    wanted = as_bytes({"0": {}})
    archive = pack(
        tmp_path / "a.tar", {"x/s/metric_info.json": wanted, "x/1.json": as_bytes(checkpoint([record()]))}, "w"
    )
    results = read_results([archive])
    assert [data for _, data in contents_of(results.of_kind(FileKind.METRIC_INFO))] == [wanted]


def test_files_are_read_once_whatever_they_are_called(tmp_path: Path) -> None:
    file = write(tmp_path / "real" / "a.json", checkpoint([record()]))
    os.link(file, tmp_path / "real" / "hard.json")
    (tmp_path / "real" / "soft.json").symlink_to(file)
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    results = read_results([tmp_path, tmp_path / "real", file])
    assert ids(results) == ["1"]
    notes = [str(note) for note in results.notes]
    for name in ("hard.json", "soft.json", "up", "folder"):
        assert any(f"{name}: the same" in note for note in notes), name
    assert not results.problems


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.json", checkpoint([record()]))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "seed7").symlink_to(tmp_path / "elsewhere")
    assert seeds_of(read_results([tmp_path / "all"])) == (7,)


def unit(folder: Path, xml_id: int, seed: int, attempts: int = 1, score: float = 70.0, *, is_done: bool = True) -> None:
    for number in range(1, attempts + 1):
        attempt = folder / f"attempt_{number}"
        content = checkpoint([record(xml_id, scores={"score_route": 100, "score_penalty": 1, "score_composed": score})])
        content["harness"] = {"suite": "mini", "seed": seed, "agent": "expert", "rule_version": "lb20", "wall": {}}
        write(attempt / "attempt.json", {"token": "t"})
        write(attempt / "unit.json", {"suite": "mini"})
        write(attempt / "result.json", content)
    if is_done:
        os.link(folder / f"attempt_{attempts}" / "result.json", folder / "result.json")


def test_of_our_own_runs_only_the_chosen_results_count(tmp_path: Path) -> None:
    run = tmp_path / "mini_seed1" / "2026-11-20_09-33-32"
    unit(run / "03", 3, seed=1, attempts=3)
    unit(run / "04", 4, seed=1, attempts=2, is_done=False)
    write(run / "03" / "result.damaged_1.json", "{")
    lines = [as_bytes({"suite": "mini", "route_id": str(n), "repetition": 0, "seed": 1, "town": "T"}) for n in (3, 4)]
    write(run / "units.jsonl", b"\n".join(lines) + b"\n")
    other = tmp_path / "mini_seed2" / "2026-11-20_09-33-32"
    unit(other / "03", 3, seed=2)
    (other / "run").symlink_to(run)
    (tmp_path / "latest").symlink_to(other)
    results = read_results([tmp_path])
    assert [each.key for each in results.records] == [DriveKey("mini", 1, 0, "3"), DriveKey("mini", 2, 0, "3")]
    file = results.records[0].file
    assert (file.kind, file.attempts, file.agent, file.rule_version) == (FileKind.UNIT, 3, "expert", "lb20")
    assert results.planned_units == (DriveKey("mini", 1, 0, "3"), DriveKey("mini", 1, 0, "4"))
    (problem,) = results.problems
    assert problem.kind is ProblemKind.NOT_CHOSEN
    assert str(problem).endswith("04: found 2 attempts and no result.json, expected a chosen result")
    assert any("damaged and replaced, not read (1)" in str(note) for note in results.notes)
    assert [each.key for each in read_results([other]).records] == [DriveKey("mini", 2, 0, "3")]


def test_a_run_in_an_archive_reads_as_on_disk(tmp_path: Path) -> None:
    unit(tmp_path / "mini_seed1" / "t" / "03", 3, seed=1, attempts=2)
    files = sorted(path for path in tmp_path.rglob("*.json"))
    archive = pack(tmp_path / "a.tgz", {f"./{file.relative_to(tmp_path)}": file.read_bytes() for file in files})
    (found,) = read_results([archive]).records
    assert (found.key, found.file.attempts) == (DriveKey("mini", 1, 0, "3"), 2)


def test_an_attempt_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    unit(tmp_path / "03", 3, seed=1, is_done=False)
    assert ids(read_results([tmp_path / "03" / "attempt_1" / "result.json"])) == ["3"]


def test_a_path_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"found no .*absent, expected a file, folder or archive"):
        read_results([tmp_path / "absent"])
    with pytest.raises(ConfigError):
        read_results([Path("a\0b")])


def test_a_folder_without_results_says_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "")
    write(tmp_path / "b.json", {"a": 1})
    (problem,) = read_results([tmp_path]).problems
    assert (problem.kind, problem.found) == (
        ProblemKind.NO_RESULTS,
        "no result file (1 .json of other kinds, 1 .png)",
    )
