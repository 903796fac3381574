"""What to do at a route point."""

from __future__ import annotations

from enum import IntEnum


class RoadOption(IntEnum):
    """What to do at a route point; the numbers are those of CARLA's agents package."""

    VOID = -1
    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANEFOLLOW = 4
    CHANGELANELEFT = 5
    CHANGELANERIGHT = 6


LANE_CHANGES = frozenset({RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT})
