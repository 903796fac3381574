"""Programs that are asked something cannot keep us waiting, whatever they do."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.checks.answers import Answer, ask, last_words
from tests.unit.jobs.drawn import is_running

# Ignores TERM and leaves a child that holds its output open.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(60)
print("so far", flush=True)
time.sleep(60)
"""


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def test_answer_has_code_and_both_texts() -> None:
    answer = ask(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert answer is not None
    assert (answer.code, answer.out, answer.err) == (3, "out\n", "err\n")
    assert not answer.is_ok
    assert answer.ending == "exit code 3: err"


def test_program_that_is_not_there_has_no_answer() -> None:
    assert ask(["no-such-program-anywhere"]) is None


def test_file_that_cannot_be_run_is_an_answer(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF but no program")
    program.chmod(0o755)
    answer = ask([str(program)])
    assert answer is not None
    assert answer.code == 127
    assert "xec format" in answer.err


def test_program_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    began_s = time.monotonic()
    answer = ask(python(STUBBORN, str(tmp_path / "pid")), limit_s=0.5)
    assert answer is not None
    assert answer.code is None
    assert "no answer within" in answer.ending
    assert time.monotonic() - began_s < 10.0
    if (tmp_path / "pid").exists() and (text := (tmp_path / "pid").read_text()):
        deadline_s = time.monotonic() + 10.0
        while is_running(int(text)):  # a killed process is there until the system has got round to it
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def test_crash_is_named() -> None:
    answer = ask(python("import os; os.kill(os.getpid(), 11)"))
    assert answer is not None
    assert answer.ending == "killed by SIGSEGV"


def test_environment_replaces_ours() -> None:
    answer = ask(python("import os; print(sorted(os.environ))"), environment={"ONLY": "this", "LC_CTYPE": "C.UTF-8"})
    assert answer is not None
    assert answer.out == "['LC_CTYPE', 'ONLY']\n"
    assert "PATH" in os.environ


@given(st.text())
def test_last_words_are_one_printable_line(text: str) -> None:
    words = last_words(text)
    assert len(words) <= 200
    assert all(c.isprintable() for c in words)
    assert words or not any(c.isprintable() and not c.isspace() for c in text)


def test_last_words_are_the_last_line_with_something_in_it() -> None:
    assert last_words("first\n  second  \n\n \n") == "second"
    assert Answer(code=9, out="NVIDIA-SMI has failed\n\n", err="").ending == "exit code 9: NVIDIA-SMI has failed"
    assert (
        Answer(code=-64, out="", err="").ending == "killed by signal 64"
        or "SIGRTMAX" in Answer(code=-64, out="", err="").ending
    )
