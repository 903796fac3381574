"""The layout of Borough01.

Right-hand traffic, flat, 760 m by 420 m, 3.3 km of streets and 8 junctions. North is up.

           museum (lights)          chapel (stop)
      .---------+--- north street -----+--------.
      |         |                      |         `--. hill road
   museum     museum                chapel           `-----.
    road       lane                  lane                   |
      |         |                      |                    |
quarry+- market +market --- station ---+station === avenue =+ depot
(stop)| street  |(all-way   street     |(lights)            | (lights)
      |         | stop)                |                    |
   quarry     school                harbour              harbour
    road       lane                  lane                 road
      |         |                       `.                  |
      `---------+--- south --.           |                  |
           school    street   `----------+------------------'
           (yield)              harbour (all-way stop)

* lights: museum (three-way), station (four-way; two lanes from the east), depot (three-way; two lanes from the west).
  One controller per approach, so never two approaches are green together;
* all-way stop: market (four-way), harbour (three-way);
* priority: chapel lane stops at chapel, market street stops at quarry, school lane yields at school;
* avenue: two lanes per direction, 320 m, 60 km/h. Every other street has one lane per direction: 30 km/h in the four
  lanes, quarry road, market street and station street, 50 km/h elsewhere;
* market street has a parking lane on its south side; every street has sidewalks; crosswalks cross every approach that
  has to wait. Corners and bends of the streets are arcs of 40 to 60 m.
"""

from __future__ import annotations

from harness.towns.geometry import Bend, Point
from harness.towns.layout import Control, Crossing, CrossSection, Street, Town

AVENUE = CrossSection(lanes=2, speed_kmh=60, centre_mark="solid_solid")
MAIN = CrossSection(speed_kmh=50)
SLOW = CrossSection(speed_kmh=30)
RESIDENTIAL = CrossSection(speed_kmh=30, centre_mark="broken")
PARKED = CrossSection(speed_kmh=30, parking=True, centre_mark="broken")

CROSSINGS = {
    "museum": Crossing(at=Point(190.0, 380.0), control=Control.SIGNALS),
    "chapel": Crossing(at=Point(400.0, 380.0), control=Control.MINOR_STOP, minor=("chapel lane",)),
    "quarry": Crossing(at=Point(0.0, 190.0), control=Control.MINOR_STOP, minor=("market street",)),
    "market": Crossing(at=Point(190.0, 190.0), control=Control.ALL_WAY_STOP),
    "station": Crossing(at=Point(400.0, 190.0), control=Control.SIGNALS, setback_m=20.0),
    "depot": Crossing(at=Point(760.0, 190.0), control=Control.SIGNALS, setback_m=20.0),
    "school": Crossing(at=Point(190.0, 0.0), control=Control.MINOR_YIELD, minor=("school lane",)),
    "harbour": Crossing(at=Point(430.0, -40.0), control=Control.ALL_WAY_STOP),
}

STREETS = {
    "museum road": Street(start="quarry", end="museum", section=MAIN, bends=(Bend(Point(0.0, 380.0), 60.0),)),
    "north street": Street(start="museum", end="chapel", section=MAIN),
    "hill road": Street(
        start="chapel",
        end="depot",
        section=MAIN,
        bends=(
            Bend(Point(500.0, 380.0), 60.0),
            Bend(Point(580.0, 330.0), 60.0),
            Bend(Point(760.0, 330.0), 60.0),
        ),
    ),
    "market street": Street(start="quarry", end="market", section=PARKED),
    "station street": Street(start="market", end="station", section=RESIDENTIAL),
    "avenue": Street(start="station", end="depot", section=AVENUE),
    "quarry road": Street(start="school", end="quarry", section=SLOW, bends=(Bend(Point(0.0, 0.0), 40.0),)),
    "south street": Street(
        start="school",
        end="harbour",
        section=MAIN,
        bends=(Bend(Point(270.0, 0.0), 60.0), Bend(Point(340.0, -40.0), 60.0)),
    ),
    "harbour road": Street(start="harbour", end="depot", section=MAIN, bends=(Bend(Point(760.0, -40.0), 60.0),)),
    "museum lane": Street(start="market", end="museum", section=RESIDENTIAL),
    "school lane": Street(start="market", end="school", section=RESIDENTIAL),
    "chapel lane": Street(start="station", end="chapel", section=RESIDENTIAL),
    "harbour lane": Street(
        start="harbour",
        end="station",
        section=RESIDENTIAL,
        bends=(Bend(Point(430.0, 40.0), 45.0), Bend(Point(400.0, 100.0), 45.0)),
    ),
}

BOROUGH = Town(name="Borough01", crossings=CROSSINGS, streets=STREETS)
