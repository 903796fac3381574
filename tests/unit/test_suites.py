"""Suites: manifests, names of routes, files that are there or not, towns, traffic seeds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.route import Point, Route
from harness.errors import RouteError
from harness.routes import write_routes
from harness.stages.fetch_routes import fetch_routes
from harness.suite_manifest import SuiteFacts
from harness.suites import (
    NotRunnable,
    Suite,
    SuiteRoute,
    find_town,
    list_suites,
    list_towns,
    load_suite,
    resolve_routes,
    select,
    split_by_town,
    traffic_seed,
)

MANIFEST = """\
name = "demo"
title = "Demo"
rule_version = "lb20"
set_version = "1"
seeds = [1, 2]
traffic_seed = "route"

[routes]
source = "data"
folder = "routes/demo"

[facts]
origin = "nowhere"
licence = "MIT"

[expected]
00 = "0"
left = "17"
"""
POINTS = (Point(0.0, 0.0, 0.0), Point(9.0, 0.0, 0.0))


def suite_of(*routes: tuple[str, str], rule: str = "route", source: str = "data") -> Suite:
    return Suite(
        name="demo",
        title="Demo",
        rule_version="lb20",
        set_version="1",
        source=source,  # type: ignore[arg-type]
        folder="routes/demo",
        seeds=(1,),
        traffic_seed=rule,  # type: ignore[arg-type]
        routes=tuple(SuiteRoute(stem, route_id) for stem, route_id in routes),
        size=len(routes),
        facts=SuiteFacts(origin="nowhere", licence="MIT"),
    )


def route_of(route_id: str, town: str = "Town01", file: Path = Path("x.xml")) -> Route:
    return Route(route_id=route_id, town=town, file=file, keypoints=POINTS)


def test_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(MANIFEST)
    suite = load_suite("demo", tmp_path)
    assert suite == Suite(
        name="demo",
        title="Demo",
        rule_version="lb20",
        set_version="1",
        source="data",
        folder="routes/demo",
        seeds=(1, 2),
        traffic_seed="route",
        routes=(SuiteRoute("00", "0"), SuiteRoute("left", "17")),
        size=2,
        facts=SuiteFacts(origin="nowhere", licence="MIT"),
    )


DEFECTS = {
    "no toml": ("name = ", "", "is not TOML: "),
    "no title": ('title = "Demo"\n', "", "field title: field required"),
    "unknown key": ('title = "Demo"', 'title = "Demo"\ncolour = "red"', "field colour: found 'red', extra inputs are"),
    "unknown fact": ('licence = "MIT"', 'licence = "MIT"\nyear = 1', "field facts.year: found '1', extra inputs are"),
    "other name": ('name = "demo"', 'name = "other"', "field name: found 'other', expected 'demo'"),
    "source": ('source = "data"', 'source = "web"', "field routes.source: found 'web', input should be 'repository'"),
    "absolute": ("routes/demo", "/etc", "field routes: folder is '/etc', expected a relative path without '..'"),
    "parent": ("routes/demo", "a/../../b", "field routes: folder is 'a/../../b', expected a relative path"),
    "no seeds": ("[1, 2]", "[]", "field seeds: found '[]', list should have at least 1 item"),
    "seed text": ("[1, 2]", '[1, "2"]', "field seeds.1: found '2', input should be a valid integer"),
    "negative seed": ("[1, 2]", "[-1]", "field seeds.0: found '-1', input should be greater than or equal to 0"),
    "same seeds": ("[1, 2]", "[1, 1]", "seeds is [1, 1], expected distinct seeds"),
    "no routes": ('00 = "0"\nleft = "17"\n', "", "field expected: found '{}', dictionary should have at least 1 item"),
    "same id": ('"17"', '"0"', "expected holds id 0 more than once, expected distinct ids"),
    "path as id": ('"17"', '"../17"', "field expected.left: found '../17', string should match pattern"),
    "path as stem": ("left", '"../left"', "field expected.../left: found '../left', string should match pattern"),
    "seed rule": (
        'traffic_seed = "route"',
        'traffic_seed = "dice"',
        "field traffic_seed: found 'dice', input should be",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_malformed_manifest_is_one_line_with_file_and_field(tmp_path: Path, name: str) -> None:
    old, new, expected = DEFECTS[name]
    assert old in MANIFEST
    file = tmp_path / "demo.toml"
    file.write_text("name = " if name == "no toml" else MANIFEST.replace(old, new))
    with pytest.raises(RouteError) as caught:
        load_suite("demo", tmp_path)
    assert caught.value.message.startswith(f"suite file {file} ")
    assert expected in caught.value.message
    assert "\n" not in caught.value.message


def test_pair_rule_needs_numbers(tmp_path: Path) -> None:
    text = MANIFEST.replace('"route"', '"pair"').replace('"17"', '"x17"')
    (tmp_path / "demo.toml").write_text(text)
    with pytest.raises(RouteError, match="traffic_seed is 'pair' but some ids are no numbers, expected numbers"):
        load_suite("demo", tmp_path)


def test_manifest_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_bytes(b"\xff")
    with pytest.raises(RouteError, match=r"demo\.toml is not TOML: 'utf-8' codec"):
        load_suite("demo", tmp_path)


@pytest.mark.parametrize("name", ["bench2drove", "../demo", ""])
def test_unknown_suite_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / "demo.toml").write_text(MANIFEST)
    (tmp_path / "other.toml").write_text(MANIFEST)
    with pytest.raises(RouteError, match=r"suite '.*' not in .* \(has demo, other\)"):
        load_suite(name, tmp_path)


def test_folder_without_suites_says_none(tmp_path: Path) -> None:
    with pytest.raises(RouteError, match=r"\(has none\)"):
        load_suite("demo", tmp_path / "absent")


@pytest.mark.parametrize(
    ("only", "stems"),
    [
        ([], ["00", "01", "10", "left"]),
        (["00"], ["00"]),
        (["0"], ["00"]),
        (["000"], ["00"]),
        (["1"], ["01"]),
        (["010"], ["10"]),
        (["left"], ["left"]),
        (["17"], ["left"]),
        (["0017"], ["left"]),
        ([" 17 "], ["left"]),
        (["left", "10", "0", "00", "17"], ["00", "10", "left"]),
    ],
)
def test_route_is_named_by_stem_or_id(only: list[str], stems: list[str]) -> None:
    suite = suite_of(("00", "0"), ("01", "1"), ("10", "10"), ("left", "17"))
    chosen = select(suite, only)
    assert [route.stem for route in chosen.routes] == stems
    assert chosen.size == 4


def test_exact_name_goes_before_equal_number() -> None:
    suite = suite_of(("Base_0075", "75"), ("075", "9"))
    assert select(suite, ["75"]).routes == (SuiteRoute("Base_0075", "75"),)
    assert select(suite, ["075"]).routes == (SuiteRoute("075", "9"),)


def test_ambiguous_name_shows_both_routes() -> None:
    suite = suite_of(("1", "2"), ("2", "1"))
    with pytest.raises(RouteError, match=r"route '1' in suite 'demo' is ambiguous: 1 \(id 2\), 2 \(id 1\)"):
        select(suite, ["1"])


@pytest.mark.parametrize("name", ["9", "", "x", "-1", "0.0", "9" * 6000])
def test_unknown_name_lists_what_exists(name: str) -> None:
    with pytest.raises(RouteError, match=r"not in suite 'demo' \(has 00, left\)"):
        select(suite_of(("00", "0"), ("left", "17")), ["0", name])


def test_long_lists_are_abbreviated() -> None:
    for count, ending in ((20, "r19)"), (21, "r19, ...)")):
        suite = suite_of(*((f"r{number}", str(number)) for number in range(count)))
        with pytest.raises(RouteError) as caught:
            select(suite, ["absent"])
        assert caught.value.message.endswith(ending)


def test_routes_that_cannot_be_read_come_back_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "routes" / "demo"
    folder.mkdir(parents=True)
    write_routes([route_of("0")], folder / "good.xml")
    write_routes([route_of("5")], folder / "other_id.xml")
    write_routes([route_of("6"), route_of("7")], folder / "two.xml")
    (folder / "broken.xml").write_text("<routes>")
    suite = suite_of(("good", "0"), ("absent", "1"), ("other_id", "2"), ("two", "3"), ("broken", "4"))
    routes, problems = resolve_routes(suite, repository=tmp_path / "wrong", data=tmp_path)
    assert [(route.route_id, route.file) for route in routes] == [("0", folder / "good.xml")]
    assert problems == [
        NotRunnable("absent", f"no file {folder / 'absent.xml'}"),
        NotRunnable("other_id", f"route file {folder / 'other_id.xml'} holds route id '5', expected '2'"),
        NotRunnable("two", f"route file {folder / 'two.xml'} holds 2 routes, expected one"),
        NotRunnable(
            "broken",
            f"route file {folder / 'broken.xml'} line 1: found 'no element found', expected well-formed XML",
        ),
    ]


def test_source_decides_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "routes" / "demo"
    folder.mkdir(parents=True)
    write_routes([route_of("0")], folder / "00.xml")
    own, official = suite_of(("00", "0"), source="repository"), suite_of(("00", "0"), source="data")
    assert len(resolve_routes(own, repository=tmp_path, data=None)[0]) == 1
    assert len(resolve_routes(own, repository=tmp_path / "wrong", data=tmp_path)[0]) == 0
    routes, problems = resolve_routes(official, repository=tmp_path, data=None)
    assert routes == []
    assert problems == [NotRunnable("00", "HARNESS_DATA is not set, expected the folder that holds routes/demo")]


def test_town_is_found_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    own, data = tmp_path / "own", tmp_path / "data"
    own.mkdir()
    data.mkdir()
    for file in (
        own / "Ours.xodr",
        data / "Town01.xodr.gz",
        data / "Ours.xodr.gz",
        data / "Town02.xodr",
        data / "x.txt",
    ):
        file.touch()
    (data / "Town02.xodr.gz").touch()
    (data / "Town03.xodr").mkdir()
    folders = [own, tmp_path / "absent", data]
    assert find_town("Ours", folders) == own / "Ours.xodr"
    assert find_town("Ours", [data, own]) == data / "Ours.xodr.gz"
    assert find_town("Town01", folders) == data / "Town01.xodr.gz"
    assert find_town("Town02", folders) == data / "Town02.xodr"
    assert find_town("Town03", folders) is None
    assert find_town("../own/Ours", [data]) is None
    assert list_towns(folders) == ["Ours", "Town01", "Town02"]
    assert list_towns([]) == []


def test_routes_without_town_are_set_apart(tmp_path: Path) -> None:
    (tmp_path / "Town01.xodr").touch()
    here, away = route_of("1"), route_of("2", town="Town07", file=Path("routes/far.xml"))
    assert split_by_town([here, away], [tmp_path]) == (
        [here],
        [NotRunnable("far", f"town Town07 not found, expected Town07.xodr or .xodr.gz in {tmp_path}")],
    )


def test_what_may_not_be_read_is_skipped_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed, routes = tmp_path / "closed", tmp_path / "routes" / "demo"
    closed.mkdir()
    routes.mkdir(parents=True)
    is_file = Path.is_file

    def refuse(path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    # Rights do not bind root, whom tests may run as.
    monkeypatch.setattr(Path, "is_file", lambda path: is_file(path) if path.parent == tmp_path else refuse(path))
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert find_town("Town01", [closed]) is None
    assert list_towns([closed]) == []
    assert f"skipped the towns in {closed}: Permission denied" in caplog.text
    assert resolve_routes(suite_of(("00", "0")), repository=tmp_path, data=tmp_path) == (
        [],
        [NotRunnable("00", f"cannot read {routes / '00.xml'}: Permission denied")],
    )
    (tmp_path / "Town01.xodr").touch()
    monkeypatch.setattr("os.access", lambda path, mode: path != closed or mode == os.F_OK)
    assert find_town("Town01", [closed, tmp_path]) == tmp_path / "Town01.xodr"
    _, (problem,) = split_by_town([route_of("1", town="Town09")], [closed, tmp_path])
    assert problem.reason.endswith(f"in {closed} (no right to read it), {tmp_path}")


def test_town_with_a_name_too_long_is_nowhere(tmp_path: Path) -> None:
    assert find_town("T" * 300, [tmp_path]) is None


@given(st.integers(0, 999), st.integers(0, 99))
def test_pair_shares_its_traffic_seed(number: int, seed: int) -> None:
    suite = suite_of(("a", "0"), rule="pair")
    base, generalization = route_of(str(number)), route_of(str(1000 + number))
    assert traffic_seed(suite, base, seed) == number + 10000 * seed
    assert traffic_seed(suite, generalization, seed) == number + 10000 * seed


def test_pair_rule_refuses_an_id_that_is_no_number() -> None:
    with pytest.raises(RouteError, match="route id 'route_7' in suite 'demo', expected a number"):
        traffic_seed(suite_of(("a", "0"), rule="pair"), route_of("route_7"), 1)


def test_route_rule_differs_by_route_and_seed_and_never_changes() -> None:
    suite = suite_of(("a", "0"))
    seeds = {traffic_seed(suite, route_of(str(number)), seed) for number in range(36) for seed in range(3)}
    assert len(seeds) == 108
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert traffic_seed(suite, route_of("0"), 1) == 1493011677  # results that exist depend on it


def test_shipped_manifests_name_their_rules(repository: Path) -> None:
    folder = repository / "routes" / "suites"
    suites = {name: load_suite(name, folder) for name in list_suites(folder)}
    assert {
        name: (suite.size, suite.rule_version, suite.source) for name, suite in suites.items() if name != "mini"
    } == {
        "bench2drive": (220, "bench2drive", "data"),
        "bench2drive_0.0.4": (220, "bench2drive", "data"),
        "bench2drive_dev10": (10, "bench2drive", "data"),
        "fail2drive": (200, "fail2drive", "data"),
        "longest6": (36, "lb20", "data"),
        "town13": (20, "lb20", "data"),
    }
    assert suites["mini"].size >= 8
    assert (suites["mini"].rule_version, suites["mini"].source) == ("lb20", "repository")
    assert [name for name, suite in suites.items() if suite.traffic_seed == "pair"] == ["fail2drive"]
    assert [route.stem for route in suites["longest6"].routes] == [f"{number:02}" for number in range(36)]


@pytest.mark.parametrize("name", ["bench2drive", "fail2drive", "longest6", "town13"])
def test_official_suites_are_complete_in_the_data_folder(repository: Path, harness_data: Path, name: str) -> None:
    suite = load_suite(name, repository / "routes" / "suites")
    routes, problems = resolve_routes(suite, repository=repository, data=harness_data)
    assert problems == []
    files = {file.stem for file in (harness_data / suite.folder).glob("*.xml")}
    assert {route.stem for route in suite.routes} == files
    assert_facts(suite, routes)


def assert_facts(suite: Suite, routes: list[Route]) -> None:
    assert sorted({route.town for route in routes}) == suite.facts.towns
    kinds = [scenario.type for route in routes for scenario in route.scenarios]
    assert (len(set(kinds)), len(kinds)) == (suite.facts.scenario_types, suite.facts.scenarios)


def test_dev10_is_a_part_of_the_220(repository: Path, harness_data: Path) -> None:
    folder = repository / "routes" / "suites"
    dev10, whole = load_suite("bench2drive_dev10", folder), load_suite("bench2drive", folder)
    assert set(dev10.routes) < set(whole.routes)
    assert dev10.sums.items() < whole.sums.items()
    routes, problems = resolve_routes(dev10, repository=repository, data=harness_data)
    assert problems == []
    assert_facts(dev10, routes)


def test_the_newer_set_is_fetched_from_the_file_in_the_data_folder(
    repository: Path, harness_data: Path, tmp_path: Path
) -> None:
    suite = load_suite("bench2drive_0.0.4", repository / "routes" / "suites")
    fetch_routes(suite, tmp_path, source=None, data=harness_data, print_only=False, say=lambda text: None)
    routes, problems = resolve_routes(suite, repository=repository, data=harness_data, cache=tmp_path)
    assert problems == []
    assert_facts(suite, routes)
    assert [route.route_id for route in routes if not route.weathers] == ["4", "12", "24", "28"]


def test_both_halves_of_every_fail2drive_pair_share_traffic(repository: Path, harness_data: Path) -> None:
    suite = load_suite("fail2drive", repository / "routes" / "suites")
    routes, _ = resolve_routes(suite, repository=repository, data=harness_data)
    groups: dict[int, list[str]] = {}
    for route in routes:
        groups.setdefault(traffic_seed(suite, route, 2), []).append(route.file.stem.split("_")[0])
    assert len(groups) == 100
    assert all(sorted(halves) == ["Base", "Generalization"] for halves in groups.values())


def test_other_set_of_the_same_size_is_noticed(repository: Path, harness_data: Path, tmp_path: Path) -> None:
    """A file of another set under the expected name is not runnable rather than silently driven."""
    folder = tmp_path / "routes" / "town13"
    folder.mkdir(parents=True)
    shutil.copy(harness_data / "routes" / "town13" / "3.xml", folder / "4.xml")
    suite = select(load_suite("town13", repository / "routes" / "suites"), ["4"])
    routes, problems = resolve_routes(suite, repository=repository, data=tmp_path)
    assert (routes, len(problems)) == ([], 1)
    assert problems[0].reason.endswith("holds route id '3', expected '4'")
