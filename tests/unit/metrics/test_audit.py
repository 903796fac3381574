"""The audit: penalties recomputed from sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import RouteOutcome
from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.audit import TOLERANCE, audit, audit_route
from harness.metrics.rules import RuleVersion

K = InfractionKind
V = RuleVersion


def route(penalty: float, *infractions: Infraction, route_id: str = "RouteScenario_7_rep0") -> ScoredRoute:
    outcome = RouteOutcome(route_id="", route_length_m=1.0, completion_percent=100.0, infractions=infractions)
    return ScoredRoute(
        route_id=route_id,
        xml_id="7",
        repetition=0,
        status="Completed",
        completion_percent=100.0,
        penalty=penalty,
        driving_score=100.0 * penalty,
        messages={key: tuple(texts) for key, texts in lb20.messages(outcome).items()},
        length_m=1.0,
        duration_sim_s=1.0,
        duration_wall_s=1.0,
    )


SLOW = Infraction(kind=K.MIN_SPEED, percentage=50.0)
RED = Infraction(kind=K.RED_LIGHT)


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (0.595, (V.LEADERBOARD_20, V.FAIL2DRIVE)),
        (0.625, (V.LEADERBOARD_21,)),
        (0.7, (V.BENCH2DRIVE,)),
        (0.7 + 0.9 * TOLERANCE, (V.BENCH2DRIVE,)),
        (0.7 + 1.1 * TOLERANCE, ()),
        (1.0, ()),
        (float("nan"), ()),
    ],
)
def test_versions_that_fit_are_named(found: float, fits: tuple[RuleVersion, ...]) -> None:
    audited = audit_route(route(found, SLOW, RED))
    assert audited.fits == fits
    assert [audited.expected[version] for version in V] == pytest.approx([0.595, 0.625, 0.7, 0.595])
    assert audited.is_telling and not audit_route(route(1.0)).is_telling


infractions = st.builds(
    Infraction,
    kind=st.sampled_from(list(K)),
    percentage=st.floats(0.0, 100.0),
    distance_m=st.floats(0.0, 1e4),
    other_type=st.just("static.road"),
)


@given(st.lists(infractions, max_size=12), st.sampled_from(list(V)))
def test_what_a_version_writes_fits_it(facts: list[Infraction], version: RuleVersion) -> None:
    outcome = RouteOutcome(route_id="", route_length_m=1.0, completion_percent=100.0, infractions=tuple(facts))
    penalty = lb20.route_record(outcome, 0, version=version)["scores"]["score_penalty"]
    assert version in audit_route(route(penalty, *facts)).fits


def test_report_counts_fits_and_lists_the_rest() -> None:
    bad = route(0.5, RED)
    unknown = route(1.0, route_id="RouteScenario_9_rep0")
    unknown = ScoredRoute(**{name: getattr(unknown, name) for name in ScoredRoute.__slots__} | {"messages": {"x": ()}})
    report = audit([route(0.7, SLOW, RED), route(1.0), bad, unknown])
    assert report.fit_counts == {V.LEADERBOARD_20: 1, V.LEADERBOARD_21: 1, V.BENCH2DRIVE: 2, V.FAIL2DRIVE: 1}
    assert report.best_fits == (V.BENCH2DRIVE,)
    assert [each.route for each in report.mismatches(V.BENCH2DRIVE)] == [bad]
    assert len(report.mismatches(V.LEADERBOARD_20)) == 2
    assert [(each.route_id, why[:45]) for each, why in report.unreadable] == [
        ("RouteScenario_9_rep0", "record RouteScenario_9_rep0: found infraction")
    ]


@pytest.mark.parametrize(("routes", "fits"), [([], ()), ([route(0.1)], ()), ([route(1.0)], tuple(V))])
def test_best_fit_is_nothing_without_a_fit_and_all_without_infractions(
    routes: list[ScoredRoute], fits: tuple[RuleVersion, ...]
) -> None:
    assert audit(routes).best_fits == fits


def test_error_names_route_and_sentence() -> None:
    other = route(1.0)
    other = ScoredRoute(
        **{name: getattr(other, name) for name in ScoredRoute.__slots__} | {"messages": {"red_light": ("Agent slept",)}}
    )
    with pytest.raises(HarnessError, match=r"^record RouteScenario_7_rep0: found 'Agent slept', expected 'Agent ran"):
        audit_route(other)


def test_routes_that_fit_all_rules_do_not_say_whose_rules_made_a_set() -> None:
    """Otherwise one perfect drive would make any rules fit to penalties that none explains."""
    perfect = [route(1.0) for _ in range(3)]
    report = audit([*perfect, route(0.123, RED)])
    assert (len(report.telling), report.best_fits) == (1, ())
    assert audit([*perfect, route(1.0 / 1.4, RED)]).best_fits == (V.LEADERBOARD_21,)
    assert audit(perfect).best_fits == tuple(V)
