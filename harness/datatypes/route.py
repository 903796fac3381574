"""A route as the Leaderboard 2 XML describes it: sparse points, weather and scenarios.

All points are in CARLA's world frame: left-handed, metres, yaw in degrees clockwise seen from above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """A position [m] in the world frame."""

    x: float
    y: float
    z: float


@dataclass(frozen=True, kw_only=True)
class TriggerPoint:
    """Where a scenario starts: position [m] and heading [deg] in the world frame."""

    x: float
    y: float
    z: float
    yaw_deg: float


@dataclass(frozen=True, kw_only=True)
class RouteScenario:
    """A scenario placed on a route.

    Attributes:
        parameters: element name -> its attributes, all as the text in the file
            (``{"distance": {"value": "100"}, "frequency": {"from": "20", "to": "50"}}``).
        other_actors: the attributes of each ``other_actor`` element; no public suite has one.
    """

    name: str
    type: str
    trigger: TriggerPoint
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    other_actors: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class WeatherKeyframe:
    """Weather at a share of the route.

    Attributes:
        route_percentage: 0 to 100.
        values: carla.WeatherParameters field name -> value.
    """

    route_percentage: float
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route of a suite.

    Attributes:
        route_id: the ``id`` attribute of the XML element, a string.
        file: where it was read; its stem names the route too.
        keypoints: at least two sparse points; a planner fills in the rest.
        attributes: what else the ``route`` element says, such as ``road_id``.
        ignored: what the file says and CARLA has no meaning for, once each: ``weather/@snow`` is an attribute,
            ``weathers/frost`` an element.
    """

    route_id: str
    town: str
    file: Path
    keypoints: tuple[Point, ...]
    weathers: tuple[WeatherKeyframe, ...] = ()
    scenarios: tuple[RouteScenario, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
