"""harness status, scancel, reconcile: what was handed over and what becomes of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from harness.commands.options import OUTPUT
from harness.errors import EXIT_COMPLETE, EXIT_ERROR
from harness.render import print_cancelled, print_status

_RUN = click.option(
    "--run", type=click.Path(path_type=Path), metavar="DIR", help="Of a run or dataset.  [default: newest]"
)
_WATCH_EVERY_S = 15.0


@click.command("status")
@_RUN
@click.option("--watch", is_flag=True, help="Show it again every 15 seconds.")
@OUTPUT
def status_command(run: Path | None, watch: bool, output: str) -> int:
    """Show how a run stands: progress, failures and their reasons, jobs, nodes, time left."""
    from harness.config import OUTPUTS
    from harness.stages.cancel import chosen_runs
    from harness.stages.status import has_failed, run_status

    (chosen,) = chosen_runs(OUTPUTS, run, is_all=False)
    while True:
        status = run_status(chosen, has_failed)
        if watch and sys.stdout.isatty():
            click.clear()
        print_status(status, output)
        if not watch or status.state == "complete":
            return EXIT_COMPLETE
        time.sleep(_WATCH_EVERY_S)


@click.command("scancel")
@_RUN
@click.option("--all", "is_all", is_flag=True, help="Every run of this folder with something submitted.")
@click.option("--print-only", is_flag=True, help="Cancel nothing; print what would be cancelled.")
@OUTPUT
def scancel_command(run: Path | None, is_all: bool, print_only: bool, output: str) -> int:
    """Cancel what a run has handed over, and leave word that nothing more is to be begun."""
    from harness.config import OUTPUTS
    from harness.stages.cancel import cancel, chosen_runs

    reports = cancel(chosen_runs(OUTPUTS, run, is_all=is_all), print_only=print_only)
    print_cancelled(reports, output, print_only=print_only)
    return EXIT_COMPLETE if all(report.left == [] for report in reports) else EXIT_ERROR


@click.command("reconcile")
@click.option("--run", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Of a run or dataset.")
def reconcile_command(run: Path) -> int:
    """Do one turn on a run: look, submit what is missing, return. For cron lines and chains of jobs."""
    from harness.jobs.runs import open_run
    from harness.progress import make_reporter
    from harness.stages.reconcile_run import reconcile_run

    with make_reporter(sys.stderr) as reporter:
        turn = reconcile_run(open_run(run), reporter)
    click.echo(turn.text)
    return EXIT_ERROR if turn.campaign is not None and turn.campaign.stop else EXIT_COMPLETE
