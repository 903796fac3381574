"""Comfort of Bench2Drive: which motion log is whose, and what is said where that is not known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.stages.score import ScoreReport, ScoreRequest, score
from tests.unit.results.drawn import checkpoint, record, write

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
