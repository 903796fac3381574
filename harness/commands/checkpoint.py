"""harness checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import EXIT_COMPLETE


@click.command("checkpoint")
@click.argument("events", type=click.Path(path_type=Path), metavar="EVENTS.json")
@click.option(
    "--rules",
    type=click.Choice(("lb20", "lb21", "bench2drive", "fail2drive")),
    default="lb20",
    show_default=True,
    help="Whose evaluator to be.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="New file to write; else stdout.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def checkpoint_command(events: Path, rules: str, output: Path | None, force: bool) -> int:
    """Write the result file that an official evaluator leaves behind after the events in EVENTS.json.

    The file of events is described in docs/events.md.
    """
    from harness.metrics.rules import RuleVersion
    from harness.stages.checkpoint import write_checkpoint

    text = write_checkpoint(events, RuleVersion(rules), output, is_forced=force)
    if output is None:
        click.echo(text)
    else:
        click.echo(f"wrote {output}; next: harness score {output} --bench NAME", err=True)
    return EXIT_COMPLETE
