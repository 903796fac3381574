"""LEAD's parser and Slurm merge, through the command line: made runs of Longest6 and Town13, published drives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.golden.command import agent_of
from tests.golden.result_files import read_json, shards

CASES = (
    "longest6_crashes_1seed",
    "longest6_duplicate_1seed",
    "longest6_full_3seeds",
    "longest6_missing_1seed",
    "town13_all_zero",
    "town13_full_1seed",
)
ON_FAIL2DRIVE = ("BridgeDrive", "TFv6")
ON_BENCH2DRIVE = ("lead_tfv6_single_seed", "pdm_lite_per_route", "plant2_pdm_lite", "plant2_tfpp")
CLOSE = {"rel": 1e-9, "abs": 1e-9}
NOTES = {
    "Failed": "Error: There is at least one route that failed.",
    "Failed - Agent couldn't be set up": "Error: There is at least one route where the agent could not be set up.",
    "Failed - Agent crashed": "Error: There is at least one route where the agent crashed.",
    "Failed - Simulation crashed": "Error: There is at least one route where the simulation crashed.",
}


def read_case(harness_data: Path, case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the golden file of a case and what the command says; the parser averages every result in."""
    folder = harness_data / "golden" / "lead_parser"
    return read_json(folder / f"{case}.expected.json"), scored(folder / case, case.split("_")[0])


def scored(path: Path, suite: str, *more: str) -> dict[str, Any]:
    return agent_of(path, "--bench", suite, "--on-duplicate", "all", *more)


def lines_of(parser: dict[str, Any]) -> list[str]:
    """Write the parser's lines from what we say, except the one about the number of routes."""
    lines = [f"{text} Route ID: {name}" for status, text in NOTES.items() for name in parser["by_status"][status]]
    start = "Warning: There is a route where the agent did not start to drive. Route ID: "
    return lines + [start + name for name in parser["not_started"]]


def check_notices(ours: dict[str, Any], golden: dict[str, Any]) -> None:
    parser, routes = ours["lead_parser"], len(ours["seeds"])
    lines = lines_of(parser)
    if not parser["is_multiple"]:
        lines.append(
            f"Error: The number of completed routes ({ours['found']}) is not a multiple of the total routes"
            f" ({ours['expected'] // routes}). Check if there are missing results."
        )
    assert sorted(lines) == sorted(golden["default"]["stderr"])
    assert golden["strict"]["csv_written"] is not parser["is_refused_when_strict"]


def check_table(ours: list[dict[str, Any]], golden: list[dict[str, Any]], key: str) -> None:
    assert [row["name"] for row in ours] == [row[key] for row in golden]
    for row, expected in zip(ours, golden, strict=True):
        assert row["town"] == expected["town"]
        figures = {name: figure for name, figure in row.items() if isinstance(figure, dict)}
        values = {name: value for name, value in expected.items() if name not in ("route", "town")}
        assert [f"{name} {figure}" for name in figures for figure in ("mean", "std")] == list(values)
        for name, figure in figures.items():
            assert figure["mean"] == pytest.approx(values[f"{name} mean"], **CLOSE)
            assert figure["std"] == pytest.approx(values[f"{name} std"], **CLOSE)


def check_tables(ours: dict[str, Any], golden: dict[str, Any]) -> None:
    parser = ours["lead_parser"]
    assert list(parser["summary"]) == list(golden["summary"])
    assert parser["summary"] == pytest.approx(golden["summary"], **CLOSE)
    check_table(parser["by_route"], golden["per_route"], "route")
    check_table(parser["by_town"], golden["per_town"], "town")
    check_notices(ours, golden)


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    folder = harness_data / "golden"
    assert sorted(p.name.split(".")[0] for p in (folder / "lead_parser").glob("*.expected.json")) == list(CASES)
    real = sorted(p.name.split(".")[0] for p in (folder / "real").glob("lead_parser_*.expected.json"))
    assert real == [f"lead_parser_on_fail2drive_{agent}" for agent in ON_FAIL2DRIVE]


@pytest.mark.parametrize("case", [case for case in CASES if case != "town13_all_zero"])
def test_tables(harness_data: Path, case: str) -> None:
    golden, ours = read_case(harness_data, case)
    assert golden["default"]["exception"] is None
    check_tables(ours, golden)


def test_nothing_driven_has_no_rates(harness_data: Path) -> None:
    """The parser divides by zero here; we say which figures there are none of."""
    golden, ours = read_case(harness_data, "town13_all_zero")
    assert golden["default"]["exception"].startswith("ZeroDivisionError")
    summary = ours["lead_parser"]["summary"]
    absent = [label for label, value in summary.items() if value is None]
    assert "Avg. speed km/h" in absent and "Off-road infractions" in absent
    assert (ours["found"], summary["Avg. driving score"], summary["Avg. Normalized DS"]) == (20, 0.0, 0.0)
    assert sorted(lines_of(ours["lead_parser"])) == sorted(golden["default"]["stderr"])


@pytest.mark.parametrize("case", CASES)
def test_slurm_merge(harness_data: Path, case: str) -> None:
    golden, _ = read_case(harness_data, case)
    folder = harness_data / "golden" / "lead_parser" / case
    assert sorted(path.name for path in folder.iterdir()) == sorted(golden["slurm_merge_per_seed"])
    for seed, expected in golden["slurm_merge_per_seed"].items():
        ours = scored(folder / seed, case.split("_")[0], "--success", "b2d")
        assert ours["official"]["driving_score"] == pytest.approx(expected["driving score"], **CLOSE)
        assert ours["official"]["success_rate"] == pytest.approx(expected["success rate"], **CLOSE)
        good = [route["route_id"] for route in ours["routes"] if route["is_success"]]
        assert sorted(good) == sorted(expected["success_route_ids"])
        assert ours["available"]["driving_score"] == pytest.approx(expected["current_driving_score"], **CLOSE)
        assert ours["found"] == expected["eval num"] == expected["n_records"]
        ids = sorted((route["route_id"] for route in ours["routes"]), reverse=True)
        assert ids == expected["route_id_order"]
        assert expected["warnings"] == []


@pytest.mark.parametrize("case", CASES)
def test_repeated_jobs(harness_data: Path, case: str) -> None:
    golden, ours = read_case(harness_data, case)
    folder = harness_data / "golden" / "lead_parser" / case
    repeated = {Path(file).relative_to(folder).as_posix() for file in ours["lead_repeats"]}
    files = [path.relative_to(folder).as_posix() for seed in folder.iterdir() for path in shards(seed)]
    assert {file: file in repeated for file in files} == golden["did_route_crash"]


@pytest.mark.parametrize("agent", ON_FAIL2DRIVE)
def test_tables_of_fail2drive(harness_data: Path, agent: str) -> None:
    golden = read_json(harness_data / "golden" / "real" / f"lead_parser_on_fail2drive_{agent}.expected.json")
    folder = harness_data / "results" / "fail2drive"
    archive = folder / f"{agent}.tar.gz"
    check_tables(scored(archive if archive.exists() else folder / agent, "fail2drive"), golden)


@pytest.mark.parametrize("name", ON_BENCH2DRIVE)
def test_files_of_bench2drive_are_not_taken(harness_data: Path, name: str) -> None:
    """The parser stops on a whole percentage; we say that it does not read these."""
    golden = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
    default = golden["lead_result_parser_with_bench2drive220_xml"]["default"]
    assert default["exception"].startswith("IndexError")
    ours = scored(harness_data / "results" / "bench2drive" / name, "bench2drive")
    assert ours["lead_parser"] == {"none_because": "the parsers that print them do not read Bench2Drive's files"}
