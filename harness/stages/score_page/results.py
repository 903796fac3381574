"""The sections with the results: headline, agents beside each other, seeds, infractions, routes."""

from __future__ import annotations

from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.metrics import lead_parser
from harness.metrics.success import SuccessRule, is_success
from harness.metrics.uncertainty import LEVEL
from harness.results.result_set import ReadRecord
from harness.stages.score import ScoreReport
from harness.stages.score_page.agents import Agents, ScoredAgent, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import NOTHING, Column, Html, HtmlTable, joined, number, numbers, text
from harness.stages.score_page.infraction_events import NAMES
from harness.stages.score_page.infraction_map import mark
from harness.stages.score_text import why_no_headline

_INTERVAL: Final = f"{100.0 * LEVEL:.0f} % interval"


# --- headline --------------------------------------------------------------------------------------------------------


def headline(agents: Agents) -> Html:
    """Return one card per agent with the numbers that are quoted, their divisors and their spread."""
    return Html(f'<section class="cards" aria-label="Scores">\n{joined(map(_card, agents))}</section>\n')


def _card(agent: ScoredAgent) -> Html:
    name = f"<h2>{text(agent.name)}</h2>\n" if agent.name else ""
    means = (
        _means(agent)
        if agent.is_shown
        else paragraph(
            f"No score of {why_no_headline(agent.report)}; --allow-partial shows it with its divisor.", "no-score"
        )
    )
    return Html(f'<article class="card">\n{name}{means}{_counts(agent.report)}</article>\n')


def _means(agent: ScoredAgent) -> Html:
    report, scores = agent.report, agent.report.scores
    facts = [
        (_INTERVAL, f"{report.interval.low:.2f} to {report.interval.high:.2f} (bootstrap)"),
        ("of SR", f"{100.0 * report.success_interval.low:.2f} to {100.0 * report.success_interval.high:.2f} %"),
        ("Seed spread", _spread(report)),
        ("Successes", f"{scores.successes} of {scores.found} (rule {report.rule.value})"),
    ]
    lines = "".join(f"<dt>{text(term)}</dt><dd>{text(words)}</dd>\n" for term, words in facts)
    return Html(
        f'<div class="quoted"><p><b>{scores.driving_score:.2f}</b> driving score</p>\n'
        f"<p><b>{100.0 * scores.success_rate:.2f}\u202f%</b> success rate</p></div>\n{_divisors(report)}"
        f"<dl>\n{lines}</dl>\n"
    )


def _divisors(report: ScoreReport) -> str:
    """Return both means with what each is divided by."""
    scores = report.scores
    available = (scores.available_driving_score, scores.available_success_rate, report.completion_percent)
    rows = (
        ("Official", (scores.driving_score, scores.success_rate, None), scores.expected),
        ("Found only", available, scores.found),
    )
    lines = "".join(
        f'<tr><th scope="row">{name}</th><td>{number(score)}</td><td>{_percent(rate)}</td>'
        f"<td>{number(completion)}</td><td>{divisor}</td></tr>\n"
        for name, (score, rate, completion), divisor in rows
    )
    headings = "".join(f'<th scope="col">{name}</th>' for name in ("DS", "SR [%]", "RC", "Divisor"))
    return (
        f'<table class="divisors">\n<thead><tr><td></td>{headings}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table>\n'
    )


def _percent(rate: float | None) -> str:
    return number(None if rate is None else 100.0 * rate)


def _spread(report: ScoreReport) -> str:
    if report.deviation is None:
        return "none, there is one seed"
    return f"{report.deviation:.2f} (sample formula, n = {len(report.seeds)})"


def _counts(report: ScoreReport) -> Html:
    counts = {
        "expected": report.scores.expected,
        "found": report.scores.found,
        "missing": report.missing,
        "crashed": report.crashed,
        "retried": report.retried,
    }
    alarm = ' class="alarm"'
    cells = "".join(
        f"<li{alarm if count and name in ('missing', 'crashed') else ''}><b>{count}</b> {name}</li>"
        for name, count in counts.items()
    )
    return Html(f'<ul class="counts" aria-label="Drives">{cells}</ul>\n')


# --- tables of means -------------------------------------------------------------------------------------------------


def agents_table(agents: Agents) -> Html:
    """Return the agents beside each other; nothing for one, whose card says the same."""
    if len(agents) < 2:
        return Html("")
    columns = [
        Column("Agent"),
        *numbers("DS", _INTERVAL, "Spread", "SR [%]", "DS", "SR [%]", "RC", "Seeds", "Expected", "Found"),
        *(_worst_high(name) for name in ("Missing", "Crashed", "Retried")),
    ]
    groups = (("", 1), ("Official", 4), ("Found only", 3), ("Drives", 6))
    rows = [[agent.name, *_agent_means(agent), *_agent_counts(agent.report)] for agent in agents]
    table = HtmlTable(label="Agents", columns=columns, rows=rows, identity="agents", groups=groups)
    return section("Agents", table.html())


def _agent_means(agent: ScoredAgent) -> list[str]:
    report, scores = agent.report, agent.report.scores
    if not agent.is_shown:
        return [NOTHING] * 7
    return [
        number(scores.driving_score),
        f"{report.interval.low:.2f} to {report.interval.high:.2f}",
        number(report.deviation),
        _percent(scores.success_rate),
        number(scores.available_driving_score),
        _percent(scores.available_success_rate),
        number(report.completion_percent),
    ]


