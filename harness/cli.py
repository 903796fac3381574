"""The command line: options in, one stage called, its result handed to `render`. Nothing else happens here.

stdout carries the answer, stderr progress and logs. Exit codes: 0 complete, 3 partial, 1 error, 2 usage.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import re
import sys
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from harness import __version__
from harness.config import ensure_home, is_verbose
from harness.errors import EXIT_COMPLETE, EXIT_ERROR, EXIT_PARTIAL, EXIT_USAGE, HarnessError
from harness.render import print_catalogue, print_json, print_preview, print_scoreboard

_OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print the answer."
)
_MAPS = click.option(
    "--maps",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with more towns (.xodr, .xodr.gz); may be given more than once.",
)


def main() -> None:
    """Run the command line and exit; errors the user can act on are one line without a traceback."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    wants_json = "--output=json" in sys.argv or ("--output", "json") in pairwise(sys.argv)
    try:
        ensure_home()
        code = cli.main(prog_name="harness", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else EXIT_COMPLETE)
    except HarnessError as error:
        _fail(command, error.message, error.hint, error.exit_code, as_json=wants_json)
    except click.exceptions.NoArgsIsHelpError as error:
        # `harness` alone: the whole help, not a line that squeezes it.
        click.echo(error.format_message(), err=True)
        sys.exit(EXIT_USAGE)
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx is not None else "harness --help"
        text = error.format_message()
        _fail(command, text[:1].lower() + text[1:].rstrip("."), hint, EXIT_USAGE, as_json=wants_json)
    except (click.Abort, KeyboardInterrupt):
        _fail(command, "interrupted", None, EXIT_ERROR, as_json=wants_json)
    except OSError as error:
        _fail(command, *_explain(error), EXIT_ERROR, as_json=wants_json)
    except Exception as error:
        # A defect of ours, or a case that nobody thought of. What a job says goes to its log, which wants all of it.
        if is_verbose() or "--verbose" in sys.argv or "--parent" in sys.argv:
            traceback.print_exc()
        text = f"unexpected {type(error).__name__}: {error}"
        hint = "the same command with HARNESS_VERBOSE=1 or --verbose, and report it"
        _fail(command, text, hint, EXIT_ERROR, as_json=wants_json)


