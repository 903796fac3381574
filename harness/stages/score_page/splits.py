"""The section with what Fail2Drive is about: Base against Generalization."""

from __future__ import annotations

from collections.abc import Sequence

from harness.metrics import fail2drive
from harness.metrics.fail2drive import Split
from harness.stages.score_page.agents import Agents, ScoredAgent, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import NOTHING, Column, Html, HtmlTable, number, numbers


def splits(agents: Agents) -> Html:
    """Return Base against Generalization: everything, by class and by scenario; nothing for other benchmarks."""
    shown = [(agent, agent.report.splits) for agent in agents if agent.is_shown and agent.report.splits is not None]
    if not shown:
        return Html("")
    rows = [
        row_of(agents, agent, [split.value, *_half_cells(scores.splits[split])])
        for agent, scores in shown
        for split in Split
    ]
    columns = with_agent(agents, [Column("Split"), *numbers("DS", "SR [%]", "HM", "RC", "Found", "Expected")])
    return section(
        "Base and Generalization",
        paragraph("HM is the harmonic mean of DS and SR. Changes are from Base to Generalization.", "note"),
        HtmlTable(label="Splits", columns=columns, rows=rows, identity="splits").html(),
        _titled("Change", _changes(agents, shown)),
        _titled("Classes", _comparisons(agents, [(a, row) for a, scores in shown for row in scores.classes], "Class")),
        _titled(
            "Scenarios",
            _comparisons(agents, [(a, row) for a, scores in shown for row in scores.scenarios], "Scenario"),
        ),
    )


def _titled(title: str, table: HtmlTable) -> Html:
    """Return a table below its heading; nothing without rows, as where a split has no drive."""
    return Html(f"<h3>{title}</h3>\n{table.html()}") if table.rows else Html("")


def _half_cells(half: fail2drive.SplitScores) -> list[str]:
    means = (half.driving_score, half.success_percent, half.harmonic_mean, half.route_completion)
    return [*(number(value, 1) for value in means), str(half.scores.found), str(half.scores.expected)]


def _changes(agents: Agents, shown: Sequence[tuple[ScoredAgent, fail2drive.Fail2DriveScores]]) -> HtmlTable:
    rows = []
    for agent, scores in shown:
        if scores.main is None:
            continue
        kinds: dict[str, fail2drive.PrintedRow | fail2drive.Comparison] = {
            "rounded first, as the benchmark's parser": fail2drive.printed_row(scores.main),
            "unrounded, as its leaderboard": scores.main,
        }
        rows += [row_of(agents, agent, [name, *_change_cells(changes)]) for name, changes in kinds.items()]
    columns = with_agent(agents, [Column("Computed"), *numbers("DS [%]", "SR [%]", "HM [%]")])
    return HtmlTable(label="Change", columns=columns, rows=rows, identity="changes")


def _change_cells(row: fail2drive.PrintedRow | fail2drive.Comparison) -> list[str]:
    changes = (row.driving_score_change, row.success_change, row.harmonic_mean_change)
    return [NOTHING if value != value else f"{value:+.1f}" for value in changes]


def _comparisons(agents: Agents, found: Sequence[tuple[ScoredAgent, fail2drive.Comparison]], heading: str) -> HtmlTable:
    columns = with_agent(
        agents,
        [
            Column(heading),
            *numbers("DS", "SR [%]", "HM", "DS", "SR [%]", "HM", "DS [%]", "SR [%]", "HM [%]"),
        ],
        at=1,
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(row.name for _, row in found))}
    rows = [
        row_of(agents, agent, [row.name, *_comparison_cells(row)], at=1)
        for agent, row in sorted(found, key=lambda pair: order[pair[1].name])
    ]
    groups = (("", len(columns) - 9), ("Base", 3), ("Generalization", 3), ("Change", 3))
    return HtmlTable(label=heading, columns=columns, rows=rows, identity=heading.lower(), groups=groups)


def _comparison_cells(row: fail2drive.Comparison) -> list[str]:
    halves = [
        number(value, 1)
        for half in (row.base, row.generalization)
        for value in (half.driving_score, half.success_percent, half.harmonic_mean)
    ]
    return [*halves, *_change_cells(row)]
