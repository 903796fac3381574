"""Towns of our own, written as OpenDRIVE by `build_towns`; the files lie in `routes/towns`.

Borough01: right-hand traffic, flat, 760 m by 420 m, 3.3 km of streets and 8 junctions. North is up.

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

The modules: `geometry` (lines and arcs), `layout` (what a town consists of), `borough` (this one), `network` (which
lane leads to which), `roads` and `signals` (as OpenDRIVE), `build` (the file).
"""

from harness.towns.build import build_towns

__all__ = ["build_towns"]
