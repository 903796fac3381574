"""Bench2Drive's figures against its own programs, LEAD's and PlanT2's copies, and published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.datatypes.scored_route import ScoredRoute
from harness.metrics import bench2drive
from harness.metrics.bench2drive import ABILITIES, TRAFFIC_SIGNS, AbilityFormula
from harness.metrics.route_set import lead_repeats, merge_order, score_set
from harness.metrics.smoothness import MotionStep, route_comfort, smoothness
from harness.metrics.success import SuccessRule, is_success
from tests.golden.result_files import read_json, route_elements, routes_in, routes_of, shards

CASES = ("crashed_and_corrupt", "duplicates", "full220_4files", "missing_20")
PUBLISHED = ("lead_tfv6_single_seed", "pdm_lite_per_route", "plant2_pdm_lite", "plant2_tfpp")
FORMULAS = {
    "bench2drive_0.0.4": AbilityFormula.V004,
    "bench2drive_0.0.3_as_vendored_in_lead": AbilityFormula.V003,
}
#: Not JSON: LEAD's tool skips it with a message, the other two stop with an error.
BROKEN = "eval_bench2drive220_7.json"
CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture(scope="module")
def scenario_types(harness_data: Path) -> dict[str, str]:
    """First scenario type by id, in the order of Bench2Drive's program: by town, then as in the file."""
    routes = route_elements(harness_data / "routes" / "combined" / "bench2drive220.xml")
    by_town = sorted(routes, key=lambda route: route.attrib["town"])
    return {route.attrib["id"]: route.findall("scenarios/scenario")[0].attrib["type"] for route in by_town}


def read(harness_data: Path, name: str) -> tuple[dict[str, Any], list[ScoredRoute]]:
    """Return a golden file and the records that belong to it, without those of the broken file."""
    if name in PUBLISHED:
        golden = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
        return golden, routes_in(harness_data / "results" / "bench2drive" / name)
    folder = harness_data / "golden" / "bench2drive"
    files = [path for path in shards(folder / name) if path.name != BROKEN]
    assert (len(files) < len(shards(folder / name))) == (name == "crashed_and_corrupt")
    return read_json(folder / f"{name}.expected.json"), [route for path in files for route in routes_of(path)]


def test_every_golden_case_is_listed(harness_data: Path) -> None:
    folder = harness_data / "golden"
    assert sorted(p.name.split(".")[0] for p in (folder / "bench2drive").glob("*.expected.json")) == list(CASES)
    real = (p.name.split(".")[0] for p in (folder / "real").glob("bench2drive_*.expected.json"))
    assert sorted(real) == [f"bench2drive_{name}" for name in PUBLISHED]


@pytest.mark.parametrize("name", [*CASES, *PUBLISHED])
def test_merge_tools(harness_data: Path, scenario_types: dict[str, str], name: str) -> None:
    golden, routes = read(harness_data, name)
    ours = bench2drive.scores(routes, list(scenario_types))
    set_scores = ours.scores
    compared = 0
    for tool in ("bench2drive_tools", "lead_slurm", "plant2_vendored"):
        expected = golden[tool]
        if "exception" in expected:  # the broken file
            assert name == "crashed_and_corrupt" and tool != "lead_slurm"
            continue
        official = (set_scores.driving_score, set_scores.success_rate)
        available = (set_scores.available_driving_score, set_scores.available_success_rate)
        figures = available if tool == "plant2_vendored" else official
        assert figures == pytest.approx((expected["driving score"], expected["success rate"]), **CLOSE)
        assert set_scores.found == expected["eval num"] == expected["n_records"]
        merged = merge_order(routes)
        assert [route.route_id for route in merged] == expected["route_id_order"]
        good = [route.route_id for route in merged if is_success(route, SuccessRule.B2D)]
        assert sorted(good) == sorted(expected["success_route_ids"])
        assert len(good) == set_scores.successes
        compared += 1
    assert compared == (1 if name == "crashed_and_corrupt" else 3)
    current = golden["lead_slurm"]["current_driving_score"]
    assert set_scores.available_driving_score == pytest.approx(current, **CLOSE)
    assert ours.outside == ()
    assert bool(ours.repeated) == (name == "duplicates")
    assert len(ours.missing) == 220 - len({route.route_id for route in routes})
    warns = any("does not equal to 220" in text for text in golden["bench2drive_tools"].get("warnings", []))
    assert warns == (set_scores.found != 220 and name != "crashed_and_corrupt")


