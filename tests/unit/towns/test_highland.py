"""Highland01: its motorway, its country roads and its hill."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import carla
import pytest

from harness.drive.road_graph import RoadGraph
from harness.towns.highland import HIGHLAND
from harness.towns.network import Network, lay_out


@pytest.fixture(scope="module")
def town(repository: Path) -> carla.Map:
    return carla.Map("Highland01", (repository / "routes" / "towns" / "Highland01.xodr").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def network() -> Network:
    return lay_out(HIGHLAND)


@pytest.mark.parametrize("way", ["eastbound", "westbound"])
def test_each_carriageway_gains_lends_and_loses_lanes(network: Network, way: str) -> None:
    sections = {name: street.section for name, street in network.town.streets.items() if name.startswith(way)}
    lengths_m = {name: network.paths[name].length_m for name in sections}
    lanes = {name.removeprefix(f"{way} "): section.lanes for name, section in sections.items()}
    assert lanes == {
        "approach": 3,
        "exit lane": 4,
        "middle": 3,
        "entry lane": 4,
        "end": 3,
        "exit ramp": 1,
        "entry ramp": 1,
    }
    assert all(section.one_way for section in sections.values())
    assert {sections[f"{way} {name}"].speed_kmh for name in ("approach", "exit lane", "middle", "entry lane")} == {110}
    assert lengths_m[f"{way} entry lane"] >= 200.0
    assert lengths_m[f"{way} exit lane"] >= 140.0
    merging = {
        name: {(turn.from_index, turn.to_index) for turn in network.junctions[f"{way} {name}"].turns}
        for name in ("entry taper", "lane drop", "exit taper")
    }
    assert merging["entry taper"] == {(0, 0), (1, 1), (2, 2), (3, 2)}
    assert merging["lane drop"] == {(0, 0), (1, 1), (2, 1)}
    assert merging["exit taper"] == {(0, 0), (1, 1), (2, 2), (2, 3)}


def test_lanes_merge_with_gentle_curves(network: Network) -> None:
    for junction in network.junctions.values():
        for turn in junction.turns if "exchange" not in junction.name else ():
            if turn.origin.section.kind == "motorway":
                speed_mps = min(turn.origin.section.speed_kmh, turn.target.section.speed_kmh) / 3.6
                curvatures = [abs(segment.curvature_1pm) for segment in turn.path.segments]
                assert max(curvatures) * speed_mps**2 < 2.5


def test_a_drive_leads_from_the_motorway_over_the_hill_back_to_it(town: carla.Map, network: Network) -> None:
    graph = RoadGraph(town)
    streets = ("eastbound approach", "eastbound exit ramp", "river road", "valley road", "hill road")
    places = [town.get_waypoint_xodr(network.road_ids[name], -1, 20.0).transform.location for name in streets]
    places.append(town.get_waypoint_xodr(network.road_ids["westbound entry lane"], -4, 20.0).transform.location)
    for here, there in itertools.pairwise(places):
        way = graph.trace_route(here, there)
        assert way[-1][0].transform.location.distance(there) < 2.5
        assert len(way) < 1800


def test_the_hill_is_steep_on_both_sides_and_its_slope_changes_gently(town: carla.Map, network: Network) -> None:
    road_id, length_m = network.road_ids["hill road"], network.paths["hill road"].length_m
    for lane_id, climb, descent in ((-1, 0.09, -0.10), (1, 0.10, -0.09)):
        profile = []
        for step in range(int(length_m)):
            pose = town.get_waypoint_xodr(road_id, lane_id, float(step)).transform
            profile.append((pose.location.z, math.tan(math.radians(math.remainder(pose.rotation.pitch, 360.0)))))
        heights_m, slopes = zip(*profile, strict=True)
        assert max(slopes) == pytest.approx(climb, abs=1e-3)
        assert min(slopes) == pytest.approx(descent, abs=1e-3)
        assert sum(slope >= 0.08 for slope in slopes) > 150
        assert sum(slope <= -0.08 for slope in slopes) > 150
        assert max(heights_m) == pytest.approx(24.3, abs=0.05)
        assert heights_m[0] == heights_m[-1] == 0.0
        assert max(abs(b - a) for a, b in itertools.pairwise(slopes)) < 0.0015
        forward = 1.0 if lane_id < 0 else -1.0
        rises = [forward * (b - a) for a, b in itertools.pairwise(heights_m)]
        assert max(abs(rise - slope) for rise, slope in zip(rises, slopes, strict=False)) < 0.002


def test_limits_are_those_of_motorway_and_country(town: carla.Map) -> None:
    limits = {landmark.value for landmark in town.get_all_landmarks_of_type("274")}
    assert limits == {50.0, 60.0, 80.0, 110.0}
