"""harness navsim."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_envelope, print_navsim


@click.command("navsim")
@click.argument("results", nargs=-1, required=True, metavar="[NAME=]PATH...")
@click.option(
    "--allow-partial", is_flag=True, help="Print means though the agent failed on tokens or a file may be cut."
)
@click.option(
    "--output",
    type=click.Choice(("text", "json", "markdown", "csv", "latex")),
    default="text",
    show_default=True,
    help="markdown, csv and latex: one row per agent.",
)
def navsim_command(results: tuple[str, ...], allow_partial: bool, output: str) -> int:
    """Score the CSV files that NAVSIM's run_pdm_score.py writes: files, folders or archives.

    The columns tell whether it is the PDM score of version 1 or the extended one of version 2. Every token's score is
    worked out anew from its sub-scores and compared with the file's own. NAME=PATH names an agent; several make a
    table. Exits 0 when the set is complete, 3 when the agent failed on a token or a file has no averages at its end.
    """
    from harness.stages.navsim import check_comparable, navsim_data, score_navsim
    from harness.stages.navsim_text import navsim_table
    from harness.stages.score_table import FORMATS, split_agents

    agents = split_agents(results, lambda path: Path(path).exists())
    reports = {name: score_navsim([Path(path) for path in paths]) for name, paths in agents.items()}
    code = EXIT_COMPLETE if all(report.is_complete for report in reports.values()) else EXIT_PARTIAL
    check_comparable(reports)
    if output == "json":
        data = {
            name: navsim_data(report, with_means=report.is_complete or allow_partial)
            for name, report in reports.items()
        }
        print_envelope("navsim", {"agents": data} if len(data) > 1 else next(iter(data.values())), code)
    elif len(reports) > 1 or output in FORMATS:
        table = navsim_table(reports, allow_partial=allow_partial)
        click.echo(FORMATS.get(output, FORMATS["markdown"])(table), nl=False)
    else:
        for report in reports.values():
            print_navsim(report, with_means=report.is_complete or allow_partial)
    return code
