""".ci/run stops at the first verb that fails and accepts no skipped test except for absent test data."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FAKE_MAKE = """#!/usr/bin/env bash
echo "make $*"
case "$*" in
  setup | check | foreign | test | 'soak SHORT=1') ;;
  *) echo "unexpected: $*"; exit 99 ;;
esac
[ "$*" != test ] || echo "$TEST_OUTPUT"
[ "$*" != "${FAILING:-}" ] || exit 2
"""
REFUSE = "#!/bin/sh\necho 'nothing is to be installed here'\nexit 99\n"
NO_DATA = "SKIPPED [4] tests/unit/test_routes.py:386: HARNESS_DATA is not set; set HARNESS_DATA=<folder>"
NO_SLURM = "SKIPPED [1] tests/integration/test_jobs.py:12: no sbatch; HARNESS_DATA is there"
PASSED = "=== 148 passed, 5 skipped in 4.73s ==="
VERBS = ["make setup", "make check", "make foreign", "make test", "make soak SHORT=1"]


def run_ci(tmp_path: Path, output: list[str], failing: str = "") -> subprocess.CompletedProcess[str]:
    """Run .ci/run with a make that prints `output` for its tests and fails at one verb."""
    for name, text in {"make": FAKE_MAKE, "apt-get": REFUSE}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        "TEST_OUTPUT": "\n".join(output),
        "FAILING": failing,
    }
    return subprocess.run([ROOT / ".ci/run"], env=environment, capture_output=True, text=True, check=False)


def verbs(answer: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in answer.stdout.splitlines() if line.startswith("make ")]


@pytest.mark.parametrize("output", [[PASSED], [NO_DATA, PASSED]])
def test_passes_with_or_without_test_data(tmp_path: Path, output: list[str]) -> None:
    answer = run_ci(tmp_path, output)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert verbs(answer) == VERBS
    assert PASSED in answer.stdout
    assert "== make test took " in answer.stdout


def test_other_skipped_test_fails(tmp_path: Path) -> None:
    answer = run_ci(tmp_path, [NO_DATA, NO_SLURM, PASSED])
    assert answer.returncode == 1
    assert answer.stderr == f"\nerror: tests were skipped that have to run here:\n{NO_SLURM}\n"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_stops_at_the_first_failure(tmp_path: Path, count: int) -> None:
    answer = run_ci(tmp_path, [PASSED], failing=VERBS[count - 1].removeprefix("make "))
    assert answer.returncode == 1
    assert verbs(answer) == VERBS[:count]
    assert f"== {VERBS[count - 1]} failed after " in answer.stdout
