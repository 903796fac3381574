"""What an evaluation consists of: suite, seeds and agent become units; nothing is written, nothing heavy imported."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness import __version__
from harness.config import REPOSITORY, SUITES_DIR, cache_folder, data_folder, town_folders
from harness.datatypes.route import Route
from harness.datatypes.unit import Unit
from harness.errors import ConfigError, RouteError
from harness.metrics.engine import ENGINES
from harness.stages.provenance import current_commit, file_sha256, machine_facts
from harness.suites import (
    NotRunnable,
    Suite,
    find_town,
    load_suite,
    resolve_routes,
    select,
    split_by_town,
    traffic_seed,
)

EMBEDDED = "embedded"
CLIENT_VERSION = "0.9.16"
# As in the manifests; the Traffic Manager's seed derives from it and has 32 bits.
LARGEST_SEED = 99_999


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """What would be driven.

    Attributes:
        units: in the order of suite and seeds.
        not_runnable: routes that cannot be driven, with the reason.
        routes: by file stem.
        config: resolved configuration, by which a run is recognised.
        facts: versions, for the record.
    """

    suite: Suite
    units: list[Unit]
    not_runnable: list[NotRunnable]
    routes: dict[str, Route]
    config: dict[str, Any]
    facts: dict[str, Any]

    def scenario_counts(self, route: str) -> dict[str, int]:
        """Return how many scenarios of each type a route asks for."""
        return dict(sorted(Counter(scenario.type for scenario in self.routes[route].scenarios).items()))


def plan_evaluation(
    *,
    bench: str,
    only: Sequence[str],
    seeds: Sequence[int],
    agent: str,
    agent_config: str,
    sim: str,
    maps: tuple[Path, ...] = (),
    server_towns: Sequence[str] | None = None,
) -> EvaluationPlan:
    """Plan an evaluation.

    Args:
        only: file stems or ids of the routes; all if empty.
        seeds: the suite's own if empty.
        sim: ``embedded`` or ``host:port``.
        server_towns: what a server at ``host:port`` can load; None if it does not tell.

    Raises:
        RouteError: unknown suite or route, or not one route can be driven.
        ConfigError: the suite's rules are not in this version, a seed is named twice or too large.
    """
    suite = select(load_suite(bench, SUITES_DIR), only)
    if suite.rule_version not in ENGINES:
        raise ConfigError(
            f"suite {bench!r} is scored by rules {suite.rule_version!r}, this version has {', '.join(ENGINES)}",
            hint="harness list shows the suites and their rules",
        )
    seeds = list(seeds) or list(suite.seeds)
    if len(set(seeds)) != len(seeds):
        raise ConfigError(
            f"seeds {', '.join(map(str, seeds))} name one twice, expected distinct numbers",
            hint="make eval SEEDS=1,2,3",
        )
    if max(seeds) > LARGEST_SEED:
        raise ConfigError(f"seed {max(seeds)} is too large, expected 0 to {LARGEST_SEED}", hint="make eval SEEDS=1,2,3")
    routes, problems = resolve_routes(suite, repository=REPOSITORY, data=data_folder(), cache=cache_folder())
    if sim == EMBEDDED:
        routes, without_town = split_by_town(routes, town_folders(maps))
        problems += without_town
    elif server_towns is not None:
        problems += [_not_on_server(route, server_towns) for route in routes if route.town not in server_towns]
        routes = [route for route in routes if route.town in server_towns]
    if not routes:
        raise RouteError(
            f"none of the {len(suite.routes)} routes of suite {bench!r} can be driven: "
            f"{problems[0].route_name}: {problems[0].reason}",
            hint=f"make routes BENCH={bench}, make towns" if suite.published else "harness list shows suites and towns",
        )
    agent_sha256 = _agent_sha256(agent)
    units = [_unit(suite, route, seed, agent, agent_sha256, agent_config) for seed in seeds for route in routes]
    return EvaluationPlan(
        suite=suite,
        units=units,
        not_runnable=problems,
        routes={route.file.stem: route for route in routes},
        config={
            "bench": suite.name,
            "set_version": suite.set_version,
            "rule_version": suite.rule_version,
            "routes": [route.stem for route in suite.routes],
            "seeds": list(seeds),
            "agent": agent,
            "agent_sha256": agent_sha256,
            "agent_config": agent_config,
            "agent_config_sha256": _config_sha256(agent_config),
            "sim": sim,
            "inputs": _input_hashes(routes, sim, maps),
            "version": __version__,
            "commit": current_commit(),
        },
        facts=machine_facts(CLIENT_VERSION),
    )


def _unit(suite: Suite, route: Route, seed: int, agent: str, agent_sha256: str, agent_config: str) -> Unit:
    return Unit(
        suite=suite.name,
        rule_version=suite.rule_version,
        route=route.file.stem,
        route_id=route.route_id,
        route_file=str(route.file.resolve()),
        town=route.town,
        repetition=0,
        seed=seed,
        traffic_seed=traffic_seed(suite, route, seed),
        agent=agent,
        agent_sha256=agent_sha256,
        config=agent_config,
        length_m=round(route_cost_m(route), 1),
    )


def _not_on_server(route: Route, server_towns: Sequence[str]) -> NotRunnable:
    return NotRunnable(route.file.stem, f"the server has no town {route.town} (has {', '.join(server_towns)})")


def route_cost_m(route: Route) -> float:
    """Return the length of the line through a route's points [m]: what longer routes are recognised by."""
    points = [(point.x, point.y) for point in route.keypoints]
    return sum(math.dist(first, second) for first, second in pairwise(points))


def _config_sha256(agent_config: str) -> str:
    """Return a hash over the file or folder that a configuration text names, such as a checkpoint; else nothing."""
    path = Path(agent_config)
    if not agent_config or not path.exists():
        return ""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file()):
        digest.update(f"{file.relative_to(path)} {file_sha256(file)}".encode())
    return digest.hexdigest()


def _agent_sha256(agent: str) -> str:
    path = Path(agent.partition(":")[0])
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".py" and path.is_file() else ""


def _input_hashes(routes: Sequence[Route], sim: str, maps: tuple[Path, ...]) -> dict[str, str]:
    """Return file stem -> hash over the route's file and, for the embedded simulator, its town's file."""
    folders = town_folders(maps)
    towns = {route.town: find_town(route.town, folders) for route in routes} if sim == EMBEDDED else {}
    town_bytes = {name: file_sha256(file) for name, file in towns.items() if file is not None}
    hashes = {}
    for route in routes:
        both = f"{file_sha256(route.file)} {town_bytes.get(route.town, '')}"
        hashes[route.file.stem] = hashlib.sha256(both.encode()).hexdigest()[:16]
    return hashes
