"""Command lines that Slurm is given, and what is read from its answers, against recorded output of Slurm 22.05."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.jobs.launchers.slurm_text import (
    QUEUE_FORMAT,
    STUCK_REASONS,
    AnswerError,
    BatchJob,
    QueueRow,
    is_alive_state,
    is_hopeless_reason,
    job_name,
    parse_job_name,
    parse_queue,
    sbatch_command,
)

RECORDED = Path(__file__).parent / "recorded" / "squeue.txt"
TOKEN = "0123456789ab"


def job(**changes: object) -> BatchJob:
    given_values = {
        "name": "eval_mini_0123456789ab",
        "script": Path("/runs/one/scripts/eval_mini_0123456789ab.sbatch"),
        "stdout": Path("/runs/one/stdout/x_%a.log"),
        "stderr": Path("/runs/one/stderr/x_%a.log"),
        "export": ("PATH", "HOME"),
    }
    return BatchJob(**{**given_values, **changes})  # type: ignore[arg-type]


# sbatch


def test_array_on_gpus_states_everything() -> None:
    command = sbatch_command(
        job(
            partition="gpu-2080ti", gpu=1, gpu_type="2080ti", cpu=8, mem="16G", time_limit_s=14_400, account="lab",
            qos="high", constraint="a&b", exclude=("gpu2080-01", "gpu2080-02"), array_size=27, array_limit=8,
            dependency="afterany:1:2", begin="now+60", signal_lead_s=120,
            extra=("--nice=100", '#SBATCH --comment="two words"'),
        )
    )  # fmt: skip
    assert command == [
        "sbatch",
        "--parsable",
        "--job-name=eval_mini_0123456789ab",
        "--partition=gpu-2080ti",
        "--account=lab",
        "--qos=high",
        "--constraint=a&b",
        "--gres=gpu:2080ti:1",
        "--cpus-per-task=8",
        "--mem=16G",
        "--time=04:00:00",
        "--array=0-26%8",
        "--signal=B:USR1@120",
        "--dependency=afterany:1:2",
        "--begin=now+60",
        "--output=/runs/one/stdout/x_%a.log",
        "--error=/runs/one/stderr/x_%a.log",
        "--open-mode=append",
        "--export=PATH,HOME",
        "--requeue",
        "--exclude=gpu2080-01,gpu2080-02",
        "--nice=100",
        "--comment=two words",
        "/runs/one/scripts/eval_mini_0123456789ab.sbatch",
    ]


def test_small_job_states_time_and_requeue_and_no_gpu() -> None:
    command = sbatch_command(job(requeue=False))
    assert "--time=0" in command
    assert "--no-requeue" in command
    assert "--requeue" not in command
    assert not re.search("gres|array|signal|partition|exclude|mem", " ".join(command[3:-1]).replace("/runs/one", ""))


def test_array_of_one_without_throttle_is_still_an_array() -> None:
    assert "--array=0-0" in sbatch_command(job(array_size=1))


def test_any_kind_of_gpu() -> None:
    assert "--gres=gpu:2" in sbatch_command(job(gpu=2))


def test_no_value_of_the_environment_is_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "sesame")
    command = sbatch_command(job(export=("WANDB_API_KEY",)))
    assert "--export=WANDB_API_KEY" in command
    assert "sesame" not in " ".join(command)


def test_percent_sign_in_a_folder_is_no_pattern() -> None:
    command = sbatch_command(job(stdout=Path("/runs/100%a/%j.log")))
    assert "--output=/runs/100%%a/%j.log" in command


def test_backslash_in_a_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="backslash"):
        sbatch_command(job(stderr=Path("/runs/a\\b/%j.log")))


# Names


@pytest.mark.parametrize(
    ("what", "name"),
    [("mini", "eval_mini_0123456789ab"), ("two words/../é", "eval_two_words_.._0123456789ab"),
     ("", "eval_run_0123456789ab"),
     ("$(x)\n'", "eval_x_0123456789ab"), ("x" * 300, f"eval_{'x' * 60}_0123456789ab"),
     ("town_0123456789ac", "eval_town_0123456789ac_0123456789ab")],
)  # fmt: skip
def test_job_name_is_a_plain_word_with_the_token(what: str, name: str) -> None:
    assert job_name("eval", what, TOKEN) == name
    assert parse_job_name(name) == TOKEN


@given(st.text(), st.from_regex(r"[0-9a-f]{12}", fullmatch=True), st.sampled_from(["", ".sbatch", ".sh"]))
def test_token_is_found_again_in_any_name(what: str, token: str, suffix: str) -> None:
    name = job_name("collect", what, token)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name)
    assert shlex.quote(name) == name
    assert parse_job_name(name + suffix) == token


@pytest.mark.parametrize(
    "name",
    ["", "wrap", "eval_mini", "0123456789ab", "eval_mini_0123456789AB", "eval_mini_0123456789a",
     "eval_mini_0123456789abc", "eval_0123456789ab_x",
     "eval_mini_0123456789ab.sbatch.old", "eval_mini_0123456789ab\n", "eval_mini_0123456789ab x", "_"],
)  # fmt: skip
def test_other_names_have_no_token(name: str) -> None:
    assert parse_job_name(name) is None


# squeue


@pytest.fixture(scope="module")
def recorded() -> list[QueueRow]:
    return parse_queue(RECORDED.read_text(encoding="utf-8"))


def test_recorded_answer_is_read(recorded: list[QueueRow]) -> None:
    by_name = {row.name: row for row in recorded}
    assert len(recorded) == 28
    assert by_name["eval_mini_0123456789d0"] == QueueRow(
        job_id="29", array_id="29", task=None, state="NODE_FAIL", reason="NodeDown", name="eval_mini_0123456789d0",
        submitted="2026-11-20T10:02:57", nodes="cpu-01",
    )  # fmt: skip
    states = {name[-2:]: (row.state, row.reason) for name, row in by_name.items() if parse_job_name(name)}
    assert states == {
        "a0": ("RUNNING", ""),
        "a1": ("RUNNING", ""),
        "b0": ("COMPLETED", ""),
        "b1": ("FAILED", "NonZeroExitCode"),
        "b2": ("FAILED", "JobLaunchFailure"),
        "b3": ("FAILED", "BadConstraints"),
        "bf": ("FAILED", "NonZeroExitCode"),
        "c0": ("PENDING", "PartitionTimeLimit"),
        "c1": ("PENDING", "DependencyNeverSatisfied"),
        "c2": ("PENDING", "DependencyNeverSatisfied"),
        "c3": ("PENDING", "JobHeldUser"),
        "c4": ("PENDING", "JobHeldAdmin"),
        "c5": ("PENDING", "BeginTime"),
        "d0": ("NODE_FAIL", "NodeDown"),
        "d1": ("RUNNING", ""),
        "d2": ("TIMEOUT", "TimeLimit"),
        "d3": ("CANCELLED", ""),
        "d4": ("CANCELLED", "JobHeldUser"),
        "d5": ("PENDING", "Resources"),
        "e0": ("PENDING", "launch failed requeued held"),
        "e1": ("COMPLETING", "job requeued in held state"),
    }


def test_array_rows_have_their_numbers(recorded: list[QueueRow]) -> None:
    rows = [row for row in recorded if row.array_id in ("13", "16")]
    assert [(row.job_id, row.task, row.state) for row in rows] == [
        ("13", None, "CANCELLED"),  # what was left of the array when its waiting tasks were cancelled
        ("16_1", 1, "PENDING"),
        ("16_3", 3, "PENDING"),  # 2 was cancelled, of which no trace is left
        ("13_0", 0, "RUNNING"),
        ("13_1", 1, "RUNNING"),
        ("16_0", 0, "RUNNING"),
    ]


def test_names_of_other_jobs_may_hold_anything(recorded: list[QueueRow]) -> None:
    assert [row.name for row in recorded if row.job_id in ("35", "36", "37")] == [
        "my notes | part\n2", "odd \x1e name", 'tschüss "q"'
    ]  # fmt: skip


def test_held_for_good_is_not_held_by_hand(recorded: list[QueueRow]) -> None:
    stuck = [row.name[-2:] for row in recorded if is_alive_state(row.state) and row.reason.startswith(STUCK_REASONS)]
    assert stuck == ["c1", "c2", "c4", "e0"]
    assert [row.name[-2:] for row in recorded if is_hopeless_reason(row.reason)] == ["c0"]


@pytest.mark.parametrize("cut", [1, 2, 3, 20, 500])
def test_answer_that_is_cut_off_is_not_believed(cut: int) -> None:
    with pytest.raises(AnswerError, match="cut off"):
        parse_queue(RECORDED.read_text(encoding="utf-8")[:-cut])


@pytest.mark.parametrize(
    "row",
    ["", "17", "slurm_load_jobs error: Socket timed out", "17|17|N/A|RUNNING|t|n|r", "x|17|N/A|RUNNING|t|n|r|j",
     "17|x|N/A|RUNNING|t|n|r|j",
     "18|17|N/A|RUNNING|t|n|r|j", "17|17|N/A||t|n|r|j", "17|17|N/A|running|t|n|r|j"],
)  # fmt: skip
def test_answer_that_is_something_else_is_not_believed(row: str) -> None:
    with pytest.raises(AnswerError, match="squeue printed"):
        parse_queue(row.replace("|", "\x1f") + "\x1e\n")


def test_nothing_is_an_answer() -> None:
    assert parse_queue("") == []


def printed(row: QueueRow) -> str:
    """Return a row as squeue prints it."""
    values = {
        "%i": row.job_id, "%F": row.array_id, "%K": "N/A" if row.task is None else str(row.task), "%T": row.state,
        "%V": row.submitted, "%N": row.nodes, "%r": row.reason or "None", "%j": row.name,
    }  # fmt: skip
    return re.sub("%.", lambda column: values[column[0]], QUEUE_FORMAT) + "\n"


@given(st.lists(st.tuples(st.integers(1, 10**6), st.none() | st.integers(0, 9999), st.text(max_size=9)), max_size=5))
def test_any_rows_are_read_back(jobs: list[tuple[int, int | None, str]]) -> None:
    rows = [
        QueueRow(
            job_id=f"{number}_{task}" if task is not None else str(number), array_id=str(number), task=task,
            state="RUNNING",
            reason="Odd, but: so", name=name.replace("\x1e", "") + "|", submitted="2026-11-20T10:02:57", nodes="a[1-2]",
        )
        for number, task, name in jobs
    ]  # fmt: skip
    assert parse_queue("".join(map(printed, rows))) == rows


@given(st.text(st.sampled_from("17_|\x1f\x1e\nPENDIG ")))
def test_any_text_is_an_answer_or_an_error(text: str) -> None:
    try:
        assert all(isinstance(row, QueueRow) for row in parse_queue(text))
    except AnswerError as error:
        assert "squeue" in error.message


@pytest.mark.parametrize(
    "state",
    [
        "PENDING",
        "RUNNING",
        "COMPLETING",
        "CONFIGURING",
        "SUSPENDED",
        "REQUEUE_HOLD",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "SOMETHING_NEW",
    ],
)
def test_states_that_may_still_do_something(state: str) -> None:
    assert is_alive_state(state)


@pytest.mark.parametrize(
    "state",
    ["COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"],
)
def test_states_that_are_final(state: str) -> None:
    assert not is_alive_state(state)
