"""The infractions of scored drives: how many of each kind, and where in the town."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.datatypes.infraction import InfractionKind
from harness.errors import HarnessError
from harness.metrics.sentences import read_sentence
from harness.results.result_set import ReadRecord
from harness.route_facts import RouteFacts

#: What a kind is called on a page, collisions first.
NAMES: Final[Mapping[InfractionKind, str]] = {
    InfractionKind.COLLISION_PEDESTRIAN: "Collision with pedestrian",
    InfractionKind.COLLISION_VEHICLE: "Collision with vehicle",
    InfractionKind.COLLISION_LAYOUT: "Collision with layout",
    InfractionKind.RED_LIGHT: "Red light",
    InfractionKind.STOP: "Stop sign",
    InfractionKind.YIELD_EMERGENCY: "Emergency vehicle not let pass",
    InfractionKind.SCENARIO_TIMEOUT: "Scenario timeout",
    InfractionKind.ROUTE_DEVIATION: "Route deviation",
    InfractionKind.BLOCKED: "Blocked",
    InfractionKind.ROUTE_TIMEOUT: "Route timeout",
    InfractionKind.OUTSIDE_LANES: "Off the route's lanes",
    InfractionKind.MIN_SPEED: "Minimum speed",
}
#: Kinds whose sentences never name a place.
WITHOUT_PLACE: Final = frozenset({InfractionKind.ROUTE_TIMEOUT, InfractionKind.OUTSIDE_LANES, InfractionKind.MIN_SPEED})
#: No town reaches this far from its origin [m]; what is said to lie beyond would shrink the others to a dot.
FARTHEST_M: Final = 100_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedEvent:
    """An infraction whose sentence says where the ego was.

    Attributes:
        agent: its number on the page, from 0.
        x_m, y_m: in CARLA's world frame, which is left-handed: seen from above, y grows to the right of x.
        other_type: type id of the other actor; "" if the sentence names none.
    """

    agent: int
    record: ReadRecord
    town: str
    kind: InfractionKind
    x_m: float
    y_m: float
    other_type: str


@dataclass(frozen=True, kw_only=True)
class Events:
    """All infractions of one agent.

    Attributes:
        placed: in the order of the records.
        entries: number of entries by kind, with or without a place.
        drives: number of drives with at least one.
        unplaced: entries by kind that name no place on a map.
        unreadable: entries that are no sentence of a known kind.
    """

    placed: tuple[PlacedEvent, ...]
    entries: Mapping[InfractionKind, int]
    drives: Mapping[InfractionKind, int]
    unplaced: Mapping[InfractionKind, int]
    unreadable: int


def collect_events(agent: int, records: tuple[ReadRecord, ...], facts: Mapping[str, RouteFacts]) -> Events:
    """Return the infractions of one agent's records."""
    placed: list[PlacedEvent] = []
    entries: Counter[InfractionKind] = Counter()
    drives: Counter[InfractionKind] = Counter()
    unplaced: Counter[InfractionKind] = Counter()
    unreadable = 0
    for record in records:
        town = facts[record.route.xml_id].town
        for key, sentences in record.route.messages.items():
            kind = _KINDS.get(key)
            if kind is None:
                unreadable += len(sentences)
                continue
            entries[kind] += len(sentences)
            drives[kind] += bool(sentences)
            if kind in WITHOUT_PLACE:
                unplaced[kind] += len(sentences)
                continue
            for sentence in sentences:
                try:
                    event = _placed(agent, record, town, kind, sentence)
                except HarnessError:
                    unreadable += 1
                    continue
                if event is None:
                    unplaced[kind] += 1
                else:
                    placed.append(event)
    return Events(placed=tuple(placed), entries=entries, drives=drives, unplaced=+unplaced, unreadable=unreadable)


_KINDS: Final = {kind.value: kind for kind in InfractionKind}


def _placed(agent: int, record: ReadRecord, town: str, kind: InfractionKind, sentence: str) -> PlacedEvent | None:
    facts = read_sentence(kind, sentence)
    place = facts.location_world
    if place is None or max(abs(place.x), abs(place.y)) > FARTHEST_M:
        return None
    return PlacedEvent(
        agent=agent, record=record, town=town, kind=kind, x_m=place.x, y_m=place.y, other_type=facts.other_type
    )
