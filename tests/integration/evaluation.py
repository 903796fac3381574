"""Runs `harness eval` in processes of its own, in a folder of its own, and finds whatever it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from harness.stages.drive_unit import WALL_CLOCK_FIELDS

LIMIT_S = 60.0
# Two short routes on North Street of our own town; the other suites are free to change.
ROUTES = {
    "00": ((220.0, -378.25), (300.0, -378.25)),
    "01": ((370.0, -381.75), (270.0, -381.75)),
}
BENCH = ("--bench", "longest6", "--seeds", "1")


def route_xml(name: str, scenario_type: str = "") -> str:
    """Return the file of one of the routes, with a scenario if a type is given."""
    positions = "".join(f'<position x="{x}" y="{y}" z="0.0" />' for x, y in ROUTES[name])
    scenario = f'<scenario name="S" type="{scenario_type}"><trigger_point x="1" y="2" z="0" yaw="0"/></scenario>'
    scenarios = scenario if scenario_type else ""
    return (
        f'<routes><route id="{int(name)}" town="Borough01"><waypoints>{positions}</waypoints>'
        f"<scenarios>{scenarios}</scenarios></route></routes>"
    )


class Evaluation:
    """An empty folder to evaluate in, and beside it a data folder with two short routes under names of longest6."""

    def __init__(self, folder: Path, data: Path, repository: Path) -> None:
        self.folder, self._data, self._repository = folder, data, repository
        self.routes = data / "routes" / "longest6"
        self.routes.mkdir(parents=True)
        for name in ROUTES:
            (self.routes / f"{name}.xml").write_text(route_xml(name))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `harness` with some arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self._repository), "HARNESS_DATA": str(self._data)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_eval(self, *arguments: str) -> subprocess.Popen[str]:
        """Start an evaluation of the routes."""
        return self.start("eval", *BENCH, *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Evaluate the routes to the end; nothing of it must be left."""
        with self.start_eval(*arguments) as process:
            out, err = process.communicate(timeout=LIMIT_S)
        assert self.processes() == []
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def processes(self) -> list[psutil.Process]:
        """Return what runs in the folder: everything that a command started inherits it as working directory."""
        return [process for process in psutil.process_iter() if _works_in(process, self.folder)]

    def process(self, word: str) -> psutil.Process | None:
        """Return the process in the folder that has a word on its command line."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in process.cmdline():
                    return process
        return None

    def runs(self) -> list[Path]:
        """Return the folders of the runs, oldest first."""
        return sorted(file.parent for file in self.folder.glob("outputs/evaluation/[!.]*/*/*/run.toml"))

    def latest(self) -> Path:
        return (self.folder / "outputs" / "evaluation" / "latest").resolve()

    def results(self, run: Path) -> dict[str, Path]:
        """Return route -> chosen result file."""
        return {file.parent.name: file for file in sorted(run.glob("*/result.json"))}


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder)
    except psutil.Error:
        return False


def attempt_of(result: Path) -> Path:
    """Return the folder of the one attempt whose result was chosen."""
    (file,) = (file for file in result.parent.glob("attempt_*/result.json") if file.samefile(result))
    return file.parent


def outcomes(unit: Path) -> list[str | None]:
    """Return how the attempts of a unit ended, first one first; None for those that said nothing."""
    folders = sorted(unit.glob("attempt_*"), key=lambda folder: int(folder.name.removeprefix("attempt_")))
    files = [folder / "outcome.json" for folder in folders]
    return [json.loads(file.read_text())["outcome"] if file.exists() else None for file in files]


def record(result: Path) -> dict[str, Any]:
    """Return the record of a result file."""
    found: dict[str, Any] = json.loads(result.read_text())["_checkpoint"]["records"][0]
    return found


def without_wall_clock(result: Path) -> bytes:
    """Return a result file without the fields that hold wall-clock time, for comparison byte by byte."""
    return json.dumps(_stripped(json.loads(result.read_text())), indent=4).encode()


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in WALL_CLOCK_FIELDS}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is there and return it."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {LIMIT_S:.0f} s for {what}")


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill a process at the end if it is still there."""
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        process.wait()
