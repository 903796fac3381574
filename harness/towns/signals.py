"""Traffic lights, signs, their controllers and the crosswalks of a town.

The way of CARLA's own towns: the `<signal>` stands where the post stands and governs no lane (validity 0 to 0);
`<signalReference>` elements on the connecting roads govern lane -1 where it begins. Speed limits govern the lanes of
the street they stand beside. A signal faces along the traffic it governs; on right-hand lanes its orientation is '-'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.towns.geometry import Point, wrap
from harness.towns.layout import Control, CrossSection
from harness.towns.network import Arm, Junction, Network, Turn

if TYPE_CHECKING:
    from scenariogeneration import xodr

FIRST_SIGNAL_ID = 1000
FIRST_CONTROLLER_ID = 2000
FIRST_CROSSWALK_ID = 3000

TRAFFIC_LIGHT, STOP, YIELD, SPEED_LIMIT = "1000001", "206", "205", "274"
SIGN_NAMES = {STOP: "Sign_Stop", YIELD: "Sign_Yield"}
BEHIND_CURB_M = 0.8
SIGN_BEFORE_MOUTH_M = 1.0
POST_BEFORE_OPPOSITE_MOUTH_M = 1.0
CROSSWALK_CENTRE_M = 2.5  # behind the mouth, so that traffic waits in front of it
CROSSWALK_DEPTH_M = 3.0
CROSSWALK_ONTO_SIDEWALK_M = 0.5


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A `<controller>`: the lights that are green together, and its place in the cycle of its junction."""

    controller_id: int
    junction_id: int
    sequence: int
    signal_ids: tuple[int, ...]


@dataclass
class Furniture:
    """Everything beside the lanes, by the id of the road that carries it."""

    signals: dict[int, list[xodr.Signal | xodr.SignalReference]] = field(default_factory=dict)
    crosswalks: dict[int, list[xodr.Object]] = field(default_factory=dict)
    controllers: list[Controller] = field(default_factory=list)
    signal_count: int = 0
    crosswalk_count: int = 0

    def next_signal_id(self) -> int:
        """Return an id that no signal has yet."""
        self.signal_count += 1
        return FIRST_SIGNAL_ID + self.signal_count - 1

    def add_signal(self, road_id: int, signal: xodr.Signal | xodr.SignalReference) -> None:
        """Put a signal or a reference on a road."""
        self.signals.setdefault(road_id, []).append(signal)


def furnish(network: Network) -> Furniture:
    """Return the lights, signs, controllers and crosswalks of the town."""
    furniture = Furniture()
    for junction in network.junctions.values():
        for arm in junction.arms:
            if not _is_governed(junction, arm):
                continue
            if arm.lanes_in:
                _add_control(furniture, network, junction, arm)
            if arm.section.has_sidewalk:
                _add_crosswalk(furniture, junction, arm)
    for street in network.town.streets:
        _add_speed_limits(furniture, network, street)
    return furniture


def _is_governed(junction: Junction, arm: Arm) -> bool:
    everybody = junction.crossing.control in (Control.SIGNALS, Control.ALL_WAY_STOP)
    return everybody or arm.street in junction.crossing.minor


def _add_control(furniture: Furniture, network: Network, junction: Junction, arm: Arm) -> None:
    """Put the light or sign of one arm and its references into place."""
    from scenariogeneration import xodr

    signal_id = furniture.next_signal_id()
    if junction.crossing.control is Control.SIGNALS:
        carrier, signal = _light(junction, arm, signal_id)
        furniture.add_signal(carrier, signal)
        sequence = sum(1 for one in furniture.controllers if one.junction_id == junction.junction_id)
        furniture.controllers.append(
            Controller(
                controller_id=FIRST_CONTROLLER_ID + len(furniture.controllers),
                junction_id=junction.junction_id,
                sequence=sequence,
                signal_ids=(signal_id,),
            )
        )
    else:
        kind = YIELD if junction.crossing.control is Control.MINOR_YIELD else STOP
        furniture.add_signal(arm.road_id, _sign(network, arm, signal_id, kind))
    for turn in junction.turns_from(arm):
        reference = xodr.SignalReference(0.0, 0.0, str(signal_id), xodr.Orientation.negative)
        furniture.add_signal(turn.road_id, reference.add_validity(-1, -1))


def _light(junction: Junction, arm: Arm, signal_id: int) -> tuple[int, xodr.Signal]:
    """Return a traffic light on the far side of the junction, right of the lanes, and the road that carries it."""
    from scenariogeneration import xodr

    carrier = _straight_turn(junction, arm)
    post = _far_side(junction, arm)
    ahead_m = post.x - carrier.path.start.x, post.y - carrier.path.start.y
    cos, sin = math.cos(carrier.path.heading_rad), math.sin(carrier.path.heading_rad)
    signal = xodr.Signal(
        s=ahead_m[0] * cos + ahead_m[1] * sin,
        t=ahead_m[1] * cos - ahead_m[0] * sin,
        country="OpenDRIVE",
        Type=TRAFFIC_LIGHT,
        id=str(signal_id),
        name="Signal_3Light_Post01",
        dynamic=xodr.Dynamic.yes,
        zOffset=0.0,
        orientation=xodr.Orientation.negative,
        hOffset=wrap(arm.heading_rad - carrier.path.heading_rad),
        height=1.16,
        width=0.52,
    )
    return carrier.road_id, signal.add_validity(0, 0)


def _straight_turn(junction: Junction, arm: Arm) -> Turn:
    """Return the arm's own straight connection, or any of the junction if the arm has none."""
    own = [turn for turn in junction.turns_from(arm) if turn.is_straight]
    return (own or [turn for turn in junction.turns if turn.is_straight])[0]


