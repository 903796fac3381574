"""The script that cancels a run, run by bash against commands of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.jobs.launchers.slurm_text import job_name, scancel_script


def run_script(folder: Path, script: str, squeue: str, scancel: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script against commands of our own that say on stderr how they were called."""
    say = 'echo "${0##*/} $*" >&2\n'
    for name, body in (("squeue", squeue), ("scancel", scancel)):
        (folder / name).write_text(f"#!/usr/bin/env bash\n{say}{body}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "SQUEUE_PARTITION": "none"}
    return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)


def user() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def test_script_records_the_wish_and_cancels_what_slurm_lists(tmp_path: Path) -> None:
    wish = tmp_path / "it's cancelled"
    script = scancel_script(["eval_a_0123456789ab", "eval_b_0123456789ac"], ["17"], wish)
    answer = run_script(tmp_path, script, 'echo 18; echo 18; echo 17; [ -z "${SQUEUE_PARTITION:-}" ]')
    assert answer.returncode == 0
    assert wish.exists()
    names = "eval_a_0123456789ab,eval_a_0123456789ab.sbatch,eval_b_0123456789ac,eval_b_0123456789ac.sbatch"
    assert answer.stderr == f"squeue --noheader --user={user()} --format=%F --name={names}\nscancel 17 18\n"
    assert "Slurm was asked to end 17 18" in answer.stdout


def test_script_twice_says_that_nothing_is_left(tmp_path: Path) -> None:
    answer = run_script(tmp_path, scancel_script(["eval_a_0123456789ab"], [], tmp_path / "wish"), "true", "exit 9")
    assert (answer.returncode, answer.stdout) == (0, "no job of this run is waiting or running\n")


@pytest.mark.parametrize(("squeue", "scancel"), [("exit 1", ""), ("echo 17; exit 1", ""), ("echo 17", "exit 1")])
def test_script_fails_if_slurm_does_not_answer_and_the_wish_stands(tmp_path: Path, squeue: str, scancel: str) -> None:
    answer = run_script(tmp_path, scancel_script(["eval_a_0123456789ab"], [], tmp_path / "wish"), squeue, scancel)
    assert answer.returncode == 1
    assert (tmp_path / "wish").exists()


def test_long_lists_are_asked_for_in_chunks(tmp_path: Path) -> None:
    names = [job_name("eval", "x", f"{number:012x}") for number in range(120)]
    answer = run_script(tmp_path, scancel_script(names, [], tmp_path / "wish"), "seq 250")
    calls = [line for line in answer.stderr.splitlines() if line.startswith("squeue")]
    assert len(calls) == 3
    assert all(name in " ".join(calls) for name in names)
    assert answer.stderr.count("scancel") == 3


def test_one_unanswered_question_of_several_is_enough_to_fail(tmp_path: Path) -> None:
    names = [job_name("eval", "x", f"{number:012x}") for number in range(120)]
    silent_once = f"[ -e {tmp_path}/asked ] || {{ touch {tmp_path}/asked; exit 1; }}; echo 17"
    answer = run_script(tmp_path, scancel_script(names, [], tmp_path / "wish"), silent_once)
    assert answer.returncode == 1
    assert "Slurm does not answer" in answer.stderr
    assert "scancel" not in answer.stderr


def test_ids_are_used_where_there_are_no_names(tmp_path: Path) -> None:
    answer = run_script(tmp_path, scancel_script([], ["17", "18"], tmp_path / "wish"), "exit 1")
    assert (answer.returncode, answer.stderr) == (0, "scancel 17 18\n")


@pytest.mark.parametrize(("names", "ids"), [([], []), ([], ["17"]), (["eval_a_0123456789ab"], ["17"])])
def test_script_is_clean(repository: Path, names: list[str], ids: list[str]) -> None:
    script = scancel_script(names, ids, Path("/runs/it's/cancelled"))
    answer = subprocess.run(
        [repository / ".venv/bin/shellcheck", "-"], input=script, capture_output=True, text=True, check=False
    )
    assert answer.stdout == ""
