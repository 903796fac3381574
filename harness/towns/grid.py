"""The layout of Grid01: blocks with every form of junction.

Right-hand traffic, level, 660 m by 470 m, 3.4 km of streets, lanes 4 m wide. North is up.

    .------------- bakery (stop) ---- mill street ---- chapel (yield) -----------.
    |                   ^                                   |                    |
    |              one-way row                         garden lane               |
    |                   |                                   |                    |
    forge ---------- market ------------------------- roundabout ----------- orchard ----.
    (stop)        (all-way stop)                       (four arms)            (stop)     |
    |                   |                                   |                    |    crescent
    |              pump lane                           circle lane          orchard      |
    |                   |                                   |                 road       |
    gate ===avenue=== town hall ====== boulevard ======== theatre --- east --- school ---'
    (lights)          (lights)        (turn bays)        (lights)    street    (yield)
    |                   |                                   |                    |
    |              canal lane                          quay (one-way)            |
    |                   |                                   v                    |
    `-------------- weir (yield) ------ tow path ------ harbour (all-way) -------'

* lights: gate (three-way; two lanes from the avenue, one for each turn), town hall and theatre (four-way; the boulevard
  between them has two lanes per direction and a turn bay at both ends);
* all-way stop: market (four-way, one street of it one-way), harbour (three-way, one street of it one-way);
* priority roads: the west, north, east and south roads go first; orchard and school are four-way;
* the roundabout has one lane; who enters it yields;
* every street has sidewalks; crosswalks cross every street that has to wait somewhere.
"""

from __future__ import annotations

import math

from harness.towns.geometry import Bend, Point
from harness.towns.layout import Control, Crossing, CrossSection, Street, Town
from harness.towns.roundabout import roundabout

LANE_WIDTH_M = 4.0  # so that two buses pass each other
AVENUE = CrossSection(lanes=2, speed_kmh=50, centre_mark="solid_solid", lane_width_m=LANE_WIDTH_M)
BOULEVARD = CrossSection(lanes=2, speed_kmh=50, turn_bay_m=45.0, lane_width_m=LANE_WIDTH_M)
MAIN = CrossSection(speed_kmh=50, lane_width_m=LANE_WIDTH_M)
LANE = CrossSection(speed_kmh=30, centre_mark="broken", lane_width_m=LANE_WIDTH_M)
ONE_WAY = CrossSection(speed_kmh=30, one_way=True, lane_width_m=LANE_WIDTH_M)
RING = CrossSection(speed_kmh=30, one_way=True, sidewalk_left=False, lane_width_m=LANE_WIDTH_M)

CIRCLE = Point(350.0, 330.0)
RING_CROSSINGS, RING_STREETS = roundabout(
    "circle",
    CIRCLE,
    RING,
    (
        ("rose street", 0.0),
        ("garden lane", math.pi / 2.0),
        ("market street", math.pi),
        ("circle lane", -math.pi / 2.0),
    ),
)


def _crossing(x: float, y: float, control: Control, *minor: str) -> Crossing:
    # wide enough for the Traffic Manager's vehicles, which turn off at 10 m/s, and for buses
    return Crossing(at=Point(x, y), control=control, setback_m=24.0, turn_radius_m=14.0, minor=minor)


CROSSINGS = {
    "gate": _crossing(0.0, 150.0, Control.SIGNALS),
    "town hall": _crossing(160.0, 150.0, Control.SIGNALS),
    "theatre": _crossing(350.0, 150.0, Control.SIGNALS),
    "forge": _crossing(0.0, 330.0, Control.MINOR_STOP, "forge street"),
    "market": _crossing(160.0, 330.0, Control.ALL_WAY_STOP),
    "bakery": _crossing(160.0, 470.0, Control.MINOR_STOP, "one-way row"),
    "chapel": _crossing(350.0, 470.0, Control.MINOR_YIELD, "garden lane"),
    "orchard": _crossing(560.0, 330.0, Control.MINOR_STOP, "rose street", "crescent"),
    "school": _crossing(560.0, 150.0, Control.MINOR_YIELD, "east street", "crescent"),
    "weir": _crossing(160.0, 0.0, Control.MINOR_YIELD, "canal lane"),
    "harbour": _crossing(350.0, 0.0, Control.ALL_WAY_STOP),
    **RING_CROSSINGS,
}

STREETS = {
    "west road": Street(start="gate", end="forge", section=MAIN),
    "west bank": Street(start="gate", end="weir", section=MAIN, bends=(Bend(Point(0.0, 0.0), 60.0),)),
    "avenue": Street(start="gate", end="town hall", section=AVENUE),
    "boulevard": Street(start="town hall", end="theatre", section=BOULEVARD),
    "east street": Street(start="theatre", end="school", section=MAIN),
    "canal lane": Street(start="weir", end="town hall", section=LANE),
    "pump lane": Street(start="town hall", end="market", section=LANE),
    "one-way row": Street(start="market", end="bakery", section=ONE_WAY),
    "quay": Street(start="theatre", end="harbour", section=ONE_WAY),
    "circle lane": Street(start="theatre", end="circle circle lane", section=LANE),
    "garden lane": Street(start="circle garden lane", end="chapel", section=LANE),
    "forge street": Street(start="forge", end="market", section=LANE),
    "market street": Street(start="market", end="circle market street", section=LANE),
    "rose street": Street(start="circle rose street", end="orchard", section=LANE),
    "tow path": Street(start="weir", end="harbour", section=MAIN),
    "east bank": Street(start="harbour", end="school", section=MAIN, bends=(Bend(Point(560.0, 0.0), 60.0),)),
    "orchard road": Street(start="school", end="orchard", section=MAIN),
    "crescent": Street(
        start="orchard",
        end="school",
        section=LANE,
        bends=(Bend(Point(660.0, 330.0), 60.0), Bend(Point(660.0, 150.0), 60.0)),
    ),
    "north-west road": Street(start="forge", end="bakery", section=MAIN, bends=(Bend(Point(0.0, 470.0), 60.0),)),
    "mill street": Street(start="bakery", end="chapel", section=MAIN),
    "north-east road": Street(start="chapel", end="orchard", section=MAIN, bends=(Bend(Point(560.0, 470.0), 60.0),)),
    **RING_STREETS,
}

GRID = Town(name="Grid01", crossings=CROSSINGS, streets=STREETS)