def _agent_counts(report: ScoreReport) -> list[str]:
    scores = report.scores
    counts = (len(report.seeds), scores.expected, scores.found, report.missing, report.crashed, report.retried)
    return [str(count) for count in counts]


def seeds_table(agents: Agents) -> Html:
    """Return the seeds; nothing where no agent has several."""
    if all(len(agent.report.seeds) < 2 for agent in agents):
        return Html("")
    columns = with_agent(agents, [Column("Seed"), *numbers("DS", "SR [%]", "Found"), _worst_high("Missing")])
    rows = [
        row_of(
            agents,
            agent,
            [
                str(seed.sweep),
                number(seed.scores.driving_score if agent.is_shown else None),
                number(100.0 * seed.scores.success_rate if agent.is_shown else None),
                str(seed.scores.found),
                str(len(seed.missing)),
            ],
        )
        for agent in agents
        for seed in agent.report.seeds
    ]
    return section("Seeds", HtmlTable(label="Seeds", columns=columns, rows=rows, identity="seeds").html())


def _worst_high(heading: str) -> Column:
    return Column(heading, is_number=True, is_worst_high=True)


# --- infractions and routes ------------------------------------------------------------------------------------------


def infractions(agents: Agents) -> Html:
    """Return how many infractions of each kind each agent has, and how many per kilometre."""
    per_agent = (_worst_high("Entries"), _worst_high("Drives"), _worst_high("Per km"))
    columns = [Column("Kind"), *(column for _ in agents for column in per_agent)]
    groups = [("", 1), *((agent.name, 3) for agent in agents)] if len(agents) > 1 else []
    rows = [
        [joined([mark(kind), name]), *(cell for agent in agents for cell in _kind_cells(agent, kind))]
        for kind, name in NAMES.items()
    ]
    table = HtmlTable(label="Infractions by kind", columns=columns, rows=rows, identity="infractions", groups=groups)
    return section("Infractions by kind", table.html(), *(_distance(agents, agent) for agent in agents))


def _kind_cells(agent: ScoredAgent, kind: InfractionKind) -> list[str]:
    entries = agent.events.entries.get(kind, 0)
    # Minimum speed is noted at fixed shares of a route, whatever the speed was: a rate would say nothing.
    has_rate = agent.is_shown and agent.kilometres > 0.0 and kind is not InfractionKind.MIN_SPEED
    rate = number(entries / agent.kilometres if has_rate else None, 3)
    cells = [str(entries), str(agent.events.drives.get(kind, 0)), rate]
    return cells if entries else [Html(f'<span class="zero">{cell}</span>') for cell in cells]


def _distance(agents: Agents, agent: ScoredAgent) -> Html:
    words = [f"{agent.kilometres:.2f} km driven" if agent.kilometres else "no length of a route in the files"]
    parser = agent.report.parser
    if agent.is_shown and isinstance(parser, lead_parser.Summary):
        outside = parser.rates[InfractionKind.OUTSIDE_LANES.value]
        slower = parser.rates[InfractionKind.MIN_SPEED.value]
        words += [] if outside is None else [f"{outside:.2f} % of it off the route's lanes"]
        words += [] if slower is None else [f"{slower:.2f} % slower than the traffic (mean over the records)"]
        words.append(f"normalised driving score {parser.normalised_driving_score:.2f}")
    name = f"{agent.name}: " if len(agents) > 1 else ""
    return paragraph(f"{name}{', '.join(words)}", "note tight")


def routes(agents: Agents) -> Html:
    """Return every drive."""
    columns = [
        Column("Route"),
        *numbers("Seed", "DS", "RC", "Penalty"),
        Column("Success"),
        _worst_high("Infractions"),
        *(Column(heading) for heading in ("Kinds", "Status", "Town", "Scenario")),
    ]
    order = {xml_id: place for place, xml_id in enumerate(agents[0].report.stems)}
    drives = sorted(
        ((agent, record) for agent in agents for record in agent.report.records),
        key=lambda drive: (order[drive[1].route.xml_id], drive[0].number),
    )
    rule = agents[0].report.rule
    rows = [row_of(agents, agent, _drive_cells(agent, record, rule), at=1) for agent, record in drives]
    table = HtmlTable(label="Routes", columns=with_agent(agents, columns, at=1), rows=rows, identity="routes")
    field = (
        '<p class="search needs-script"><label>Only rows with this route, town or status: '
        '<input type="search" data-table="routes" autocomplete="off"></label> <output></output></p>\n'
    )
    note = "A click on DS puts the worst on top. Infractions are counted without the checks of minimum speed."
    return section("Routes", paragraph(note, "note"), Html(field), table.html())


def _drive_cells(agent: ScoredAgent, record: ReadRecord, rule: SuccessRule) -> list[str]:
    route = record.route
    counts = {
        name: len(route.messages.get(kind.value, ()))
        for kind, name in NAMES.items()
        if kind is not InfractionKind.MIN_SPEED
    }
    kinds = [name if count == 1 else f"{name} ({count})" for name, count in counts.items() if count]
    return [
        agent.stem(record),
        str(record.sweep),
        f"{route.driving_score:.2f}",
        f"{route.completion_percent:.2f}",
        f"{route.penalty:.3f}",
        "yes" if is_success(route, rule) else "no",
        str(sum(counts.values())),
        ", ".join(kinds) or NOTHING,
        route.status,
        agent.report.facts[route.xml_id].town,
        agent.scenario(record),
    ]
