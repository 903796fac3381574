"""The routes below a folder: read, named, selected.

Names. A unit is known by scenario folder, town, repetition and `Unit.route`, which is ``<stem>_route<idx>``: the stem
of its file, with what file names should not hold replaced by ``_``, and the position of the route in the file. LEAD's
own set has 547 stems twice, and where the scenario is the same too, one route overwrites the other. So the stem alone
is enough only for a file that lies in the folder itself. All others get the first digits of the hash of their path
below the folder behind the stem: ``12_3fa9c1d2_route0`` for ``Accident/12.xml``. So do stems that had to be changed,
and stems that already end like this. A name thus follows from the path alone: files that are added, removed or not
selected change no name, and a drive that is done stays done.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datatypes.route import Route
from harness.drive.playable import scenario_label, scenario_types
from harness.errors import RouteError
from harness.routes import read_routes
from harness.suites import NotRunnable

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SUFFIX_DIGITS = 8
_SUFFIX = re.compile(rf"_[0-9a-f]{{{_SUFFIX_DIGITS}}}\Z")
_LISTED_AT_MOST = 20


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which routes of a folder to take.

    Attributes:
        only_types: scenario types to take, ``noScenarios`` for routes without any; all if empty.
        without_types: scenario types not to take; a route is left out if one of its scenarios is of such a type.
        most_per_type: routes per scenario type; 0 for no limit.
        shuffle_seed: order of the routes, and so which ones a limit leaves; None for the order of their paths.
        repetitions: drives of each route.
        first_repetition: number of the first of them.
    """

    only_types: tuple[str, ...] = ()
    without_types: tuple[str, ...] = ()
    most_per_type: int = 0
    shuffle_seed: int | None = None
    repetitions: int = 1
    first_repetition: int = 0


@dataclass(frozen=True, kw_only=True)
class FoundRoute:
    """A route below a folder.

    Attributes:
        path: of its file below the folder, with ``/``.
        position: in the file, from 0.
    """

    path: str
    position: int
    route: Route

    @property
    def identity(self) -> str:
        """What the route is called whatever else is in the folder."""
        return f"{self.path}#{self.route.route_id}"

    @property
    def label(self) -> str:
        """Folder of a dataset that it belongs to."""
        return scenario_label(self.route)

    @property
    def shown(self) -> str:
        """What to call it in a message."""
        return self.path if self.position == 0 else f"{self.path} route {self.route.route_id}"


def find_routes(folder: Path) -> tuple[list[FoundRoute], list[NotRunnable]]:
    """Return every route below a folder, or of one file, ordered by path; and what cannot be read as routes.

    Raises:
        RouteError: there is no route file, or the folder cannot be searched.
    """
    try:
        is_file = folder.is_file()
        files = [folder] if is_file else sorted(file for file in folder.rglob("*.xml") if file.is_file())
    except OSError as error:
        raise RouteError(f"cannot search {folder}: {error.strerror or error}", hint=f"ls -ld {folder}") from error
    if not files:
        raise RouteError(f"no route file in {folder}, expected *.xml at any depth", hint=f"ls {folder}")
    base = folder.parent if is_file else folder
    found: list[FoundRoute] = []
    refused: list[NotRunnable] = []
    for file in files:
        path = file.relative_to(base).as_posix()
        try:
            routes = read_routes(file)
        except RouteError as error:
            refused.append(NotRunnable(path, error.message))
            continue
        found += [FoundRoute(path=path, position=number, route=route) for number, route in enumerate(routes)]
    return found, refused


def unit_name(path: str, position: int) -> str:
    """Return `Unit.route`, see the module's docstring.

    Args:
        path: of the file below the folder, with ``/``.
        position: of the route in the file.
    """
    stem = Path(path).stem
    if path == f"{stem}.xml" and SAFE_NAME.fullmatch(stem) and not _SUFFIX.search(stem):
        return f"{stem}_route{position}"
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
    digits = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:_SUFFIX_DIGITS]
    return f"{safe if SAFE_NAME.fullmatch(safe) else f'_{safe}'}_{digits}_route{position}"


def select(found: Sequence[FoundRoute], selection: Selection) -> list[FoundRoute]:
    """Return the selected routes in their order.

    Raises:
        RouteError: a wanted scenario type that no route has.
    """
    only, without = set(selection.only_types), set(selection.without_types)
    known = {kind for item in found for kind in (item.label, *scenario_types(item.route))}
    if only - known:
        raise RouteError(
            f"no route has scenario type {', '.join(sorted(only - known))} (there are {abbreviated(sorted(known))})",
            hint="leave the list of types out to take all",
        )
    wanted = [
        item
        for item in found
        if (not only or item.label in only) and not without & {item.label, *scenario_types(item.route)}
    ]
    if selection.shuffle_seed is not None:
        # By hash and not by shuffling, so that more routes do not change the order of the others.
        wanted.sort(key=lambda item: hashlib.sha256(f"{selection.shuffle_seed}/{item.identity}".encode()).digest())
    if not selection.most_per_type:
        return wanted
    taken: Counter[str] = Counter()
    kept = []
    for item in wanted:
        taken[item.label] += 1
        if taken[item.label] <= selection.most_per_type:
            kept.append(item)
    return kept


def abbreviated(names: Sequence[str]) -> str:
    """Return the first names of a list, as text."""
    shown = ", ".join(names[:_LISTED_AT_MOST])
    return f"{shown}, ..." if len(names) > _LISTED_AT_MOST else shown or "none"
