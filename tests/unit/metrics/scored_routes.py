"""Records as hypothesis draws them: any statuses, scores and sentences that a file may hold."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import settings
from hypothesis import strategies as st

from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute

TYPES = ("Accident", "HighwayExit", "EnterActorFlow", "HardBreakRoute", "InvadingTurn", "T_Junction", "ControlLoss")
STATUSES = (
    "Perfect",
    "Completed",
    "Failed",
    "Failed - Agent got blocked",
    "Failed - Agent couldn't be set up",
    "Failed - Simulation crashed",
    "Failed - TickRuntime",
)
MIN_SPEED = InfractionKind.MIN_SPEED.value
OUTSIDE = InfractionKind.OUTSIDE_LANES.value

#: Drawing whole runs is slow; what can go wrong with them shows within a few.
few_examples = settings(max_examples=40)

_percents = st.floats(0.0, 100.0).map(lambda value: round(value, 2))
_speeds = _percents.map(lambda p: f"Average speed is {p}% of the surrounding traffic's one")
_lanes = st.tuples(st.floats(0.0, 900.0), _percents).map(
    lambda a: f"Agent went outside its route lanes for about {round(a[0], 3)} meters ({a[1]}% of the completed route)"
)
_KINDS = st.sampled_from([kind.value for kind in InfractionKind])
_entries = st.one_of(
    st.tuples(st.just(MIN_SPEED), _speeds),
    st.tuples(_KINDS.filter(lambda kind: kind not in (MIN_SPEED, OUTSIDE)), st.just("an event")),
)


def _grouped(entries: list[tuple[str, str]], lane: str | None) -> dict[str, tuple[str, ...]]:
    """Put sentences under their keys; at most one is about lanes, as in any file."""
    messages: dict[str, tuple[str, ...]] = {OUTSIDE: (lane,)} if lane else {}
    for key, text in entries:
        messages[key] = (*messages.get(key, ()), text)
    return messages


_messages = st.builds(_grouped, st.lists(_entries, max_size=4), st.none() | _lanes)


def route(
    xml_id: str = "1",
    *,
    status: str = "Completed",
    completion_percent: float = 100.0,
    penalty: float = 1.0,
    messages: Mapping[str, tuple[str, ...]] | None = None,
    length_m: float = 1000.0,
    duration_sim_s: float = 60.0,
) -> ScoredRoute:
    """Make a record whose driving score follows from completion and penalty."""
    return ScoredRoute(
        route_id=f"RouteScenario_{xml_id}_rep0",
        xml_id=xml_id,
        repetition=0,
        status=status,
        completion_percent=completion_percent,
        penalty=penalty,
        driving_score=completion_percent * penalty,
        messages=messages or {},
        length_m=length_m,
        duration_sim_s=duration_sim_s,
        duration_wall_s=1.0,
    )


def record_lists(max_size: int = 12, min_size: int = 0) -> st.SearchStrategy[list[ScoredRoute]]:
    """Draw records of different routes; ids are 0, 1, 2 and so on."""
    one = st.builds(
        route,
        status=st.sampled_from(STATUSES),
        completion_percent=_percents,
        penalty=st.floats(0.0, 1.0).map(lambda value: round(value, 6)),
        messages=_messages,
        length_m=st.floats(1.0, 20_000.0),
        duration_sim_s=st.floats(0.05, 5_000.0),
        xml_id=st.integers(0, 10_000).map(str),
    )
    return st.lists(one, min_size=min_size, max_size=max_size, unique_by=lambda record: record.xml_id)


@st.composite
def shuffled_shards(draw: st.DrawFn, max_size: int = 12) -> tuple[list[ScoredRoute], list[ScoredRoute]]:
    """Draw at least one record, and the same ones dealt to shards that are read in another order."""
    records = draw(record_lists(max_size, min_size=1))
    shards: dict[int, list[ScoredRoute]] = {}
    for record in draw(st.permutations(records)):
        shards.setdefault(draw(st.integers(0, 3)), []).append(record)
    return records, [record for shard in shards.values() for record in shard]
