"""Motorways: carriageways with lanes that begin, end and leave; their parts for the layout of a town.

A carriageway is a chain of one-way streets. Between two of them lies a junction without signs, in which each lane leads
on, into the lane beside it or onto a ramp. So every lane has its full width from end to end, and leads somewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.towns.geometry import Bend, Path, Point, Segment, rounded_polyline
from harness.towns.layout import LANE_WIDTH_M, Control, Crossing, CrossSection, Street, Way

SPEED_KMH, END_SPEED_KMH, LOOP_SPEED_KMH, RAMP_SPEED_KMH = 110, 80, 60, 50
SIGN_SPACING_M = 100.0
HALF_MEDIAN_M = 3.0
RAMP = CrossSection(speed_kmh=RAMP_SPEED_KMH, one_way=True, kind="motorway")
RAMP_BEND_M = 60.0
RAMP_AHEAD_M, RAMP_ACROSS_M = 60.0, 50.0
CLEAR_OF_RAMP_M = 70.0
"""A ramp leaves the carriageway after the first distance and needs the second, along the motorway, to get away; a
sign has room beside the carriageway after the third."""

STRETCHES = (
    # name, first and last metre, lanes, limit
    ("approach", 80.0, 180.0, 3, SPEED_KMH),
    ("exit lane", 260.0, 400.0, 4, SPEED_KMH),
    ("middle", 420.0, 780.0, 3, SPEED_KMH),
    ("entry lane", 800.0, 1000.0, 4, SPEED_KMH),
    ("end", 1100.0, 1200.0, 3, END_SPEED_KMH),
)
"""Along a carriageway, counted from the end of the loop before it."""
CARRIAGEWAY_M = 1280.0
EXIT_LANE, ENTRY_LANE = 3, 3

LOOP_OUT_RADIUS_M = 120.0
LOOP_OUT_RAD = math.radians(55.0)


@dataclass(frozen=True)
class Carriageway:
    """One direction of the motorway: where it begins, which way it goes, and which loops it lies between."""

    name: str
    start: Point
    heading_rad: float
    loop_before: str
    loop_after: str

    def place(self, along_m: float, right_m: float = 0.0) -> Point:
        """Return a point of the carriageway's left edge, or to the right of it."""
        return self.start.moved(self.heading_rad, along_m, right_m)


def carriageway_streets(way: Carriageway) -> dict[str, Street]:
    """Return the stretches of a carriageway."""
    crossings = [name for name, *_ in _sequence(way)]
    streets = {}
    for index, (name, first_m, last_m, lanes, speed_kmh) in enumerate(STRETCHES):
        streets[f"{way.name} {name}"] = Street(
            start=crossings[index],
            end=crossings[index + 1],
            section=replace(section(lanes, speed_kmh), first_sign_m=CLEAR_OF_RAMP_M if name == "middle" else 12.0),
            path=Path(way.place(first_m), way.heading_rad, (Segment(last_m - first_m),)),
        )
    return streets


def section(lanes: int, speed_kmh: int) -> CrossSection:
    """Return the cross-section of a carriageway."""
    return CrossSection(lanes=lanes, speed_kmh=speed_kmh, one_way=True, kind="motorway", sign_spacing_m=SIGN_SPACING_M)


def carriageway_crossings(way: Carriageway) -> dict[str, Crossing]:
    """Return the junctions of a carriageway, from the end of one loop to the beginning of the next."""
    crossings = {}
    for name, middle_m, before, after, pairs in _sequence(way):
        ways = [Way(origin=before, target=after, from_index=here, to_index=there) for here, there in pairs]
        if name.endswith("exit gore"):
            ways.append(Way(origin=before, target=f"{way.name} exit ramp", from_index=EXIT_LANE))
        if name.endswith("entry gore"):
            ways.append(Way(origin=f"{way.name} entry ramp", target=after, to_index=ENTRY_LANE))
        ways[-1] = replace(ways[-1], has_border=True)
        crossings[name] = Crossing(at=way.place(middle_m), control=Control.NONE, ways=tuple(ways))
    return crossings


