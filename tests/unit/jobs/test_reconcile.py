"""What is decided in every situation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Attempt, Outcome, Presence, Submission, TaskKey, TaskView, UnitState
from harness.jobs.budget import Policy
from harness.jobs.reconcile import Batch, Decision, Facts, reconcile

KEY = ("t", 0)
STUCK = ("jobHELD", "badconstraints")


def attempt(outcome: Outcome | None = None, task: TaskKey = KEY, **more: Any) -> Attempt:
    return Attempt(number=1, task=task, outcome=outcome, **more)


def unit(*attempts: Attempt, is_done: bool = False) -> UnitState:
    return UnitState(is_done=is_done, attempts=attempts)


def submission(*tasks: tuple[int, ...], token: str = "t", **more: Any) -> Submission:
    return Submission(token=token, backend="slurm", intended_s=0.0, tasks=tasks or ((0,),), is_array=True, **more)


def view(presence: Presence, state: str = "", reason: str = "") -> TaskView:
    return TaskView(presence=presence, state=state, reason=reason)


def facts(units: list[UnitState], *submissions: Submission, **more: Any) -> Facts:
    defaults = {"wanted": range(len(units)), "views": {}, "policy": Policy(), "stuck_reasons": STUCK}
    return Facts(units=units, submissions=submissions, **(defaults | more))


UNITS = {
    "done": unit(attempt(Outcome.RESULT), is_done=True),
    "done,live": unit(attempt(is_live=True), is_done=True),
    "to do": unit(),
    "live": unit(attempt(is_live=True)),
    "vanished": unit(attempt()),
    "crashed": unit(attempt(Outcome.SIMULATOR_CRASH)),
    "given up": unit(attempt(Outcome.CONFIG)),
}
LEDGER = {
    "nothing": (),
    "intent": (submission(),),
    "submitted": (submission(job_ids=("17",)),),
    "cancelled": (submission(job_ids=("17",), cancelled=frozenset({0})),),
    "ended": (submission(job_ids=("17",), ended={0: "FAILED"}),),
    "abandoned": (submission(is_abandoned=True),),
}
VIEWS = {
    "missing": {},
    "unknown": {KEY: view(Presence.UNKNOWN)},
    "pending": {KEY: view(Presence.PRESENT, "PENDING", "Priority")},
    "held": {KEY: view(Presence.PRESENT, "PENDING", "JobHeldAdmin")},
    "running": {KEY: view(Presence.PRESENT, "RUNNING", "None")},
    "completing": {KEY: view(Presence.PRESENT, "COMPLETING", "None")},
    "absent": {KEY: view(Presence.ABSENT)},
    "failed": {KEY: view(Presence.ABSENT, "FAILED")},
}
# S submit, C cancel, E record the end, A abandon, = complete; behind the second bar if the user cancels the run,
# when the state of the unit does not matter.
TABLE = """
            done  done,live  to do  live  vanished  crashed  given up
