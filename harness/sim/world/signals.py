"""Traffic lights and signs as the town file places them: where they stand, which lanes they govern, where one stops.

CARLA's towns put the physical ``<signal>`` beside the road with the validity 0..0; ``<signalReference>`` elements,
mostly on the connecting roads of the junction, carry the lanes. `carla.Map` lists one landmark per reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

LIGHT_TYPE, STOP_TYPE, YIELD_TYPE, SPEED_TYPE = "1000001", "206", "205", "274"
STEP_M = 0.5
TRIGGER_LENGTH_M = 4.0
_SEARCH_JUNCTION_M = 25.0


@dataclass(frozen=True)
class LanePlace:
    """A place on a lane in OpenDRIVE coordinates."""

    road_id: int
    lane_id: int
    s_m: float


@dataclass(frozen=True, kw_only=True)
class StopLine:
    """The last place of a governed lane before the junction (or the sign itself where no junction follows).

    Attributes:
        x_m, y_m, z_m, yaw_deg: on the lane centre, direction of travel, world frame.
        junction_id: of the junction behind the line, -1 = none.
        approach: places on the lane in front of the line, nearest first, at most `TRIGGER_LENGTH_M` away.
    """

    x_m: float
    y_m: float
    z_m: float
    yaw_deg: float
    half_width_m: float
    junction_id: int
    approach: tuple[LanePlace, ...]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box in its actor's frame: centre and half sizes [m]."""

    x_m: float
    y_m: float
    z_m: float
    half_x_m: float
    half_y_m: float
    half_z_m: float


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A traffic light or sign.

    Attributes:
        signal_id: the ``id`` of the OpenDRIVE ``<signal>``.
        type: OpenDRIVE type code.
        limit_kmh: for speed signs; the number on the sign, whose unit CARLA's server does not look at either.
        x_m, y_m, z_m: foot of the pole, world frame.
        yaw_deg: of the actor; its local x axis runs across the governed lanes, as tools that walk along
            ``trigger_volume.extent.x`` expect.
        trigger: spans the governed lanes along local x.
        stop_lines: one per governed lane.
        places: lane places of the references themselves.
    """

    signal_id: str
    type: str
    limit_kmh: float
    x_m: float
    y_m: float
    z_m: float
    yaw_deg: float
    trigger: Box
    stop_lines: tuple[StopLine, ...]
    places: tuple[LanePlace, ...]


def read_signals(carla_map: Any) -> list[Signal]:
    """Return the lights and signs of a town that govern at least one driving lane, ordered by type and id."""
    signals = []
    for signal_type in (LIGHT_TYPE, STOP_TYPE, YIELD_TYPE, SPEED_TYPE):
        references: dict[str, list[Any]] = {}
        for landmark in carla_map.get_all_landmarks_of_type(signal_type):
            references.setdefault(landmark.id, []).append(landmark)
        for signal_id in sorted(references, key=_natural):
            signal = _read_signal(carla_map, signal_id, signal_type, references[signal_id])
            if signal is not None:
                signals.append(signal)
    return signals


def _natural(signal_id: str) -> tuple[int, str]:
    return (int(signal_id) if signal_id.isdigit() else -1, signal_id)


def _read_signal(carla_map: Any, signal_id: str, signal_type: str, landmarks: list[Any]) -> Signal | None:
    waypoints = [waypoint for landmark in landmarks for waypoint in _governed_waypoints(carla_map, landmark)]
    if not waypoints:
        return None
    stops = [_stop_line(w) if signal_type != SPEED_TYPE else _stop_line_here(w) for w in waypoints]
    lines = tuple({(s.approach[0].road_id, s.approach[0].lane_id): s for s in stops}.values())
    foot = landmarks[0].transform.location
    yaw_deg = (lines[0].yaw_deg + 90.0 + 180.0) % 360.0 - 180.0
    return Signal(
        signal_id=signal_id,
        type=signal_type,
        limit_kmh=float(landmarks[0].value) if signal_type == SPEED_TYPE else 0.0,
        x_m=foot.x,
        y_m=foot.y,
        z_m=foot.z,
        yaw_deg=yaw_deg,
        trigger=_trigger_box(lines, foot.x, foot.y, foot.z, yaw_deg),
        stop_lines=lines,
        places=tuple(LanePlace(w.road_id, w.lane_id, w.s) for w in waypoints),
    )


def _governed_waypoints(carla_map: Any, landmark: Any) -> Iterator[Any]:
    for first, last in landmark.get_lane_validities():
        for lane_id in range(min(first, last), max(first, last) + 1):
            if lane_id == 0:
                continue
            waypoint = carla_map.get_waypoint_xodr(landmark.road_id, lane_id, max(landmark.s, 0.01))
            if waypoint is not None and str(waypoint.lane_type) == "Driving":
                yield waypoint


def _stop_line(waypoint: Any) -> StopLine:
    """Return the stop line of the lane that leads over `waypoint` into a junction."""
    if waypoint.is_junction:
        junction_id = waypoint.junction_id
        for _ in range(400):
            behind = waypoint.previous(STEP_M)
            if not behind:
                break
            waypoint = behind[0]
            if not waypoint.is_junction:
                break
        return _stop_line_here(waypoint, junction_id)
    ahead = waypoint
    for _ in range(int(_SEARCH_JUNCTION_M / STEP_M)):
        following = ahead.next(STEP_M)
        if not following:
            break
        if following[0].is_junction:
            return _stop_line_here(ahead, following[0].junction_id)
        ahead = following[0]
    return _stop_line_here(waypoint)


def _stop_line_here(waypoint: Any, junction_id: int = -1) -> StopLine:
    approach = [LanePlace(waypoint.road_id, waypoint.lane_id, waypoint.s)]
    behind = waypoint
    for _ in range(int(TRIGGER_LENGTH_M / STEP_M)):
        previous = behind.previous(STEP_M)
        if not previous or previous[0].is_junction:
            break
        behind = previous[0]
        approach.append(LanePlace(behind.road_id, behind.lane_id, behind.s))
    pose = waypoint.transform
    return StopLine(
        x_m=pose.location.x,
        y_m=pose.location.y,
        z_m=pose.location.z,
        yaw_deg=pose.rotation.yaw,
        half_width_m=waypoint.lane_width / 2.0,
        junction_id=junction_id,
        approach=tuple(approach),
    )


def _trigger_box(lines: Iterable[StopLine], x_m: float, y_m: float, z_m: float, yaw_deg: float) -> Box:
    """Return the box over the stop lines that run like the first one, in the frame of the actor at (x, y, yaw)."""
    cos, sin = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    across, along, heights = [], [], []
    for line in lines:
        if math.cos(math.radians(line.yaw_deg + 90.0 - yaw_deg)) < math.cos(math.radians(45.0)):
            continue
        dx, dy = line.x_m - x_m, line.y_m - y_m
        local_x = dx * cos + dy * sin
        across += [local_x - 0.9 * line.half_width_m, local_x + 0.9 * line.half_width_m]
        along.append(-dx * sin + dy * cos)
        heights.append(line.z_m - z_m)
    # Local +y points against the direction of travel (the actor is turned by +90 degrees): the box lies before
    # the line.
    return Box(
        x_m=(min(across) + max(across)) / 2.0,
        y_m=sum(along) / len(along) + TRIGGER_LENGTH_M / 2.0,
        z_m=sum(heights) / len(heights) + 1.0,
        half_x_m=(max(across) - min(across)) / 2.0,
        half_y_m=TRIGGER_LENGTH_M / 2.0,
        half_z_m=1.0,
    )


@dataclass(frozen=True, kw_only=True)
class Controller:
    """Signals that switch together.

    Attributes:
        junction_id: the junction whose sequence it belongs to, "" if no junction lists it.
        sequence: order within the junction.
    """

    controller_id: str
    signal_ids: tuple[str, ...]
    junction_id: str
    sequence: int


def read_controllers(opendrive: str) -> list[Controller]:
    """Return the controllers in an OpenDRIVE text, in file order.

    A ``<controller>`` on the top level lists signals; one inside a ``<junction>`` assigns a controller to that
    junction.
    """
    signals: dict[str, list[str]] = {}
    owner: dict[str, tuple[str, int]] = {}
    inside: list[str] = []
    junction = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal junction
        if tag == "junction" and len(inside) == 1:
            junction = attributes.get("id", "")
        elif tag == "controller" and inside[-1:] == ["junction"]:
            owner[attributes.get("id", "")] = (junction, int(float(attributes.get("sequence") or 0)))
        elif tag == "controller":
            signals.setdefault(attributes.get("id", ""), [])
        elif tag == "control" and signals:
            signals[next(reversed(signals))].append(attributes.get("signalId", ""))
        inside.append(tag)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda tag: inside.pop()
    parser.Parse(opendrive.encode(), True)
    return [
        Controller(
            controller_id=controller_id,
            signal_ids=tuple(dict.fromkeys(members)),
            junction_id=owner.get(controller_id, ("", 0))[0],
            sequence=owner.get(controller_id, ("", 0))[1],
        )
        for controller_id, members in signals.items()
    ]
