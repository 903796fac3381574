"""What the map says about a place, on our own town's map."""

from __future__ import annotations

from typing import Any

import carla
import pytest

from harness.record.surroundings import Surroundings
from tests.unit.record.drawn import STREET_Y_M, borough


@pytest.fixture(scope="module")
def town() -> Any:
    return borough()


def test_on_a_street_between_two_junctions(town: Any) -> None:
    fields = Surroundings(town).fields(carla.Location(300.0, STREET_Y_M + 0.4, 0.0))
    here = town.get_waypoint(carla.Location(300.0, STREET_Y_M, 0.0))
    assert (fields["road_id"], fields["lane_id"]) == (here.road_id, here.lane_id)
    assert (fields["ego_lane_id"], fields["ego_lane_width"]) == (here.lane_id, pytest.approx(3.5))
    assert (fields["is_junction"], fields["is_intersection"]) == (False, False)
    assert (fields["lane_type_str"], fields["lane_change_str"]) == ("Driving", "NONE")
    colors = [fields[f"{side}_lane_marking_color_str"] for side in ("left", "right")]
    assert colors == [str(here.left_lane_marking.color), str(here.right_lane_marking.color)] == ["Yellow", "White"]
    after = here.next_until_lane_end(1.0)[-1].next(2.0)
    assert sorted(fields["next_road_ids"]) == sorted({lane.road_id for lane in after})
    assert len(fields["next_road_ids"]) >= 2  # a junction: one road per turn
    assert set(fields["next_next_road_ids_ego"]).isdisjoint(fields["next_road_ids"])
    assert len(set(fields["next_next_road_ids_ego"])) == len(fields["next_next_road_ids_ego"])


def test_inside_a_junction(town: Any) -> None:
    lane = next(waypoint for waypoint in town.generate_waypoints(5.0) if waypoint.is_junction)
    fields = Surroundings(town).fields(lane.transform.location)
    assert (fields["is_junction"], fields["junction_id"] >= 0) == (True, True)
    assert len(fields["next_road_ids"]) == 1


def test_beside_the_road_the_nearest_lane_of_any_type_counts(town: Any) -> None:
    walkway = next(w for w in town.generate_waypoints(20.0) if not w.is_junction).transform.location
    fields = Surroundings(town).fields(carla.Location(walkway.x, walkway.y + 40.0, 0.0))
    assert fields["ego_lane_width"] > 0.0


def test_lanes_are_walked_along_once(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings = Surroundings(town)
    first = surroundings.fields(carla.Location(300.0, STREET_Y_M, 0.0))
    monkeypatch.setattr("harness.record.surroundings._walk_off", lambda lane: pytest.fail("walked again"))
    again = surroundings.fields(carla.Location(310.0, STREET_Y_M, 0.0))
    assert again["next_road_ids"] == first["next_road_ids"]


def test_where_the_road_ends_nothing_follows() -> None:
    class End:
        road_id, section_id, lane_id = 1, 0, -1

        def next(self, distance_m: float) -> list[Any]:
            return []

    from harness.record.surroundings import _walk_off

    assert _walk_off(End()) == []


def test_a_lane_that_leads_into_itself_ends_the_walk() -> None:
    class Loop:
        road_id, section_id, lane_id = 1, 0, -1

        def next(self, distance_m: float) -> list[Any]:
            return [self]

    from harness.record.surroundings import _walk_off

    assert _walk_off(Loop()) == []
