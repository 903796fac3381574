"""Drawn runs: two short routes of mini, a perfect result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from harness.datatypes.result import RouteOutcome
from harness.datatypes.unit import Unit
from harness.jobs.attempts import AttemptFolder, begin_attempt, choose
from harness.jobs.publish import publish_json
from harness.jobs.run_folder import RunFolder
from harness.jobs.runs import create_run
from harness.metrics.checkpoint import checkpoint
from harness.metrics.lb20 import route_record

OUTCOME = RouteOutcome(
    route_id="RouteScenario_5_rep0",
    route_length_m=200.0,
    completion_percent=100.0,
    infractions=(),
    duration_sim_s=40.0,
    duration_wall_s=2.5,
)
RESULT = checkpoint([route_record(OUTCOME, 0)], 1)
CONFIG = {"bench": "mini", "agent": "expert", "seeds": [1], "routes": ["05", "07"]}


def is_running(pid: int) -> bool:
    """Tell whether a process does anything; one that nobody has waited for yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def unit(route: str = "05", seed: int = 1) -> Unit:
    """Draw a unit."""
    return Unit(
        suite="mini",
        rule_version="lb20",
        route=route,
        route_id=route.lstrip("0"),
        route_file=f"/routes/{route}.xml",
        town="Borough01",
        repetition=0,
        seed=seed,
        traffic_seed=7,
        agent="expert",
        agent_sha256="",
        config="",
    )


def units(seeds: Sequence[int] = (1,)) -> list[Unit]:
    """Draw the units of a run."""
    return [unit(route, seed) for seed in seeds for route in ("05", "07")]


def new_run(outputs: Path, seeds: Sequence[int] = (1,), **changes: Any) -> RunFolder:
    """Make a run that nobody works on."""
    config = {**CONFIG, "seeds": list(seeds), **changes}
    run = create_run(outputs, config, {"python": "3.11"}, units(seeds))
    run.unlock()
    return run


def begin(run: RunFolder, one: Unit, **facts: Any) -> AttemptFolder:
    """Begin an attempt of a unit."""
    folder = run.unit_folder(one)
    folder.mkdir(parents=True, exist_ok=True)
    return begin_attempt(folder, one, facts)


def finish(run: RunFolder, one: Unit) -> AttemptFolder:
    """Let a unit have a result."""
    attempt = begin(run, one)
    publish_json(attempt.result, RESULT)
    assert choose(run.unit_folder(one), attempt)
    return attempt
