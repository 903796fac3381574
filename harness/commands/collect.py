"""harness collect, dataset, clean-failed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.options import MAPS, OUTPUT, launch_options, words
from harness.errors import EXIT_COMPLETE, EXIT_PARTIAL
from harness.render import print_collection, print_collection_preview

if TYPE_CHECKING:
    from harness.stages.launch import LaunchOptions


@click.command("collect")
@click.option("--dataset", default="carla_leaderboard2", show_default=True, metavar="NAME", help="Folder below --root.")
@click.option("--routes", type=click.Path(path_type=Path), metavar="DIR", help="Route files.  [default: routes/train]")
@click.option("--root", type=click.Path(path_type=Path), default="data", show_default=True, help="Where datasets are.")
@click.option("--repetitions", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Of each route.")
@click.option("--repetition-start", type=click.IntRange(0, 10_000), default=0, show_default=True, help="First number.")
@click.option("--only-types", callback=words, metavar="TYPES", help="Only these scenario types.")
@click.option("--without-types", callback=words, metavar="TYPES", help="Not these scenario types.")
@click.option("--max-per-type", type=click.IntRange(min=1), metavar="N", help="At most so many routes of each type.")
@click.option(
    "--seed", type=click.IntRange(0, 99_999), default=0, show_default=True, help="Which ones, in what traffic."
)
@click.option("--print-only", is_flag=True, help="Write nothing; print what would be done.")
@MAPS
@launch_options
@OUTPUT
def collect_command(
    dataset: str,
    routes: Path | None,
    root: Path,
    repetitions: int,
    repetition_start: int,
    only_types: tuple[str, ...],
    without_types: tuple[str, ...],
    max_per_type: int | None,
    seed: int,
    print_only: bool,
    maps: tuple[Path, ...],
    options: LaunchOptions,
    output: str,
) -> int:
    """Collect a dataset in LEAD's layout: the expert drives, every fourth of a second is recorded.

    The same command continues. Exits 0 when every route has a result, 3 when some are missing, 1 after an error.
    """
    from harness.stages.collect import CollectRequest, collect, preview_collection
    from harness.stages.plan_collect import Selection

    defaults = CollectRequest()
    request = CollectRequest(
        dataset=dataset,
        routes=routes or defaults.routes,
        root=root,
        seed=seed,
        selection=Selection(
            only_types=only_types,
            without_types=without_types,
            most_per_type=max_per_type or 0,
            shuffle_seed=seed if max_per_type else None,
            repetitions=repetitions,
            first_repetition=repetition_start,
        ),
        maps=maps,
        options=options,
    )
    if print_only:
        print_collection_preview(preview_collection(request), output)
        return EXIT_COMPLETE
    from harness.progress import make_reporter

    with make_reporter(sys.stderr) as reporter:
        result = collect(request, reporter)
    print_collection(result, output)
    return EXIT_COMPLETE if result.done == result.total else EXIT_PARTIAL
