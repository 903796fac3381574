"""How answers look on stdout: a JSON document, or text for people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from harness.stages.campaign import CampaignResult
    from harness.stages.cancel import CancelReport
    from harness.stages.collect import CollectPreview, CollectResult
    from harness.stages.evaluate import EvaluateResult, Preview
    from harness.stages.launch import Launch
    from harness.stages.navsim import NavsimReport
    from harness.stages.score import ScoreReport
    from harness.stages.score_compare import Comparison
    from harness.stages.status import Status
    from harness.stages.submissions import Planned

_RIGHT_ALIGNED = frozenset({"seed", "RC", "penalty", "DS", "not played", "wall s", "sim/wall"})
# A log has no width to respect; broken lines would only be harder to read and to grep.
_LOG_COLUMNS = 200


def _console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_LOG_COLUMNS)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document; NaN and infinity raise ValueError."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_success(command: str, data: dict[str, Any]) -> None:
    """Print the document of a command that did all it was asked for."""
    print_envelope(command, data, 0)


def print_envelope(command: str, data: dict[str, Any], exit_code: int) -> None:
    """Print the document of a command whose answer may be partial."""
    status = "success" if exit_code == 0 else "partial"
    document = {"version": 1, "command": command, "status": status, "exit_code": exit_code, "data": data, "errors": []}
    print_json(document)


def print_scores(reports: Mapping[str, ScoreReport], comparison: Comparison | None, *, allow_partial: bool) -> None:
    """Print what result files are worth: one agent in full, several as a table."""
    from harness.stages.score_files import text_of

    click.echo(text_of(reports, comparison, allow_partial=allow_partial, width=_console().width), nl=False)


def print_navsim(report: NavsimReport, *, with_means: bool) -> None:
    """Print what files of NAVSIM are worth; ``with_means`` as for `print_score`."""
    from harness.stages.navsim_text import navsim_lines

    for line in navsim_lines(report, with_means=with_means):
        click.echo(line)


def print_preview(shown: Preview, output: str) -> None:
    """Print what an evaluation would do; ``output`` is text or json."""
    units = [unit.as_dict() for unit in shown.missing]
    problems = {problem.route_name: problem.reason for problem in shown.plan.not_runnable}
    run = str(shown.run.folder) if shown.run else None
    if output == "json":
        data = {
            "run": run,
            "config": shown.plan.config,
            "units": units,
            "not_runnable": problems,
            **submissions_data(shown.planned),
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
    print_submissions(shown.planned, shown.changes)


def submissions_data(planned: Sequence[Planned]) -> dict[str, Any]:
    """Return the calls that would be made, JSON ready."""
    return {
        "submissions": [
            {"command": list(call.command), "script": call.text, "tasks": [list(t) for t in call.submission.tasks]}
            for call in planned
        ]
    }


def print_submissions(planned: Sequence[Planned], changes: Sequence[str]) -> None:
    """Print the scripts and the exact command lines, and what is different from the last submission."""
    for call in planned:
        tasks = call.submission.tasks
        units = sum(map(len, tasks))
        click.echo(f"{len(tasks)} task{'s' if len(tasks) > 1 else ''} with {units} unit{'s' if units > 1 else ''}:")
        if call.text:
            click.echo(f"--- {call.script}")
            click.echo(call.text.rstrip("\n"))
            click.echo("---")
        click.echo(shlex.join(call.command))
    if changes:
        click.echo("different from the last submission:")
        for line in changes:
            click.echo(f"  {line}")


def print_scoreboard(result: EvaluateResult) -> None:
    """Print the table, the means below it, where the files are and what to type next."""
    from rich.table import Table

    from harness.stages.scoreboard import HEADINGS, mean_lines, title

    board = result.board
    console = _console()
    table = Table(title=title(board), title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in _RIGHT_ALIGNED else "left")
    for row in board.rows:
        table.add_row(*row.cells())
    console.print(table)
    for line in mean_lines(board):
        click.echo(line)
    print_overhead(result.overhead)
    click.echo(f"scoreboard: {result.run / 'scoreboard.md'} and scoreboard.json; link: outputs/evaluation/latest")
    if board.is_complete:
        click.echo("next: make eval SEEDS=1,2,3, or make eval AGENT=path/to/file.py:ClassName for an agent of your own")
    else:
        found, expected = board.summary.found, board.summary.expected
        click.echo(unfinished_text(result.campaign, result.launch, found, expected, "drives have a result"))


def print_overhead(overhead: float | None) -> None:
    """Print how much of the tasks' time was not driving."""
    if overhead is not None:
        click.echo(f"overhead: {overhead:.1%} of the tasks' time was not driving (start-up, loading, waiting)")


def unfinished_text(campaign: CampaignResult, launch: Launch, found: int, expected: int, what: str) -> str:
    """Return the last line of a command that leaves something undone: the state and what to type."""
    if campaign.stop:
        return f"stopped: {campaign.stop}; {found} of {expected} {what}"
    if campaign.is_cancelled:
        return f"cancelled: {found} of {expected} {what}; the same command begins again"
    if launch.is_detached:
        return f"detached: {found} of {expected} {what}; make status shows the rest, make scancel ends it"
    state = "interrupted" if campaign.is_interrupted else "incomplete"
    if campaign.is_interrupted and launch.backend == "slurm":
        rest = "the jobs go on, the same command watches them, make scancel ends them"
        return f"{state}: {found} of {expected} {what}; {rest}"
    return f"{state}: {found} of {expected} {what}; the same command continues"


