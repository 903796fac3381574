"""Sentences read back into facts."""

from __future__ import annotations

import dataclasses
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import RouteOutcome
from harness.datatypes.route import Point
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.rules import RuleVersion
from harness.metrics.sentences import SentenceFacts, read_messages, read_sentence
from tests.unit.metrics.told import as_infraction

K = InfractionKind
AT = " at (x=1.235, y=-0.5, z=1e-05)"
PLACE = Point(1.235, -0.5, 1e-05)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (
            f"Agent collided against object with type=static.road and id=-1{AT}",
            SentenceFacts(K.COLLISION_LAYOUT, location_world=PLACE, other_type="static.road", other_id=-1),
        ),
        (
            f"Agent collided against object with type=vehicle.audi.tt and id=38492{AT}",
            SentenceFacts(K.COLLISION_VEHICLE, location_world=PLACE, other_type="vehicle.audi.tt", other_id=38492),
        ),
        (
            f"Agent collided against object with type=walker.pedestrian.0049 and id=7{AT}",
            SentenceFacts(K.COLLISION_PEDESTRIAN, 0, 0, PLACE, "walker.pedestrian.0049", 7),
        ),
        (f"Agent ran a red light 956{AT}", SentenceFacts(K.RED_LIGHT, location_world=PLACE, other_id=956)),
        (f"Agent ran a stop with id=1099{AT}", SentenceFacts(K.STOP, location_world=PLACE, other_id=1099)),
        (
            "Agent went outside its route lanes for about 24.27 meters (12.59% of the completed route)",
            SentenceFacts(K.OUTSIDE_LANES, percentage=12.59, distance_m=24.27),
        ),
        (
            "Agent went outside its route lanes for about 1000 meters (100% of the completed route)",
            SentenceFacts(K.OUTSIDE_LANES, percentage=100.0, distance_m=1000.0),
        ),
        ("Average speed is 91.65% of the surrounding traffic's one", SentenceFacts(K.MIN_SPEED, percentage=91.65)),
        ("Average speed is 100% of the surrounding traffic's one", SentenceFacts(K.MIN_SPEED, percentage=100.0)),
        ("Average speed is 1234.5% of the surrounding traffic's one", SentenceFacts(K.MIN_SPEED, percentage=1234.5)),
        ("Agent failed to yield to an emergency vehicle", SentenceFacts(K.YIELD_EMERGENCY)),
        (f"Agent failed to yield to an emergency vehicle{AT}", SentenceFacts(K.YIELD_EMERGENCY, location_world=PLACE)),
        ("Agent timed out a scenario", SentenceFacts(K.SCENARIO_TIMEOUT)),
        (f"Agent timed out a scenario{AT}", SentenceFacts(K.SCENARIO_TIMEOUT, location_world=PLACE)),
        (f"Agent deviated from the route{AT}", SentenceFacts(K.ROUTE_DEVIATION, location_world=PLACE)),
        (f"Agent got blocked{AT}", SentenceFacts(K.BLOCKED, location_world=PLACE)),
        ("Route timeout.", SentenceFacts(K.ROUTE_TIMEOUT)),
    ],
)
def test_facts_of_every_kind(sentence: str, expected: SentenceFacts) -> None:
    assert read_sentence(expected.kind, sentence) == expected


def number(digits: int, smallest: float) -> st.SearchStrategy[float]:
    return st.floats(smallest, 1e6).map(lambda value: round(value, digits) + 0.0)


names = st.text(string.ascii_lowercase + string.digits + "._", max_size=30)
points = st.builds(Point, number(3, -1e6), number(3, -1e6), number(3, -1e6))
infractions = st.builds(
    Infraction,
    kind=st.sampled_from(list(K)),
    location_world=points,
    other_type=names,
    other_id=st.integers(-1, 2**32),
    percentage=number(2, 0.0) | st.integers(0, 10**6),
    distance_m=number(3, 0.0),
)


