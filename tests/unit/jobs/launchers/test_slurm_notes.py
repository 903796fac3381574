"""What Slurm writes into a job's error log says why the job ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.launchers.slurm_notes import ErrorLog, last_word

# As Slurm 22.05 wrote them; the two about cgroups are those of 21.08 and 23.02.
CANCELLED = "slurmstepd-n1: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:08 ***\n"
PREEMPTED = "slurmstepd-n1: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:08 DUE TO PREEMPTION ***\n"
NODE = (
    "slurmstepd-n1: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:54 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR "
    "DETAILS ***\n"
)
TIME = "slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:54 DUE TO TIME LIMIT ***\n"
MEMORY = (
    "slurmstepd-n1: error: StepId=1.batch exceeded memory limit (267509760 > 209715200), being killed\n"
    f"{CANCELLED}slurmstepd-n1: error: Exceeded job memory limit\n"
)
CGROUP = (
    "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.batch. Some of your processes may have been killed by "
    "the cgroup out-of-memory handler.\n",
    "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch. Some of the step tasks have been OOM Killed.\n",
)


@pytest.mark.parametrize(
    ("log", "word"),
    [
        ("", ""),
        ("a warning of the script\n", ""),
        (CANCELLED, "CANCELLED"),
        (PREEMPTED, "PREEMPTED"),
        (NODE, "NODE_FAIL"),
        (TIME, "TIMEOUT"),
        (MEMORY, "OUT_OF_MEMORY"),
        *((note, "OUT_OF_MEMORY") for note in CGROUP),
        (CGROUP[0] + CANCELLED, "OUT_OF_MEMORY"),
        (PREEMPTED + "words\n" + NODE, "NODE_FAIL"),
        (NODE + CANCELLED, "CANCELLED"),
        (MEMORY + PREEMPTED, "PREEMPTED"),
        ("slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-20T10:18:54 DUE TO TIME LI", "CANCELLED"),
        ("the agent prints DUE TO PREEMPTION and oom_kill\n", ""),
    ],
)
def test_last_note_is_the_word(log: str, word: str) -> None:
    assert last_word(log) == word


@given(st.text())
def test_no_log_is_too_odd(log: str) -> None:
    assert last_word(log) in ("", "CANCELLED", "PREEMPTED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY")


def test_log_is_read_in_two_parts(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(PREEMPTED)
    log = ErrorLog(file, file.stat().st_size)
    with file.open("a") as more:
        more.write(TIME)
    assert (log.before_start(), log.since_start()) == (PREEMPTED, TIME)
    assert ErrorLog.whole(file).since_start() == PREEMPTED + TIME


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("noise\n" * 100_000 + NODE)
    log = ErrorLog.whole(file)
    assert len(log.since_start()) == 20_000
    assert last_word(log.since_start()) == "NODE_FAIL"


@pytest.mark.parametrize("file", [None, Path("/nowhere/log"), Path("/")])
def test_log_that_cannot_be_read_says_nothing(file: Path | None) -> None:
    log = ErrorLog(file, 10)
    assert (log.before_start(), log.since_start()) == ("", "")


FIND = "from harness.jobs.launchers.slurm_notes import ErrorLog; print(ErrorLog.of_this_job())"


def test_job_finds_its_own_log(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(PREEMPTED)
    in_job = {**os.environ, "SLURM_JOB_ID": "4"}
    with file.open("a") as errors:
        command = [sys.executable, "-c", FIND]
        shown = subprocess.run(command, env=in_job, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=60.0)
        assert shown.stdout.strip() == repr(ErrorLog(file, len(PREEMPTED)))
        elsewhere = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
        shown = subprocess.run(command, env=elsewhere, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=60.0)
        assert shown.stdout.strip() == repr(ErrorLog(None))
    piped = subprocess.run(command, env=in_job, capture_output=True, text=True, timeout=60.0)
    assert piped.stdout.strip() == repr(ErrorLog(None))
