"""LEAD's parser and Slurm merge: made runs of Longest6 and Town13, and published drives of Fail2Drive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.lead_parser import (
    GroupRow,
    Notices,
    Summary,
    by_route,
    by_town,
    notices,
    route_figures,
    summarize,
)
from harness.metrics.route_set import lead_repeats, merge_order, repeated_ids, score_set
from harness.metrics.success import SuccessRule, successes
from tests.golden.result_files import files_in_archive, read_json, route_elements, routes_in, routes_of, scored, shards

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


def towns_of(path: Path) -> dict[str, str]:
    return {route.attrib["id"]: route.attrib["town"] for route in route_elements(path)}


def read_case(harness_data: Path, case: str) -> tuple[dict[str, Any], list[ScoredRoute], dict[str, str]]:
    folder = harness_data / "golden" / "lead_parser"
    golden = read_json(folder / f"{case}.expected.json")
    towns = towns_of(harness_data / "routes" / "combined" / Path(golden["xml"]).name)
    return golden, [route for seed in sorted((folder / case).iterdir()) for route in routes_in(seed)], towns


def lines_of(ours: Notices) -> list[str]:
    """Write the parser's lines from the notices, except the one about the number of routes."""
    lines = [f"{text} Route ID: {name}" for status, text in NOTES.items() for name in ours.by_status[status]]
    start = "Warning: There is a route where the agent did not start to drive. Route ID: "
    return lines + [start + name for name in ours.not_started]


def check_notices(ours: Notices, golden: dict[str, Any]) -> None:
    lines = lines_of(ours)
    if not ours.is_multiple:
        lines.append(
            f"Error: The number of completed routes ({ours.found}) is not a multiple of the total routes"
            f" ({ours.expected}). Check if there are missing results."
        )
    assert sorted(lines) == sorted(golden["default"]["stderr"])
    assert golden["strict"]["csv_written"] is not ours.is_refused_when_strict


def check_summary(ours: Summary, golden: dict[str, float]) -> None:
    assert [label for label, _ in ours.rows()] == list(golden)
    for label, value in ours.rows():
        assert value == pytest.approx(golden[label], **CLOSE), label


def check_table(ours: tuple[GroupRow, ...], golden: list[dict[str, Any]], key: str) -> None:
    assert [row.name for row in ours] == [row[key] for row in golden]
    for row, expected in zip(ours, golden, strict=True):
        assert row.town == expected["town"]
        values = {k: v for k, v in expected.items() if k not in ("route", "town")}
        names = [f"{name} {figure}" for name in row.figures for figure in ("mean", "std")]
        assert names == list(values)
        for name, figure in row.figures.items():
            assert figure.mean == pytest.approx(values[f"{name} mean"], **CLOSE)
            assert figure.deviation == pytest.approx(values[f"{name} std"], **CLOSE)


def check_tables(golden: dict[str, Any], routes: list[ScoredRoute], towns: dict[str, str]) -> None:
    figures = [route_figures(route) for route in routes]
    check_summary(summarize(figures), golden["summary"])
    check_table(by_route(figures, towns), golden["per_route"], "route")
    check_table(by_town(figures, towns), golden["per_town"], "town")
    check_notices(notices(routes, len(towns)), golden)


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    folder = harness_data / "golden"
    assert sorted(p.name.split(".")[0] for p in (folder / "lead_parser").glob("*.expected.json")) == list(CASES)
    real = sorted(p.name.split(".")[0] for p in (folder / "real").glob("lead_parser_*.expected.json"))
    assert real == [f"lead_parser_on_fail2drive_{agent}" for agent in ON_FAIL2DRIVE]


@pytest.mark.parametrize("case", [case for case in CASES if case != "town13_all_zero"])
def test_tables(harness_data: Path, case: str) -> None:
    golden, routes, towns = read_case(harness_data, case)
    assert golden["default"]["exception"] is None
    check_tables(golden, routes, towns)
    assert bool(repeated_ids(routes)) == (case in ("longest6_duplicate_1seed", "longest6_full_3seeds"))


