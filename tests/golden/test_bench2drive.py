"""Bench2Drive through the command line, against its own programs, LEAD's and PlanT2's copies, and published tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.metrics.bench2drive import ABILITIES, TRAFFIC_SIGNS
from tests.golden.command import agent_of
from tests.golden.result_files import read_json, shards

CASES = ("crashed_and_corrupt", "duplicates", "full220_4files", "missing_20")
PUBLISHED = ("lead_tfv6_single_seed", "pdm_lite_per_route", "plant2_pdm_lite", "plant2_tfpp")
FORMULAS = {"bench2drive_0.0.4": "0.0.4", "bench2drive_0.0.3_as_vendored_in_lead": "0.0.3"}
#: Not JSON: LEAD's tool skips it with a message, the other two stop with an error.
BROKEN = "eval_bench2drive220_7.json"
CLOSE = {"rel": 1e-9, "abs": 1e-9}


def read(harness_data: Path, name: str, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a golden file and what the command says of the results that belong to it.

    The tools of the benchmark add a second result of a drive, so every one counts here too.
    """
    arguments: list[object] = ["--bench", "bench2drive", "--on-duplicate", "all"]
    if name in PUBLISHED:
        golden = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
        return golden, agent_of(harness_data / "results" / "bench2drive" / name, *arguments)
    folder = harness_data / "golden" / "bench2drive"
    golden = read_json(folder / f"{name}.expected.json")
    # The tools were given a geometry instead of towns.
    with (tmp_path / "junctions.csv").open("w", newline="") as text:
        percent = {xml_id: round(100.0 * at, 9) for xml_id, at in golden["ability"]["junction_completion"].items()}
        csv.writer(text).writerows([("xml_id", "percent"), *percent.items()])
    return golden, agent_of(folder / name, *arguments, "--junctions", tmp_path / "junctions.csv")


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    folder = harness_data / "golden"
    assert sorted(p.name.split(".")[0] for p in (folder / "bench2drive").glob("*.expected.json")) == list(CASES)
    real = (p.name.split(".")[0] for p in (folder / "real").glob("bench2drive_*.expected.json"))
    assert sorted(real) == [f"bench2drive_{name}" for name in PUBLISHED]


@pytest.mark.parametrize("name", [*CASES, *PUBLISHED])
def test_merge_tools(harness_data: Path, tmp_path: Path, name: str) -> None:
    golden, ours = read(harness_data, name, tmp_path)
    compared = 0
    for tool in ("bench2drive_tools", "lead_slurm", "plant2_vendored"):
        expected = golden[tool]
        if "exception" in expected:  # the broken file
            assert name == "crashed_and_corrupt" and tool != "lead_slurm"
            assert any(BROKEN in problem for problem in ours["problems"])
            continue
        figures = ours["available" if tool == "plant2_vendored" else "official"]
        assert figures["driving_score"] == pytest.approx(expected["driving score"], **CLOSE)
        assert figures["success_rate"] == pytest.approx(expected["success rate"], **CLOSE)
        assert ours["found"] == expected["eval num"] == expected["n_records"]
        ids = sorted((route["route_id"] for route in ours["routes"]), reverse=True)
        assert ids == expected["route_id_order"]
        good = [route["route_id"] for route in ours["routes"] if route["is_success"]]
        assert sorted(good) == sorted(expected["success_route_ids"])
        assert len(good) == ours["successes"]
        compared += 1
    assert compared == (1 if name == "crashed_and_corrupt" else 3)
    current = golden["lead_slurm"]["current_driving_score"]
    assert ours["available"]["driving_score"] == pytest.approx(current, **CLOSE)
    assert ours["outside"] == []
    assert (len(ids) > len(set(ids))) == (name == "duplicates")
    assert ours["expected"] == 220 and ours["missing"] == 220 - len(set(ids))
    warns = any("does not equal to 220" in text for text in golden["bench2drive_tools"].get("warnings", []))
    assert warns == (ours["found"] != 220 and name != "crashed_and_corrupt")


@pytest.mark.parametrize("name", [*CASES, *PUBLISHED])
def test_efficiency(harness_data: Path, tmp_path: Path, name: str) -> None:
    golden, ours = read(harness_data, name, tmp_path)
    assert ours["efficiency"]["percent"] == pytest.approx(golden["efficiency"]["driving_efficiency"], **CLOSE)
    assert ours["efficiency"]["routes"] == golden["efficiency"]["n_routes"]


@pytest.mark.parametrize("tool", FORMULAS)
@pytest.mark.parametrize("name", CASES)
def test_abilities(harness_data: Path, tmp_path: Path, name: str, tool: str) -> None:
    golden, ours = read(harness_data, name, tmp_path)
    found = ours["abilities"][FORMULAS[tool]]
    (seed,) = found["per_seed"]
    assert seed["without_junction"] == []
    expected = golden["ability"]["expected"][tool]
    if "exception" in expected:  # a group without any route
        assert found["mean"] is None
        assert [group for group in seed["groups"].values() if group["routes"] == 0 and group["lowest"] is None]
        return
    assert list(expected) == [*ABILITIES, "mean", "crashed"]
    for group in (*ABILITIES, "mean"):
        assert found[group] == pytest.approx(expected[group], **CLOSE), group
    (of_seed,) = ours["seeds"]
    assert sorted(of_seed["missing"]) == sorted(xml_id for _, xml_id in expected["crashed"])


