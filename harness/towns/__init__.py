"""Towns of our own, written as OpenDRIVE by `build_towns`; the files lie in `routes/towns`.

* Borough01: a small town of 8 junctions (`borough`);
* Grid01: city blocks with every form of junction (`grid`, `roundabout`);
* Highland01: a motorway, country roads and a steep hill (`highland`, `motorway`).

The modules beneath them: `geometry` (lines and arcs), `layout` (what a town consists of), `network` (which lane leads
to which), `roads` and `signals` (as OpenDRIVE), `build` (the file).
"""

from harness.towns.build import build_towns

__all__ = ["build_towns"]
