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
from harness.towns.layout import Control
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
SPEED_SIGN_AFTER_MOUTH_M = 12.0
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
            if _is_governed(junction, arm):
                _add_control(furniture, network, junction, arm)
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
    opposite = [turn.target.section.curb_m for turn in junction.turns_from(arm) if turn.is_straight]
    crossed = [other.section.curb_m for other in junction.arms if other is not arm]
    beyond_m = junction.crossing.setback_m - POST_BEFORE_OPPOSITE_MOUTH_M if opposite else max(crossed) + BEHIND_CURB_M
    return junction.crossing.at.moved(arm.heading_rad, beyond_m, max([arm.section.curb_m, *opposite]) + BEHIND_CURB_M)


def _sign(network: Network, arm: Arm, signal_id: int, kind: str) -> xodr.Signal:
    """Return a stop or yield sign beside the arm, just before its mouth."""
    length_m = network.paths[arm.street].length_m
    s = length_m - SIGN_BEFORE_MOUTH_M if arm.at_road_end else SIGN_BEFORE_MOUTH_M
    signal = _roadside_signal(arm.at_road_end, s, arm.section.curb_m, signal_id, kind, SIGN_NAMES[kind])
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
    """Put a speed limit on both sides of a street, soon after its beginning in the direction of travel."""
    section, length_m = network.town.streets[street].section, network.paths[street].length_m
    for forward in (True, False):
        s = SPEED_SIGN_AFTER_MOUTH_M if forward else length_m - SPEED_SIGN_AFTER_MOUTH_M
        name = f"Speed_{section.speed_kmh}"
        signal = _roadside_signal(forward, s, section.curb_m, furniture.next_signal_id(), SPEED_LIMIT, name)
        signal.value, signal.unit = float(section.speed_kmh), "km/h"
        signal.add_validity(*((-section.lanes, -1) if forward else (1, section.lanes)))
        furniture.add_signal(network.road_ids[street], signal)


def _add_crosswalk(furniture: Furniture, junction: Junction, arm: Arm) -> None:
    """Put a crosswalk behind the mouth of an arm; the connection from its innermost lane carries it."""
    from scenariogeneration import xodr

    half_length_m = arm.section.curb_m + CROSSWALK_ONTO_SIDEWALK_M
    outline = xodr.Outline()
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1), (1, 1))  # closed: the first corner comes again
    for along, across in signs:
        outline.add_corner(xodr.CornerLocal(along * half_length_m, across * CROSSWALK_DEPTH_M / 2.0, 0.0, 0.0))
    crosswalk = xodr.Object(
        CROSSWALK_CENTRE_M,
        0.0,
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
    carrier = junction.turns_from(arm)[0].road_id
    furniture.crosswalks.setdefault(carrier, []).append(crosswalk)
