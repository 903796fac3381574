"""Files as the evaluator of carla_garage's branch main (Leaderboard 1.0) writes them, drawn by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KEYS = (
    "collisions_pedestrian",
    "collisions_vehicle",
    "collisions_layout",
    "red_light",
    "stop_infraction",
    "outside_route_lanes",
    "route_dev",
    "route_timeout",
    "vehicle_blocked",
)
LABELS = (
    "Avg. driving score",
    "Avg. route completion",
    "Avg. infraction penalty",
    "Collisions with pedestrians",
    "Collisions with vehicles",
    "Collisions with layout",
    "Red lights infractions",
    "Stop sign infractions",
    "Off-road infractions",
    "Route deviations",
    "Route timeouts",
    "Agent blocked",
)
AT = "at (x=1.5, y=-2.0, z=0.1)"
SENTENCES = {
    "collisions_pedestrian": f"Agent collided against object with type=walker.pedestrian.0028 and id=11 {AT}",
    "collisions_vehicle": f"Agent collided against object with type=vehicle.audi.tt and id=12 {AT}",
    "collisions_layout": f"Agent collided against object with type=static.fence and id=0 {AT}",
    "red_light": f"Agent ran a red light 971 {AT}",
    "stop_infraction": f"Agent ran a stop with id=33 {AT}",
    "route_dev": f"Agent deviated from the route {AT}",
    "route_timeout": "Route timeout.",
    "vehicle_blocked": f"Agent got blocked {AT}",
}


def garage_record(
    xml_id: object,
    completion: float,
    penalty: float,
    *,
    status: str = "Completed",
    length_m: float = 1000.0,
    duration_s: float = 360.0,
    outside: tuple[float, float] | None = None,
    **counts: int,
) -> dict[str, Any]:
    """Return a record; ``outside`` is metres and percent off the lanes, ``counts`` the number of entries by key."""
    infractions = {key: [SENTENCES[key]] * counts.get(key, 0) for key in KEYS if key in SENTENCES}
    lanes = "Agent went outside its route lanes for about {} meters ({}% of the completed route)"
    infractions["outside_route_lanes"] = [lanes.format(*outside)] if outside else []
    return {
        "index": 0,
        "infractions": {key: infractions[key] for key in KEYS},
        "meta": {"duration_game": duration_s, "duration_system": 2.0 * duration_s, "route_length": length_m},
        "route_id": f"RouteScenario_{xml_id}",
        "scores": {"score_composed": completion * penalty, "score_penalty": penalty, "score_route": completion},
        "status": status,
        "timestamp": f"longest_weathers_{xml_id}_route0_11_20_12_00_00",
    }


def garage_file(records: Sequence[Mapping[str, Any]], planned: int | None = None) -> dict[str, Any]:
    """Return the file of a run that came to its end; its means have the planned routes as their divisor.

    Its rates are those of the evaluator: sums over routes of entries per "kilometre", the completion taken in percent.
    """
    planned = len(records) if planned is None else planned
    means = {
        key: sum(record["scores"][key] for record in records) / planned
        for key in ("score_composed", "score_route", "score_penalty")
    }
    rates = {
        key: sum(
            len(r["infractions"][key]) / max(r["scores"]["score_route"] * r["meta"]["route_length"] / 1000.0, 0.001)
            for r in records
        )
        for key in KEYS
    }
    failed = [[r["route_id"], r["index"], r["status"]] for r in records if r["status"] != "Completed"]
    is_whole = planned == len(records)
    return {
        "_checkpoint": {
            "global_record": {
                "index": -1,
                "infractions": rates,
                "meta": {"exceptions": failed} if failed else {},
                "route_id": -1,
                "scores": means,
                "status": "Failed" if failed else "Completed",
                "timestamp": None,
            },
            "progress": [len(records), planned],
            "records": [{**record, "index": index} for index, record in enumerate(records)],
        },
        "eligible": is_whole,
        "entry_status": _entry_status(records) if is_whole else "Finished with missing data",
        "labels": list(LABELS),
        "sensors": ["carla_camera", "carla_imu", "carla_gnss", "carla_speedometer"],
        "values": [f"{number:.3f}" for number in (*means.values(), *rates.values())],
    }


def _entry_status(records: Sequence[Mapping[str, Any]]) -> str:
    return "Finished with agent errors" if any("Agent" in record["status"] for record in records) else "Finished"
