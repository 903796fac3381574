"""Drives that count twice as two seeds are noticed, and honest seeds are not suspected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.copies import seed_problems
from harness.results.duplicates import Source
from harness.results.parsing import parse
from harness.results.read import read_results
from harness.results.result_set import FileKind, OnDuplicate, ProblemKind
from tests.unit.results.drawn import as_bytes, checkpoint, merged, record, write


def problems(path: Path, **options: Any) -> list[str]:
    found = read_results([path], **options).problems
    assert all(problem.kind is ProblemKind.INCONSISTENT for problem in found)
    return [str(problem) for problem in found]


def test_files_copied_to_another_seed_are_a_problem_for_each_two_seeds(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for xml_id in (4, 5):
            write(tmp_path / f"seed{seed}" / f"{xml_id}.json", checkpoint([record(xml_id)]))
    write(tmp_path / "seed3" / "4.json", checkpoint([record(4, status="Perfect")]))
    places = [tmp_path / f"seed{seed}" / f"{xml_id}.json" for seed in (1, 2, 3) for xml_id in (4, 5)]
    drives, expected = "drives of seed", "expected every seed to be driven"
    assert problems(tmp_path) == [
        f"{places[0]}: found the same bytes as in {places[2]}, 2 such files: {drives} 1 again as seed 2, {expected}",
        f"{places[1]}: found the same bytes as in {places[5]}: {drives} 1 again as seed 3, {expected}",
        f"{places[3]}: found the same bytes as in {places[5]}: {drives} 2 again as seed 3, {expected}",
    ]


def test_drives_that_broke_before_they_began_are_alike_in_every_seed(tmp_path: Path) -> None:
    broken = {
        "status": "Failed - Simulation crashed",
        "scores": {"score_route": 0, "score_penalty": 1, "score_composed": 0},
        "meta": {"route_length": 0, "duration_game": 0, "duration_system": 0},
    }
    for seed in (1, 2):
        write(tmp_path / f"seed{seed}" / "4.json", checkpoint([record(4, **broken)]))
    assert not problems(tmp_path)


def test_what_counts_for_nothing_is_no_copy(tmp_path: Path) -> None:
    for seed, score in ((1, 50.0), (2, 60.0)):
        own = record(4, scores={"score_route": score, "score_penalty": 1, "score_composed": score})
        write(tmp_path / f"seed{seed}" / "a.json", checkpoint([own]))
    write(tmp_path / "merged.json", merged([own]))  # of an unknown seed, but it only repeats
    assert not problems(tmp_path)
    write(tmp_path / "seed2" / "b.json", (tmp_path / "seed1" / "a.json").read_bytes())
    assert len(problems(tmp_path, on_duplicate=OnDuplicate.ALL)) == 1
    assert not problems(tmp_path, on_duplicate=OnDuplicate.FIRST)


def test_records_of_an_unknown_seed_beside_known_ones_are_one_problem(tmp_path: Path) -> None:
    loose = write(tmp_path / "loose.json", checkpoint([record(n) for n in range(3)]))
    write(tmp_path / "more.json", checkpoint([record(n) for n in range(3, 5)]))
    assert not problems(tmp_path)
    for seed in (7, 8):
        write(tmp_path / f"seed{seed}" / "a.json", checkpoint([record(seed)]))
    assert problems(tmp_path) == [
        f"{loose}: found unknown seed of 5 records beside seeds 7, 8, expected a seed for each, as in a folder seed1"
    ]


def test_seeds_of_another_benchmark_make_no_seed_unknown(tmp_path: Path) -> None:
    write(tmp_path / "a.json", checkpoint([record(1)]))
    write(tmp_path / "b.json", {**checkpoint([record(2)]), "harness": {"suite": "mini", "seed": 3}})
    assert not problems(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.integers(1, 4)), min_size=1, max_size=8, unique=True))
def test_there_is_a_problem_for_each_two_seeds_that_share_bytes(files: list[tuple[int | None, int]]) -> None:
    sources = [
        Source(
            name=f"{seed}/{number}",
            order=order,
            kind=FileKind.ROUTE,
            benchmark="",
            seed=seed,
            sha256=str(number),
            modified_s=0.0,
            records=parse(as_bytes(checkpoint([record(number)])), "a", "a").records,
        )
        for order, (seed, number) in enumerate(files)
    ]
    pairs = {frozenset((a, b)) for a, number in files for b, same in files if a != b and number == same}
    seeds = {seed for seed, _ in files}
    assert len(seed_problems(sources)) == len(pairs) + (None in seeds and len(seeds) > 1)


def test_one_file_under_a_thousand_seeds_takes_no_million_problems(tmp_path: Path) -> None:
    for seed in range(300):
        write(tmp_path / f"seed{seed}" / "a.json", checkpoint([record(1)]))
    assert len(problems(tmp_path)) == 190
