"""Files full of what is wrong or not asked for: sound records in them count, and memory stays that of the file."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results import pieces
from harness.results.read import read_results
from harness.results.result_set import ResultSet
from tests.unit.results.drawn import JSON, checkpoint, only_problem, record, write


def peak_bytes(path: Path) -> tuple[ResultSet, int]:
    tracemalloc.start()
    try:
        return read_results([path]), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_million_keys_that_nobody_asks_for_cost_no_memory(tmp_path: Path) -> None:
    keys = ",".join(f'"{number}":0' for number in range(1_000_000))
    whole = json.dumps(checkpoint([record(1)]))
    for text in (f"{{{keys}}}", f"{whole[:-1]},{keys}}}", whole.replace('"records"', f'{keys},"records"', 1)):
        file = write(tmp_path / "a.json", text)
        results, peak = peak_bytes(file)
        assert len(results.records) == text.count("RouteScenario_1_")
        assert peak < 3 * len(text)


def test_many_wrong_pieces_are_a_hundred_problems_and_their_number(tmp_path: Path) -> None:
    sound = json.dumps(record(1))
    text = f'{{"_checkpoint": {{"records": [{"0," * 299_998} {sound}, "x"]}}}}'
    results, peak = peak_bytes(write(tmp_path / "a.json", text))
    assert [each.position for each in results.records] == [299_998]
    assert [problem.position for problem in results.problems] == [*range(100), None]
    assert results.problems[-1].found == "299899 more wrong records"
    assert results.files[0].refused == 299_999
    assert peak < 3 * len(text) + 20_000_000


def test_a_hundred_wrong_records_are_a_problem_each(tmp_path: Path) -> None:
    wrong = [record(number, status="x") for number in range(100)]
    results = read_results([write(tmp_path / "a.json", checkpoint([*wrong, record(1)]))])
    assert [problem.position for problem in results.problems] == [*range(100)]


@pytest.mark.parametrize(("changed", "limit"), [("_MOST_MARKS", 300), ("_MOST_PIECES", 2)])
def test_a_list_with_too_much_in_it_is_given_up_at_its_first_wrong_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, limit: int
) -> None:
    file = write(tmp_path / "a.json", checkpoint([record(number) for number in range(5)] + [record(5, status=3)]))
    assert len(read_results([file]).records) == 5
    monkeypatch.setattr(pieces, changed, limit)
    assert only_problem(file).found == "`int` at $[5].status"


@given(st.lists(JSON, min_size=1), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_list_is_cut_where_its_values_end(values: list[Any], indent: Any, ascii_only: bool) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode(errors="replace")
    cut = pieces.pieces(memoryview(data))
    assert cut is not None
    assert [json.dumps(json.loads(bytes(each))) for each in cut] == [json.dumps(each) for each in json.loads(data)]
