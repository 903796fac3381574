"""Tables of agents in other programs' formats."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stages.score_table import Table, as_csv, as_latex, as_markdown, split_agents

CELLS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)


def _table(rows: list[tuple[str, str]]) -> Table:
    sources = tuple(f"from file {number}" for number in range(len(rows)))
    return Table(headings=("agent", "DS"), rows=tuple(rows), notes=("a note",), sources=sources)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_csv_gives_back_every_cell(rows: list[tuple[str, str]]) -> None:
    read = list(csv.reader(io.StringIO(as_csv(_table(rows)), newline="")))
    lines = [(*row, f"from file {number}") for number, row in enumerate(rows)]
    assert [tuple(row) for row in read] == [("agent", "DS", "source"), *lines]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_no_cell_breaks_a_row_of_markdown(rows: list[tuple[str, str]]) -> None:
    lines = as_markdown(_table(rows)).split("\n")
    assert len(lines) == 2 + len(rows) + 2 * (1 + len(rows)) + 1
    for line in lines[: 2 + len(rows)]:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3, line


def test_latex_prints_what_it_would_take_for_commands() -> None:
    found = as_latex(_table([("a_b & 50% #1 $x ~^{}" + "\\", "1.0")]))
    assert r"a\_b \& 50\% \#1 \$x \textasciitilde{}\textasciicircum{}\{\}\textbackslash{} & 1.0 \\" in found
    assert found.startswith("\\begin{tabular}{lr}\n\\toprule\nagent & DS \\\\\n\\midrule\n")
    assert found.endswith("\\bottomrule\n\\end{tabular}\n% a note\n% from file 0\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["x/a.tar.gz", "b"], {"a": ["x/a.tar.gz", "b"]}),
        (["A=a", "B=b", "A=c"], {"A": ["a", "c"], "B": ["b"]}),
        (["A=x", "a/A", "B=y"], {"A": ["x"], "A'": ["a/A"], "B": ["y"]}),
        (["there=is"], {"there=is": ["there=is"]}),
        (["=a"], {"=a": ["=a"]}),
        (["A=x=y"], {"A": ["x=y"]}),
        ([".."], {"..": [".."]}),
    ],
)
def test_an_agent_has_a_name_unless_the_path_is_there(arguments: list[str], expected: dict[str, list[str]]) -> None:
    assert split_agents(arguments, lambda path: path == "there=is") == expected
