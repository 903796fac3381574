"""What a collection consists of: which routes, under which names, in what traffic; and what is refused by name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datatypes.route import Point, Route, RouteScenario, TriggerPoint
from harness.drive.playable import scenario_types
from harness.errors import ConfigError, HarnessError, RouteError
from harness.jobs.run_folder import _unit
from harness.stages.plan_collect import CollectionPlan, Selection, plan_collection, traffic_seed
from harness.stages.route_folder import FoundRoute, find_routes, select, unit_name

PLAYED = frozenset({"Accident", "ParkingExit", "HardBreakRoute"})


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "harness_data" not in request.fixturenames:
        monkeypatch.delenv("HARNESS_DATA", raising=False)


def route_xml(route_id: str, types: Sequence[str] = (), town: str = "Borough01", points: int = 2) -> str:
    """Return one route element."""
    positions = "".join(f'<position x="{220 + 30 * n}" y="-378.25" z="0.0"/>' for n in range(points))
    trigger = '<trigger_point x="1" y="2" z="0" yaw="0"/>'
    scenarios = "".join(f'<scenario name="S{n}" type="{kind}">{trigger}</scenario>' for n, kind in enumerate(types))
    waypoints = f"<waypoints>{positions}</waypoints>"
    return f'<route id="{route_id}" town="{town}">{waypoints}<scenarios>{scenarios}</scenarios></route>'


def hashed(path: str) -> str:
    """Return the stem of a name that has to say where its file lies."""
    return f"{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def write(folder: Path, path: str, *routes: str) -> Path:
    """Write a route file below a folder."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"<routes>{''.join(routes)}</routes>")
    return file


def plan(folder: Path, **more: Any) -> CollectionPlan:
    return plan_collection(folder=folder, **{"implemented": PLAYED, **more})


def refused(kind: type[HarnessError], folder: Path, **more: Any) -> HarnessError:
    with pytest.raises(kind) as caught:
        plan(folder, **more)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


# --- units -----------------------------------------------------------------------------------------------------------


def test_the_repositorys_own_routes_are_the_default() -> None:
    found = plan_collection()
    assert len(found.units) == 120
    assert found.counts() == {"noScenarios": 120}
    assert (found.refused, found.refused_types, found.left_out) == ([], {}, 0)
    first = found.units[0]
    assert (first.suite, first.route, first.route_id, first.town) == (
        "carla_leaderboard2",
        "01_route0",
        "1",
        "Borough01",
    )
    assert (first.agent, first.agent_sha256, first.config, first.rule_version) == ("expert", "", "", "lb20")
    assert first.length_m > 100.0
    assert found.route_of(first).file.name == "01.xml"


def test_units_can_be_written_to_a_manifest_and_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1", ["Accident"]))
    (unit,) = plan(tmp_path).units
    assert _unit(unit.as_dict()) == unit
    old = {key: value for key, value in unit.as_dict().items() if key not in ("scenario", "length_m")}
    assert _unit(old) == replace(unit, scenario="", length_m=0.0)


def test_files_of_many_routes_at_any_depth(tmp_path: Path) -> None:
    write(tmp_path, "b.xml", route_xml("5"), route_xml("6", ["Accident"]))
    write(tmp_path, "deep/er/a.xml", route_xml("7", ["ParkingExit", "Accident"]))
    (tmp_path / "notes.txt").write_text("no route")
    found = plan(tmp_path)
    assert [(unit.scenario, unit.route, unit.route_id) for unit in found.units] == [
        ("noScenarios", "b_route0", "5"),
        ("Accident", "b_route1", "6"),
        ("ParkingExit", f"{hashed('deep/er/a.xml')}_route0", "7"),
    ]


def test_one_file_is_a_collection_too(tmp_path: Path) -> None:
    file = write(tmp_path, "b.xml", route_xml("5"))
    assert [unit.route for unit in plan(file).units] == ["b_route0"]


def test_repetitions_come_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1"))
    write(tmp_path, "b.xml", route_xml("1"))
    units = plan(tmp_path, selection=Selection(repetitions=2, first_repetition=3)).units
    assert [(unit.repetition, unit.route) for unit in units] == [
        (3, "a_route0"),
        (3, "b_route0"),
        (4, "a_route0"),
        (4, "b_route0"),
    ]
    assert len({unit.traffic_seed for unit in units}) == 4


def test_configuration_says_what_the_data_depend_on(tmp_path: Path) -> None:
    write(tmp_path, "x/a.xml", route_xml("1"))
    config = plan(tmp_path, dataset="mine", seed=4, selection=Selection(most_per_type=2, shuffle_seed=3)).config
    assert {key: config[key] for key in ("dataset", "seed", "most_per_type", "shuffle_seed", "repetitions")} == {
        "dataset": "mine",
        "seed": 4,
        "most_per_type": 2,
        "shuffle_seed": 3,
        "repetitions": 1,
    }
    assert list(config["inputs"]) == ["x/a.xml"]
    tomli_w.dumps(config)
    write(tmp_path, "x/a.xml", route_xml("1", points=3))
    assert plan(tmp_path, dataset="mine").config["inputs"] != config["inputs"]
    assert "shuffle_seed" not in plan(tmp_path).config


