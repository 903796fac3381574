"""Slurm's settings and partitions, from recorded words of a real cluster (22.05.8) where nothing else is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.checks.answers import Answer
from harness.jobs.checks.slurm_here import (
    COMMANDS,
    Partition,
    examine_slurm,
    judge_accounting,
    judge_array_size,
    judge_commands,
    judge_job,
    judge_min_job_age,
    judge_partition,
    judge_ping,
    parse_config,
    parse_partitions,
)

SINFO = """\
gpu-2080ti|up|3-00:00:00|2|idle|gpu:2080ti:8
gpu-2080ti-preemptable|up|3-00:00:00|2|idle|gpu:2080ti:8
a100-galvani|down|3-00:00:00|1|idle|gpu:a100:4
cpu|up|3-00:00:00|1|drained|(null)
"""
# Not recorded: forms that other clusters have.
OTHERS = """\
mixed|up|infinite|3|mixed|gpu:a100:4(S:0-1),gpu:v100:2(S:0),lustre:1
mixed|up|infinite|2|down*|gpu:a100:4(S:0-1)
mixed|up|infinite|1|allocated+|(null)
short|up|30:00|1|idle~|(null)
cloudy|up|1:00:00|5|idle*|(null)
planned|up|n/a|1|planned-|(null)
"""
CONFIG = """\
Configuration data as of 2026-11-20T09:51:17
AuthInfo                = socket=/run/munge.socket,cred_expire=5
KillWait                = 2 sec
MaxArraySize            = 20001
MinJobAge               = 300 sec
PowerPlugin             =
SLURM_VERSION           = 22.05.8

