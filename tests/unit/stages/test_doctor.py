"""What follows from an examination, and when a probe job is given up."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.doctor import doctor_command
from harness.errors import ConfigError, HarnessError
from harness.jobs.checks.answers import Answer
from harness.jobs.checks.check import Check, State
from harness.jobs.launchers.slurm import SubmitAnswer
from harness.jobs.launchers.slurm_text import QueueRow
from harness.jobs.profile import Profile
from harness.stages import doctor as doctor_module
from harness.stages import doctor_probe
from harness.stages.doctor import exit_code, judge_drive, judge_simulator, working_folder
from harness.stages.doctor_follow import Probe, ProbeOptions, follow, judge_silence
from harness.stages.doctor_node import judge_clocks, read_report
from harness.stages.doctor_probe import require_slurm

OPTIONS = ProbeOptions(pending_limit_s=100.0, gone_limit_s=10.0)
GOOD = Check(name="Python", state=State.OK, found="3.11", is_needed=True)


def check(state: State, *, is_needed: bool) -> Check:
    return Check(name="x", state=state, found="", is_needed=is_needed)


def said(code: int | None, seconds: float = 1.0, err: str = "") -> Answer:
    return Answer(code=code, out="", err=err, seconds=seconds)


# --- this machine ----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(State), st.booleans())))
def test_only_what_the_embedded_simulator_needs_is_an_error(found: list[tuple[State, bool]]) -> None:
    code = exit_code([check(state, is_needed=is_needed) for state, is_needed in found])
    assert code == (1 if (State.FAILED, True) in found else 0)


def test_simulator_that_answers_the_client_is_fine() -> None:
    assert judge_simulator(1.5, said(0, 0.5), "").found == "answers after 1.5 s, the carla client connects within 0.5 s"
    assert judge_simulator(20.0, said(0, 0.5), "").state == "warning"


@pytest.mark.parametrize(
    ("started_s", "client", "problem", "words"),
    [
        (None, None, "the simulator ended with code 1\nat its start", "ended with code 1 at its start"),
        (1.0, said(-11), "", "the carla client does not reach it: killed by SIGSEGV"),
        (1.0, None, "", "no answer"),
    ],
)
def test_simulator_that_does_not_is_fatal(
    started_s: float | None, client: Answer | None, problem: str, words: str
) -> None:
    judged = judge_simulator(started_s, client, problem)
    assert judged.is_fatal
    assert words in judged.found


def test_drive_process_must_load() -> None:
    assert judge_drive(said(0)).state == "ok"
    assert judge_drive(said(0, 30.0)).state == "warning"
    assert judge_drive(said(1, err="ModuleNotFoundError: No module named 'numpy'")).is_fatal
    assert judge_drive(None).is_fatal


def test_working_folder_is_where_runs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert working_folder().resolve() == tmp_path
    (tmp_path / "outputs").mkdir()
    assert working_folder().resolve() == tmp_path / "outputs"


# --- what a node writes down -----------------------------------------------------------------------------------------


def report(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "node": "cpu-01", "clock_offset_s": 0.25, "checks": [GOOD.as_dict()], **changes}


def test_report_of_a_node_is_read() -> None:
    found = read_report(report(), "cpu", "17", 0.0, 9.4)
    assert (found.partition, found.job_id, found.node, found.is_answered) == ("cpu", "17", "cpu-01", True)
    job, good, clock = found.checks
    assert job.found == "17, answered after 9 s"
    assert good == GOOD
    assert clock.found == "the node's is 0.25 s ahead of ours"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "holds no checks"),
        ({}, "holds no checks"),
        (report(checks=[{"name": "x"}]), "has the state ''"),
        (report(checks=["x"]), "a check is 'x'"),
        (report(node=3), "names the node 3"),
    ],
)
def test_anything_else_is_refused(content: Any, words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        read_report(content, "cpu", "17", 0.0, 1.0)


@pytest.mark.parametrize("offset", [None, "soon", True, []])
def test_report_without_a_time_still_counts(offset: Any) -> None:
    found = read_report(report(clock_offset_s=offset), "cpu", "17", 0.0, 1.0)
    assert found.is_answered
    assert (found.checks[-1].name, found.checks[-1].state) == ("clock between machines", "warning")


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_clocks_are_compared_through_the_file_system(here_s: float, there_s: float) -> None:
    judged = judge_clocks(here_s, there_s)
    difference_s = abs(there_s - here_s)
    if not math.isclose(difference_s, 5.0):
        assert judged.state == ("ok" if difference_s < 5.0 else "warning")
    assert ("ahead" in judged.found) == (there_s >= here_s)


# --- waiting for it --------------------------------------------------------------------------------------------------


def a_probe(tmp_path: Path) -> Probe:
    return Probe(
        partition="cpu",
        token="0" * 12,
        name="doctor_cpu_000000000000",
        report=tmp_path / "0_cpu.json",
        log=tmp_path / "0_cpu.log",
        job_id="17",
        submitted_s=1000.0,
    )


def row(state: str, reason: str = "") -> QueueRow:
    return QueueRow(
        job_id="17", array_id="17", task=None, state=state, reason=reason, name="doctor_cpu_000000000000",
        submitted="2026-01-01T00:00:00", nodes="",
    )  # fmt: skip


def follow_all(one: Probe, rows: Sequence[tuple[float, QueueRow | None]]) -> tuple[list[str | None], list[str]]:
    """Return what was found at the end of each look, and what was said."""
    told: list[str] = []
    verdicts = [follow(one, found, 1000.0 + at_s, OPTIONS, told.append) for at_s, found in rows]
    return [verdict.check.found if verdict else None for verdict in verdicts], told


def test_job_is_followed_and_each_news_is_told_once(tmp_path: Path) -> None:
    pending, running = row("PENDING", "Priority"), row("RUNNING")
    looks = [(0.0, None), (1.0, pending), (50.0, pending), (51.0, row("PENDING", "Resources")), (500.0, running)]
    # A job that has begun may take as long as its time limit allows.
    found, told = follow_all(a_probe(tmp_path), [*looks, (100.0, running), (899.0, running)])
    assert found[4:] == [None, None, None]
    assert told == [
        "cpu: job 17 is pending (Priority)", "cpu: job 17 is pending (Resources)", "cpu: job 17 is running",
    ]  # fmt: skip


def test_job_that_waits_too_long_is_given_up_without_blame(tmp_path: Path) -> None:
    one = a_probe(tmp_path)
    assert follow(one, row("PENDING", "Resources"), 1099.0, OPTIONS, str) is None
    verdict = follow(one, row("PENDING", "Resources"), 1100.0, OPTIONS, str)
    assert verdict is not None
    assert not verdict.is_over
    assert (verdict.check.state, verdict.check.is_fatal) == ("warning", False)
    assert verdict.check.found == "job 17 is pending after 100 s (Resources); cancelled"


@pytest.mark.parametrize("reason", ["PartitionTimeLimit", "BadConstraints", "launch failed requeued held"])
def test_job_that_would_wait_for_ever_is_given_up_at_once(tmp_path: Path, reason: str) -> None:
    verdict = follow(a_probe(tmp_path), row("PENDING", reason), 1001.0, OPTIONS, str)
    assert verdict is not None
    assert verdict.check.is_fatal
    assert not verdict.is_over


def test_job_that_ended_has_some_time_until_its_file_is_seen(tmp_path: Path) -> None:
    one = a_probe(tmp_path)
    one.log.write_text("slurmstepd: error\nmodule: command not found\n\n")
    found, told = follow_all(
        one, [(5.0, row("RUNNING")), (6.0, row("FAILED")), (15.9, row("FAILED")), (16.0, row("FAILED"))]
    )
    assert found[:3] == [None, None, None]
    assert found[3] == "job 17 ended (FAILED) without an answer: module: command not found"
    assert told[1:] == ["cpu: job 17 has ended (FAILED); its answer may take a moment to be seen"]


def test_job_without_a_log_hints_at_a_folder_that_is_not_shared(tmp_path: Path) -> None:
    one = a_probe(tmp_path)
    assert follow(one, None, 1000.0, OPTIONS, str) is None
    verdict = follow(one, None, 1010.0, OPTIONS, str)
    assert verdict is not None
    assert not verdict.is_over  # it may yet appear, and is cancelled then
    assert verdict.check.found == "job 17 ended (not known to Slurm) without an answer"
    assert verdict.check.hint == "start from a folder that the compute nodes see"


def test_job_that_was_missing_for_a_moment_is_not_gone(tmp_path: Path) -> None:
    found, _ = follow_all(
        a_probe(tmp_path), [(0.0, None), (9.0, None), (10.0, row("RUNNING")), (15.0, None), (24.0, None)]
    )
    assert found == [None] * 5


def test_id_that_sbatch_did_not_tell_is_learnt(tmp_path: Path) -> None:
    one = a_probe(tmp_path)
    one.job_id = ""
    follow(one, row("RUNNING"), 1001.0, OPTIONS, str)
    assert one.job_id == "17"


def test_silence_of_slurm_is_borne_as_long_as_a_pending_job(tmp_path: Path) -> None:
    assert judge_silence(a_probe(tmp_path), 1099.0, OPTIONS) is None
    verdict = judge_silence(a_probe(tmp_path), 1100.0, OPTIONS)
    assert verdict is not None
    assert (verdict.check.state, verdict.is_over) == ("warning", False)


def test_partition_without_slurm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="found no sbatch"):
        require_slurm()


# --- what would be submitted -----------------------------------------------------------------------------------------


class SpiedSlurm:
    """The programs of a cluster that write down whether they are called."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.calls = folder / "calls"
        (folder / "bin").mkdir()
        for name in ("sbatch", "squeue", "scancel"):
            program = folder / "bin" / name
            program.write_text(f"#!/bin/sh\necho {name} >>{shlex.quote(str(self.calls))}\n")
            program.chmod(0o755)
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def doctor(*words: str) -> str:
    result = CliRunner().invoke(doctor_command, words, standalone_mode=False)
    assert (result.exception, result.return_value) == (None, 0), result.output
    return result.output