def _explain(error: OSError) -> tuple[str, str]:
    """Return what the system refused, and a hint."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"cannot use {error.filename}: {reason}", "df -h . and ls -ld show room and rights"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"cannot write: {reason}", "df -h ."
    return f"the system refused a call: {reason}", "the same command with HARNESS_VERBOSE=1"


def _fail(command: str, message: str, hint: str | None, code: int, *, as_json: bool) -> None:
    one_line = " ".join(message.split())
    if as_json:
        print_json(
            {"version": 1, "command": command, "status": "error", "exit_code": code, "data": None, "errors": [one_line]}
        )
    click.echo(f"error: {one_line}" + (f" (try: {hint})" if hint else ""), err=True)
    sys.exit(code)


class _Commands(click.Group):
    """Commands that end with one line, not two, when the user interrupts them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Evaluate driving policies in CARLA, with or without a GPU."""


# --- eval ------------------------------------------------------------------------------------------------------------


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    words = _words(context, parameter, value)
    if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words):
        raise click.BadParameter(f"found {_short(value)}, expected numbers separated by commas, e.g. 1,2,3")
    return tuple(int(word) for word in words)


def _words(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    words = tuple(word.strip() for word in value.split(",") if word.strip())
    if not words:
        raise click.BadParameter(f"found {_short(value)}, expected one at least; leave the option out for all")
    return words


def _short(value: str | None) -> str:
    text = value or ""
    return repr(text if len(text) <= 60 else text[:60] + "...")


@cli.command("eval")
@click.option("--bench", default="mini", show_default=True, metavar="SUITE", help="Suite of routes; see harness list.")
@click.option("--only", callback=_words, metavar="ROUTES", help="Only these routes: file stems or ids, with commas.")
@click.option("--seeds", callback=_numbers, metavar="SEEDS", help="Seeds, with commas.  [default: the suite's own]")
@click.option(
    "--agent",
    default="expert",
    show_default=True,
    metavar="AGENT",
    help="expert, constant or path/to/file.py:ClassName.",
)
@click.option("--config", default="", metavar="TEXT", help="Passed to the agent's setup, usually a path.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Drives side by side.  [default: the cores]")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Continue the run in this folder.")
@click.option("--new", "is_new", is_flag=True, help="Start a new run even if one could be continued.")
@click.option("--print-only", is_flag=True, help="Write nothing; print what would be done.")
@click.option("--sim", default="embedded", show_default=True, metavar="SIM", help="embedded, or host:port of a server.")
@click.option("--verbose", is_flag=True, help="Say more about what is going on.")
@_MAPS
@_OUTPUT
def eval_command(
    bench: str,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    agent: str,
    config: str,
    jobs: int | None,
    run: Path | None,
    is_new: bool,
    print_only: bool,
    sim: str,
    verbose: bool,
    maps: tuple[Path, ...],
    output: str,
) -> int:
    """Evaluate an agent on a suite and print the scoreboard.

    Continues the newest incomplete run of the same configuration, if there is one. Exits 0 when every drive has a
    result, 3 when some are missing, 1 after an error, 2 if the command line makes no sense.
    """
    from harness.config import core_count
    from harness.stages.evaluate import EvaluateRequest, envelope, evaluate, preview

    _set_up_logging(verbose)
    if run is not None and is_new:
        raise click.UsageError("--run cannot be combined with --new; RUN names the run to continue")
    request = EvaluateRequest(
        bench=bench,
        only=only,
        seeds=seeds,
        agent=agent,
        agent_config=config,
        jobs=jobs or core_count(),
        run=run,
        is_new=is_new,
        sim=sim,
        maps=maps,
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


# --- simulator -------------------------------------------------------------------------------------------------------


def _host(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter(f"found {value!r}, expected an address, e.g. 127.0.0.1 or 0.0.0.0")
    return value


@cli.command("simulator")
@click.option("--port", type=click.IntRange(1024, 65534), default=2000, show_default=True, help="Port of the calls.")
@click.option("--host", callback=_host, default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--town", default="Borough01", show_default=True, help="Town to begin with.")
@click.option("--reset-between-clients", is_flag=True, help="Start anew when the last client has left.")
@click.option("--parent", type=int, hidden=True)
@click.option("--verbose", is_flag=True, help="Say more about what is going on.")
@_MAPS
def simulator_command(
    port: int,
    host: str,
    town: str,
    reset_between_clients: bool,
    parent: int | None,
    verbose: bool,
    maps: tuple[Path, ...],
) -> None:
    """Serve a town to any program that uses the carla client (0.9.16).

    Streams use the next port. Like the real server it keeps settings and actors when clients leave, unless told
    otherwise.
    """
    from harness.config import town_folders

    _set_up_logging(verbose)
    _tie_to_parent(parent)
    from harness.stages.simulate import serve

    serve(
        host=host,
        port=port,
        town=town,
        folders=town_folders(maps),
        resets_between_clients=reset_between_clients,
        on_ready=lambda text: click.echo(text, err=True),
    )


# --- routes, towns, list ---------------------------------------------------------------------------------------------


@cli.group("routes")
def routes_group() -> None:
    """Make routes."""


def _metres(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"found {value}, expected a finite number of metres")
    return value


_METRES = click.FloatRange(min=30.0)


@routes_group.command("sample")
@click.option("--town", default="Borough01", show_default=True, help="Town to lay routes in.")
@click.option("--count", type=click.IntRange(1, 10_000), default=8, show_default=True, help="How many routes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which routes.")
@click.option("--min-length", type=_METRES, callback=_metres, default=100.0, show_default=True, help="Metres.")
@click.option("--max-length", type=_METRES, callback=_metres, default=600.0, show_default=True, help="Metres.")
@click.option(
    "--avoid",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Route file or folder whose starts and goals are kept clear of.",
)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Folder for one file per route.")
@click.option("--force", is_flag=True, help="Replace the route files in that folder.")
@_MAPS
def sample_command(
    town: str,
    count: int,
    seed: int,
    min_length: float,
    max_length: float,
    avoid: tuple[Path, ...],
    into: Path | None,
    force: bool,
    maps: tuple[Path, ...],
) -> None:
    """Sample routes that cover the junctions and turns of a town; prints XML unless --into is given."""
    from harness.config import town_folders
    from harness.routes import render_routes
    from harness.stages.sample import sample, write_one_per_file

    if min_length > max_length:
        raise click.UsageError(f"--min-length {min_length:g} exceeds --max-length {max_length:g}")
    routes = sample(
        town=town,
        count=count,
        seed=seed,
        length_range_m=(min_length, max_length),
        avoid=avoid,
        folders=town_folders(maps),
    )
    if into is None:
        click.echo(render_routes(routes), nl=False)
        return
    files = write_one_per_file(routes, into, replaces=force)
    click.echo(f"{len(files)} routes in {into}, {files[0].name} to {files[-1].name}")


@cli.group("towns")
def towns_group() -> None:
    """Make towns."""


@towns_group.command("build")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Folder.  [default: routes/towns]")
def build_towns_command(into: Path | None) -> None:
    """Build the repository's own towns from their program."""
    from harness.config import OWN_TOWNS_DIR
    from harness.towns import build_towns

    folder = into or OWN_TOWNS_DIR
    folder.mkdir(parents=True, exist_ok=True)
    for file in build_towns(folder):
        click.echo(f"{file} ({file.stat().st_size} bytes)")


