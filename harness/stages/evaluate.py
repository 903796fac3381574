"""Evaluate an agent on a suite: plan, drive what is missing on local workers, write the scoreboard."""

from __future__ import annotations

import json
import os
import queue
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.config import OUTPUTS, town_folders
from harness.datatypes.unit import Unit
from harness.errors import AgentError, ConfigError, SimError
from harness.jobs.ports import PortBlock, take_port_block
from harness.jobs.processes import end, harness_command, last_lines, start
from harness.jobs.publish import publish_json, publish_text, read_json
from harness.jobs.run_folder import Attempt, RunFolder, create_run, find_run, open_run, point_latest
from harness.stages.plan import EMBEDDED, EvaluationPlan, plan_evaluation, route_cost_m
from harness.stages.scoreboard import Scoreboard, as_data, as_markdown, build_scoreboard
from harness.supervisor import EmbeddedSimulator, probe_version

# Tries of a unit in one command; only failures of the simulator or of the job's process are tried again.
MAX_ATTEMPTS = 3
# An agent may load a large network before its first tick.
STALL_LIMIT_S = 600.0
_POLL_S = 0.25


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """What the user asked for; see the options of `harness eval`."""

    bench: str = "mini"
    only: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    agent: str = "expert"
    agent_config: str = ""
    jobs: int = 1
    run: Path | None = None
    is_new: bool = False
    sim: str = EMBEDDED
    maps: tuple[Path, ...] = ()
    outputs: Path = OUTPUTS


class Reporter(Protocol):
    """Who is told how it goes; called from several threads."""

    def begin(self, run: Path, total: int, done: int, workers: int, notes: list[str]) -> None:
        """The work starts; `done` of `total` units have results already."""

    def unit_started(self, worker: int, unit: Unit, attempt: int) -> None:
        """A worker begins a unit."""

    def unit_progress(self, worker: int, percent: float, sim_s: float) -> None:
        """A worker's unit is that far."""

    def unit_finished(self, worker: int, unit: Unit, record: dict[str, Any] | None, text: str) -> None:
        """A unit has its result, or `record` is None and `text` says why not."""


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What an evaluation did.

    Attributes:
        is_interrupted: the user stopped it.
    """

    board: Scoreboard
    run: Path
    is_interrupted: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an evaluation would do.

    Attributes:
        run: folder of the run that would be continued, None for a new one.
        commands: command lines of the first unit, with placeholders for ports.
    """

    plan: EvaluationPlan
    run: Path | None
    missing: list[Unit]
    commands: list[list[str]]


def preview(request: EvaluateRequest) -> Preview:
    """Return what `evaluate` would do; writes nothing."""
    plan = _plan(request)
    run = _existing_run(request, plan)
    missing = run.missing(plan.units) if run else plan.units
    job = ["harness", "drive-unit", "--unit", "<attempt>/unit.json", "--result", "<attempt>/result.json"]
    commands = [[*job, "--host", "127.0.0.1", "--port", "<port>", "--traffic-manager-port", "<port>"]]
    if request.sim == EMBEDDED:
        maps = [part for folder in town_folders(request.maps) for part in ("--maps", str(folder))]
        town = missing[0].town if missing else plan.units[0].town
        serve = ["harness", "simulator", "--port", "<port>", "--town", town, "--reset-between-clients"]
        commands.insert(0, serve + maps)
    return Preview(plan=plan, run=run.folder if run else None, missing=missing, commands=commands)


def evaluate(request: EvaluateRequest, reporter: Reporter) -> EvaluateResult:
    """Drive what is missing and write the scoreboard.

    Raises:
        HarnessError: nothing can be driven: unknown names, an agent that cannot be loaded, no server at `sim`.
    """
    plan = _plan(request)
    endpoint = _check_endpoint(request.sim)
    _check_agent(request.agent)
    run = _existing_run(request, plan)
    notes = []
    if run is None:
        run = create_run(request.outputs, plan.config, plan.facts, plan.units)
    else:
        run.lock()
        notes.append(f"continuing {run.folder}; NEW=1 starts a new run")
    notes += [f"route {problem.route_name} cannot be driven: {problem.reason}" for problem in plan.not_runnable]
    point_latest(request.outputs, run)
    missing = sorted(run.missing(plan.units), key=lambda unit: -route_cost_m(plan.routes[unit.route]))
    workers = 1 if endpoint else max(1, min(request.jobs, len(missing)))
    reporter.begin(run.folder, len(plan.units), len(plan.units) - len(missing), workers, notes)
    crew = _Crew(run, missing, workers, endpoint, town_folders(request.maps), reporter)
    is_interrupted = crew.work()
    reasons = {(unit.route, unit.seed): text for unit, text in crew.failures}
    for problem in plan.not_runnable:
        reasons.update({(problem.route_name, seed): problem.reason for seed in plan.config["seeds"]})
    board = _write_scoreboard(run, plan, reasons)
    return EvaluateResult(board=board, run=run.folder, is_interrupted=is_interrupted)


