"""The result file of one unit, ours or another program's, after its JSON has been read."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.results.openings import Refused
from harness.results.record_format import Record, refusal, scored_route
from harness.results.result_set import ProblemKind

_KINDS = tuple(kind.value for kind in InfractionKind)


class _Wall(msgspec.Struct):
    simulated_per_wall: float = 0.0


class _Section(msgspec.Struct):
    scenarios_not_built: dict[str, int] = {}
    wall: _Wall = msgspec.field(default_factory=_Wall)


def unit_route(content: Any, file: object) -> ScoredRoute:
    """Return the record of a unit.

    Args:
        content: of the result file.
        file: where it stands, for the error.

    Raises:
        HarnessError: it cannot go on a scoreboard.
    """
    try:
        return _route(content)
    except Refused as error:
        raise HarnessError(
            f"file {file} holds {error.found}, expected {error.expected}", hint="the same command drives it again"
        ) from error


def result_problem(content: Any) -> str | None:
    """Return why the content of a result file cannot go on a scoreboard, None if it can.

    Our own section ``harness`` may be absent: files of other programs have none.
    """
    try:
        _route(content)
    except Refused as error:
        return f"holds {error.found}"
    return None


def _route(content: Any) -> ScoredRoute:
    match content:
        case {"_checkpoint": {"records": [dict() as record, *_]}}:
            pass
        case _:
            raise Refused(ProblemKind.NO_RECORDS, "no record", "one")
    try:
        route = scored_route(msgspec.convert(record, Record))
        msgspec.convert(content.get("harness", {}), _Section)
    except (msgspec.ValidationError, OverflowError) as error:
        raise refusal(error) from error
    if missing := [kind for kind in _KINDS if kind not in route.messages]:
        raise Refused(ProblemKind.WRONG_RECORD, f"no list of {missing[0]}", "all twelve kinds of infractions")
    if record.get("meta") is None:
        raise Refused(ProblemKind.WRONG_RECORD, "no meta", "one")
    return route
