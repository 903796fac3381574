"""Fetch the routes of an official suite from where its publisher has them.

The suite's manifest pins the place and, for each route, a sum over what the XML says. So it does not matter whether
routes come from the publisher, a mirror or a folder: what is not exactly the expected route is refused. Suites may
share a folder (Bench2Drive's Dev10 is ten routes of its 220).
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import HarnessError, RouteError
from harness.routes import parse_routes
from harness.suite_manifest import Published, abbreviated
from harness.suites import Suite

#: Hexadecimal digits of a sum that a manifest holds.
SUM_DIGITS = 16
_GIT_LIMIT_S = 600.0
_HINT = "make routes BENCH=name FROM=folder takes them from files"

Say = Callable[[str], None]


def fetch_routes(
    suite: Suite, cache: Path, *, source: str | None, data: Path | None = None, print_only: bool, say: Say
) -> None:
    """Put the routes of a suite into the cache, one file each, unless they are there.

    Args:
        source: folder, file with all routes, or git address to take them from instead of the publisher's.
        data: the folder that HARNESS_DATA names: without ``source``, it is asked before the publisher.
        print_only: write nothing, say what would be done.
        say: gets one line per step.

    Raises:
        RouteError: the suite is no published one.
        HarnessError: the routes cannot be had, or are not those of the suite; the cache is as it was.
    """
    published = suite.published
    if published is None:
        raise RouteError(
            f"suite {suite.name!r} is not published anywhere: {suite.folder} comes with this repository",
            hint="make list shows the suites",
        )
    folder = cache / suite.folder
    if not _wrong_routes(suite, _files_in(folder)):
        say(f"all {suite.size} routes of {suite.name} are in {folder}")
        return
    if source is None and data is not None and _has_all(suite, published, data):
        source = str(data)
    place = source or published.repository
    if print_only:
        at = f" at commit {published.commit}" if _local(place) is None else ""
        say(f"would fetch the {suite.size} routes of {suite.name} from {place}{at}, {published.path}")
        say(f"would write them to {folder}")
        return
    with tempfile.TemporaryDirectory(prefix="carla-harness-") as scratch:
        files = _find(suite, published, _local(place) or _clone(place, published, Path(scratch), say))
        if wrong := _wrong_routes(suite, files):
            raise HarnessError(
                f"{len(wrong)} of {suite.size} routes from {place} are not those of {suite.name} "
                f"({suite.set_version}): {abbreviated(wrong)}",
                hint=f"make routes BENCH={suite.name} takes them from the publisher"
                if source
                else f"make routes BENCH={suite.name} FROM=folder takes them from files",
            )
        _publish(suite, files, folder)
    say(f"{suite.size} routes of {suite.name} are in {folder} ({suite.facts.licence})")


def route_sum(route: ElementTree.Element) -> str:
    """Return a sum over what a ``<route>`` says, whatever its layout: the order of attributes, blanks, comments."""
    text = ElementTree.canonicalize(ElementTree.tostring(route, encoding="unicode"), strip_text=True)
    return hashlib.sha256(text.encode()).hexdigest()[:SUM_DIGITS]


# --- where they come from --------------------------------------------------------------------------------------------


def _local(place: str) -> Path | None:
    """Return the folder or file that a text names; None for a git repository, which a folder can be as well."""
    path = Path(place).expanduser()
    if "://" in place or not path.exists() or (path / "HEAD").is_file():
        return None
    return path


def _clone(address: str, published: Published, scratch: Path, say: Say) -> Path:
    """Check the published path out of a git repository, at the pinned commit if the repository has it."""
    say(f"fetching {published.path} from {address}")
    clone = scratch / "clone"
    _git("clone", "--quiet", "--no-checkout", "--filter=blob:none", "--", address, str(clone), address=address)
    commit = f"{published.commit}^{{commit}}"
    has_commit = _git("-C", str(clone), "cat-file", "-e", commit, address=address, may_fail=True)
    if not has_commit:
        say(f"it has no commit {published.commit}; the newest one is taken, and compared route by route")
    pinned = published.commit if has_commit else "HEAD"
    _git("-C", str(clone), "checkout", "--quiet", pinned, "--", published.path, address=address)
    return clone


def _git(*words: str, address: str, may_fail: bool = False) -> bool:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=_GIT_LIMIT_S,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise HarnessError("found no git, which fetches routes", hint=_HINT) from None
    except subprocess.TimeoutExpired:
        raise HarnessError(f"git did not end within {_GIT_LIMIT_S:.0f} s for {address}", hint=_HINT) from None
    if done.returncode and not may_fail:
        reasons = re.findall(r"^(?:fatal|error): (.+)", done.stderr, re.MULTILINE) or ["no reason given"]
        raise HarnessError(f"git could not fetch from {address}: {reasons[0]}", hint=_HINT)
    return done.returncode == 0


def _find(suite: Suite, published: Published, folder: Path) -> dict[str, bytes]:
    """Return file stem -> content, from the first place in a folder that has routes of the suite, or from a file."""
    if folder.is_file():
        return _split(suite, folder)
    name = Path(published.path).name
    combined = folder / "routes" / "combined" / name
    for place in (folder / published.path, folder / suite.folder, combined, folder / name, folder):
        if place.is_file():
            return _split(suite, place)
        if found := _files_in(place):
            wanted = {route.stem for route in suite.routes}
            if wanted & found.keys():
                return found
    raise HarnessError(f"found no route of {suite.name} in {folder}, expected {published.path} in it", hint=_HINT)


def _has_all(suite: Suite, published: Published, folder: Path) -> bool:
    try:
        return not _wrong_routes(suite, _find(suite, published, folder))
    except HarnessError:
        return False


def _split(suite: Suite, file: Path) -> dict[str, bytes]:
    """Return the routes of one file that holds many, each as the content of a file of its own."""
    stems = {route.route_id: route.stem for route in suite.routes}
    routes = _elements(file.read_bytes(), file)
    return {stems[key]: _document(element) for key, element in routes.items() if key in stems}


def _document(route: ElementTree.Element) -> bytes:
    route.tail = "\n"
    return b"<routes>\n" + ElementTree.tostring(route) + b"</routes>\n"


def _files_in(folder: Path) -> dict[str, bytes]:
    return {file.stem: file.read_bytes() for file in sorted(folder.glob("*.xml")) if file.is_file()}


# --- what is done with them ------------------------------------------------------------------------------------------


def _elements(data: bytes, file: Path) -> dict[str, ElementTree.Element]:
    parse_routes(data, file)  # refuses what an XML parser should not see
    return {element.get("id", ""): element for element in ElementTree.fromstring(data).iter("route")}


def _wrong_routes(suite: Suite, files: Mapping[str, bytes]) -> list[str]:
    """Return the stems of the routes that are missing or say something else than the published ones."""
    wrong = []
    for route in suite.routes:
        try:
            elements = _elements(files[route.stem], Path(f"{route.stem}.xml"))
            found = {key: route_sum(element) for key, element in elements.items()}
        except (KeyError, RouteError):
            found = {}
        if found != {route.route_id: suite.sums.get(route.stem)}:
            wrong.append(route.stem)
    return wrong


def _publish(suite: Suite, files: Mapping[str, bytes], folder: Path) -> None:
    """Put the files where the suite is looked for, all of them or none; other files that lie there stay."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch, old = (folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.{what}") for what in ("new", "old"))
    try:
        scratch.mkdir()
        contents = _files_in(folder) | {route.stem: files[route.stem] for route in suite.routes}
        for stem, content in contents.items():
            (scratch / f"{stem}.xml").write_bytes(content)
        if folder.exists():
            folder.rename(old)
        try:
            scratch.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
