"""Suites: named sets of routes with their rules, and where their files and towns are.

A manifest ``<name>.toml`` says which routes belong to the suite, so a missing file is a missing route and never a
smaller suite. Each expected route is one file ``<stem>.xml`` with one route; both its stem and its XML id name it.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from harness.datatypes.route import Route
from harness.errors import RouteError
from harness.routes import read_routes

_LOG = logging.getLogger(__name__)
_LISTED_AT_MOST = 20
_TOWN_SUFFIXES = (".xodr", ".xodr.gz")

Source = Literal["repository", "data"]
SeedRule = Literal["route", "pair"]


@dataclass(frozen=True)
class SuiteRoute:
    """The two names of a route: the stem of its file and its XML id."""

    stem: str
    route_id: str


@dataclass(frozen=True)
class NotRunnable:
    """A route that cannot be driven, and why, before anything starts."""

    route_name: str
    reason: str


class SuiteFacts(BaseModel):
    """What the publisher says about the suite; for people, not for rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    licence: str
    towns: list[str] = []
    scenario_types: int = 0
    scenarios: int = 0
    notes: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A set of routes and the rules under which it is scored.

    Attributes:
        name: the file stem of the manifest.
        rule_version: scoring rules; whether they exist is the evaluator's question.
        set_version: which edition of the routes; two sets of one name and size exist in the wild.
        source: what ``folder`` is relative to: the repository, or the folder that HARNESS_DATA names.
        seeds: seeds to drive when the user names none.
        traffic_seed: see `traffic_seed`.
        routes: expected routes in manifest order; fewer than ``size`` after `select`.
        size: number of routes of the whole suite.
    """

    name: str
    title: str
    rule_version: str
    set_version: str
    source: Source
    folder: str
    seeds: tuple[int, ...]
    traffic_seed: SeedRule
    routes: tuple[SuiteRoute, ...]
    size: int
    facts: SuiteFacts


_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_Seed = Annotated[int, Field(ge=0, lt=100_000, strict=True)]


class _Folder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: Source
    folder: str

    @model_validator(mode="after")
    def _stays_inside(self) -> _Folder:
        path = Path(self.folder)
        if path.is_absolute() or ".." in path.parts or path == Path():
            raise ValueError(f"folder is {self.folder!r}, expected a relative path without '..'")
        return self


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: _Name
    title: str
    rule_version: _Name
    set_version: str
    seeds: Annotated[list[_Seed], Field(min_length=1)]
    traffic_seed: SeedRule
    routes: _Folder
    facts: SuiteFacts
    expected: Annotated[dict[_Name, _Name], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_distinct(self) -> _Manifest:
        ids = list(self.expected.values())
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"expected holds id {_abbreviated(twice)} more than once, expected distinct ids")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {self.seeds}, expected distinct seeds")
        if self.traffic_seed == "pair" and not all(name.isdecimal() for name in ids):
            raise ValueError("traffic_seed is 'pair' but some ids are no numbers, expected numbers")
        return self


def list_suites(suites_dir: Path) -> list[str]:
    """Return the names of the manifests in a folder, sorted."""
    return sorted(file.stem for file in suites_dir.glob("*.toml"))


def load_suite(name: str, suites_dir: Path) -> Suite:
    """Read a manifest; its route files are not looked at.

    Raises:
        RouteError: no such suite, or the manifest is malformed (names the file and the field).
    """
    known = list_suites(suites_dir)
    if name not in known:
        raise RouteError(
            f"suite {name!r} not in {suites_dir} (has {_abbreviated(known)})", hint="make list shows every suite"
        )
    file = suites_dir / f"{name}.toml"
    manifest = _read_manifest(file)
    if manifest.name != name:
        raise RouteError(f"suite file {file} field name: found {manifest.name!r}, expected {name!r}")
    return Suite(
        name=manifest.name,
        title=manifest.title,
        rule_version=manifest.rule_version,
        set_version=manifest.set_version,
        source=manifest.routes.source,
        folder=manifest.routes.folder,
        seeds=tuple(manifest.seeds),
        traffic_seed=manifest.traffic_seed,
        routes=tuple(SuiteRoute(stem, route_id) for stem, route_id in manifest.expected.items()),
        size=len(manifest.expected),
        facts=manifest.facts,
    )


def select(suite: Suite, only: Sequence[str]) -> Suite:
    """Return the suite with only the named routes, in suite order; all of them when ``only`` is empty.

    A name is a file stem or an XML id. Numbers match without regard to leading zeros, unless a route has exactly
    that name.

    Raises:
        RouteError: a name fits no route, or more than one; lists what exists.
    """
    if not only:
        return suite
    chosen = {_named(suite, name.strip()) for name in only}
    return replace(suite, routes=tuple(route for route in suite.routes if route in chosen))


def resolve_routes(suite: Suite, *, repository: Path, data: Path | None) -> tuple[list[Route], list[NotRunnable]]:
    """Read the routes of a suite; what cannot be read comes back by name with its reason.

    Args:
        repository: root of this repository.
        data: the folder that HARNESS_DATA names, if any.
    """
    routes: list[Route] = []
    problems: list[NotRunnable] = []
    base = repository if suite.source == "repository" else data
    for named in suite.routes:
        if base is None:
            reason = f"HARNESS_DATA is not set, expected the folder that holds {suite.folder}"
            problems.append(NotRunnable(named.stem, reason))
            continue
        try:
            routes.append(_read_one(named, base / suite.folder))
        except RouteError as error:
            problems.append(NotRunnable(named.stem, error.message))
        except OSError as error:
            problems.append(NotRunnable(named.stem, f"cannot read {error.filename}: {error.strerror or error}"))
    return routes, problems


def split_by_town(routes: Sequence[Route], folders: Sequence[Path]) -> tuple[list[Route], list[NotRunnable]]:
    """Set apart the routes whose town is in none of the folders."""
    found = {town: find_town(town, folders) for town in {route.town for route in routes}}
    looked_in = ", ".join(map(_with_rights, folders)) or "no folder at all"
    runnable = [route for route in routes if found[route.town] is not None]
    problems = [
        NotRunnable(
            route.file.stem, f"town {route.town} not found, expected {route.town}.xodr or .xodr.gz in {looked_in}"
        )
        for route in routes
        if found[route.town] is None
    ]
    return runnable, problems


def find_town(town: str, folders: Sequence[Path]) -> Path | None:
    """Return the OpenDRIVE file of a town from the first folder that has it, plain before compressed."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", town):
        return None
    candidates = (folder / f"{town}{suffix}" for folder in folders for suffix in _TOWN_SUFFIXES)
    return next((file for file in candidates if _is_file(file)), None)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # in a folder that may not be searched, or with a name too long
        return False


