"""Reads and writes Leaderboard 2 route XML; tells the weather at a share of a route.

Rules that the reader keeps:

* A defect is one `RouteError` line: file, line, what was found, what was expected. Nothing is repaired.
* A document type or entity declaration is refused, so a small file cannot grow in memory.
* Towns and route ids end up in file names, so they consist of letters, digits, ``.``, ``_`` and ``-``.
* Where a scenario repeats a parameter the last one counts, as in the official reader.
"""

from __future__ import annotations

import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from harness.datatypes.route import Point, Route, RouteScenario, TriggerPoint, WeatherKeyframe
from harness.errors import RouteError

#: Fields of carla.WeatherParameters with the values of its constructor (client 0.9.16).
WEATHER_DEFAULTS: Mapping[str, float] = {
    "cloudiness": 0.0,
    "precipitation": 0.0,
    "precipitation_deposits": 0.0,
    "wind_intensity": 0.0,
    "sun_azimuth_angle": 0.0,
    "sun_altitude_angle": 0.0,
    "fog_density": 0.0,
    "fog_distance": 0.0,
    "fog_falloff": 0.0,
    "wetness": 0.0,
    "scattering_intensity": 0.0,
    "mie_scattering_scale": 0.0,
    "rayleigh_scattering_scale": 0.0331,
    "dust_storm": 0.0,
}
#: Weather of a route that names none.
WEATHER_UNSPECIFIED: Mapping[str, float] = {**WEATHER_DEFAULTS, "sun_altitude_angle": 70.0, "cloudiness": 50.0}

_FILE_NAME_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SECTIONS = ("weathers", "waypoints", "scenarios")


def read_routes(file: Path) -> list[Route]:
    """Read every route of a file, in file order.

    Raises:
        RouteError: the file cannot be read, is not route XML, or two of its routes share an id.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RouteError(f"cannot read route file {file}: {error.strerror or error}", hint=f"ls -l {file}") from error
    return parse_routes(data, file)


def parse_routes(data: bytes, file: Path) -> list[Route]:
    """Read routes from bytes; ``file`` names them in errors and in the result. Raises as `read_routes`."""
    try:
        return _routes(_parse_elements(data), file)
    except _DefectError as defect:
        line = f" line {defect.line}" if defect.line else ""
        hint = f"sed -n {defect.line}p {file} shows that line" if defect.line else None
        raise RouteError(f"route file {file}{line}: {defect}", hint=hint) from defect


def render_routes(routes: Sequence[Route]) -> str:
    """Return route XML that `read_routes` reads back to equal routes (`Route.ignored` is not written).

    Raises:
        RouteError: the routes do not make a valid file, for instance because two share an id.
    """
    root = ElementTree.Element("routes")
    for route in routes:
        root.append(_route_element(route))
    ElementTree.indent(root)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
    parse_routes(text.encode(errors="xmlcharrefreplace"), Path("to be written"))
    return text


def write_routes(routes: Sequence[Route], file: Path) -> None:
    """Write a route file so that a reader sees the old file or the new one, never a part.

    Raises:
        RouteError: see `render_routes`; nothing is written then.
        OSError: the folder is missing or full; the old file is untouched.
    """
    text = render_routes(routes)
    scratch = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def weather_at(route: Route, percent: float) -> dict[str, float]:
    """Return all fields of carla.WeatherParameters at ``percent`` (0 to 100) of the route.

    Between two keyframes values are interpolated linearly; before the first and after the last they are constant.
    A field that a keyframe does not name has its default. A route without weather gets `WEATHER_UNSPECIFIED`.
    """
    frames = sorted(route.weathers, key=lambda frame: frame.route_percentage)
    if not frames:
        return dict(WEATHER_UNSPECIFIED)
    before = [frame for frame in frames if frame.route_percentage <= percent]
    after = [frame for frame in frames if frame.route_percentage > percent]
    start = before[-1] if before else after[0]
    end = after[0] if after else before[-1]
    span = end.route_percentage - start.route_percentage
    share = (percent - start.route_percentage) / span if span > 0.0 else 0.0
    return {
        name: (1.0 - share) * start.values.get(name, default) + share * end.values.get(name, default)
        for name, default in WEATHER_DEFAULTS.items()
    }


class _DefectError(Exception):
    """A defect in the file, not yet with the name of the file."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


