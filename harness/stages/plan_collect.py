"""What a collection consists of: a folder of routes becomes units; nothing is written, nothing heavy imported.

The traffic's seed of a unit follows from the path of its route's file below the folder, the route's id in the file, the
repetition and the seed of the command, so that more routes change nothing for the others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.config import REPOSITORY, town_folders
from harness.datatypes.route import Route
from harness.datatypes.unit import Unit
from harness.drive.playable import IMPLEMENTED_SCENARIOS, not_implemented
from harness.errors import ConfigError, RouteError
from harness.stages.plan import CLIENT_VERSION, EMBEDDED, LARGEST_SEED, route_cost_m
from harness.stages.provenance import current_commit, file_sha256, machine_facts
from harness.stages.route_folder import (
    SAFE_NAME,
    FoundRoute,
    abbreviated,
    find_routes,
    select,
    unit_name,
)
from harness.stages.route_folder import Selection as Selection
from harness.suites import NotRunnable, find_town

TRAIN_ROUTES = REPOSITORY / "routes" / "train"
AGENT = "expert"
RULE_VERSION = "lb20"
#: LEAD's loader chooses its cameras by this name.
DEFAULT_DATASET = "carla_leaderboard2"


@dataclass(frozen=True, kw_only=True)
class CollectionPlan:
    """What would be collected.

    Attributes:
        units: repetition after repetition.
        refused: routes and files that cannot be collected, with the reason.
        refused_types: scenario type that this version cannot play -> how many routes were refused because of it.
        left_out: how many routes the selection leaves out.
        routes: by scenario folder, town and `Unit.route`.
        config: resolved configuration, by which a dataset is recognised.
        facts: versions, for the record.
    """

    units: list[Unit]
    refused: list[NotRunnable]
    refused_types: dict[str, int]
    left_out: int
    routes: dict[tuple[str, str, str], Route]
    config: dict[str, Any]
    facts: dict[str, Any]

    def route_of(self, unit: Unit) -> Route:
        """Return the route of a unit of this plan."""
        return self.routes[unit.scenario, unit.town, unit.route]

    def counts(self) -> dict[str, int]:
        """Return scenario folder -> number of units."""
        return dict(sorted(Counter(unit.scenario for unit in self.units).items()))


def plan_collection(
    *,
    folder: Path = TRAIN_ROUTES,
    dataset: str = DEFAULT_DATASET,
    selection: Selection | None = None,
    seed: int = 0,
    sim: str = EMBEDDED,
    maps: tuple[Path, ...] = (),
    server_towns: Sequence[str] | None = None,
    implemented: frozenset[str] = IMPLEMENTED_SCENARIOS,
) -> CollectionPlan:
    """Plan a collection.

    Args:
        folder: route files, searched for to any depth; or one file.
        dataset: name of the dataset.
        selection: which of the routes, and how often; all of them once unless given.
        seed: of the traffic.
        sim: ``embedded`` or ``host:port``.
        server_towns: what a server at ``host:port`` can load; None if it does not tell.
        implemented: scenario types that can be played.

    Raises:
        RouteError: there are no routes, not one that can be collected, a wanted scenario type that none of them has,
            or two that share a name.
        ConfigError: a setting makes no sense.
    """
    selection = selection or Selection()
    _check(selection, dataset, seed)
    found, refused = find_routes(folder)
    selected = select(found, selection)
    playable, without_scenario, refused_types = _playable(selected, implemented)
    chosen, without_town = _in_known_towns(playable, sim, maps, server_towns)
    refused += without_scenario + without_town
    left_out = len(found) - len(selected)
    if not chosen:
        raise _nothing_left(folder, len(found), refused, refused_types, left_out)
    numbers = range(selection.first_repetition, selection.first_repetition + selection.repetitions)
    units = [_unit(item, dataset, number, seed) for number in numbers for item in chosen]
    _refuse_equal_names(units)
    return CollectionPlan(
        units=units,
        refused=refused,
        refused_types=refused_types,
        left_out=left_out,
        routes={(item.label, item.route.town, unit_name(item.path, item.position)): item.route for item in chosen},
        config={
            "dataset": dataset,
            "routes": str(folder.resolve()),
            "only_types": sorted(selection.only_types),
            "without_types": sorted(selection.without_types),
            "most_per_type": selection.most_per_type,
            **({} if selection.shuffle_seed is None else {"shuffle_seed": selection.shuffle_seed}),
            "repetitions": selection.repetitions,
            "first_repetition": selection.first_repetition,
            "seed": seed,
            "rule_version": RULE_VERSION,
            "agent": AGENT,
            "sim": sim,
            "inputs": _input_hashes(chosen, sim, maps),
            "version": __version__,
            "commit": current_commit(),
        },
        facts=machine_facts(CLIENT_VERSION),
    )


def traffic_seed(identity: str, repetition: int, seed: int) -> int:
    """Return the Traffic Manager's seed for one drive, below 2**32; repetitions of one route never share it.

    Args:
        identity: of the route, see `FoundRoute.identity`.
    """
    digest = hashlib.sha256(f"{seed}/{identity}".encode()).digest()
    return (int.from_bytes(digest[:4], "big") + repetition) % 2**32


def _check(selection: Selection, dataset: str, seed: int) -> None:
    if not SAFE_NAME.fullmatch(dataset):
        raise ConfigError(
            f"dataset {dataset[:60]!r} is no folder name, expected letters, digits, '.', '_' and '-'",
            hint=f"make collect DATASET={DEFAULT_DATASET}",
        )
    for name, value, least, most in (
        ("seed", seed, 0, LARGEST_SEED),
        ("number of repetitions", selection.repetitions, 1, 10_000),
        ("first repetition", selection.first_repetition, 0, 1_000_000),
        ("limit per scenario type", selection.most_per_type, 0, 1_000_000),
        ("shuffle seed", selection.shuffle_seed or 0, 0, LARGEST_SEED),
    ):
        if not least <= value <= most:
            raise ConfigError(f"{name} is {value}, expected {least} to {most}", hint="harness collect --help")
    both = sorted(set(selection.only_types) & set(selection.without_types))
    if both:
        raise ConfigError(
            f"scenario types {', '.join(both)} are wanted and unwanted, expected one or the other",
            hint="harness collect --help",
        )


def _playable(
    items: Sequence[FoundRoute], implemented: frozenset[str]
) -> tuple[list[FoundRoute], list[NotRunnable], dict[str, int]]:
    """Set apart the routes with a scenario that cannot be played, or whose label cannot name a folder."""
    playable: list[FoundRoute] = []
    refused: list[NotRunnable] = []
    types: Counter[str] = Counter()
    for item in items:
        missing = not_implemented(item.route, implemented)
        types.update(missing)
        if missing:
            reason = f"scenario {', '.join(missing)} cannot be played in this version"
            refused.append(NotRunnable(item.shown, reason))
        elif not SAFE_NAME.fullmatch(item.label):
            reason = f"scenario type {item.label[:60]!r} is no folder name, expected letters, digits, '.', '_' and '-'"
            refused.append(NotRunnable(item.shown, reason))
        else:
            playable.append(item)
    return playable, refused, dict(sorted(types.items()))


def _in_known_towns(
    items: Sequence[FoundRoute], sim: str, maps: tuple[Path, ...], server_towns: Sequence[str] | None
) -> tuple[list[FoundRoute], list[NotRunnable]]:
    """Set apart the routes whose town the simulator does not have."""
    towns = {item.route.town for item in items}
    if sim == EMBEDDED:
        folders = town_folders(maps)
        known = {town for town in towns if find_town(town, folders) is not None}
        expected = f"expected its .xodr or .xodr.gz in {', '.join(map(str, folders))}"
    else:
        known = towns if server_towns is None else towns & set(server_towns)
        expected = f"the server has {', '.join(server_towns or ())}"
    refused = [
        NotRunnable(item.shown, f"town {item.route.town} not found, {expected}")
        for item in items
        if item.route.town not in known
    ]
    return [item for item in items if item.route.town in known], refused


def _nothing_left(
    folder: Path, count: int, refused: Sequence[NotRunnable], refused_types: dict[str, int], left_out: int
) -> RouteError:
    reasons = []
    if refused_types:
        listed = abbreviated([f"{number} {kind}" for kind, number in refused_types.items()])
        reasons.append(f"scenarios that this version cannot play: {listed}")
    elif refused:
        reasons.append(f"{refused[0].route_name}: {refused[0].reason}")
    if left_out:
        reasons.append(f"{left_out} not selected")
    return RouteError(
        f"none of the {count} routes in {folder} can be collected: {'; '.join(reasons)}",
        hint=f"ROUTES={TRAIN_ROUTES.relative_to(REPOSITORY)} has routes without scenarios",
    )


def _unit(item: FoundRoute, dataset: str, repetition: int, seed: int) -> Unit:
    route = item.route
    return Unit(
        suite=dataset,
        rule_version=RULE_VERSION,
        route=unit_name(item.path, item.position),
        route_id=route.route_id,
        route_file=str(route.file.resolve()),
        town=route.town,
        repetition=repetition,
        seed=seed,
        traffic_seed=traffic_seed(item.identity, repetition, seed),
        agent=AGENT,
        agent_sha256="",
        config="",
        scenario=item.label,
        length_m=round(route_cost_m(route), 1),
    )


def _refuse_equal_names(units: Iterable[Unit]) -> None:
    seen: dict[str, Unit] = {}
    for unit in units:
        name = f"{unit.scenario}/{unit.town}_Rep{unit.repetition}_{unit.route}"
        if (first := seen.setdefault(name, unit)) is not unit:
            raise RouteError(
                f"routes in {first.route_file} and {unit.route_file} share the name {name}, expected names that differ",
                hint=f"give {unit.route_file} another name",
            )


def _input_hashes(items: Sequence[FoundRoute], sim: str, maps: tuple[Path, ...]) -> dict[str, str]:
    """Return path -> hash over the route file and, for the embedded simulator, the files of its towns."""
    folders = town_folders(maps)
    towns = {item.route.town: find_town(item.route.town, folders) for item in items} if sim == EMBEDDED else {}
    town_hashes = {name: file_sha256(file) for name, file in towns.items() if file is not None}
    towns_of: dict[str, set[str]] = {}
    files: dict[str, Path] = {}
    for item in items:
        towns_of.setdefault(item.path, set()).add(item.route.town)
        files[item.path] = item.route.file
    hashes = {}
    for path in sorted(files):
        parts = [file_sha256(files[path]), *(town_hashes.get(town, "") for town in sorted(towns_of[path]))]
        hashes[path] = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    return hashes
