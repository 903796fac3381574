"""The manifest of a suite, ``routes/suites/<name>.toml``, as it stands in the file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from harness.errors import RouteError

Source = Literal["repository", "data"]
SeedRule = Literal["route", "pair"]
_LISTED_AT_MOST = 20


class SuiteFacts(BaseModel):
    """What the publisher says about the suite; for people, not for rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    licence: str
    towns: list[str] = []
    scenario_types: int = 0
    scenarios: int = 0
    notes: str = ""


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Seed = Annotated[int, Field(ge=0, lt=100_000, strict=True)]


class _Folder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: Source
    folder: str

    @model_validator(mode="after")
    def _stays_inside(self) -> _Folder:
        _check_relative("folder", self.folder)
        return self


class Published(BaseModel):
    """Where the publisher of a suite has its routes.

    Attributes:
        repository: address of a public git repository.
        commit: its first twelve digits, or all.
        path: of the one file with all routes, or of the folder with a file for each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$")]
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,40}$")]
    path: str

    @model_validator(mode="after")
    def _stays_inside(self) -> Published:
        _check_relative("path", self.path)
        return self


def _check_relative(name: str, text: str) -> None:
    path = Path(text)
    if path.is_absolute() or ".." in path.parts or path == Path():
        raise ValueError(f"{name} is {text!r}, expected a relative path without '..'")


class Manifest(BaseModel):
    """All of a file; what the fields mean stands at `harness.suites.Suite`."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    title: str
    rule_version: Name
    set_version: str
    seeds: Annotated[list[_Seed], Field(min_length=1)]
    traffic_seed: SeedRule
    routes: _Folder
    facts: SuiteFacts
    expected: Annotated[dict[Name, Name], Field(min_length=1)]
    published: Published | None = None
    sha256: dict[Name, Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]] = {}

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Manifest:
        ids = list(self.expected.values())
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"expected holds id {abbreviated(twice)} more than once, expected distinct ids")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {self.seeds}, expected distinct seeds")
        if self.traffic_seed == "pair" and not all(name.isdecimal() for name in ids):
            raise ValueError("traffic_seed is 'pair' but some ids are no numbers, expected numbers")
        if self.published is not None and self.sha256.keys() != self.expected.keys():
            raise ValueError("sha256 and expected name different routes, expected the same")
        return self


def read_manifest(file: Path) -> Manifest:
    """Read a manifest.

    Raises:
        RouteError: it cannot be read or is malformed; names the file and the field.
    """
    try:
        return Manifest.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise RouteError(f"cannot read suite file {file}: {error.strerror or error}") from error
    except ValidationError as error:
        raise RouteError(f"suite file {file} {_first_defect(error)}") from error
    except ValueError as error:  # not UTF-8, or not TOML; names the line
        raise RouteError(f"suite file {file} is not TOML: {error}") from error


def _first_defect(error: ValidationError) -> str:
    defects: list[Any] = list(error.errors())
    first = defects[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    text = str(first["msg"]).removeprefix("Value error, ")
    found = f"found {str(first['input'])[:60]!r}, " if first["type"] not in ("missing", "value_error") else ""
    more = f" (and {len(defects) - 1} more)" if len(defects) > 1 else ""
    return f"field {place}: {found}{text[0].lower()}{text[1:]}{more}".replace("field : ", "")


def abbreviated(names: Sequence[str]) -> str:
    """Return names as an error message lists them: the first twenty."""
    shown = ", ".join(names[:_LISTED_AT_MOST])
    return f"{shown}, ..." if len(names) > _LISTED_AT_MOST else shown or "none"
