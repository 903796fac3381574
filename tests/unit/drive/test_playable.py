"""Which routes can be played with all their scenarios, and where a dataset puts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datatypes.route import Point, Route, RouteScenario, TriggerPoint
from harness.drive.playable import IMPLEMENTED_SCENARIOS, not_implemented, scenario_label, scenario_types


def route_with(*types: str) -> Route:
    trigger = TriggerPoint(x=0.0, y=0.0, z=0.0, yaw_deg=0.0)
    return Route(
        route_id="1",
        town="Borough01",
        file=Path("1.xml"),
        keypoints=(Point(0.0, 0.0, 0.0), Point(9.0, 0.0, 0.0)),
        scenarios=tuple(RouteScenario(name=f"S{n}", type=kind, trigger=trigger) for n, kind in enumerate(types)),
    )


@pytest.mark.parametrize(
    ("types", "label", "distinct"),
    [
        ((), "noScenarios", []),
        (("Accident",), "Accident", ["Accident"]),
        (("ParkingExit", "Accident", "ParkingExit"), "ParkingExit", ["ParkingExit", "Accident"]),
    ],
)
def test_label_and_types(types: tuple[str, ...], label: str, distinct: list[str]) -> None:
    assert scenario_label(route_with(*types)) == label
    assert scenario_types(route_with(*types)) == distinct


def test_every_scenario_of_a_route_has_to_be_there() -> None:
    route = route_with("ParkingExit", "Accident")
    assert not_implemented(route, frozenset({"Accident"})) == ["ParkingExit"]
    assert not_implemented(route, frozenset({"Accident", "ParkingExit"})) == []
    assert not_implemented(route_with(), frozenset()) == []


def test_this_version_plays_none() -> None:
    assert frozenset() == IMPLEMENTED_SCENARIOS
    assert not_implemented(route_with("Accident")) == ["Accident"]