@dataclass
class _Element:
    """An XML element that knows its line; text between elements means nothing in a route file."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)

    def named(self, tag: str) -> list[_Element]:
        return [child for child in self.children if child.tag == tag]


def _parse_elements(data: bytes) -> _Element:
    parser = expat.ParserCreate()
    document = _Element("", {}, 0)
    open_elements = [document]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = _Element(tag, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_tag: str) -> None:
        open_elements.pop()

    def refuse(*_declaration: object) -> NoReturn:
        raise _DefectError("found a document type declaration, expected none", parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        found = expat.errors.messages[error.code]
        raise _DefectError(f"found {found!r}, expected well-formed XML", error.lineno) from error
    except (LookupError, ValueError) as error:
        raise _DefectError(f"found an encoding that cannot be read ({error}), expected UTF-8", 1) from error
    return document.children[0]


def _fail(element: _Element, found: str, expected: str) -> NoReturn:
    raise _DefectError(f"found {found}, expected {expected}", element.line)


def _short(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[:limit] + "...")


def _text(element: _Element, name: str) -> str:
    if name not in element.attributes:
        _fail(element, f"<{element.tag}> without attribute {name!r}", "one")
    return element.attributes[name]


def _safe_name(element: _Element, name: str) -> str:
    text = _text(element, name)
    if not _FILE_NAME_SAFE.fullmatch(text):
        _fail(element, f"{name}={_short(text)} in <{element.tag}>", "letters, digits, '.', '_' and '-'")
    return text


def _number(element: _Element, name: str) -> float:
    text = _text(element, name)
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        _fail(element, f"{name}={_short(text)} in <{element.tag}>", "a finite number")
    return value


def _routes(root: _Element, file: Path) -> list[Route]:
    if root.tag != "routes":
        _fail(root, f"root element <{_short(root.tag)[1:-1]}>", "<routes>")
    elements = root.named("route")
    if not elements:
        _fail(root, "no <route>", "at least one")
    seen: dict[str, int] = {}
    for element in elements:
        route_id = _safe_name(element, "id")
        if route_id in seen:
            _fail(element, f"route id {route_id!r} again (first on line {seen[route_id]})", "ids that differ")
        seen[route_id] = element.line
    return [_route(element, file) for element in elements]


def _route(element: _Element, file: Path) -> Route:
    ignored: dict[str, None] = {child.tag: None for child in element.children if child.tag not in _SECTIONS}
    keypoints = _keypoints(element, ignored)
    weathers = tuple(_weathers(element, ignored))
    scenarios = tuple(_scenario(child) for child in _section(element, "scenarios", "scenario", ignored))
    return Route(
        route_id=_safe_name(element, "id"),
        town=_safe_name(element, "town"),
        file=file,
        keypoints=keypoints,
        weathers=weathers,
        scenarios=scenarios,
        attributes={name: text for name, text in element.attributes.items() if name not in ("id", "town")},
        ignored=tuple(ignored),
    )


def _section(route: _Element, tag: str, item: str, ignored: dict[str, None]) -> list[_Element]:
    sections = route.named(tag)
    if len(sections) > 1:
        _fail(sections[1], f"a second <{tag}> in route {_safe_name(route, 'id')!r}", "one")
    children = sections[0].children if sections else []
    ignored.update({f"{tag}/{child.tag}": None for child in children if child.tag != item})
    return [child for child in children if child.tag == item]


def _keypoints(route: _Element, ignored: dict[str, None]) -> tuple[Point, ...]:
    positions = _section(route, "waypoints", "position", ignored)
    if len(positions) < 2:
        _fail(route, f"{len(positions)} <position> in route {_safe_name(route, 'id')!r}", "at least two")
    return tuple(Point(_number(p, "x"), _number(p, "y"), _number(p, "z")) for p in positions)


def _weathers(route: _Element, ignored: dict[str, None]) -> Iterator[WeatherKeyframe]:
    for element in _section(route, "weathers", "weather", ignored):
        percentage = _number(element, "route_percentage")
        if not 0.0 <= percentage <= 100.0:
            _fail(element, f"route_percentage={percentage:g} in <weather>", "0 to 100")
        names = [name for name in element.attributes if name != "route_percentage"]
        ignored.update({f"weather/@{name}": None for name in names if name not in WEATHER_DEFAULTS})
        values = {name: _number(element, name) for name in names if name in WEATHER_DEFAULTS}
        yield WeatherKeyframe(route_percentage=percentage, values=values)


def _scenario(element: _Element) -> RouteScenario:
    triggers = element.named("trigger_point")
    name, kind = _text(element, "name"), _text(element, "type")
    if len(triggers) != 1:
        _fail(element, f"{len(triggers)} <trigger_point> in scenario {_short(name)}", "one")
    x, y, z, yaw_deg = (_number(triggers[0], axis) for axis in ("x", "y", "z", "yaw"))
    special = ("trigger_point", "other_actor")
    return RouteScenario(
        name=name,
        type=kind,
        trigger=TriggerPoint(x=x, y=y, z=z, yaw_deg=yaw_deg),
        parameters={child.tag: child.attributes for child in element.children if child.tag not in special},
        other_actors=tuple(child.attributes for child in element.named("other_actor")),
    )


def _route_element(route: Route) -> ElementTree.Element:
    element = ElementTree.Element("route", {"id": route.route_id, "town": route.town, **route.attributes})
    if route.weathers:
        weathers = ElementTree.SubElement(element, "weathers")
        for frame in route.weathers:
            numbers = {"route_percentage": frame.route_percentage, **frame.values}
            ElementTree.SubElement(weathers, "weather", {name: repr(value) for name, value in numbers.items()})
    waypoints = ElementTree.SubElement(element, "waypoints")
    for point in route.keypoints:
        ElementTree.SubElement(waypoints, "position", {"x": repr(point.x), "y": repr(point.y), "z": repr(point.z)})
    scenarios = ElementTree.SubElement(element, "scenarios")
    scenarios.extend(_scenario_element(scenario) for scenario in route.scenarios)
    return element


def _scenario_element(scenario: RouteScenario) -> ElementTree.Element:
    element = ElementTree.Element("scenario", {"name": scenario.name, "type": scenario.type})
    trigger = scenario.trigger
    numbers = {"x": trigger.x, "y": trigger.y, "z": trigger.z, "yaw": trigger.yaw_deg}
    ElementTree.SubElement(element, "trigger_point", {name: repr(value) for name, value in numbers.items()})
    for tag, attributes in scenario.parameters.items():
        ElementTree.SubElement(element, tag, dict(attributes))
    for attributes in scenario.other_actors:
        ElementTree.SubElement(element, "other_actor", dict(attributes))
    return element