nothing    missing    | =    =    S    .    S    S    =   | .
intent     missing    | =    =    .    .    .    .    .   | .
intent     unknown    | =    =    .    .    .    .    .   | .
intent     pending    | C=   C=   .    .    .    .    C   | C
intent     held       | C=   C=   C    C    C    C    C   | C
intent     running    | =    =    .    .    .    .    .   | C
intent     completing | =    =    .    .    .    .    .   | C
intent     absent     | A=   A=   AS   A    AS   AS   A=  | A
intent     failed     | E=   E=   ES   E    ES   ES   E=  | E
submitted  missing    | =    =    .    .    .    .    .   | .
submitted  unknown    | =    =    .    .    .    .    .   | .
submitted  pending    | C=   C=   .    .    .    .    C   | C
submitted  held       | C=   C=   C    C    C    C    C   | C
submitted  running    | =    =    .    .    .    .    .   | C
submitted  completing | =    =    .    .    .    .    .   | C
submitted  absent     | E=   E=   ES   E    ES   ES   E=  | E
submitted  failed     | E=   E=   ES   E    ES   ES   E=  | E
cancelled  missing    | =    =    .    .    .    .    .   | .
cancelled  unknown    | =    =    .    .    .    .    .   | .
cancelled  pending    | C=   C=   C    C    C    C    C   | C
cancelled  held       | C=   C=   C    C    C    C    C   | C
cancelled  running    | C=   C=   C    C    C    C    C   | C
cancelled  completing | =    =    .    .    .    .    .   | .
cancelled  absent     | E=   E=   ES   E    ES   ES   E=  | E
cancelled  failed     | E=   E=   ES   E    ES   ES   E=  | E
ended      missing    | =    =    S    .    S    S    =   | .
ended      unknown    | =    =    S    .    S    S    =   | .
ended      pending    | C=   C=   .    .    .    .    C   | C
ended      held       | C=   C=   C    C    C    C    C   | C
ended      running    | =    =    .    .    .    .    .   | C
ended      completing | =    =    .    .    .    .    .   | C
ended      absent     | =    =    S    .    S    S    =   | .
ended      failed     | =    =    S    .    S    S    =   | .
abandoned  missing    | =    =    S    .    S    S    =   | .
abandoned  unknown    | =    =    S    .    S    S    =   | .
abandoned  pending    | C=   C=   .    .    .    .    C   | C
abandoned  held       | C=   C=   C    C    C    C    C   | C
abandoned  running    | =    =    .    .    .    .    .   | C
abandoned  completing | =    =    .    .    .    .    .   | C
abandoned  absent     | =    =    S    .    S    S    =   | .
abandoned  failed     | =    =    S    .    S    S    =   | .
"""
ROWS = [line.replace("|", " ").split() for line in TABLE.splitlines()[2:]]


def test_table_is_whole() -> None:
    assert re.split("  +", TABLE.splitlines()[1].strip()) == list(UNITS)
    rows = [(ledger, answer) for ledger, answer, *_ in ROWS]
    assert rows == [("nothing", "missing")] + [(ledger, answer) for ledger in list(LEDGER)[1:] for answer in VIEWS]
    assert {len(row) for row in ROWS} == {2 + len(UNITS) + 1}


@pytest.mark.parametrize("row", ROWS, ids=[f"{ledger}-{answer}" for ledger, answer, *_ in ROWS])
def test_every_situation(row: list[str]) -> None:
    ledger, answer, *expected, expected_if_cancelled = row
    found = []
    for state in UNITS.values():
        situation = facts([state], *LEDGER[ledger], views=VIEWS[answer])
        found.append(actions(reconcile(situation)))
        cancelled = reconcile(replace(situation, is_cancelled=True))
        assert actions(replace(cancelled, is_complete=False)) == expected_if_cancelled
    assert found == expected


def actions(decision: Decision) -> str:
    assert decision.stop == ""
    assert decision.submit in ((), (Batch(units=(0,), partition_rank=0, time_factor=1),))
    assert [key for key, _ in (*decision.cancel, *decision.ended)] in ([], [KEY])
    assert all(why for _, why in decision.cancel)
    letters = {"A": decision.abandon, "C": decision.cancel, "E": decision.ended, "S": decision.submit}
    return "".join(letter for letter, those in letters.items() if those) + "=" * decision.is_complete or "."


def test_units_are_grouped_by_what_they_need() -> None:
    first, second = attempt(Outcome.OUT_OF_MEMORY), attempt(Outcome.TIMEOUT)
    units = [unit(first), unit(), unit(second), unit(first, second), unit(), unit(first)]
    decision = reconcile(facts(units, wanted=[5, 3, 2, 1, 1, 0], policy=Policy(partitions=2)))
    assert [(batch.partition_rank, batch.time_factor, batch.units) for batch in decision.submit] == [
        (0, 1, (1,)),
        (0, 2, (2,)),
        (1, 1, (0, 5)),
        (1, 2, (3,)),
    ]


@pytest.mark.parametrize(("state", "factor"), [("TIMEOUT", 2), ("NODE_FAIL", 1)])
def test_last_word_counts_in_the_turn_in_which_it_is_heard(state: str, factor: int) -> None:
    decision = reconcile(facts([unit(attempt())], *LEDGER["submitted"], views={KEY: view(Presence.ABSENT, state)}))
    assert decision.ended == ((KEY, state),)
    assert decision.submit[0].time_factor == factor


def test_attempt_in_a_task_that_may_be_there_is_not_judged() -> None:
    lost = unit(*[attempt()] * 20)
    for answer in ("missing", "unknown", "running"):
        assert not reconcile(facts([lost], *LEDGER["submitted"], views=VIEWS[answer])).given_up
    assert reconcile(facts([lost], *LEDGER["submitted"], views=VIEWS["absent"])).given_up[0].outcome is Outcome.LOST


def test_unit_in_somebodys_hands_is_not_given_up_yet() -> None:
    crashes = [attempt(Outcome.SIMULATOR_CRASH)] * 9
    assert reconcile(facts([unit(*crashes)])).given_up
    decision = reconcile(facts([unit(*crashes, attempt(is_live=True))]))
    assert (decision.given_up, decision.submit, decision.is_complete) == ({}, (), False)


@pytest.mark.parametrize(
    ("state", "reason", "is_held"),
    [
        ("PENDING", "BadConstraints", True),
        ("PENDING", "badconstraints(x)", True),
        ("PENDING", "Not BadConstraints", False),
        ("PENDING", "", False),
        ("RUNNING", "BadConstraints", False),
        ("COMPLETING", "BadConstraints", False),
    ],
)
def test_task_that_waits_in_vain_is_cancelled(state: str, reason: str, is_held: bool) -> None:
    decision = reconcile(facts([unit()], *LEDGER["submitted"], views={KEY: view(Presence.PRESENT, state, reason)}))
    assert decision.cancel == (((KEY, f"the scheduler holds it for good: {reason}"),) if is_held else ())


def fruitless(count: int, state: str, **more: Any) -> list[Submission]:
    return [submission(token=f"t{n}", job_ids=("1",), ended={0: state}, **more) for n in range(count)]


@pytest.mark.parametrize(
    ("state", "count", "outcome"),
    [("FAILED 1", 20, Outcome.RETURNED), ("NODE_FAIL", 20, Outcome.NODE), ("TIMEOUT", 3, Outcome.TIMEOUT)],
)
def test_script_that_never_begins_is_not_submitted_forever(state: str, count: int, outcome: Outcome) -> None:
    assert reconcile(facts([unit()], *fruitless(count - 1, state))).submit
    decision = reconcile(facts([unit()], *fruitless(count, state)))
    assert (decision.submit, decision.given_up[0].outcome, decision.is_complete) == ((), outcome, True)


def test_what_was_tried_before_the_command_does_not_count() -> None:
    old = [attempt(Outcome.OUT_OF_MEMORY, task=(f"t{n}", 0), started_s=10.0) for n in range(3)]
    ends = [submission(token=f"t{n}", job_ids=("1",), ended={0: "OUT_OF_MEMORY"}) for n in range(3)]
    assert reconcile(facts([unit(*old)], *ends)).given_up
    assert reconcile(facts([unit(*old)], *ends, since_s=20.0)).submit
    # Nor do tasks that ended before they began anything.
    assert reconcile(facts([unit()], *fruitless(20, "FAILED"), since_s=20.0)).submit


def test_unit_without_hope_is_given_up() -> None:
    decision = reconcile(facts([unit(), unit()], hopeless={1: "PartitionTimeLimit"}))
    assert decision.submit == (Batch(units=(0,), partition_rank=0, time_factor=1),)
    assert decision.given_up[1].reason == "PartitionTimeLimit"


def test_tasks_that_went_in_silence_or_began_something_are_not_fruitless() -> None:
    assert reconcile(facts([unit()], *fruitless(99, ""))).submit
    assert reconcile(facts([unit()], *fruitless(20, "", cancelled=frozenset({0})))).given_up
    begun = [attempt(Outcome.RESULT, (f"t{n}", 0)) for n in range(99)]
    both = [replace(one, tasks=((0, 1),)) for one in fruitless(99, "FAILED")]
    assert reconcile(facts([unit(), unit(*begun, is_done=True)], *both)).submit


def test_pending_task_is_superfluous_only_if_nobody_wants_its_units() -> None:
    done, both = unit(is_done=True), submission((0, 1), job_ids=("1",))
    assert not reconcile(facts([done, unit()], both, views=VIEWS["pending"], wanted=[0])).cancel
    assert not reconcile(facts([done], both, views=VIEWS["pending"])).cancel  # unit 1 was added to the manifest since
    assert reconcile(facts([done, done], both, views=VIEWS["pending"])).cancel


def test_intent_is_abandoned_only_if_all_of_it_is_unheard_of() -> None:
    pair = submission((0,), (1,))
    gone, other = {("t", 0): view(Presence.ABSENT)}, ("t", 1)
    units = [unit(), unit()]
    assert reconcile(facts(units, pair, views={**gone, other: view(Presence.ABSENT)})).abandon == ("t",)
    for answer in (view(Presence.UNKNOWN), view(Presence.PRESENT, "RUNNING"), view(Presence.ABSENT, "COMPLETED")):
        assert reconcile(facts(units, pair, views={**gone, other: answer})).abandon == ()
    assert reconcile(facts([unit()], replace(pair, tasks=()))).abandon == ()


def config(started_s: float, reason: str = "no agent") -> UnitState:
    return unit(attempt(Outcome.CONFIG, started_s=started_s, reason=reason))


@pytest.mark.parametrize(
    ("units", "is_stopped"),
    [
        ([config(1), config(2, "first"), config(3), unit()], True),
        ([config(1), config(2), unit(), unit()], False),
        ([unit(attempt(Outcome.RESULT, started_s=2.5), is_done=True), config(1), config(2), config(3)], False),
        ([unit(attempt(Outcome.RESULT, started_s=9), is_done=True), config(1), config(2), config(3)], True),
        ([config(1), config(2), unit(*[attempt(Outcome.AGENT, started_s=1)] * 3), config(4), unit()], False),
    ],
)
def test_run_stops_when_the_first_units_fail_by_a_setting(units: list[UnitState], is_stopped: bool) -> None:
    decision = reconcile(facts(units))
    assert bool(decision.stop) is is_stopped
    if is_stopped:
        assert decision.submit == ()
        assert decision.stop.endswith("failed by a setting; another try cannot change it: no agent")


PRESENCES = st.sampled_from(Presence)
STATES = st.sampled_from(["", "PENDING", "RUNNING", "COMPLETING", "TIMEOUT", "FAILED"])


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    count = draw(st.integers(1, 4))
    numbers = st.integers(0, count - 1)
    keys = st.tuples(st.sampled_from("xyz"), st.integers(0, 1))
    tries = st.builds(attempt, st.none() | st.sampled_from(Outcome), keys)
    tries |= st.builds(attempt, st.none(), keys, is_live=st.just(True))
    tasks = st.lists(st.lists(numbers, max_size=3).map(tuple), min_size=2, max_size=2)
    few = st.frozensets(st.integers(0, 1))
    return Facts(
        units=draw(
            st.lists(
                st.builds(unit, tries, tries, is_done=st.booleans()) | st.just(unit()), min_size=count, max_size=count
            )
        ),
        wanted=draw(st.lists(numbers)),
        submissions=[
            submission(
                *draw(tasks),
                token=token,
                job_ids=draw(st.sampled_from([(), ("17",)])),
                is_abandoned=draw(st.booleans()),
                cancelled=draw(few),
                ended=draw(st.dictionaries(st.integers(0, 1), STATES)),
            )
            for token in draw(st.lists(st.sampled_from("xyz"), unique=True))
        ],
        views=draw(st.dictionaries(keys, st.builds(view, PRESENCES, STATES, st.sampled_from(["", "JobHeldUser"])))),
        policy=Policy(max_attempts=draw(st.integers(1, 3)), partitions=draw(st.integers(1, 3))),
        is_cancelled=draw(st.integers(0, 9)) == 9,
        stuck_reasons=STUCK,
    )


def may_be_there(one: Submission, number: int, views: Mapping[TaskKey, TaskView]) -> bool:
    presence = views[one.token, number].presence if (one.token, number) in views else Presence.UNKNOWN
    is_closed = one.is_abandoned or number in one.ended
    return presence is Presence.PRESENT or (presence is Presence.UNKNOWN and not is_closed)


@given(situations())
def test_nothing_is_submitted_that_somebody_has(situation: Facts) -> None:
    decision = reconcile(situation)
    submitted = [number for batch in decision.submit for number in batch.units]
    assert len(submitted) == len(set(submitted)) and set(submitted) <= set(situation.wanted)
    assert all(batch.units and batch.partition_rank < situation.policy.partitions for batch in decision.submit)
    for one in situation.submissions:
        for number, units in enumerate(one.tasks):
            assert not (may_be_there(one, number, situation.views) and set(units) & set(submitted))
    for number in submitted:
        assert not situation.units[number].is_done and not situation.units[number].is_live
    assert not set(decision.given_up) & set(submitted)
    assert not (situation.is_cancelled and submitted)
    assert not (decision.is_complete and submitted)
    touched = [key for key, _ in decision.cancel]
    assert all(situation.views[key].presence is Presence.PRESENT for key in touched)
    assert all(situation.views[key].presence is Presence.ABSENT for key, _ in decision.ended)


@given(situations(), st.booleans())
def test_silence_of_the_scheduler_changes_nothing(situation: Facts, is_explicit: bool) -> None:
    keys = [key for one in situation.submissions for key in one.task_keys()]
    silence = dict.fromkeys(keys, view(Presence.UNKNOWN)) if is_explicit else {}
    decision = reconcile(replace(situation, views=silence))
    assert (decision.cancel, decision.ended, decision.abandon) == ((), (), ())


def carried_out(situation: Facts, decision: Decision) -> Facts:
    ended, cancelled = dict(decision.ended), {key for key, _ in decision.cancel}
    submissions = [
        replace(
            one,
            is_abandoned=one.is_abandoned or one.token in decision.abandon,
            cancelled=one.cancelled | {number for token, number in cancelled if token == one.token},
            ended={number: state for (token, number), state in ended.items() if token == one.token} | dict(one.ended),
        )
        for one in situation.submissions
    ]
    submissions += [submission(batch.units, token=f"new{n}") for n, batch in enumerate(decision.submit)]
    return replace(situation, submissions=submissions)


@given(situations())
def test_what_was_carried_out_is_not_decided_again(situation: Facts) -> None:
    decision = reconcile(situation)
    again = reconcile(carried_out(situation, decision))
    assert (again.submit, again.ended, again.abandon) == ((), (), ())
    assert (again.given_up, again.stop) == (decision.given_up, decision.stop)
