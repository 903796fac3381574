"""What makes the result file of a unit fit for a scoreboard, and how damage is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import RouteOutcome
from harness.errors import HarnessError
from harness.metrics import lb20
from harness.metrics.checkpoint import checkpoint
from harness.results.own_result import result_problem, unit_route

RED = Infraction(kind=InfractionKind.RED_LIGHT)


def record() -> dict[str, Any]:
    outcome = RouteOutcome(
        route_id="RouteScenario_0_rep0",
        route_length_m=250.0,
        completion_percent=50.0,
        infractions=(RED, RED),
        duration_sim_s=30.0,
        duration_wall_s=2.5,
    )
    return lb20.route_record(outcome, 0)


def put(*path: str | int, value: Any) -> Callable[[Any], None]:
    """Return what replaces one value of a result file."""

    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


RECORD = ("_checkpoint", "records", 0)


def sound() -> Any:
    return {
        **checkpoint([record()], 1),
        "harness": {"scenarios_not_built": {"Accident": 1}, "wall": {"simulated_per_wall": 16}},
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("_checkpoint", "records", value=[]), "holds no record"),
        (put("_checkpoint", value=None), "holds no record"),
        (put(*RECORD, value="record"), "holds no record"),
        (put(*RECORD, "meta", "duration_system", value="abc"), "holds `str` at meta.duration_system"),
        (
            put(*RECORD, "meta", "duration_game", value=float("inf")),
            "holds duration_game inf",
        ),
        (put(*RECORD, "meta", value=[]), "holds `array` at meta"),
        (put(*RECORD, "scores", "score_route", value=None), "holds `null` at scores.score_route"),
        (put(*RECORD, "scores", "score_composed", value=10**400), "holds"),
        (put(*RECORD, "scores", "score_penalty", value=True), "holds `bool` at scores.score_penalty"),
        (put(*RECORD, "status", value=3), "holds `int` at status"),
        (
            put(*RECORD, "infractions", value={}),
            "holds no list of collisions_layout",
        ),
        (put(*RECORD, "infractions", "red_light", value=3), "holds `int` at infractions[...]"),
        (put("harness", value=None), "holds `null`"),
        (put("harness", "wall", value=3), "holds `int` at wall"),
        (
            put("harness", "wall", "simulated_per_wall", value="x"),
            "holds `str` at wall.simulated_per_wall",
        ),
        (put("harness", "scenarios_not_built", value=[]), "holds `array` at scenarios_not_built"),
        (
            put("harness", "scenarios_not_built", "Accident", value="1"),
            "holds `str` at scenarios_not_built[...]",
        ),
    ],
)
def test_damaged_result_is_told_from_a_sound_one(change: Callable[[Any], None], problem: str) -> None:
    content = sound()
    assert result_problem(content) is None
    change(content)
    found = result_problem(content)
    assert found is not None
    assert found.startswith(problem)


def test_result_of_another_program_has_no_section_of_ours() -> None:
    content = sound()
    del content["harness"]
    assert result_problem(content) is None
    assert [result_problem(other) for other in (3, None, [], "x", {})] == ["holds no record"] * 5


def test_a_sound_file_gives_its_record_and_a_damaged_one_its_name() -> None:
    route = unit_route(sound(), "x/result.json")
    assert (route.completion_percent, route.penalty, len(route.messages["red_light"])) == (50.0, 0.49, 2)
    assert len(route.messages) == 12
    with pytest.raises(HarnessError, match=r"file x/result\.json holds no record, expected one") as caught:
        unit_route({}, "x/result.json")
    assert caught.value.hint == "the same command drives it again"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["route_id", "status", "scores", "infractions", "meta"]), _JSON)
def test_any_value_is_sound_or_told(part: str, value: Any) -> None:
    content = sound()
    content["_checkpoint"]["records"][0][part] = value
    found = result_problem(content)
    assert found is None or (found.startswith("holds ") and found.isprintable())
