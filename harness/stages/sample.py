"""Sample routes in a town."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.datatypes.route import Route
from harness.errors import RouteError
from harness.routes import read_routes, write_routes
from harness.stages.simulate import read_opendrive
from harness.suites import find_town, list_towns


def sample(
    *,
    town: str,
    count: int,
    seed: int,
    length_range_m: tuple[float, float],
    avoid: Sequence[Path],
    folders: Sequence[Path],
) -> list[Route]:
    """Return routes that cover the junctions of a town.

    Args:
        avoid: route files, or folders with some, whose starts and goals are kept clear of.
        folders: where the town is looked for.

    Raises:
        RouteError: the town is unknown, or it has no room for so many routes.
    """
    from harness.drive.route_sampler import sample_routes

    taken = [route for path in avoid for route in _routes_in(path)]
    carla_map = load_map(town, folders)
    return sample_routes(carla_map, town=town, count=count, seed=seed, length_range_m=length_range_m, avoid=taken)


def load_map(town: str, folders: Sequence[Path]) -> Any:
    """Return the carla.Map of a town from the first folder that has it.

    Raises:
        RouteError: none has.
        SimError: the file is no OpenDRIVE road network.
    """
    from harness.sim.world.opendrive import parse_map

    file = find_town(town, folders)
    if file is None:
        raise RouteError(
            f"town {town!r} not found (has {', '.join(list_towns(folders)) or 'none'})",
            hint="harness routes sample --maps DIR",
        )
    return parse_map(town, read_opendrive(file))


def _routes_in(path: Path) -> list[Route]:
    files = sorted(path.glob("*.xml")) if path.is_dir() else [path]
    return [route for file in files for route in read_routes(file)]


def write_one_per_file(
    routes: Sequence[Route], folder: Path, *, replaces: bool = False, appends: bool = False
) -> list[Path]:
    """Write each route to a file of its own, 01.xml with the id 1 and so on.

    Args:
        replaces: route files that are there already make way.
        appends: they stay, and the numbers go on after theirs.

    Raises:
        RouteError: the folder holds route files and they may neither be replaced nor stay; or the number that comes
            next cannot be told from their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = sorted(entry for entry in folder.glob("*.xml") if entry.is_file())
    if present and not (replaces or appends):
        raise RouteError(
            f"{folder} holds {len(present)} route files, expected an empty folder",
            hint="--append adds to them, --force replaces them",
        )
    first = _last_number(present) + 1 if appends else 1
    width = 2 if appends else max(2, len(str(len(routes))))
    files = [folder / f"{number:0{width}d}.xml" for number in range(first, first + len(routes))]
    for number, (route, file) in enumerate(zip(routes, files, strict=True), start=first):
        write_routes([replace(route, route_id=str(number))], file)
    # Only now: what was there stays until what replaces it is there.
    for old in present:
        if replaces and old not in files:
            old.unlink()
    return files


def _last_number(present: Sequence[Path]) -> int:
    others = [file.name for file in present if not file.stem.isdecimal()]
    if others:
        raise RouteError(f"{others[0]} is no number, so no number follows it", hint="choose another folder")
    return max((int(file.stem) for file in present), default=0)
