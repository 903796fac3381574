"""Published tables, through the command line: what a lab's own files give with `harness score`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click
import pytest

from harness import __version__
from harness.errors import HarnessError
from tests.golden.command import agent_of, document_of, score

# The rows of the benchmark's own table: Base and Generalization driving score and success rate, changes as its parser
# prints them (rounded first) and as its leaderboard does.
FAIL2DRIVE = {
    "TFv6": ((90.2, 93.3), (79.5, 70.7), (-11.9, -24.2), (-11.8, -24.3)),
    "BridgeDrive.tar.gz": ((91.6, 95.0), (82.0, 75.0), (-10.5, -21.1), (-10.5, -21.1)),
    "BevAD.tar.gz": ((87.4, 83.3), (82.3, 68.7), (-5.8, -17.5), (-5.8, -17.6)),
}
# Driving score, success rate and efficiency, all percent.
BENCH2DRIVE = {"plant2_pdm_lite": (97.02, 92.27, 250.04), "plant2_tfpp": (84.21, 67.27, None)}


@pytest.mark.parametrize("agent", FAIL2DRIVE)
def test_published_rows_of_fail2drive(harness_data: Path, agent: str) -> None:
    base, generalization, rounded_first, unrounded = FAIL2DRIVE[agent]
    path = harness_data / "results" / "fail2drive" / agent
    answer = score(path, "--bench", "fail2drive")
    assert answer.return_value == 0
    for name, (driving_score, success) in (("Base", base), ("Generalization", generalization)):
        assert f"\n{name}: DS {driving_score:.1f}, SR {success:.1f} %" in answer.stdout
    for how, (score_change, success_change) in (("parser", rounded_first), ("leaderboard", unrounded)):
        assert f"as the {how} does: DS {score_change:+.1f} %, SR {success_change:+.1f} %" in answer.stdout
    assert "600 of 600 penalties follow from their events" in answer.stdout
    assert agent != "TFv6" or "spread over 3 seeds (sample formula): DS 0.96, SR 1.00 %" in answer.stdout
    data = agent_of(path, "--bench", "fail2drive")
    assert (data["expected"], data["found"], data["missing"]) == (600, 600, 0)


@pytest.mark.parametrize("agent", BENCH2DRIVE)
def test_published_numbers_of_bench2drive(harness_data: Path, agent: str) -> None:
    data = agent_of(harness_data / "results" / "bench2drive" / agent, "--bench", "bench2drive")
    driving_score, success, efficiency = BENCH2DRIVE[agent]
    assert data["official"]["driving_score"] == pytest.approx(driving_score, abs=0.005)
    assert 100.0 * data["official"]["success_rate"] == pytest.approx(success, abs=0.005)
    assert efficiency is None or data["efficiency"]["percent"] == pytest.approx(efficiency, abs=0.005)
    assert any("merged.json" in note for note in data["notes"])


def test_an_incomplete_set_has_no_headline_unless_asked_for(harness_data: Path) -> None:
    path = harness_data / "results" / "bench2drive" / "lead_tfv6_single_seed"
    answer = score(path, "--bench", "bench2drive")
    assert answer.return_value == 3
    assert "220 expected, 211 found, 9 missing, 9 crashed" in answer.stdout
    assert "DS" not in answer.stdout and "--allow-partial" in answer.stdout
    asked = score(path, "--bench", "bench2drive", "--allow-partial")
    assert asked.return_value == 3
    assert "official (missing = 0, divisor 220): DS 85.72, SR 74.55 %" in asked.stdout
    assert "over those found (divisor 211): DS 89.38, SR 77.73 %" in asked.stdout
    assert "24759.json: found no record" in asked.stdout


def test_results_of_another_benchmark_are_refused(harness_data: Path) -> None:
    with pytest.raises(HarnessError, match=r"184 routes that mini does not have \(0, 1000") as caught:
        score(harness_data / "results" / "fail2drive" / "TFv6", "--bench", "mini")
    assert caught.value.exit_code == 2


def test_two_results_of_one_drive_name_both_files(harness_data: Path) -> None:
    path = harness_data / "golden" / "bench2drive" / "duplicates"
    with pytest.raises(HarnessError, match=r"route 1711 .*bench2drive220_0.json record 0 and .*bench2drive220_9.json"):
        score(path, "--bench", "bench2drive")
    expected = json.loads((path.parent / "duplicates.expected.json").read_text())["bench2drive_tools"]
    every = agent_of(path, "--bench", "bench2drive", "--on-duplicate", "all")
    assert every["official"]["driving_score"] == pytest.approx(expected["driving score"], abs=1e-9)
    assert every["official"]["success_rate"] == pytest.approx(expected["success rate"], abs=1e-9)


def _write_route(folder: Path, number: str, status: str, completion: float, factor: float) -> None:
    collision = "Agent collided against object with type=a and id=1 at (x=0.0, y=0.0, z=0.0)"
    record = {
        "index": 0,
        "route_id": f"RouteScenario_{int(number)}_rep0",
        "status": status,
        "num_infractions": int(factor < 1.0),
        "infractions": {"collisions_vehicle": [collision] if factor < 1.0 else []},
        "scores": {"score_route": completion, "score_penalty": factor, "score_composed": completion * factor},
        "meta": {"route_length": 100.0, "duration_game": 10.0, "duration_system": 1.0},
    }
    content = {"_checkpoint": {"records": [record], "progress": [1, 1]}, "entry_status": "Finished"}
    (folder / f"{number}.json").write_text(json.dumps(content))


def test_what_is_missing_counts_as_zero_and_what_is_there_is_said(tmp_path: Path) -> None:
    _write_route(tmp_path, "01", "Perfect", 100.0, 1.0)
    _write_route(tmp_path, "02", "Failed - Agent crashed", 50.0, 0.6)
    data = agent_of(tmp_path, "--bench", "mini")
    assert (data["expected"], data["found"], data["missing"], data["crashed"]) == (16, 2, 14, 1)
    assert data["official"]["driving_score"] == pytest.approx((100.0 + 30.0) / 16)
    assert data["available"]["driving_score"] == pytest.approx(65.0)
    assert data["audit"]["fits"]["lb20"] == 2


def test_a_penalty_that_its_events_do_not_explain_is_named(tmp_path: Path) -> None:
    _write_route(tmp_path, "01", "Completed", 100.0, 0.6)
    _write_route(tmp_path, "02", "Completed", 100.0, 0.5)
    answer = score(tmp_path, "--bench", "mini")
    assert "audit: 1 of 2 penalties follow from their events by Leaderboard 2.0" in answer.stdout
    assert "RouteScenario_2_rep0: found penalty 0.500000, expected 0.600000" in answer.stdout


def test_two_agents_on_the_same_routes(harness_data: Path) -> None:
    results = harness_data / "results" / "fail2drive"
    arguments = ("--bench", "fail2drive", "--compare", results / "TFv6", results / "BridgeDrive.tar.gz")
    found = document_of(*arguments)
    first, second = (found["agents"][name]["official"]["driving_score"] for name in ("TFv6", "BridgeDrive"))
    comparison = found["comparison"]
    assert (comparison["first"], comparison["second"], comparison["routes"]) == ("TFv6", "BridgeDrive", 200)
    assert comparison["difference"] == pytest.approx(second - first, abs=1e-9)
    low, high = comparison["interval"]["low"], comparison["interval"]["high"]
    # 1.9 points apart; routes differ so much that 200 of them do not show it.
    assert low < 0.0 < comparison["difference"] < high
    by_scenario = comparison["scenarios"].values()
    assert (len(by_scenario), sum(each["routes"] for each in by_scenario)) == (17, 200)
    assert sorted(stem for each in by_scenario for stem in each["won"]) == comparison["won"]
    told = score(*arguments).stdout
    assert "BridgeDrive against TFv6 on 200 routes that both have: DS +1.91" in told
    assert "no difference is shown" in told and "\n  Animals " in told


def test_named_agents_are_compared_by_name(harness_data: Path) -> None:
    results = harness_data / "results" / "bench2drive"
    agents = (f"tfpp={results / 'plant2_tfpp'}", f"pdm={results / 'plant2_pdm_lite'}", "--bench", "bench2drive")
    found = document_of(*agents, "--compare", "pdm", "tfpp")
    assert found["comparison"]["difference"] == pytest.approx(84.21 - 97.02, abs=0.01)
    assert "they differ" in score(*agents, "--compare", "pdm", "tfpp").stdout
    with pytest.raises(click.UsageError, match="--compare lite: found no such path and tfpp, pdm"):
        score(*agents, "--compare", "lite", "tfpp")
    with pytest.raises(click.UsageError, match="found no results"):
        score("--bench", "bench2drive")


def test_scores_state_an_interval(harness_data: Path) -> None:
    found = agent_of(harness_data / "results" / "bench2drive" / "plant2_tfpp", "--bench", "bench2drive")
    interval = found["driving_score_interval"]
    assert interval["low"] < found["official"]["driving_score"] < interval["high"] <= 100.0


FAIL2DRIVE_TABLE = """\
| agent | Base DS | Base SR (f2d) | Base HM | Gen DS | Gen SR (f2d) | Gen HM | seeds | drives | crashed | retried |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| TFv6 | 90.2 | 93.3 | 91.7 | 79.5 (-11.9 %) | 70.7 (-24.2 %) | 74.8 (-18.4 %) | 3 | 600 of 600 | 0 | 0 |
| BridgeDrive | 91.6 | 95.0 | 93.3 | 82.0 (-10.5 %) | 75.0 (-21.1 %) | 78.3 (-16.0 %) | 3 | 600 of 600 | 0 | 0 |
| BevAD | 87.4 | 83.3 | 85.3 | 82.3 (-5.8 %) | 68.7 (-17.5 %) | 74.9 (-12.2 %) | 3 | 600 of 600 | 0 | 0 |

