"""Write the tables of routes beside the manifests: what scores need to know of a route, so that they load no town."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.config import REPOSITORY
from harness.datatypes.route import Route
from harness.errors import RouteError
from harness.jobs.publish import publish_text
from harness.metrics.rules import RuleVersion
from harness.route_facts import RouteFacts, render_route_facts
from harness.stages.sample import load_map
from harness.suites import NotRunnable, Suite, resolve_routes, split_by_town


def tabulate(suite: Suite, *, data: Path | None, cache: Path, towns: Sequence[Path]) -> list[RouteFacts]:
    """Return the facts of every route of a suite, in suite order.

    Args:
        data: the folder that HARNESS_DATA names, if any.
        cache: where fetched suites are.
        towns: folders that have the towns; none is loaded unless the suite is scored by Bench2Drive's rules.

    Raises:
        RouteError: a route or its town is missing, or there is no way between two of its points.
    """
    routes, problems = resolve_routes(suite, repository=REPOSITORY, data=data, cache=cache)
    _refuse(suite, problems)
    if suite.rule_version != RuleVersion.BENCH2DRIVE:
        return [facts_of(route) for route in routes]
    _refuse(suite, split_by_town(routes, towns)[1])
    plans = dict(_plans(routes, towns))
    return [facts_of(route, *plans[route.route_id]) for route in routes]


def facts_of(route: Route, junction_point: int | None = None, plan_points: int | None = None) -> RouteFacts:
    """Return the row of a route."""
    return RouteFacts(
        xml_id=route.route_id,
        town=route.town,
        scenario=route.scenarios[0].type if route.scenarios else "",
        junction_point=junction_point,
        plan_points=plan_points,
    )


def lay_out(routes: Sequence[Route], carla_map: Any) -> Mapping[str, tuple[int | None, int]]:
    """Return, by XML id, the number of the first plan point in a junction and of all, for routes of one town.

    Args:
        carla_map: carla.Map of the town.

    Raises:
        RouteError: there is no way between two points of a route.
    """
    from harness.drive.planned_points import first_in_junction, planned_points
    from harness.drive.road_graph import RoadGraph

    graph = RoadGraph(carla_map)
    plans = {route.route_id: planned_points(route.keypoints, graph) for route in routes}
    return {xml_id: (first_in_junction(points), len(points)) for xml_id, points in plans.items()}


def write_table(suite: Suite, facts: Sequence[RouteFacts], folder: Path) -> Path:
    """Write ``<suite>.csv`` so that a reader sees the old table or the new one; returns the file."""
    file = folder / f"{suite.name}.csv"
    publish_text(file, render_route_facts(facts))
    return file


def _plans(routes: Sequence[Route], towns: Sequence[Path]) -> Iterator[tuple[str, tuple[int | None, int]]]:
    for town in sorted({route.town for route in routes}):  # one after the other: the largest take a gigabyte
        yield from lay_out([route for route in routes if route.town == town], load_map(town, towns)).items()


def _refuse(suite: Suite, problems: Sequence[NotRunnable]) -> None:
    if problems:
        first = problems[0]
        raise RouteError(
            f"{len(problems)} of {suite.size} routes of {suite.name} are not there to tabulate: "
            f"{first.route_name}: {first.reason}",
            hint=f"make routes BENCH={suite.name}, make towns",
        )
