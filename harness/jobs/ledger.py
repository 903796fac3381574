"""The ledger of a run: `submissions.jsonl`, where every call of the scheduler is written down before it is made.

    intent      token, backend, time, tasks; name, partition, partition_rank, time_limit_s, is_array   before the call
    submitted   token, job_id           what the scheduler answered
    registered  token, job_id           by a job that does not find itself here
    cancel      token, tasks, why       before cancelling
    ended       token, task, state      the scheduler's last word about a task, which it forgets soon
    abandoned   token, why              the scheduler has never heard of it

Lines are only ever added. A line counts from the moment its newline is on disk, so that what a reader has seen is
never taken back, however the writer ends.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from harness.datatypes.job import Submission
from harness.errors import JobError

Event: TypeAlias = dict[str, Any]


class Folded(NamedTuple):
    """What a ledger says.

    Attributes:
        submissions: in the order of their intents.
        problems: lines that say nothing, each with its number and what is wrong.
    """

    submissions: list[Submission]
    problems: list[str]


def new_token() -> str:
    """Return 12 hexadecimal digits that no other submission has."""
    return secrets.token_hex(6)


@dataclass
class _Draft:
    submission: Submission
    job_ids: list[str] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)
    is_abandoned: bool = False
    cancelled: set[int] = field(default_factory=set)
    ended: dict[int, str] = field(default_factory=dict)

    def finished(self) -> Submission:
        return replace(
            self.submission,
            job_ids=tuple(self.job_ids),
            # A job id is proof: the scheduler answered after somebody had stopped waiting for it.
            is_abandoned=self.is_abandoned and not self.job_ids,
            cancelled=frozenset(self.cancelled),
            ended=self.ended,
        )


def fold(lines: Iterable[str]) -> Folded:
    """Return what the lines of a ledger add up to.

    Never raises: a line that is no event, an event for a token without an intent, or one that was there before is a
    problem and changes nothing. Every further line adds to the answer: submissions, job ids, cancelled and ended tasks
    are never taken back. A job id that arrives late is proof to the contrary: its submission was not abandoned, and the
    one task of a script that submitted itself again has not ended. A last word ``""`` gives way to a better one.
    """
    drafts: dict[str, _Draft] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            _apply(json.loads(line), drafts)
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: found {line[:40]!r}, expected a whole line of JSON ({error.msg.lower()})")
        except (ValueError, OverflowError, RecursionError) as error:
            problems.append(f"line {number}: {error}")
    return Folded([draft.finished() for draft in drafts.values()], problems)


def fold_bytes(data: bytes) -> Folded:
    """Return what the content of a ledger adds up to; a last line without newline does not count yet."""
    *lines, rest = data.decode("utf-8", errors="replace").split("\n")
    folded = fold(lines)
    if rest:
        folded.problems.append(f"line {len(lines) + 1}: found {rest[:40]!r} at the end, expected a newline behind it")
    return folded


def _apply(event: Any, drafts: dict[str, _Draft]) -> None:
    """Take one event in; ValueError says why it is none, and then nothing has changed."""
    if not isinstance(event, dict):
        raise ValueError(f"found {str(event)[:40]!r}, expected an event")
    kind, token = _text(event, "event"), _text(event, "token")
    if kind == "intent":
        if token in drafts:
            raise ValueError(f"second intent of {token}, expected one")
        drafts[token] = _Draft(_submission(event))
        return
    draft = drafts.get(token)
    if draft is None:
        raise ValueError(f"{kind} of {token}, which has no intent before")
    count = len(draft.submission.tasks)
    if kind in ("submitted", "registered"):
        job_id = _text(event, "job_id")
        if kind == "submitted":
            if job_id in draft.answers:
                raise ValueError(f"second submitted of {token} as {job_id}")
            draft.answers.add(job_id)
        # Tasks that start at once register, any number of them, before their submitter has written the same id.
        if job_id not in draft.job_ids:
            draft.job_ids.append(job_id)
            if not draft.submission.is_array:
                draft.ended.clear()
    elif kind == "abandoned":
        if draft.is_abandoned:
            raise ValueError(f"second abandoned of {token}")
        draft.is_abandoned = True
    elif kind == "cancel":
        draft.cancelled |= {_task(task, count) for task in _list(event.get("tasks"))}
    elif kind == "ended":
        task, state = _task(event.get("task"), count), _text(event, "state", least=0)
        if known := draft.ended.get(task):
            raise ValueError(f"task {task} of {token} ended as {known} before, found {state!r}")
        draft.ended[task] = state
    else:
        raise ValueError(f"found the event {kind[:40]!r}, expected one that this version knows")


def _submission(event: Event) -> Submission:
    tasks = [_list(task) for task in _list(event.get("tasks"))]
    for units in tasks:
        if not all(type(unit) is int and unit >= 0 for unit in units):
            raise ValueError(f"found the task {str(units)[:40]}, expected line numbers of the manifest")
    time_s, is_array = event.get("time"), event.get("is_array", False)
    if isinstance(time_s, bool) or not isinstance(time_s, int | float) or not math.isfinite(time_s):
        raise ValueError(f"found the time {str(time_s)[:40]!r}, expected seconds")
    if type(is_array) is not bool:
        raise ValueError(f"found is_array {str(is_array)[:40]!r}, expected true or false")
    return Submission(
        token=_text(event, "token"),
        name=_text({"name": "", **event}, "name", least=0),
        backend=_text(event, "backend"),
        intended_s=float(time_s),
        tasks=tuple(map(tuple, tasks)),
        partition=_text({"partition": "", **event}, "partition", least=0),
        partition_rank=_whole(event.get("partition_rank", 0), "partition_rank"),
        time_limit_s=_whole(event.get("time_limit_s", 0), "time_limit_s"),
        is_array=is_array,
    )


def _text(event: Event, name: str, least: int = 1) -> str:
    value = event.get(name)
    if not isinstance(value, str) or len(value) < least:
        raise ValueError(f"found the {name} {str(value)[:40]!r}, expected text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"found {str(value)[:40]!r}, expected a list of tasks")
    return value


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"found the {name} {str(value)[:40]!r}, expected a whole number")
    return value


def _task(value: Any, count: int) -> int:
    if _whole(value, "task") >= count:
        raise ValueError(f"found task {value}, expected one of {count}")
    return int(value)


class Ledger:
    """The ledger of one run on disk. Any number of processes, also on several machines, may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []

    def append(self, event: Event) -> None:
        """Add an event, stamped with the time if it has none; it is on disk when this returns.

        Raises:
            JobError: it may not be there; what it announces must not be done.
        """
        stamped = {"time": round(time.time(), 3)} | event
        line = json.dumps({"event": stamped.pop("event")} | stamped, allow_nan=False, separators=(",", ":")) + "\n"
        try:
            with self.path.with_name(f".{self.path.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._write(line.encode())
        except OSError as error:
            raise JobError(
                f"cannot write {self.path}: {error.strerror or error}, expected room and a file system with locks",
                hint=f"df -h {self.path.parent}",
            ) from error

    def _write(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                # Somebody was killed while writing; the line that is torn must not take this one with it.
                line = b"\n" + line
            written = os.write(handle, line)
            if written < len(line):
                raise OSError(f"{written} of {len(line)} bytes were written")
            os.fsync(handle)
        finally:
            os.close(handle)
        if not size:
            _sync_folder(self.path.parent)

    def read(self) -> list[Submission]:
        """Return the submissions, none if there is no ledger yet; `problems` then has the lines that say nothing.

        Raises:
            JobError: it cannot be read, which is not the same as empty.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise JobError(
                f"cannot read {self.path}: {error.strerror or error}", hint=f"ls -l {self.path.parent}"
            ) from error
        self._refuse_damage(data)
        submissions, self.problems = fold_bytes(data)
        return submissions

    def _refuse_damage(self, data: bytes) -> None:
        """Refuse a ledger in which something stands that no writer of ours wrote, not even one that was killed."""
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip() and not line.startswith(b'{"'[: len(line)]):
                raise JobError(
                    f"{self.path} is damaged: line {number} begins with {line[:30]!r}, expected an event; "
                    "jobs of this run may be unknown",
                    hint=f"make scancel RUN={self.path.parent}, then mv {self.path} {self.path}.damaged",
                )


def _sync_folder(folder: Path) -> None:
    """Force the name of the new file to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
