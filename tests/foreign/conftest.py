"""Programs that others wrote for CARLA, each in an environment of its own, against a simulator of ours."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import serve as serve

HERE = Path(__file__).parent
TOWN = "Town05"
LIMIT_S, ATTEMPTS = 120.0, 3


@pytest.fixture(scope="session")
def python_of(repository: Path) -> Callable[[str], Path]:
    """Return a function: name of an environment -> its Python; skips the test where it was not made."""

    def find(name: str) -> Path:
        python = repository / ".foreign" / name / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no {python.relative_to(repository)}; type: make foreign")
        return python

    return find


@pytest.fixture(scope="session")
def town_file(harness_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the OpenDRIVE file of the town, unpacked."""
    file = tmp_path_factory.mktemp("towns") / f"{TOWN}.xodr"
    file.write_bytes(gzip.decompress((harness_data / "maps" / f"{TOWN}.xodr.gz").read_bytes()))
    return file


@pytest.fixture
def run_foreign(python_of: Callable[[str], Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a script in an environment and reads the line of JSON that it ends with."""

    def run(environment: str, script: str, *arguments: object) -> dict[str, Any]:
        command = [str(python_of(environment)), "-W", "ignore", str(HERE / script), *map(str, arguments)]
        for _ in range(ATTEMPTS):
            try:
                answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                continue  # a tick beside a Traffic Manager can hang: carla issue 9172, see harness.drive.ticking
            assert answer.returncode == 0, answer.stderr[-3000:]
            found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
            return found
        raise AssertionError(f"{script} did not come to an end in {ATTEMPTS} attempts of {LIMIT_S:g} s")

    return run
