"""The cluster's settings: what may stand in harness.toml, what wins, and what a job begins with."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.jobs.profile import EXPORTED, Cluster, Poll, Profile, load_profile

EVERYTHING = """
[cluster]
account = "lab"
qos = "high"
mem = "16G"
constraint = "a100&highmem"
gpu_type = "2080ti"
modules = ["cuda/12.4", "apptainer"]
scratch = "/scratch/$USER/$SLURM_JOB_ID"
sbatch = ["--mail-type=END", "--comment='two words'"]
partitions = ["gpu-2080ti", "a100-galvani"]
env = ["WANDB_API_KEY", "HF_TOKEN"]

[poll]
interval_s = 5
confirm_s = 30
lease_s = 45.5
"""


def load(folder: Path, text: str) -> Profile:
    (folder / "harness.toml").write_text(text, encoding="utf-8")
    return load_profile(folder)


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    profile = load_profile(tmp_path)
    assert profile == Profile()
    assert (profile.poll.interval_s, profile.poll.confirm_s, profile.poll.lease_s) == (15, 60, 60)
    assert profile.export_names() == EXPORTED
    assert profile.prologue() == ()


def test_everything_is_read(tmp_path: Path) -> None:
    profile = load(tmp_path, EVERYTHING)
    assert profile.cluster == Cluster(
        account="lab",
        qos="high",
        mem="16G",
        constraint="a100&highmem",
        gpu_type="2080ti",
        modules=("cuda/12.4", "apptainer"),
        scratch="/scratch/$USER/$SLURM_JOB_ID",
        sbatch=("--mail-type=END", "--comment='two words'"),
        partitions=("gpu-2080ti", "a100-galvani"),
        env=("WANDB_API_KEY", "HF_TOKEN"),
    )
    assert profile.poll == Poll(interval_s=5, confirm_s=30, lease_s=45.5)


def test_it_survives_being_kept_in_a_run(tmp_path: Path) -> None:
    profile = load(tmp_path, EVERYTHING)
    assert Profile.model_validate(json.loads(json.dumps(profile.model_dump(mode="json")))) == profile


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cluster]\nacount = 'lab'", "unknown key cluster.acount, did you mean account?"),
        ("[poll]\ninterval = 5", "unknown key poll.interval, did you mean interval_s?"),
        ("[clusters]\naccount = 'lab'", "unknown key clusters, did you mean cluster?"),
        ("account = 'lab'", "unknown key account, expected cluster, poll"),
        ("[cluster]\nzzz = 1", "unknown key cluster.zzz, expected account, qos, mem"),
        ("[cluster]\naccount = 5", "cluster.account is 5, expected input should be a valid string"),
        ("[cluster]\nmodules = 'cuda'", "cluster.modules is 'cuda', expected input should be a valid tuple"),
        ("[cluster]\nmodules = ['cuda', '']", "cluster.modules.1 is ''"),
        ("[cluster]\naccount = 'a b'", "cluster.account is 'a b'"),
        ("[cluster]\nenv = ['A=1']", "cluster.env.0 is 'A=1'"),
        ('[cluster]\nscratch = "a\\nb"', "cluster.scratch is 'a\\nb'"),
        ("[poll]\ninterval_s = 0", "poll.interval_s is 0, expected input should be greater than"),
        ("[poll]\nlease_s = nan", "poll.lease_s is nan"),
        ("cluster = 3", "cluster is 3"),
        ("[cluster", "expected TOML"),
        ("a = 1\na = 2", "expected TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert message in error.value.message
    assert str(tmp_path / "harness.toml") in error.value.message
    assert error.value.hint


def test_options_that_the_harness_sets_are_refused_when_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--array=0-3"):
        load(tmp_path, "[cluster]\nsbatch = ['--array=0-3']")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").mkdir()
    with pytest.raises(ConfigError, match="is no file"):
        load_profile(tmp_path)
    (tmp_path / "harness.toml").rmdir()
    (tmp_path / "harness.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot read"):
        load_profile(tmp_path)


@given(st.text("[]cluster=\"'\npoll_s.5 #\\", max_size=40))
def test_any_text_is_a_profile_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        assert isinstance(load(tmp_path_factory.getbasetemp(), text), Profile)
    except ConfigError as error:
        assert "harness.toml" in error.message


def test_what_is_typed_wins_and_empty_is_not_typed(tmp_path: Path) -> None:
    profile = load(tmp_path, EVERYTHING)
    typed = profile.merged(account="other", qos="", mem="32G", constraint="")
    assert (typed.cluster.account, typed.cluster.qos, typed.cluster.mem) == ("other", "high", "32G")
    assert typed.cluster.constraint == "a100&highmem"
    assert typed.poll == profile.poll
    assert profile.cluster.account == "lab"
    assert profile.merged() == profile


def test_typed_value_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ConfigError, match="ACCOUNT is 'a b'"):
        Profile().merged(account="a b")


def test_variables_are_named_once_and_their_values_stay_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "sesame")
    profile = load(tmp_path, "[cluster]\nenv = ['HF_TOKEN', 'PATH', 'HF_TOKEN']")
    assert profile.export_names() == (*EXPORTED, "HF_TOKEN")
    assert "sesame" not in repr(profile) + str(profile.model_dump())


def prologue_runs(profile: Profile, after: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = "\n".join([*profile.prologue(), after])
    return subprocess.run(
        ["bash", "-u", "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_scratch_names_variables_and_runs_nothing(tmp_path: Path) -> None:
    odd = """/$USER/a "b" 'c' `touch trap` $(touch trap) \\x ${JOB:-none}"""
    profile = Profile(cluster=Cluster(scratch=f"{tmp_path}{odd}"))
    answer = prologue_runs(profile, 'printf %s "$TMPDIR"', USER="me")
    assert answer.stdout == f"""{tmp_path}/me/a "b" 'c' `touch trap` $(touch trap) \\x none"""
    assert Path(answer.stdout).is_dir()


def test_scratch_that_cannot_be_made_ends_the_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = prologue_runs(Profile(cluster=Cluster(scratch=f"{tmp_path}/file/x")), "echo goes on")
    assert (answer.returncode, answer.stdout) == (1, "")


def test_modules_are_loaded_in_order_and_a_missing_one_ends_the_job() -> None:
    profile = Profile(cluster=Cluster(modules=("cuda/12.4", "it's")))
    loads = 'module() { echo "module $*"; [ "${FAIL:-}" = "" ]; }; export -f module\n'
    script = "\n".join([loads, *profile.prologue(), "echo goes on"])
    for fail, printed in (("", "module load cuda/12.4 it's\ngoes on\n"), ("1", "module load cuda/12.4 it's\n")):
        answer = subprocess.run(["bash", "-c", script], env={"FAIL": fail}, capture_output=True, text=True, check=False)
        assert answer.stdout == printed