# --- seeds -----------------------------------------------------------------------------------------------------------


def test_more_routes_change_no_seed_and_no_name(tmp_path: Path) -> None:
    write(tmp_path, "m.xml", route_xml("1"), route_xml("2"))
    write(tmp_path, "b/n.xml", route_xml("1"))
    write(tmp_path, "a b.xml", route_xml("1"))
    before = {(unit.route_file, unit.route_id): unit for unit in plan(tmp_path).units}
    write(tmp_path, "a.xml", route_xml("1"))
    # As much like the others as files can be, before and behind them.
    for path in ("a/m.xml", "z/m.xml", "n.xml", "a/n.xml", "c/n.xml", "a_b.xml", "a:b.xml", f"{hashed('b/n.xml')}.xml"):
        write(tmp_path, path, route_xml("1"), route_xml("2"))
    after = {(unit.route_file, unit.route_id): unit for unit in plan(tmp_path).units}
    assert {key: after[key] for key in before} == before


def test_a_folder_can_be_moved(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, "x/a.xml", route_xml("1"))
    seeds = [plan(tmp_path / name).units[0].traffic_seed for name in ("one", "two")]
    assert seeds[0] == seeds[1]


def test_another_seed_is_other_traffic(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1"))
    assert plan(tmp_path, seed=1).units[0].traffic_seed != plan(tmp_path, seed=2).units[0].traffic_seed


@given(identity=st.text(), seed=st.integers(0, 99_999), repetitions=st.sets(st.integers(0, 10_000), min_size=2))
def test_seeds_have_32_bits_and_repetitions_never_share_one(identity: str, seed: int, repetitions: set[int]) -> None:
    seeds = [traffic_seed(identity, repetition, seed) for repetition in sorted(repetitions)]
    assert all(0 <= found < 2**32 for found in seeds)
    assert len(set(seeds)) == len(seeds)


def test_a_seed_is_the_same_for_ever() -> None:
    assert traffic_seed("a.xml#1", 0, 0) == traffic_seed("a.xml#1", 1, 0) - 1 == 2959485828


# --- names -----------------------------------------------------------------------------------------------------------


def found_at(path: str, position: int = 0, *types: str, town: str = "Town12", route_id: str = "") -> FoundRoute:
    trigger = TriggerPoint(x=0.0, y=0.0, z=0.0, yaw_deg=0.0)
    route = Route(
        route_id=route_id or str(position),
        town=town,
        file=Path(path),
        keypoints=(Point(0.0, 0.0, 0.0), Point(9.0, 0.0, 0.0)),
        scenarios=tuple(RouteScenario(name="S", type=kind, trigger=trigger) for kind in types),
    )
    return FoundRoute(path=path, position=position, route=route)


def test_the_stem_is_the_name_of_a_file_in_the_folder_itself_only() -> None:
    assert unit_name("12.xml", 0) == "12_route0"
    assert unit_name("Town12_a.b-c.xml", 3) == "Town12_a.b-c_route3"
    assert unit_name("Accident/12.xml", 0) == "12_867301e3_route0"
    for path in ("one/12.xml", "two/12.xml", "12_867301e3.xml"):
        assert unit_name(path, 1) == f"{hashed(path)}_route1"


def test_names_do_not_depend_on_what_is_selected(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path, f"{folder}/12.xml", route_xml("1", ["Accident"]))
    every = {unit.route_file: unit.route for unit in plan(tmp_path).units}
    (one,) = plan(tmp_path, selection=Selection(most_per_type=1)).units
    assert every[one.route_file] == one.route


def test_stems_become_what_file_names_should_hold(tmp_path: Path) -> None:
    for stem in ("a b", "a:b", "-x", "é"):
        write(tmp_path, f"{stem}.xml", route_xml("1"))
    names = [unit.route for unit in plan(tmp_path).units]
    assert len(set(names)) == 4
    assert sorted(name[:3] for name in names) == ["_-x", "__9", "a_b", "a_b"]


PATHS = st.lists(
    st.tuples(
        st.sampled_from(["", "a/", "b/", "a/b/"]),
        st.sampled_from(["1", "2", "1_route0", "a b", "a_b", "12_route1", hashed("a/1.xml"), hashed("b/2.xml")]),
        st.integers(0, 2),
        st.sampled_from(["", "Accident", "ParkingExit"]),
        st.sampled_from(["Town12", "Town13"]),
    ),
    max_size=20,
    unique_by=lambda item: item[:3],
)


@given(items=PATHS)
def test_no_two_routes_share_a_name(items: list[tuple[str, str, int, str, str]]) -> None:
    found = [found_at(f"{a}{b}.xml", n, *filter(None, [kind]), town=town) for a, b, n, kind, town in items]
    assert len({unit_name(item.path, item.position) for item in found}) == len(found)


def test_names_that_would_only_look_equal_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "Rep0_x.xml", route_xml("1", town="A"))
    write(tmp_path, "x.xml", route_xml("1", town="A_Rep0"))
    for town in ("A", "A_Rep0"):
        (tmp_path / f"{town}.xodr").write_text("a town")
    error = refused(RouteError, tmp_path, maps=(tmp_path,))
    assert "share the name noScenarios/A_Rep0_Rep0_x_route0" in error.message


