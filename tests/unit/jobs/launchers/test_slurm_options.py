"""Options that users add to sbatch: passed on, unless they contradict ours or could be taken for the script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.jobs.launchers.slurm_options import user_options


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("--array=0-3", "JOBS"), ("-a0-3", "JOBS"), ("--job-name=x", "always"), ("-Jx", "always"),
        ("--export=ALL", "env"),
        ("--export-file=x", "env"), ("--time=10", "TIMEOUT"), ("-t10", "TIMEOUT"), ("#SBATCH --time=10", "TIMEOUT"),
        ("--wrap=true", "TEMPLATE"), ("--partition=x", "PARTITION"), ("-px", "PARTITION"), ("--gres=gpu:1", "GPU"),
        ("-G1", "GPU"),
        ("--gpus-per-node=1", "GPU"), ("--cpus-per-task=3", "CPU"), ("--mem=1G", "MEM"), ("--no-requeue", "always"),
        ("--wait", "watches"), ("-W", "watches"), ("-HW", "watches"), ("-vQt5", "TIMEOUT"), ("--output=x", "stdout/"),
        ("--dependency=singleton", "always"), ("--clusters=all", "cluster"), ("-Mall", "cluster"),
        ("--test-only", "PRINT_ONLY"),
        # sbatch takes any beginning of a name that fits no other.
        ("--arr=0-3", "JOBS"), ("--job=x", "always"), ("--tim=3", "TIMEOUT"), ("--exclu=a", "--exclude="),
        ("--nice=1 --par=x", "PARTITION"),
        ("--account=a", "ACCOUNT"), ("--qos=a", "QOS"), ("-Ca", "CONSTRAINT"), ("--signal=9", "always"),
        ("--uid=1", "user"),
    ],
)  # fmt: skip
def test_options_that_contradict_ours_are_refused_with_what_to_use(line: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="which the harness sets itself") as error:
        user_options(["--nice=1", line])
    assert hint in str(error.value.hint)


@pytest.mark.parametrize(
    "line",
    ["--mail-type=END", "--nice", "--nice=100", "--mem-per-cpu=2G", "--time-min=5", "--exclusive", "--exclusive=user",
     "--reservation=x",
     "-n1", "-N1", "-wnode", "-H", "--hold", "--wait-all-nodes=1", "--comment=--time", "-Dx", "--tmp=1G",
     "--switches=1@5:00", "-kO"],
)  # fmt: skip
def test_other_options_are_passed_on(line: str) -> None:
    assert user_options([line]) == [line]


@pytest.mark.parametrize(
    "line", ["--comment two", "script.sh", "--", "-", ":", "--nice 5", "''", "--comment=x : --nice"]
)
def test_words_that_could_be_a_script_are_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="--name=value"):
        user_options([line])


def test_open_quotes_are_named() -> None:
    with pytest.raises(ConfigError, match="no closing quotation"):
        user_options(["--comment='x"])


def test_nodes_to_stay_away_from_are_joined() -> None:
    assert user_options(["--exclude=b,c", "-xd --nice"], ["a"]) == ["--exclude=a,b,c,d", "--nice"]
    assert user_options([], ["a"]) == ["--exclude=a"]
    assert user_options([]) == []


@given(st.lists(st.text("-=abJx:'\" \\", max_size=12), max_size=3))
def test_any_lines_are_options_or_a_config_error(lines: list[str]) -> None:
    try:
        assert all(word.startswith("-") for word in user_options(lines))
    except ConfigError as error:
        assert "harness.toml" in error.message
