"""Evaluate an agent on a suite: plan, have what is missing driven, write the scoreboard."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.config import OUTPUTS
from harness.datatypes.unit import Unit
from harness.errors import AgentError, ConfigError, HarnessError, SimError
from harness.jobs.ports import lock_server
from harness.jobs.processes import harness_command
from harness.jobs.publish import publish_json, publish_text, read_json
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import create_run, differences, find_run, foretold_run, open_run, point_latest
from harness.stages.campaign import Campaign, CampaignResult
from harness.stages.detach import chain
from harness.stages.launch import LOCAL, Launch, LaunchOptions, make_launch
from harness.stages.launching import make_backend, require_backend, task_overhead
from harness.stages.plan import CLIENT_VERSION, EMBEDDED, EvaluationPlan, plan_evaluation
from harness.stages.roles import Reporter, SilentReporter
from harness.stages.scoreboard import Scoreboard, as_data, as_markdown, build_scoreboard
from harness.stages.submissions import Planned, changes
from harness.stages.supervision import ANSWER_LIMIT_S, Address, parse_address
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
    run: Path | None = None
    is_new: bool = False
    sim: str = EMBEDDED
    maps: tuple[Path, ...] = ()
    outputs: Path = OUTPUTS
    options: LaunchOptions = field(default_factory=LaunchOptions)


@dataclass(frozen=True, kw_only=True)
class EvaluateResult:
    """What an evaluation did.

    Attributes:
        overhead: share of the tasks' time that was not driving; None if nothing was driven.
    """

    board: Scoreboard
    run: Path
    campaign: CampaignResult
    launch: Launch
    overhead: float | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an evaluation would do.

    Attributes:
        run: the run that would be continued, None for a new one.
        planned: the calls of the scheduler that would be made.
        changes: what is different from the last submission, line by line.
    """

    plan: EvaluationPlan
    run: RunFolder | None
    missing: list[Unit]
    planned: list[Planned]
    changes: list[str]


def preview(request: EvaluateRequest) -> Preview:
    """Return what `evaluate` would do; writes nothing."""
    endpoint = parse_address(request.sim)
    launch = _launch(request, endpoint)
    plan = _plan(request, endpoint)
    found = _existing_run(request, plan)
    missing = found.missing(plan.units) if found else plan.units
    run = found or foretold_run(request.outputs, plan.config)
    units = run.manifest_with(plan.units)
    wanted = run.numbers(units, plan.units)
    backend = make_backend(run, launch, SilentReporter(), is_preview=True)
    planned = Campaign(run, units, wanted, launch, backend, SilentReporter()).foresee(is_new=found is None)
    return Preview(plan=plan, run=found, missing=missing, planned=planned, changes=changes(run, planned))


def evaluate(request: EvaluateRequest, reporter: Reporter) -> EvaluateResult:
    """Have driven what is missing and write the scoreboard.

    Raises:
        HarnessError: nothing can be driven: unknown names, an agent that cannot be loaded, no server at `sim`.
    """
    endpoint = parse_address(request.sim)
    launch = _launch(request, endpoint)
    _check_endpoint(endpoint)
    plan = _plan(request, endpoint)
    with ExitStack() as stack:
        if endpoint:
            stack.enter_context(lock_server(endpoint.host, endpoint.port))
        _check_agent(request.agent)
        require_backend(launch)
        run = _existing_run(request, plan)
        notes = []
        if run is None:
            run = create_run(request.outputs, plan.config, plan.facts, plan.units)
        else:
            run.lock()
            run.extend(plan.units)
            notes.append(f"continuing {run.folder}; NEW=1 starts a new run")
        stack.callback(run.unlock)
        return _work_on(run, plan, request, launch, reporter, notes)


def _launch(request: EvaluateRequest, endpoint: Address | None) -> Launch:
    launch = make_launch("eval", request.bench, request.options, sim=request.sim, maps=request.maps)
    if endpoint and launch.backend != LOCAL:
        raise ConfigError(
            f"SIM={request.sim} cannot be combined with PARTITION or BACKEND=slurm, expected embedded: "
            "every task on a cluster has a simulator of its own",
            hint="leave SIM out",
        )
    return launch


def _work_on(
    run: RunFolder,
    plan: EvaluationPlan,
    request: EvaluateRequest,
    launch: Launch,
    reporter: Reporter,
    notes: list[str],
) -> EvaluateResult:
    notes += [f"route {problem.route_name} cannot be driven: {problem.reason}" for problem in plan.not_runnable]
    ignored = {name: route.ignored for name, route in plan.routes.items() if route.ignored}
    notes += [f"route {name}: ignored {', '.join(parts)}" for name, parts in ignored.items()]
    notes += [f"{path} is damaged ({why}); the drive is repeated" for _, path, why in run.damaged(plan.units)]
    if launch.sim != EMBEDDED and request.options.jobs not in (None, 1):
        notes.append("one drive at a time: there is one server")
    point_latest(request.outputs, run)
    save_expectation(run, plan)
    units = run.units()
    wanted = run.numbers(units, plan.units)
    launch = replace(launch, wanted=tuple(wanted))
    launch.save(run)
    run.cancel_wish.unlink(missing_ok=True)
    missing = run.missing(plan.units)
    reporter.begin(run.folder, len(wanted), len(wanted) - len(missing), notes)
    backend = make_backend(run, launch, reporter)
    campaign = Campaign(run, units, wanted, launch, backend, reporter, is_once=launch.is_detached).work()
    if launch.is_detached and not campaign.is_complete and not campaign.stop:
        reporter.say(chain(run, launch, campaign.present).text)
    board = write_scoreboard(run, campaign)
    return EvaluateResult(board=board, run=run.folder, campaign=campaign, launch=launch, overhead=task_overhead(run))


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
    """Return the run to continue: the one named, else the newest of this configuration unless it is over.

    A run is over when its scoreboard has told so. Jobs may have done the last drives after the command was killed.
    """
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
    if newest is None or (_has_told_all(newest) and not newest.missing(plan.units) and not plan.not_runnable):
        return None
    return newest


def _has_told_all(run: RunFolder) -> bool:
    """Tell whether a scoreboard was written when every drive had its result."""
    try:
        board = read_json(run.folder / "scoreboard.json")["data"]
        return bool(board["found"] == board["expected"])
    except (HarnessError, KeyError, TypeError):
        return False


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


def save_expectation(run: RunFolder, plan: EvaluationPlan) -> None:
    """Keep in the run what a scoreboard needs to know of the routes without results."""
    content = {
        "scenarios": {route: plan.scenario_counts(route) for route in plan.routes},
        "not_runnable": {problem.route_name: problem.reason for problem in plan.not_runnable},
    }
    publish_json(run.folder / "expected.json", content)


def write_scoreboard(run: RunFolder, campaign: CampaignResult) -> Scoreboard:
    """Write the scoreboard of a run from its files.

    Args:
        campaign: tells why there is no result.
    """
    config, expected, units = run.read_config()["config"], read_json(run.folder / "expected.json"), run.units()
    reasons = {(units[number].route, units[number].seed): v.reason for number, v in campaign.given_up.items()}
    for name, reason in expected["not_runnable"].items():
        reasons.update({(name, seed): reason for seed in config["seeds"]})
    if campaign.stop or campaign.is_interrupted:
        for unit in units:
            reasons.setdefault((unit.route, unit.seed), campaign.stop or "interrupted")
    scenarios: Mapping[str, Mapping[str, int]] = expected["scenarios"]
    results = {(unit.route, unit.seed): run.result_of(unit) for unit in units}
    board = build_scoreboard(config, run.folder, results, reasons, scenarios)
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
