"""The sections of the page of `harness score` that say what the scores rest on: what is missing, what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.metrics.rules import TITLES
from harness.results.result_set import ResultFile
from harness.stages.score_page.agents import Agents, ScoredAgent, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import NOTHING, Column, Html, HtmlTable, folded, joined, numbers, text
from harness.stages.score_text import provenance

#: Longer lists are folded.
_LONG = 12


def missing(agents: Agents) -> Html:
    """Return the drives that are expected and have no record."""
    rows = [
        row_of(agents, agent, [stem, *_town_and_scenario(agent, stem), str(seed.sweep)], at=1)
        for agent in agents
        for seed in agent.report.seeds
        for stem in seed.missing
    ]
    if not rows:
        return section("Missing drives", paragraph("None."))
    columns = with_agent(agents, [Column("Route"), Column("Town"), Column("Scenario"), *numbers("Seed")], at=1)
    table = HtmlTable(label="Missing drives", columns=columns, rows=rows, identity="missing").html()
    return section("Missing drives", folded(f"{len(rows)} missing", table, is_open=len(rows) <= _LONG))


def _town_and_scenario(agent: ScoredAgent, stem: str) -> tuple[str, str]:
    xml_id = next(xml_id for xml_id, known in agent.report.stems.items() if known == stem)
    facts = agent.report.facts[xml_id]
    return facts.town, facts.scenario or NOTHING


def statuses(agents: Agents) -> Html:
    """Return how many drives ended in which way."""
    names = sorted({status for agent in agents for status in agent.report.statuses})
    headings = [agent.name for agent in agents] if len(agents) > 1 else ["Drives"]
    columns = [Column("Status"), *(Column(heading, is_number=True, is_worst_high=True) for heading in headings)]
    rows = [[name, *(str(agent.report.statuses.get(name, 0)) for agent in agents)] for name in names]
    return section("Statuses", HtmlTable(label="Statuses", columns=columns, rows=rows, identity="statuses").html())


def audits(agents: Agents) -> Html:
    """Return the drives whose penalty does not follow from their events by the rules of the benchmark."""
    parts: list[Html] = []
    for agent in agents:
        parts += _audit_words(agents, agent)
    rows = [row for agent in agents for row in _mismatches(agents, agent)]
    if rows:
        columns = [Column("Route"), *numbers("Seed", "Penalty found", "Penalty expected"), Column("Explained by")]
        table = HtmlTable(
            label="Penalties that do not fit", columns=with_agent(agents, columns, at=1), rows=rows, identity="audit"
        ).html()
        parts.append(folded(f"{len(rows)} that do not follow", table, is_open=len(rows) <= _LONG))
    return section("Audit of penalties", *parts)


def _audit_words(agents: Agents, agent: ScoredAgent) -> Iterator[Html]:
    found, wanted = agent.report.audit, agent.report.rule_version
    fits = len(found.audits) - len(found.mismatches(wanted))
    name = f"{agent.name}: " if len(agents) > 1 else ""
    words = f"{name}{fits} of {len(found.audits)} penalties follow from their events by {TITLES[wanted]}."
    if found.audits and wanted not in found.best_fits:
        better = ", ".join(TITLES[version] for version in found.best_fits) or "no rules"
        words += f" The files fit better to: {better}."
    yield paragraph(words)
    if found.unreadable:
        yield paragraph(f"{name}{len(found.unreadable)} records could not be audited:")
        yield bullets([reason for _, reason in found.unreadable])


def _mismatches(agents: Agents, agent: ScoredAgent) -> Iterator[list[str]]:
    wanted = agent.report.rule_version
    # An audit knows the route alone; records are told apart by being the same object.
    records = {id(record.route): record for record in agent.report.records}
    for each in agent.report.audit.mismatches(wanted):
        record = records[id(each.route)]
        cells = [
            agent.stem(record),
            str(record.sweep),
            f"{each.route.penalty:.6f}",
            f"{each.expected[wanted]:.6f}",
            ", ".join(TITLES[version] for version in each.fits) or "no rules",
        ]
        yield row_of(agents, agent, cells, at=1)


def problems(agents: Agents) -> Html:
    """Return what may be a result and does not count, and what was left out on purpose."""
    parts: list[Html] = []
    for agent in agents:
        results, name = agent.report.results, f"{agent.name}: " if len(agents) > 1 else ""
        lists = {
            "problems": [str(problem) for problem in agent.report.problems],
            "notes": [str(note) for note in results.notes],
            "records of other routes, not counted": list(agent.report.outside),
        }
        for what, lines in lists.items():
            if lines:
                parts.append(folded(f"{name}{len(lines)} {what}", bullets(lines), is_open=len(lines) <= _LONG))
    return section("Problems and notes", *(parts or [paragraph("None.")]))


def files(agents: Agents) -> Html:
    """Return the files that were read, with their sums."""
    parts = []
    for agent in agents:
        of_agent = agent.report.results.files
        folder = common_folder(of_agent)
        columns = [Column("File"), Column("Kind"), *numbers("Records"), Column("SHA-256")]
        rows = [
            [file.name[len(folder) :], file.kind.value, str(file.counted), Html(f"<code>{text(file.sha256)}</code>")]
            for file in of_agent
        ]
        name = f"{agent.name}: " if len(agents) > 1 else ""
        table = HtmlTable(label=f"Files {agent.name}", columns=columns, rows=rows).html()
        below = paragraph(f"{provenance(agent.report)}. Names begin below {folder or 'no common folder'}", "note")
        parts.append(folded(f"{name}{len(of_agent)} files", joined([below, table])))
    return section("Files", *parts)


def common_folder(of_agent: Sequence[ResultFile]) -> str:
    """Return the path up to which all names are equal, with its slash; "" if there is none."""
    names = [file.name for file in of_agent]
    if not names:
        return ""
    first, last = min(names), max(names)
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def bullets(lines: Sequence[str]) -> Html:
    """Return a list."""
    items = "\n".join(f"<li>{text(line)}</li>" for line in lines)
    return Html(f'<ul class="lines">\n{items}\n</ul>\n')
