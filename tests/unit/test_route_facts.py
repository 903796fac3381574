"""The tables of routes beside the manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import SUITES_DIR
from harness.errors import RouteError
from harness.metrics.bench2drive import ABILITIES, TRAFFIC_SIGNS
from harness.route_facts import (
    COLUMNS,
    RouteFacts,
    junction_percent,
    read_junctions,
    read_route_facts,
    render_route_facts,
)
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


# --- tables of junctions that somebody made --------------------------------------------------------------------------

SUITE = ("7", "8", "2091")


def junctions(folder: Path, content: str | bytes) -> dict[str, float]:
    file = folder / "j.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_junctions(file, SUITE)


def test_a_table_of_junctions_is_read(tmp_path: Path) -> None:
    assert junctions(tmp_path, "xml_id,percent\n2091,34.5\n7,100\n8,103.25\n") == {"2091": 34.5, "7": 100, "8": 103.25}
    assert junctions(tmp_path, "xml_id,percent\n7,0.5\n8,1.5\n") == {"7": 0.5, "8": 1.5}


def test_what_editors_add_to_a_table_of_junctions_is_passed_over(tmp_path: Path) -> None:
    text = '\ufeff\r\n"xml_id","percent"\r\n\r\n2091,"10"\r\n  \r\n\r\n'
    assert junctions(tmp_path, text) == {"2091": 10.0}


PLAIN = "expected a plain decimal number above 0 and up to 200"
HEADINGS = "expected xml_id,percent"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", f"line 1: found '', {HEADINGS}"),
        ("\n\nxml_id, percent\n7,10\n", f"line 3: found 'xml_id, percent', {HEADINGS}"),
        ("percent,xml_id\n10,7\n", f"line 1: found 'percent,xml_id', {HEADINGS}"),
        ("xml_id,percent\n\n", "line 1: found no row below the headings, expected at least one"),
        ("xml_id,percent\n7\n", f"line 2: found '7', {HEADINGS}"),
        ("xml_id,percent\n7,10,x\n", f"line 2: found '7,10,x', {HEADINGS}"),
        ("xml_id,percent\n,\n", "line 2: found xml_id '', expected one of the 3 of the suite"),
        ("xml_id,percent\n\n9,10\n", "line 3: found xml_id '9', expected one of the 3 of the suite"),
        ("xml_id,percent\n02091,10\n", "line 2: found xml_id '02091', expected one of the 3 of the suite"),
        ("xml_id,percent\n2091,10\n7,5\n2091,10\n", "line 4: found xml_id '2091' of line 2 again, expected each once"),
        *(
            (f"xml_id,percent\n7,10\n2091,{text}\n", f"line 3: found percent {text!r}, {PLAIN}")
            for text in (
                "-5",
                "0",
                "0.0",
                "200.01",
                "1e300",
                "1e1",
                "1_0",
                "+10",
                " 10",
                "10.",
                ".5",
                "nan",
                "\u0661",
                "",
            )
        ),
        ("xml_id,percent\n7," + "9" * 400 + "\n", "line 2: found percent '99999"),
        ("xml_id,percent\n7,0.35\n8,1\n", "line 2: found no number above 1 in 2 row(s), expected percent"),
        ('xml_id,percent\n7,"10\n', "line 2: found unexpected end of data, expected CSV"),
        ("xml_id,percent\n7\x1b[31m,10\n", r"line 2: found xml_id '7\x1b[31m'"),
    ],
)
def test_a_table_of_junctions_that_is_wrong_is_refused_by_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(RouteError) as caught:
        junctions(tmp_path, content)
    assert caught.value.message.startswith(f"table of junctions {tmp_path / 'j.csv'} {said}")
    assert len(caught.value.message) < 300 and caught.value.message.isprintable()
    assert caught.value.hint == ("write 35 for 0.35" if "0.35" in content else "docs/scores.md describes the table")


def test_a_table_of_junctions_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    for content in (b"xml_id,percent\n7,\xff\n", b"xml_id,percent\n" + b"\n" * 1_000_000):
        with pytest.raises(RouteError, match=f"cannot read the table of junctions {tmp_path / 'j.csv'}: "):
            junctions(tmp_path, content)
    with pytest.raises(RouteError, match=r"cannot read the table of junctions .*gone\.csv: expected a file"):
        read_junctions(tmp_path / "gone.csv", SUITE)


@given(
    st.dictionaries(st.sampled_from(SUITE), st.floats(0.01, 200.0).map(lambda each: round(each, 4)), min_size=1),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_any_table_of_percentages_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, percents: dict[str, float], end: str
) -> None:
    rows = ["xml_id,percent", *(f"{xml_id},{percent}" for xml_id, percent in percents.items())]
    folder = tmp_path_factory.mktemp("junctions")
    if max(percents.values()) > 1.0:
        assert junctions(folder, end.join(rows)) == percents
        # The same as shares of 1, to the last digit.
        rows = ["xml_id,percent", *(f"{xml_id},{percent / 200:.8f}" for xml_id, percent in percents.items())]
    with pytest.raises(RouteError, match="expected percent"):
        junctions(folder, end.join(rows))