@pytest.mark.parametrize(("agent", "successes", "junctions"), [("plant2_pdm_lite", 87, 91), ("plant2_tfpp", 67, 89)])
def test_published_abilities(harness_data: Path, agent: str, successes: int, junctions: int) -> None:
    """Computed by their authors with a simulator; here from our table of junctions, by the formula of 0.0.3."""
    folder = harness_data / "results" / "bench2drive" / agent
    published = read_json(folder / "merged_ability.json")
    ours = agent_of(folder, "--bench", "bench2drive")
    assert ours["missing"] == 0 and published["crashed"] == []
    found = ours["abilities"]["0.0.3"]
    assert {name: found[name] for name in (*ABILITIES, "mean")} == {
        name: published[name] for name in (*ABILITIES, "mean")
    }
    signs = found["per_seed"][0]["groups"][TRAFFIC_SIGNS]
    assert (signs["routes"], signs["successes"], signs["junctions_passed"]) == (95, successes, junctions)
    if "Driving Efficiency" in published:
        assert ours["efficiency"]["percent"] == pytest.approx(published["Driving Efficiency"], **CLOSE)


@pytest.mark.parametrize(
    ("file", "records", "printed"),
    [
        ("bench2drivezoo_merged/UniAD-Base.json", 218, (45.81, 16.36)),
        ("bench2drivezoo_merged/UniAD-Tiny.json", 215, (40.73, 13.18)),
        ("plant2_pdm_lite/merged.json", 220, (97.02, 92.27)),
        ("plant2_tfpp/merged.json", 220, (84.21, 67.27)),
    ],
)
def test_published_scores(harness_data: Path, file: str, records: int, printed: tuple[float, float]) -> None:
    path = harness_data / "results" / "bench2drive" / file
    stated = read_json(path)
    ours = agent_of(path, "--bench", "bench2drive")
    assert ours["found"] == records == stated["eval num"]
    assert (ours["missing"], ours["outside"]) == (220 - records, [])
    official = ours["official"]
    assert official["driving_score"] == pytest.approx(stated["driving score"], **CLOSE)
    assert official["success_rate"] == pytest.approx(stated["success rate"], **CLOSE)
    assert (round(official["driving_score"], 2), round(100 * official["success_rate"], 2)) == printed


def test_which_divisor_makes_which_published_number_of_tfv6(harness_data: Path, tmp_path: Path) -> None:
    """85.72 and 74.5 % over 220; 89.38 and 77.7 % over 211 records; 93.36 over the 202 that did not crash."""
    folder = harness_data / "results" / "bench2drive" / "lead_tfv6_single_seed"
    whole = agent_of(folder, "--bench", "bench2drive")
    for which, driving_score, success_rate in (("official", 85.72, 74.5), ("available", 89.38, 77.7)):
        assert round(whole[which]["driving_score"], 2) == driving_score
        assert round(100 * whole[which]["success_rate"], 1) == success_rate
    crashed = {route["file"] for route in whole["routes"] if route["status"] == "Failed - Simulation crashed"}
    assert len(crashed) == whole["crashed"] == 9
    for file in shards(folder):
        if str(file) not in crashed:
            (tmp_path / file.name).symlink_to(file)
    driven = agent_of(tmp_path, "--bench", "bench2drive")
    assert (driven["found"], round(driven["available"]["driving_score"], 2)) == (202, 93.36)


@pytest.mark.parametrize("name", PUBLISHED)
def test_lead_repeats_the_files_it_calls_crashed(harness_data: Path, name: str) -> None:
    expected = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
    folder = harness_data / "results" / "bench2drive" / name
    ours = agent_of(folder, "--bench", "bench2drive")
    # LEAD knows files of one route only; where shards were run, the golden file names none.
    repeated = {Path(file).name: True for file in ours["lead_repeats"] if len(shards(folder)) == 220}
    assert repeated == expected["lead_did_route_crash"]
    assert bool(repeated) == (name in ("lead_tfv6_single_seed", "pdm_lite_per_route"))


def test_comfort(harness_data: Path, tmp_path: Path) -> None:
    golden = read_json(harness_data / "golden" / "bench2drive" / "smoothness.json")
    xml_ids = ("1711", "1773", "1790", "1792", "1825", "1833", "1852", "1956")
    for xml_id, trace in zip(xml_ids, golden["routes"], strict=False):
        write_route(tmp_path, xml_id, save_name=f"run_{xml_id}")
        (tmp_path / f"run_{xml_id}").mkdir()
        (tmp_path / f"run_{xml_id}" / "metric_info.json").write_text(json.dumps(trace["metric_info"]))
        alone = agent_of(
            tmp_path / f"{xml_id}.json", tmp_path / f"run_{xml_id}", "--bench", "bench2drive", "--allow-partial"
        )
        assert alone["comfort"]["share"] == pytest.approx(trace["expected"], **CLOSE)
    count = len(golden["routes"])
    assert count <= len(xml_ids)
    every = agent_of(tmp_path, "--bench", "bench2drive")
    assert every["comfort"]["share"] == pytest.approx(golden["driving_smoothness"], **CLOSE)
    assert (every["comfort"]["routes"], every["comfort"]["missing"]) == (count, [])


def write_route(folder: Path, xml_id: str, save_name: str) -> None:
    record = {
        "route_id": f"RouteScenario_{xml_id}_rep0",
        "status": "Completed",
        "infractions": {},
        "scores": {"score_route": 100.0, "score_penalty": 1.0, "score_composed": 100.0},
        "meta": {"route_length": 100.0, "duration_game": 10.0, "duration_system": 1.0},
        "save_name": save_name,
    }
    (folder / f"{xml_id}.json").write_text(json.dumps({"_checkpoint": {"records": [record]}}))
