"""Which scenarios this version can play on a route."""

from __future__ import annotations

from harness.datatypes.route import Route

#: Types of scenarios that are played when a route is driven; the others are left out of the drive.
IMPLEMENTED_SCENARIOS: frozenset[str] = frozenset()
#: Folder of a dataset for routes without scenarios, as LEAD calls it.
NO_SCENARIOS = "noScenarios"


def scenario_types(route: Route) -> list[str]:
    """Return the types of the scenarios of a route, each once, in the order of the file."""
    return list(dict.fromkeys(scenario.type for scenario in route.scenarios))


def not_implemented(route: Route, implemented: frozenset[str] = IMPLEMENTED_SCENARIOS) -> list[str]:
    """Return the types of the scenarios of a route that cannot be played."""
    return [kind for kind in scenario_types(route) if kind not in implemented]


def scenario_label(route: Route) -> str:
    """Return the folder of a dataset that a route belongs to: the type of its first scenario."""
    return next(iter(scenario_types(route)), NO_SCENARIOS)
