"""What was typed, harness.toml and the defaults become one setting, which whoever goes on with the run reads again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import core_count
from harness.errors import ConfigError, HarnessError
from harness.jobs.run_folder import RunFolder
from harness.stages.launch import Launch, LaunchOptions, load_launch, make_launch


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(verb: str = "eval", what: str = "mini", sim: str = "embedded", **options: Any) -> Launch:
    return make_launch(verb, what, LaunchOptions(**options), sim=sim, maps=())


def test_a_partition_means_slurm_and_nothing_means_this_machine() -> None:
    assert (make().backend, make().jobs) == ("local", core_count())
    cluster = make(partitions=("day",))
    assert (cluster.backend, cluster.partitions, cluster.jobs) == ("slurm", ("day",), 8)
    assert make(backend="slurm").partitions == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "local", "partitions": ("day",)}, "PARTITION=day means nothing to BACKEND=local"),
        ({"backend": "pbs"}, "BACKEND is 'pbs', expected local or slurm"),
        ({"is_detached": True}, "DETACH needs Slurm"),
        ({"template": Path("own.sh")}, "TEMPLATE needs Slurm"),
        ({"timeout": "soon", "partitions": ("day",)}, "soon"),
        ({"partitions": ("day\nb",)}, "PARTITION is 'day\\nb'"),
        ({"partitions": ("day", "$(x)")}, "PARTITION is '$(x)'"),
        ({"partitions": ("-x",)}, "PARTITION is '-x'"),
    ],
)
def test_what_does_not_fit_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make(**options)
    assert message in refused.value.message
    assert refused.value.hint


def test_one_server_means_one_task() -> None:
    assert make(sim="127.0.0.1:2000", jobs=4).jobs == 1


@pytest.mark.parametrize(
    ("gpu", "typed", "jobs"), [(1, None, 3), (2, None, 1), (3, 8, 1), (1, 2, 2), (None, 8, 8), (0, 8, 8)]
)
def test_tasks_with_gpus_are_no_more_than_there_are_gpus(
    monkeypatch: pytest.MonkeyPatch, gpu: int | None, typed: int | None, jobs: int
) -> None:
    monkeypatch.setattr("harness.stages.launch.core_count", lambda: 64)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert make(gpu=gpu, jobs=typed).parallel_limit().read() == jobs


def test_gpus_of_this_machine_do_not_matter_to_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert make(partitions=("day",), gpu=4).jobs == 8
    with pytest.raises(ConfigError, match="found none on this machine"):
        make(gpu=1)


def test_typed_settings_win_over_the_file(folder: Path) -> None:
    (folder / "harness.toml").write_text('[cluster]\naccount = "lab"\nmem = "8G"\npartitions = ["day", "night"]\n')
    launch = make(backend="slurm", mem="16G")
    assert (launch.profile.cluster.account, launch.profile.cluster.mem) == ("lab", "16G")
    assert launch.partitions == ("day", "night")
    assert make().partitions == ()  # a file alone does not send anything to a cluster


def test_unknown_key_in_the_file_is_named(folder: Path) -> None:
    (folder / "harness.toml").write_text('[cluster]\nacount = "lab"\n')
    with pytest.raises(ConfigError, match="acount"):
        make()


def test_limit_files_are_read_anew_unless_jobs_is_typed(folder: Path) -> None:
    configs = folder / "slurm" / "configs"
    configs.mkdir(parents=True)
    file = configs / "max_num_parallel_jobs_collect_data.txt"
    live = make("collect", "data", partitions=("day",)).parallel_limit()
    assert live.read() == 48  # LEAD's own
    file.write_text("5")
    assert live.read() == 5
    assert make("collect", "data", partitions=("day",), jobs=3).parallel_limit().read() == 3
    assert make("collect", "data").parallel_limit().read() == core_count()


def test_attempts_are_counted_in_leads_ways(folder: Path) -> None:
    configs = folder / "slurm" / "configs"
    configs.mkdir(parents=True)
    for launch, name in ((make("collect", "data"), "collect_data"), (make(), "mini")):
        assert launch.policy(launch.attempts_limit().read()).max_attempts == 3
        (configs / f"max_num_attempts_{name}.txt").write_text("1")
    collect, evaluate = make("collect", "data"), make()
    assert collect.policy(collect.attempts_limit().read()).max_attempts == 2  # one more after the first
    assert evaluate.policy(evaluate.attempts_limit().read()).max_attempts == 1  # one in all


def test_settings_are_kept_in_the_run(folder: Path) -> None:
    (folder / "harness.toml").write_text('[cluster]\nmodules = ["cuda/12"]\n[poll]\ninterval_s = 2\n')
    launch = make(partitions=("day",), gpu=1, timeout="4h", is_detached=True)
    run = RunFolder(folder)
    launch.save(run)
    assert load_launch(run) == launch
    replace(launch, jobs=7).save(run)
    assert load_launch(run).jobs == 7


@pytest.mark.parametrize("damage", ["", "{}", '{"verb": 1}', "[]", "{"])
def test_damaged_settings_are_named(folder: Path, damage: str) -> None:
    (folder / "launch.json").write_text(damage)
    with pytest.raises(HarnessError, match=r"launch\.json"):
        load_launch(RunFolder(folder))


def test_setting_of_the_wrong_kind_is_named(folder: Path) -> None:
    run = RunFolder(folder)
    make().save(run)
    content = json.loads((folder / "launch.json").read_text())
    (folder / "launch.json").write_text(json.dumps({**content, "jobs": "many"}))
    with pytest.raises(HarnessError, match="field jobs: found 'many', expected int"):
        load_launch(run)


def test_template_that_bash_cannot_read_is_refused(folder: Path) -> None:
    template = folder / "own.sh"
    template.write_text("#!/bin/bash\nif [ ; then $CMD\n")
    with pytest.raises(ConfigError, match=r"TEMPLATE .* cannot be run: .*syntax error"):
        make(partitions=("day",), template=template)
    template.write_text("#!/bin/bash\n$CMD\n[ $$? -eq 124 ] && next=$$(sbatch $FILENAME)\n")
    make(partitions=("day",), template=template)
