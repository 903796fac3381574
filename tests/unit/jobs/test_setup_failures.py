"""Results of an agent that never came to drive: they are results, and three of them end a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.datatypes.job import Attempt, Outcome, UnitState
from harness.datatypes.result import Failure
from harness.jobs.attempts import begin_attempt, choose, read_state
from harness.jobs.budget import Policy, outcome_of
from harness.jobs.claims import Holder
from harness.jobs.publish import publish_json
from harness.jobs.reconcile import Decision, Facts, reconcile
from harness.metrics.checkpoint import checkpoint
from harness.metrics.lb20 import route_record
from tests.unit.jobs.drawn import OUTCOME, unit

HERE = Holder.this_process("", 0)
WHY = "Failed - Agent couldn't be set up: ValueError: no weights"


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Failure.NONE, ""),
        (Failure.AGENT_CRASHED, ""),
        (Failure.SIMULATION_CRASHED, ""),
        (Failure.AGENT_SETUP, WHY),
        (Failure.AGENT_SENSORS, "Failed - Agent's sensors were invalid: ValueError: no weights"),
    ],
)
def test_result_tells_whether_the_agent_came_to_drive(tmp_path: Path, failure: Failure, said: str) -> None:
    attempt = begin_attempt(tmp_path, unit(), {"restarts": 2})
    content = checkpoint([route_record(replace(OUTCOME, failure=failure, completion_percent=0.0), 0)], 1)
    publish_json(attempt.result, {**content, "harness": {"failure_detail": "ValueError: no\nweights"}})
    assert read_state(tmp_path, HERE, 0.0).setup_failure == ""
    choose(tmp_path, attempt)
    state = read_state(tmp_path, HERE, 0.0)
    assert (state.is_done, state.setup_failure) == (True, said)
    assert state.attempts[0].restarts == 2


@pytest.mark.parametrize("restarts", [None, "1", 1.5, True, [1]])
def test_odd_count_of_restarts_is_none(tmp_path: Path, restarts: object) -> None:
    begin_attempt(tmp_path, unit(), {"restarts": restarts})
    assert read_state(tmp_path, HERE, 0.0).attempts[0].restarts == 0


def done(started_s: float, why: str = "") -> UnitState:
    attempt = Attempt(number=1, task=("t", 0), outcome=Outcome.RESULT, started_s=started_s)
    return UnitState(is_done=True, attempts=(attempt,), setup_failure=why)


def refused(started_s: float) -> UnitState:
    attempt = Attempt(number=1, task=("t", 0), outcome=Outcome.CONFIG, started_s=started_s, reason="no route")
    return UnitState(attempts=(attempt,))


def decide(*units: UnitState) -> Decision:
    return reconcile(Facts(units=units, wanted=range(len(units)), views={}, policy=Policy()))


@pytest.mark.parametrize(
    ("units", "is_stopped"),
    [
        ([done(1, WHY), done(2, WHY), done(3, WHY), UnitState()], True),
        ([done(1, WHY), done(2, WHY), done(3, WHY), done(4), UnitState()], True),
        ([done(1, WHY), refused(2), done(3, WHY), UnitState()], True),
        ([done(1, WHY), done(2, WHY), UnitState(), UnitState()], False),
        ([done(1), done(2, WHY), done(3, WHY), done(4, WHY), UnitState()], False),
        # There is nothing to stop.
        ([done(1, WHY), done(2, WHY), done(3, WHY)], False),
        # Results of an earlier command: the user has put something right since, or wants to try again.
        ([replace(done(0, WHY), attempts=())] * 3 + [UnitState()], False),
        ([replace(done(0, WHY), attempts=())] * 3 + [done(1, WHY), done(2, WHY), done(3, WHY), UnitState()], True),
    ],
)
def test_run_stops_when_the_agent_never_comes_to_drive(units: list[UnitState], is_stopped: bool) -> None:
    decision = decide(*units)
    assert bool(decision.stop) is is_stopped
    assert bool(decision.submit) is (not is_stopped and not all(one.is_done for one in units))
    if is_stopped:
        assert decision.stop == f"the first 3 units that finished all failed by a setting; {WHY}"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("PREEMPTED", Outcome.PREEMPTED), ("CANCELLED by 0", Outcome.CANCELLED), ("FAILED", None), ("", None)],
)
def test_state_of_a_task_tells_how_its_attempts_ended(state: str, outcome: Outcome | None) -> None:
    assert outcome_of(state) is outcome