@pytest.mark.parametrize("name", [*CASES, *PUBLISHED])
def test_efficiency(harness_data: Path, name: str) -> None:
    golden, routes = read(harness_data, name)
    ours = bench2drive.efficiency(merge_order(routes))
    assert ours.percent == pytest.approx(golden["efficiency"]["driving_efficiency"], **CLOSE)
    assert ours.routes == golden["efficiency"]["n_routes"]
    assert ours.routes + len(ours.without_entry) + len(ours.only_too_fast) == len(routes)


@pytest.mark.parametrize("tool", FORMULAS)
@pytest.mark.parametrize("name", CASES)
def test_abilities(harness_data: Path, scenario_types: dict[str, str], name: str, tool: str) -> None:
    golden, routes = read(harness_data, name)
    junctions = {xml_id: round(100.0 * at, 9) for xml_id, at in golden["ability"]["junction_completion"].items()}
    ours = bench2drive.abilities(merge_order(routes), scenario_types, junctions, FORMULAS[tool])
    expected = golden["ability"]["expected"][tool]
    assert ours.without_junction == ()
    if "exception" in expected:  # a group without any route
        assert ours.mean is None
        assert [group.name for group in ours.groups if group.routes == 0 and group.value is None]
        return
    assert list(expected) == [*ABILITIES, "mean", "crashed"]
    for group in ours.groups:
        assert group.value == pytest.approx(expected[group.name], **CLOSE)
    assert ours.mean == pytest.approx(expected["mean"], **CLOSE)
    assert [list(pair) for pair in ours.missing] == expected["crashed"]


@pytest.mark.parametrize("agent", ["plant2_pdm_lite", "plant2_tfpp"])
def test_published_abilities(harness_data: Path, scenario_types: dict[str, str], agent: str) -> None:
    """Four abilities exactly; Traffic_Signs as far as the records alone decide it."""
    folder = harness_data / "results" / "bench2drive" / agent
    published = read_json(folder / "merged_ability.json")
    ours = bench2drive.abilities(routes_of(folder / "merged.json"), scenario_types, {}, AbilityFormula.V003)
    assert ours.missing == () and published["crashed"] == []
    for group in ours.groups:
        if group.name != TRAFFIC_SIGNS:
            assert group.value == pytest.approx(published[group.name], **CLOSE)
            continue
        # (S + J) / 2T with J between 0 and the routes that broke neither a light nor a sign.
        assert group.lowest is not None and group.highest is not None
        assert group.routes == 95 and group.value is None
        assert group.lowest < published[group.name] <= group.highest
        junctions = published[group.name] * 2 * group.routes - group.successes
        assert junctions == pytest.approx(round(junctions), abs=1e-9)
    values = [published[name] for name in ABILITIES]
    assert sum(values) / len(values) == pytest.approx(published["mean"], **CLOSE)
    if "Driving Efficiency" in published:
        efficiency = bench2drive.efficiency(routes_of(folder / "merged.json"))
        assert efficiency.percent == pytest.approx(published["Driving Efficiency"], **CLOSE)


def test_pdm_lite_traffic_signs_is_178_of_190(harness_data: Path, scenario_types: dict[str, str]) -> None:
    """The old formula made the published table: 87 successes and 91 junctions passed."""
    folder = harness_data / "results" / "bench2drive" / "plant2_pdm_lite"
    routes = routes_of(folder / "merged.json")
    ours = bench2drive.abilities(routes, scenario_types, {}, AbilityFormula.V003)
    signs = next(group for group in ours.groups if group.name == TRAFFIC_SIGNS)
    assert signs.successes == 87
    assert read_json(folder / "merged_ability.json")[TRAFFIC_SIGNS] == pytest.approx((87 + 91) / 190, **CLOSE)