def _plan(request: EvaluateRequest) -> EvaluationPlan:
    from harness.drive.agents import check_agent_spec

    check_agent_spec(request.agent)
    return plan_evaluation(
        bench=request.bench,
        only=request.only,
        seeds=request.seeds,
        agent=_absolute_agent(request.agent),
        agent_config=request.agent_config,
        sim=request.sim,
        maps=request.maps,
    )


def _absolute_agent(agent: str) -> str:
    path, colon, class_name = agent.partition(":")
    return f"{Path(path).resolve()}{colon}{class_name}" if path.endswith(".py") else agent


def _existing_run(request: EvaluateRequest, plan: EvaluationPlan) -> RunFolder | None:
    """Return the run to continue: the one named, else the newest of this configuration if it is incomplete."""
    if request.run is not None:
        run = open_run(request.run)
        found = run.read_config().get("config", {})
        if found != plan.config:
            different = sorted(key for key in plan.config if found.get(key) != plan.config[key])
            raise ConfigError(
                f"run {request.run} has another {', '.join(different)} "
                f"({', '.join(repr(found.get(key)) for key in different)}), expected that of this command",
                hint="repeat the command that began the run, or NEW=1 without RUN",
            )
        return run
    if request.is_new:
        return None
    newest = find_run(request.outputs, plan.config)
    return newest if newest is not None and newest.missing(plan.units) else None


@dataclass(frozen=True)
class _Address:
    """A CARLA server that is already running."""

    host: str
    port: int


def _check_endpoint(sim: str) -> _Address | None:
    if sim == EMBEDDED:
        return None
    match = re.fullmatch(r"(?P<host>[^:\s]+):(?P<port>\d{1,5})", sim)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(f"SIM is {sim!r}, expected embedded or host:port", hint="make eval SIM=127.0.0.1:2000")
    address = _Address(match["host"], int(match["port"]))
    if probe_version(address.host, address.port, 5.0) is None:
        raise SimError(
            f"no CARLA server answers at {sim} within 5 s, expected one that is running",
            hint="make simulator PORT=2000, or make eval without SIM",
        )
    return address


def _check_agent(agent: str) -> None:
    """Load an agent of the user's in a process of its own, so that what is wrong with it is said before any driving."""
    if not agent.partition(":")[0].endswith(".py"):
        return
    check = subprocess.run(harness_command("check-agent", _absolute_agent(agent)), capture_output=True, text=True)
    if check.returncode != 0:
        lines = [line for line in check.stderr.splitlines() if line.startswith("error: ")]
        text = lines[-1].removeprefix("error: ") if lines else f"agent {agent} ended the process that loaded it"
        raise AgentError(text, hint=f"python3 {agent.partition(':')[0]}")


def _write_scoreboard(run: RunFolder, plan: EvaluationPlan, reasons: dict[tuple[str, int], str]) -> Scoreboard:
    board = build_scoreboard(
        plan.config,
        run.folder,
        {(unit.route, unit.seed): run.result_of(unit) for unit in plan.units},
        reasons,
        {route: plan.scenario_counts(route) for route in plan.routes},
    )
    publish_text(run.folder / "scoreboard.md", as_markdown(board))
    publish_json(run.folder / "scoreboard.json", envelope(board))
    return board


def envelope(board: Scoreboard) -> dict[str, Any]:
    """Return the versioned JSON document that `--output json` prints and `scoreboard.json` holds."""
    return {
        "version": 1,
        "command": "eval",
        "status": "success" if board.is_complete else "partial",
        "exit_code": 0 if board.is_complete else 3,
        "data": as_data(board),
        "errors": [f"{row.route} seed {row.seed}: {row.reason}" for row in board.rows if row.score is None],
    }


