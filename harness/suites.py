"""Suites: named sets of routes with their rules, and where their files and towns are.

A manifest ``<name>.toml`` says which routes belong to the suite, so a missing file is a missing route and never a
smaller suite. Each expected route is one file ``<stem>.xml`` with one route; both its stem and its XML id name it.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.datatypes.route import Route
from harness.errors import RouteError
from harness.routes import read_routes
from harness.suite_manifest import Published, SeedRule, Source, SuiteFacts, abbreviated, read_manifest

_LOG = logging.getLogger(__name__)
_TOWN_SUFFIXES = (".xodr", ".xodr.gz")


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


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A set of routes and the rules under which it is scored.

    Attributes:
        name: the file stem of the manifest.
        rule_version: scoring rules; whether they exist is the evaluator's question.
        set_version: which edition of the routes; two sets of one name and size exist in the wild.
        source: what ``folder`` is relative to: the repository, or else HARNESS_DATA and the cache, in this order.
        seeds: seeds to drive when the user names none.
        traffic_seed: see `traffic_seed`.
        routes: expected routes in manifest order; fewer than ``size`` after `select`.
        size: number of routes of the whole suite.
        published: where the routes of an official suite can be fetched.
        sums: file stem -> what `harness.stages.fetch_routes.route_sum` returns for the published route.
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
    published: Published | None = None
    sums: Mapping[str, str] = field(default_factory=dict)


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
            f"suite {name!r} not in {suites_dir} (has {abbreviated(known)})", hint="make list shows every suite"
        )
    file = suites_dir / f"{name}.toml"
    manifest = read_manifest(file)
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
        published=manifest.published,
        sums=manifest.sha256,
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


def resolve_routes(
    suite: Suite, *, repository: Path, data: Path | None, cache: Path | None = None
) -> tuple[list[Route], list[NotRunnable]]:
    """Read the routes of a suite; what cannot be read comes back by name with its reason.

    Args:
        repository: root of this repository.
        data: the folder that HARNESS_DATA names, if any.
        cache: where fetched suites are, if anywhere; it comes second, and a suite is taken from one place only.
    """
    routes: list[Route] = []
    problems: list[NotRunnable] = []
    places = [place for place in (data, cache) if place is not None and _is_folder(place / suite.folder)]
    base = repository if suite.source == "repository" else next(iter(places), data)
    for named in suite.routes:
        if base is None:
            fetch = f"; make routes BENCH={suite.name} fetches it" if suite.published else ""
            reason = f"HARNESS_DATA is not set, expected the folder that holds {suite.folder}{fetch}"
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


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
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


def _named(suite: Suite, name: str) -> SuiteRoute:
    matches = [route for route in suite.routes if name in (route.stem, route.route_id)]
    if not matches and name.isdecimal():
        matches = [
            route for route in suite.routes if _same_number(name, route.stem) or _same_number(name, route.route_id)
        ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        both = abbreviated([f"{route.stem} (id {route.route_id})" for route in matches])
        raise RouteError(
            f"route {name!r} in suite {suite.name!r} is ambiguous: {both}", hint="use a name that only one has"
        )
    stems = abbreviated([route.stem for route in suite.routes])
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
