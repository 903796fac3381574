"""Routes of official suites come from git or a folder, and only if they are the expected ones."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import harness.stages.fetch_routes as stage
from harness.errors import HarnessError, RouteError
from harness.stages.fetch_routes import fetch_routes, route_sum
from harness.suite_manifest import Published, SuiteFacts
from harness.suites import Suite, SuiteRoute, load_suite, resolve_routes

ROUTE = """<route id="{id}" town="Town01"><!-- first --><waypoints>
 <position x="{id}.0" y="2.0" z="0.0"/><position z="0.0" x="9.0" y="2.0"></position></waypoints></route>"""


def text_of(*ids: str) -> str:
    return f"<routes>\n{''.join(ROUTE.format(id=name) for name in ids)}\n</routes>"


@pytest.fixture
def suite() -> Suite:
    """Return a suite of two routes, which its publisher has in one file."""
    elements = {name: ElementTree.fromstring(ROUTE.format(id=name)) for name in ("3", "7")}
    return Suite(
        name="demo",
        title="Demo",
        rule_version="lb20",
        set_version="1",
        source="data",
        folder="routes/demo",
        seeds=(1,),
        traffic_seed="route",
        routes=(SuiteRoute("a_0003", "3"), SuiteRoute("b_0007", "7")),
        size=2,
        facts=SuiteFacts(origin="nowhere", licence="MIT"),
        published=Published(repository="https://example.org/demo", commit="0123456789ab", path="data/all.xml"),
        sums={"a_0003": route_sum(elements["3"]), "b_0007": route_sum(elements["7"])},
    )


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Return a bare repository whose first commit has the routes, and whose second spoils them."""
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main")
    for text in (text_of("7", "3", "8"), text_of("7")):
        (work / "data" / "all.xml").write_text(text)
        (work / "README").write_text("other files are not needed")
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message=routes")
    git(tmp_path, "clone", "--quiet", "--bare", str(work), "mirror.git")
    return tmp_path / "mirror.git"


def fetch(
    suite: Suite, cache: Path, source: Path | str | None, *, data: Path | None = None, print_only: bool = False
) -> list[str]:
    said: list[str] = []
    place = None if source is None else str(source)
    fetch_routes(suite, cache, source=place, data=data, print_only=print_only, say=said.append)
    return said


def test_routes_of_the_pinned_commit_can_be_driven(tmp_path: Path, suite: Suite, mirror: Path) -> None:
    commit = git(mirror, "rev-parse", "HEAD~1")
    assert suite.published is not None
    for digits in (40, 12):
        cache = tmp_path / f"cache{digits}"
        pinned = replace(suite, published=suite.published.model_copy(update={"commit": commit[:digits]}))
        said = fetch(pinned, cache, mirror)
        assert said[-1] == f"2 routes of demo are in {cache / 'routes' / 'demo'} (MIT)"
        routes, problems = resolve_routes(pinned, repository=tmp_path, data=None, cache=cache)
        assert ([route.route_id for route in routes], problems) == (["3", "7"], [])


def test_an_address_works_as_a_folder_does(tmp_path: Path, suite: Suite, mirror: Path) -> None:
    assert suite.published is not None
    commit = git(mirror, "rev-parse", "HEAD~1")
    pinned = replace(suite, published=suite.published.model_copy(update={"commit": commit}))
    fetch(pinned, tmp_path / "cache", f"file://{mirror}")
    assert len(resolve_routes(pinned, repository=tmp_path, data=None, cache=tmp_path / "cache")[0]) == 2


def test_a_mirror_without_the_commit_is_compared(tmp_path: Path, suite: Suite, mirror: Path) -> None:
    with pytest.raises(HarnessError, match=r"1 of 2 routes from .* are not those of demo \(1\): a_0003"):
        fetch(suite, tmp_path / "cache", mirror)
    assert not (tmp_path / "cache").exists()
    work = tmp_path / "work"
    (work / "data" / "all.xml").write_text(text_of("3", "7"))
    git(work, "commit", "--quiet", "--all", "--message=repaired")
    git(work, "push", "--quiet", str(mirror), "main")
    said = fetch(suite, tmp_path / "cache", mirror)
    assert "it has no commit 0123456789ab; the newest one is taken, and compared route by route" in said


@pytest.mark.parametrize("place", ["", "data/all.xml", "routes/demo", "routes/combined/all.xml", "all.xml"])
def test_a_folder_is_searched_where_routes_can_be(tmp_path: Path, suite: Suite, place: str) -> None:
    source = tmp_path / "source"
    target = source / place
    if place.endswith(".xml"):
        target.parent.mkdir(parents=True)
        target.write_text(text_of("3", "7"))
    else:
        target.mkdir(parents=True)
        (target / "a_0003.xml").write_text(text_of("3"))
        (target / "b_0007.xml").write_text(text_of("7"))
    fetch(suite, tmp_path / "cache", source)
    assert len(resolve_routes(suite, repository=tmp_path, data=None, cache=tmp_path / "cache")[0]) == 2


def test_a_file_with_all_routes(tmp_path: Path, suite: Suite) -> None:
    (tmp_path / "some.xml").write_text(text_of("3", "7"))
    fetch(suite, tmp_path / "cache", tmp_path / "some.xml")
    assert len(resolve_routes(suite, repository=tmp_path, data=None, cache=tmp_path / "cache")[0]) == 2


