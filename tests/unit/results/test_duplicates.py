"""One result per drive, and nothing depends on how records are spread over files."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.datatypes.scored_route import ScoredRoute
from harness.results.duplicates import Source, set_merged_aside
from harness.results.parsing import parse
from harness.results.read import read_results
from harness.results.result_set import DuplicateError, FileKind, OnDuplicate, ResultSet
from tests.unit.results.drawn import as_bytes, checkpoint, drives, merged, record, seeds_of, write


def scores(score: float) -> dict[str, float]:
    return {"score_route": 100, "score_penalty": 1, "score_composed": score}


def content(results: ResultSet) -> list[Any]:
    return [(each.key, each.route) for each in results.records]


def two_of_one_drive(folder: Path) -> tuple[Path, Path]:
    """Return two files; the first by name was changed last."""
    paths = [write(folder / f"{k}.json", checkpoint([record(4, scores=scores(10.0 * k)), record(k)])) for k in (1, 2)]
    os.utime(paths[0], (2_000, 2_000))
    os.utime(paths[1], (1_000, 1_000))
    return paths[0], paths[1]


def test_two_results_of_a_drive_are_an_error_that_names_both_files(tmp_path: Path) -> None:
    first, second = two_of_one_drive(tmp_path)
    with pytest.raises(DuplicateError) as raised:
        read_results([tmp_path])
    assert raised.value.message == (
        f"found two results of route 4 repetition 0 unknown seed: {first} record 0 and {second} record 0, expected one"
    )
    assert raised.value.exit_code == 1
    with pytest.raises(DuplicateError) as again:
        read_results([second, first])
    assert again.value.message == raised.value.message


def test_a_copied_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    for name in ("4.json", "4_retry.json"):
        write(tmp_path / name, checkpoint([record(4)]))
    with pytest.raises(DuplicateError, match="files with the same content"):
        read_results([tmp_path])


def test_twice_in_one_file_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", checkpoint([record(4), record(5), record(4, status="Perfect")]))
    with pytest.raises(DuplicateError, match=r"a\.json record 0 and .*a\.json record 2, expected"):
        read_results([file])
    assert [r.position for r in read_results([file], on_duplicate=OnDuplicate.NEWEST).records] == [2, 1]
    assert [r.position for r in read_results([file], on_duplicate=OnDuplicate.FIRST).records] == [0, 1]


def test_newest_takes_the_file_that_was_changed_last(tmp_path: Path) -> None:
    first, second = two_of_one_drive(tmp_path)
    results = read_results([second, first], on_duplicate=OnDuplicate.NEWEST)
    assert [(r.route.xml_id, r.route.driving_score) for r in results.records] == [("1", 70), ("2", 70), ("4", 10)]
    (note,) = results.notes
    assert (note.file, note.records) == (str(second), 1)
    assert str(first) in note.text
    assert {file.path: (file.found, file.counted) for file in results.files} == {first: (2, 2), second: (2, 1)}


def test_newest_refuses_files_of_the_same_time(tmp_path: Path) -> None:
    for path in two_of_one_drive(tmp_path):
        os.utime(path, (1_000, 1_000))
    with pytest.raises(DuplicateError, match="of the same time"):
        read_results([tmp_path], on_duplicate=OnDuplicate.NEWEST)


def test_first_takes_the_path_that_was_given_first(tmp_path: Path) -> None:
    first, second = two_of_one_drive(tmp_path)
    for order, score in (([first, second], 10), ([second, first], 20), ([tmp_path], 10)):
        results = read_results(order, on_duplicate=OnDuplicate.FIRST)
        assert results.records[-1].route.driving_score == score


def test_all_keeps_what_the_peers_add_twice(tmp_path: Path) -> None:
    two_of_one_drive(tmp_path)
    assert len(read_results([tmp_path], on_duplicate=OnDuplicate.ALL).records) == 4


@pytest.mark.parametrize("other", ["seed", "repetition", "suite"])
def test_another_seed_repetition_or_suite_is_another_drive(tmp_path: Path, other: str) -> None:
    second = checkpoint([record(4, 1 if other == "repetition" else 0)])
    if other == "suite":
        second["harness"] = {"suite": "other", "seed": 1}
    write(tmp_path / "seed1" / "a.json", checkpoint([record(4)]))
    write(tmp_path / ("seed2" if other == "seed" else "seed1") / "b.json", second)
    assert len(read_results([tmp_path], benchmark="mini").records) == 2


def test_a_merged_file_beside_its_shards_is_not_counted_twice(tmp_path: Path) -> None:
    shards = [[record(1), record(2)], [record(3), record(4)]]
    for number, shard in enumerate(shards):
        write(tmp_path / f"{number}.json", checkpoint(shard))
    write(tmp_path / "all.json", merged([each for shard in shards for each in shard]))
    results = read_results([tmp_path])
    assert [r.file.kind for r in results.records] == [FileKind.SHARD] * 4
    (note,) = results.notes
    assert (note.file, note.records) == (str(tmp_path / "all.json"), 4)
    assert "repeats 4 of its 4 records" in note.text


def test_a_merged_file_gives_what_its_shards_lack(tmp_path: Path) -> None:
    write(tmp_path / "0.json", checkpoint([record(1), record(2)]))
    write(tmp_path / "merged.json", merged([record(1), record(2), record(3)]))
    results = read_results([tmp_path])
    assert [(r.route.xml_id, r.file.file_name) for r in results.records] == [
        ("1", "0.json"),
        ("2", "0.json"),
        ("3", "merged.json"),
    ]


def test_a_merged_file_of_something_else_is_noticed(tmp_path: Path) -> None:
    write(tmp_path / "0.json", checkpoint([record(1), record(2)]))
    write(tmp_path / "merged.json", merged([record(1), record(2, scores=scores(3.0))]))
    with pytest.raises(DuplicateError, match=r"route 2 .*0\.json record 1 and .*merged\.json record 1"):
        read_results([tmp_path])


def test_a_merged_file_repeats_only_what_is_equal_in_every_value(tmp_path: Path) -> None:
    write(tmp_path / "0.json", checkpoint([record(1), record(2)]))
    others = {**record(2)["infractions"], "red_light": ["Agent ran a red light 8 at (x=1.0, y=2.0, z=0.0)"]}
    for changes in ({"infractions": others}, {"town_name": "Town01"}, {"status": "Perfect"}):
        write(tmp_path / "merged.json", merged([record(1), record(2, **changes)]))
        with pytest.raises(DuplicateError, match=r"merged\.json record 1, expected"):
            read_results([tmp_path])


@pytest.mark.parametrize("other", ["seed", "suite"])
def test_a_merged_file_of_another_seed_or_suite_repeats_nothing(tmp_path: Path, other: str) -> None:
    first = checkpoint([record(1), record(2)])
    if other == "suite":
        first["harness"] = {"suite": "other", "seed": 2}
    write(tmp_path / "seed1" / "a.json", first)
    write(tmp_path / "seed2" / "merged.json", merged([record(1), record(2)]))
    results = read_results([tmp_path], benchmark="mini")
    assert (len(results.records), results.notes) == (4, ())


def test_two_merged_files_are_no_copies_of_each_other(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write(tmp_path / name, merged([record(1), record(2)]))
    with pytest.raises(DuplicateError, match="same content"):
        read_results([tmp_path])


def test_a_merged_file_above_the_seeds_repeats_all_of_them(tmp_path: Path) -> None:
    everything = []
    for seed in (1, 2, 3):
        own = [record(route, scores=scores(seed)) for route in (1, 2)]
        write(tmp_path / f"seed{seed}" / "a.json", checkpoint(own))
        everything += own
    write(tmp_path / "merged.json", merged(everything))
    results = read_results([tmp_path])
    assert seeds_of(results) == (1, 2, 3)
    assert len(results.records) == 6


def test_a_checkpoint_that_repeats_smaller_files_is_merged(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(tmp_path / f"{number}.json", checkpoint([record(number)]))
    write(tmp_path / "total.json", checkpoint([record(1), record(2), record(3)]))
    results = read_results([tmp_path])
    assert [file.file_name for file in results.of_kind(FileKind.MERGED)] == ["total.json"]
    assert len(results.records) == 3


def split(records: Sequence[Any], cuts: Sequence[int]) -> list[list[Any]]:
    """Deal records out to as many shards as there are different cuts."""
    shards: dict[int, list[Any]] = {}
    for each, cut in zip(records, cuts, strict=True):
        shards.setdefault(cut, []).append(each)
    return list(shards.values())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), records=drives())
def test_order_splitting_and_merging_change_nothing(data: st.DataObject, records: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        whole = write(root / "whole" / "a.json", checkpoint(records))
        expected = content(read_results([whole]))
        assert len(expected) == len(records)
        shuffled = data.draw(st.permutations(records))
        cuts = data.draw(st.lists(st.integers(0, 4), min_size=len(records), max_size=len(records)))
        paths = [
            write(root / "split" / f"{number}.json", checkpoint(shard))
            for number, shard in enumerate(split(shuffled, cuts))
        ]
        assert content(read_results(data.draw(st.permutations(paths)))) == expected
        write(root / "split" / "merged.json", merged(data.draw(st.permutations(records))))
        results = read_results([root / "split"])
        assert content(results) == expected
        assert sum(file.counted for file in results.files) == len(records)
        assert sum(file.found - file.counted for file in results.files) == sum(note.records for note in results.notes)


@pytest.mark.parametrize(("files", "records"), [(1, 20_000), (2_000, 10)])
def test_copies_of_one_drive_cost_no_more_than_other_drives(files: int, records: int) -> None:
    """Comparing each with each took a minute."""
    (claim,) = parse(as_bytes(checkpoint([record(1)])), "a", "a").records
    many = [source(f"{number}.json", [claim] * records, number) for number in range(files)]
    few = source("few.json", [claim] * 2, files)
    started_s = time.monotonic()
    notes = set_merged_aside([*many, few])
    assert time.monotonic() - started_s < 2.0
    assert [(note.file, note.records) for note in notes] == [(each.name, records) for each in many]
    assert all("from few.json;" in note.text for note in notes)
    assert [len(each.records) for each in (*many, few)] == [0] * files + [2]


def source(name: str, records: list[tuple[int, ScoredRoute]], order: int) -> Source:
    return Source(
        name=name,
        order=order,
        kind=FileKind.CHECKPOINT,
        benchmark="",
        seed=None,
        sha256=name,
        modified_s=0.0,
        records=records,
    )
