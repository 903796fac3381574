"""Route XML: what is read, what is refused and how, what survives writing and reading."""

from __future__ import annotations

import dataclasses
import json
import string
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.route import Point, Route, RouteScenario, TriggerPoint, WeatherKeyframe
from harness.errors import RouteError
from harness.routes import (
    WEATHER_DEFAULTS,
    WEATHER_UNSPECIFIED,
    parse_routes,
    read_routes,
    render_routes,
    weather_at,
    write_routes,
)

FILE = Path("some.xml")
WAYPOINTS = '<waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'
FULL = f"""<?xml version="1.0" encoding="UTF-8"?>
<routes>
  <!-- a comment -->
  <route id="007" town="Town10HD" road_id="3">
    <weathers>
      <weather route_percentage="0" cloudiness="5.0" snow="1"/>
      <weather route_percentage="100" cloudiness="15" fog_density="1e1"/>
    </weathers>
    <waypoints>
      <position x="1.5" y="-2" z="0.0"/>
      <position x="1.5" y="-20" z="0.0"/>
    </waypoints>
    <scenarios>
      <scenario name="Accident_1" type="Accident">
        <trigger_point x="1" y="2" z="3" yaw="-90.5"/>
        <distance value="100"/>
        <frequency from="20" to="50"/>
        <other_actor model="vehicle.tesla.model3" x="1"/>
      </scenario>
    </scenarios>
  </route>
  <route id="b" town="Town01">{WAYPOINTS}<scenarios/></route>
</routes>
"""


def parse(text: str) -> list[Route]:
    return parse_routes(text.encode(), FILE)


def test_every_element_is_read() -> None:
    first, second = parse(FULL)
    assert first == Route(
        route_id="007",
        town="Town10HD",
        file=FILE,
        keypoints=(Point(1.5, -2.0, 0.0), Point(1.5, -20.0, 0.0)),
        weathers=(
            WeatherKeyframe(route_percentage=0.0, values={"cloudiness": 5.0}),
            WeatherKeyframe(route_percentage=100.0, values={"cloudiness": 15.0, "fog_density": 10.0}),
        ),
        scenarios=(
            RouteScenario(
                name="Accident_1",
                type="Accident",
                trigger=TriggerPoint(x=1.0, y=2.0, z=3.0, yaw_deg=-90.5),
                parameters={"distance": {"value": "100"}, "frequency": {"from": "20", "to": "50"}},
                other_actors=({"model": "vehicle.tesla.model3", "x": "1"},),
            ),
        ),
        attributes={"road_id": "3"},
        ignored=("weather/@snow",),
    )
    assert (second.weathers, second.scenarios, second.attributes, second.ignored) == ((), (), {}, ())


def test_unknown_elements_are_listed_once() -> None:
    weathers = '<weathers><frost/><frost/><weather route_percentage="0"/></weathers>'
    (route,) = parse(f'<routes><route id="1" town="T">{weathers}{WAYPOINTS}<instructions/></route></routes>')
    assert route.ignored == ("instructions", "weathers/frost")


def test_last_of_a_repeated_parameter_counts() -> None:
    scenario = (
        '<scenario name="a" type="b"><trigger_point x="0" y="0" z="0" yaw="0"/><p value="1"/><p a="x"/></scenario>'
    )
    (route,) = parse(f'<routes><route id="1" town="T">{WAYPOINTS}<scenarios>{scenario}</scenarios></route></routes>')
    assert route.scenarios[0].parameters == {"p": {"a": "x"}}


def route_with(waypoints: str = WAYPOINTS, rest: str = "", attributes: str = 'id="1" town="T"') -> str:
    return f"<routes>\n<route {attributes}>\n{waypoints}{rest}</route></routes>"


def positions(x: str) -> str:
    return f'<waypoints><position x="0" y="0" z="0"/>\n<position x="{x}" y="0" z="0"/></waypoints>'


def scenario_with(content: str) -> str:
    return f'<scenarios>\n<scenario name="n" type="t">{content}</scenario></scenarios>'


BILLION_LAUGHS = (
    '<!DOCTYPE routes [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><routes><route id='&i;'/></routes>"
)

