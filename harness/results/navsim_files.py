"""Reads the CSV files of NAVSIM's ``run_pdm_score.py`` and ``run_pdm_score_one_stage.py``, of versions 1 and 2.

Each row is a token; rows at the end hold averages and are kept apart. The columns tell the version, and whether the
file is of the two-stage benchmark, where each sub-score has a column per stage. Whatever is not as NAVSIM writes it is
refused by file and line: a row that was understood wrongly would move a mean that nobody can check.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError
from harness.metrics.navsim import (
    ExtendedSubscores,
    PdmSubscores,
    ScoredToken,
    Stage,
    Subscores,
    Version,
    subscore_names,
)
from harness.results.result_set import Note, shown
from harness.results.walking import RawFile, Walk

#: Rows that hold averages instead of a token.
SUMMARIES: Final = (
    "average",
    "average_all_frames",
    "extended_pdm_score_stage_one",
    "extended_pdm_score_stage_two",
    "extended_pdm_score_combined",
)
# Of early versions 2, whose files do not tell the stages apart.
_MIXED_STAGES: Final = ("pseudo_closed_loop", "average_expert_frames")
#: navtest has 12,146 tokens in 3 MB.
LARGEST_BYTES: Final = 128 * 1024 * 1024
MOST_TOKENS: Final = 500_000
_TOKEN: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_TRUTH: Final = {"true": True, "false": False}
# Of numbers that went through single precision.
_ROUNDING: Final = 1e-6
_MAY_BE_EMPTY: Final = "two_frame_extended_comfort"
_COLUMNS: Final = ("token", "valid", "score")


@dataclass(frozen=True, kw_only=True)
class NavsimFile:
    """One file.

    Attributes:
        name: to show.
        has_stages: it is of the two-stage benchmark.
        tokens: in the order of the file.
        summaries: score of each row of averages, 0 to 1; None where it is empty, or void by the file's own word.
    """

    name: str
    sha256: str
    version: Version
    has_stages: bool
    tokens: tuple[ScoredToken, ...]
    summaries: Mapping[str, float | None]


def read_navsim(paths: Sequence[Path]) -> tuple[tuple[NavsimFile, ...], tuple[Note, ...]]:
    """Read files, and every .csv below folders and in archives; say what was left out.

    Raises:
        ConfigError: a path does not exist, a file is not as NAVSIM writes it, a token stands in two rows, the files
            are not of one version, or there is none.
    """
    walk = Walk(".csv", also="")
    notes: list[Note] = []
    files: list[NavsimFile] = []
    for raw in walk.files(paths):
        if walk.account.problems:
            break
        columns = _header(raw)
        if "token" not in columns and not raw.is_asked_for:
            notes.append(Note(file=raw.name, text="has no column token, so it is not of NAVSIM; not read"))
        else:
            files.append(_file(raw, columns))
    if walk.account.problems:
        raise ConfigError(str(walk.account.problems[0]), hint="harness navsim --help")
    if not files:
        raise ConfigError(
            f"found no CSV file of NAVSIM in {', '.join(shown(path) for path in paths)}, expected at least one",
            hint="harness navsim FILE.csv with what run_pdm_score.py has written",
        )
    _check_alike(files)
    _check_unique(files)
    return tuple(files), (*notes, *walk.account.notes)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where the values stand: index by column, and of each stage the sub-scores by name."""

    version: Version
    column: Mapping[str, int]
    subscores: Mapping[Stage, Mapping[str, int]]


def _header(raw: RawFile) -> list[str]:
    _, first = next(_rows(raw), (1, []))
    return first


def _file(raw: RawFile, columns: list[str]) -> NavsimFile:
    layout = _layout(raw, columns)
    tokens: list[ScoredToken] = []
    summaries: dict[str, float | None] = {}
    lines: dict[str, int] = {}
    rows = _rows(raw)
    next(rows)
    for line, row in rows:
        if len(row) != len(columns):
            raise _bad(raw, line, f"{len(row)} columns", f"{len(columns)} as in the header")
        name = row[layout.column["token"]]
        if name in lines:
            raise _bad(raw, line, f"token {shown(name, 60)} of line {lines[name]} again", "each token once")
        lines[name] = line
        if name in SUMMARIES:
            summaries[name] = _summary(raw, line, row, layout)
        else:
            tokens.append(_token(raw, line, row, layout))
            if summaries:
                above = next(iter(summaries))
                found = f"token {name} below the row {above} of line {lines[above]}"
                raise _bad(raw, line, found, "averages behind the last token, where NAVSIM writes them")
        if len(lines) > MOST_TOKENS:
            raise _bad(raw, line, f"more than {MOST_TOKENS} tokens", "fewer")
    if not tokens:
        raise _bad(raw, 1, "no token", "at least one")
    return NavsimFile(
        name=raw.name,
        sha256=hashlib.sha256(raw.data or b"").hexdigest(),
        version=layout.version,
        has_stages=Stage.ONLY not in layout.subscores,
        tokens=tuple(tokens),
        summaries=summaries,
    )


