"""What went wrong on a route, as facts; sentences are made in `harness.metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.datatypes.route import Point

ORIGIN = Point(0.0, 0.0, 0.0)


class InfractionKind(StrEnum):
    """The twelve kinds of Leaderboard 2, in the key order of the result file."""

    COLLISION_LAYOUT = "collisions_layout"
    COLLISION_PEDESTRIAN = "collisions_pedestrian"
    COLLISION_VEHICLE = "collisions_vehicle"
    RED_LIGHT = "red_light"
    STOP = "stop_infraction"
    OUTSIDE_LANES = "outside_route_lanes"
    MIN_SPEED = "min_speed_infractions"
    YIELD_EMERGENCY = "yield_emergency_vehicle_infractions"
    SCENARIO_TIMEOUT = "scenario_timeouts"
    ROUTE_DEVIATION = "route_dev"
    BLOCKED = "vehicle_blocked"
    ROUTE_TIMEOUT = "route_timeout"


@dataclass(frozen=True, kw_only=True)
class Infraction:
    """One infraction.

    Attributes:
        frame: simulator frame in which it was noticed.
        time_s: simulated seconds since the route began.
        location_world: of the ego [m].
        other_type: type id of the other actor, for collisions ("static.road" and so on too).
        other_id: actor id of the other actor, light or sign; -1 where the rules print -1.
        percentage: share in percent, for OUTSIDE_LANES (of the completed route) and MIN_SPEED (of the traffic's speed).
        distance_m: metres driven outside, for OUTSIDE_LANES.
    """

    kind: InfractionKind
    frame: int = 0
    time_s: float = 0.0
    location_world: Point = ORIGIN
    other_type: str = ""
    other_id: int = -1
    percentage: float = 0.0
    distance_m: float = 0.0
