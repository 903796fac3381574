"""Every batch script that we render, the command that submits it and the script that cancels it, letter by letter."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from harness.jobs.launchers.slurm_text import BatchJob, job_name, sbatch_command, scancel_script
from harness.jobs.profile import Cluster, Profile
from harness.jobs.templates import read_template, render

GOLDEN = Path(__file__).parent / "slurm_scripts"
REPOSITORY = Path(__file__).parents[2]
RUN = Path("/data/runs/it's one/2026-11-20_10-00-00")
TEMPLATES = {
    "collect": REPOSITORY / "slurm_templates/collect.sbatch",
    "eval": REPOSITORY / "slurm_templates/eval.sbatch",
    "train": REPOSITORY / "slurm_templates/train.sbatch",
    "reconcile": REPOSITORY / "slurm_templates/reconcile.sbatch",
    "doctor": REPOSITORY / "slurm_templates/doctor.sbatch",
    "resubmit": REPOSITORY / "tests/integration/slurm/templates/resubmit.sh",
    "resubmit_escaped": REPOSITORY / "tests/integration/slurm/templates/resubmit_escaped.sh",
}
PROFILE = Profile(
    cluster=Cluster(modules=("cuda/12.4", "apptainer"), scratch="/scratch/$USER/$SLURM_JOB_ID", env=("WANDB_API_KEY",))
)


def name_of(verb: str) -> str:
    return job_name(verb, "mini", "0123456789ab")


def script(verb: str, *, is_plain: bool = False) -> str:
    path = TEMPLATES[verb]
    return render(
        read_template(path),
        name=path.name,
        cmd=[
            "python",
            "-m",
            "harness",
            "work",
            "--run",
            str(RUN),
            "--token",
            "0123456789ab",
            "--maps",
            "/data/my maps",
        ],
        filename=RUN / "scripts" / f"{name_of(verb)}.sbatch",
        partition="" if is_plain else "gpu-2080ti",
        gpu=0 if is_plain else 1,
        cpu=2 if is_plain else 8,
        timeout="14400",
        prologue=() if is_plain or path.suffix == ".sh" else PROFILE.prologue(),
    )


def command(*, is_plain: bool) -> str:
    name = name_of("eval")
    small = {
        "name": name, "script": RUN / "scripts" / f"{name}.sbatch", "stdout": RUN / "stdout" / f"{name}_%a.log",
        "stderr": RUN / "stderr" / f"{name}_%a.log", "export": PROFILE.export_names(), "array_size": 27,
    }  # fmt: skip
    large = {
        "partition": "gpu-2080ti", "gpu": 1, "gpu_type": "2080ti", "cpu": 8, "mem": "16G", "time_limit_s": 14_400,
        "account": "lab", "qos": "high", "constraint": "a&b", "exclude": ("gpu2080-02",), "array_limit": 8,
        "signal_lead_s": 120, "extra": ("--mail-type=END",),
    }  # fmt: skip
    job = BatchJob(**small if is_plain else {**small, **large})  # type: ignore[arg-type]
    return " \\\n  ".join(map(shlex.quote, sbatch_command(job))) + "\n"


TEXTS = {
    **{f"{verb}.sbatch": script(verb) for verb in TEMPLATES},
    "eval_plain.sbatch": script("eval", is_plain=True),
    "sbatch.txt": command(is_plain=False),
    "sbatch_plain.txt": command(is_plain=True),
    "scancel.sh": scancel_script([name_of("eval"), name_of("collect")], ["17", "18"], RUN / "cancelled"),
    "scancel_nothing.sh": scancel_script([], [], RUN / "cancelled"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_equals_the_golden_file(name: str) -> None:
    assert (GOLDEN / name).read_text(encoding="utf-8") == TEXTS[name]


OUR_SCRIPTS = [name for name in TEXTS if name.endswith((".sbatch", ".sh")) and "resubmit" not in name]


@pytest.mark.parametrize("name", OUR_SCRIPTS)
def test_our_own_scripts_are_clean(name: str) -> None:
    shellcheck = REPOSITORY / ".venv/bin/shellcheck"
    answer = subprocess.run([shellcheck, "-s", "bash", GOLDEN / name], capture_output=True, text=True, check=False)
    assert answer.stdout == ""


def test_every_golden_file_has_its_text() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == set(TEXTS)