def print_collection_preview(shown: CollectPreview, output: str) -> None:
    """Print what a collection would do; ``output`` is text or json."""
    from harness.stages.collect import refusal_text

    if output == "json":
        data = {
            "dataset": str(shown.root),
            "config": shown.plan.config,
            "units": [unit.as_dict() for unit in shown.missing],
            "refused": [refusal_text(refusal) for refusal in shown.plan.refused],
            **submissions_data(shown.planned),
        }
        print_success("collect", data)
        return
    click.echo(f"would collect {len(shown.missing)} of {len(shown.plan.units)} drives into {shown.root}")
    for key, value in shown.plan.config.items():
        click.echo(f"  {key} = {value!r}")
    for refusal in shown.plan.refused:
        click.echo(f"  {refusal_text(refusal)}")
    click.echo("units:")
    for unit in shown.missing:
        click.echo(
            f"  {unit.scenario}/{unit.town} {unit.route} rep {unit.repetition}, traffic seed {unit.traffic_seed}"
        )
    print_submissions(shown.planned, shown.changes)


def print_collection(result: CollectResult, output: str) -> None:
    """Print how a collection ended; ``output`` is text or json."""
    is_complete = result.done == result.total
    if output == "json":
        print_json(
            {
                "version": 1,
                "command": "collect",
                "status": "success" if is_complete else "partial",
                "exit_code": 0 if is_complete else 3,
                "data": {"dataset": str(result.root), "expected": result.total, "found": result.done},
                "errors": [verdict.reason for verdict in result.campaign.given_up.values()],
            }
        )
        return
    click.echo(f"{result.done} of {result.total} drives are collected in {result.root}/data")
    print_overhead(result.overhead)
    if is_complete:
        click.echo(f"next: harness dataset check {result.root}")
    else:
        text = unfinished_text(result.campaign, result.launch, result.done, result.total, "drives are collected")
        click.echo(f"{text}; make status RUN={result.root} says why")


def print_status(status: Status, output: str) -> None:
    """Print how a run stands; ``output`` is text or json."""
    from dataclasses import asdict

    from rich.table import Table

    if output == "json":
        print_success("status", {**asdict(status), "run": str(status.run)})
        return
    whole = status.whole
    click.echo(f"{status.verb} {status.run}: {status.state}")
    left = f", about {duration_text(status.eta_s)} left" if status.eta_s is not None else ""
    click.echo(
        f"{whole.done} of {whole.total} done, {whole.running} running, {whole.failed} of the results failed, "
        f"{whole.given_up} given up{left}"
    )
    console = _console()
    for title, groups in (("scenario type", status.by_scenario), ("town", status.by_town)):
        if groups:
            table = Table()
            for heading in (title, "done", "of", "running", "failed", "given up", "failure rate", ""):
                table.add_column(heading, justify="left" if heading in (title, "") else "right")
            for group in groups:
                share = group.failure_share
                counts = (group.done, group.total, group.running, group.failed, group.given_up)
                rate = "-" if share is None else f"{share:.0%}"
                table.add_row(group.name, *map(str, counts), rate, group.remark)
            console.print(table)
    if status.attempts:
        tries = (f"{units} with {n} attempt{'s' if n > 1 else ''}" for n, units in status.attempts.items())
        click.echo(f"units: {', '.join(tries)}")
        click.echo("how they ended: " + ", ".join(f"{count} {name}" for name, count in status.outcomes.items()))
    if status.jobs is None:
        click.echo("jobs: Slurm does not answer")
    elif status.jobs:
        click.echo("jobs: " + ", ".join(f"{count} {name}" for name, count in status.jobs.items()))
    for node in status.nodes:
        click.echo(f"node {node['node']}: {node['summary']}")
    for trouble in status.troubles:
        click.echo(f"{trouble.count} x {trouble.outcome} in {trouble.units} units: {trouble.reason}")
        if trouble.evidence:
            click.echo(f"    {trouble.evidence}")
        click.echo(f"    {trouble.example}")


def duration_text(seconds: float) -> str:
    """Return a time span for people."""
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def print_cancelled(reports: Sequence[CancelReport], output: str, *, print_only: bool) -> None:
    """Print what was cancelled; ``output`` is text or json."""
    from dataclasses import asdict

    if output == "json":
        print_success("scancel", {"runs": [{**asdict(report), "run": str(report.run)} for report in reports]})
        return
    if not reports:
        click.echo("nothing is submitted")
    for report in reports:
        what = f"{len(report.jobs)} submissions" if report.jobs else "no job"
        process = f" and process {report.controller}" if report.controller else ""
        if print_only:
            click.echo(f"would cancel {what}{process} of {report.run}")
            continue
        click.echo(f"cancelled {what}{process} of {report.run}; the same command as before begins again")
        if report.left is None:
            click.echo("Slurm does not answer: type make scancel again")
        elif report.left:
            click.echo(f"still there: {' '.join(report.left)}: type make scancel again")


def print_catalogue(found: dict[str, Any], output: str) -> None:
    """Print what `harness.stages.catalogue.catalogue` found; ``output`` is text or json."""
    if output == "json":
        print_success("list", found)
        return
    click.echo("suites (routes found / expected, rules)")
    width = max(len(suite["name"]) for suite in found["suites"])
    for suite in found["suites"]:
        found_of = f"{suite['found']:>3} / {suite['routes']:<3}"
        click.echo(f"  {suite['name']:<{width}}  {found_of}  {suite['rule_version']:<12} {suite['title']}")
    click.echo(f"towns\n  {' '.join(found['towns'])}")
    click.echo(f"agents\n  {'  '.join(found['agents'])}")
    if found["datasets"]:
        click.echo("datasets")
        for dataset in found["datasets"]:
            click.echo(f"  {dataset['dataset']}  {dataset['state']}")
    click.echo("runs, newest first" if found["runs"] else "runs\n  none yet; make eval makes one")
    for run in found["runs"]:
        click.echo(f"  {run['run']}  {run['state']}")
