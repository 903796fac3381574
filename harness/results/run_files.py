"""The files of our own runs: which of a unit's files is its result, and which units a run has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from harness.results.openings import Refused
from harness.results.record_format import check_text, refusal
from harness.results.result_set import DriveKey, ProblemKind

MANIFEST: Final = "units.jsonl"
RESULT: Final = "result.json"
_ATTEMPT: Final = re.compile(r"attempt_[0-9]{1,9}")
_ATTEMPT_FILES: Final = frozenset({"attempt.json", "unit.json", "progress.json", "outcome.json", RESULT})
_DAMAGED: Final = re.compile(r"result\.damaged_[0-9]+\.json")


class PlannedUnit(msgspec.Struct):
    """What a line of a manifest says of the drive."""

    suite: str
    route_id: str
    repetition: int
    seed: int


_LINE: Final = msgspec.json.Decoder(PlannedUnit)


def is_of_attempt(parts: Sequence[str]) -> bool:
    """Tell whether a path is a file of one attempt at a unit; only the unit's chosen result counts."""
    return len(parts) > 1 and bool(_ATTEMPT.fullmatch(parts[-2])) and parts[-1] in _ATTEMPT_FILES


def is_set_aside(name: str) -> bool:
    """Tell whether a file is a chosen result that was found damaged and replaced."""
    return bool(_DAMAGED.fullmatch(name))


def planned_units(data: bytes) -> list[DriveKey]:
    """Return the drives of a manifest.

    Raises:
        Refused: a line is not what a run writes.
    """
    units = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            unit = _LINE.decode(line)
            check_text("suite", unit.suite)
            check_text("route_id", unit.route_id)
        except (Refused, msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused = error if isinstance(error, Refused) else refusal(error)
            raise Refused(ProblemKind.MALFORMED, f"{refused.found} in line {number}", refused.expected) from error
        units.append(DriveKey(unit.suite, unit.seed, unit.repetition, unit.route_id))
    return units
