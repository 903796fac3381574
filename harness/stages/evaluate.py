"""Evaluate an agent on a suite: plan, drive what is missing on local workers, write the scoreboard."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config import OUTPUTS
from harness.datatypes.unit import Unit
from harness.errors import AgentError, ConfigError, SimError
from harness.jobs.ports import lock_server
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_json, publish_text
from harness.jobs.run_folder import RunFolder, create_run, differences, find_run, open_run, point_latest
from harness.stages.crew import ANSWER_LIMIT_S, Address, Crew, Reporter
from harness.stages.plan import CLIENT_VERSION, EMBEDDED, EvaluationPlan, plan_evaluation, route_cost_m
from harness.stages.scoreboard import Scoreboard, as_data, as_markdown, build_scoreboard
from harness.supervisor import probe_towns

# An agent may import a large framework from a slow disk.
AGENT_LOAD_LIMIT_S = 300.0


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
        commands: command lines of the first unit, where a port is chosen later it reads <port>.
    """

    plan: EvaluationPlan
    run: Path | None
    missing: list[Unit]
    commands: list[list[str]]


def preview(request: EvaluateRequest) -> Preview:
    """Return what `evaluate` would do; writes nothing."""
    endpoint = _parse_address(request.sim)
    plan = _plan(request, endpoint)
    run = _existing_run(request, plan)
    missing = run.missing(plan.units) if run else plan.units
    job = ["harness", "drive-unit", "--unit", "<attempt>/unit.json", "--result", "<attempt>/result.json"]
    host, port = (endpoint.host, str(endpoint.port)) if endpoint else ("127.0.0.1", "<port>")
    commands = [[*job, "--host", host, "--port", port, "--traffic-manager-port", "<port>"]]
    if endpoint is None:
        maps = [part for folder in request.maps for part in ("--maps", str(folder))]
        town = missing[0].town if missing else plan.units[0].town
        serve = ["harness", "simulator", "--port", "<port>", "--town", town, "--reset-between-clients"]
        commands.insert(0, serve + maps)
    return Preview(plan=plan, run=run.folder if run else None, missing=missing, commands=commands)


def evaluate(request: EvaluateRequest, reporter: Reporter) -> EvaluateResult:
    """Drive what is missing and write the scoreboard.

    Raises:
        HarnessError: nothing can be driven: unknown names, an agent that cannot be loaded, no server at `sim`.
    """
    endpoint = _parse_address(request.sim)
    _check_endpoint(endpoint)
    plan = _plan(request, endpoint)
    server_lock = lock_server(endpoint.host, endpoint.port) if endpoint else None
    _check_agent(request.agent)
    run = _existing_run(request, plan)
    notes = []
    if run is None:
        run = create_run(request.outputs, plan.config, plan.facts, plan.units)
    else:
        run.lock()
        run.extend(plan.units)
        notes.append(f"continuing {run.folder}; NEW=1 starts a new run")
    try:
        return _work_on(run, plan, request, endpoint, reporter, notes)
    finally:
        run.unlock()
        if server_lock is not None:
            server_lock.close()


def _work_on(
    run: RunFolder,
    plan: EvaluationPlan,
    request: EvaluateRequest,
    endpoint: Address | None,
    reporter: Reporter,
    notes: list[str],
) -> EvaluateResult:
    notes += [f"route {problem.route_name} cannot be driven: {problem.reason}" for problem in plan.not_runnable]
    ignored = {name: route.ignored for name, route in plan.routes.items() if route.ignored}
    notes += [f"route {name}: ignored {', '.join(parts)}" for name, parts in ignored.items()]
    notes += [f"{path} is damaged ({why}); the drive is repeated" for _, path, why in run.damaged(plan.units)]
    point_latest(request.outputs, run)
    missing = sorted(run.missing(plan.units), key=lambda unit: -route_cost_m(plan.routes[unit.route]))
    workers = 1 if endpoint else max(1, min(request.jobs, len(missing)))
    if endpoint and request.jobs > 1:
        notes.append("one drive at a time: there is one server")
    reporter.begin(run.folder, len(plan.units), len(plan.units) - len(missing), workers, notes)
    crew = Crew(run, missing, workers, endpoint, list(request.maps), reporter)
    is_interrupted = crew.work()
    reasons = {(unit.route, unit.seed): text for unit, text in crew.failures}
    for problem in plan.not_runnable:
        reasons.update({(problem.route_name, seed): problem.reason for seed in plan.config["seeds"]})
    board = _write_scoreboard(run, plan, reasons)
    return EvaluateResult(board=board, run=run.folder, is_interrupted=is_interrupted)


