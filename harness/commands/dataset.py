"""harness dataset check, clean-failed."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands.options import OUTPUT
from harness.errors import EXIT_COMPLETE, EXIT_ERROR
from harness.render import print_json, print_success


@click.group("dataset")
def dataset_group() -> None:
    """Look after datasets."""


@dataset_group.command("check")
@click.argument("root", type=click.Path(path_type=Path))
@OUTPUT
def check_command(root: Path, output: str) -> int:
    """Check every file of a dataset in LEAD's layout. Exits 0 if it is sound, 1 if not."""
    from harness.config import core_count
    from harness.stages.dataset import as_data, check_dataset, report_lines

    report = check_dataset(root, jobs=core_count())
    code = EXIT_ERROR if report.problems else EXIT_COMPLETE
    if output == "json":
        status = "error" if report.problems else "success"
        errors = [str(problem) for problem in report.problems]
        document = {"version": 1, "command": "dataset check", "status": status, "exit_code": code}
        print_json({**document, "data": as_data(report), "errors": errors})
        return code
    for line in report_lines(report):
        click.echo(line)
    return code


@click.command("clean-failed")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Root of the dataset.  [default: newest]")
@click.option("--confirm", is_flag=True, help="Delete what is listed.")
@OUTPUT
def clean_failed_command(run: Path | None, confirm: bool, output: str) -> int:
    """List the routes of a dataset that failed and the recordings of killed attempts; delete them with --confirm."""
    from harness.config import OUTPUTS
    from harness.jobs.runs import newest_dataset, open_run
    from harness.stages.clean_failed import delete, find_waste

    chosen = open_run(run) if run is not None else newest_dataset(OUTPUTS)
    waste = find_waste(chosen)
    if confirm:
        delete(chosen, waste)
    if output == "json":
        found = [{"folder": str(w.folder), "reason": w.reason, "is_collected_again": w.is_repeated} for w in waste]
        print_success("clean-failed", {"dataset": str(chosen.root), "found": found, "is_deleted": confirm})
        return EXIT_COMPLETE
    for each in waste:
        again = "; it will be collected again" if each.is_repeated else ""
        click.echo(f"{each.folder}: {each.reason}{again}")
    if not waste:
        click.echo(f"nothing in {chosen.root} has failed")
    elif confirm:
        click.echo(f"deleted {len(waste)} folders")
    else:
        click.echo(f"{len(waste)} folders; nothing was deleted: CONFIRM=1 deletes them")
    return EXIT_COMPLETE
