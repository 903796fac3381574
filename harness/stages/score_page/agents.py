"""The agents of the page, and what all its sections are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from harness.results.result_set import ReadRecord
from harness.route_facts import RouteFacts
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
        facts: town and scenario by XML id.
    """

    number: int
    name: str
    report: ScoreReport
    is_shown: bool
    facts: Mapping[str, RouteFacts]

    @cached_property
    def stems(self) -> dict[str, str]:
        """File stem of each route of the suite by XML id, in the order of the suite."""
        return {route.route_id: route.stem for route in self.report.suite.routes}

    @cached_property
    def records(self) -> tuple[ReadRecord, ...]:
        """The records that count."""
        return tuple(each for each in self.report.results.records if each.route.xml_id in self.stems)

    @cached_property
    def events(self) -> Events:
        """The infractions in them."""
        return collect_events(self.number, self.records, self.facts)

    @cached_property
    def kilometres(self) -> float:
        """Distance driven: length times completion, summed over the records."""
        metres = sum(each.route.length_m * each.route.completion_percent / 100.0 for each in self.records)
        return metres / 1000.0

    def stem(self, xml_id: str) -> str:
        """Return the name of a route."""
        return self.stems.get(xml_id, xml_id)

    def scenario(self, record: ReadRecord) -> str:
        """Return the first scenario of a record's route."""
        known = self.facts.get(record.route.xml_id)
        return (known.scenario if known else record.route.scenario) or NOTHING


Agents = Sequence[ScoredAgent]


def section(title: str, *parts: str) -> Html:
    """Return a section with its heading; nothing without content."""
    content = joined(parts)
    return Html(f"<section>\n<h2>{text(title)}</h2>\n{content}</section>\n") if content else Html("")


def paragraph(words: str, kind: str = "") -> Html:
    """Return a paragraph."""
    return Html(f'<p class="{kind}">{text(words)}</p>\n') if kind else Html(f"<p>{text(words)}</p>\n")


def seed_name(seed: int | None) -> str:
    """Return a seed to show."""
    return "unknown" if seed is None else str(seed)


def with_agent(agents: Agents, columns: Sequence[Column], at: int = 0) -> list[Column]:
    """Return columns, with one for the agent where there are several."""
    return [*columns[:at], _AGENT, *columns[at:]] if len(agents) > 1 else list(columns)


def row_of(agents: Agents, agent: ScoredAgent, cells: Sequence[str], at: int = 0) -> list[str]:
    """Return the row that belongs to columns of `with_agent`."""
    return [*cells[:at], agent.name, *cells[at:]] if len(agents) > 1 else list(cells)
