"""Roundabouts: a ring of one-way roads, with a small junction where each street meets it.

The ring runs counter-clockwise and has priority. Its reference line is the edge of the island.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from harness.towns.geometry import Path, Point, Segment, wrap
from harness.towns.layout import Control, Crossing, CrossSection, Street, Way

ISLAND_RADIUS_M = 28.0
SETBACK_M = 52.0  # from the middle to where the streets end
HALF_OPENING_RAD = math.radians(24.0)  # from the axis of a street to where its junction ends on the ring


def roundabout(
    name: str, centre: Point, section: CrossSection, arms: Sequence[tuple[str, float]]
) -> tuple[dict[str, Crossing], dict[str, Street]]:
    """Return the crossings and ring roads of a roundabout.

    The crossings are called "<name> <street>"; a street that begins or ends there leads straight to the centre.

    Args:
        section: of the ring, a one-way street.
        arms: streets with one lane per direction, and where they lie as seen from the centre [rad], counter-clockwise.
    """
    crossings, ring = {}, {}
    neighbours = itertools.pairwise((*arms, arms[0]))
    for (street, angle_rad), (following, next_rad) in neighbours:
        start_rad = angle_rad + HALF_OPENING_RAD
        turn_rad = (wrap(next_rad - angle_rad) % math.tau) - 2.0 * HALF_OPENING_RAD
        ring[_after(name, street)] = Street(
            start=f"{name} {street}",
            end=f"{name} {following}",
            section=section,
            path=Path(
                Point(
                    centre.x + ISLAND_RADIUS_M * math.cos(start_rad), centre.y + ISLAND_RADIUS_M * math.sin(start_rad)
                ),
                wrap(start_rad + math.pi / 2.0),
                (Segment(ISLAND_RADIUS_M * turn_rad, 1.0 / ISLAND_RADIUS_M),),
            ),
        )
    for (street, _), (before, _) in zip(arms, (arms[-1], *arms[:-1]), strict=True):
        arriving, leaving = _after(name, before), _after(name, street)
        crossings[f"{name} {street}"] = Crossing(
            at=centre,
            control=Control.MINOR_YIELD,
            setback_m=SETBACK_M,
            minor=(street,),
            ways=(
                Way(origin=arriving, target=leaving, radius_m=ISLAND_RADIUS_M),
                Way(origin=arriving, target=street, has_border=True),
                Way(origin=street, target=leaving, has_border=True),
            ),
        )
    return crossings, ring


def _after(name: str, street: str) -> str:
    return f"{name} ring after {street}"
