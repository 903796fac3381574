"""The meta of a frame, without what follows from other ticks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.record.frames import EgoFrame
from harness.record.others import VEHICLE
from harness.record.schema import AROUND_M, BOX_RADIUS_M, TICKS_PER_FRAME
from harness.record.weather import presets, visibility, weather_name

GRAVITY_MPS2 = 9.81
#: Where parked cars count as near: x, then y in the ego frame [m].
PARKED_NEAR_M = ((-8.0, 32.0), (-10.0, 10.0))
#: How the base type of bicycles is spelled.
BICYCLE = "bicycle"

#: No scenario plays in this version, and this expert does not do what these keys speak of.
WITHOUT_SCENARIO: Mapping[str, Any] = {
    "current_active_scenario_type": None,
    "previous_active_scenario_type": None,
    "scenario_obstacles_ids": [],
    "scenario_obstacles_convex_hull": [],
    "cut_in_actors_ids": [],
    "vehicle_opened_door": False,
    "vehicle_door_side": None,
    **{
        f"dist_to_{what}": math.inf
        for what in ("construction_site", "accident_site", "parked_obstacle", "vehicle_opens_door", "cutin_vehicle")
    },
    **{
        f"{what}_two_ways_stuck": False
        for what in ("construction_obstacle", "accident", "parked_obstacle", "vehicle_opens_door")
    },
    **{f"num_{kind}_adversarial": 0 for kind in ("dangerous", "safe", "ignored")},
    "rear_adversarial_id": -1,
    **dict.fromkeys(("brake_cutin", "rear_danger_8", "rear_danger_16", "emergency_brake_for_special_vehicle"), False),
    **{f"slower_{why}": False for why in ("bad_visibility", "clutterness", "occluded_junction")},
}

#: Without cameras there is one rig, and it is not shifted.
WITHOUT_RIG: Mapping[str, Any] = {
    "perturbation_translation": 0.0,
    "perturbation_rotation": 0.0,
    "dataset_information": {"data_save_freq": TICKS_PER_FRAME},
    "sensor_information": {"num_cameras": 0},
}


def motion_fields(hero: Any, frame: EgoFrame) -> dict[str, float]:
    """Return what an IMU without noise would say: acceleration with gravity [m/s^2] and turning rates [rad/s].

    Args:
        hero: carla.Vehicle.
    """
    pushed, turned = hero.get_acceleration(), hero.get_angular_velocity()
    felt = np.array((pushed.x, pushed.y, pushed.z + GRAVITY_MPS2)) @ frame.rotation
    rates = np.radians((turned.x, turned.y, turned.z)) @ frame.rotation
    return {
        **{f"accel_{axis}": float(value) for axis, value in zip("xyz", felt, strict=True)},
        **{f"angular_velocity_{axis}": float(value) for axis, value in zip("xyz", rates, strict=True)},
    }


def weather_fields(weather: Mapping[str, float]) -> dict[str, Any]:
    """Return the weather with its nearest name."""
    name = weather_name(weather, presets())
    return {
        "weather_setting": name,
        "weather_parameters": dict(weather),
        "visual_visibility": int(visibility(name)),
    }


def neighbour_fields(boxes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what follows from the boxes: who is near, how fast the others are, which light counts."""
    cars = [box for box in boxes if box["class"] == "car" and _is_within(box, AROUND_M)]
    walkers = [box for box in boxes if box["class"] == "walker" and _is_within(box, AROUND_M)]
    bikers = [box for box in cars if box["base_type"] == BICYCLE]
    obeyed = [box for box in boxes if box["class"] == "traffic_light" and box["affects_ego"]]
    return {
        "dist_to_pedestrian": min((box["distance"] for box in walkers), default=math.inf),
        "dist_to_biker": min((box["distance"] for box in bikers), default=math.inf),
        "scenario_actors_ids": [box["id"] for box in (*cars, *walkers) if "scenario" in box["role_name"]],
        "second_highest_speed": _second_highest([_planar_speed(box) for box in cars]),
        "second_highest_speed_limit": _second_highest([box["speed_limit"] / 3.6 for box in cars]),
        "num_parking_vehicles_in_proximity": sum(map(_is_parked_near, boxes)),
        "europe_traffic_light": any(box["is_europe_traffic_light"] for box in obeyed),
        "over_head_traffic_light": any(box["is_over_head_traffic_light"] for box in obeyed),
    }


def _planar_speed(box: Mapping[str, Any]) -> float:
    return math.hypot(*box["ego_velocity"])


def _is_within(box: Mapping[str, Any], bounds_m: tuple[tuple[float, float], tuple[float, float]]) -> bool:
    (x_least, x_most), (y_least, y_most) = bounds_m
    x, y, _ = box["position"]
    return bool(x_least < x < x_most and y_least < y < y_most and box["distance"] < BOX_RADIUS_M)


def _is_parked_near(box: Mapping[str, Any]) -> bool:
    is_parked = box["class"] == "static_prop_car" or (
        box["class"] == "static" and box["transfuser_semantics_id"] == VEHICLE
    )
    return is_parked and _is_within(box, PARKED_NEAR_M)


def _second_highest(values: Sequence[float]) -> float:
    """Return the second highest value, the only one, or 0."""
    return sorted(values, reverse=True)[:2][-1] if values else 0.0