def test_nothing_driven_has_no_rates(harness_data: Path) -> None:
    """The parser divides by zero here; we say which figures there are none of."""
    golden, routes, towns = read_case(harness_data, "town13_all_zero")
    assert golden["default"]["exception"].startswith("ZeroDivisionError")
    ours = summarize([route_figures(route) for route in routes])
    absent = [label for label, value in ours.rows() if value is None]
    assert "Avg. speed km/h" in absent and "Off-road infractions" in absent
    assert (ours.routes, ours.driving_score, ours.normalised_driving_score) == (20, 0.0, 0.0)
    assert sorted(lines_of(notices(routes, len(towns)))) == sorted(golden["default"]["stderr"])


@pytest.mark.parametrize("case", CASES)
def test_slurm_merge(harness_data: Path, case: str) -> None:
    golden, _, towns = read_case(harness_data, case)
    folder = harness_data / "golden" / "lead_parser" / case
    assert sorted(path.name for path in folder.iterdir()) == sorted(golden["slurm_merge_per_seed"])
    for seed, expected in golden["slurm_merge_per_seed"].items():
        routes = routes_in(folder / seed)
        ours = score_set(routes, len(towns), SuccessRule.B2D)
        assert ours.driving_score == pytest.approx(expected["driving score"], **CLOSE)
        assert ours.success_rate == pytest.approx(expected["success rate"], **CLOSE)
        assert ours.available_driving_score == pytest.approx(expected["current_driving_score"], **CLOSE)
        assert ours.found == expected["eval num"] == expected["n_records"]
        assert [route.route_id for route in merge_order(routes)] == expected["route_id_order"]
        good = [route.route_id for route in successes(routes, SuccessRule.B2D)]
        assert sorted(good) == sorted(expected["success_route_ids"])
        assert expected["warnings"] == []


@pytest.mark.parametrize("case", CASES)
def test_repeated_jobs(harness_data: Path, case: str) -> None:
    golden, _, _ = read_case(harness_data, case)
    folder = harness_data / "golden" / "lead_parser" / case
    files = [path for seed in folder.iterdir() for path in shards(seed)]
    ours = {path.relative_to(folder).as_posix(): lead_repeats(routes_of(path)) for path in files}
    assert ours == golden["did_route_crash"]


@pytest.mark.parametrize("agent", ON_FAIL2DRIVE)
def test_tables_of_fail2drive(harness_data: Path, agent: str) -> None:
    golden = read_json(harness_data / "golden" / "real" / f"lead_parser_on_fail2drive_{agent}.expected.json")
    folder = harness_data / "results" / "fail2drive"
    archive = folder / f"{agent}.tar.gz"
    contents = (
        (content for _, content in files_in_archive(archive))
        if archive.exists()
        else (read_json(path) for path in sorted((folder / agent).rglob("*.json")))
    )
    routes = [scored(record) for content in contents for record in content["_checkpoint"]["records"]]
    check_tables(golden, routes, towns_of(harness_data / "golden" / "real" / "fail2drive_ids.xml"))


@pytest.mark.parametrize("name", ON_BENCH2DRIVE)
def test_files_of_bench2drive_are_refused(harness_data: Path, name: str) -> None:
    """The parser stops on a whole percentage; we name the record and the sentence."""
    golden = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
    default = golden["lead_result_parser_with_bench2drive220_xml"]["default"]
    assert default["exception"].startswith("IndexError")
    routes = routes_in(harness_data / "results" / "bench2drive" / name)
    with pytest.raises(HarnessError, match=r"record RouteScenario_\d+_rep0: found .Average speed is \d+% of"):
        for route in routes:
            route_figures(route)
    assert set(default["stderr"]) <= set(lines_of(notices(routes, 220)))
