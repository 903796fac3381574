"""The job entry point: drive one unit against a running simulator and publish its result.

Runs in a process of its own, because the client library aborts the process on some errors and its Traffic Manager
lives as long as the process does.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.datatypes.route import Route
from harness.datatypes.unit import Unit
from harness.drive.playable import NO_SCENARIOS
from harness.errors import ConfigError, HarnessError, Interrupted, JobError, RouteError, SimError
from harness.jobs.attempts import motion_folder
from harness.jobs.publish import publish_json, publish_text, read_json
from harness.metrics.bench2drive_names import names_of
from harness.metrics.checkpoint import checkpoint
from harness.metrics.engine import ENGINES
from harness.metrics.records import route_record
from harness.metrics.rules import RuleVersion
from harness.results.parsing import METRIC_INFO
from harness.routes import read_routes

if TYPE_CHECKING:
    from harness.drive.motion import Motion
    from harness.drive.rollout import DriveReport, Progress
    from harness.record.recorder import RouteRecorder

CONNECT_TIMEOUT_S = 30.0
# Fields of a result file that hold wall-clock time; everything else is the same in every run of a unit.
WALL_CLOCK_FIELDS = ("duration_system", "wall")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The simulator to drive in.

    Attributes:
        label: what the result file calls it.
    """

    host: str
    port: int
    traffic_manager_port: int
    label: str


def drive_unit(
    unit_file: Path, result_file: Path, endpoint: Endpoint, progress_fd: int | None, record: Path | None = None
) -> None:
    """Drive the unit that a file describes and publish its result.

    Args:
        progress_fd: open file descriptor that gets one JSON line per progress report, if any.
        record: new or empty folder that gets a recording of the drive; it is complete before the result is there.

    Raises:
        HarnessError: the unit or its route cannot be read, the simulator failed, or the recording cannot be written;
            no result is published then.
    """
    # Raised between two lines of Python, so that the drive leaves the server as it found it.
    signal.signal(signal.SIGTERM, _interrupt)
    # Agents may change the working directory.
    unit_file, result_file = unit_file.resolve(), result_file.resolve()
    try:
        _drive_unit(unit_file, result_file, endpoint, progress_fd, record.resolve() if record else None)
    except Interrupted:
        raise JobError("interrupted") from None


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted


def _drive_unit(
    unit_file: Path, result_file: Path, endpoint: Endpoint, progress_fd: int | None, record: Path | None
) -> None:
    import carla

    from harness.drive.agents import BUILT_IN, load_agent
    from harness.drive.rollout import DriveRequest, drive_route

    unit = read_unit(unit_file)
    route = next((r for r in read_routes(Path(unit.route_file)) if r.route_id == unit.route_id), None)
    if route is None:
        raise RouteError(f"route {unit.route_id!r} is no longer in {unit.route_file}, expected the file of the plan")
    client = carla.Client(endpoint.host, endpoint.port)
    client.set_timeout(CONNECT_TIMEOUT_S)
    version = _server_version(client, endpoint)
    started = datetime.now()
    recorder = _recorder(record, unit) if record else None
    report = drive_route(
        client,
        DriveRequest(
            route=route,
            repetition=unit.repetition,
            traffic_seed=unit.traffic_seed,
            traffic_manager_port=endpoint.traffic_manager_port,
            config=unit.config,
            is_agent_trusted=unit.agent in BUILT_IN,
            engine=ENGINES[rule_version(unit)],
        ),
        lambda: load_agent(unit.agent, endpoint.host, endpoint.port),
        _reporter(progress_fd),
        recorder,
    )
    content = result_content(unit, route, report, f"{endpoint.label} {version}")
    if recorder is not None:
        recorder.finish(content["_checkpoint"]["records"][0])
        content["harness"]["wall"]["data_folder"] = data_folder(unit, started)
    if report.motion:
        publish_motion(motion_folder(result_file), report.motion)
    publish_json(result_file, content)


