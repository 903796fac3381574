"""What Slurm's answers prove about tasks: neither silence nor an empty list nor an old number makes one absent."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Presence, Submission, TaskView
from harness.jobs.launchers.slurm_text import QueueRow, is_alive_state, job_name, parse_queue
from harness.jobs.launchers.slurm_views import Judged, Memory, Question, judge_views

PRESENT, ABSENT, UNKNOWN = Presence.PRESENT, Presence.ABSENT, Presence.UNKNOWN
TOKEN, OTHER = "0123456789ab", "fedcba987654"
RECORDED = Path(__file__).parent / "recorded" / "squeue.txt"


def submission(token: str = TOKEN, *, tasks: int = 1, is_array: bool = False, **changes: object) -> Submission:
    given_values: dict[str, object] = {"job_ids": ("17",)}
    return Submission(
        token=token, name=job_name("eval", "mini", token), backend="slurm", intended_s=0.0, is_array=is_array,
        tasks=tuple((number,) for number in range(tasks)), **{**given_values, **changes},  # type: ignore[arg-type]
    )  # fmt: skip


def array(tasks: int = 3, **changes: object) -> Submission:
    return submission(tasks=tasks, is_array=True, **changes)


def row(
    job_id: str = "17",
    state: str = "RUNNING",
    *,
    token: str = TOKEN,
    name: str | None = None,
    reason: str = "",
    day: int = 1,
) -> QueueRow:
    array_id, _, task = job_id.partition("_")
    return QueueRow(
        job_id=job_id, array_id=array_id, task=int(task) if task else None, state=state, reason=reason,
        name=job_name("eval", "mini", token) if name is None else name, submitted=f"2026-11-{day:02d}T10:00:00",
        nodes="node-1",
    )  # fmt: skip


def judge(
    meant: Submission | list[Submission],
    rows: list[QueueRow] | None,
    *,
    now_s: float = 0.0,
    memory: Memory | None = None,
    denied: set[Question] | None = None,
) -> Judged:
    submissions = meant if isinstance(meant, list) else [meant]
    return judge_views(submissions, rows, memory or Memory(), now_s, 60.0, denied or set())


def presences(judged: Judged) -> list[Presence]:
    return [view.presence for view in judged.views.values()]


# What is listed


@pytest.mark.parametrize(
    ("state", "presence"),
    [("PENDING", PRESENT), ("RUNNING", PRESENT), ("COMPLETING", PRESENT), ("REQUEUE_HOLD", PRESENT),
     ("NEW_STATE", PRESENT),
     ("COMPLETED", ABSENT), ("FAILED", ABSENT), ("TIMEOUT", ABSENT), ("NODE_FAIL", ABSENT), ("PREEMPTED", ABSENT),
     ("CANCELLED", ABSENT)],
)  # fmt: skip
def test_state_tells_whether_a_job_is_there(state: str, presence: Presence) -> None:
    judged = judge(submission(), [row(state=state, reason="Why")])
    expected = TaskView(presence=presence, state=state, reason="Why", job_id="17", node="node-1")
    assert judged.views == {(TOKEN, 0): expected}
    assert not judged.questions
    assert not judged.adopted


def test_each_task_of_an_array_has_its_own_row() -> None:
    rows = [row("17_0", "COMPLETED"), row("17_2", "PENDING"), row("17_1", "FAILED")]
    judged = judge(array(), rows)
    assert presences(judged) == [ABSENT, ABSENT, PRESENT]
    assert [view.job_id for view in judged.views.values()] == ["17_0", "17_1", "17_2"]


def test_job_that_submitted_itself_again_is_recognised_by_name() -> None:
    again = row("18", "PENDING", name=job_name("eval", "mini", TOKEN) + ".sbatch", day=2)
    judged = judge(submission(), [again, row("17", "COMPLETED")])
    assert judged.views[TOKEN, 0].job_id == "18"
    assert presences(judged) == [PRESENT]
    assert judged.adopted == {TOKEN: "18"}


def test_one_that_is_alive_outweighs_whatever_older_and_newer_rows_say() -> None:
    rows = [row("18", "RUNNING", day=2), row("17", "COMPLETED", day=1), row("19", "FAILED", day=3)]
    for order in (rows, rows[::-1]):
        assert judge(submission(job_ids=("17", "18")), order).views[TOKEN, 0].job_id == "18"


def test_of_those_that_ended_the_last_one_counts() -> None:
    rows = [row("9", "TIMEOUT", day=1), row("10", "COMPLETED", day=1)]
    for order in (rows, rows[::-1]):
        assert judge(submission(job_ids=("9", "10")), order).views[TOKEN, 0].state == "COMPLETED"


def test_rest_of_a_cancelled_array_covers_the_tasks_without_a_row() -> None:
    rows = [row("17", "CANCELLED", reason="JobArrayTaskLimit"), row("17_0", "RUNNING")]
    judged = judge(array(cancelled=frozenset({2})), rows)
    assert [(view.presence, view.state) for view in judged.views.values()] == [
        (PRESENT, "RUNNING"), (ABSENT, ""), (ABSENT, "CANCELLED"),
    ]  # fmt: skip


def test_array_in_one_line_proves_nothing_about_its_tasks() -> None:
    assert presences(judge(array(), [row("17", "PENDING")])) == [UNKNOWN] * 3


def test_recorded_answer() -> None:
    rows = parse_queue(RECORDED.read_text(encoding="utf-8"))
    waiting = array(4, job_ids=("16",))
    halved = array(6, job_ids=("13",))
    for token, submitted, expected in (
        ("0123456789a1", waiting, [PRESENT, PRESENT, UNKNOWN, PRESENT]),
        ("0123456789a0", halved, [PRESENT, PRESENT, ABSENT, ABSENT, ABSENT, ABSENT]),
    ):
        changed = submission(token, tasks=len(submitted.tasks), is_array=True, job_ids=submitted.job_ids)
        assert presences(judge(changed, rows)) == expected


# What is not listed


def test_no_answer_leaves_everything_unknown_and_forgets_nothing() -> None:
    memory = Memory({(TOKEN, 0): 5.0})
    judged = judge(array(), None, memory=memory, now_s=1000.0)
    assert presences(judged) == [UNKNOWN] * 3
    assert judged.memory == memory
    assert not judged.questions


def test_no_answer_does_not_make_an_end_undone() -> None:
    judged = judge(array(2, ended={1: "TIMEOUT"}), None)
    assert [(view.presence, view.state) for view in judged.views.values()] == [(UNKNOWN, ""), (ABSENT, "TIMEOUT")]


@pytest.mark.parametrize("meant", [submission(), array(2), submission(job_ids=())])
def test_empty_answers_never_make_a_task_absent(meant: Submission) -> None:
    memory = Memory()
    for now_s in (0.0, 15.0, 60.0, 75.0, 10_000.0):
        judged = judge(meant, [], memory=memory, now_s=now_s)
        assert set(presences(judged)) == {UNKNOWN}
        assert bool(judged.questions) == (now_s >= 60.0)
        memory = judged.memory


@pytest.mark.parametrize(
    ("meant", "questions"),
    [
        (submission(), [Question(TOKEN, "17")]),
        (submission(job_ids=("17", "18")), [Question(TOKEN, "18")]),
        (array(2), [Question(TOKEN, "17_0"), Question(TOKEN, "17_1")]),
        (submission(job_ids=()), [Question(TOKEN, "")]),
        (array(2, job_ids=()), [Question(TOKEN, "")]),
    ],
)
def test_missing_for_long_and_denied_is_absent(meant: Submission, questions: list[Question]) -> None:
    memory = judge(meant, [], now_s=0.0).memory
    asked = judge(meant, [], memory=memory, now_s=60.0)
    assert list(asked.questions) == questions
    answered = judge(meant, [], memory=asked.memory, now_s=60.0, denied=set(questions))
    assert set(presences(answered)) == {ABSENT}
    assert not answered.questions
    # Where Slurm has never heard of a job there is no id and no state.
    assert [view.job_id for view in answered.views.values()] == [
        question.job_id for question in questions * (len(meant.tasks) // len(questions))
    ]
    assert {view.state for view in answered.views.values()} == {""}


def test_denial_counts_for_the_task_that_was_asked_for_alone() -> None:
    memory = judge(array(2), [], now_s=0.0).memory
    judged = judge(array(2), [], memory=memory, now_s=60.0, denied={Question(TOKEN, "17_1"), Question(OTHER, "17_0")})
    assert presences(judged) == [UNKNOWN, ABSENT]
    assert judged.questions == (Question(TOKEN, "17_0"),)


def test_denial_without_a_long_absence_counts_for_nothing() -> None:
    assert presences(judge(submission(), [], denied={Question(TOKEN, "17")})) == [UNKNOWN]


def test_task_that_is_seen_again_has_not_been_missing() -> None:
    memory = judge(submission(), [], now_s=0.0).memory
    memory = judge(submission(), [row()], memory=memory, now_s=30.0).memory
    assert memory == Memory()
    judged = judge(submission(), [], memory=memory, now_s=70.0)
    assert not judged.questions
    assert judged.memory == Memory({(TOKEN, 0): 70.0})


def test_silence_is_no_poll_that_misses_a_task() -> None:
    memory = judge(submission(), None, now_s=0.0).memory
    judged = judge(submission(), [], memory=memory, now_s=100.0)
    assert not judged.questions


def test_ended_and_abandoned_tasks_are_not_asked_for() -> None:
    for meant in (submission(ended={0: ""}), submission(job_ids=(), is_abandoned=True)):
        judged = judge(meant, [], memory=Memory({(TOKEN, 0): 0.0}), now_s=100.0)
        assert presences(judged) == [ABSENT]
        assert not judged.questions
        assert judged.memory == Memory()


def test_presence_overrules_what_was_recorded() -> None:
    assert presences(judge(submission(ended={0: "PREEMPTED"}), [row(state="PENDING")])) == [PRESENT]
    late = judge(submission(job_ids=(), is_abandoned=True), [row("18")])
    assert presences(late) == [PRESENT]
    assert late.adopted == {TOKEN: "18"}


# Whose job it is


def test_old_number_of_another_submission_is_not_ours() -> None:
    stranger = row("17", "RUNNING", token=OTHER)
    memory = judge(submission(), [stranger], now_s=0.0).memory
    judged = judge(submission(), [stranger], memory=memory, now_s=60.0)
    assert presences(judged) == [UNKNOWN]
    assert judged.questions == (Question(TOKEN, "17"),)


def test_two_submissions_with_one_number_are_told_apart() -> None:
    judged = judge([submission(), submission(OTHER)], [row("17", "RUNNING", token=OTHER)])
    assert presences(judged) == [UNKNOWN, PRESENT]


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETED"])
@pytest.mark.parametrize(("meant", "job_id"), [(submission(), "17"), (array(2), "17_1"), (array(2), "17")])
def test_our_number_under_a_name_that_says_nothing_stays_unknown(meant: Submission, job_id: str, state: str) -> None:
    rows = [row(job_id, state, name="renamed")]
    memory = judge(meant, rows, now_s=0.0).memory
    judged = judge(meant, rows, memory=memory, now_s=100.0, denied={Question(TOKEN, "17"), Question(TOKEN, "17_1")})
    assert judged.views[meant.task_keys()[-1]] == TaskView(presence=UNKNOWN)
    assert meant.task_keys()[-1] not in judged.memory.missing_since_s


# Ids that are learnt late


def test_job_whose_number_was_never_learnt_is_adopted() -> None:
    judged = judge([submission(job_ids=()), submission(OTHER)], [row("18"), row("17", token=OTHER)])
    assert judged.adopted == {TOKEN: "18"}
    assert presences(judged) == [PRESENT, PRESENT]


def test_job_that_ended_before_its_number_was_learnt_is_adopted() -> None:
    assert judge(submission(job_ids=()), [row("18", "FAILED")]).adopted == {TOKEN: "18"}


def test_record_of_a_job_that_was_refused_is_not() -> None:
    refused = row("18", "FAILED", reason="BadConstraints")
    assert judge(submission(job_ids=(), is_abandoned=True), [refused]).adopted == {}
    assert judge(submission(job_ids=("17",)), [row("17"), refused]).adopted == {}


def test_newest_job_is_adopted_and_then_no_older_one() -> None:
    rows = [row("17", "COMPLETED"), row("18", "COMPLETED", day=2), row("19", "RUNNING", day=3)]
    assert judge(submission(), rows).adopted == {TOKEN: "19"}
    assert judge(submission(job_ids=("17", "19")), rows).adopted == {}


# Anything


STATES = st.sampled_from(["PENDING", "RUNNING", "COMPLETING", "COMPLETED", "FAILED", "CANCELLED"])
ROWS = st.lists(
    st.builds(
        row, st.sampled_from(["17", "17_0", "17_1", "18", "18_0", "9"]), STATES, token=st.sampled_from([TOKEN, OTHER]),
        name=st.sampled_from([None, None, "wrap"]), day=st.integers(1, 3),
    ),
    max_size=6,
)  # fmt: skip
SUBMISSIONS = st.builds(
    submission, tasks=st.integers(1, 2), is_array=st.booleans(), job_ids=st.sampled_from([(), ("17",), ("17", "18")]),
    is_abandoned=st.booleans(), ended=st.sampled_from([{}, {0: "FAILED"}]),
)  # fmt: skip


@given(SUBMISSIONS, ROWS | st.none(), st.sampled_from([0.0, 59.0, 60.0, 1e6]), st.booleans())
def test_absent_needs_proof(meant: Submission, rows: list[QueueRow] | None, now_s: float, is_denied: bool) -> None:
    memory = Memory(dict.fromkeys(meant.task_keys(), 0.0))
    every = {Question(TOKEN, job_id) for job_id in ("", "17", "18", "17_0", "17_1", "18_0", "18_1")}
    judged = judge_views([meant], rows, memory, now_s, 60.0, every if is_denied else set())
    assert list(judged.views) == meant.task_keys()
    ours = [r for r in rows or [] if r.name != "wrap" and TOKEN in r.name]
    for (_, task), view in judged.views.items():
        mine = [r for r in ours if not meant.is_array or r.task == task]
        has_life = any(is_alive_state(r.state) for r in mine)
        assert (view.presence is PRESENT) == has_life
        if view.presence is ABSENT:
            is_listed = any(not is_alive_state(r.state) for r in ours)
            is_recorded = meant.is_abandoned or task in meant.ended
            was_asked = is_denied and rows is not None and now_s >= 60.0
            assert is_listed or is_recorded or was_asked
