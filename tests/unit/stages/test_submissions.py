"""Units become tasks, scripts and command lines; a dry run foretells all of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.job import Submission
from harness.errors import ConfigError
from harness.jobs.events import intent, submitted
from harness.jobs.ledger import Ledger
from harness.jobs.profile import Cluster, Profile
from harness.jobs.reconcile import Batch
from harness.jobs.run_folder import RunFolder
from harness.stages.launch import Launch
from harness.stages.submissions import (
    Planned,
    Setting,
    changes,
    plan_submissions,
    share_slots,
    write_scancel_script,
)

COSTS = dict.fromkeys(range(12), 600.0)


def plan(run: Path, *batches: Batch, slots: int = 3, earlier: int = 0, **launch: object) -> list[Planned]:
    settings = {"verb": "eval", "what": "mini", "backend": "slurm", "partitions": ("day", "night"), **launch}
    setting = Setting(run=RunFolder(run), launch=Launch(**settings), earlier=earlier, max_attempts=3)  # type: ignore[arg-type]
    return plan_submissions(setting, batches or [batch(*range(12))], COSTS, slots)


def batch(*units: int, rank: int = 0, factor: int = 1) -> Batch:
    return Batch(units=units, partition_rank=rank, time_factor=factor)


def option(planned: Planned, name: str) -> str | None:
    found = [word.partition("=")[2] for word in planned.command if word.partition("=")[0] == f"--{name}"]
    return found[0] if found else None


def test_units_are_one_array_of_as_many_tasks_as_slots(tmp_path: Path) -> None:
    (planned,) = plan(tmp_path)
    assert sorted(unit for task in planned.submission.tasks for unit in task) == list(range(12))
    assert [len(task) for task in planned.submission.tasks] == [4, 4, 4]
    assert option(planned, "array") == "0-2%3"
    assert option(planned, "time") == "04:00:00"
    assert option(planned, "partition") == "day"
    assert option(planned, "job-name") == planned.name == f"eval_mini_{planned.submission.token}"
    assert planned.command[0] == "sbatch" and planned.command[-1] == str(planned.script)
    assert planned.script == tmp_path / "scripts" / f"{planned.name}.sbatch"


def test_the_task_is_told_its_run_and_token_and_asks_slurm_for_its_number(tmp_path: Path) -> None:
    (planned,) = plan(tmp_path / "a run with 'quotes' and $HOME")
    (line,) = [line for line in planned.text.splitlines() if "-m harness work" in line]
    words = shlex.split(line.rstrip(" &"))
    assert words[words.index("--run") + 1] == str(tmp_path / "a run with 'quotes' and $HOME")
    assert words[words.index("--token") + 1] == planned.submission.token
    assert "--task" not in words


def test_the_same_run_foretells_the_same_and_the_next_submission_is_another(tmp_path: Path) -> None:
    first, again, later = plan(tmp_path)[0], plan(tmp_path)[0], plan(tmp_path, earlier=1)[0]
    assert (first.text, first.command) == (again.text, again.command)
    assert first.submission.token != later.submission.token
    assert plan(tmp_path / "elsewhere")[0].submission.token != first.submission.token


def test_more_time_and_another_partition_after_failures(tmp_path: Path) -> None:
    first, second, third = plan(tmp_path, batch(0), batch(1, rank=1), batch(2, factor=4), timeout="1h")
    assert (option(first, "partition"), option(first, "time")) == ("day", "01:00:00")
    assert (option(second, "partition"), second.submission.partition_rank) == ("night", 1)
    assert (option(third, "time"), third.submission.time_limit_s) == ("04:00:00", 14_400)
    assert len({planned.submission.token for planned in (first, second, third)}) == 3


def test_own_template_gets_a_script_per_task(tmp_path: Path) -> None:
    template = tmp_path / "own.sh"
    template.write_text("#!/bin/bash\ntimeout $TIMEOUT $CMD\n[ $? -eq 124 ] && sbatch $PARTITION-c $CPU $FILENAME\n")
    planned = plan(tmp_path, template=str(template), timeout="3600")
    assert [len(each.submission.tasks) for each in planned] == [1, 1, 1]
    assert not any(each.submission.is_array or option(each, "array") for each in planned)
    assert "timeout 3600 " in planned[0].text and "sbatch -p day -c 2 " in planned[0].text
    # Its own limit has to come first, and it has to have time to submit itself again.
    assert option(planned[0], "time") == "01:02:00"
    with pytest.raises(ConfigError, match="hands \\$TIMEOUT to timeout") as refused:
        plan(tmp_path, template=str(template), timeout="1-00:00:00")
    assert "86400" in str(refused.value.hint)


def test_local_tasks_are_plain_commands(tmp_path: Path) -> None:
    planned = plan(tmp_path, backend="local", partitions=())
    assert len(planned) == 3
    for each in planned:
        assert each.text == "" and each.command[1:5] == ("-P", "-m", "harness", "work")
        assert len(each.submission.tasks) == 1 and not each.submission.is_array


def test_long_lists_are_several_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "COSTS", dict.fromkeys(range(2500), 14_000.0))
    planned = plan(tmp_path, batch(*range(12, 2500)), slots=4)
    assert [len(each.submission.tasks) for each in planned] == [1000, 1000, 488]
    assert len({each.submission.token for each in planned}) == 3
    # Side by side they are no more than one array would be.
    assert [option(each, "array") for each in planned] == ["0-999%2", "0-999%1", "0-487%1"]


def test_arrays_without_a_slot_wait_for_a_later_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "COSTS", dict.fromkeys(range(2500), 14_000.0))
    planned = plan(tmp_path, batch(*range(2500)), slots=2)
    assert [option(each, "array") for each in planned] == ["0-999%1", "0-999%1"]
    (first,) = plan(tmp_path, batch(0, 1), batch(2, rank=1), slots=1)
    assert first.submission.tasks == ((0,), (1,)) and option(first, "array") == "0-1%1"


def test_batches_share_the_slots(tmp_path: Path) -> None:
    big, small = plan(tmp_path, batch(*range(10)), batch(10, 11, factor=4), slots=8)
    assert (option(big, "array"), option(small, "array")) == ("0-5%6", "0-1%2")
    local = plan(tmp_path, batch(*range(10)), batch(10, 11, rank=1), slots=8, backend="local", partitions=())
    assert [each.submission.partition_rank for each in local] == [0] * 6 + [1] * 2


@pytest.fixture
def own_template(tmp_path: Path) -> str:
    template = tmp_path / "own.sh"
    template.write_text("#!/bin/bash\n$CMD\n")
    return str(template)


def test_own_template_makes_no_more_jobs_than_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_template: str
) -> None:
    monkeypatch.setitem(globals(), "COSTS", dict.fromkeys(range(56), 14_000.0))
    planned = plan(tmp_path, batch(*range(56)), slots=8, template=own_template)  # each takes all of its time limit
    assert [each.submission.tasks for each in planned] == [((number,),) for number in range(8)]
    planned = plan(tmp_path, batch(*range(56)), slots=8, template=own_template, timeout="0")
    assert [len(each.submission.tasks[0]) for each in planned] == [7] * 8
    planned = plan(tmp_path, batch(*range(40)), batch(*range(40, 56), rank=1), slots=8, template=own_template)
    assert [each.submission.partition_rank for each in planned] == [0] * 6 + [1] * 2


@given(
    slots=st.integers(0, 50),
    loads=st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 30)), max_size=12),
)
def test_shares_are_fair_and_never_more_than_there_are(slots: int, loads: list[tuple[float, int]]) -> None:
    most = [most for _, most in loads]
    shares = share_slots(slots, [load_s for load_s, _ in loads], most)
    assert len(shares) == len(loads)
    assert all(0 <= share <= limit for share, limit in zip(shares, most, strict=True))
    assert sum(shares) <= slots
    if slots >= len(loads):
        assert sum(shares) == min(slots, sum(most)) and 0 not in shares
    else:
        assert shares == [1] * slots + [0] * (len(loads) - slots)


def test_only_a_task_of_our_own_array_asks_slurm_for_its_number(tmp_path: Path, own_template: str) -> None:
    for settings in ({"backend": "local", "partitions": ()}, {"template": own_template}):
        for each in plan(tmp_path, **settings):
            words = shlex.split(each.text.splitlines()[1]) if each.text else each.command
            assert words[words.index("--task") + 1] == "0"


def test_settings_of_the_cluster_reach_the_line_and_the_script(tmp_path: Path) -> None:
    cluster = Cluster(account="lab", mem="16G", gpu_type="a100", sbatch=("--mail-type=FAIL",), modules=("cuda/12",))
    (planned,) = plan(tmp_path, profile=Profile(cluster=cluster), gpu=2)
    for name, value in (("account", "lab"), ("mem", "16G"), ("gres", "gpu:a100:2"), ("mail-type", "FAIL")):
        assert option(planned, name) == value
    assert "module load cuda/12" in planned.text
    with pytest.raises(ConfigError, match="which the harness sets itself"):
        plan(tmp_path, profile=Profile(cluster=Cluster(sbatch=("--array=0-5",))))


def test_secrets_are_passed_by_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "very-secret")
    (planned,) = plan(tmp_path, profile=Profile(cluster=Cluster(env=("WANDB_API_KEY",))))
    assert "WANDB_API_KEY" in (option(planned, "export") or "").split(",")
    assert "very-secret" not in planned.text + " ".join(planned.command)


def test_difference_from_the_last_submission(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    (first,) = plan(tmp_path)
    assert changes(run, [first]) == []  # there was none
    run.scripts.mkdir()
    first.script.write_text(first.text)
    Ledger(run.ledger).append(intent(first.submission, str(first.script), first.command))
    assert changes(run, [first]) == []
    (second,) = plan(tmp_path, earlier=1, timeout="2h")
    found = changes(run, [second])
    assert "---time=04:00:00" in found and "+--time=02:00:00" in found


def test_scancel_script_knows_every_job(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    ledger = Ledger(run.ledger)
    for token, backend in (("a" * 12, "slurm"), ("b" * 12, "local"), ("c" * 12, "chain")):
        made = Submission(token=token, name=f"eval_mini_{token}", backend=backend, intended_s=1.0, tasks=((0,),))
        ledger.append(intent(made, "", []))
    for job_id in ("17", "18"):  # the second one registered itself
        ledger.append(submitted("a" * 12, job_id))
    write_scancel_script(run)
    text = run.scancel_script.read_text()
    assert "printf '%s\\n' 18" in text
    assert f"eval_mini_{'a' * 12}" in text and f"eval_mini_{'c' * 12}" in text and "b" * 12 not in text
    assert run.scancel_script.stat().st_mode & 0o111
