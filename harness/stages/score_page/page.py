"""One HTML file with all that `harness score` found: no other file, no network, the same bytes for the same input.

Its policy for content allows this style sheet and this script by their sums and nothing else, so that a name in a
result file cannot become code even if escaping it were forgotten.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from harness import __version__
from harness.metrics.rules import TITLES
from harness.metrics.success import SuccessRule
from harness.stages.score import ScoreReport
from harness.stages.score_compare import Comparison
from harness.stages.score_page import abilities, checks, maps, results, scenarios, splits
from harness.stages.score_page.agents import Agents, ScoredAgent
from harness.stages.score_page.html_table import Html, joined, text
from harness.stages.score_page.infraction_map import shapes

#: The page below the means, from top to bottom; a new section is one more function here.
SECTIONS: Final[Sequence[Callable[[Agents], Html]]] = (
    abilities.abilities,
    splits.splits,
    scenarios.by_scenario,
    results.infractions,
    maps.infraction_maps,
    results.routes,
    results.seeds_table,
    checks.statuses,
    checks.missing,
    checks.audits,
    checks.problems,
    checks.files,
)
_RULES: Final[Mapping[SuccessRule, str]] = {
    SuccessRule.B2D: "finished, and no entry but minimum speed",
    SuccessRule.F2D: "no entry but minimum speed and leaving the lanes",
    SuccessRule.PERFECT: "driving score 100 and penalty 1",
}


def page(
    reports: Mapping[str, ScoreReport], comparison: Comparison | None = None, *, allow_partial: bool = False
) -> str:
    """Return the page.

    Args:
        reports: by name of the agent, at least one, all of one benchmark.
        comparison: of two of them.
        allow_partial: show the scores of an incomplete set too, with their divisor.
    """
    agents = [
        ScoredAgent(number=place, name=name, report=report, is_shown=report.has_headline or allow_partial)
        for place, (name, report) in enumerate(reports.items())
    ]
    means = [results.headline(agents), results.agents_table(agents), scenarios.compared(agents, comparison)]
    body = joined([*means, *(make(agents) for make in SECTIONS)])
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n{_head(agents)}<body>\n{shapes()}'
        f"<header>\n{_header(agents[0].report)}</header>\n"
        f"<main>\n{body}</main>\n<footer><p>Scored by carla-harness {__version__}</p></footer>\n"
        f"<script>{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _head(agents: Agents) -> str:
    names = ", ".join(agent.name for agent in agents if agent.name)
    title = f"{agents[0].report.suite.title}: {names}" if names else agents[0].report.suite.title
    style = _asset("page.css")
    policy = f"default-src 'none'; style-src '{_sum(style)}'; script-src '{_sum(_asset('page.js'))}'"
    return (
        f'<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)}</title>\n'
        f"<style>{style}</style>\n</head>\n"
    )


def _header(report: ScoreReport) -> Html:
    suite = report.suite
    facts = [
        ("Routes", f"{suite.size}, edition {suite.set_version}" if suite.set_version else str(suite.size)),
        ("Rules", TITLES[report.rule_version]),
        ("Success", f"{report.rule.value}: {_RULES[report.rule]}"),
        ("Official", "a missing drive counts as zero"),
    ]
    items = "".join(f"<div><dt>{term}</dt><dd>{text(words)}</dd></div>\n" for term, words in facts)
    return Html(f"<h1>{text(suite.title)}</h1>\n<dl>\n{items}</dl>\n")


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _sum(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