@cli.command("list")
@_OUTPUT
def list_command(output: str) -> None:
    """Show suites, towns, agents and runs."""
    from harness.config import OUTPUTS
    from harness.stages.catalogue import catalogue

    print_catalogue(catalogue(OUTPUTS), output)


# --- what jobs call --------------------------------------------------------------------------------------------------


@cli.command("drive-unit", hidden=True)
@click.option("--unit", type=click.Path(path_type=Path), required=True)
@click.option("--result", type=click.Path(path_type=Path), required=True)
@click.option("--host", required=True)
@click.option("--port", type=int, required=True)
@click.option("--traffic-manager-port", type=int, required=True)
@click.option("--label", default="embedded")
@click.option("--progress-fd", type=int)
@click.option("--parent", type=int)
def drive_unit_command(
    unit: Path,
    result: Path,
    host: str,
    port: int,
    traffic_manager_port: int,
    label: str,
    progress_fd: int | None,
    parent: int | None,
) -> None:
    """Drive one unit and publish its result; the job entry point."""
    from harness.stages.drive_unit import Endpoint, drive_unit

    _tie_to_parent(parent)
    endpoint = Endpoint(host=host, port=port, traffic_manager_port=traffic_manager_port, label=label)
    drive_unit(unit, result, endpoint, progress_fd)
    # The client's threads may outlive the interpreter's patience; the result is published, nothing is left to do.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_COMPLETE)


@cli.command("check-agent", hidden=True)
@click.argument("agent")
@click.option("--parent", type=int)
def check_agent_command(agent: str, parent: int | None) -> None:
    """Load an agent and say what is wrong with it, if anything is."""
    from harness.drive.agents import load_agent

    _tie_to_parent(parent)
    load_agent(agent)


def _tie_to_parent(parent: int | None) -> None:
    if parent is not None:
        from harness.jobs.processes import die_with_parent

        die_with_parent(parent)


def _set_up_logging(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