@given(infractions, st.sampled_from(list(RuleVersion)))
def test_reading_inverts_writing(fact: Infraction, version: RuleVersion) -> None:
    sentence = lb20.message(fact, version)
    found = read_sentence(fact.kind, sentence)
    assert lb20.message(as_infraction(found), version) == sentence
    told = {"percentage": found.percentage, "distance_m": found.distance_m, "location_world": found.location_world}
    told |= {"other_type": found.other_type, "other_id": found.other_id}
    for name, value in told.items():
        is_told = value != SentenceFacts._field_defaults[name]
        assert not is_told or value == getattr(fact, name), name


@given(st.lists(infractions, max_size=12))
def test_record_loses_no_infraction(facts: list[Infraction]) -> None:
    outcome = RouteOutcome(route_id="r", route_length_m=1, completion_percent=1, infractions=tuple(facts))
    found = read_messages(lb20.messages(outcome))
    assert [fact.kind for fact in found] == sorted((fact.kind for fact in facts), key=list(K).index)


def test_whole_percentage_is_written_back_whole() -> None:
    sentence = "Average speed is 100% of the surrounding traffic's one"
    assert lb20.message(as_infraction(read_sentence(K.MIN_SPEED, sentence))) == sentence


def test_missing_lists_are_no_error() -> None:
    assert read_messages({"route_timeout": ("Route timeout.",)}) == (SentenceFacts(K.ROUTE_TIMEOUT),)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (K.RED_LIGHT, "Agent ran a stop with id=1 at (x=1.0, y=1.0, z=1.0)"),
        (K.RED_LIGHT, "Agent ran a red light 956"),
        (K.RED_LIGHT, "Agent ran a red light 956 at (x=1.0, y=1.0)"),
        (K.SCENARIO_TIMEOUT, "Agent timed out a scenario at (x=1.0, y=1.0)"),
        (K.RED_LIGHT, "Agent ran a red light 956 at (x=1.0, y=nan, z=1.0)"),
        (K.BLOCKED, "Agent got blocked at (x=1e999, y=1.0, z=1.0)"),
        (K.MIN_SPEED, "Average speed is nan% of the surrounding traffic's one"),
        (K.MIN_SPEED, "Average speed is -5.0% of the surrounding traffic's one"),
        (K.MIN_SPEED, f"Average speed is {'9' * 5000}% of the surrounding traffic's one"),
        (K.MIN_SPEED, "Average speed is % of the surrounding traffic's one"),
        (K.OUTSIDE_LANES, "Agent went outside its route lanes for about -3.0 meters (1.0% of the completed route)"),
        (K.OUTSIDE_LANES, "Agent left its lane for 80 m"),
        (K.STOP, f"Agent ran a stop with id={'9' * 5000}"),
        (K.ROUTE_TIMEOUT, "Route timeout.\n"),
        (K.ROUTE_TIMEOUT, ""),
    ],
)
def test_other_sentences_are_refused_by_name(kind: InfractionKind, sentence: str) -> None:
    with pytest.raises(HarnessError) as caught:
        read_sentence(kind, sentence)
    assert f"found {sentence[:60]!r}"[:-1] in str(caught.value)
    assert f"in {kind.value!r}" in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.sampled_from(list(K)), st.text() | st.integers() | st.none() | st.lists(st.text()) | st.binary())
def test_anything_else_is_refused_too(kind: InfractionKind, sentence: object) -> None:
    with pytest.raises(HarnessError, match="found"):
        read_sentence(kind, sentence)  # type: ignore[arg-type]


@given(infractions, st.data())
def test_cut_sentence_is_refused(fact: Infraction, data: st.DataObject) -> None:
    sentence = lb20.message(fact)
    end = data.draw(st.integers(0, len(sentence) - 1))
    with pytest.raises(HarnessError):
        read_sentence(fact.kind, sentence[:end])


def test_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(HarnessError, match="found infractions 'red_lights', expected one of collisions_layout, "):
        read_messages({"red_lights": ("Agent ran a red light 1",)})


def test_default_of_an_infraction_stands_for_what_is_not_told() -> None:
    assert as_infraction(SentenceFacts(K.STOP)) == dataclasses.replace(Infraction(kind=K.STOP))