@dataclass
class _Crew:
    """Workers side by side, each a thread with its own simulator; units come from one queue."""

    run: RunFolder
    units: list[Unit]
    workers: int
    endpoint: _Address | None
    maps: list[Path]
    reporter: Reporter
    failures: list[tuple[Unit, str]] = field(default_factory=list)

    def work(self) -> bool:
        """Drive all units; True if the user interrupted it. No process is left either way."""
        self._queue: queue.SimpleQueue[Unit] = queue.SimpleQueue()
        for unit in self.units:
            self._queue.put(unit)
        self._stop = threading.Event()
        self._broken: list[BaseException] = []
        threads = [threading.Thread(target=self._guarded, args=(number,)) for number in range(self.workers)]
        is_interrupted = False
        with _interrupts_on_term():
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                try:
                    for thread in threads:
                        thread.join(_POLL_S)
                except KeyboardInterrupt:
                    is_interrupted = True
                    self._stop.set()
        if self._broken:
            raise self._broken[0]
        return is_interrupted

    def _guarded(self, number: int) -> None:
        try:
            self._run_worker(number)
        except BaseException as error:
            self._broken.append(error)
            self._stop.set()

    def _run_worker(self, number: int) -> None:
        block = take_port_block()
        simulator = (
            None
            if self.endpoint
            else EmbeddedSimulator(block.rpc, self.maps, self.run.folder / "simulators" / f"worker_{number}.log")
        )
        try:
            while not self._stop.is_set():
                try:
                    unit = self._queue.get_nowait()
                except queue.Empty:
                    return
                self._drive(number, unit, simulator, block)
        finally:
            if simulator is not None:
                simulator.stop()
            block.release()

    def _drive(self, number: int, unit: Unit, simulator: EmbeddedSimulator | None, block: PortBlock) -> None:
        reason = ""
        for _ in range(MAX_ATTEMPTS):
            attempt = self.run.next_attempt(unit)
            self.reporter.unit_started(number, unit, attempt.number)
            try:
                if simulator is not None:
                    simulator.ensure_running(unit.town)
                reason = self._try(number, unit, attempt, block)
            except SimError as error:
                reason = error.message
            if attempt.result.is_file():
                record = read_json(attempt.result)["_checkpoint"]["records"][0]
                self.reporter.unit_finished(number, unit, record, "")
                return
            if self._stop.is_set() or reason.startswith(_NOT_RETRIED):
                break
            if simulator is not None:
                # Whatever went wrong, a fresh simulator is the cheapest way to be sure of it.
                simulator.stop()
        self.failures.append((unit, reason))
        self.reporter.unit_finished(number, unit, None, reason)

    def _try(self, number: int, unit: Unit, attempt: Attempt, block: PortBlock) -> str:
        """Run the job of a unit; return why it left no result, if it left none."""
        reading, writing = os.pipe()
        address = self.endpoint or _Address("127.0.0.1", block.rpc)
        command = harness_command(
            *("drive-unit", "--unit", str(attempt.unit_file), "--result", str(attempt.result)),
            *("--host", address.host, "--port", str(address.port)),
            *("--traffic-manager-port", str(block.traffic_manager)),
            *("--label", "CARLA" if self.endpoint else EMBEDDED),
            *("--progress-fd", str(writing), "--parent", str(os.getpid())),
        )
        process = start(command, attempt.log, pass_fds=[writing])
        os.close(writing)
        try:
            stalled = self._follow(reading, lambda percent, sim_s: self.reporter.unit_progress(number, percent, sim_s))
            if not stalled and not self._stop.is_set():
                process.wait(30.0)
        except subprocess.TimeoutExpired:
            stalled = True
        finally:
            os.close(reading)
            end(process)
        if self._stop.is_set():
            return "interrupted"
        if stalled:
            return f"no progress for {STALL_LIMIT_S:.0f} s; see {attempt.log}"
        return _exit_reason(process.returncode, attempt.log)

    def _follow(self, reading: int, on_progress: Callable[[float, float], None]) -> bool:
        """Pass progress lines on until the job closes its end; True if it fell silent."""
        buffer, heard_s = b"", time.monotonic()
        while not self._stop.is_set():
            ready, _, _ = select.select([reading], [], [], _POLL_S)
            if not ready:
                if time.monotonic() - heard_s > STALL_LIMIT_S:
                    return True
                continue
            data = os.read(reading, 65536)
            if not data:
                return False
            heard_s = time.monotonic()
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                report = json.loads(line)
                on_progress(report["percent"], report["sim_s"])
        return False


# Ends of a job that another try cannot change.
_NOT_RETRIED = ("interrupted", "error 2: ")


def _exit_reason(code: int, log: Path) -> str:
    if code == 0:
        return ""
    errors = [line for line in last_lines(log).splitlines() if line.startswith("error: ")]
    text = errors[-1].removeprefix("error: ") if errors else f"the job ended unexpectedly; see {log}"
    return f"signal {signal.Signals(-code).name}: {text}" if code < 0 else f"error {code}: {text}"


@contextmanager
def _interrupts_on_term() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
