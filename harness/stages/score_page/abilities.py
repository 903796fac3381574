"""The section with what Bench2Drive prints beside its driving score: efficiency, comfort, five abilities."""

from __future__ import annotations

from harness.metrics.bench2drive import ABILITIES
from harness.stages.score_page.agents import Agents, ScoredAgent, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import Column, Html, HtmlTable, number, numbers


def abilities(agents: Agents) -> Html:
    """Return the section; nothing for other benchmarks."""
    shown = [agent for agent in agents if agent.is_shown and agent.report.abilities]
    if not shown:
        return Html("")
    note = (
        "Efficiency is the mean speed in percent of the traffic's and no praise by itself. The formulas differ in how "
        "a junction that was passed counts; published tables use that of 0.0.3."
    )
    columns = with_agent(agents, [Column("Formula"), *numbers(*(name.replace("_", " ") for name in ABILITIES), "Mean")])
    rows = [
        row_of(agents, agent, [table.formula.value, *map(_percent, (*table.values.values(), table.mean))])
        for agent in shown
        for table in agent.report.abilities
    ]
    return section(
        "Efficiency, comfort, abilities",
        paragraph(note, "note"),
        *(paragraph(f"{agent.name}: {_words(agent)}") for agent in shown),
        HtmlTable(label="Abilities in percent", columns=columns, rows=rows, identity="abilities").html(),
    )


def _words(agent: ScoredAgent) -> str:
    efficiency, comfort = agent.report.efficiency, agent.report.comfort
    words = "no driving efficiency"
    if efficiency is not None and efficiency.percent is not None:
        words = f"driving efficiency {efficiency.percent:.2f} % over {efficiency.routes} records"
    if comfort is None or comfort.value is None:
        return f"{words}; no comfort, since no record has a metric_info.json"
    return f"{words}; comfort {100.0 * comfort.value:.2f} % over {comfort.routes} records"


def _percent(share: float | None) -> str:
    return number(None if share is None else 100.0 * share)
