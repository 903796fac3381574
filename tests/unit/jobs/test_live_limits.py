"""A limit file may be edited at any time, badly too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.jobs.live_limits import (
    COLLECT,
    HIGHEST,
    LiveLimit,
    default_parallel_jobs,
    total_attempts,
)

NAME = "max_num_parallel_jobs_town13"


def limit(folder: Path) -> LiveLimit:
    return LiveLimit(folder, NAME, 8)


def test_default_holds_without_a_file_and_without_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "missing", tmp_path / "missing" / "too", tmp_path / "file"):
        found = limit(folder)
        assert (found.read(), found.take_problem()) == (8, "")


def test_number_is_read_again_each_time(tmp_path: Path) -> None:
    found = limit(tmp_path)
    for text, number in (
        ("12", 12),
        ("3\n", 3),
        (" 007 \n\n", 7),
        ("\ufeff9\r\n", 9),
        ("0", 0),
        (str(HIGHEST), HIGHEST),
    ):
        (tmp_path / f"{NAME}.txt").write_text(text, encoding="utf-8")
        assert (found.read(), found.take_problem()) == (number, "")


@pytest.mark.parametrize("spelling", ["max_num_parallel_jobs_Town13.txt", "MAX_NUM_PARALLEL_JOBS_TOWN13.TXT"])
def test_any_case_is_found_and_the_exact_name_first(tmp_path: Path, spelling: str) -> None:
    (tmp_path / spelling).write_text("5")
    found = limit(tmp_path)
    assert found.read() == 5
    (tmp_path / f"{NAME}.txt").write_text("6")
    assert found.read() == 6


BAD = {
    "empty": b"",
    "blank": b" \n",
    "text": b"many",
    "negative": b"-3",
    "plus": b"+3",
    "fraction": b"2.5",
    "two": b"3 4",
    "huge": b"100001",
    "endless": b"9" * 100_000,
    "binary": b"\x00\xff\xfe5",
    "other digits": "\u0665".encode(),
    "underscore": b"1_0",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_bad_content_keeps_the_last_good_number_and_is_told_once(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / f"{NAME}.txt"
    file.write_text("12")
    found = limit(tmp_path)
    found.read()
    file.write_bytes(content)
    assert found.read() == 12
    problem = found.take_problem()
    assert problem.startswith(f"{file} holds ") and problem.endswith("expected a number from 0 to 100000; 12 stays")
    assert len(problem) < len(str(file)) + 150
    assert (found.read(), found.take_problem()) == (12, "")
    file.write_text("4")
    assert (found.read(), found.take_problem()) == (4, "")
    file.write_bytes(content)
    found.read()
    assert found.take_problem()


def test_another_problem_is_told_too(tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.txt"
    found = limit(tmp_path)
    for text, value in (("a", "'a'"), ("b", "'b'")):
        file.write_text(text)
        assert found.read() == 8
        assert f"holds {value}" in found.take_problem()


def test_problem_that_went_away_before_it_was_told_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.txt"
    found = limit(tmp_path)
    file.write_text("")
    found.read()
    file.write_text("2")
    assert (found.read(), found.take_problem()) == (2, "")


def test_file_that_goes_missing_keeps_its_number(tmp_path: Path) -> None:
    file = tmp_path / f"{NAME}.txt"
    file.write_text("12")
    found = limit(tmp_path)
    found.read()
    file.unlink()
    assert found.read() == 12
    assert found.take_problem() == f"{file} is gone, expected a number; 12 stays"
    assert (found.read(), found.take_problem()) == (12, "")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_a_problem(tmp_path: Path, make: object) -> None:
    make(tmp_path / f"{NAME}.txt")  # type: ignore[operator]
    found = limit(tmp_path)
    assert found.read() == 8
    assert "is no file" in found.take_problem()


@pytest.mark.parametrize(
    ("what", "parallel_jobs", "attempts", "in_total"),
    [
        (COLLECT, 48, 1, 2),
        ("bench2drive", 92, 3, 3),
        ("Bench2Drive", 92, 3, 3),
        ("longest6", 8, 3, 3),
        ("Town13", 8, 3, 3),
        ("town13", 8, 3, 3),
        ("mini", 8, 3, 3),
    ],
)
def test_numbers_that_users_of_lead_know(what: str, parallel_jobs: int, attempts: int, in_total: int) -> None:
    assert default_parallel_jobs(what) == parallel_jobs
    assert total_attempts(what, attempts) == in_total


def test_a_unit_is_tried_at_least_once() -> None:
    assert [total_attempts(COLLECT, number) for number in (0, 1, 4)] == [1, 2, 5]
    assert [total_attempts("mini", number) for number in (0, 1, 4)] == [1, 1, 4]
