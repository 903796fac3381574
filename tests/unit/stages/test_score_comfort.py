"""Comfort of Bench2Drive: which motion log is whose, and what is said where that is not known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.results import parsing
from harness.results.motion_owners import motion_owners
from harness.results.read import read_results
from harness.results.result_set import ProblemKind
from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_table import make_table
from tests.unit.results.drawn import checkpoint, pack, record, write

STEADY = {
    "acceleration": [0, 0, 0],
    "angular_velocity": [0, 0, 0],
    "forward_vector": [1, 0, 0],
    "right_vector": [0, 1, 0],
}
STILL = [STEADY] * 20
JERKY = [STEADY, STEADY | {"acceleration": [90, 0, 0]}] * 10
IDS = ("1711", "1773")


def scored(*paths: Path) -> ScoreReport:
    return score(ScoreRequest(paths=paths, bench="bench2drive"))


def drives(file: Path, save_name: str = "S{}", ids: Sequence[str] = IDS, **changes: Any) -> Path:
    """Write the file of an evaluator; scores differ between files, so that none is the copy of another."""
    length_m = float(sum(map(ord, str(file))))
    meta = {"route_length": length_m, "duration_game": 30.0, "duration_system": 61.2}
    names = {xml_id: save_name.format(xml_id) for xml_id in ids}
    return write(file, checkpoint([record(i, save_name=name, meta=meta, **changes) for i, name in names.items()]))


def log(folder: Path, steps: Sequence[Any]) -> Path:
    return write(folder / "metric_info.json", {str(number): step for number, step in enumerate(steps)})


def test_seeds_below_a_long_path_keep_their_own_comfort(tmp_path: Path) -> None:
    for seed, steps in (("seed1", STILL), ("seed2", JERKY)):
        folder = tmp_path / ("z" * 200) / seed / ("z" * 200)
        drives(folder / "a.json")
        for xml_id in IDS:
            log(folder / f"S{xml_id}", steps)
    report = scored(tmp_path)
    assert report.comfort is not None
    assert (report.comfort.value, report.comfort.routes, report.comfort.missing) == (0.5, 4, ())


def test_logs_of_equal_names_go_to_the_record_of_their_seed(tmp_path: Path) -> None:
    for seed, steps in (("seed1", STILL), ("seed2", JERKY)):
        drives(tmp_path / f"eval_{seed}.json")
        for xml_id in IDS:
            log(tmp_path / f"viz_{seed}" / f"S{xml_id}", steps)
    owners = motion_owners(read_results([tmp_path]))
    assert sorted((record.seed or 0, info.path.parts[-3]) for record, info in owners.pairs) == [
        *[(1, "viz_seed1")] * 2,
        *[(2, "viz_seed2")] * 2,
    ]
    report = scored(tmp_path)
    assert report.comfort is not None
    assert (report.comfort.value, report.comfort.routes, report.problems) == (0.5, 4, ())


def test_a_log_that_two_records_claim_is_of_neither(tmp_path: Path) -> None:
    for seed in (1, 2):
        drives(tmp_path / f"eval_seed{seed}.json")
    log(tmp_path / "viz" / "S1711", STILL)
    report = scored(tmp_path)
    assert report.comfort is None
    claimants = ", ".join(f"{tmp_path}/eval_seed{seed}.json record 0" for seed in (1, 2))
    assert [str(problem) for problem in report.problems] == [
        f"{tmp_path}/viz/S1711/metric_info.json: found a metric info that fits 2 records ({claimants}), "
        "expected one record"
    ]


def test_two_logs_that_are_as_near_to_a_record_are_not_its_own(tmp_path: Path) -> None:
    file = drives(tmp_path / "eval.json")
    for folder in ("viz_a", "viz_b"):
        log(tmp_path / folder / "S1711", STILL)
    log(tmp_path / "viz_b" / "S1773", JERKY)
    report = scored(tmp_path)
    assert report.comfort is not None
    assert (report.comfort.value, report.comfort.routes) == (0.0, 1)
    assert [str(problem) for problem in report.problems] == [
        f"{tmp_path}/{folder}/S1711/metric_info.json: found one of several metric infos that fit a record "
        f"({file} record 0), expected one for each record"
        for folder in ("viz_a", "viz_b")
    ]


def test_the_log_of_another_seed_is_nobodys(tmp_path: Path) -> None:
    drives(tmp_path / "eval_seed1.json")
    log(tmp_path / "viz_seed2" / "S1711", STILL)
    report = scored(tmp_path)
    assert report.comfort is None
    (problem,) = report.problems
    assert "found a metric info of seed 2 that only fits a record" in str(problem)
    drives(tmp_path / "eval_seed2.json")  # now it has its record, and the other one merely none
    report = scored(tmp_path)
    assert report.comfort is not None and not report.problems
    assert (report.comfort.routes, len(report.comfort.missing)) == (1, 3)


def test_records_of_one_name_do_not_share_a_log(tmp_path: Path) -> None:
    drives(tmp_path / "eval.json", save_name="same")
    log(tmp_path / "same", STILL)
    report = scored(tmp_path)
    assert report.comfort is None and "fits 2 records" in str(report.problems[0])


def test_records_without_a_name_have_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drives(tmp_path / "eval.json", save_name="")
    log(tmp_path, STILL)
    monkeypatch.chdir(tmp_path)
    for path in (Path(), Path("../") / tmp_path.name):
        report = scored(path)
        assert report.comfort is None and not report.problems


@pytest.mark.parametrize("layout", ["{file}/0", "{file}/0/viz"])
def test_numbers_of_folders_and_drives_do_not_take_a_log_from_its_record(tmp_path: Path, layout: str) -> None:
    drives(tmp_path / "0" / "eval_seed1.json", save_name="007", ids=("1711",))
    log(Path(layout.format(file=tmp_path)) / "007", STILL)
    report = scored(tmp_path)
    assert report.comfort is not None and report.comfort.routes == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([STEADY] * 30, "found `array`, expected `object`"),
        ("text", "found `str`, expected `object`"),
        (None, "found `null`, expected `object`"),
        ({}, "found 0 steps, expected at least 3"),
        ({"0": STEADY, "1": STEADY}, "found 2 steps, expected at least 3"),
    ],
)
def test_a_log_that_gives_no_comfort_says_why(tmp_path: Path, content: Any, found: str) -> None:
    drives(tmp_path / "eval.json")
    file = write(tmp_path / "S1711" / "metric_info.json", json.dumps(content))
    report = scored(tmp_path)
    assert report.comfort is not None and report.comfort.value is None
    assert len(report.comfort.too_short) == (content is not None and "steps" in found)
    assert [str(problem) for problem in report.problems] == [f"{file}: {found}"]


def test_a_huge_log_is_refused_loose_or_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "LARGEST_METRIC_INFO_BYTES", 10_000)
    drives(tmp_path / "eval.json")
    data = log(tmp_path / "S1711", [STEADY] * 200).read_bytes()
    pack(tmp_path / "a.tar", {"S1773/metric_info.json": data})
    report = scored(tmp_path)
    assert report.comfort is None
    assert {(problem.kind, problem.found) for problem in report.problems} == {
        (ProblemKind.TOO_LARGE, f"{len(data)} bytes")
    }
    assert len(report.problems) == 2


@pytest.mark.parametrize(("logs", "cell"), [(0, "-"), (1, "100.00 (1 of 2)"), (2, "50.00")])
def test_a_table_shows_over_how_few_records_comfort_is(tmp_path: Path, logs: int, cell: str) -> None:
    drives(tmp_path / "eval.json")
    for xml_id, steps in list(zip(IDS, (STILL, JERKY), strict=True))[:logs]:
        log(tmp_path / f"S{xml_id}", steps)
    table = make_table({"agent": scored(tmp_path)}, allow_partial=True)
    assert table.rows[0][table.headings.index("comfort")] == cell