def test_print_only_shows_scripts_and_command_lines_and_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = SpiedSlurm(tmp_path, monkeypatch)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this machine was looked at")

    monkeypatch.setattr(doctor_module, "examine_here", refuse)
    typed = ("--partition", "day,night", "--gpu", "1", "--account", "lab", "--qos", "q", "--mem", "4G")
    text = doctor(*typed, "--constraint", "big&fast", "--print-only")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("sbatch ")]
    assert [line[3] for line in lines] == ["--partition=day", "--partition=night"]
    for line in lines:
        assert {"--account=lab", "--qos=q", "--mem=4G", "--constraint=big&fast", "--gres=gpu:1"} <= set(line)
    assert text.count("doctor --here --report") == 2
    document = json.loads(doctor(*typed, "--constraint", "big&fast", "--print-only", "--output", "json"))
    assert [call["command"] for call in document["data"]["submissions"]] == lines
    assert "for each PARTITION, found none" in doctor("--print-only")
    assert list(work.iterdir()) == []
    assert not slurm.calls.exists()


def test_what_is_shown_is_what_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SpiedSlurm(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_probe, "new_token", lambda: doctor_probe.UNKNOWN_TOKEN)
    options = ProbeOptions(profile=Profile().merged(qos="q", mem="4G"), gpu=0)
    (shown,) = doctor_probe.foresee(["day"], options)
    (submitted,) = doctor_probe._plan(tmp_path / "outputs/doctor" / doctor_probe.UNKNOWN_TIME, ["day"])
    submitted.report.parent.mkdir(parents=True)
    given_over: list[Sequence[str]] = []

    class Accepting:
        def submit(self, command: Sequence[str]) -> SubmitAnswer:
            given_over.append(command)
            return SubmitAnswer(job_id="17")

    doctor_probe._submit(submitted, Accepting(), options, 0, str)  # type: ignore[arg-type]
    assert given_over == [shown.command]
    assert shown.script.read_text() == shown.text
