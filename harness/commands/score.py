"""harness score."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_comparison, print_envelope, print_score

_DUPLICATES = ("error", "newest", "first", "all")


@click.command("score")
@click.argument("results", nargs=-1, required=True, metavar="[NAME=]PATH...")
@click.option("--bench", required=True, metavar="SUITE", help="Benchmark whose routes are expected; see harness list.")
@click.option(
    "--on-duplicate",
    type=click.Choice(_DUPLICATES),
    default="error",
    show_default=True,
    help="Which of two results of one drive counts; all: each, as in the benchmarks' own tools.",
)
@click.option("--allow-partial", is_flag=True, help="Print means of an incomplete set too, with their divisor.")
@click.option(
    "--compare",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Results of a second agent, compared route by route; can be given several times.",
)
@click.option(
    "--output",
    type=click.Choice(("text", "json", "markdown", "csv", "latex")),
    default="text",
    show_default=True,
    help="markdown, csv and latex: one row per agent.",
)
def score_command(
    results: tuple[str, ...], bench: str, on_duplicate: str, allow_partial: bool, others: tuple[Path, ...], output: str
) -> int:
    """Score result files of any lab: files, folders or archives. NAME=PATH names an agent; several make a table.

    Prints the official number, in which a missing route counts as zero, beside the mean over the routes there are, and
    what was missing, crashed or left out. Exits 0 when every expected drive has a record, 3 when some are missing or
    could not be read.
    """
    from harness.results.result_set import OnDuplicate
    from harness.stages.score import ScoreRequest, compare, paired_data, report_data, score
    from harness.stages.score_table import FORMATS, make_table, split_agents

    choice = OnDuplicate(on_duplicate)
    agents = split_agents(results, lambda path: Path(path).exists())
    if len(agents) > 1 or output in FORMATS:
        if others:
            raise click.UsageError("--compare takes the results of one agent and prints text or json")
        table = {
            name: score(ScoreRequest(paths=tuple(map(Path, paths)), bench=bench, on_duplicate=choice))
            for name, paths in agents.items()
        }
        code = EXIT_COMPLETE if all(report.is_complete for report in table.values()) else EXIT_PARTIAL
        if output == "json":
            data = {"agents": {name: report_data(report) for name, report in table.items()}}
            print_envelope("score", data, code)
        else:
            shown = make_table(table, allow_partial=allow_partial)
            click.echo(FORMATS.get(output, FORMATS["markdown"])(shown), nl=False)
        return code
    paths = tuple(Path(path) for of_agent in agents.values() for path in of_agent)
    reports = [score(ScoreRequest(paths=given, bench=bench, on_duplicate=choice)) for given in (paths, others) if given]
    is_complete = all(report.is_complete for report in reports)
    code = EXIT_COMPLETE if is_complete else EXIT_PARTIAL
    comparison = compare(reports[0], reports[1]) if others else None
    if output == "json":
        data = report_data(reports[0])
        if comparison is not None:
            data |= {"second": report_data(reports[1]), "comparison": paired_data(comparison)}
        print_envelope("score", data, code)
        return code
    for report in reports:
        print_score(report, with_means=report.is_complete or allow_partial)
    if comparison is not None:
        print_comparison(comparison)
    return code
