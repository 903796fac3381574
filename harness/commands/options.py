"""Options and values that several commands share."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print the answer."
)
MAPS = click.option(
    "--maps",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with more towns (.xodr, .xodr.gz); may be given more than once.",
)


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read numbers separated by commas."""
    found = words(context, parameter, value)
    if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in found):
        raise click.BadParameter(f"found {short(value)}, expected numbers separated by commas, e.g. 1,2,3")
    return tuple(int(word) for word in found)


def words(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read words separated by commas."""
    if value is None:
        return ()
    found = tuple(word.strip() for word in value.split(",") if word.strip())
    if not found:
        raise click.BadParameter(f"found {short(value)}, expected one at least; leave the option out for all")
    return found


def short(value: str | None) -> str:
    """Return a value as an error message quotes it."""
    text = value or ""
    return repr(text if len(text) <= 60 else text[:60] + "...")


_LAUNCH = (
    click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Tasks side by side.  [default: the cores]"),
    click.option(
        "--backend", type=click.Choice(["local", "slurm"]), help="Where to run.  [default: slurm if --partition]"
    ),
    click.option("--partition", callback=words, metavar="NAMES", help="Slurm partitions, the next one after failures."),
    click.option("--gpu", type=click.IntRange(0, 64), metavar="N", help="GPUs per task.  [default: 0]"),
    click.option("--cpu", type=click.IntRange(1, 1024), metavar="N", help="Cores per task.  [default: 2]"),
    click.option("--timeout", metavar="TIME", help="Time limit of a task: seconds, 4h, 1-00:00:00.  [default: 14400]"),
    click.option("--template", type=click.Path(path_type=Path), metavar="FILE", help="Your own batch script template."),
    click.option("--account", default="", metavar="NAME", help="Slurm account; see harness.toml."),
    click.option("--qos", default="", metavar="NAME", help="Slurm quality of service."),
    click.option("--mem", default="", metavar="SIZE", help="Memory per task, as Slurm takes it, e.g. 16G."),
    click.option("--constraint", default="", metavar="TEXT", help="Features of the nodes."),
    click.option(
        "--detach", "is_detached", is_flag=True, help="Submit, and let a chain of small jobs see to the rest."
    ),
)
_LAUNCH_NAMES = {"jobs", "backend", "gpu", "cpu", "timeout", "template", "account", "qos", "mem", "constraint"}


def launch_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options about where and how to run; the command gets them as one `options`."""

    @functools.wraps(command)
    def with_options(**values: Any) -> int:
        from harness.stages.launch import LaunchOptions

        given = {name: values.pop(name) for name in _LAUNCH_NAMES}
        options = LaunchOptions(
            partitions=values.pop("partition"),
            is_detached=values.pop("is_detached"),
            **{name: value for name, value in given.items() if value is not None},
        )
        return command(options=options, **values)

    for option in reversed(_LAUNCH):
        with_options = option(with_options)
    return with_options


def tie_to_parent(parent: int | None) -> None:
    """End this process with the one that started it, if that one asked for it."""
    if parent is not None:
        from harness.jobs.processes import die_with_parent

        die_with_parent(parent)


def let_agents_import_from_here() -> None:
    """Let an agent's file import what lies in the working folder, behind everything that is installed."""
    sys.path.append(str(Path.cwd()))


def set_up_logging(verbose: bool) -> None:
    """Let warnings, or more, go to stderr."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
