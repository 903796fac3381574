"""A recorded drive on the embedded simulator: complete, sound, and driven exactly as without a recorder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datatypes.unit import Unit
from harness.record.pickles import read_pickle
from harness.stages.dataset import check_dataset
from harness.stages.drive_unit import WALL_CLOCK_FIELDS
from harness.stages.plan_collect import plan_collection
from harness.supervisor import EmbeddedSimulator

pytestmark = pytest.mark.timeout(240)

LIMIT_S = 100.0
DRIVE = """
import os, sys
from pathlib import Path
from harness.errors import HarnessError
from harness.stages.drive_unit import Endpoint, drive_unit
unit, result, port, traffic_manager_port, record = sys.argv[1:]
endpoint = Endpoint(
    host="127.0.0.1", port=int(port), traffic_manager_port=int(traffic_manager_port), label="embedded"
)
code = 0
try:
    drive_unit(Path(unit), Path(result), endpoint, None, Path(record) if record else None)
except HarnessError as error:
    print("error:", error.message, file=sys.stderr)
    code = error.exit_code
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""


@pytest.fixture(scope="module")
def unit() -> Unit:
    """Return the shortest of the repository's own training routes."""
    return min(plan_collection().units, key=lambda unit: unit.length_m)


def start(folder: Path, unit: Unit, ports: Any, *, number: int, record: Path | None) -> subprocess.Popen[str]:
    """Start the job of a unit; its result goes to <folder>/result.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unit.json").write_text(json.dumps(unit.as_dict()))
    arguments = [
        folder / "unit.json",
        folder / "result.json",
        ports.rpc,
        ports.traffic_manager_of(number),
        record or "",
    ]
    return subprocess.Popen(
        [sys.executable, "-c", DRIVE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def drive(folder: Path, unit: Unit, ports: Any, *, number: int, record: Path | None = None) -> tuple[int, str]:
    """Drive a unit to its end and return exit code and errors."""
    with start(folder, unit, ports, number=number, record=record) as process:
        _, errors = process.communicate(timeout=LIMIT_S)
    return process.returncode, errors


@pytest.fixture(scope="module")
def dataset(
    simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return a dataset of one recorded drive, with the content of its result file."""
    root, job = tmp_path_factory.mktemp("collection") / "dataset", tmp_path_factory.mktemp("job")
    code, errors = drive(job, unit, ports, number=0, record=job / "recording")
    assert code == 0, errors
    content = json.loads((job / "result.json").read_text())
    for name in ("data", "results", "scripts", "stderr", "stdout"):
        (root / name).mkdir(parents=True)
    place = root / content["harness"]["wall"]["data_folder"]
    place.parent.mkdir(parents=True)
    (job / "recording").rename(place)
    (root / "results" / unit.scenario).mkdir()
    name = f"{unit.town}_Rep{unit.repetition}_{unit.route}_result.json"
    (root / "results" / unit.scenario / name).write_text(json.dumps(content))
    return {"root": root, "route": place, "content": content}


