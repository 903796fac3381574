"""Which lane sections a road has, of which lanes, and what lies at its ends: what `carla.Map` does not list."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.parsers import expat


@dataclass
class Road:
    """What the text says about a road.

    Attributes:
        sections: start [m] and lane ids by type, of each lane section.
        ends_at_junction: whether a junction begins at its start, and at its end.
    """

    road_id: int
    length_m: float
    is_junction: bool
    sections: list[tuple[float, dict[int, str]]] = field(default_factory=list)
    ends_at_junction: list[bool] = field(default_factory=lambda: [False, False])


def read_roads(opendrive: str) -> list[Road]:
    """Return the roads of a text that `carla.Map` has read, in its order."""
    roads: list[Road] = []
    inside: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "lane" and roads and roads[-1].sections:
            roads[-1].sections[-1][1][int(_number(attributes.get("id")))] = attributes.get("type", "")
        elif tag == "laneSection" and roads:
            roads[-1].sections.append((_number(attributes.get("s")), {}))
        elif tag in ("predecessor", "successor") and inside[-2:] == ["road", "link"]:
            roads[-1].ends_at_junction[tag == "successor"] = attributes.get("elementType") == "junction"
        elif tag == "road":
            road_id, length_m = int(_number(attributes.get("id"))), _number(attributes.get("length"))
            roads.append(Road(road_id, length_m, attributes.get("junction", "-1") != "-1"))
        inside.append(tag)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: inside.pop()
    parser.Parse(opendrive.encode(errors="replace"), True)
    return roads


def _number(text: str | None) -> float:
    try:
        value = float(text or 0.0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
