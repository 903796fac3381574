"""What the reader makes of files of Leaderboard 1.0: nine kinds of infraction, ids without repetition, own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.metrics.garage_parser import is_leaderboard_10
from harness.results.read import read_results
from harness.results.result_set import DuplicateError, FileKind
from tests.unit.results.drawn import checkpoint, record, seeds_of, write
from tests.unit.results.leaderboard_10 import KEYS, LABELS, garage_file, garage_record

BLOCKED = garage_record(
    0, 63.0, 0.126, status="Failed - Agent got blocked", collisions_pedestrian=1, red_light=1, vehicle_blocked=1
)


def test_a_file_is_read_with_all_that_it_states(tmp_path: Path) -> None:
    results = read_results([write(tmp_path / "0.json", garage_file([BLOCKED]))])
    assert not results.problems and not results.notes
    (each,) = results.records
    assert (each.route.xml_id, each.route.repetition, each.route.status) == ("0", 0, "Failed - Agent got blocked")
    assert (each.route.completion_percent, each.route.penalty) == (63.0, 0.126)
    assert each.route.driving_score == pytest.approx(7.938)
    assert (each.route.length_m, each.route.duration_sim_s, each.route.duration_wall_s) == (1000.0, 360.0, 720.0)
    assert set(each.route.messages) == set(KEYS)
    assert is_leaderboard_10(each.route)
    (file,) = results.files
    assert (file.kind, file.entry_status) == (FileKind.ROUTE, "Finished with agent errors")
    assert tuple(file.stated) == LABELS
    assert (file.stated["Avg. driving score"], file.stated["Avg. infraction penalty"]) == (7.938, 0.126)
    assert file.stated["Agent blocked"] == 0.016  # as the evaluator miscounts: one in "63 km"


def test_a_record_of_leaderboard_2_is_not_taken_for_one(tmp_path: Path) -> None:
    newer = garage_record(1, 100.0, 1.0)
    newer["infractions"]["min_speed_infractions"] = []
    for each in read_results([write(tmp_path / "a.json", checkpoint([newer, record(2)]))]).records:
        assert not is_leaderboard_10(each.route)


def test_repetitions_in_one_file_are_told_apart_by_their_order(tmp_path: Path) -> None:
    scores = {("0", 0): 10.0, ("0", 1): 20.0, ("0", 2): 30.0, ("1", 0): 40.0, ("1", 1): 50.0, ("1", 2): 60.0}
    records = [garage_record(xml_id, score, 1.0) for (xml_id, _), score in scores.items()]
    results = read_results([write(tmp_path / "a.json", garage_file(records))])
    found = {(each.route.xml_id, each.route.repetition): each.route.completion_percent for each in results.records}
    assert found == scores


@pytest.mark.parametrize(
    "content",
    [
        garage_file([BLOCKED, BLOCKED], planned=3),  # a run that was cut writes no id twice either
        checkpoint([{**record(0), "route_id": "RouteScenario_0"}] * 2),  # Leaderboard 2 names its repetitions
        garage_file([{**BLOCKED, "route_id": "RouteScenario_0_rep0"}] * 2),
    ],
)
def test_other_equal_ids_are_duplicates(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DuplicateError):
        read_results([write(tmp_path / "a.json", content)])


@pytest.mark.parametrize(
    ("folder", "seed"),
    [
        ("transfuser_longest6_e0_model_0030/results", 0),
        ("a_lav_e12_model_0030", 12),
        ("a_e1_model_best", None),
        ("e1_model_0030", None),
        ("model_0030_e1", None),
        ("seed2/a_longest6_e1_model_0030", 1),
    ],
)
def test_carla_garages_folders_name_the_seed(tmp_path: Path, folder: str, seed: int | None) -> None:
    write(tmp_path / "agent" / folder / "longest_weathers_7.json", garage_file([BLOCKED]))
    assert seeds_of(read_results([tmp_path / "agent"])) == (seed,)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": []},
        {"values": ["7.9"]},
        {"values": [7.938] * 12},
        {"values": ["x"] * 12},
        {"values": {}, "labels": None},
        {"labels": [[]]},
        {"labels": ["l" * 70_000], "values": ["1"]},
    ],
)
def test_figures_that_are_no_figures_are_left_out_and_records_count(tmp_path: Path, changes: dict[str, Any]) -> None:
    results = read_results([write(tmp_path / "a.json", {**garage_file([BLOCKED]), **changes})])
    assert len(results.records) == 1 and not results.problems
    assert results.files[0].stated == {}


def test_a_figure_without_a_value_is_left_out_alone(tmp_path: Path) -> None:
    content = garage_file([BLOCKED])
    content["values"][1:3] = ["nan", "-inf"]
    stated = read_results([write(tmp_path / "a.json", content)]).files[0].stated
    assert tuple(stated) == (LABELS[0], *LABELS[3:])
