"""The section with one map of infractions per town, the filters above them and the same events as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.stages.score_page.agents import Agents, paragraph, row_of, section, with_agent
from harness.stages.score_page.html_table import Column, Html, HtmlTable, folded, joined, numbers, text
from harness.stages.score_page.infraction_events import NAMES, PlacedEvent
from harness.stages.score_page.infraction_map import frame_of, mark, town_map

#: Towns with so many events get the whole width of the page; the others stand side by side.
_MANY: Final = 25
_WIDE_PX: Final = 1000.0
_NARROW_PX: Final = 420.0


def infraction_maps(agents: Agents) -> Html:
    """Return the maps; the section is there even if no event has a place, to say so."""
    events = [event for agent in agents for event in agent.events.placed]
    by_town: dict[str, list[PlacedEvent]] = {}
    for event in events:
        by_town.setdefault(event.town, []).append(event)
    towns = sorted(by_town, key=lambda town: (-len(by_town[town]), town))
    if not towns:
        return section("Where", paragraph("No event names a place on a map."), _without_place(agents))
    figures = joined(_figure(agents, town, by_town[town], is_only=len(towns) == 1) for town in towns)
    return section(
        "Where",
        paragraph(
            "Seen from above as in CARLA: x grows to the right, y downwards, both in metres and on one scale. Each map "
            "reaches as far as its events do. Rest the pointer on a mark for its drive.",
            "note",
        ),
        _filters(agents, events),
        Html(f'<div class="maps">\n{figures}</div>\n'),
        _without_place(agents),
        folded(f"All {len(events)} events with a place", _event_table(agents, events)),
    )


def _figure(agents: Agents, town: str, events: Sequence[PlacedEvent], *, is_only: bool) -> Html:
    is_wide = is_only or len(events) >= _MANY
    frame = frame_of(events, _WIDE_PX) if is_wide else frame_of(events, _NARROW_PX, 0.75)
    drawing = town_map(town, events, lambda event: _tooltip(agents, event), frame)
    buttons = "".join(
        f'<button type="button" data-zoom="{step}" aria-label="{words} {text(town)}">{sign}</button>'
        for step, sign, words in (("-1", "\u2212", "Smaller map of"), ("1", "+", "Larger map of"))
    )
    count = f"{len(events)} event{'s' if len(events) != 1 else ''}, grid {frame.grid_m:.0f} m"
    return Html(
        f'<figure class="{"wide" if is_wide else "narrow"}" data-zoom="1">\n<figcaption><b>{text(town)}</b> '
        f'<span class="count">{count}</span><span class="zoom needs-script">{buttons}</span></figcaption>\n'
        f'<div class="window" tabindex="0" role="region" aria-label="Map of {text(town)}">{drawing}</div>\n</figure>\n'
    )


def _tooltip(agents: Agents, event: PlacedEvent) -> str:
    agent, record = agents[event.agent], event.record
    lines = [NAMES[event.kind] + (f" ({event.other_type})" if event.other_type else "")]
    lines += [agent.name] if len(agents) > 1 else []
    lines.append(f"{agent.stem(record)}, seed {record.sweep}")
    lines.append(f"x {event.x_m:.1f} m, y {event.y_m:.1f} m")
    return "\n".join(lines)


def _filters(agents: Agents, events: Sequence[PlacedEvent]) -> Html:
    """Return the legend, whose entries switch the marks of a kind or of an agent on and off."""
    by_kind, by_agent = Counter(event.kind for event in events), Counter(event.agent for event in events)
    kinds = [
        _choice("kind", kind, joined([mark(kind), f"{name} "]), by_kind[kind])
        for kind, name in NAMES.items()
        if by_kind[kind]
    ]
    boxes = _fieldset("Kind", kinds)
    if len(agents) > 1:
        names = [_choice("agent", str(agent.number), f"{agent.name} ", by_agent[agent.number]) for agent in agents]
        boxes = joined([_fieldset("Agent", names), boxes])
    return Html(f'<form class="filters">\n{boxes}</form>\n')


def _fieldset(title: str, choices: Sequence[Html]) -> Html:
    return Html(f'<fieldset><legend>{text(title)}</legend><div class="choices">{joined(choices)}</div></fieldset>\n')


def _choice(name: str, value: InfractionKind | str, words: str, count: int) -> Html:
    return Html(
        f'<label><input type="checkbox" class="needs-script" name="{name}" value="{text(value)}" checked>{text(words)}'
        f'<span class="count">{count}</span></label>'
    )


def _without_place(agents: Agents) -> Html:
    """Return what the maps do not show."""
    counts: Counter[str] = Counter()
    for agent in agents:
        counts.update({NAMES[kind].lower(): count for kind, count in agent.events.unplaced.items()})
        counts["not understood"] += agent.events.unreadable
    named = [f"{name} {count}" for name, count in counts.items() if count]
    return paragraph(f"Without a place on a map: {', '.join(named)}.", "note") if named else Html("")


def _event_table(agents: Agents, events: Sequence[PlacedEvent]) -> Html:
    columns = [Column("Route"), Column("Town"), Column("Kind"), *numbers("Seed", "x [m]", "y [m]"), Column("Against")]
    rows = [
        row_of(agents, agents[event.agent], _event_cells(agents, event), at=1)
        for event in sorted(events, key=lambda event: event.town)
    ]
    columns = with_agent(agents, columns, at=1)
    return HtmlTable(label="Events with a place", columns=columns, rows=rows, identity="events").html()


def _event_cells(agents: Agents, event: PlacedEvent) -> list[str]:
    return [
        agents[event.agent].stem(event.record),
        event.town,
        NAMES[event.kind],
        str(event.record.sweep),
        f"{event.x_m:.1f}",
        f"{event.y_m:.1f}",
        event.other_type or "-",
    ]
