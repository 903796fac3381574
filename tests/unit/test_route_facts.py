"""The tables of routes beside the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import SUITES_DIR
from harness.errors import RouteError
from harness.metrics.bench2drive import ABILITIES, TRAFFIC_SIGNS
from harness.route_facts import COLUMNS, RouteFacts, junction_percent, read_route_facts, render_route_facts
from harness.suites import list_suites, load_suite

HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize("suite", list_suites(SUITES_DIR))
def test_every_suite_has_a_table_of_its_routes(suite: str) -> None:
    loaded, facts = load_suite(suite, SUITES_DIR), read_route_facts(suite, SUITES_DIR)
    assert sorted(facts) == sorted(route.route_id for route in loaded.routes)
    if loaded.source == "data":  # the towns of mini are its own and in no manifest
        assert {each.town for each in facts.values()} == set(loaded.facts.towns)


@pytest.mark.parametrize("suite", [name for name in list_suites(SUITES_DIR) if name.startswith("bench2drive")])
def test_every_traffic_sign_route_has_a_junction(suite: str) -> None:
    """The official program stops where one has none, so a table without one is wrong."""
    facts = read_route_facts(suite, SUITES_DIR)
    of_signs = {xml_id for xml_id, each in facts.items() if each.scenario in ABILITIES[TRAFFIC_SIGNS]}
    assert len(of_signs) == {"bench2drive": 95, "bench2drive_0.0.4": 86, "bench2drive_dev10": 3}[suite]
    assert of_signs <= junction_percent(facts).keys()
    assert all(each.plan_points for each in facts.values())


def test_dev10_are_rows_of_the_220() -> None:
    assert (
        read_route_facts("bench2drive_dev10", SUITES_DIR).items() <= read_route_facts("bench2drive", SUITES_DIR).items()
    )


def test_a_junction_is_passed_eight_points_beyond_its_first() -> None:
    def row(xml_id: str, point: int | None, points: int | None) -> RouteFacts:
        return RouteFacts(xml_id=xml_id, town="Town01", scenario="", junction_point=point, plan_points=points)

    facts = {
        row.xml_id: row for row in (row("7", 22, 60), row("8", None, 90), row("9", None, None), row("10", 95, 100))
    }
    assert junction_percent(facts) == {"7": 50.0, "10": 103.0}


TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12)
NUMBERS = st.none() | st.integers(0, 100_000)
ROWS = st.builds(RouteFacts, xml_id=TEXTS, town=TEXTS, scenario=TEXTS, junction_point=NUMBERS, plan_points=NUMBERS)


@given(st.lists(ROWS, unique_by=lambda row: row.xml_id))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[RouteFacts]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "x.csv").write_text(render_route_facts(rows), encoding="utf-8", newline="")
    assert list(read_route_facts("x", folder).values()) == rows


def test_a_row_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"{HEAD}\n7,Town01,Accident,12,100\n8,Town02,,,\n")
    facts = read_route_facts("x", tmp_path)
    assert facts["7"] == RouteFacts(xml_id="7", town="Town01", scenario="Accident", junction_point=12, plan_points=100)
    assert (facts["8"].scenario, facts["8"].junction_point, facts["8"].plan_points) == ("", None, None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "line 1"),
        ("id,town\n", "line 1: found .*'town'.*, expected xml_id,town"),
        (f"{HEAD}\n7,Town01\n", "line 2: found '7,Town01'"),
        (f"{HEAD}\n7,Town01,Accident,-3,100\n", "line 2: found '7,Town01,Accident,-3,100'"),
    ],
)
def test_a_malformed_table_is_refused_by_line(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(RouteError, match=found):
        read_route_facts("x", tmp_path)
    with pytest.raises(RouteError, match="cannot read the table of routes"):
        read_route_facts("y", tmp_path)
