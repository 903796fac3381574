"""The templates that come with the program, and two that people bring along: run by bash with work of our own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.jobs.templates import read_template, render


def rendered(
    template: str,
    cmd: list[str],
    *,
    filename: str = "/runs/one/x.sbatch",
    timeout: str = "3600",
    prologue: tuple[str, ...] = (),
) -> str:
    return render(
        template, name="my.sbatch", cmd=cmd, filename=Path(filename), partition="gpu-2080ti", gpu=2, cpu=8,
        timeout=timeout, prologue=prologue,
    )  # fmt: skip


@pytest.fixture(params=["collect", "eval", "train"])
def shipped(request: pytest.FixtureRequest, repository: Path) -> str:
    return read_template(repository / "slurm_templates" / f"{request.param}.sbatch")


# Says that it is ready, writes down every signal, and ends with 3 after the last of them.
LISTENER = """
import os, signal, sys, time
seen = []
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda n, _: seen.append(n) or os.write(1, f"{signal.Signals(n).name}\\n".encode()))
os.write(1, b"ready\\n")
while len(seen) < int(sys.argv[1]):
    time.sleep(0.01)
time.sleep(0.1)
sys.exit(3)
"""


@pytest.mark.parametrize("numbers", [[signal.SIGUSR1], [signal.SIGTERM], [signal.SIGUSR1, signal.SIGTERM]])
def test_shipped_templates_forward_signals_and_wait_for_the_true_end(
    shipped: str, numbers: list[signal.Signals]
) -> None:
    script = rendered(shipped, [sys.executable, "-c", LISTENER, str(len(numbers))])
    bin_less = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "1"}
    with subprocess.Popen(
        ["bash", "-c", script], env=bin_less, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        for number in numbers:
            shell.send_signal(number)
            assert shell.stdout.readline() == f"{number.name}\n"
        assert shell.wait(20.0) == 3


@pytest.mark.parametrize("status", [0, 1, 3, 127, 143])
def test_shipped_templates_end_with_the_status_of_the_work(shipped: str, status: int) -> None:
    script = rendered(shipped, ["bash", "-c", f"exit {status}"])
    assert subprocess.run(["bash", "-c", script], check=False).returncode == status


@pytest.mark.parametrize(
    ("status", "number", "is_again"), [(3, "USR1", True), (0, "USR1", False), (1, "USR1", False), (3, "TERM", False)]
)
def test_training_asks_to_run_again_if_the_time_was_up_and_there_is_more(
    tmp_path: Path, repository: Path, status: int, number: str, is_again: bool
) -> None:
    (tmp_path / "scontrol").write_text('#!/bin/sh\necho "scontrol $*"\nexit 1\n')
    (tmp_path / "scontrol").chmod(0o755)
    work = f"trap 'exit {status}' USR1 TERM; kill -s {number} $PPID; for _ in $(seq 900); do sleep 0.01; done"
    script = rendered(read_template(repository / "slurm_templates/train.sbatch"), ["bash", "-c", work])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}
    answer = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60.0)
    assert answer.stdout == ("scontrol requeue 17\n" if is_again else "")


def test_shipped_templates_are_clean(shipped: str, repository: Path) -> None:
    script = rendered(shipped, ["python", "a b"], prologue=("export A=1",))
    answer = subprocess.run(
        [repository / ".venv/bin/shellcheck", "-s", "bash", "-"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == ""


@pytest.mark.parametrize("name", ["resubmit.sh", "resubmit_escaped.sh"])
def test_script_that_submits_itself_again_names_itself(repository: Path, name: str) -> None:
    template = read_template(repository / "tests/integration/slurm/templates" / name)
    script = rendered(template, ["python", "it's"], filename="/runs/my run/x.sbatch", timeout="60")
    assert shlex.join(["python", "it's"]) in script
    assert "sbatch -p gpu-2080ti --gres=gpu:2 -c 8 --parsable --output" in script
    assert " '/runs/my run/x.sbatch'" in script
    assert "$$" not in script
    assert "$CMD" not in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
