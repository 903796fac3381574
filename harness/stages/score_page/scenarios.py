"""The sections by scenario: each agent alone, and the two that are compared."""

from __future__ import annotations

from harness.metrics.uncertainty import LEVEL, Paired
from harness.stages.score_compare import Comparison
from harness.stages.score_page.agents import Agents, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import Column, Html, HtmlTable, folded, number, numbers


def by_scenario(agents: Agents) -> Html:
    """Return means by scenario; nothing where routes have none, or where the benchmark has tables of its own."""
    shown = [agent for agent in agents if agent.is_shown and agent.report.splits is None]
    if not shown or all(len(agent.report.scenarios) < 2 for agent in shown):
        return Html("")
    columns = with_agent(agents, [Column("Scenario"), *numbers("DS", "SR [%]", "Found", "Expected")], at=1)
    rows = [
        row_of(
            agents,
            agent,
            [
                name,
                number(scores.driving_score),
                number(100.0 * scores.success_rate, 1),
                str(scores.found),
                str(scores.expected),
            ],
            at=1,
        )
        for name in shown[0].report.scenarios
        for agent in shown
        for scores in [agent.report.scenarios[name]]
    ]
    table = HtmlTable(label="Scenarios", columns=columns, rows=rows, identity="scenarios")
    return section("Scenarios", paragraph("A missing drive counts as zero.", "note"), table.html())


def compared(agents: Agents, comparison: Comparison | None) -> Html:
    """Return how the second of two agents differs from the first; nothing if none are compared."""
    both = [agent for agent in agents if comparison is not None and agent.name in (comparison.first, comparison.second)]
    if comparison is None or not all(agent.is_shown for agent in both):
        return Html("")
    found = comparison.overall
    words = (
        f"On {found.routes} routes that both have, the driving score of {comparison.second} is "
        f"{found.difference:+.2f} against {comparison.first}, {100.0 * LEVEL:.0f} % interval over routes "
        f"{found.interval.low:+.2f} to {found.interval.high:+.2f}."
    )
    columns = [Column("Scenario"), *numbers("Difference", "Low", "High", "Routes", "Better", "Worse")]
    rows = [[name, *_cells(each)] for name, each in comparison.scenarios.items()]
    routes = [[stem, "better" if stem in set(found.won) else "worse"] for stem in sorted((*found.won, *found.lost))]
    by_route = HtmlTable(label="Routes won and lost", columns=[Column("Route"), Column("Result")], rows=routes)
    return section(
        f"{comparison.second} against {comparison.first}",
        paragraph(words),
        HtmlTable(label="Differences by scenario", columns=columns, rows=rows, identity="comparison").html(),
        folded(f"{len(found.won)} routes better, {len(found.lost)} worse", by_route.html()),
    )


def _cells(each: Paired) -> list[str]:
    values = (each.difference, each.interval.low, each.interval.high)
    return [*(f"{value:+.2f}" for value in values), str(each.routes), str(len(each.won)), str(len(each.lost))]
