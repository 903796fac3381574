"""harness score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_envelope, print_scores

_DUPLICATES = ("error", "newest", "first", "all")


@click.command("score")
@click.argument("results", nargs=-1, metavar="[NAME=]PATH...")
@click.option(
    "--bench",
    default="",
    metavar="SUITE",
    help="Benchmark whose routes are expected, see harness list; runs of our own say it themselves.",
)
@click.option(
    "--seeds",
    default="",
    metavar="LIST",
    help="Seeds that are expected, such as 1,2,3; default: those that have a record or that a run was to drive.",
)
@click.option(
    "--rules",
    type=click.Choice(("lb20", "lb21", "bench2drive", "fail2drive")),
    help="Rules by which the files were made, if not those of the benchmark.",
)
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
    "compared",
    nargs=2,
    metavar="A B",
    help="Compare B with A route by route; each is the NAME of an agent or a path.",
)
@click.option(
    "--success",
    type=click.Choice(("b2d", "f2d", "perfect")),
    help="What counts as a success; default: what the benchmark says, else perfect.",
)
@click.option(
    "--junctions",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Columns xml_id, percent: route completion behind the first junction, for Bench2Drive's abilities.",
)
@click.option(
    "--output",
    type=click.Choice(("text", "json", "markdown", "csv", "latex", "html")),
    default="text",
    show_default=True,
    help="markdown, csv and latex: one row per agent; html: a page with everything.",
)
@click.option(
    "--save",
    metavar="FOLDER",
    help="Write scores.txt, .json, .md, .csv, .tex and .html there, too.",
)
def score_command(
    results: tuple[str, ...],
    bench: str,
    seeds: str,
    rules: str | None,
    on_duplicate: str,
    allow_partial: bool,
    compared: tuple[str, str] | None,
    success: str | None,
    junctions: Path | None,
    output: str,
    save: str | None,
) -> int:
    """Score result files of any lab: files, folders or archives. NAME=PATH names an agent; several make a table.

    Prints the official number, in which a missing route counts as zero, beside the mean over the routes there are, and
    what was missing, crashed or left out. Exits 0 when every expected drive has a record, 3 when some are missing or
    could not be read.
    """
    from harness.metrics.rules import RuleVersion
    from harness.metrics.success import SuccessRule
    from harness.results.result_set import OnDuplicate
    from harness.stages.score import ScoreRequest, score
    from harness.stages.score_compare import compare
    from harness.stages.score_data import document
    from harness.stages.score_files import rendered, save_all

    if "" in (*results, *(compared or ()), save) or any(result.endswith("=") for result in results):
        raise click.UsageError("found an empty path, expected one; is a variable not set?")
    agents, pair = _agents(results, compared)
    if pair and output in ("csv", "latex"):
        raise click.UsageError(f"--compare with --output {output}: expected text, json, markdown or html")
    reports = {
        name: score(
            ScoreRequest(
                paths=tuple(map(Path, paths)),
                bench=bench,
                seeds=_seeds(seeds),
                rules=None if rules is None else RuleVersion(rules),
                on_duplicate=OnDuplicate(on_duplicate),
                success=None if success is None else SuccessRule(success),
                junctions=junctions,
            )
        )
        for name, paths in agents.items()
    }
    code = EXIT_COMPLETE if all(report.is_complete for report in reports.values()) else EXIT_PARTIAL
    comparison = compare(reports, *pair) if pair else None
    saved: list[Path] = []
    if save is not None:
        # First, so that a full disk is told before anything else is.
        saved = save_all(Path(save), reports, comparison, allow_partial=allow_partial)
    if output == "json":
        print_envelope("score", document(reports, comparison, allow_partial=allow_partial), code)
    elif output == "text":
        print_scores(reports, comparison, allow_partial=allow_partial)
    else:
        click.echo(rendered(output, reports, comparison, allow_partial=allow_partial), nl=False)
    if saved:
        click.echo(f"saved: {', '.join(map(str, saved))}", err=True)
    return code


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.UsageError(f"--seeds {text!r}: expected numbers with commas, such as 1,2,3") from None


def _agents(
    results: tuple[str, ...], compared: tuple[str, str] | None
) -> tuple[Mapping[str, list[str]], tuple[str, str] | None]:
    """Return the paths of each agent by name, and the names of the two that are compared."""
    from harness.stages.score_table import split_agents

    agents = split_agents(results, lambda path: Path(path).exists())
    pair: list[str] = []
    for wanted in compared or ():
        if wanted in agents:
            pair.append(wanted)
            continue
        if not Path(wanted).exists():
            known = ", ".join(agents) or "no agent"
            raise click.UsageError(f"--compare {wanted}: found no such path and {known}, expected a path or a NAME")
        (name,) = split_agents([wanted], lambda _: True)
        name = name if name not in agents else wanted
        agents[name] = [wanted]
        pair.append(name)
    if not agents:
        raise click.UsageError("found no results, expected [NAME=]PATH... or --compare A B")
    return agents, (pair[0], pair[1]) if pair else None
