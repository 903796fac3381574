"""The sentences of a record read back into facts: the inverse of `harness.metrics.lb20.message`.

Tolerant of what real files hold: whole percentages (Bench2Drive, where there was no traffic) and places behind
sentences that Leaderboard 2.0 prints without one (Fail2Drive). Everything else is refused by name, since a sentence
that is not understood is an infraction that is not counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.route import Point
from harness.errors import HarnessError

_SHOWN_LENGTH: Final = 160
# Whole numbers are kept whole, so that writing gives the same text; longer ones are no percentages.
_WHOLE_DIGITS: Final = 15


class SentenceFacts(NamedTuple):
    """What one sentence states.

    Attributes:
        percentage: in percent, for OUTSIDE_LANES (of the completed route) and MIN_SPEED (of the traffic's speed).
        distance_m: metres driven outside, for OUTSIDE_LANES.
        location_world: of the ego [m]; None where the sentence names no place.
        other_type: type id of the other actor, for collisions.
        other_id: id of the other actor, light or sign; None where the sentence names none.
    """

    kind: InfractionKind
    percentage: float = 0.0
    distance_m: float = 0.0
    location_world: Point | None = None
    other_type: str = ""
    other_id: int | None = None


def read_sentence(kind: InfractionKind, sentence: str) -> SentenceFacts:
    """Read one sentence of a kind.

    Raises:
        HarnessError: the sentence is not one of that kind; the text holds it.
    """
    form = _FORMS[kind]
    try:
        found = form.pattern.fullmatch(sentence)
        if found is not None:
            return form.read(kind, *found.groups())
    except (TypeError, ValueError):  # not a text, or a number beyond all scores and metres
        pass
    shown = repr(sentence if len(str(sentence)) <= _SHOWN_LENGTH else f"{str(sentence)[:_SHOWN_LENGTH]}...")
    raise HarnessError(f"found {shown}, expected {form.wording!r} in {kind.value!r}")


def read_messages(messages: Mapping[str, Sequence[str]]) -> tuple[SentenceFacts, ...]:
    """Read the sentence lists of a record, in the order of the file.

    Args:
        messages: sentences by result-file key; keys may be absent.

    Raises:
        HarnessError: a sentence is not one of its kind, or a key is not one of the twelve.
    """
    return tuple(_read_all(messages))


def outside_km(route_id: str, messages: Mapping[str, Sequence[str]]) -> float:
    """Return the kilometres off the lanes that a record states, of which it has one sentence at the most.

    Raises:
        HarnessError: the sentence does not name its metres; the text holds route and sentence.
    """
    sentences = messages.get(InfractionKind.OUTSIDE_LANES.value, ())
    if not sentences:
        return 0.0
    try:
        return read_sentence(InfractionKind.OUTSIDE_LANES, sentences[0]).distance_m / 1000.0
    except HarnessError as error:
        raise HarnessError(f"record {route_id}: {error.message}") from error


def _read_all(messages: Mapping[str, Sequence[str]]) -> Iterable[SentenceFacts]:
    for key, sentences in messages.items():
        kind = _KINDS.get(key)
        if kind is None:
            raise HarnessError(f"found infractions {key[:_SHOWN_LENGTH]!r}, expected one of {', '.join(_KINDS)}")
        for sentence in sentences:
            yield read_sentence(kind, sentence)


class _Form(NamedTuple):
    pattern: re.Pattern[str]
    wording: str
    read: Callable[..., SentenceFacts]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _share(text: str) -> float:
    number = int(text) if len(text) <= _WHOLE_DIGITS and text.isdigit() else _finite(text)
    if number < 0:
        raise ValueError(text)
    return number


def _point(x: str | None, y: str | None, z: str | None) -> Point | None:
    return None if x is None or y is None or z is None else Point(_finite(x), _finite(y), _finite(z))


def _collision(kind: InfractionKind, other_type: str, other_id: str, *place: str | None) -> SentenceFacts:
    return SentenceFacts(kind, 0.0, 0.0, _point(*place), other_type, int(other_id))


def _run_over(kind: InfractionKind, other_id: str, *place: str | None) -> SentenceFacts:
    return SentenceFacts(kind, 0.0, 0.0, _point(*place), "", int(other_id))


def _event(kind: InfractionKind, *place: str | None) -> SentenceFacts:
    return SentenceFacts(kind, 0.0, 0.0, _point(*place))


def _outside_lanes(kind: InfractionKind, metres: str, percent: str) -> SentenceFacts:
    distance_m = _finite(metres)
    if distance_m < 0.0:
        raise ValueError(metres)
    return SentenceFacts(kind, _share(percent), distance_m)


def _min_speed(kind: InfractionKind, percent: str) -> SentenceFacts:
    return SentenceFacts(kind, _share(percent))


def _form(wording: str, read: Callable[..., SentenceFacts]) -> _Form:
    """Make the pattern of a sentence from its wording; what stands in brackets is what is read."""
    pattern = re.escape(wording)
    for gap, expression in _GAPS:
        pattern = pattern.replace(re.escape(gap), expression)
    return _Form(re.compile(pattern), wording, read)


_NUMBER: Final = r"(-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_PLACE: Final = " at (x=.., y=.., z=..)"
_PLACE_OR_NONE: Final = f"[{_PLACE}]"
_PLACE_PATTERN: Final = rf" at \(x={_NUMBER}, y={_NUMBER}, z={_NUMBER}\)"
_GAPS: Final = (
    (_PLACE_OR_NONE, f"(?:{_PLACE_PATTERN})?"),
    (_PLACE, _PLACE_PATTERN),
    ("<type>", r"(\S*)"),
    ("<id>", "(-?[0-9]{1,19})"),
    ("<m>", _NUMBER),
    ("<p>", _NUMBER),
)
_COLLISION: Final = _form(f"Agent collided against object with type=<type> and id=<id>{_PLACE}", _collision)
_FORMS: Final[Mapping[InfractionKind, _Form]] = {
    InfractionKind.COLLISION_LAYOUT: _COLLISION,
    InfractionKind.COLLISION_PEDESTRIAN: _COLLISION,
    InfractionKind.COLLISION_VEHICLE: _COLLISION,
    InfractionKind.RED_LIGHT: _form(f"Agent ran a red light <id>{_PLACE}", _run_over),
    InfractionKind.STOP: _form(f"Agent ran a stop with id=<id>{_PLACE}", _run_over),
    InfractionKind.OUTSIDE_LANES: _form(
        "Agent went outside its route lanes for about <m> meters (<p>% of the completed route)", _outside_lanes
    ),
    InfractionKind.MIN_SPEED: _form("Average speed is <p>% of the surrounding traffic's one", _min_speed),
    InfractionKind.YIELD_EMERGENCY: _form(f"Agent failed to yield to an emergency vehicle{_PLACE_OR_NONE}", _event),
    InfractionKind.SCENARIO_TIMEOUT: _form(f"Agent timed out a scenario{_PLACE_OR_NONE}", _event),
    InfractionKind.ROUTE_DEVIATION: _form(f"Agent deviated from the route{_PLACE}", _event),
    InfractionKind.BLOCKED: _form(f"Agent got blocked{_PLACE}", _event),
    InfractionKind.ROUTE_TIMEOUT: _form("Route timeout.", lambda kind: SentenceFacts(kind)),
}
_KINDS: Final = {kind.value: kind for kind in InfractionKind}
