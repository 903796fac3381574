"""The tables of routes beside the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import SUITES_DIR
from harness.errors import RouteError
from harness.route_facts import COLUMNS, RouteFacts, read_route_facts
from harness.suites import list_suites, load_suite

HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize("suite", list_suites(SUITES_DIR))
def test_every_suite_has_a_table_of_its_routes(suite: str) -> None:
    loaded, facts = load_suite(suite, SUITES_DIR), read_route_facts(suite, SUITES_DIR)
    assert sorted(facts) == sorted(route.route_id for route in loaded.routes)
    if loaded.source == "data":  # the towns of mini are its own and in no manifest
        assert {each.town for each in facts.values()} == set(loaded.facts.towns)


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