def test_a_recorded_route_is_a_sound_dataset(dataset: dict[str, Any]) -> None:
    report = check_dataset(dataset["root"])
    assert report.problems == ()
    assert (report.routes, sum(report.usable.values())) == (1, 1)
    ticks = dataset["content"]["harness"]["ticks"]
    assert report.frames == -(-ticks // 5) > 40


def test_the_folder_has_leads_name(dataset: dict[str, Any], unit: Unit) -> None:
    folder = dataset["content"]["harness"]["wall"]["data_folder"]
    pattern = rf"data/noScenarios/Borough01_Rep0_{unit.route}_\d\d_\d\d_\d\d_\d\d_\d\d"
    assert re.fullmatch(pattern, folder)
    assert "wall" in WALL_CLOCK_FIELDS


def test_the_record_is_the_one_of_the_result(dataset: dict[str, Any]) -> None:
    record = json.loads((dataset["route"] / "results.json").read_text())
    assert record == dataset["content"]["_checkpoint"]["records"][0]
    assert record["scores"]["score_route"] == 100


def test_the_frames_show_a_drive_from_the_start_to_the_goal(dataset: dict[str, Any], unit: Unit) -> None:
    metas = [read_pickle(file) for file in sorted((dataset["route"] / "metas").iterdir())]
    track = np.array([meta["pos_global"][:2] for meta in metas])
    driven_m = float(np.hypot(*np.diff(track, axis=0).T).sum())
    assert driven_m == pytest.approx(dataset["content"]["_checkpoint"]["records"][0]["meta"]["route_length"], rel=0.1)
    left_m = [meta["route_left_length"] for meta in metas]
    assert left_m == sorted(left_m, reverse=True)
    assert all(np.abs(meta["route"][0, 1]) < 2.0 and 1.5 < meta["route"][0, 0] < 3.5 for meta in metas[2:])
    assert {meta["scenario"] for meta in metas} == {"noScenarios"}
    assert any(meta["speed_reduced_by_obj_id"] is not None for meta in metas) or unit.length_m < 200.0


def test_a_recorded_drive_is_the_same_drive(
    dataset: dict[str, Any], simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path: Path
) -> None:
    assert drive(tmp_path, unit, ports, number=1)[0] == 0
    plain, recorded = json.loads((tmp_path / "result.json").read_text()), dataset["content"]
    assert plain["harness"]["trajectory_sha256"] == recorded["harness"]["trajectory_sha256"]
    assert "data_folder" not in plain["harness"]["wall"]
    assert _without_wall_clock(plain) == _without_wall_clock(recorded)


def test_recording_the_same_drive_again_gives_the_same_bytes(
    dataset: dict[str, Any], simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path: Path
) -> None:
    assert drive(tmp_path, unit, ports, number=2, record=tmp_path / "again")[0] == 0
    files = sorted(file.relative_to(dataset["route"]) for file in dataset["route"].rglob("*.pkl"))
    assert files == sorted(file.relative_to(tmp_path / "again") for file in (tmp_path / "again").rglob("*.pkl"))
    assert [
        file for file in files if (dataset["route"] / file).read_bytes() != (tmp_path / "again" / file).read_bytes()
    ] == []


def test_a_killed_drive_leaves_a_recording_without_a_record_and_no_result(
    simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path: Path
) -> None:
    with start(tmp_path, unit, ports, number=3, record=tmp_path / "recording") as process:
        deadline_s = time.monotonic() + LIMIT_S
        while not (tmp_path / "recording" / "metas" / "0004.pkl").exists():
            assert time.monotonic() < deadline_s and process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "recording" / "results.json").exists()
    simulator.ensure_running("Borough01")


def test_a_disk_that_is_full_fails_the_drive_with_one_line(
    simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path: Path
) -> None:
    simulator.ensure_running("Borough01")
    with start(tmp_path, unit, ports, number=4, record=tmp_path / "recording") as process:
        deadline_s = time.monotonic() + LIMIT_S
        while not (tmp_path / "recording" / "metas" / "0000.pkl").exists():
            assert time.monotonic() < deadline_s and process.poll() is None
            time.sleep(0.005)
        (tmp_path / "recording" / "metas" / "0020.pkl").symlink_to("/dev/full")
        _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    last = errors.splitlines()[-1]
    assert re.search(r"cannot write .*metas/0020\.pkl: No space left on device; the recording is incomplete", last)
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "recording" / "results.json").exists()


def test_only_the_expert_can_be_recorded(simulator: EmbeddedSimulator, ports: Any, unit: Unit, tmp_path: Path) -> None:
    other = replace(unit, agent="constant")
    code, errors = drive(tmp_path, other, ports, number=5, record=tmp_path / "recording")
    assert (code, errors.splitlines()[-1]) == (2, "error: agent 'constant' cannot be recorded, expected 'expert'")


def _without_wall_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_wall_clock(item) for key, item in value.items() if key not in WALL_CLOCK_FIELDS}
    return [_without_wall_clock(item) for item in value] if isinstance(value, list) else value
