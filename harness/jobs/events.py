"""The events of a ledger (ledger.py), as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from harness.datatypes.job import Submission

Event: TypeAlias = dict[str, Any]


def intent(submission: Submission, script: str, command: Sequence[str]) -> Event:
    """Return what is written before the scheduler is called.

    Args:
        script: path of what is handed over; empty if there is none.
        command: the call itself.
    """
    return {
        "event": "intent",
        "token": submission.token,
        "name": submission.name,
        "backend": submission.backend,
        "time": submission.intended_s,
        "partition": submission.partition,
        "partition_rank": submission.partition_rank,
        "time_limit_s": submission.time_limit_s,
        "is_array": submission.is_array,
        "script": script,
        "command": list(command),
        "tasks": submission.tasks,
    }


def submitted(token: str, job_id: str) -> Event:
    """Return what is written when the scheduler has answered with a job id."""
    return {"event": "submitted", "token": token, "job_id": job_id}


def registered(token: str, job_id: str) -> Event:
    """Return what a job writes that finds itself missing in the ledger."""
    return {"event": "registered", "token": token, "job_id": job_id}


def abandoned(token: str, why: str) -> Event:
    """Return what is written when the scheduler has positively no such job."""
    return {"event": "abandoned", "token": token, "why": why}


def cancel(token: str, tasks: Sequence[int], why: str) -> Event:
    """Return what is written before tasks are cancelled."""
    return {"event": "cancel", "token": token, "tasks": list(tasks), "why": why}


def ended(token: str, task: int, state: str) -> Event:
    """Return what is written once about a task that has ended; `state` is the scheduler's word, or empty."""
    return {"event": "ended", "token": token, "task": task, "state": state}
