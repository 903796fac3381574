"""How long `harness score` takes, start to end, and how much memory: every form written, one process at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import SUITES_DIR
from harness.suites import load_suite
from tests.bench.conftest import Figure
from tests.bench.test_reader import record

PROGRAM = "from harness.cli import main; main()"
SEEDS = 455
AGENTS = {
    "fail2drive": ("TFv6", "BridgeDrive.tar.gz", "BevAD.tar.gz"),
    "bench2drive": (
        "plant2_tfpp",
        "plant2_pdm_lite",
        "lead_tfv6_single_seed",
        "pdm_lite_per_route",
        "bench2drivezoo_merged/UniAD-Base.json",
        "bench2drivezoo_merged/UniAD-Tiny.json",
    ),
}


def used(*arguments: object) -> tuple[float, float]:
    """Return processor seconds and peak megabytes of one command."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 3)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def test_all_published_records_in_every_form(harness_data: Path, tmp_path: Path, figures: list[Figure]) -> None:
    seconds = 0.0
    for bench, agents in AGENTS.items():
        paths = [f"agent{number}={harness_data / 'results' / bench / name}" for number, name in enumerate(agents)]
        seconds += used("score", *paths, "--bench", bench, "--save", tmp_path / bench)[0]
        assert len(json.loads((tmp_path / bench / "scores.json").read_text())["agents"]) == len(agents)
    figures.append(Figure("all published records scored, every form", seconds, "s", 3.0))
    figures.append(Figure("harness --help, twice", 2 * used("--help")[0], "s", 1.0))


@pytest.mark.timeout(600)
def test_100000_records_scored(tmp_path: Path, figures: list[Figure]) -> None:
    ids = [route.route_id for route in load_suite("bench2drive", SUITES_DIR).routes]
    for seed in range(SEEDS):
        records = [record(seed, int(xml_id)) | {"town_name": None} for xml_id in ids]
        content = {"_checkpoint": {"progress": [len(ids), len(ids)], "records": records}, "entry_status": "Finished"}
        file = tmp_path / "results" / f"seed{seed}" / "eval.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content, indent=4), encoding="utf-8")
    seconds, peak_mb = used("score", tmp_path / "results", "--bench", "bench2drive", "--save", tmp_path / "saved")
    report = json.loads((tmp_path / "saved" / "scores.json").read_text())["agents"]["results"]
    assert report["found"] == SEEDS * len(ids) == report["expected"]
    figures.append(Figure("100,100 records scored, every form", seconds, "s", 30.0))
    figures.append(Figure("100,100 records scored: peak memory", peak_mb, "MB", 1500.0))
