"""From the bytes of one file to what it is and the records in it. Never raises for what a file holds."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from harness.datatypes.scored_route import ScoredRoute
from harness.metrics.garage_parser import is_leaderboard_10
from harness.results.openings import Refused, too_large
from harness.results.pieces import pieces
from harness.results.record_format import Record, check_text, refusal, scored_route
from harness.results.result_set import FileKind, Problem, ProblemKind, shown

ABILITIES: Final = ("Overtaking", "Merging", "Emergency_Brake", "Give_Way", "Traffic_Signs")
METRIC_INFO: Final = "metric_info.json"
# More than an hour of steps; they take ten times the memory when they are read.
LARGEST_METRIC_INFO_BYTES: Final = 32 * 1024 * 1024
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_MERGED_KEYS: Final = ("driving score", "current_driving_score", "success rate", "eval num")
_STATED_KEYS: Final = (*_MERGED_KEYS, *ABILITIES, "mean", "Driving Efficiency", "Driving Smoothness")
_MERGED_NAME: Final = re.compile(r"(^|[^a-z])merged?([^a-z]|$)", re.IGNORECASE)
# Larger lists with a wrong record are given up at it; smaller ones are taken apart record by record.
_LARGEST_TO_TAKE_APART_BYTES: Final = 64 * 1024 * 1024
# One file that is wrong all over says so a hundred times, not a million.
_MOST_PROBLEMS: Final = 100
# Fifteen labels, or their values, are half a kilobyte.
_LARGEST_LABELS_BYTES: Final = 64 * 1024
_REPETITION: Final = re.compile(r"_rep\d+$")

_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, MemoryError)


class Own(msgspec.Struct):
    """Section ``harness`` of a file of ours."""

    suite: str = ""
    seed: int | None = None
    agent: str = ""
    rule_version: str = ""


def _keys(*names: str) -> msgspec.json.Decoder[Any]:
    """Return a decoder of an object that takes these keys, undecoded, and passes over all others."""
    fields = [
        (f"key_{number}", msgspec.Raw, msgspec.field(default=msgspec.Raw(), name=name))
        for number, name in enumerate(names)
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Keys", fields))


_TOP: Final = _keys("_checkpoint", "entry_status", "harness", "labels", "values", *_STATED_KEYS)
_INNER: Final = _keys("records", "progress")
_RECORDS: Final = msgspec.json.Decoder(list[Record])
_RECORD: Final = msgspec.json.Decoder(Record)
_PROGRESS: Final = msgspec.json.Decoder(list[int])
_TEXT: Final = msgspec.json.Decoder(str | None)
_TEXTS: Final = msgspec.json.Decoder(list[str])
_NUMBER: Final = msgspec.json.Decoder(float)
_OWN: Final = msgspec.json.Decoder(Own)


@dataclass(kw_only=True)
class Content:
    """What a file holds; `records` are pairs of position and record."""

    kind: FileKind = FileKind.OTHER
    records: list[tuple[int, ScoredRoute]] = field(default_factory=list)
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)
    done: int | None = None
    planned: int | None = None
    entry_status: str = ""
    own: Own = field(default_factory=Own)
    stated: dict[str, float] = field(default_factory=dict)
    without_meta: int = 0


def parse(data: bytes, name: str, file_name: str) -> Content:
    """Read a file.

    Args:
        name: of the file, for problems.
        file_name: its last part, which tells a merged file and a metric info.
    """
    content = Content()
    try:
        _parse(data.removeprefix(_UTF8_MARK), name, file_name, content)
    except Refused as error:
        content.kind = FileKind.UNREADABLE
        content.problems.append(problem(name, error))
    return content


def problem(name: str, error: Refused, position: int | None = None) -> Problem:
    """Return a refusal as a problem of a file."""
    return Problem(kind=error.kind, file=name, found=error.found, expected=error.expected, position=position)


def _parse(data: bytes, name: str, file_name: str, content: Content) -> None:
    if not data.strip(b" \t\r\n\0"):
        found = "an empty file" if not data else f"{len(data)} blank or zero bytes"
        raise Refused(ProblemKind.MALFORMED, found, "JSON")
    if file_name == METRIC_INFO and len(data) > LARGEST_METRIC_INFO_BYTES:
        raise too_large(len(data), LARGEST_METRIC_INFO_BYTES)
    top = _top(data)
    if "_checkpoint" not in top:
        content.kind = _kind_without_records(top, file_name)
        content.stated = _numbers(top)
        return
    inner = _present(_decode(_INNER, top["_checkpoint"], "_checkpoint"))
    if "records" not in inner:
        raise Refused(ProblemKind.MALFORMED, "no records in _checkpoint", "a list of records")
    content.kind = FileKind.CHECKPOINT
    content.stated = {**_numbers(top), **_labelled_values(top)}
    _read_header(top, inner, name, content)
    _read_records(inner["records"], name, content)
    _tell_more(name, content)
    _number_repetitions(content)
    count = len(content.records) + content.refused
    content.kind = _kind(top, inner, file_name, content)
    if count == 0:
        _note_no_records(name, content)
    elif content.done is not None and content.done != count:
        _inconsistent(content, name, f"{count} records, progress says {content.done} done", "the same number")


def _top(data: bytes) -> dict[str, msgspec.Raw]:
    """Return the parts of an object; of JSON that is no object, none."""
    try:
        return _present(_TOP.decode(data))
    except msgspec.ValidationError:
        _decode(msgspec.json.Decoder(msgspec.Raw), data, "")  # complete JSON of another kind
        return {}
    except _ERRORS as error:
        raise refusal(error) from error


def _present(keys: msgspec.Struct) -> dict[str, msgspec.Raw]:
    """Return the keys that an object has."""
    raw = {field.encode_name: getattr(keys, field.name) for field in msgspec.structs.fields(keys)}
    return {name: value for name, value in raw.items() if len(memoryview(value))}


def _kind_without_records(top: Mapping[str, msgspec.Raw], file_name: str) -> FileKind:
    if file_name == METRIC_INFO:
        return FileKind.METRIC_INFO  # whatever it holds: what is wrong is told beside its record
    return FileKind.ABILITY if all(ability in top for ability in ABILITIES) else FileKind.OTHER


def _kind(
    top: Mapping[str, msgspec.Raw], inner: Mapping[str, msgspec.Raw], file_name: str, content: Content
) -> FileKind:
    count = len(content.records) + content.refused
    if "harness" in top:
        return FileKind.UNIT
    if any(key in top for key in _MERGED_KEYS) or _MERGED_NAME.search(file_name.removesuffix(".json")):
        return FileKind.MERGED
    if "progress" not in inner and "entry_status" not in top and count > 1:
        return FileKind.MERGED
    planned = content.planned if content.planned is not None else count
    return FileKind.ROUTE if planned <= 1 and count <= 1 else FileKind.CHECKPOINT


def _read_header(top: Mapping[str, msgspec.Raw], inner: Mapping[str, msgspec.Raw], name: str, content: Content) -> None:
    try:
        if "progress" in inner:
            progress = _decode(_PROGRESS, inner["progress"], "progress")
            if len(progress) not in (0, 2) or any(not 0 <= number <= 10**9 for number in progress):
                raise Refused(ProblemKind.INCONSISTENT, f"progress {shown(progress, 60)}", "[done, planned]")
            content.done, content.planned = progress or (None, None)
        if "entry_status" in top:
            content.entry_status = _decode(_TEXT, top["entry_status"], "entry_status") or ""
    except Refused as error:
        _inconsistent(content, name, error.found, error.expected)
    if "harness" in top:
        content.own = _decode(_OWN, top["harness"], "harness")  # without it the seed would be unknown
        for key in ("suite", "agent", "rule_version"):
            check_text(f"harness.{key}", getattr(content.own, key))


def _read_records(raw: msgspec.Raw, name: str, content: Content) -> None:
    try:
        records = _RECORDS.decode(raw)
    except _ERRORS as error:
        data = memoryview(raw)
        if data[0] != ord("["):
            _decode(_RECORDS, raw, "records")  # says what is there instead of a list
        whole = pieces(data) if len(data) <= _LARGEST_TO_TAKE_APART_BYTES else None
        if whole is None:
            raise refusal(error) from error
        _take_apart(whole, name, content)
        return
    for position, record in enumerate(records):
        _take(record, position, name, content)


def _take_apart(whole: Iterable[memoryview], name: str, content: Content) -> None:
    """Read a list with at least one wrong record in it."""
    for position, piece in enumerate(whole):
        try:
            record = _RECORD.decode(piece)
        except _ERRORS as error:
            _refuse(error, position, name, content)
        else:
            _take(record, position, name, content)


def _take(record: Record, position: int, name: str, content: Content) -> None:
    try:
        route = scored_route(record)
    except Refused as error:
        _refuse(error, position, name, content)
        return
    content.without_meta += record.meta is None
    content.records.append((position, route))


def _refuse(error: Exception, position: int, name: str, content: Content) -> None:
    content.refused += 1
    if content.refused <= _MOST_PROBLEMS:
        refused = error if isinstance(error, Refused) else refusal(error)
        content.problems.append(problem(name, refused, position))


def _tell_more(name: str, content: Content) -> None:
    if (more := content.refused - _MOST_PROBLEMS) > 0:
        wrong = Refused(ProblemKind.WRONG_RECORD, f"{more} more wrong records", "none")
        content.problems.append(problem(name, wrong))


def _number_repetitions(content: Content) -> None:
    """Tell the repetitions of a route apart where Leaderboard 1.0 gives all the same id: they follow each other."""
    if content.planned != len(content.records):
        return  # not the file of one complete run, so equal ids may be copies
    seen: Counter[str] = Counter()
    for place, (position, route) in enumerate(content.records):
        if is_leaderboard_10(route) and not _REPETITION.search(route.route_id):
            content.records[place] = (position, replace(route, repetition=seen[route.route_id]))
            seen[route.route_id] += 1


def _note_no_records(name: str, content: Content) -> None:
    facts = []
    if content.planned is not None:
        facts.append(f"{content.done} of {content.planned} routes done")
    if content.entry_status:
        facts.append(f"entry_status {shown(content.entry_status, 60)}")
    found = f"no record ({', '.join(facts)})" if facts else "no record"
    content.problems.append(
        Problem(kind=ProblemKind.NO_RECORDS, file=name, found=found, expected="at least one record")
    )


def _inconsistent(content: Content, name: str, found: str, expected: str) -> None:
    content.problems.append(Problem(kind=ProblemKind.INCONSISTENT, file=name, found=found, expected=expected))


def _numbers(top: Mapping[str, msgspec.Raw]) -> dict[str, float]:
    """Return the numbers that a file states of itself; they are shown, never counted, so a wrong one is left out."""
    numbers: dict[str, float] = {}
    for key in _STATED_KEYS:
        if key in top:
            try:
                numbers[key] = _NUMBER.decode(top[key])
            except _ERRORS:
                continue
    return numbers


def _labelled_values(top: Mapping[str, msgspec.Raw]) -> dict[str, float]:
    """Return an evaluator's figures under ``values`` by their ``labels``; shown, never counted, as those above."""
    try:
        raw = [top["labels"], top["values"]]
        if any(len(memoryview(part)) > _LARGEST_LABELS_BYTES for part in raw):
            return {}
        labels, values = map(_TEXTS.decode, raw)
        numbers = {label: float(text) for label, text in zip(labels, values, strict=True)}
    except (KeyError, *_ERRORS):
        return {}
    return {label: number for label, number in numbers.items() if math.isfinite(number)}


def _decode(decoder: msgspec.json.Decoder[Any], raw: Any, where: str) -> Any:
    try:
        return decoder.decode(raw)
    except _ERRORS as error:
        refused = refusal(error)
        if where and " at " not in refused.found:
            refused.found = f"{refused.found} at {where}"
        if refused.kind is ProblemKind.WRONG_RECORD:
            refused.kind = ProblemKind.MALFORMED
        raise refused from error
