"""From a command to a scoreboard, and the same command again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.evaluation import (
    Evaluation,
    attempt_of,
    outcomes,
    record,
    route_xml,
    without_wall_clock,
)

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("told", ["", '{"data": {"expected": 1, "found": 0}}'], ids=["nothing", "that one is missing"])
def test_a_run_whose_end_nobody_has_told_is_told_and_not_driven_again(evaluation: Evaluation, told: str) -> None:
    """The command was killed, and the jobs have done the last drives without it."""
    assert evaluation.run("--only", "00").returncode == 0
    (run,) = evaluation.runs()
    board, result = (run / "scoreboard.json").read_text(), (run / "00" / "result.json").stat()
    (run / "scoreboard.json").write_text(told)
    answer = evaluation.run("--only", "00")
    assert answer.returncode == 0, answer.stderr
    assert evaluation.runs() == [run]
    assert f"continuing {run.relative_to(evaluation.folder)}" in answer.stderr
    assert (run / "scoreboard.json").read_text() == board
    assert (run / "00" / "result.json").stat() == result
    assert evaluation.run("--only", "00", "--print-only").returncode == 0


def test_a_run_ends_with_a_scoreboard_and_the_same_command_starts_another(evaluation: Evaluation) -> None:
    answer = evaluation.run("--only", "00", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    (row,) = document["data"]["routes"]
    assert (row["route"], row["seed"], document["status"]) == ("00", 1, "success")
    assert row["scores"]["score_route"] == 100.0

    (run,) = evaluation.runs()
    assert evaluation.latest() == run
    assert json.loads((run / "scoreboard.json").read_text()) == document
    assert (run / "scoreboard.md").read_text().startswith("# expert on longest6 (v2), scored by lb20\n")
    assert {path.name for path in run.iterdir()} == {
        *(
            "run.toml",
            "units.jsonl",
            "launch.json",
            "expected.json",
            "scoreboard.md",
            "scoreboard.json",
            ".lock",
            ".scancel.lock",
            "00",
        ),
        *("submissions.jsonl", ".submissions.jsonl.lock", "scancel.sh", "scripts", "stdout", "stderr"),
        *("tasks", "simulators"),
    }
    assert {path.name for path in (run / "00").iterdir()} == {"attempt_1", "claim.lock", "result.json"}
    # A drive of less than a second shows no progress.
    assert {path.name for path in (run / "00" / "attempt_1").iterdir()} - {"progress.json"} == {
        *("attempt.json", "unit.json", "drive.log", "result.json", "outcome.json")
    }
    assert attempt_of(run / "00" / "result.json").name == "attempt_1"
    assert outcomes(run / "00") == ["result"]
    assert record(run / "00" / "result.json")["route_id"] == "RouteScenario_0_rep0"

    again = evaluation.run("--only", "00")
    assert again.returncode == 0
    assert "continuing" not in again.stderr
    assert len(evaluation.runs()) == 2
    assert evaluation.latest() == evaluation.runs()[1]
    assert "│ 00 " in again.stdout
    assert "scoreboard: outputs/evaluation/expert/longest6_seed1/" in again.stdout

    # A complete run that is named is shown again; nothing is driven.
    shown = evaluation.run("--only", "00", "--run", str(run), "--output", "json")
    assert json.loads(shown.stdout)["data"]["mean"] == document["data"]["mean"]
    assert "0 of 1 drives to do" in shown.stderr
    assert len(list((run / "00").glob("attempt_*"))) == 1
    assert len((run / "submissions.jsonl").read_text().splitlines()) == 3  # intent, submitted, ended
    assert evaluation.latest() == run


def test_number_of_workers_and_repetition_change_no_byte_of_a_result(evaluation: Evaluation) -> None:
    for jobs in ("1", "2"):
        answer = evaluation.run("--only", "00,01", "--jobs", jobs, "--new")
        assert answer.returncode == 0, answer.stderr
    alone, together = (
        {route: without_wall_clock(file) for route, file in evaluation.results(run).items()}
        for run in evaluation.runs()
    )
    assert set(alone) == {"00", "01"}
    assert all(json.loads(content)["harness"]["traffic_vehicles"] > 0 for content in alone.values())
    assert alone == together


def test_wall_clock_is_all_that_is_left_out_of_the_comparison(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    content = {"meta": {"duration_game": 1.0, "duration_system": 2.0}, "harness": {"wall": {"a": 1}, "wall_x": 2}}
    file.write_text(json.dumps(content))
    assert json.loads(without_wall_clock(file)) == {"meta": {"duration_game": 1.0}, "harness": {"wall_x": 2}}


def test_seeds_have_folders_of_their_own_and_other_traffic(evaluation: Evaluation) -> None:
    answer = evaluation.run("--only", "00", "--seeds", "3,4", "--output", "json")
    assert answer.returncode == 0, answer.stderr
    data = json.loads(answer.stdout)["data"]
    assert [row["seed"] for row in data["routes"]] == [3, 4]
    assert data["seed_std"].keys() == {"score_route", "score_penalty", "score_composed"}
    first, second = (evaluation.folder / row["result"] for row in data["routes"])
    assert first.relative_to(evaluation.folder).parts[3] == "longest6_seed3"
    assert second.relative_to(evaluation.folder).parts[3] == "longest6_seed4"
    assert first.parts[-3] == second.parts[-3]  # the time
    sections = [json.loads(file.read_text())["harness"] for file in (first, second)]
    assert sections[0]["traffic_seed"] != sections[1]["traffic_seed"]
    assert (evaluation.folder / second).parents[1].joinpath("run").resolve() == evaluation.runs()[0]
    # What is scored by default is the folder of the first seed, and with it all seeds; it says its suite itself.
    with evaluation.start("score", "outputs/evaluation/latest", "--allow-partial", "--output", "json") as process:
        out, err = process.communicate(timeout=60.0)
    assert process.returncode == 3, err
    (scored,) = json.loads(out)["data"]["agents"].values()
    assert (scored["benchmark"], scored["found"], scored["expected"]) == ("longest6", 2, 72)
    assert scored["problems"] == []
    ours = [row["scores"]["score_composed"] for row in data["routes"]]
    assert [row["driving_score"] for row in scored["routes"]] == ours


def test_a_route_that_cannot_be_driven_makes_the_run_partial_until_it_can(evaluation: Evaluation) -> None:
    (evaluation.routes / "00.xml").write_text(route_xml("00", "Accident"))
    (evaluation.routes / "01.xml").write_text("<routes><route")
    command = ("--only", "00,01", "--output", "json")

    answer = evaluation.run(*command)
    assert answer.returncode == 3, answer.stderr
    document = json.loads(answer.stdout)
    (error,) = document["errors"]
    assert error.startswith(f"01 seed 1: route file {evaluation.routes}/01.xml line 1: found ")
    assert f"route 01 cannot be driven: route file {evaluation.routes}/01.xml" in answer.stderr
    driven, undriven = document["data"]["routes"]
    assert (driven["status"] != "no result", undriven["status"]) == (True, "no result")
    assert document["data"]["mean"]["score_route"] == 50.0
    assert driven["scenarios_not_built"] == document["data"]["scenarios_not_built"] == {"Accident": 1}

    (evaluation.routes / "01.xml").write_text(route_xml("01"))
    answer = evaluation.run(*command)
    assert answer.returncode == 0, answer.stderr
    assert "continuing outputs/" in answer.stderr
    assert "1 of 2 drives to do" in answer.stderr
    assert len(evaluation.runs()) == 1
