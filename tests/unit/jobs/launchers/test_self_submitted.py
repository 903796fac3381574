"""A script that submitted itself again: the end of its first job is not its end."""

from __future__ import annotations

import pytest

from harness.datatypes.job import Presence, Submission
from harness.jobs.launchers.slurm_text import QueueRow, job_name
from harness.jobs.launchers.slurm_views import Memory, Question, judge_views

TOKEN = "0123456789ab"
NAME = job_name("eval", "mini", TOKEN)
CONFIRM_S = 60.0


def submission(*job_ids: str) -> Submission:
    return Submission(token=TOKEN, name=NAME, backend="slurm", intended_s=0.0, tasks=((0,),), job_ids=job_ids)


def row(job_id: str, state: str) -> QueueRow:
    name = NAME if job_id == "17" else f"{NAME}.sbatch"
    return QueueRow(
        job_id=job_id, array_id=job_id, task=None, state=state, reason="", name=name,
        submitted=f"2026-11-20T10:00:{job_id}", nodes="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("job_ids", "rows", "presence", "state"),
    [
        (("17",), [row("17", "COMPLETED")], Presence.ABSENT, "COMPLETED"),
        (("17",), [row("17", "COMPLETED"), row("18", "PENDING")], Presence.PRESENT, "PENDING"),
        (("17", "18"), [row("17", "COMPLETED"), row("18", "COMPLETED")], Presence.ABSENT, "COMPLETED"),
        # The answer was cut off behind its first line, or the newer job is older than Slurm's memory.
        (("17", "18"), [row("17", "COMPLETED")], Presence.UNKNOWN, ""),
        (("17", "18"), [row("17", "RUNNING")], Presence.PRESENT, "RUNNING"),
        ((), [row("17", "FAILED")], Presence.ABSENT, "FAILED"),
    ],
)
def test_newest_job_has_the_last_word(
    job_ids: tuple[str, ...], rows: list[QueueRow], presence: Presence, state: str
) -> None:
    judged = judge_views([submission(*job_ids)], rows, Memory(), 0.0, CONFIRM_S)
    view = judged.views[TOKEN, 0]
    assert (view.presence, view.state) == (presence, state)


def test_newest_job_that_is_missing_is_asked_for_and_believed_to_be_gone_when_slurm_says_so() -> None:
    meant, rows = submission("17", "18"), [row("17", "COMPLETED")]
    first = judge_views([meant], rows, Memory(), 0.0, CONFIRM_S)
    later = judge_views([meant], rows, first.memory, CONFIRM_S, CONFIRM_S)
    assert later.questions == (Question(TOKEN, "18"),)
    denied = judge_views([meant], rows, later.memory, CONFIRM_S, CONFIRM_S, later.questions)
    assert denied.views[TOKEN, 0].presence is Presence.ABSENT