def data_folder(unit: Unit, started: datetime) -> str:
    """Return where in a dataset the recording of a drive belongs, relative to its root; LEAD's name for it.

    The time is the local one at the start of the drive, without a year. Nothing else reads it: what a folder is follows
    from the other parts of its name.
    """
    name = f"{unit.town}_Rep{unit.repetition}_{unit.route}_{started:%m_%d_%H_%M_%S}"
    return f"data/{unit.scenario or NO_SCENARIOS}/{name}"


def _recorder(folder: Path, unit: Unit) -> RouteRecorder:
    from harness.drive.agents import EXPERT
    from harness.record.recorder import RouteRecorder

    if unit.agent != EXPERT:
        raise ConfigError(f"agent {unit.agent!r} cannot be recorded, expected {EXPERT!r}", hint="leave AGENT out")
    return RouteRecorder(folder, town=unit.town, scenario=unit.scenario or NO_SCENARIOS, seed=unit.traffic_seed)


def read_unit(file: Path) -> Unit:
    """Read a unit file.

    Raises:
        HarnessError: missing or malformed.
    """
    try:
        return Unit(**read_json(file))
    except TypeError as error:
        raise HarnessError(f"cannot read {file}: {error}; expected the fields of a unit") from error


def rule_version(unit: Unit) -> RuleVersion:
    """Return the rules by which a unit is driven and scored.

    Raises:
        ConfigError: this version does not have them.
    """
    if unit.rule_version not in ENGINES:
        raise ConfigError(
            f"unit {unit.route} is scored by rules {unit.rule_version!r}, this version has {', '.join(ENGINES)}",
            hint="NEW=1 starts a run of this version",
        )
    return RuleVersion(unit.rule_version)


def publish_motion(folder: Path, motion: Sequence[Motion]) -> None:
    """Write the motion of a drive as the agents of the Bench2Drive fork do: an object per step, by its number."""
    folder.mkdir(exist_ok=True)
    steps = {str(number): step for number, step in enumerate(motion)}
    publish_text(folder / METRIC_INFO, json.dumps(steps, separators=(",", ":"), allow_nan=False) + "\n")


def result_content(unit: Unit, route: Route, report: DriveReport, simulator: str) -> dict[str, Any]:
    """Return the result file of a unit: a Leaderboard checkpoint of one record, plus our own section.

    Wall-clock time stands in `duration_system` and in `harness.wall` only.
    """
    version = rule_version(unit)
    record = route_record(report.outcome, 0, version, names_of(route, unit.repetition, unit.seed))
    content = checkpoint([record], 1, stopped_by=report.outcome.failure, version=version)
    wall_s = report.outcome.duration_wall_s
    content["harness"] = {
        "schema": 1,
        "version": __version__,
        "rule_version": unit.rule_version,
        "suite": unit.suite,
        "route": unit.route,
        "town": unit.town,
        "seed": unit.seed,
        "repetition": unit.repetition,
        "traffic_seed": unit.traffic_seed,
        "agent": unit.agent,
        "agent_sha256": unit.agent_sha256,
        "simulator": simulator,
        "failure_detail": report.failure_detail,
        "scenarios_not_built": report.not_built_scenarios,
        "ticks": report.ticks,
        "traffic_vehicles": report.traffic_vehicles,
        "trajectory_sha256": report.trajectory_sha256,
        "wall": {
            "duration_s": round(wall_s, 3),
            "simulated_per_wall": round(report.outcome.duration_sim_s / wall_s, 2) if wall_s > 0.0 else 0.0,
        },
    }
    return content


def _server_version(client: Any, endpoint: Endpoint) -> str:
    try:
        return str(client.get_server_version())
    except RuntimeError as error:
        raise SimError(f"no CARLA server answers at {endpoint.host}:{endpoint.port}: {error}") from error


def _reporter(progress_fd: int | None) -> Callable[[Progress], None]:
    if progress_fd is None:
        return lambda progress: None
    # What an agent starts must not hold the other end open: its closing says that this job has ended.
    os.set_inheritable(progress_fd, False)

    def report(progress: Progress) -> None:
        line = json.dumps({"percent": progress.percent, "sim_s": round(progress.sim_s, 2)}) + "\n"
        os.write(progress_fd, line.encode())

    return report
