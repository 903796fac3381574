"""Fail2Drive through the command line, against its own parser, on made folders with defects and 1,800 drives."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from harness.config import SUITES_DIR
from harness.metrics.fail2drive import CLASSES, RouteName, Split, route_name
from harness.suites import load_suite
from tests.golden.command import agent_of, score
from tests.golden.result_files import read_json

CLOSE = {"rel": 1e-9, "abs": 1e-9}
AGENTS = ("BevAD", "BridgeDrive", "TFv6")
CASES = ("subset_2seeds_with_defects", "zero_base")


@pytest.fixture(scope="module")
def routes() -> list[RouteName]:
    names = [route_name(route.stem) for route in load_suite("fail2drive", SUITES_DIR).routes]
    found = [name for name in names if name is not None]
    assert len(found) == len(names) == 200
    return found


def published(harness_data: Path, agent: str) -> Path:
    folder = harness_data / "results" / "fail2drive"
    return folder / agent if (folder / agent).exists() else folder / f"{agent}.tar.gz"


def check_tables(ours: dict[str, Any], golden: dict[str, Any]) -> None:
    scores = ours["fail2drive"]
    assert sum(half["found"] for half in scores["splits"].values()) == golden["n_rows"]
    for row in golden["main_table_unrounded"]:
        half = scores["splits"][row["Split"]]
        assert half["available_driving_score"] == pytest.approx(row["DS"], **CLOSE)
        assert half["route_completion"] == pytest.approx(row["RC"], **CLOSE)
        assert half["available_success_rate"] == pytest.approx(row["Success"], **CLOSE)
    for row in golden["per_seed"]:
        half = scores["per_seed"][f"{row['Seed']}/{row['Split']}"]
        assert half["available_driving_score"] == pytest.approx(row["DS"], **CLOSE)
        assert half["available_success_rate"] == pytest.approx(row["Success"], **CLOSE)
    assert len(scores["per_seed"]) == len(golden["per_seed"])
    for name, key in (("scenarios", "Scenario"), ("classes", "Class")):
        expected = golden["per_scenario" if key == "Scenario" else "per_class"]
        assert list(scores[name]) == [row[key] for row in expected]
        for row in expected:
            found = scores[name][row[key]]
            assert found["base"]["harmonic_mean"] == pytest.approx(row["Base HM"], **CLOSE)
            assert found["generalization"]["harmonic_mean"] == pytest.approx(row["Gen HM"], **CLOSE)
            change = float(row["Drop %"])  # the parser writes nan where we say that there is none
            expected_change = None if math.isnan(change) else pytest.approx(change, **CLOSE)
            assert found["harmonic_mean_change"] == expected_change
            assert key == "Class" or row["Scenario"] in CLASSES[row["Class"]]


def check_printed(ours: dict[str, Any], golden: dict[str, Any]) -> None:
    """Compare the main table and the row of the paper, text by text."""
    row = {key: math.nan if value is None else value for key, value in ours["fail2drive"]["main_rounded_first"].items()}
    for expected in golden["main_table"]:
        base = expected["Split"] == "Base"
        assert expected["DS"] == (row["base_driving_score"] if base else row["driving_score"])
        assert expected["Success"] == (row["base_success"] if base else row["success"])
    texts = {
        "Base DS": f"{row['base_driving_score']:.1f}",
        "Base Success": f"{row['base_success']:.1f}",
        "Base HM": f"{row['base_harmonic_mean']:.1f}",
        "Gen DS": f"{row['driving_score']:.1f} ({row['driving_score_change']:.1f}%)",
        "Gen Success": f"{row['success']:.1f} ({row['success_change']:.1f}%)",
        "Gen HM": f"{row['harmonic_mean']:.1f} ({row['harmonic_mean_change']:.1f}%)",
    }
    (summary,) = golden["summary"]
    assert texts == {key: summary[key] for key in texts}
    cells = [re.sub(r" \((.*)%\)", r" \\scriptsize{(\1\\%)}", text) for text in texts.values()]
    assert golden["latex"].split(" & ", 2)[2] == " & ".join(cells) + "\\\\"


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    folder = harness_data / "golden"
    assert sorted(p.name.split(".")[0] for p in (folder / "fail2drive").glob("*.expected.json")) == list(CASES)
    real = (p.name.split(".")[0] for p in (folder / "real").glob("fail2drive_*.expected.json"))
    assert sorted(real) == [f"fail2drive_{agent}" for agent in AGENTS]


@pytest.mark.parametrize("case", CASES)
def test_made_folders(harness_data: Path, case: str) -> None:
    """The parser takes drives from names of files alone: of two that claim one drive, the well-named comes first."""
    folder = harness_data / "golden" / "fail2drive"
    golden = read_json(folder / f"{case}.expected.json")
    ours = agent_of(folder / case, "--bench", "fail2drive", "--on-duplicate", "first")
    check_tables(ours, golden)
    check_printed(ours, golden)
    check_warnings(ours, golden)
    assert (
        golden["strict_failure"]
        and score(folder / case, "--bench", "fail2drive", "--on-duplicate", "first").return_value == 3
    )


def check_warnings(ours: dict[str, Any], golden: dict[str, Any]) -> None:
    """Whatever the parser warns of is a problem, a note, or counted."""
    told = "\n".join([*ours["problems"], *ours["notes"]])
    for seed in ours["seeds"]:
        dropped = sum(int(key[0] == str(seed["seed"])) for key in ours["fail2drive"]["agent_not_set_up"])
        refused = [text for text in golden["warnings"] if f"missing scores in {seed['seed']}/" in text]
        missing = re.findall(rf"seed {seed['seed']} is missing (\d+) results", "\n".join(golden["warnings"]))
        # A file without scores is no missing result to the parser, one whose agent never started is.
        assert [str(len(seed["missing"]) + dropped - len(refused))] == missing
    for text in golden["warnings"]:
        found = re.search(r"(?:failed to parse|no records found in|missing scores in) (\S+)", text)
        if found:
            assert f"{found[1]}" in told
        for name in re.findall(r"(\S+\.json)", text) if "unmapped" in text else ():
            assert name.rstrip(",") in told


@pytest.mark.parametrize("agent", AGENTS)
def test_published_agents(harness_data: Path, agent: str) -> None:
    golden = read_json(harness_data / "golden" / "real" / f"fail2drive_{agent}.expected.json")
    ours = agent_of(published(harness_data, agent), "--bench", "fail2drive")
    check_tables(ours, golden)
    check_printed(ours, golden)
    assert golden["warnings"] == [] and not golden["strict_failure"]
    assert (ours["missing"], ours["outside"], ours["problems"]) == (0, [], [])
    scores = ours["fail2drive"]
    assert scores["left_out"] == scores["agent_not_set_up"] == []
    for half in scores["splits"].values():
        assert half["expected"] == half["found"] == 300
        assert half["driving_score"] == half["available_driving_score"]


@pytest.mark.parametrize("agent", AGENTS)
def test_leaderboard_table(harness_data: Path, agent: str) -> None:
    """The published table to 0.1; its changes come from unrounded scores, and one score was cut, not rounded."""
    table = (harness_data / "results" / "fail2drive" / "f2d_leaderboard_table.tex").read_text(encoding="utf-8")
    row = re.search(rf"^{agent}~.*\n(.*)$", table, re.MULTILINE)
    assert row is not None
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d", row.group(1))][1:]  # after Bench2Drive's
    main = agent_of(published(harness_data, agent), "--bench", "fail2drive")["fail2drive"]["main"]
    base, half = main["base"], main["generalization"]
    ours = [
        base["available_driving_score"],
        100.0 * base["available_success_rate"],
        base["harmonic_mean"],
        half["available_driving_score"],
        main["driving_score_change"],
        100.0 * half["available_success_rate"],
        main["success_change"],
        half["harmonic_mean"],
        main["harmonic_mean_change"],
    ]
    rounded = [float(f"{value:.1f}") for value in ours]
    if agent == "BridgeDrive":
        assert (round(ours[3], 3), rounded[3], numbers[3]) == (81.957, 82.0, 81.9)
        rounded[3] = math.floor(ours[3] * 10) / 10
    assert rounded == numbers


@pytest.mark.parametrize(("agent", "b2d", "f2d"), [("TFv6", 482, 492), ("BridgeDrive", 502, 510), ("BevAD", 445, 456)])
def test_the_success_rule_changes_the_count(harness_data: Path, agent: str, b2d: int, f2d: int) -> None:
    arguments = (published(harness_data, agent), "--bench", "fail2drive")
    assert agent_of(*arguments)["successes"] == f2d
    ours = agent_of(*arguments, "--success", "b2d")
    assert (ours["successes"], ours["success_rule"]) == (b2d, "b2d")
    assert sum(half["successes"] for half in ours["fail2drive"]["splits"].values()) == b2d


def test_classes_have_the_pairs_of_the_benchmark(routes: list[RouteName]) -> None:
    pairs = {name: {route.pair for route in routes if route.scenario in of} for name, of in CLASSES.items()}
    assert {name: len(numbers) for name, numbers in pairs.items()} == {
        "Visual-lon": 30,
        "Visual-lat": 25,
        "Behavior": 20,
        "Robustness": 25,
    }
    for split in Split:
        assert sorted(route.pair for route in routes if route.split is split) == list(range(100))
