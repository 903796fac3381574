"""Lane numbers and turns on a drawn crossing of two streets that are two lanes wide."""

from dataclasses import replace

import pytest

from harness.towns.geometry import Path, Point, Segment
from harness.towns.layout import Control, Crossing, CrossSection, Street, Town, Way
from harness.towns.network import Junction, lay_out

CENTRE = Point(0.0, 0.0)
ENDS = {"east": Point(200.0, 0.0), "north": Point(0.0, 200.0), "west": Point(-200.0, 0.0), "south": Point(0.0, -200.0)}


@pytest.fixture
def junction() -> Junction:
    wide = CrossSection(lanes=2)
    streets = {
        "east": Street(start="centre", end="east", section=wide),
        "north": Street(start="north", end="centre", section=wide),
        "west": Street(start="west", end="centre", section=CrossSection(lanes=2, parking=True)),
        "south": Street(start="centre", end="south", section=wide),
    }
    crossings = {name: Crossing(at=place, control=Control.SIGNALS) for name, place in ENDS.items()}
    crossings["centre"] = Crossing(at=CENTRE, control=Control.SIGNALS, setback_m=20.0)
    return lay_out(Town(name="drawn", crossings=crossings, streets=streets)).junctions["centre"]


def test_each_lane_gets_the_turns_that_suit_it(junction: Junction) -> None:
    (north,) = [arm for arm in junction.arms if arm.street == "north"]
    turns = [(turn.target.street, turn.from_index, turn.to_index) for turn in junction.turns_from(north)]
    assert turns == [("east", 0, 0), ("south", 0, 0), ("south", 1, 1), ("west", 1, 1)]
    assert [turn.is_straight for turn in junction.turns_from(north)] == [False, True, True, False]


def test_lane_ids_follow_the_direction_of_the_road(junction: Junction) -> None:
    links = {(t.origin.street, t.target.street, t.from_index): t.lane_links() for t in junction.turns}
    assert links["north", "south", 1] == [(-2, -2)]  # with both roads
    assert links["east", "west", 0] == [(1, 1)]  # against both
    assert links["south", "east", 1] == [(2, -2), (3, -3), (4, -4)]  # against, then with
    assert links["north", "west", 1] == [(-2, 2), (-3, 3), (-4, 4)]


def test_sidewalk_lies_behind_the_parking_lane(junction: Junction) -> None:
    (west,) = [arm for arm in junction.arms if arm.street == "west"]
    assert west.border_lanes(incoming=True) == (-4, -5)
    assert west.border_lanes(incoming=False) == (3, 4)


def test_arms_are_counter_clockwise_and_end_at_the_setback(junction: Junction) -> None:
    order = [arm.street for arm in junction.arms]
    turned = order[order.index("east") :] + order[: order.index("east")]
    assert turned == ["east", "north", "west", "south"]
    assert [arm.mouth.distance_to(CENTRE) for arm in junction.arms] == pytest.approx([20.0] * 4)


def crossing_of(**arms: CrossSection) -> Junction:
    """Return the junction of streets that lead from the named directions to the centre."""
    streets = {name: Street(start=name, end="centre", section=section) for name, section in arms.items()}
    crossings = {name: Crossing(at=ENDS[name], control=Control.SIGNALS) for name in arms}
    crossings["centre"] = Crossing(at=CENTRE, control=Control.SIGNALS, setback_m=22.0)
    return lay_out(Town(name="drawn", crossings=crossings, streets=streets)).junctions["centre"]


def test_one_way_street_is_not_entered_against_its_direction_but_walked_along() -> None:
    one_way, usual = CrossSection(one_way=True, lanes=2), CrossSection()
    junction = crossing_of(west=usual, north=one_way, east=usual)
    assert all(turn.target.street != "north" for turn in junction.turns)
    assert {(turn.target.street, turn.from_index) for turn in junction.turns if turn.origin.street == "north"} == {
        ("east", 0),
        ("west", 1),
    }
    (north,) = [arm for arm in junction.arms if arm.street == "north"]
    assert (north.lanes_in, north.lanes_out) == (2, 0)
    assert (north.curb_m(incoming=True), north.curb_m(incoming=False)) == (7.5, 0.5)
    assert [(corner.origin.street, corner.target.street) for corner in junction.corners] == [("east", "north")]
    assert [corner.lane_links() for corner in junction.corners] == [[(-2, 1), (-3, 2)]]


def test_left_turns_begin_in_the_turn_bay_and_the_other_lanes_stay_in_line() -> None:
    bays, usual = CrossSection(lanes=2, turn_bay_m=40.0), CrossSection()
    junction = crossing_of(west=bays, north=usual, east=bays, south=usual)
    (west,) = [arm for arm in junction.arms if arm.street == "west"]
    turns = [(turn.target.street, turn.from_index, turn.to_index) for turn in junction.turns_from(west)]
    assert turns == [("north", 0, 0), ("east", 1, 0), ("east", 2, 1), ("south", 2, 0)]
    assert [turn.is_straight for turn in junction.turns_from(west)] == [False, True, True, False]
    assert [west.left_border_m(index, incoming=True) for index in range(3)] == [-1.75, 1.75, 5.25]
    assert [west.left_border_m(index, incoming=False) for index in range(2)] == [1.75, 5.25]
    assert west.curb_m(incoming=True) == west.curb_m(incoming=False) == 9.25
    assert not junction.corners


def test_ways_of_a_crossing_replace_the_usual_turns() -> None:
    lanes = CrossSection(one_way=True, lanes=3, kind="motorway")
    ways = (Way(origin="before", target="after"), Way(origin="before", target="after", from_index=2, to_index=1))
    straight = Path(Point(-100.0, 0.0), 0.0, (Segment(80.0),))
    streets = {
        "before": Street(start="far", end="centre", section=lanes, path=straight),
        "after": Street(start="centre", end="far", section=lanes, path=replace(straight, start=Point(20.0, 0.0))),
    }
    crossings = {"centre": Crossing(at=CENTRE, control=Control.NONE, ways=ways)}
    crossings["far"] = Crossing(at=CENTRE, control=Control.NONE, ways=(Way(origin="after", target="before"),))
    junction = lay_out(Town(name="drawn", crossings=crossings, streets=streets)).junctions["centre"]
    assert [(turn.from_index, turn.to_index, turn.path.length_m) for turn in junction.turns] == [
        (0, 0, pytest.approx(40.0)),
        (2, 1, pytest.approx(40.2, abs=0.01)),
    ]
    assert [turn.goes_on for turn in junction.turns] == [True, True]
    assert not junction.corners


def test_road_numbers_of_turns_are_unique(junction: Junction) -> None:
    numbers = [turn.road_id for turn in junction.turns]
    assert len(set(numbers)) == len(numbers) == 4 * 4
