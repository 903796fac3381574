"""Background traffic: where it may stand is drawn, how much of it there is stays open."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import carla

from harness.drive.traffic import CLEAR_OF_START_M, NEAR_ROUTE_M, plan_traffic, traffic_models
from tests.unit.drive.criteria.drawn import straight_route

ROUTE = straight_route(300)
MODELS = ["vehicle.audi.tt", "vehicle.mini.cooper_s", "vehicle.tesla.model3"]
GRID = [
    carla.Transform(carla.Location(float(x), float(y), 0.5), carla.Rotation(yaw=90.0))
    for x in range(-400, 800, 20)
    for y in range(-400, 401, 20)
]


def places(plan: Any) -> list[tuple[str, float, float]]:
    return [(model, pose.location.x, pose.location.y) for model, pose in plan.vehicles]


def test_everybody_stands_near_the_route_and_clear_of_its_start() -> None:
    plan = plan_traffic(ROUTE, GRID, MODELS, seed=1)
    assert plan.vehicles
    for model, x, y in places(plan):
        assert model in MODELS
        assert math.hypot(x - min(max(x, 0.0), 300.0), y) < NEAR_ROUTE_M + 1.0
        assert math.hypot(x, y) > CLEAR_OF_START_M
    # On all sides of the route, not only along it.
    assert min(x for _, x, _ in places(plan)) < -50.0
    assert max(x for _, x, _ in places(plan)) > 350.0
    assert min(y for _, _, y in places(plan)) < -100.0
    assert max(y for _, _, y in places(plan)) > 100.0


def test_nobody_shares_a_place() -> None:
    plan = plan_traffic(ROUTE, GRID, MODELS, seed=1)
    assert len({(x, y) for _, x, y in places(plan)}) == len(plan.vehicles)


def test_same_seed_same_plan_whatever_the_order_of_the_lists() -> None:
    shuffled = GRID.copy()
    random.Random(0).shuffle(shuffled)
    assert places(plan_traffic(ROUTE, shuffled, MODELS[::-1], seed=5)) == places(plan_traffic(ROUTE, GRID, MODELS, 5))


def test_another_seed_is_another_plan() -> None:
    assert places(plan_traffic(ROUTE, GRID, MODELS, seed=5)) != places(plan_traffic(ROUTE, GRID, MODELS, seed=6))


def test_a_route_far_from_every_place_has_no_traffic() -> None:
    assert plan_traffic(straight_route(100, from_x_m=5000.0), GRID, MODELS, seed=1).vehicles == []


def test_places_far_away_change_nothing() -> None:
    far = [carla.Transform(carla.Location(x, y, 0.5)) for x in (-9000.0, 150.0, 9000.0) for y in (-9000.0, 9000.0)]
    assert places(plan_traffic(ROUTE, [*far, *GRID], MODELS, seed=5)) == places(plan_traffic(ROUTE, GRID, MODELS, 5))
    assert plan_traffic(ROUTE, [], MODELS, seed=5).vehicles == []


def blueprint(name: str, **attributes: str) -> Any:
    return SimpleNamespace(
        id=name,
        has_attribute=attributes.__contains__,
        get_attribute=lambda key: SimpleNamespace(as_str=lambda: attributes[key]),
    )


def test_only_ordinary_cars_are_traffic() -> None:
    library = [
        blueprint("vehicle.tesla.model3", base_type="car", special_type=""),
        blueprint("vehicle.audi.tt", base_type="car"),
        blueprint("vehicle.carlamotors.firetruck", base_type="car", special_type="emergency"),
        blueprint("vehicle.diamondback.century", base_type="bicycle"),
        blueprint("vehicle.unknown"),
    ]
    world = SimpleNamespace(get_blueprint_library=lambda: SimpleNamespace(filter=lambda pattern: library))
    assert traffic_models(world) == ["vehicle.tesla.model3", "vehicle.audi.tt"]
