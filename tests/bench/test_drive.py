"""How long one drive takes from the command line to its result: processes, simulator, traffic, expert, scoring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUTE = "04"


@pytest.mark.timeout(300)
def test_one_route_by_the_expert(benchmark: Any, tmp_path: Path, repository: Path) -> None:
    arguments = ("eval", "--jobs", "1", "--only", ROUTE, "--new", "--output", "json")

    def evaluate() -> dict[str, Any]:
        answer = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stderr
        (row,) = json.loads(answer.stdout)["data"]["routes"]
        return row

    row = benchmark.pedantic(evaluate, rounds=3)
    assert (row["route"], row["scores"]["score_route"]) == (ROUTE, 100.0)
    if benchmark.stats:  # none when only the code is tried
        whole_s = benchmark.stats.stats.median
        benchmark.extra_info["simulated s per wall s, whole command"] = round(row["duration_sim_s"] / whole_s, 1)
        benchmark.extra_info["simulated s per wall s, drive"] = round(row["simulated_per_wall"], 1)