@pytest.mark.parametrize(
    ("file", "records", "printed"),
    [
        ("bench2drivezoo_merged/UniAD-Base.json", 218, (45.81, 16.36)),
        ("bench2drivezoo_merged/UniAD-Tiny.json", 215, (40.73, 13.18)),
        ("plant2_pdm_lite/merged.json", 220, (97.02, 92.27)),
        ("plant2_tfpp/merged.json", 220, (84.21, 67.27)),
    ],
)
def test_published_scores(
    harness_data: Path, scenario_types: dict[str, str], file: str, records: int, printed: tuple[float, float]
) -> None:
    path = harness_data / "results" / "bench2drive" / file
    stated = read_json(path)
    ours = bench2drive.scores(routes_of(path), list(scenario_types))
    assert ours.scores.found == records == stated["eval num"]
    assert len(ours.missing) == 220 - records and ours.repeated == () and ours.outside == ()
    assert ours.scores.driving_score == pytest.approx(stated["driving score"], **CLOSE)
    assert ours.scores.success_rate == pytest.approx(stated["success rate"], **CLOSE)
    assert (round(ours.scores.driving_score, 2), round(100 * ours.scores.success_rate, 2)) == printed


def test_which_divisor_makes_which_published_number_of_tfv6(harness_data: Path) -> None:
    """85.72 and 74.5 % over 220; 89.38 and 77.7 % over 211 records; 93.36 over the 202 that did not crash."""
    routes = routes_in(harness_data / "results" / "bench2drive" / "lead_tfv6_single_seed")
    whole = score_set(routes, 220, SuccessRule.B2D)
    assert whole.available_driving_score is not None and whole.available_success_rate is not None
    assert (round(whole.driving_score, 2), round(100 * whole.success_rate, 1)) == (85.72, 74.5)
    rounded = (round(whole.available_driving_score, 2), round(100 * whole.available_success_rate, 1))
    assert rounded == (89.38, 77.7)
    driven = [route for route in routes if route.status != "Failed - Simulation crashed"]
    assert len(driven) == 202
    assert round(score_set(driven, 202, SuccessRule.B2D).driving_score, 2) == 93.36


@pytest.mark.parametrize("name", PUBLISHED)
def test_lead_repeats_the_files_it_calls_crashed(harness_data: Path, name: str) -> None:
    expected = read_json(harness_data / "golden" / "real" / f"bench2drive_{name}.expected.json")
    files = shards(harness_data / "results" / "bench2drive" / name)
    repeated = {path.name: True for path in files if len(files) == 220 and lead_repeats(routes_of(path))}
    assert repeated == expected["lead_did_route_crash"]


def motion(step: dict[str, Any]) -> MotionStep:
    """Read one step of ``metric_info.json``."""
    return MotionStep(
        acceleration_mps2=(step["acceleration"][0], step["acceleration"][1]),
        forward=(step["forward_vector"][0], step["forward_vector"][1]),
        right=(step["right_vector"][0], step["right_vector"][1]),
        yaw_rate_degps=step["angular_velocity"][2],
    )


def test_smoothness(harness_data: Path) -> None:
    golden = read_json(harness_data / "golden" / "bench2drive" / "smoothness.json")
    traces = {
        str(index): [motion(step) for step in route["metric_info"].values()]
        for index, route in enumerate(golden["routes"])
    }
    for trace, route in zip(traces.values(), golden["routes"], strict=True):
        comfort = route_comfort(trace)
        assert comfort is not None
        assert comfort.share == pytest.approx(route["expected"], **CLOSE)
    ours = smoothness(list(traces), traces)
    assert ours.value == pytest.approx(golden["driving_smoothness"], **CLOSE)
    assert (ours.routes, ours.missing, ours.too_short) == (len(traces), (), ())
