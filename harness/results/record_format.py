"""The JSON of one record, its types checked, as a `ScoredRoute`.

Types are declared, so that a file of any content costs no more memory than its records: what nobody asks for is passed
over without being built.
"""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec

from harness.datatypes.scored_route import ScoredRoute
from harness.results.names import route_of
from harness.results.openings import Refused
from harness.results.result_set import ProblemKind, shown

# Beyond any metre or second; larger numbers are damage.
_LARGEST: Final = 1e12
# Scores are rounded to six decimals.
_ROUNDING: Final = 1e-6
# Twice the longest of any published file; folders take 255 bytes. Longer ones, and codes that move a terminal's
# cursor, are damage or worse, and every report prints these texts.
LONGEST_TEXT: Final = 200
# A factor below zero is what more than 100 % off-lane gives.
_LOWEST_PENALTY: Final = -1000.0
_STATUS: Final = re.compile(r"Perfect|Completed|Failed( - .+)?", re.DOTALL)
_GOT: Final = re.compile(r"Expected (.+?), got (.+?)(?: - at `(.+)`)?", re.DOTALL)
_WANTED: Final = re.compile(r"Expected (.+?)(?: - at `(.+)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.+?)`(?: - at `(.+)`)?", re.DOTALL)


class Scores(msgspec.Struct, gc=False):
    """Section ``scores``."""

    score_route: float
    score_penalty: float
    score_composed: float


class Meta(msgspec.Struct, gc=False):
    """Section ``meta``; lengths in metres, durations in seconds."""

    route_length: float = 0.0
    duration_game: float = 0.0
    duration_system: float = 0.0


class Record(msgspec.Struct):
    """One element of ``records``; what every variant has, and the labels that some have."""

    route_id: str
    status: str
    infractions: dict[str, tuple[str, ...]]
    scores: Scores
    meta: Meta | None = None
    town_name: str | None = None
    scenario_name: str | None = None
    weather_id: str | int | float | None = None
    save_name: str | None = None


def scored_route(record: Record) -> ScoredRoute:
    """Return the record under our names.

    Raises:
        Refused: a number or a text that no evaluator writes.
    """
    scores, meta = record.scores, record.meta or Meta()
    _check_numbers(scores, meta)
    weather = "" if record.weather_id is None else str(record.weather_id)
    for name in ("route_id", "status", "town_name", "scenario_name", "save_name"):
        check_text(name, getattr(record, name) or "")
    check_text("weather_id", weather)
    if not _STATUS.fullmatch(record.status):
        raise _wrong(f"status {_quoted(record.status)}", "Perfect, Completed, Failed or Failed - <reason>")
    if not record.route_id:
        raise _wrong("an empty route_id", "RouteScenario_<id>_rep<k>")
    xml_id, repetition = route_of(record.route_id)
    return ScoredRoute(
        route_id=record.route_id,
        xml_id=xml_id,
        repetition=repetition,
        status=record.status,
        completion_percent=scores.score_route,
        penalty=scores.score_penalty,
        driving_score=scores.score_composed,
        messages=record.infractions,
        length_m=meta.route_length,
        duration_sim_s=meta.duration_game,
        duration_wall_s=meta.duration_system,
        town=record.town_name or "",
        scenario=record.scenario_name or "",
        weather=weather,
        save_name=record.save_name or "",
    )


def check_text(name: str, text: str) -> None:
    """Refuse a text that cannot be printed as it stands.

    Raises:
        Refused: it is too long, or not on one line of plain characters.
    """
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise _wrong(f"{name} {_quoted(text)}", f"at most {LONGEST_TEXT} printable characters")


def refusal(error: Exception) -> Refused:
    """Return what is wrong for an error of the decoder."""
    text = str(error)
    if found := _GOT.fullmatch(text):
        return _wrong(f"{found[2]}{_place(found[3])}", found[1])
    if found := _WANTED.fullmatch(text):
        return _wrong(f"something else{_place(found[2])}", found[1])
    if found := _MISSING.fullmatch(text):
        return _wrong(f"no {shown(found[1])}{_place(found[2])}", "one")
    if isinstance(error, RecursionError):
        return Refused(ProblemKind.MALFORMED, "values nested too deeply", "a few levels")
    if isinstance(error, msgspec.ValidationError):
        return _wrong(shown(text), "the types of a result file")
    if isinstance(error, UnicodeDecodeError):
        return Refused(ProblemKind.MALFORMED, "a byte that is not UTF-8", "UTF-8")
    reason = shown(text.removeprefix("JSON is malformed: ")) or type(error).__name__
    return Refused(ProblemKind.MALFORMED, reason[:1].lower() + reason[1:], "complete JSON")


def _check_numbers(scores: Scores, meta: Meta) -> None:
    for name, value, lowest, largest in (
        ("score_route", scores.score_route, 0.0, 100.0),
        ("score_penalty", scores.score_penalty, _LOWEST_PENALTY, 1.0),
        ("score_composed", scores.score_composed, 0.0, 100.0),
        ("route_length", meta.route_length, 0.0, _LARGEST),
        ("duration_game", meta.duration_game, 0.0, _LARGEST),
        ("duration_system", meta.duration_system, 0.0, _LARGEST),
    ):
        if not (math.isfinite(value) and lowest - _ROUNDING <= value <= largest + _ROUNDING):
            raise _wrong(f"{name} {value:.15g}", f"{lowest:g} to {largest:g}")


def _wrong(found: str, expected: str) -> Refused:
    return Refused(ProblemKind.WRONG_RECORD, found, expected)


def _place(path: str | None) -> str:
    return "" if not path or path == "$" else f" at {shown(path.removeprefix('$.'))}"


def _quoted(text: str) -> str:
    return f"'{shown(text, at_most=60)}'"