# --- selection -------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    for number in range(6):
        write(tmp_path, f"accident/{number}.xml", route_xml("1", ["Accident"]))
        write(tmp_path, f"both/{number}.xml", route_xml("1", ["ParkingExit", "Accident"]))
        write(tmp_path, f"none/{number}.xml", route_xml("1"))
    return tmp_path


@pytest.mark.parametrize(
    ("selection", "counts", "left_out"),
    [
        (Selection(), {"Accident": 6, "ParkingExit": 6, "noScenarios": 6}, 0),
        (Selection(only_types=("ParkingExit", "noScenarios")), {"ParkingExit": 6, "noScenarios": 6}, 6),
        (Selection(without_types=("Accident",)), {"noScenarios": 6}, 12),
        (Selection(without_types=("noScenarios", "Unheard")), {"Accident": 6, "ParkingExit": 6}, 6),
        (Selection(most_per_type=2), {"Accident": 2, "ParkingExit": 2, "noScenarios": 2}, 12),
        (Selection(only_types=("Accident",), most_per_type=9), {"Accident": 6}, 12),
    ],
)
def test_selection(mixed: Path, selection: Selection, counts: dict[str, int], left_out: int) -> None:
    found = plan(mixed, selection=selection)
    assert (found.counts(), found.left_out) == (counts, left_out)


def test_a_shuffle_seed_chooses_other_routes(mixed: Path) -> None:
    chosen = []
    for seed in (1, 1, 2):
        units = plan(mixed, selection=Selection(most_per_type=3, shuffle_seed=seed)).units
        chosen.append([unit.route_file for unit in units])
    assert chosen[0] == chosen[1] != chosen[2]
    assert chosen[0] != sorted(chosen[0])


@settings(max_examples=30)
@given(seed=st.integers(0, 99), count=st.integers(1, 12))
def test_more_routes_do_not_change_the_order_of_the_others(seed: int, count: int) -> None:
    items = [found_at(f"{number}.xml") for number in range(12)]
    every = select(items, Selection(shuffle_seed=seed))
    some = select(items[:count], Selection(shuffle_seed=seed))
    assert some == [item for item in every if item in items[:count]]


def test_a_wanted_type_that_no_route_has_is_refused(mixed: Path) -> None:
    error = refused(RouteError, mixed, selection=Selection(only_types=("Acident",)))
    assert error.message == "no route has scenario type Acident (there are Accident, ParkingExit, noScenarios)"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"selection": Selection(repetitions=0)}, "number of repetitions is 0, expected 1 to 10000"),
        ({"selection": Selection(first_repetition=-1)}, "first repetition is -1"),
        ({"selection": Selection(most_per_type=-1)}, "limit per scenario type is -1"),
        ({"selection": Selection(shuffle_seed=-1)}, "shuffle seed is -1"),
        ({"seed": 100_000}, "seed is 100000, expected 0 to 99999"),
        ({"dataset": "a/b"}, "dataset 'a/b' is no folder name"),
        ({"dataset": ".."}, "dataset '..' is no folder name"),
        (
            {"selection": Selection(only_types=("Accident",), without_types=("Accident",))},
            "scenario types Accident are wanted and unwanted",
        ),
    ],
)
def test_settings_without_sense_are_refused(mixed: Path, more: dict[str, Any], why: str) -> None:
    assert why in refused(ConfigError, mixed, **more).message


# --- what cannot be collected ----------------------------------------------------------------------------------------


def test_routes_whose_scenarios_cannot_be_played_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1", ["InvadingTurn"]))
    write(tmp_path, "b.xml", route_xml("1", ["Accident", "InvadingTurn"]), route_xml("2", ["StaticCutIn"]))
    write(tmp_path, "c.xml", route_xml("1", ["Accident"]))
    found = plan(tmp_path)
    assert [unit.route for unit in found.units] == ["c_route0"]
    assert {refusal.route_name: refusal.reason for refusal in found.refused} == {
        "a.xml": "scenario InvadingTurn cannot be played in this version",
        "b.xml": "scenario InvadingTurn cannot be played in this version",
        "b.xml route 2": "scenario StaticCutIn cannot be played in this version",
    }
    assert found.refused_types == {"InvadingTurn": 2, "StaticCutIn": 1}


