"""The layout of Highland01: a motorway, a winding country road and a steep hill.

Right-hand traffic, 2.1 km by 750 m, 4 km of motorway lanes side by side and 3.8 km of two-way roads. North is up.

                     .----------------- hill road (60 km/h, over a hill 24 m high) --------------.
                     |                                                                           |
              north exchange (stop)                                                              |
            entry ramp / \\ exit ramp                                                             |
    .----.               /   \\                                          .----.                   |
   ( west >=============<==========westbound=========================< east  )               quarry (stop)
   ( loop >==========eastbound===============>=======================< loop  )               |        |
    `----'               \\   /                                          `----'                |        |
            exit ramp      \\ / entry ramp                                                     |        |
              south exchange (yield)                                                         |        |
                     |                                                                       |        |
                     `----- river road (80 km/h) -------- ford (yield) ---- valley road -----'        |
                                                            |                                         |
                                                            `----------- moor road (60 km/h) ---------'

* motorway: three lanes per direction, 110 km/h, two lanes and 60 km/h in the loops at both ends. Along a carriageway:
  a lane begins, an exit lane begins and leaves, an entry lane arrives and merges, the right lane ends (80 km/h);
* the hill is climbed with 9 % and left with 10 %; its slope changes evenly, so nothing jumps;
* a drive in circles: motorway, exit, river road, valley road, hill road, entry, motorway.
"""

from __future__ import annotations

import math

from harness.towns.geometry import Bend, Point
from harness.towns.layout import Control, Crossing, CrossSection, Grade, Street, Town
from harness.towns.motorway import (
    CARRIAGEWAY_M,
    HALF_MEDIAN_M,
    Carriageway,
    carriageway_crossings,
    carriageway_streets,
    loop,
    ramps,
)

CROSSING_KMH = 50
RURAL = CrossSection(speed_kmh=80, kind="rural", sign_spacing_m=150.0, crossing_kmh=CROSSING_KMH)
SLOW_RURAL = CrossSection(
    speed_kmh=60, kind="rural", centre_mark="broken", sign_spacing_m=150.0, crossing_kmh=CROSSING_KMH
)
HILL = CrossSection(speed_kmh=60, kind="rural", sign_spacing_m=150.0, crossing_kmh=CROSSING_KMH)
SETBACK_M, TURN_RADIUS_M = 30.0, 20.0

EAST = Carriageway("eastbound", Point(0.0, -HALF_MEDIAN_M), 0.0, "west loop", "east loop")
WEST = Carriageway("westbound", Point(CARRIAGEWAY_M, HALF_MEDIAN_M), math.pi, "east loop", "west loop")

CLIMB = (
    Grade(60.0, 0.0),
    Grade(90.0, 0.09),
    Grade(180.0, 0.09),
    Grade(190.0, -0.10),
    Grade(143.0, -0.10),
    Grade(100.0, 0.0),
)


def _crossing(x: float, y: float, control: Control, minor: str) -> Crossing:
    return Crossing(at=Point(x, y), control=control, setback_m=SETBACK_M, turn_radius_m=TURN_RADIUS_M, minor=(minor,))


EXCHANGES = {
    "south exchange": _crossing(600.0, -125.0, Control.MINOR_YIELD, "eastbound exit ramp"),
    "north exchange": _crossing(680.0, 125.0, Control.MINOR_STOP, "hill road"),
}

CROSSINGS = {
    **carriageway_crossings(EAST),
    **carriageway_crossings(WEST),
    **EXCHANGES,
    "ford": _crossing(1200.0, -410.0, Control.MINOR_YIELD, "moor road"),
    "quarry": _crossing(1800.0, 0.0, Control.MINOR_STOP, "moor road"),
}

STREETS = {
    **carriageway_streets(EAST),
    "east loop": loop("eastbound lane drop", "westbound gain", EAST),
    **carriageway_streets(WEST),
    "west loop": loop("westbound lane drop", "eastbound gain", WEST),
    **ramps(EAST, "south exchange", EXCHANGES["south exchange"]),
    **ramps(WEST, "north exchange", EXCHANGES["north exchange"]),
    "river road": Street(
        start="south exchange",
        end="ford",
        section=RURAL,
        bends=(
            Bend(Point(600.0, -260.0), 250.0),
            Bend(Point(750.0, -410.0), 250.0),
            Bend(Point(900.0, -410.0), 400.0),
            Bend(Point(1010.0, -395.0), 400.0),
            Bend(Point(1120.0, -410.0), 400.0),
        ),
    ),
    "valley road": Street(
        start="ford",
        end="quarry",
        section=RURAL,
        bends=(
            Bend(Point(1280.0, -410.0), 400.0),
            Bend(Point(1390.0, -425.0), 400.0),
            Bend(Point(1500.0, -410.0), 400.0),
            Bend(Point(1650.0, -410.0), 250.0),
            Bend(Point(1800.0, -260.0), 250.0),
        ),
    ),
    "moor road": Street(
        start="ford",
        end="quarry",
        section=SLOW_RURAL,
        bends=(
            Bend(Point(1200.0, -590.0), 120.0),
            Bend(Point(1450.0, -540.0), 200.0),
            Bend(Point(1650.0, -590.0), 200.0),
            Bend(Point(1960.0, -540.0), 150.0),
            Bend(Point(1960.0, 0.0), 120.0),
        ),
    ),
    "hill road": Street(
        start="quarry",
        end="north exchange",
        section=HILL,
        bends=(
            Bend(Point(1800.0, 270.0), 180.0),
            Bend(Point(1560.0, 270.0), 200.0),
            Bend(Point(1400.0, 320.0), 200.0),
            Bend(Point(1240.0, 270.0), 200.0),
            Bend(Point(680.0, 270.0), 110.0),
        ),
        grades=CLIMB,
    ),
}

HIGHLAND = Town(name="Highland01", crossings=CROSSINGS, streets=STREETS)