def _layout(raw: RawFile, columns: list[str]) -> _Layout:
    place = {name: index for index, name in enumerate(columns)}
    if len(place) != len(columns):
        twice = next(name for index, name in enumerate(columns) if place[name] != index)
        raise _bad(raw, 1, f"column '{shown(twice, 60)}' twice", "each column once")
    forms = {
        (Version.V1, (Stage.ONLY,)): "v1",
        (Version.V2, (Stage.ONLY,)): "v2",
        (Version.V2, (Stage.ONE, Stage.TWO)): "v2 with two stages",
    }
    lacking = {form: [name for name in _needed(*form) if name not in place] for form in forms}
    fits = [form for form, missing in lacking.items() if not missing]
    if len(fits) > 1:
        raise _bad(raw, 1, f"the columns of NAVSIM {' and '.join(forms[form] for form in fits)}", "those of one")
    if not fits:
        nearest = min(lacking, key=lambda form: len(lacking[form]) / len(_needed(*form)))
        missing = ", ".join(lacking[nearest][:3]) + (", ..." if len(lacking[nearest]) > 3 else "")
        raise _bad(raw, 1, f"no column {missing}", f"the columns of NAVSIM {forms[nearest]}")
    version, stages = fits[0]
    subscores = {stage: {name: place[_column(name, stage)] for name in subscore_names(version)} for stage in stages}
    return _Layout(version=version, column=place, subscores=subscores)


def _needed(version: Version, stages: tuple[Stage, ...]) -> list[str]:
    return [*_COLUMNS, *(_column(name, stage) for stage in stages for name in subscore_names(version))]


def _column(name: str, stage: Stage) -> str:
    return f"{name}_{stage.value}" if stage.value else name


def _token(raw: RawFile, line: int, row: list[str], layout: _Layout) -> ScoredToken:
    name, valid = row[layout.column["token"]], row[layout.column["valid"]]
    if name in _MIXED_STAGES:
        raise _bad(raw, line, f"row {name} of an early NAVSIM 2, which mixes both stages", "a later one's file")
    if not _TOKEN.fullmatch(name):
        expected = f"hexadecimal digits, or one of {', '.join(SUMMARIES)}"
        raise _bad(raw, line, f"token '{shown(name, 60)}'", expected)
    if valid.lower() not in _TRUTH:
        raise _bad(raw, line, f"valid '{shown(valid, 60)}'", "True or False")
    place = f"{shown(raw.name)} line {line}"
    if not _TRUTH[valid.lower()]:
        return ScoredToken(token=name, stage=None, subscores=None, stated=None, place=place)
    stage = _stage(raw, line, row, layout)
    values = {
        column: None
        if column == _MAY_BE_EMPTY and not row[index]
        else _number(raw, line, _column(column, stage), row[index])
        for column, index in layout.subscores[stage].items()
    }
    return ScoredToken(
        token=name,
        stage=stage,
        subscores=_subscores(layout.version, values),
        stated=_number(raw, line, "score", row[layout.column["score"]]),
        place=place,
    )


def _summary(raw: RawFile, line: int, row: list[str], layout: _Layout) -> float | None:
    text = row[layout.column["score"]]
    # Of the stages, a row that is not valid holds what is left when weighing the scenes has failed.
    is_void = Stage.ONLY not in layout.subscores and row[layout.column["valid"]].lower() != "true"
    return _number(raw, line, "score", text) if text and not is_void else None


def _subscores(version: Version, values: Mapping[str, Any]) -> Subscores:
    return PdmSubscores(**values) if version is Version.V1 else ExtendedSubscores(**values)


def _stage(raw: RawFile, line: int, row: list[str], layout: _Layout) -> Stage:
    filled = [stage for stage, places in layout.subscores.items() if any(row[index] for index in places.values())]
    if Stage.ONLY in layout.subscores:
        return Stage.ONLY
    if len(filled) != 1:
        raise _bad(raw, line, f"sub-scores of {len(filled)} stages", "those of one")
    return filled[0]


def _number(raw: RawFile, line: int, column: str, text: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not -_ROUNDING <= number <= 1.0 + _ROUNDING:
        raise _bad(raw, line, f"{column} '{shown(text, 60)}'", "a number from 0 to 1")
    return number


def _rows(raw: RawFile) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the number of their last line; blank lines are passed over."""
    data = raw.data or b""
    if len(data) > LARGEST_BYTES:
        raise _bad(raw, 1, f"{len(data)} bytes", f"at most {LARGEST_BYTES}")
    if not data.strip(b" \t\r\n\0"):
        raise _bad(raw, 1, "an empty file" if not data else f"{len(data)} blank or zero bytes", "CSV")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(raw, data.count(b"\n", 0, error.start) + 1, "a byte that is not UTF-8", "UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise _bad(raw, reader.line_num, shown(error, 100), "CSV") from error


def _check_alike(files: Sequence[NavsimFile]) -> None:
    kinds = {(file.version, file.has_stages): file for file in files}
    if len(kinds) > 1:
        first, second = list(kinds.values())[:2]
        raise ConfigError(
            f"{shown(first.name)} is of NAVSIM {kind_text(first)} and {shown(second.name)} of {kind_text(second)}, "
            "expected one kind",
            hint="harness navsim once for each",
        )


def _check_unique(files: Sequence[NavsimFile]) -> None:
    places: dict[str, str] = {}
    for file in files:
        for token in file.tokens:
            if token.token in places:
                raise ConfigError(
                    f"token {token.token} stands in {places[token.token]} and in {token.place}, expected it once",
                    hint="harness navsim with the files of one run; NAME=PATH tells agents apart",
                )
            places[token.token] = token.place


def kind_text(file: NavsimFile) -> str:
    """Return which kind a file is, as people say it."""
    return f"{file.version} with two stages" if file.has_stages else file.version.value


def _bad(raw: RawFile, line: int, found: str, expected: str) -> ConfigError:
    hint = "harness navsim --help" if raw.member else f"sed -n {line}p {shlex.quote(shown(raw.path))}"
    return ConfigError(f"{shown(raw.name)} line {line}: found {found}, expected {expected}", hint=hint)