- Fail2Drive (a7937410291f), rules Fail2Drive (Leaderboard 2.0), success by rule f2d; no drive is missing; percentages \
in brackets: change from Base to Generalization of the rounded values
- TFv6: from 600 file(s), digest 0db4f5705183ad20, rules fail2drive, carla-harness VERSION; \
600 of 600 penalties follow from their events
- BridgeDrive: from 600 file(s), digest 3e968bd462c8d208, rules fail2drive, carla-harness VERSION; \
600 of 600 penalties follow from their events
- BevAD: from 600 file(s), digest c23c6596954c1281, rules fail2drive, carla-harness VERSION; \
600 of 600 penalties follow from their events
"""


def test_the_table_of_fail2drive(harness_data: Path) -> None:
    results = harness_data / "results" / "fail2drive"
    agents = [f"{agent.split('.')[0]}={results / agent}" for agent in FAIL2DRIVE]
    answer = score(*agents, "--bench", "fail2drive", "--output", "markdown")
    assert (answer.return_value, answer.stdout) == (0, FAIL2DRIVE_TABLE.replace("VERSION", __version__))
    rows = list(csv.reader(score(*agents, "--bench", "fail2drive", "--output", "csv").stdout.splitlines()))
    assert [row[0] for row in rows] == ["agent", "TFv6", "BridgeDrive", "BevAD"]
    assert [row[-4:-1] for row in rows] == [
        ["benchmark", "set", "rules"],
        *[["fail2drive", "a7937410291f", "fail2drive"]] * 3,
    ]
    latex = score(*agents, "--bench", "fail2drive", "--output", "latex").stdout
    assert r"TFv6 & 90.2 & 93.3 & 91.7 & 79.5 (-11.9 \%) &" in latex
    assert latex.count(r" \\") == 4


def test_an_incomplete_agent_has_no_scores_in_a_table_unless_asked_for(harness_data: Path) -> None:
    results = harness_data / "results" / "bench2drive"
    agents = [f"whole={results / 'plant2_tfpp'}", f"part={results / 'lead_tfv6_single_seed'}", "--bench", "bench2drive"]
    answer = score(*agents, "--output", "markdown")
    assert answer.return_value == 3
    assert f"| part |{12 * ' - |'} 1 | 211 of 220 | 9 | 0 |" in answer.stdout
    assert "part: 9 problem(s)" in score(*agents).stdout
    asked = score(*agents, "--allow-partial", "--output", "markdown").stdout
    assert "| part | 85.72 |" in asked and "missing drives are zeros in DS and SR" in asked