def test_routes_in_unknown_towns_and_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1", town="Atlantis"))
    write(tmp_path, "b.xml", route_xml("1", points=1))
    (tmp_path / "c.xml").write_text("<routes><route")
    write(tmp_path, "d.xml", route_xml("1"))
    found = plan(tmp_path)
    assert [unit.route for unit in found.units] == ["d_route0"]
    reasons = {refusal.route_name: refusal.reason for refusal in found.refused}
    assert reasons["a.xml"].startswith("town Atlantis not found, expected its .xodr or .xodr.gz in ")
    assert "found 1 <position>" in reasons["b.xml"]
    assert "well-formed XML" in reasons["c.xml"]


def test_a_server_has_its_own_towns(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", route_xml("1", town="Town99"))
    write(tmp_path, "b.xml", route_xml("1"))
    found = plan(tmp_path, sim="host:2000", server_towns=["Town99"])
    assert [unit.town for unit in found.units] == ["Town99"]
    assert found.refused[0].reason == "town Borough01 not found, the server has Town99"
    assert len(plan(tmp_path, sim="host:2000", server_towns=None).units) == 2


@pytest.mark.parametrize("kind", ["..", "a/b", "x y", ""])
def test_a_type_that_can_name_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    write(tmp_path, "a.xml", route_xml("1", [kind]))
    write(tmp_path, "b.xml", route_xml("1"))
    found = plan(tmp_path, implemented=PLAYED | {kind})
    assert [unit.route for unit in found.units] == ["b_route0"]
    assert "is no folder name" in found.refused[0].reason


def test_if_nothing_is_left_that_is_an_error(tmp_path: Path) -> None:
    assert "no route file in" in refused(RouteError, tmp_path / "missing").message
    write(tmp_path, "a.xml", route_xml("1", ["InvadingTurn"]))
    write(tmp_path, "b.xml", route_xml("1", ["InvadingTurn"]))
    write(tmp_path, "c.xml", route_xml("1", ["StaticCutIn"]))
    error = refused(RouteError, tmp_path, implemented=frozenset())
    assert "none of the 3 routes in" in error.message
    assert error.message.endswith("scenarios that this version cannot play: 2 InvadingTurn, 1 StaticCutIn")
    assert error.hint == "ROUTES=routes/train has routes without scenarios"
    write(tmp_path, "c.xml", route_xml("1"))
    error = refused(RouteError, tmp_path, selection=Selection(without_types=("noScenarios",)))
    assert error.message.endswith("2 InvadingTurn; 1 not selected")


def test_if_no_file_can_be_read_the_first_says_why(tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_text("<routes/>")
    error = refused(RouteError, tmp_path)
    assert "none of the 0 routes in" in error.message
    assert "c.xml: route file" in error.message


# --- official routes -------------------------------------------------------------------------------------------------


def test_official_routes_are_refused_by_type_in_this_version(harness_data: Path) -> None:
    error = refused(RouteError, harness_data / "routes" / "bench2drive", implemented=frozenset())
    assert error.message.startswith("none of the 220 routes in")
    assert "5 Accident, 5 AccidentTwoWays, 5 BlockedIntersection" in error.message


def test_official_routes_all_have_names_of_their_own(harness_data: Path) -> None:
    folder = harness_data / "routes"
    found, unreadable = find_routes(folder)
    assert [refusal.route_name for refusal in unreadable] == ["combined/b2d_weather.xml"]
    types = frozenset(kind for item in found for kind in scenario_types(item.route))
    result = plan_collection(folder=folder, implemented=types, selection=Selection(repetitions=2))
    names = Counter((unit.scenario, unit.town, unit.repetition, unit.route) for unit in result.units)
    assert max(names.values()) == 1
    missing_town = [refusal for refusal in result.refused if refusal.reason.startswith("town ")]
    assert len(result.units) == 2 * (len(found) - len(missing_town))
    assert {refusal.reason.split()[1] for refusal in missing_town} <= {"Town07", "Town15"}


def test_official_sets_with_equal_stems_do_not_collide(harness_data: Path) -> None:
    # Longest6 and Town13 both have files 10 to 19; here every file is there twice.
    folder = harness_data / "routes"
    found = [item for item in find_routes(folder)[0] if item.path.split("/")[0] in ("longest6", "town13")]
    twice = [replace(item, path=f"again/{item.path}") for item in found]
    assert len({unit_name(item.path, item.position) for item in (*found, *twice)}) == 2 * len(found)