DEFECTS = {
    "empty file": ("", "line 1: found 'no element found', expected well-formed XML"),
    "cut off": ("<routes><route", "line 1: found 'unclosed token', expected well-formed XML"),
    "wrong tag": ("<routes>\n</route>", "line 2: found 'mismatched tag', expected well-formed XML"),
    "unknown encoding": ("<?xml version='1.0' encoding='klingon'?><routes/>", "line 1: found an encoding that cannot"),
    "multi-byte encoding": (
        "<?xml version='1.0' encoding='shift_jis'?><routes/>",
        "line 1: found an encoding that cannot",
    ),
    "other root": ("<weathers/>", "line 1: found root element <weathers>, expected <routes>"),
    "no route": ("<routes/>", "line 1: found no <route>, expected at least one"),
    "no id": (route_with(attributes='town="T"'), "line 2: found <route> without attribute 'id', expected one"),
    "no town": (route_with(attributes='id="1"'), "line 2: found <route> without attribute 'town', expected one"),
    "path as id": (route_with(attributes='id="../x" town="T"'), "line 2: found id='../x' in <route>, expected letters"),
    "path as town": (route_with(attributes='id="1" town="/T"'), "line 2: found town='/T' in <route>, expected letters"),
    "no waypoints": (route_with(""), "line 2: found 0 <position> in route '1', expected at least two"),
    "one waypoint": (
        route_with('<waypoints><position x="0" y="0" z="0"/></waypoints>'),
        "line 2: found 1 <position> in route '1', expected at least two",
    ),
    "two lists": (route_with(WAYPOINTS + "\n" + WAYPOINTS), "line 4: found a second <waypoints> in route '1'"),
    "text": (route_with(positions("abc")), "line 4: found x='abc' in <position>, expected a finite number"),
    "nan": (route_with(positions("nan")), "line 4: found x='nan' in <position>, expected a finite number"),
    "infinity": (route_with(positions("-inf")), "line 4: found x='-inf' in <position>, expected a finite number"),
    "overflow": (route_with(positions("1e999")), "line 4: found x='1e999' in <position>, expected a finite number"),
    "underscore": (route_with(positions("1_0")), "line 4: found x='1_0' in <position>, expected a finite number"),
    "long text": (route_with(positions("9x" * 500)), "9x9x...' in <position>, expected a finite number"),
    "missing axis": (
        route_with('<waypoints><position x="0" y="0"/><position x="0" y="0"/></waypoints>'),
        "line 3: found <position> without attribute 'z', expected one",
    ),
    "percentage": (
        route_with(rest='\n<weathers><weather route_percentage="101"/></weathers>'),
        "line 4: found route_percentage=101 in <weather>, expected 0 to 100",
    ),
    "weather text": (
        route_with(rest='\n<weathers><weather route_percentage="0" wetness="wet"/></weathers>'),
        "line 4: found wetness='wet' in <weather>, expected a finite number",
    ),
    "no trigger": (
        route_with(rest=scenario_with("")),
        "line 4: found 0 <trigger_point> in scenario 'n', expected one",
    ),
    "trigger without yaw": (
        route_with(rest=scenario_with('<trigger_point x="0" y="0" z="0"/>')),
        "line 4: found <trigger_point> without attribute 'yaw', expected one",
    ),
    "scenario without type": (
        route_with(rest='<scenarios><scenario name="n"/></scenarios>'),
        "line 3: found <scenario> without attribute 'type', expected one",
    ),
    "same id": (
        f'<routes><route id="1" town="T">{WAYPOINTS}</route>\n<route id="1" town="T">{WAYPOINTS}</route></routes>',
        "line 2: found route id '1' again (first on line 1), expected ids that differ",
    ),
    "entity bomb": (BILLION_LAUGHS, "line 1: found a document type declaration, expected none"),
    "external entity": (
        "<!DOCTYPE routes SYSTEM 'file:///etc/passwd'><routes/>",
        "line 1: found a document type declaration, expected none",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defect_is_one_line_with_file_line_found_expected(name: str) -> None:
    text, expected = DEFECTS[name]
    with pytest.raises(RouteError) as caught:
        parse(text)
    assert caught.value.message.startswith(f"route file {FILE} line ")
    assert expected in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00\x01", b'<routes a="\xc3\x28"/>'])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(RouteError, match=r"some\.xml line 1: found .* expected well-formed XML"):
        parse_routes(data, FILE)


@given(st.binary(max_size=200))
def test_any_bytes_give_routes_or_a_route_error(data: bytes) -> None:
    try:
        routes = parse_routes(data, FILE)
    except RouteError:
        return
    assert routes


@given(st.data())
def test_damaging_a_valid_file_gives_routes_or_a_route_error(data: st.DataObject) -> None:
    raw = bytearray(FULL.encode())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3)):
        raw[place] = data.draw(st.integers(0, 255))
    try:
        routes = parse_routes(bytes(raw), FILE)
    except RouteError as error:
        assert error.message.startswith(f"route file {FILE} line ")
        return
    assert routes


