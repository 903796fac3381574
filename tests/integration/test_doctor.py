"""`harness doctor` on this machine, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 110.0


class Doctor:
    """Runs the command in an empty folder."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self._repository = folder, repository

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("SLURM_CONF", "TMPDIR")}
        return subprocess.run(
            [sys.executable, "-m", "harness", "doctor", *arguments],
            cwd=self.folder,
            env={**inherited, "PYTHONPATH": str(self._repository), **variables},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )


@pytest.fixture
def doctor(tmp_path: Path, repository: Path) -> Doctor:
    folder = tmp_path / "work"
    folder.mkdir()
    return Doctor(folder, repository)


def checks(answer: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(answer.stdout)["data"]["checks"]}


def test_this_machine_can_drive(doctor: Doctor) -> None:
    answer = doctor("--output", "json")
    assert answer.returncode == 0, answer.stdout
    document = json.loads(answer.stdout)
    assert (document["command"], document["status"], document["errors"]) == ("doctor", "success", [])
    found = checks(answer)
    for name in ("Python", "packages", "import carla", "embedded simulator", "drive process", "ports"):
        assert found[name]["state"] == "ok", found[name]
    for name in ("GPU", "Apptainer", "Slurm"):
        assert any(check.startswith(name) for check in found)
    assert found["write speed in the working folder"]["state"] == "ok"
    assert "looking at Slurm" in answer.stderr
    assert list(doctor.folder.iterdir()) == []


def test_text_says_what_to_type_about_what_is_not_here(doctor: Doctor) -> None:
    answer = doctor(PATH="/nonexistent")
    assert answer.returncode == 0, answer.stdout
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("this machine (")
    assert "\x1b" not in answer.stdout
    slurm = next(number for number, line in enumerate(lines) if line.startswith("  absent  Slurm "))
    assert lines[slurm].endswith("no sbatch")
    assert lines[slurm + 2].strip().startswith("try: ")
    assert lines[-1].endswith("the embedded simulator can be used: make eval")


def test_what_the_simulator_needs_is_an_error(doctor: Doctor, tmp_path: Path) -> None:
    broken = tmp_path / "packages"
    broken.mkdir()
    (broken / "carla.py").write_text("import os; os.kill(os.getpid(), 11)\n")
    path = f"{broken}:{doctor._repository}"
    answer = doctor("--output", "json", PYTHONPATH=path)
    assert answer.returncode == 1
    found = checks(answer)
    assert found["import carla"]["found"] == "killed by SIGSEGV"
    assert found["embedded simulator"]["state"] == "failed"
    assert found["Python"]["state"] == "ok"
    assert any("import carla: killed by SIGSEGV" in error for error in json.loads(answer.stdout)["errors"])


def test_folder_for_temporary_files_that_is_not_there_is_told(doctor: Doctor) -> None:
    found = checks(doctor("--output", "json", TMPDIR="/nonexistent/scratch"))
    assert found["TMPDIR"]["found"].startswith("/nonexistent/scratch cannot be used here, ")


def test_partition_without_slurm_is_refused_before_anything_is_looked_at(doctor: Doctor) -> None:
    answer = doctor("--partition", "cpu", PATH="/nonexistent")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: PARTITION needs Slurm: found no sbatch")
    assert list(doctor.folder.iterdir()) == []