Slurmctld(primary) at vm is UP
"""
PING_UP = "Slurmctld(primary) at vm is UP\n"
PING_DOWN = """\
Slurmctld(primary) at vm is DOWN
*****************************************
** RESTORE SLURMCTLD DAEMON TO SERVICE **
*****************************************
"""
TASK_LIMIT_S = 14400


def said(out: str = "", code: int = 0, err: str = "") -> Answer:
    return Answer(code=code, out=out, err=err)


def partitions(text: str) -> dict[str, Partition]:
    return {partition.name: partition for partition in parse_partitions(text)}


def test_partitions_of_the_cluster_are_read() -> None:
    found = partitions(SINFO)
    assert list(found) == ["gpu-2080ti", "gpu-2080ti-preemptable", "a100-galvani", "cpu"]
    assert found["gpu-2080ti"] == Partition(
        name="gpu-2080ti", is_up=True, availability="up", limit_s=3 * 86400, limit="3-00:00:00", nodes=2, usable=2,
        gpus=("gpu:2080ti:8",),
    )  # fmt: skip
    assert (found["cpu"].usable, found["cpu"].gpus) == (0, ())


def test_nodes_of_a_partition_are_added_up() -> None:
    found = partitions(OTHERS)
    assert (found["mixed"].nodes, found["mixed"].usable) == (6, 4)
    assert found["mixed"].gpus == ("gpu:a100:4", "gpu:v100:2")
    assert found["mixed"].limit_s is None
    assert (found["short"].limit_s, found["short"].usable) == (1800, 1)
    assert found["cloudy"].usable == 0
    assert (found["planned"].limit_s, found["planned"].usable) == (None, 1)


@given(st.text())
def test_any_text_is_a_list_of_partitions(text: str) -> None:
    for partition in parse_partitions(text):
        assert 0 <= partition.usable <= partition.nodes
    parse_config(text)


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("gpu-2080ti", "ok", ""),
        ("a100-galvani", "warning", "up: jobs wait there"),
        ("cpu", "warning", "a node that takes jobs"),
        ("short", "warning", "14400 s, the time limit of a task"),
        ("mixed", "ok", ""),  # some of its GPUs draw
    ],
)
def test_partition_is_judged(name: str, state: str, expected: str) -> None:
    check = judge_partition(partitions(SINFO + OTHERS)[name], TASK_LIMIT_S)
    assert (check.name, check.state) == (f"partition {name}", state)
    assert check.expected.startswith(expected)


def test_partition_of_gpus_made_for_computing_is_a_warning() -> None:
    (up,) = parse_partitions("a100|up|3-00:00:00|1|idle|gpu:a100:4\n")
    check = judge_partition(up, TASK_LIMIT_S)
    assert (check.state, "real CARLA" in check.expected) == ("warning", True)


def test_settings_are_read() -> None:
    config = parse_config(CONFIG)
    assert config["AuthInfo"] == "socket=/run/munge.socket,cred_expire=5"
    assert config["MinJobAge"] == "300 sec"
    assert config["PowerPlugin"] == ""


@pytest.mark.parametrize(
    ("age", "state"),
    [("300 sec", "ok"), ("30 sec", "ok"), ("29 sec", "warning"), ("2 sec", "warning"), ("0 sec", "ok")],
)
def test_ended_jobs_are_remembered_for_two_polls(age: str, state: str) -> None:
    assert judge_min_job_age({"MinJobAge": age}, 15.0).state == state


def test_hint_about_forgotten_jobs_helps() -> None:
    hint = judge_min_job_age({"MinJobAge": "9 sec"}, 15.0).hint
    assert hint == "interval_s = 3.0 below [poll] in harness.toml"
    assert judge_min_job_age({"MinJobAge": "9 sec"}, 3.0).state == "ok"
    assert judge_min_job_age({}, 15.0).found == "unknown"


@pytest.mark.parametrize(("size", "state"), [("1001", "ok"), ("1000", "ok"), ("500", "warning"), ("0", "warning")])
def test_arrays_are_large_enough(size: str, state: str) -> None:
    assert judge_array_size({"MaxArraySize": size}, 1000).state == state
    assert judge_array_size({}, 1000).state == "warning"


def test_missing_accounting_is_normal() -> None:
    check = judge_accounting(said(code=1, err="Slurm accounting storage is disabled\n"))
    assert (check.state, check.found) == ("absent", "sacct: exit code 1: Slurm accounting storage is disabled")
    assert judge_accounting(None).state == "absent"
    assert judge_accounting(said("17\n")).state == "ok"


def test_controller_is_up_or_not() -> None:
    assert judge_ping(said(PING_UP)).state == "ok"
    down = judge_ping(said(PING_DOWN, 1))
    assert (down.state, down.found) == ("warning", "Slurmctld(primary) at vm is DOWN")
    both = judge_ping(said("Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP\n"))
    assert (both.state, both.found) == ("ok", "Slurmctld(primary) at a is DOWN; Slurmctld(backup) at b is UP")
    nowhere = judge_ping(said(code=1, err="scontrol: fatal: Could not establish a configuration source\n"))
    assert (nowhere.state, nowhere.hint) == ("absent", "export SLURM_CONF=/path/to/slurm.conf")


def test_machine_without_slurm_is_normal_and_half_a_slurm_is_not() -> None:
    assert judge_commands(COMMANDS, "").state == "absent"
    half = judge_commands(["sinfo"], "")
    assert (half.state, half.found) == ("warning", "no sinfo")
    assert judge_commands([], "slurm 24.11.5").found == "slurm 24.11.5"


def test_job_is_told_from_its_environment() -> None:
    assert judge_job({}) is None
    variables = {"SLURM_JOB_ID": "17", "SLURMD_NODENAME": "n1", "SLURM_JOB_PARTITION": "p", "SLURM_CPUS_PER_TASK": "2"}
    check = judge_job(variables)
    assert check is not None
    assert check.found == "17 on n1 in p: 2 cores, no GPU"
    with_gpu = judge_job({**variables, "SLURM_JOB_GPUS": "4"})
    assert with_gpu is not None
    assert with_gpu.found.endswith("2 cores, GPUs 4")


def test_path_without_slurm_is_one_absent_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (check,) = examine_slurm(15.0, 1000, TASK_LIMIT_S)
    assert (check.name, check.state) == ("Slurm", "absent")