def test_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.xml", tmp_path):
        with pytest.raises(RouteError, match=f"cannot read route file {path}: "):
            read_routes(path)


numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
names = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(
    lambda s: s[0] not in ".-"
)
tags = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True).filter(
    lambda tag: tag not in ("trigger_point", "other_actor")
)
attributes = st.dictionaries(tags.filter(lambda tag: tag not in ("id", "town")), texts, max_size=3)
weathers = st.builds(
    WeatherKeyframe,
    route_percentage=st.floats(0.0, 100.0),
    values=st.dictionaries(st.sampled_from(sorted(WEATHER_DEFAULTS)), numbers),
)
scenarios = st.builds(
    RouteScenario,
    name=texts,
    type=texts,
    trigger=st.builds(TriggerPoint, x=numbers, y=numbers, z=numbers, yaw_deg=numbers),
    parameters=st.dictionaries(tags, attributes, max_size=3),
    other_actors=st.lists(attributes, max_size=2).map(tuple),
)
routes_of_a_file = st.lists(
    st.builds(
        Route,
        route_id=names,
        town=names,
        file=st.just(FILE),
        keypoints=st.lists(st.builds(Point, numbers, numbers, numbers), min_size=2, max_size=4).map(tuple),
        weathers=st.lists(weathers, max_size=3).map(tuple),
        scenarios=st.lists(scenarios, max_size=2).map(tuple),
        attributes=attributes,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda route: route.route_id,
)


@given(routes_of_a_file)
def test_what_is_written_is_read_back_equal(routes: list[Route]) -> None:
    assert parse(render_routes(routes)) == routes


def a_route(**changes: object) -> Route:
    (route,) = parse(route_with())
    return dataclasses.replace(route, **changes)  # type: ignore[arg-type]


def test_written_file_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "own.xml"
    write_routes([a_route(file=file)], file)
    assert read_routes(file) == [a_route(file=file)]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [a_route(), a_route()],
        [a_route(keypoints=(Point(0.0, 0.0, 0.0),))],
        [a_route(keypoints=(Point(0.0, 0.0, 0.0), Point(float("nan"), 0.0, 0.0)))],
        [a_route(town="a/b")],
        [a_route(attributes={"note": "\x00"})],
        [a_route(attributes={"note": "\ud800"})],
    ],
    ids=["none", "same id", "one point", "nan", "path", "nul", "surrogate"],
)
def test_file_that_could_not_be_read_back_is_not_written(tmp_path: Path, routes: list[Route]) -> None:
    file = tmp_path / "own.xml"
    file.write_text("old")
    with pytest.raises(RouteError):
        write_routes(routes, file)
    assert file.read_text() == "old"