def _far_side(junction: Junction, arm: Arm) -> Point:
    """Return the post's place: beyond the crossing, on the sidewalk or the verge to the right of the lanes there."""
    opposite = [turn.target.curb_m(incoming=False) for turn in junction.turns_from(arm) if turn.goes_on]
    crossed = [other.curb_m(incoming=side) for other in junction.arms if other is not arm for side in (True, False)]
    beyond_m = junction.crossing.setback_m - POST_BEFORE_OPPOSITE_MOUTH_M if opposite else max(crossed) + BEHIND_CURB_M
    beside_m = max([arm.curb_m(incoming=True), *opposite]) + BEHIND_CURB_M
    return junction.crossing.at.moved(arm.heading_rad, beyond_m, beside_m)


def _sign(network: Network, arm: Arm, signal_id: int, kind: str) -> xodr.Signal:
    """Return a stop or yield sign beside the arm, just before its mouth."""
    length_m = network.paths[arm.street].length_m
    s = length_m - SIGN_BEFORE_MOUTH_M if arm.at_road_end else SIGN_BEFORE_MOUTH_M
    signal = _roadside_signal(arm.at_road_end, s, arm.curb_m(incoming=True), signal_id, kind, SIGN_NAMES[kind])
    return signal.add_validity(0, 0)


def _roadside_signal(forward: bool, s: float, curb_m: float, signal_id: int, kind: str, name: str) -> xodr.Signal:
    """Return a sign behind the curb for the traffic along (`forward`) or against the road."""
    from scenariogeneration import xodr

    t = curb_m + BEHIND_CURB_M
    return xodr.Signal(
        s=s,
        t=-t if forward else t,
        country="OpenDRIVE",
        Type=kind,
        id=str(signal_id),
        name=name,
        zOffset=2.2,
        orientation=xodr.Orientation.negative if forward else xodr.Orientation.positive,
        hOffset=0.0 if forward else math.pi,
        height=1.0,
        width=1.0,
    )


def _add_speed_limits(furniture: Furniture, network: Network, street: str) -> None:
    """Put speed limits on both sides of a street, the first soon after its beginning in the direction of travel."""
    section, length_m = network.town.streets[street].section, network.paths[street].length_m
    half_median_m = section.lane_width_m / 2.0 if section.has_bays else 0.0
    for forward, lanes in ((True, section.lanes), (False, section.lanes_back)):
        curb_m = half_median_m + lanes * section.lane_width_m + section.shoulder_m
        for after_m, speed_kmh in _speed_limits(section, length_m) if lanes else ():
            s = after_m if forward else length_m - after_m
            name = f"Speed_{speed_kmh}"
            signal = _roadside_signal(forward, s, curb_m, furniture.next_signal_id(), SPEED_LIMIT, name)
            signal.value, signal.unit = float(speed_kmh), "km/h"
            signal.add_validity(*((-lanes, -1) if forward else (1, lanes)))
            furniture.add_signal(network.road_ids[street], signal)


def _speed_limits(section: CrossSection, length_m: float) -> list[tuple[float, int]]:
    """Return where limits stand, counted from the beginning in the direction of travel [m], and which [km/h]."""
    if length_m < 2.0 * section.first_sign_m:
        return [(length_m / 2.0, section.speed_kmh)]
    last = [(length_m - section.crossing_sign_m, section.crossing_kmh)] if section.crossing_kmh else []
    room_m = (last[0][0] if last else length_m) - 2.0 * section.first_sign_m
    more = int(room_m / section.sign_spacing_m) if section.sign_spacing_m else 0
    places = [section.first_sign_m + index * section.sign_spacing_m for index in range(more + 1)]
    return [*((place, section.speed_kmh) for place in places), *last]


def _add_crosswalk(furniture: Furniture, junction: Junction, arm: Arm) -> None:
    """Put a crosswalk behind the mouth of an arm; a connection from or to its innermost lane carries it."""
    from scenariogeneration import xodr

    right_m, left_m = arm.curb_m(incoming=True), arm.curb_m(incoming=False)
    half_length_m = (right_m + left_m) / 2.0 + CROSSWALK_ONTO_SIDEWALK_M
    outline = xodr.Outline()
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1))  # closed: the first corner comes again
    for along, across in signs:
        outline.add_corner(xodr.CornerLocal(along * half_length_m, across * CROSSWALK_DEPTH_M / 2.0, 0.0, 0.0))
    carrier, s, t = _crosswalk_place(junction, arm, (right_m - left_m) / 2.0)
    crosswalk = xodr.Object(
        s,
        t,
        xodr.ObjectType.crosswalk,
        subtype="",
        id=str(FIRST_CROSSWALK_ID + furniture.crosswalk_count),
        name="SimpleCrosswalk",
        hdg=math.pi / 2.0,
        orientation=xodr.Orientation.positive,
        width=CROSSWALK_DEPTH_M,
        length=2.0 * half_length_m,
    )
    crosswalk.add_outline(outline)
    furniture.crosswalk_count += 1
    furniture.crosswalks.setdefault(carrier.road_id, []).append(crosswalk)


def _crosswalk_place(junction: Junction, arm: Arm, centre_m: float) -> tuple[Turn, float, float]:
    """Return the connection that carries the crosswalk of an arm, and s and t of its middle there.

    Args:
        centre_m: how far right of the reference line the middle is, for the traffic that arrives.
    """
    leaving = junction.turns_from(arm)
    if leaving:
        turn = leaving[0]
        return turn, CROSSWALK_CENTRE_M, arm.left_border_m(turn.from_index, incoming=True) - centre_m
    turn = next(turn for turn in junction.turns if turn.target is arm)
    return turn, turn.path.length_m - CROSSWALK_CENTRE_M, arm.left_border_m(turn.to_index, incoming=False) + centre_m
