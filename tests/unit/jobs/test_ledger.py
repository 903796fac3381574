"""A ledger says the same to everybody, and whatever is torn or strange in it takes nothing else with it."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Submission
from harness.errors import JobError
from harness.jobs import ledger
from harness.jobs.ledger import Ledger, fold, fold_bytes, new_token

A, B = "a" * 12, "b" * 12


def intent(token: str = A, tasks: Any = ((0, 3), (1, 2)), **more: Any) -> dict[str, Any]:
    return {
        "event": "intent",
        "token": token,
        "name": f"eval_mini_{token}",
        "backend": "slurm",
        "time": 1700000000.5,
        "tasks": tasks,
        "partition": "gpu",
        "partition_rank": 1,
        "time_limit_s": 3600,
        "is_array": True,
        "script": "scripts/eval.sbatch",
        **more,
    }


def event(kind: str, token: str = A, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "token": token, **fields}


def folded(*events: Any) -> ledger.Folded:
    return fold([line if isinstance(line, str) else json.dumps(line) for line in events])


SUBMISSION = Submission(
    token=A,
    name=f"eval_mini_{A}",
    backend="slurm",
    intended_s=1700000000.5,
    tasks=((0, 3), (1, 2)),
    partition="gpu",
    partition_rank=1,
    time_limit_s=3600,
    is_array=True,
)


def test_story_of_a_submission() -> None:
    submissions, problems = folded(
        intent(),
        event("submitted", job_id="17"),
        event("cancel", tasks=[1], why="superfluous"),
        event("ended", task=0, state="TIMEOUT"),
        event("ended", task=1, state=""),
        intent(B, [[5]], is_array=False),
        event("registered", B, job_id="18"),
        event("registered", B, job_id="19"),
    )
    first, second = submissions
    assert problems == []
    assert first.task_keys() == [(A, 0), (A, 1)]
    assert (first.job_ids, first.cancelled, first.ended) == (("17",), frozenset({1}), {0: "TIMEOUT", 1: ""})
    assert (second.tasks, second.job_ids, second.is_array) == (((5,),), ("18", "19"), False)


def test_intent_alone_is_a_submission_without_an_id() -> None:
    assert folded(intent()) == ([SUBMISSION], [])


def test_what_an_intent_may_leave_out() -> None:
    (submission,), problems = folded({"event": "intent", "token": A, "backend": "local", "time": 5, "tasks": [[0]]})
    assert problems == []
    assert submission == Submission(token=A, backend="local", intended_s=5.0, tasks=((0,),))


def test_job_id_proves_that_a_submission_was_not_abandoned() -> None:
    gone, late = event("abandoned", why="never heard of"), event("submitted", job_id="17")
    assert folded(intent(), gone).submissions[0].is_abandoned
    for order in ((gone, late), (late, gone)):
        (submission,) = folded(intent(), *order).submissions
        assert (submission.is_abandoned, submission.job_ids) == (False, ("17",))


def test_script_that_submits_itself_again_has_not_ended() -> None:
    story = [event("submitted", job_id="17"), event("ended", task=0, state="TIMEOUT"), event("registered", job_id="18")]
    (submission,) = folded(intent(tasks=[[0]], is_array=False), *story).submissions
    assert (submission.job_ids, submission.ended) == (("17", "18"), {})
    (array,) = folded(intent(tasks=[[0]]), *story).submissions
    assert array.ended == {0: "TIMEOUT"}


def test_jobs_that_register_before_their_submitter_has_written_are_no_problem() -> None:
    early = event("registered", job_id="17")
    (submission,), problems = folded(intent(), early, early, event("submitted", job_id="17"))
    assert (submission.job_ids, problems) == (("17",), [])


def test_last_word_gives_way_to_a_better_one_only() -> None:
    words = [event("ended", task=0, state=state) for state in ("", "NODE_FAIL", "COMPLETED")]
    (submission,), problems = folded(intent(), *words)
    assert submission.ended == {0: "NODE_FAIL"}
    assert problems == [f"line 4: task 0 of {A} ended as NODE_FAIL before, found 'COMPLETED'"]


ODDITIES = {
    "torn": json.dumps(intent(B))[:-3],
    "no JSON": "\x00\x00\x00",
    "no event": "[1, 2]",
    "nested": "[" * 100_000,
    "huge number": '{"event": "intent", "token": "t", "backend": "slurm", "tasks": [], "time": 1' + "0" * 400 + "}",
    "digits": "1" * 5000,
    "no kind": {"token": A},
    "unknown kind": event("painted", colour="red"),
    "kind is a list": {"event": ["intent"], "token": A},
    "token is a number": event("submitted", 7, job_id="1"),  # type: ignore[arg-type]
    "unknown token": event("submitted", B, job_id="1"),
    "second intent": intent(tasks=[[7]]),
    "no job id": event("submitted"),
    "job id is a number": event("submitted", job_id=17),
    "second submitted": event("submitted", job_id="17"),
    "second abandoned": event("abandoned", why=""),
    "task out of range": event("ended", task=2, state="FAILED"),
    "task is negative": event("ended", task=-1, state="FAILED"),
    "task is true": event("ended", task=True, state="FAILED"),
    "state is null": event("ended", task=0, state=None),
    "tasks are a number": event("cancel", tasks=0),
    "one of the tasks is out of range": event("cancel", tasks=[0, 9]),
    "unit is text": intent(B, [["0"]]),
    "unit is negative": intent(B, [[-1]]),
    "tasks are missing": intent(B, None),
    "time is text": intent(B, time="now"),
    "time is infinite": intent(B, time=float("inf")),
    "rank is text": intent(B, partition_rank="first"),
    "array is a number": intent(B, is_array=1),
}


@pytest.mark.parametrize("oddity", ODDITIES.values(), ids=ODDITIES.keys())
def test_oddity_is_a_problem_and_changes_nothing(oddity: Any) -> None:
    story = [intent(), event("submitted", job_id="17"), event("abandoned", why="")]
    submissions, problems = folded(*story, oddity, event("cancel", tasks=[1], why=""))
    assert submissions == folded(*story, event("cancel", tasks=[1], why="")).submissions
    (problem,) = problems
    assert problem.startswith("line 4: ") and len(problem) < 200


def test_blank_lines_are_nothing() -> None:
    assert folded("", intent(), "  ", "") == ([SUBMISSION], [])


def extends(later: list[Submission], earlier: list[Submission]) -> bool:
    """What was known is still known; a late job id alone takes back that a submission was abandoned or has ended."""
    return len(later) >= len(earlier) and all(map(_extends, later, earlier))


def _extends(new: Submission, old: Submission) -> bool:
    is_same = (new.token, new.tasks) == (old.token, old.tasks)
    if not (is_same and new.job_ids[: len(old.job_ids)] == old.job_ids and new.cancelled >= old.cancelled):
        return False
    words_stand = all(task in new.ended and state in ("", new.ended[task]) for task, state in old.ended.items())
    return new.job_ids != old.job_ids or (new.is_abandoned >= old.is_abandoned and words_stand)


TOKENS = st.sampled_from("xyz")
NUMBERS = st.integers(0, 3)
EVENTS = st.one_of(
    st.builds(intent, TOKENS, st.lists(st.lists(NUMBERS, max_size=3), max_size=3), is_array=st.booleans()),
    st.builds(event, st.sampled_from(["submitted", "registered"]), TOKENS, job_id=st.sampled_from(["17", "18"])),
    st.builds(event, st.just("abandoned"), TOKENS, why=st.just("é")),
    st.builds(event, st.just("cancel"), TOKENS, tasks=st.lists(NUMBERS, max_size=2), why=st.just("")),
    st.builds(event, st.just("ended"), TOKENS, task=NUMBERS, state=st.sampled_from(["", "TIMEOUT", "FAILED"])),
)
LINES = st.one_of(
    EVENTS.map(lambda content: json.dumps(content).encode() + b"\n"),
    EVENTS.map(lambda content: json.dumps(content).encode()),  # its newline was lost
    st.binary(max_size=12),
)


@given(st.lists(LINES, max_size=12).map(b"".join), st.data())
def test_whole_ledger_extends_every_beginning_of_it(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data)), label="cut")
    assert extends(fold_bytes(data).submissions, fold_bytes(data[:cut]).submissions)


@given(st.binary(max_size=200))
def test_any_bytes_fold(data: bytes) -> None:
    submissions, problems = fold_bytes(data)
    assert submissions == [] and len(problems) <= data.count(b"\n") + 1


def test_thousands_of_units_in_one_line(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    tasks = [list(range(first, first + 100)) for first in range(0, 9000, 100)]
    book.append(intent(tasks=tasks))
    assert book.path.stat().st_size < 60_000
    assert [list(task) for task in book.read()[0].tasks] == tasks


def test_append_and_read_back(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    assert book.read() == []
    book.append(intent())
    book.append(event("submitted", job_id="17"))
    assert (book.read()[0].job_ids, book.problems) == (("17",), [])
    first, second = map(json.loads, book.path.read_text().splitlines())
    assert first["time"] == 1700000000.5
    assert second["time"] > first["time"]


def test_line_after_a_torn_one_is_whole(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    book.append(intent())
    with book.path.open("ab") as file:
        file.write(b'{"event": "submi')
    assert book.read() == [SUBMISSION]
    assert book.problems == ['line 2: found \'{"event": "submi\' at the end, expected a newline behind it']
    book.append(event("submitted", job_id="17"))
    assert book.read()[0].job_ids == ("17",)
    (problem,) = book.problems
    assert problem.startswith('line 2: found \'{"event": "submi\', expected a whole line of JSON')


def test_event_is_one_write_and_on_disk_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for owner, name in ((fcntl, "flock"), (os, "write"), (os, "fsync")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))[1])
    Ledger(tmp_path / "submissions.jsonl").append(intent())
    Ledger(tmp_path / "submissions.jsonl").append(intent(B))
    assert calls == ["flock", "write", "fsync", "fsync", "flock", "write", "fsync"]  # the second is that of the folder


def test_short_write_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    book.append(intent())
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: write(handle, data[:20]))
        with pytest.raises(JobError, match=r"cannot write .*jsonl: 20 of \d+ bytes were written"):
            book.append(intent(B))
    book.append(intent("c"))
    assert [submission.token for submission in book.read()] == [A, "c"]


@pytest.mark.parametrize("act", [lambda book: book.append(intent()), lambda book: book.read()], ids=["append", "read"])
def test_folder_in_its_place_is_an_error(tmp_path: Path, act: Any) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    book.path.mkdir()
    with pytest.raises(JobError, match=r"cannot (read|write) .*submissions.jsonl") as caught:
        act(book)
    assert caught.value.hint


def _write_many(path: Path, writer: int) -> None:
    for number in range(20):
        Ledger(path).append(intent(f"{writer}_{number}", [list(range(2000))]))


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "submissions.jsonl")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(book.path, writer)) for writer in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
        assert process.exitcode == 0
    assert {submission.token for submission in book.read()} == {f"{w}_{n}" for w in range(4) for n in range(20)}
    assert book.problems == []


def test_tokens_are_twelve_hex_digits() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 12 and int(token, 16) >= 0 for token in tokens)


@pytest.mark.parametrize("garbage", [b"\x00\xff\x17\n", b"hello\n", b"[1, 2]\n"])
def test_ledger_that_somebody_else_has_written_into_is_refused(tmp_path: Path, garbage: bytes) -> None:
    ledger = Ledger(tmp_path / "submissions.jsonl")
    ledger.append({"event": "intent", "token": A, "backend": "slurm", "time": 1.0, "tasks": [[0]]})
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + garbage)
    with pytest.raises(JobError, match="line 2 begins with") as refused:
        ledger.read()
    assert "make scancel" in str(refused.value.hint)
    for torn in range(1, len(whole)):
        ledger.path.write_bytes(whole + whole[:torn] + b"\n")  # a writer that was killed
        assert len(ledger.read()) == 1