def test_what_is_there_is_not_fetched_again(tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.xml").write_text(text_of("3", "7"))
    fetch(suite, tmp_path / "cache", tmp_path / "some.xml")
    monkeypatch.setattr(stage, "_clone", lambda *arguments: pytest.fail("nothing is missing"))
    folder = tmp_path / "cache" / "routes" / "demo"
    assert fetch(suite, tmp_path / "cache", None) == [f"all 2 routes of demo are in {folder}"]
    (folder / "a_0003.xml").write_text(text_of("3").replace("9.0", "9.1"))
    (folder / "c_0009.xml").write_text("a route of a suite that shares the folder")
    fetch(suite, tmp_path / "cache", tmp_path / "some.xml")
    assert sorted(file.name for file in folder.iterdir()) == ["a_0003.xml", "b_0007.xml", "c_0009.xml"]
    assert (folder / "c_0009.xml").read_text() == "a route of a suite that shares the folder"
    assert "9.1" not in (folder / "a_0003.xml").read_text()
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["demo"]


def test_the_data_folder_is_asked_before_the_publisher(
    tmp_path: Path, suite: Suite, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    (data / "routes" / "combined").mkdir(parents=True)
    (data / "routes" / "combined" / "all.xml").write_text(text_of("3", "7"))
    said = fetch(suite, tmp_path / "cache", None, data=data, print_only=True)
    assert said[0] == f"would fetch the 2 routes of demo from {data}, data/all.xml"
    fetch(suite, tmp_path / "cache", None, data=data)
    assert len(resolve_routes(suite, repository=tmp_path, data=data, cache=tmp_path / "cache")[0]) == 2
    # It counts only if it is whole, and not at all if another place is named.
    asked: list[str] = []

    def clone(address: str, *rest: object) -> Path:
        asked.append(address)
        return tmp_path / "none"

    monkeypatch.setattr(stage, "_clone", clone)
    with pytest.raises(HarnessError, match="found no route of demo"):
        fetch(suite, tmp_path / "other", mirror, data=data)
    (data / "routes" / "combined" / "all.xml").write_text(text_of("3"))
    with pytest.raises(HarnessError, match="found no route of demo"):
        fetch(suite, tmp_path / "other", None, data=data)
    assert asked == [str(mirror), "https://example.org/demo"]


def test_print_only_writes_nothing(tmp_path: Path, suite: Suite) -> None:
    (said, where) = fetch(suite, tmp_path / "cache", None, print_only=True)
    assert said == (
        "would fetch the 2 routes of demo from https://example.org/demo at commit 0123456789ab, data/all.xml"
    )
    assert where == f"would write them to {tmp_path / 'cache' / 'routes' / 'demo'}"
    assert not (tmp_path / "cache").exists()


def test_a_suite_of_our_own_is_nowhere_to_fetch(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(RouteError, match="suite 'mini' is not published anywhere"):
        fetch(load_suite("mini", repository / "routes" / "suites"), tmp_path, None)


def test_an_address_where_nothing_is(tmp_path: Path, suite: Suite) -> None:
    with pytest.raises(HarnessError, match=r"git could not fetch from .*/absent: .*does not (appear|exist)") as caught:
        fetch(suite, tmp_path / "cache", f"file://{tmp_path}/absent")
    assert "FROM=folder" in (caught.value.hint or "")


def test_without_git(tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match="found no git"):
        fetch(suite, tmp_path / "cache", None)


def test_a_folder_without_routes(tmp_path: Path, suite: Suite) -> None:
    with pytest.raises(HarnessError, match="found no route of demo in"):
        fetch(suite, tmp_path / "cache", tmp_path)


def test_layout_does_not_matter_but_numbers_do() -> None:
    route = ElementTree.fromstring(ROUTE.format(id="3"))
    indented = ElementTree.fromstring(ElementTree.tostring(route))
    ElementTree.indent(indented)
    assert route_sum(indented) == route_sum(route)
    indented[0][0].set("x", "3.1")
    assert route_sum(indented) != route_sum(route)


@pytest.mark.parametrize(
    "name", ["bench2drive", "bench2drive_0.0.4", "bench2drive_dev10", "fail2drive", "longest6", "town13"]
)
def test_the_sums_are_those_of_the_routes_at_hand(
    tmp_path: Path, repository: Path, harness_data: Path, name: str
) -> None:
    whole = load_suite(name, repository / "routes" / "suites")
    some = replace(whole, routes=whole.routes[:: len(whole.routes) // 4 or 1])
    fetch(some, tmp_path, harness_data)
    assert len(resolve_routes(some, repository=repository, data=None, cache=tmp_path)[0]) == len(some.routes) > 3


def test_one_file_of_the_publisher_gives_the_same_routes(tmp_path: Path, repository: Path, harness_data: Path) -> None:
    whole = load_suite("bench2drive", repository / "routes" / "suites")
    some = replace(whole, routes=whole.routes[::50])
    source = harness_data / "routes" / "combined" / "bench2drive220.xml"
    assert fetch(some, tmp_path, source)[-1].startswith("220 routes of bench2drive are in ")
