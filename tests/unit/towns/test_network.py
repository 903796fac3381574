"""Lane numbers and turns on a drawn crossing of two streets that are two lanes wide."""

import pytest

from harness.towns.geometry import Point
from harness.towns.layout import Control, Crossing, CrossSection, Street, Town
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


def test_road_numbers_of_turns_are_unique(junction: Junction) -> None:
    numbers = [turn.road_id for turn in junction.turns]
    assert len(set(numbers)) == len(numbers) == 4 * 4
