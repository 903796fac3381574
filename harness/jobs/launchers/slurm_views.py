"""Three-valued truth about tasks: what Slurm's answers prove, and what they do not. Pure.

An empty list proves nothing: Slurm prints one when it has lost its memory, and a job that it accepted late appears
late. A task is gone only if Slurm lists its end, or if it was missing for a while and Slurm then says in so many words
that it does not know the job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.datatypes.job import Presence, Submission, TaskKey, TaskView
from harness.jobs.launchers.slurm_text import QueueRow, is_alive_state, parse_job_name

_UNKNOWN = TaskView(presence=Presence.UNKNOWN)


class Question(NamedTuple):
    """Something to ask Slurm for: is there a job with this id and this token in its name?

    Attributes:
        job_id: ``17`` or ``17_4``; empty asks for any job with the token.
    """

    token: str
    job_id: str


@dataclass(frozen=True)
class Memory:
    """What has to be remembered from one poll to the next.

    Attributes:
        missing_since_s: task -> Unix time of the first answer that did not list it.
    """

    missing_since_s: Mapping[TaskKey, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one answer amounts to.

    Attributes:
        views: of every task.
        questions: what Slurm should be asked one by one before the next judgement.
        adopted: token -> job id that the ledger does not have yet.
    """

    views: Mapping[TaskKey, TaskView]
    memory: Memory
    questions: tuple[Question, ...]
    adopted: Mapping[str, str]


def judge_views(
    submissions: Sequence[Submission],
    rows: Sequence[QueueRow] | None,
    memory: Memory,
    now_s: float,
    confirm_s: float,
    denied: Collection[Question] = (),
) -> Judged:
    """Say of every task whether it is present, absent, or nobody knows.

    Args:
        rows: what squeue lists, ended jobs included; None if it did not answer.
        now_s: Unix time.
        confirm_s: a task has to be missing for so long before it is asked for.
        denied: questions to which Slurm answered that there is no such job.
    """
    if rows is None:
        known = {key: _ended(submission, key[1]) for submission in submissions for key in submission.task_keys()}
        return Judged(views=known, memory=memory, questions=(), adopted={})
    by_token, nameless = _sorted(rows)
    views: dict[TaskKey, TaskView] = {}
    missing_since_s: dict[TaskKey, float] = {}
    questions: dict[Question, None] = {}
    adopted: dict[str, str] = {}
    for submission in submissions:
        ours = by_token[submission.token]
        clouded = [row for row in nameless if row.array_id in submission.job_ids]
        if (job_id := _adopted(submission, ours)) is not None:
            adopted[submission.token] = job_id
        for key in submission.task_keys():
            view = _listed(submission, key[1], ours) or _ended(submission, key[1])
            if view is _UNKNOWN and not _touches(submission, key[1], clouded):
                since_s = missing_since_s[key] = memory.missing_since_s.get(key, now_s)
                if now_s - since_s >= confirm_s:
                    question = _question(submission, key[1])
                    if question in denied:
                        view = TaskView(presence=Presence.ABSENT, job_id=question.job_id)
                    else:
                        questions[question] = None
            views[key] = view
    return Judged(views=views, memory=Memory(missing_since_s), questions=tuple(questions), adopted=adopted)


def _sorted(rows: Sequence[QueueRow]) -> tuple[dict[str, list[QueueRow]], list[QueueRow]]:
    """Sort rows by the token in their names, never by id, which Slurm may give out again; nameless ones apart.

    Oldest first: ids grow, unless Slurm has lost its memory.
    """
    by_token: dict[str, list[QueueRow]] = defaultdict(list)
    nameless = []
    for row in sorted(rows, key=lambda row: (row.submitted, int(row.array_id))):
        token = parse_job_name(row.name)
        if token is None:
            nameless.append(row)
        else:
            by_token[token].append(row)
    return by_token, nameless


def _listed(submission: Submission, task: int, ours: Sequence[QueueRow]) -> TaskView | None:
    """Return what the rows say of a task, None if they are silent. One that lives outweighs those that have ended."""
    rows = [row for row in ours if row.task == task] if submission.is_array else ours
    alive = [row for row in rows if is_alive_state(row.state)]
    if not alive and not submission.is_array and not _speaks_of_newest(submission, rows):
        return None
    if alive or rows:
        row = (alive or rows)[-1]
        presence = Presence.PRESENT if alive else Presence.ABSENT
        return TaskView(presence=presence, state=row.state, reason=row.reason, job_id=row.job_id, node=row.nodes)
    # What is left of an array when its waiting tasks were cancelled is one row without a number; every task that still
    # runs has a row of its own beside it.
    if any(row.task is None and not is_alive_state(row.state) for row in ours):
        return TaskView(presence=Presence.ABSENT, state="CANCELLED" if task in submission.cancelled else "")
    return None


def _speaks_of_newest(submission: Submission, rows: Sequence[QueueRow]) -> bool:
    """Tell whether the last job of a script that submitted itself again is listed: the end of the others is no end."""
    return not submission.job_ids or any(row.array_id == submission.job_ids[-1] for row in rows)


def _ended(submission: Submission, task: int) -> TaskView:
    """Return what the ledger knows of a task's end."""
    if task in submission.ended or submission.is_abandoned:
        return TaskView(presence=Presence.ABSENT, state=submission.ended.get(task, ""))
    return _UNKNOWN


def _touches(submission: Submission, task: int, clouded: Sequence[QueueRow]) -> bool:
    """Tell whether a job has a task's number but no name of ours: ours under a new name, or a stranger's."""
    return any(row.task in (task, None) or not submission.is_array for row in clouded)


def _question(submission: Submission, task: int) -> Question:
    if not submission.job_ids:
        return Question(submission.token, "")
    job_id = submission.job_ids[-1]
    return Question(submission.token, f"{job_id}_{task}" if submission.is_array else job_id)


def _adopted(submission: Submission, ours: Sequence[QueueRow]) -> str | None:
    """Return the id of the newest job of a submission if it is news.

    Of jobs that have ended only the first is: Slurm keeps a record of those that it refuses, too.
    """
    news = [row for row in ours if row.array_id not in submission.job_ids]
    alive = [row.array_id for row in news if is_alive_state(row.state)]
    if alive:
        return alive[-1]
    is_first = not submission.job_ids and not submission.is_abandoned
    return news[-1].array_id if news and is_first else None