def _plan(request: EvaluateRequest, endpoint: Address | None) -> EvaluationPlan:
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
        server_towns=probe_towns(endpoint.host, endpoint.port, ANSWER_LIMIT_S) if endpoint else None,
    )


def _absolute_agent(agent: str) -> str:
    path, colon, class_name = agent.partition(":")
    return f"{Path(path).resolve()}{colon}{class_name}" if path.endswith(".py") else agent


def _existing_run(request: EvaluateRequest, plan: EvaluationPlan) -> RunFolder | None:
    """Return the run to continue: the one named, else the newest of this configuration if it is incomplete."""
    if request.run is not None:
        run = open_run(request.run)
        found = run.read_config()["config"]
        if different := differences(found, plan.config):
            raise ConfigError(
                f"run {request.run} has another {', '.join(different)} "
                f"({', '.join(repr(found.get(key)) for key in different)}), expected that of this command",
                hint="repeat the command that began the run, or NEW=1 without RUN",
            )
        return run
    if request.is_new:
        return None
    newest = find_run(request.outputs, plan.config)
    return newest if newest is not None and (newest.missing(plan.units) or plan.not_runnable) else None


def _parse_address(sim: str) -> Address | None:
    if sim == EMBEDDED:
        return None
    match = re.fullmatch(r"(?P<host>[^:\s]+):(?P<port>\d{1,5})", sim)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(f"SIM is {sim!r}, expected embedded or host:port", hint="make eval SIM=127.0.0.1:2000")
    return Address(match["host"], int(match["port"]))


def _check_endpoint(endpoint: Address | None) -> None:
    if endpoint is None:
        return
    version = endpoint.version()
    if version is None:
        raise SimError(
            f"no CARLA server answers at {endpoint.host}:{endpoint.port} within {ANSWER_LIMIT_S:.0f} s, "
            "expected one that is running",
            hint="make simulator PORT=2000, or make eval without SIM",
        )
    if version != CLIENT_VERSION:
        raise SimError(
            f"the server at {endpoint.host}:{endpoint.port} is CARLA {version}, expected {CLIENT_VERSION}",
            hint="start a server of that version",
        )


def _check_agent(agent: str) -> None:
    """Load an agent of the user's in a process of its own, so that what is wrong with it is said before any driving."""
    if not agent.partition(":")[0].endswith(".py"):
        return
    command = harness_command("check-agent", _absolute_agent(agent), "--parent", str(os.getpid()))
    try:
        check = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=AGENT_LOAD_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise AgentError(
            f"agent {agent} did not load within {AGENT_LOAD_LIMIT_S:.0f} s", hint=f"python3 {agent.partition(':')[0]}"
        ) from None
    if check.returncode == 0:
        return
    lines = [line for line in check.stderr.splitlines() if line.startswith("error: ")]
    if lines:
        raise AgentError(lines[-1].removeprefix("error: "))
    how = signal.Signals(-check.returncode).name if check.returncode < 0 else f"code {check.returncode}"
    raise AgentError(
        f"agent {agent} ended the process that loaded it with {how}, expected a class",
        hint=f"python3 {agent.partition(':')[0]}",
    )


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