def _with_rights(folder: Path) -> str:
    is_closed = os.access(folder, os.F_OK) and not os.access(folder, os.R_OK | os.X_OK)
    return f"{folder} (no right to read it)" if is_closed else str(folder)


def list_towns(folders: Sequence[Path]) -> list[str]:
    """Return the names of the towns in the folders, sorted; a folder that cannot be read is skipped with a warning."""
    files: list[Path] = []
    for folder in folders:
        try:
            files += [file for file in folder.iterdir() if _is_file(file)] if folder.is_dir() else []
        except OSError as error:
            _LOG.warning("skipped the towns in %s: %s", folder, error.strerror or error)
    return sorted(
        {file.name.removesuffix(suffix) for file in files for suffix in _TOWN_SUFFIXES if file.name.endswith(suffix)}
    )


def traffic_seed(suite: Suite, route: Route, seed: int) -> int:
    """Return the Traffic Manager's seed for one drive.

    Rule ``pair`` (Fail2Drive): ``id mod 1000 + 10000 * seed``, the same traffic for both routes of a pair.
    Rule ``route``: a hash of suite, route id and seed, so that routes do not share their traffic; below 2**31.

    Raises:
        RouteError: rule ``pair`` and an id that is no number.
    """
    if suite.traffic_seed == "pair":
        if not route.route_id.isdecimal():
            raise RouteError(f"route id {route.route_id!r} in suite {suite.name!r}, expected a number")
        return int(route.route_id[-3:]) + 10000 * seed
    return zlib.crc32(f"{suite.name}/{route.route_id}/{seed}".encode()) & 0x7FFFFFFF


def _read_manifest(file: Path) -> _Manifest:
    try:
        return _Manifest.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
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


def _named(suite: Suite, name: str) -> SuiteRoute:
    matches = [route for route in suite.routes if name in (route.stem, route.route_id)]
    if not matches and name.isdecimal():
        matches = [
            route for route in suite.routes if _same_number(name, route.stem) or _same_number(name, route.route_id)
        ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        both = _abbreviated([f"{route.stem} (id {route.route_id})" for route in matches])
        raise RouteError(
            f"route {name!r} in suite {suite.name!r} is ambiguous: {both}", hint="use a name that only one has"
        )
    stems = _abbreviated([route.stem for route in suite.routes])
    raise RouteError(
        f"route {name!r} not in suite {suite.name!r} (has {stems})", hint="name routes by file stem or XML id"
    )


def _same_number(name: str, other: str) -> bool:
    return other.isdecimal() and other.lstrip("0") == name.lstrip("0")


def _read_one(named: SuiteRoute, folder: Path) -> Route:
    file = folder / f"{named.stem}.xml"
    if not file.is_file():
        raise RouteError(f"no file {file}")
    routes = read_routes(file)
    if len(routes) != 1:
        raise RouteError(f"route file {file} holds {len(routes)} routes, expected one")
    if routes[0].route_id != named.route_id:
        raise RouteError(f"route file {file} holds route id {routes[0].route_id!r}, expected {named.route_id!r}")
    return routes[0]


def _abbreviated(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED_AT_MOST])
    return f"{shown}, ..." if len(names) > _LISTED_AT_MOST else shown or "none"
