"""How answers look on stdout: a JSON document, or text for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.stages.evaluate import EvaluateResult, Preview

_RIGHT_ALIGNED = frozenset({"seed", "RC", "penalty", "DS", "not played", "wall s", "sim/wall"})
# A log has no width to respect; broken lines would only be harder to read and to grep.
_LOG_COLUMNS = 200


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document; NaN and infinity raise ValueError."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_success(command: str, data: dict[str, Any]) -> None:
    """Print the document of a command that did all it was asked for."""
    print_json({"version": 1, "command": command, "status": "success", "exit_code": 0, "data": data, "errors": []})


def print_preview(shown: Preview, output: str) -> None:
    """Print what an evaluation would do; ``output`` is text or json."""
    units = [unit.as_dict() for unit in shown.missing]
    problems = {problem.route_name: problem.reason for problem in shown.plan.not_runnable}
    run = str(shown.run) if shown.run else None
    if output == "json":
        data = {
            "run": run,
            "config": shown.plan.config,
            "units": units,
            "not_runnable": problems,
            "commands": shown.commands,
        }
        print_success("eval", data)
        return
    click.echo(f"would {'continue ' + run if run else 'start a new run'}: {len(units)} drives")
    for key, value in shown.plan.config.items():
        click.echo(f"  {key} = {value!r}")
    click.echo("units:")
    for unit in shown.missing:
        click.echo(f"  {unit.suite}/{unit.route} seed {unit.seed} in {unit.town}, traffic seed {unit.traffic_seed}")
    for name, reason in problems.items():
        click.echo(f"  {name} cannot be driven: {reason}")
    click.echo("each worker runs:")
    for command in shown.commands:
        click.echo("  " + " ".join(command))


def print_scoreboard(result: EvaluateResult) -> None:
    """Print the table, the means below it, where the files are and what to type next."""
    from rich.console import Console
    from rich.table import Table

    from harness.stages.scoreboard import HEADINGS, mean_lines, title

    board = result.board
    console = Console()
    if not console.is_terminal:
        console = Console(width=_LOG_COLUMNS)
    table = Table(title=title(board), title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in _RIGHT_ALIGNED else "left")
    for row in board.rows:
        table.add_row(*row.cells())
    console.print(table)
    for line in mean_lines(board):
        click.echo(line)
    click.echo(f"scoreboard: {result.run / 'scoreboard.md'} and scoreboard.json; link: outputs/evaluation/latest")
    if board.is_complete:
        click.echo("next: make eval SEEDS=1,2,3, or make eval AGENT=path/to/file.py:ClassName for an agent of your own")
    else:
        state = "interrupted" if result.is_interrupted else "incomplete"
        found, expected = board.summary.found, board.summary.expected
        click.echo(f"{state}: {found} of {expected} drives have a result; the same command continues")


def print_catalogue(found: dict[str, Any], output: str) -> None:
    """Print what `harness.stages.catalogue.catalogue` found; ``output`` is text or json."""
    if output == "json":
        print_success("list", found)
        return
    click.echo("suites (routes found / expected, rules)")
    for suite in found["suites"]:
        found_of = f"{suite['found']:>3} / {suite['routes']:<3}"
        click.echo(f"  {suite['name']:<12} {found_of}  {suite['rule_version']:<12} {suite['title']}")
    click.echo(f"towns\n  {' '.join(found['towns'])}")
    click.echo(f"agents\n  {'  '.join(found['agents'])}")
    click.echo("runs, newest first" if found["runs"] else "runs\n  none yet; make eval makes one")
    for run in found["runs"]:
        click.echo(f"  {run['run']}  {run['state']}")