def _sequence(way: Carriageway) -> list[tuple[str, float, str, str, tuple[tuple[int, int], ...]]]:
    """Return for each junction its name, its middle, the street before and after it, and which lane leads where."""
    names = [f"{way.name} {name}" for name, *_ in STRETCHES]
    streets = [way.loop_before, *names, way.loop_after]
    ends_m = [0.0, *(last for _, _, last, _, _ in STRETCHES)]
    begins_m = [*(first for _, first, *_ in STRETCHES), CARRIAGEWAY_M]
    straight = tuple((index, index) for index in range(3))
    kinds: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
        ("gain", ((0, 0), (1, 1), (1, 2))),
        ("exit taper", (*straight, (2, EXIT_LANE))),
        ("exit gore", straight),
        ("entry gore", straight),
        ("entry taper", (*straight, (ENTRY_LANE, 2))),
        ("lane drop", ((0, 0), (1, 1), (2, 1))),
    )
    return [
        (f"{way.name} {kind}", (end_m + begin_m) / 2.0, before, after, pairs)
        for (kind, pairs), end_m, begin_m, before, after in zip(
            kinds, ends_m, begins_m, streets[:-1], streets[1:], strict=True
        )
    ]


def ramps(way: Carriageway, crossing_name: str, crossing: Crossing) -> dict[str, Street]:
    """Return the ramps between a carriageway and a crossing to the right of it.

    The crossing lies beside the middle of the "middle" stretch; both ramps reach it parallel to the motorway.
    """
    edge_m = EXIT_LANE * LANE_WIDTH_M
    first_m, last_m = STRETCHES[2][1], STRETCHES[2][2]
    away_m = way.start.moved(way.heading_rad, 0.0).distance_to(
        crossing.at.moved(way.heading_rad, -(first_m + last_m) / 2.0)
    )
    exit_path = rounded_polyline(
        way.place(first_m, edge_m),
        (
            Bend(way.place(first_m + RAMP_AHEAD_M, edge_m), RAMP_BEND_M),
            Bend(way.place(first_m + RAMP_AHEAD_M + RAMP_ACROSS_M, away_m), RAMP_BEND_M),
        ),
        crossing.at.moved(way.heading_rad, -crossing.setback_m),
    )
    entry_path = rounded_polyline(
        crossing.at.moved(way.heading_rad, crossing.setback_m),
        (
            Bend(way.place(last_m - RAMP_AHEAD_M - RAMP_ACROSS_M, away_m), RAMP_BEND_M),
            Bend(way.place(last_m - RAMP_AHEAD_M, edge_m), RAMP_BEND_M),
        ),
        way.place(last_m, edge_m),
    )
    return {
        f"{way.name} exit ramp": Street(start=f"{way.name} exit gore", end=crossing_name, section=RAMP, path=exit_path),
        f"{way.name} entry ramp": Street(
            start=crossing_name, end=f"{way.name} entry gore", section=RAMP, path=entry_path
        ),
    }


def loop(start: str, end: str, way: Carriageway) -> Street:
    """Return the loop in which a carriageway turns left around into the opposite one, from its lane drop on.

    It swings out to the right by an angle a with the radius r, turns left by pi + 2 a with the radius R, and swings
    back. Its middle lies on the axis of the motorway when R cos a = h + r (1 - cos a), h the half median.
    """
    cos = math.cos(LOOP_OUT_RAD)
    radius_m = (HALF_MEDIAN_M + LOOP_OUT_RADIUS_M * (1.0 - cos)) / cos
    swing = Segment(LOOP_OUT_RADIUS_M * LOOP_OUT_RAD, -1.0 / LOOP_OUT_RADIUS_M)
    around = Segment(radius_m * (math.pi + 2.0 * LOOP_OUT_RAD), 1.0 / radius_m)
    path = Path(way.place(CARRIAGEWAY_M), way.heading_rad, (swing, around, swing))
    return Street(start=start, end=end, section=section(2, LOOP_SPEED_KMH), path=path)
