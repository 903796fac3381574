"""How long result files take to read, and how much memory: in an interpreter of its own, start included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import Figure

SHARDS, RECORDS = 100, 1000
PROGRAM = """
import resource, sys, time
from pathlib import Path
from harness.results.read import read_results
from harness.results.result_set import OnDuplicate
count = len(read_results([Path(sys.argv[1])], on_duplicate=OnDuplicate.ALL).records)
used = resource.getrusage(resource.RUSAGE_SELF)
print(count, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
"""


def measured(folder: Path) -> tuple[int, float, float]:
    """Return records, processor seconds and peak megabytes of reading a folder."""
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    count, seconds, peak_mb = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(count), float(seconds), float(peak_mb)


def record(seed: int, index: int) -> dict[str, Any]:
    """Return a record as Bench2Drive's evaluator writes it, 3 kB long."""
    speeds = [
        f"Average speed is {seed + step}.{index % 97:02d}% of the surrounding traffic's one" for step in range(17)
    ]
    lists = ("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction")
    return {
        "index": index,
        "route_id": f"RouteScenario_{index}_rep0",
        "scenario_name": "SignalizedJunctionRightTurn_1",
        "weather_id": "0",
        "save_name": f"RouteScenario_{index}_rep0_Town12_SignalizedJunctionRightTurn_1_0_11_28_10_55_05",
        "status": "Completed",
        "num_infractions": len(speeds),
        "infractions": {**{key: [] for key in lists}, "min_speed_infractions": speeds, "route_timeout": []},
        "scores": {"score_route": 100, "score_penalty": 1.0, "score_composed": 100.0},
        "meta": {"route_length": 76.358, "duration_game": 16.05, "duration_system": 28.063},
        "town_name": "Town12",
    }


@pytest.mark.timeout(300)
def test_100000_records_in_shards(tmp_path: Path, figures: list[Figure]) -> None:
    for seed in range(SHARDS):
        records = [record(seed, index) for index in range(RECORDS)]
        content = {"_checkpoint": {"progress": [RECORDS, RECORDS], "records": records}, "entry_status": "Finished"}
        file = tmp_path / f"seed{seed}" / "eval.json"
        file.parent.mkdir()
        file.write_text(json.dumps(content, indent=4), encoding="utf-8")
    count, seconds, peak_mb = measured(tmp_path)
    assert count == SHARDS * RECORDS
    figures.append(Figure("100,000 records read", seconds, "s", 20.0))
    figures.append(Figure("100,000 records read: peak memory", peak_mb, "MB", 1200.0))


def test_all_published_records(harness_data: Path, figures: list[Figure]) -> None:
    count, seconds, _ = measured(harness_data / "results")
    figures.append(Figure(f"{count} published records read, with start", seconds, "s", 1.5))
