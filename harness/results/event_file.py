"""The events of a run, as its criteria noticed them: read and checked. ``docs/events.md`` describes the file.

Types are declared and names are checked, so that a slip of the pen in an optional key changes no score unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.result import Failure
from harness.errors import ConfigError
from harness.results.openings import Refused, read_plain
from harness.results.record_format import refusal
from harness.results.result_set import ProblemKind, shown

COMPLETION: Final = "ROUTE_COMPLETION"
#: Names of traffic events that are infractions, as ScenarioRunner has them.
KINDS: Final = {
    "COLLISION_STATIC": InfractionKind.COLLISION_LAYOUT,
    "COLLISION_PEDESTRIAN": InfractionKind.COLLISION_PEDESTRIAN,
    "COLLISION_VEHICLE": InfractionKind.COLLISION_VEHICLE,
    "TRAFFIC_LIGHT_INFRACTION": InfractionKind.RED_LIGHT,
    "STOP_INFRACTION": InfractionKind.STOP,
    "OUTSIDE_ROUTE_LANES_INFRACTION": InfractionKind.OUTSIDE_LANES,
    "MIN_SPEED_INFRACTION": InfractionKind.MIN_SPEED,
    "YIELD_TO_EMERGENCY_VEHICLE": InfractionKind.YIELD_EMERGENCY,
    "SCENARIO_TIMEOUT": InfractionKind.SCENARIO_TIMEOUT,
    "ROUTE_DEVIATION": InfractionKind.ROUTE_DEVIATION,
    "VEHICLE_BLOCKED": InfractionKind.BLOCKED,
}
#: Infractions whose cost depends on a share.
WITH_SHARE: Final = (InfractionKind.OUTSIDE_LANES, InfractionKind.MIN_SPEED)
#: The scenario could not be loaded: the route has no length, no events and no agent.
LOAD: Final = "load"
#: What may end a route from outside the driving.
FAILURES: Final = {
    LOAD: Failure.SIMULATION_CRASHED,
    "sensors": Failure.AGENT_SENSORS,
    "agent_init": Failure.AGENT_SETUP,
    "agent_runtime": Failure.AGENT_CRASHED,
    "simulation": Failure.SIMULATION_CRASHED,
    "tick_runtime": Failure.TICK_RUNTIME,
}
_TYPES: Final = (COMPLETION, *KINDS)
# Beyond any metre, second or percent; larger numbers are damage.
_LARGEST: Final = 1e12
_MOST_ROUTES: Final = 10**6
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.+?)`(?: - at `(.+)`)?", re.DOTALL)
_LENGTH: Final = re.compile(r"Expected (`array` of length \d+).*? - at `(.+)`", re.DOTALL)
_OUT_OF_RANGE: Final = re.compile(r"(?:Number|Integer value) out of range - at `(.+)`", re.DOTALL)

Number = int | float  # told apart, because the evaluators write 100 and 100.0 as they get them
Place = tuple[float, float, float]


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """One traffic event.

    Attributes:
        percentage: of `WITH_SHARE`, unrounded; of the completed route, or of the traffic's speed.
        route_completed: of `COMPLETION`, 0 to 100.
    """

    type: str
    message: str
    percentage: Number | None = None
    route_completed: Number | None = None


class EventRoute(msgspec.Struct, forbid_unknown_fields=True):
    """One route: what it is, how long it took, what happened in which order.

    Attributes:
        route_points: the dense plan [m].
        duration_game, duration_system: simulated and wall-clock seconds.
        failure: a key of `FAILURES`; None if the driving ended the route.
    """

    route_id: str
    route_points: tuple[Place, ...]
    duration_game: Number
    duration_system: Number
    events: tuple[Event, ...]
    route_timeout: bool = False
    failure: str | None = None
    scenario_name: str | None = None
    weather_id: str | None = None
    save_name: str | None = None
    town_name: str | None = None


class EventFile(msgspec.Struct, forbid_unknown_fields=True):
    """A run: how many routes it was to have, the sensors of its agent by icon name, and the routes it began."""

    total_routes: int
    sensors: tuple[str, ...]
    routes: tuple[EventRoute, ...]


_DECODER: Final = msgspec.json.Decoder(EventFile)


def read_events(path: Path) -> EventFile:
    """Read the events of a run.

    Raises:
        ConfigError: the file cannot be read or is not as described; names the file, the place in it and what is there.
    """
    try:
        data, _ = read_plain(path)
        return parse_events(data)
    except Refused as refused:
        raise ConfigError(
            f"cannot use events file {shown(path)}: found {refused.found}, expected {refused.expected}",
            hint="docs/events.md describes the file",
        ) from refused


def parse_events(data: bytes) -> EventFile:
    """Return the content of an events file.

    Raises:
        Refused: it is not as described.
    """
    if not data.strip():
        raise Refused(ProblemKind.MALFORMED, f"{len(data)} blank bytes" if data else "an empty file", "JSON")
    try:
        events = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, MemoryError) as error:
        raise _refusal(error) from error
    for problem in _problems(events):
        raise problem
    return events


def _refusal(error: Exception) -> Refused:
    if found := _UNKNOWN_KEY.fullmatch(str(error)):
        place = f" at {shown(found[2].removeprefix('$.'))}" if found[2] else ""
        return Refused(ProblemKind.MALFORMED, f"the key {shown(found[1], 60)!r}{place}", "those of docs/events.md only")
    if found := _LENGTH.fullmatch(str(error)):
        return _wrong(shown(found[2].removeprefix("$.")), "another length", found[1])
    if found := _OUT_OF_RANGE.fullmatch(str(error)):
        return _wrong(shown(found[1].removeprefix("$.")), "a number beyond all bounds", "one of fewer digits")
    return refusal(error)


def _problems(events: EventFile) -> Iterator[Refused]:
    """Yield what is wrong though its type is right, in the order of the file."""
    if not 1 <= events.total_routes <= _MOST_ROUTES:
        yield _wrong("total_routes", _number_text(events.total_routes), f"1 to {_MOST_ROUTES}")
    if len(events.routes) > events.total_routes:
        yield _wrong("routes", f"{len(events.routes)} routes", f"at most the {events.total_routes} of total_routes")
    # An evaluator keeps its routes by id and repetition, so that one of them cannot stand in a run twice.
    first: dict[str, int] = {}
    for number, route in enumerate(events.routes):
        yield from _route_problems(f"routes[{number}]", route)
        if (earlier := first.setdefault(route.route_id, number)) != number:
            found = f"{shown(route.route_id, 60)!r} of routes[{earlier}] again"
            yield _wrong(f"routes[{number}].route_id", found, "each route and repetition once")


def _route_problems(place: str, route: EventRoute) -> Iterator[Refused]:
    if not route.route_id:
        yield _wrong(f"{place}.route_id", "an empty text", "RouteScenario_<id>_rep<k>")
    if route.failure is not None and route.failure not in FAILURES:
        yield _wrong(f"{place}.failure", repr(shown(route.failure, 60)), _one_of(FAILURES))
    for key in ("duration_game", "duration_system"):
        yield from _range_problems(f"{place}.{key}", getattr(route, key), _LARGEST)
    for position, point in enumerate(route.route_points):
        if not all(abs(part) <= _LARGEST for part in point):
            yield _wrong(f"{place}.route_points[{position}]", f"{max(map(abs, point)):g} m", f"at most {_LARGEST:g}")
    for position, event in enumerate(route.events):
        yield from _event_problems(f"{place}.events[{position}]", event)


def _event_problems(place: str, event: Event) -> Iterator[Refused]:
    if event.type not in _TYPES:
        yield _wrong(f"{place}.type", repr(shown(event.type, 60)), _one_of(_TYPES))
    elif event.type == COMPLETION:
        yield from _range_problems(f"{place}.route_completed", event.route_completed, 100.0)
    elif KINDS[event.type] in WITH_SHARE:
        most = 100.0 if KINDS[event.type] is InfractionKind.OUTSIDE_LANES else _LARGEST
        yield from _range_problems(f"{place}.percentage", event.percentage, most)


def _range_problems(place: str, value: Number | None, most: float) -> Iterator[Refused]:
    if value is None or not 0.0 <= value <= most:
        yield _wrong(place, "none" if value is None else _number_text(value), f"0 to {most:g}")


def _number_text(value: Number) -> str:
    # JSON bounds no integer, and a format for floats cannot take one of 400 digits.
    return shown(value, 40) if isinstance(value, int) else f"{value:.15g}"


def _wrong(place: str, found: object, expected: str) -> Refused:
    return Refused(ProblemKind.MALFORMED, f"{found} at {place}", expected)


def _one_of(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}"
