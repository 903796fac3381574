"""What tasks and drives are started with; not for people."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from harness.commands.options import MAPS, let_agents_import_from_here, tie_to_parent
from harness.errors import EXIT_COMPLETE, EXIT_ERROR, EXIT_SIMULATOR, SimError


@click.command("work", hidden=True)
@click.option("--run", type=click.Path(path_type=Path), required=True)
@click.option("--token", required=True)
@click.option("--task", type=int, envvar="SLURM_ARRAY_TASK_ID", default=0)
@click.option("--max-attempts", type=int, required=True)
@click.option("--partitions", type=int, required=True)
@click.option("--warning", "warning_s", type=float, required=True)
@click.option("--lease", "lease_s", type=float, required=True)
@click.option("--sim", default="embedded")
@MAPS
@click.option("--parent", type=int)
def work_command(
    run: Path,
    token: str,
    task: int,
    max_attempts: int,
    partitions: int,
    warning_s: float,
    lease_s: float,
    sim: str,
    maps: tuple[Path, ...],
    parent: int | None,
) -> int:
    """Work through the units of a task."""
    from harness.jobs.budget import Policy
    from harness.jobs.run_folder import RunFolder
    from harness.stages.supervision import parse_address
    from harness.stages.work import WorkRequest, work

    tie_to_parent(parent)
    request = WorkRequest(
        run=RunFolder(run),
        token=token,
        task=task,
        policy=Policy(max_attempts=max_attempts, partitions=partitions),
        endpoint=parse_address(sim),
        maps=maps,
        lease_s=lease_s,
        warning_s=warning_s,
    )
    return EXIT_COMPLETE if work(request) else EXIT_ERROR


@click.command("drive-unit", hidden=True)
@click.option("--unit", type=click.Path(path_type=Path), required=True)
@click.option("--result", type=click.Path(path_type=Path), required=True)
@click.option("--host", required=True)
@click.option("--port", type=int, required=True)
@click.option("--traffic-manager-port", type=int, required=True)
@click.option("--label", default="embedded")
@click.option("--progress-fd", type=int)
@click.option("--lock-fd", type=int)
@click.option("--record", type=click.Path(path_type=Path))
@click.option("--parent", type=int)
def drive_unit_command(
    unit: Path,
    result: Path,
    host: str,
    port: int,
    traffic_manager_port: int,
    label: str,
    progress_fd: int | None,
    lock_fd: int | None,
    record: Path | None,
    parent: int | None,
) -> None:
    """Drive one unit and publish its result; the job entry point."""
    from harness.stages.drive_unit import Endpoint, drive_unit

    tie_to_parent(parent)
    endpoint = Endpoint(host=host, port=port, traffic_manager_port=traffic_manager_port, label=label)
    if lock_fd is not None:
        # Held for the worker that claimed the unit; what an agent starts must not hold it as well.
        os.set_inheritable(lock_fd, False)
    let_agents_import_from_here()
    try:
        drive_unit(unit, result, endpoint, progress_fd, record)
    except SimError as error:
        click.echo(f"error: {' '.join(error.message.split())}", err=True)
        sys.exit(EXIT_SIMULATOR)
    # The client's threads may outlive the interpreter's patience; the result is published, nothing is left to do.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_COMPLETE)


@click.command("check-agent", hidden=True)
@click.argument("agent")
@click.option("--parent", type=int)
def check_agent_command(agent: str, parent: int | None) -> None:
    """Load an agent and say what is wrong with it, if anything is."""
    from harness.drive.agents import load_agent

    tie_to_parent(parent)
    let_agents_import_from_here()
    load_agent(agent)
