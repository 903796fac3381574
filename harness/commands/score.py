"""harness score."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands.options import OUTPUT
from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_envelope, print_score

_DUPLICATES = ("error", "newest", "first", "all")


@click.command("score")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--bench", required=True, metavar="SUITE", help="Benchmark whose routes are expected; see harness list.")
@click.option(
    "--on-duplicate",
    type=click.Choice(_DUPLICATES),
    default="error",
    show_default=True,
    help="Which of two results of one drive counts; all: each, as in the benchmarks' own tools.",
)
@click.option("--allow-partial", is_flag=True, help="Print means of an incomplete set too, with their divisor.")
@OUTPUT
def score_command(paths: tuple[Path, ...], bench: str, on_duplicate: str, allow_partial: bool, output: str) -> int:
    """Score result files of any lab: files, folders or archives.

    Prints the official number, in which a missing route counts as zero, beside the mean over the routes there are, and
    what was missing, crashed or left out. Exits 0 when every expected drive has a record, 3 when some are missing or
    could not be read.
    """
    from harness.results.result_set import OnDuplicate
    from harness.stages.score import ScoreRequest, report_data, score

    report = score(ScoreRequest(paths=paths, bench=bench, on_duplicate=OnDuplicate(on_duplicate)))
    code = EXIT_COMPLETE if report.is_complete else EXIT_PARTIAL
    if output == "json":
        print_envelope("score", report_data(report), code)
    else:
        print_score(report, with_means=report.is_complete or allow_partial)
    return code