def test_failing_rename_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "own.xml"
    file.write_text("old")
    with (
        mock.patch.object(Path, "replace", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        write_routes([a_route()], file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def keyframes(*frames: tuple[float, float]) -> Route:
    return a_route(
        weathers=tuple(
            WeatherKeyframe(route_percentage=percent, values={"cloudiness": clouds}) for percent, clouds in frames
        )
    )


@pytest.mark.parametrize(
    ("frames", "percent", "clouds"),
    [
        ([(100.0, 40.0)], 0.0, 40.0),
        ([(0.0, 40.0)], 100.0, 40.0),
        ([(0.0, 10.0), (100.0, 30.0)], 0.0, 10.0),
        ([(0.0, 10.0), (100.0, 30.0)], 25.0, 15.0),
        ([(0.0, 10.0), (100.0, 30.0)], 100.0, 30.0),
        ([(100.0, 30.0), (0.0, 10.0)], 75.0, 25.0),
        ([(100.0, 0.0), (50.0, 80.0), (0.0, 0.0)], 25.0, 40.0),
        ([(20.0, 10.0), (80.0, 30.0)], 5.0, 10.0),
        ([(20.0, 10.0), (80.0, 30.0)], 95.0, 30.0),
        ([(0.0, 0.0), (50.0, 100.0), (100.0, 0.0)], 60.0, 80.0),
        ([(0.0, 10.0), (50.0, 20.0), (50.0, 60.0), (100.0, 80.0)], 50.0, 60.0),
        ([(0.0, 10.0), (50.0, 20.0), (50.0, 60.0), (100.0, 80.0)], 25.0, 15.0),
    ],
)
def test_weather_is_interpolated_over_the_route(
    frames: list[tuple[float, float]], percent: float, clouds: float
) -> None:
    assert weather_at(keyframes(*frames), percent) == {**WEATHER_DEFAULTS, "cloudiness": pytest.approx(clouds)}


def test_route_without_weather_has_an_afternoon_sun() -> None:
    weather = weather_at(a_route(), 50.0)
    assert weather == WEATHER_UNSPECIFIED
    assert (weather["sun_altitude_angle"], weather["cloudiness"], weather["wetness"]) == (70.0, 50.0, 0.0)


@given(st.lists(weathers, min_size=1, max_size=4), st.floats(0.0, 100.0))
def test_weather_stays_between_the_keyframes(frames: list[WeatherKeyframe], percent: float) -> None:
    tame = [
        WeatherKeyframe(
            route_percentage=frame.route_percentage,
            values={name: max(-1e6, min(value, 1e6)) for name, value in frame.values.items()},
        )
        for frame in frames
    ]
    weather = weather_at(a_route(weathers=tuple(tame)), percent)
    for name, default in WEATHER_DEFAULTS.items():
        values = [frame.values.get(name, default) for frame in tame]
        assert min(values) - 1e-6 <= weather[name] <= max(values) + 1e-6


def test_all_public_route_files_are_read(harness_data: Path) -> None:
    """547 files, 1156 routes; the only one that is refused is a table of weathers."""
    refused: list[str] = []
    counts: dict[str, int] = {}
    ignored: set[str] = set()
    for file in sorted((harness_data / "routes").rglob("*.xml")):
        try:
            routes = read_routes(file)
        except RouteError as error:
            refused.append(error.message.split("routes/", 1)[1])
            continue
        counts[file.parent.name] = counts.get(file.parent.name, 0) + len(routes)
        ignored.update(name for route in routes for name in route.ignored)
    assert refused == ["combined/b2d_weather.xml line 1: found root element <weathers>, expected <routes>"]
    assert counts == {
        "bench2drive": 220,
        "combined": 618,
        "fail2drive": 200,
        "lead_data_sample": 62,
        "longest6": 36,
        "town13": 20,
    }
    assert ignored == {"weathers/weathis_juncer"}  # a spelling in 34 of LEAD's training routes


@pytest.mark.parametrize("suite", ["bench2drive", "fail2drive", "longest6", "town13"])
def test_towns_and_scenarios_agree_with_independent_statistics(harness_data: Path, suite: str) -> None:
    statistics = json.loads((harness_data / "routes" / "analysis.json").read_text(encoding="utf-8"))[suite]
    routes = [route for file in (harness_data / "routes" / suite).glob("*.xml") for route in read_routes(file)]
    kinds = [scenario.type for route in routes for scenario in route.scenarios]
    towns = [route.town for route in routes]
    assert {town: towns.count(town) for town in towns} == statistics["towns"]
    assert {kind: kinds.count(kind) for kind in kinds} == statistics["instances_by_type"]
