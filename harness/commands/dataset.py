"""harness dataset check, clean-failed."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands.options import OUTPUT
from harness.errors import EXIT_COMPLETE, EXIT_ERROR, EXIT_PARTIAL
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
    from harness.stages.collect import missing_units
    from harness.stages.dataset import as_data, check_dataset, report_lines

    report = check_dataset(root, jobs=core_count())
    missing = missing_units(root)
    code = EXIT_ERROR if report.problems else EXIT_PARTIAL if missing else EXIT_COMPLETE
    if output == "json":
        status = "error" if report.problems else "partial" if missing else "success"
        errors = [str(problem) for problem in report.problems]
        document = {"version": 1, "command": "dataset check", "status": status, "exit_code": code}
        print_json({**document, "data": as_data(report), "errors": errors})
        return code
    for line in report_lines(report):
        click.echo(line)
    if missing:
        click.echo(f"{missing} planned drives are not collected yet: the same make collect goes on")
    return code


@click.command("clean-failed")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Root of the dataset.  [default: newest]")
@click.option("--confirm", is_flag=True, help="Delete what is found.")
@click.option("--print-only", is_flag=True, help="Delete nothing, even with --confirm.")
@OUTPUT
def clean_failed_command(run: Path | None, confirm: bool, print_only: bool, output: str) -> int:
    """List the routes of a dataset that failed and the recordings of killed attempts; delete them with --confirm."""
    from harness.config import OUTPUTS
    from harness.jobs.runs import newest_dataset, open_run
    from harness.stages.clean_failed import Deletion, delete_waste, find_waste

    chosen = open_run(run) if run is not None else newest_dataset(OUTPUTS)
    is_deleted = confirm and not print_only
    done = delete_waste(chosen) if is_deleted else Deletion()
    waste = done.deleted if is_deleted else find_waste(chosen)
    if output == "json":
        found = [{"folder": str(w.folder), "reason": w.reason, "is_collected_again": w.is_repeated} for w in waste]
        held = [str(each.folder) for each in done.held]
        data = {"dataset": str(chosen.root), "found": found, "is_deleted": is_deleted, "held": held}
        print_success("clean-failed", data)
        return EXIT_COMPLETE
    for each in waste:
        again = "; it will be collected again" if each.is_repeated else ""
        click.echo(f"{each.folder}: {each.reason}{again}")
    for each in done.held:
        click.echo(f"{each.folder}: {each.reason}; not deleted, since somebody works on this route now")
    if is_deleted and (waste or done.held):
        click.echo(f"deleted {len(waste)} folders")
    elif waste:
        how = "CONFIRM=1 without PRINT_ONLY" if print_only else "CONFIRM=1"
        click.echo(f"{len(waste)} folders; nothing was deleted: {how} deletes them")
    else:
        click.echo(f"nothing in {chosen.root} has failed")
    return EXIT_COMPLETE
