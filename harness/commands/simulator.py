"""The simulator, and what it serves: towns and routes."""

from __future__ import annotations

import math
from pathlib import Path

import click

from harness.commands.options import MAPS, set_up_logging, tie_to_parent


def _host(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter(f"found {value!r}, expected an address, e.g. 127.0.0.1 or 0.0.0.0")
    return value


@click.command("simulator")
@click.option("--port", type=click.IntRange(1024, 65534), default=2000, show_default=True, help="Port of the calls.")
@click.option("--stream-port", type=click.IntRange(1024, 65535), help="Port of the streams.  [default: the next one]")
@click.option(
    "--host",
    callback=_host,
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines in.",
)
@click.option("--town", default="Borough01", show_default=True, help="Town to begin with; make list shows all.")
@click.option(
    "--stream-wait",
    type=click.FloatRange(0.1, 3600.0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a synchronous tick waits for a client that does not read its sensors, which is then cut off.",
)
@click.option("--reset-between-clients", is_flag=True, help="Start anew when the last client has left.")
@click.option("--parent", type=int, metavar="PID", help="End with the process PID, which must have started this one.")
@click.option("--verbose", is_flag=True, help="Say more about what is going on.")
@MAPS
def simulator_command(
    port: int,
    stream_port: int | None,
    host: str,
    town: str,
    stream_wait: float,
    reset_between_clients: bool,
    parent: int | None,
    verbose: bool,
    maps: tuple[Path, ...],
) -> None:
    """Serve a town to any program that uses the carla client (0.9.16).

    Like the real server it keeps settings and actors when clients leave, unless told otherwise; docs/simulator.md
    states limits and differences. In asynchronous mode the world runs in real time, in synchronous mode clients tick.
    """
    from harness.config import town_folders

    set_up_logging(verbose)
    tie_to_parent(parent)
    from harness.stages.simulate import serve

    serve(
        host=host,
        port=port,
        stream_port=stream_port,
        stream_wait_s=stream_wait,
        town=town,
        folders=town_folders(maps),
        resets_between_clients=reset_between_clients,
        on_ready=lambda text: click.echo(text, err=True),
    )


@click.group("routes")
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
@click.option("--append", is_flag=True, help="Keep the route files in that folder and go on after their numbers.")
@MAPS
def sample_command(
    town: str,
    count: int,
    seed: int,
    min_length: float,
    max_length: float,
    avoid: tuple[Path, ...],
    into: Path | None,
    force: bool,
    append: bool,
    maps: tuple[Path, ...],
) -> None:
    """Sample routes that cover the junctions and turns of a town; prints XML unless --into is given."""
    from harness.config import town_folders
    from harness.routes import render_routes
    from harness.stages.sample import sample, write_one_per_file

    if min_length > max_length:
        raise click.UsageError(f"--min-length {min_length:g} exceeds --max-length {max_length:g}")
    if force and append:
        raise click.UsageError("--force replaces what --append keeps, expected one of them")
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
    files = write_one_per_file(routes, into, replaces=force, appends=append)
    click.echo(f"{len(files)} routes in {into}, {files[0].name} to {files[-1].name}")


@routes_group.command("fetch")
@click.option("--bench", required=True, metavar="NAME", help="Suite; make list shows all.")
@click.option("--from", "source", metavar="PLACE", help="Folder, file or git address instead of the publisher's.")
@click.option("--print-only", is_flag=True, help="Write nothing; print what would be done.")
def fetch_routes_command(bench: str, source: str | None, print_only: bool) -> None:
    """Fetch the routes of an official suite into the cache: from HARNESS_DATA or its publisher's repository."""
    from harness.config import SUITES_DIR, cache_folder, data_folder
    from harness.stages.fetch_routes import fetch_routes
    from harness.suites import load_suite

    suite = load_suite(bench, SUITES_DIR)
    fetch_routes(suite, cache_folder(), source=source, data=data_folder(), print_only=print_only, say=click.echo)


@routes_group.command("tabulate")
@click.option("--bench", metavar="NAME", help="Suite; make list shows all.  [default: every suite]")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Folder.  [default: routes/suites]")
@MAPS
def tabulate_routes_command(bench: str | None, into: Path | None, maps: tuple[Path, ...]) -> None:
    """Write the tables of routes that scores are made with; needs the routes, and for Bench2Drive the towns."""
    from harness.config import SUITES_DIR, cache_folder, data_folder, town_folders
    from harness.stages.tabulate_routes import tabulate, write_table
    from harness.suites import list_suites, load_suite

    folder = into or SUITES_DIR
    folder.mkdir(parents=True, exist_ok=True)
    for name in [bench] if bench else list_suites(SUITES_DIR):
        suite = load_suite(name, SUITES_DIR)
        facts = tabulate(suite, data=data_folder(), cache=cache_folder(), towns=town_folders(maps))
        click.echo(f"{write_table(suite, facts, folder)} ({len(facts)} routes)")


@click.group("towns")
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


@towns_group.command("fetch")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="Wheel, or folder with towns, instead of the package index.",
)
@click.option("--print-only", is_flag=True, help="Write nothing; print what would be done.")
def fetch_towns_command(source: Path | None, print_only: bool) -> None:
    """Fetch the twelve towns of CARLA into the cache and make them ready for the simulator."""
    from harness.config import cache_folder
    from harness.stages.fetch_towns import fetch_towns

    set_up_logging(verbose=False)
    fetch_towns(cache_folder(), source=source, print_only=print_only, say=click.echo)
