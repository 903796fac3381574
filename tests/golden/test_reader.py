"""The reader on every published file and golden input: exact numbers of records per status."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness.results.read import read_results
from harness.results.result_set import DuplicateError, FileKind, OnDuplicate, ProblemKind, ResultSet
from tests.unit.results.drawn import seeds_of

TICKS, BLOCKED, DEVIATED, TIMED_OUT, CRASHED, NOT_SET_UP = (
    f"Failed - {reason}"
    for reason in (
        "TickRuntime",
        "Agent got blocked",
        "Agent deviated from the route",
        "Agent timed out",
        "Simulation crashed",
        "Agent couldn't be set up",
    )
)
#: What README.md of the results says: statuses, number of files without a record, seeds.
PUBLISHED = {
    "bench2drive/plant2_pdm_lite": ({"Completed": 216, TICKS: 4}, 0, (None,)),
    "bench2drive/plant2_tfpp": ({"Completed": 209, TICKS: 7, BLOCKED: 4}, 0, (None,)),
    "bench2drive/plant2_empty_checkpoint.json": ({}, 1, ()),
    "bench2drive/lead_tfv6_single_seed": (
        {"Completed": 192, CRASHED: 9, DEVIATED: 4, TICKS: 4, BLOCKED: 2},
        9,
        (None,),
    ),
    "bench2drive/pdm_lite_per_route": ({"Completed": 199, TICKS: 8, BLOCKED: 1}, 12, (None,)),
    "fail2drive/TFv6": ({"Completed": 460, "Perfect": 135, TIMED_OUT: 3, DEVIATED: 1, BLOCKED: 1}, 0, (1, 2, 3)),
    "fail2drive/BridgeDrive.tar.gz": ({"Completed": 451, "Perfect": 147, TIMED_OUT: 1, DEVIATED: 1}, 0, (1, 2, 3)),
    "fail2drive/BevAD.tar.gz": ({"Completed": 600}, 0, (1, 2, 3)),
}


def statuses(results: ResultSet) -> dict[str, int]:
    return dict(Counter(each.route.status for each in results.records))


def kinds(results: ResultSet) -> dict[str, int]:
    return {kind.name: count for kind, count in Counter(file.kind for file in results.files).items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_have_the_records_that_their_page_states(harness_data: Path, name: str) -> None:
    expected, without_record, seeds = PUBLISHED[name]
    results = read_results([harness_data / "results" / name])
    assert statuses(results) == expected
    assert [problem.kind for problem in results.problems] == [ProblemKind.NO_RECORDS] * without_record
    assert seeds_of(results) == seeds
    per_seed = Counter(each.seed for each in results.records)
    assert len(set(per_seed.values())) <= 1


@pytest.mark.parametrize(("name", "count"), [("UniAD-Base", 218), ("UniAD-Tiny", 215)])
def test_merged_files_alone_are_read_in_full(harness_data: Path, name: str, count: int) -> None:
    results = read_results([harness_data / "results/bench2drive/bench2drivezoo_merged" / f"{name}.json"])
    assert len(results.records) == count
    assert kinds(results) == {"MERGED": 1}
    total = sum(each.route.driving_score for each in results.records)
    assert total / 220 == pytest.approx(results.files[0].stated["driving score"], abs=1e-9)


@pytest.mark.parametrize("name", ["plant2_pdm_lite", "plant2_tfpp"])
def test_a_merged_file_beside_its_shards_changes_nothing(harness_data: Path, name: str) -> None:
    folder = harness_data / "results" / "bench2drive" / name
    shards = sorted(folder.glob("eval_*.json"))
    together, alone = read_results([folder]), read_results(shards)
    merged = read_results([folder / "merged.json"])
    assert [each.route for each in together.records] == [each.route for each in alone.records]
    assert [each.route for each in merged.records] == [each.route for each in alone.records]
    assert kinds(together) == {"SHARD": len(shards), "MERGED": 1, "ABILITY": 1}
    (note,) = together.notes
    assert (Path(note.file).name, note.records) == ("merged.json", 220)


def test_merged_files_of_two_agents_are_not_mixed(harness_data: Path) -> None:
    with pytest.raises(DuplicateError, match=r"UniAD-Base\.json record \d+ and .*UniAD-Tiny\.json record \d+"):
        read_results([harness_data / "results/bench2drive/bench2drivezoo_merged"])


def test_archived_files_read_as_unpacked_ones(harness_data: Path, tmp_path: Path) -> None:
    folder = harness_data / "results" / "fail2drive"
    subprocess.run(["tar", "-xzf", folder / "BridgeDrive.tar.gz", "-C", tmp_path], check=True)
    packed, loose = read_results([folder / "BridgeDrive.tar.gz"]), read_results([tmp_path])
    assert [(each.key, each.route) for each in packed.records] == [(each.key, each.route) for each in loose.records]
    assert Counter(file.sha256 for file in packed.files) == Counter(file.sha256 for file in loose.files)


def test_bevad_names_the_same_routes_as_the_others(harness_data: Path) -> None:
    folder = harness_data / "results" / "fail2drive"
    keys = [{each.key for each in read_results([folder / name]).records} for name in ("BevAD.tar.gz", "TFv6")]
    assert keys[0] == keys[1]
    assert sum(each.route.completion_percent < 100 for each in read_results([folder / "BevAD.tar.gz"]).records) == 23


#: Number of records, of problems by kind, and seeds.
GOLDEN = {
    "bench2drive/full220_4files": (220, {}, (None,)),
    "bench2drive/missing_20": (205, {}, (None,)),
    "bench2drive/crashed_and_corrupt": (18, {"malformed": 1}, (None,)),
    "fail2drive/zero_base": (30, {}, (1,)),
    "lead_parser/longest6_full_3seeds": (108, {}, (0, 1, 2)),
    "lead_parser/longest6_crashes_1seed": (36, {}, (0,)),
    "lead_parser/longest6_missing_1seed": (34, {}, (0,)),
    "lead_parser/town13_full_1seed": (20, {}, (0,)),
    "lead_parser/town13_all_zero": (20, {}, (0,)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_inputs_are_read_in_full(harness_data: Path, name: str) -> None:
    count, problems, seeds = GOLDEN[name]
    results = read_results([harness_data / "golden" / name])
    assert len(results.records) == count
    assert Counter(problem.kind.value for problem in results.problems) == problems
    assert seeds_of(results) == seeds
    on_disk = list((harness_data / "golden" / name).rglob("*.json"))
    assert sorted(file.path for file in results.files) == sorted(on_disk)


@pytest.mark.parametrize(
    ("name", "everything", "once", "words"),
    [
        ("bench2drive/duplicates", 60, 40, "(20 such drives)"),
        ("lead_parser/longest6_duplicate_1seed", 37, 36, "4.json record 0 and"),
        ("fail2drive/subset_2seeds_with_defects", 118, 116, "9999_res.json"),
    ],
)
def test_golden_duplicates_are_an_error_until_somebody_chooses(
    harness_data: Path, name: str, everything: int, once: int, words: str
) -> None:
    folder = harness_data / "golden" / name
    with pytest.raises(DuplicateError) as raised:
        read_results([folder])
    assert words in raised.value.message
    assert len(read_results([folder], on_duplicate=OnDuplicate.ALL).records) == everything
    first = read_results([folder], on_duplicate=OnDuplicate.FIRST)
    assert len(first.records) == once
    assert sum(note.records for note in first.notes) == everything - once


def test_each_defect_of_the_fail2drive_subset_is_named(harness_data: Path) -> None:
    folder = harness_data / "golden/fail2drive/subset_2seeds_with_defects"
    results = read_results([folder], on_duplicate=OnDuplicate.ALL)
    assert {(Path(each.file).name, each.kind.name) for each in results.problems} == {
        ("0090_res.json", "MALFORMED"),
        ("0091_res.json", "NO_RECORDS"),
        ("0031_res.json", "WRONG_RECORD"),
        ("0030_res.json", "INCONSISTENT"),  # of seed 1, which lies in seed 2 again as 9999_res.json
    }
    assert any("no score_route" in problem.found for problem in results.problems)
    assert statuses(results)[NOT_SET_UP] == 1


def test_what_the_official_writers_wrote_is_read(harness_data: Path) -> None:
    files = sorted((harness_data / "golden" / "writer").glob("*.expected.*.json"))
    assert files
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        results = read_results([file])
        assert [each.route.route_id for each in results.in_file_order()] == [
            each["route_id"] for each in content["_checkpoint"]["records"]
        ], file.name
        assert not results.problems
        assert results.files[0].entry_status == content["entry_status"]


def test_every_published_file_is_accounted_for(harness_data: Path) -> None:
    results = read_results([harness_data / "results"], on_duplicate=OnDuplicate.ALL)
    loose = [path for path in (harness_data / "results").rglob("*") if path.is_file()]
    archived = [file for file in results.files if file.member]
    assert len(archived) == 1200
    assert len(results.files) - 1200 + sum(results.never_opened.values()) + 2 == len(loose)
    repeated = sum(note.records for note in results.notes)
    assert sum(file.found for file in results.files) == len(results.records) + repeated == 3532
    assert not results.of_kind(FileKind.UNREADABLE) and not results.of_kind(FileKind.OTHER)
