"""The agents of the page, and what all its sections are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from harness.results.result_set import ReadRecord
from harness.stages.score import ScoreReport
from harness.stages.score_page.html_table import NOTHING, Column, Html, joined, text
from harness.stages.score_page.infraction_events import Events, collect_events

_AGENT: Final = Column("Agent")


@dataclass(frozen=True, kw_only=True)
class ScoredAgent:
    """One agent as the page shows it.

    Attributes:
        number: its place on the page, from 0.
        is_shown: whether its means may be shown: its set is complete, or it was asked for partial ones.
    """

    number: int
    name: str
    report: ScoreReport
    is_shown: bool

    @cached_property
    def events(self) -> Events:
        """The infractions in its records."""
        return collect_events(self.number, self.report.records, self.report.facts)

    @cached_property
    def kilometres(self) -> float:
        """Distance driven: length times completion, summed over the records."""
        metres = sum(each.route.length_m * each.route.completion_percent / 100.0 for each in self.report.records)
        return metres / 1000.0

    def stem(self, record: ReadRecord) -> str:
        """Return the name of a record's route."""
        return self.report.stems[record.route.xml_id]

    def scenario(self, record: ReadRecord) -> str:
        """Return the first scenario of a record's route."""
        return self.report.facts[record.route.xml_id].scenario or NOTHING


Agents = Sequence[ScoredAgent]


def section(title: str, *parts: str) -> Html:
    """Return a section with its heading; nothing without content."""
    content = joined(parts)
    return Html(f"<section>\n<h2>{text(title)}</h2>\n{content}</section>\n") if content else Html("")


def paragraph(words: str, kind: str = "") -> Html:
    """Return a paragraph."""
    return Html(f'<p class="{kind}">{text(words)}</p>\n') if kind else Html(f"<p>{text(words)}</p>\n")


def with_agent(agents: Agents, columns: Sequence[Column], at: int = 0) -> list[Column]:
    """Return columns, with one for the agent where there are several."""
    return [*columns[:at], _AGENT, *columns[at:]] if len(agents) > 1 else list(columns)


def row_of(agents: Agents, agent: ScoredAgent, cells: Sequence[str], at: int = 0) -> list[str]:
    """Return the row that belongs to columns of `with_agent`."""
    return [*cells[:at], agent.name, *cells[at:]] if len(agents) > 1 else list(cells)
