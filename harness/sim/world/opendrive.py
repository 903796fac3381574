"""From an OpenDRIVE text to the client's own map, without the texts that crash its parser.

`carla.Map` ends the process on some inconsistent files instead of raising; what is known to do that is refused here
first.
"""

from __future__ import annotations

import math
from typing import Any
from xml.parsers import expat

from harness.errors import SimError

_MAX_ID = 2**31 - 1
# The longest roads of CARLA's towns have a few kilometres, all roads of Town12 together some 1,500 km.
_MAX_ROAD_M = 1.0e5
_MAX_TOTAL_M = 1.0e7
# Driving lanes, which are sampled metre by metre: Town13 has 900 km of them.
_MAX_LANES_M = 3.0e6
_HINT = "check the file with another OpenDRIVE reader"


def parse_map(name: str, opendrive: str) -> Any:
    """Return the carla.Map of a text.

    Raises:
        SimError: the text is no OpenDRIVE road network, or one that the client's parser does not survive.
    """
    import carla

    problem = find_problem(opendrive)
    if problem is not None:
        raise SimError(f"town {name!r} cannot be read: {problem}", hint=_HINT)
    try:
        carla_map = carla.Map(name, opendrive)
        has_lanes = bool(carla_map.get_topology())
    except (RuntimeError, IndexError, ValueError) as error:
        raise SimError(
            f"town {name!r} cannot be read: {error}; expected an OpenDRIVE road network", hint=_HINT
        ) from error
    if not has_lanes:
        raise SimError(f"town {name!r} has no driving lane, expected an OpenDRIVE road network", hint=_HINT)
    return carla_map


class _Defect(Exception):  # noqa: N818 - found, not failed
    """Something in the text that the client's parser does not survive."""


def find_problem(opendrive: str) -> str | None:
    """Return what is wrong with an OpenDRIVE text, None if nothing known is."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(opendrive.encode(), True)
    except expat.ExpatError as error:
        return f"{error}; expected OpenDRIVE"
    except _Defect as defect:
        return str(defect)
    return reader.problem_at_the_end()


class _Reader:
    """Looks at each element once."""

    def __init__(self) -> None:
        self._depth = 0
        self._roads = 0
        self._total_m = 0.0
        self._lanes_m = 0.0
        self._length_m = 0.0
        # Start and number of driving lanes of the sections of a road.
        self._sections: list[tuple[float, int]] = []
        self._signals: set[str] = set()
        self._referred: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Look at an element."""
        if tag == "road" and self._depth == 1:
            self._roads += 1
            _check_id("road", attributes.get("id", ""))
            length_m = _number(f"length of road {attributes.get('id')}", attributes.get("length", ""))
            if not 0.0 < length_m <= _MAX_ROAD_M:
                raise _Defect(f"road {attributes.get('id')} is {length_m:g} m long, expected (0, {_MAX_ROAD_M:g}] m")
            self._total_m += length_m
            self._length_m, self._sections = length_m, []
        elif tag == "laneSection":
            self._sections.append((_number("start of a lane section", attributes.get("s", "")), 0))
        elif tag == "lane" and attributes.get("type") == "driving" and self._sections:
            start_m, count = self._sections[-1]
            self._sections[-1] = start_m, count + 1
        elif tag == "junction" and self._depth == 1:
            _check_id("junction", attributes.get("id", ""))
        elif tag == "signal":
            self._signals.add(attributes.get("id", ""))
        elif tag == "signalReference":
            self._referred.add(attributes.get("id", ""))
        elif tag == "control":
            self._referred.add(attributes.get("signalId", ""))
        self._depth += 1

    def end(self, tag: str) -> None:
        """Leave an element."""
        self._depth -= 1
        if tag == "road" and self._depth == 1:
            ends_m = [start_m for start_m, _ in self._sections[1:]] + [self._length_m]
            pairs = zip(self._sections, ends_m, strict=False)
            self._lanes_m += sum(max(end_m - start_m, 0.0) * count for (start_m, count), end_m in pairs)

    def problem_at_the_end(self) -> str | None:
        """Return what only the whole text shows."""
        if not self._roads:
            return "no road in it, expected an OpenDRIVE road network"
        if self._total_m > _MAX_TOTAL_M:
            return f"its roads are {self._total_m:g} m long together, expected at most {_MAX_TOTAL_M:g} m"
        if self._lanes_m > _MAX_LANES_M:
            return f"its driving lanes are {self._lanes_m:g} m long together, expected at most {_MAX_LANES_M:g} m"
        missing = sorted(self._referred - self._signals)
        return f"it refers to signal {missing[0]!r}, which it does not have" if missing else None


def _check_id(what: str, text: str) -> None:
    if not (text.isascii() and text.isdecimal() and int(text) <= _MAX_ID):
        raise _Defect(f"{what} id {text[:40]!r}, expected a whole number from 0 to {_MAX_ID}")


def _number(what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _Defect(f"{what} is {text[:40]!r}, expected a number")
    return value
