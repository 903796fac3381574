"""harness eval, list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.options import MAPS, OUTPUT, launch_options, numbers, set_up_logging, words
from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_catalogue, print_json, print_preview, print_scoreboard

if TYPE_CHECKING:
    from harness.stages.launch import LaunchOptions


@click.command("eval")
@click.option("--bench", default="mini", show_default=True, metavar="SUITE", help="Suite of routes; see harness list.")
@click.option("--only", callback=words, metavar="ROUTES", help="Only these routes: file stems or ids, with commas.")
@click.option("--seeds", callback=numbers, metavar="SEEDS", help="Seeds, with commas.  [default: the suite's own]")
@click.option(
    "--agent",
    default="expert",
    show_default=True,
    metavar="AGENT",
    help="expert, constant or path/to/file.py:ClassName.",
)
@click.option("--config", default="", metavar="TEXT", help="Passed to the agent's setup, usually a path.")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Continue the run in this folder.")
@click.option("--new", "is_new", is_flag=True, help="Start a new run even if one could be continued.")
@click.option("--print-only", is_flag=True, help="Write nothing; print what would be done.")
@click.option("--sim", default="embedded", show_default=True, metavar="SIM", help="embedded, or host:port of a server.")
@click.option("--verbose", is_flag=True, help="Say more about what is going on.")
@MAPS
@launch_options
@OUTPUT
def eval_command(
    bench: str,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    agent: str,
    config: str,
    run: Path | None,
    is_new: bool,
    print_only: bool,
    sim: str,
    verbose: bool,
    maps: tuple[Path, ...],
    options: LaunchOptions,
    output: str,
) -> int:
    """Evaluate an agent on a suite and print the scoreboard.

    Continues the newest incomplete run of the same configuration, if there is one. Exits 0 when every drive has a
    result, 3 when some are missing, 1 after an error, 2 if the command line makes no sense.
    """
    from harness.stages.evaluate import EvaluateRequest, envelope, evaluate, preview

    set_up_logging(verbose)
    if run is not None and is_new:
        raise click.UsageError("--run cannot be combined with --new; RUN names the run to continue")
    request = EvaluateRequest(
        bench=bench,
        only=only,
        seeds=seeds,
        agent=agent,
        agent_config=config,
        run=run,
        is_new=is_new,
        sim=sim,
        maps=maps,
        options=options,
    )
    if print_only:
        print_preview(preview(request), output)
        return EXIT_COMPLETE
    from harness.progress import make_reporter

    with make_reporter(sys.stderr) as reporter:
        result = evaluate(request, reporter)
    if output == "json":
        print_json(envelope(result.board))
    else:
        print_scoreboard(result)
    return EXIT_COMPLETE if result.board.is_complete else EXIT_PARTIAL


@click.command("list")
@OUTPUT
def list_command(output: str) -> None:
    """Show suites, towns, agents and runs."""
    from harness.config import OUTPUTS
    from harness.stages.catalogue import catalogue

    print_catalogue(catalogue(OUTPUTS), output)
