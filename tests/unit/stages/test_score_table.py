"""Tables of agents in other programs' formats."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.results.result_set import shown
from harness.stages.score_table import Table, as_csv, as_latex, as_markdown, split_agents

ANY_TEXT = st.text(max_size=12) | st.text("&%$#_{}~^\\[]*<>|` -+=@'\"\t\n\r\x85\u2028a1.", max_size=8)


def _table(rows: list[tuple[str, str]]) -> Table:
    sources = tuple(f"from file {number}" for number in range(len(rows)))
    return Table(headings=("agent", "DS"), rows=tuple(rows), notes=("a note",), sources=sources)


FORMULAS = st.sampled_from(["=", "+", "-", "@", "\t", "\r"]).flatmap(
    lambda sign: ANY_TEXT.map(lambda text: sign + text)
)


def _read_back(rows: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    sources = tuple(f"from file {number}" for number in range(len(rows)))
    found = list(csv.reader(io.StringIO(as_csv(_table(rows)), newline="")))
    assert found[0] == ["agent", "DS", "source"]
    assert tuple(row[-1] for row in found[1:]) == sources
    return [tuple(row[:-1]) for row in found[1:]]


@given(st.lists(st.tuples(ANY_TEXT | FORMULAS, ANY_TEXT | FORMULAS), max_size=5))
def test_csv_gives_back_every_cell_but_for_the_apostrophe_of_formulas(rows: list[tuple[str, str]]) -> None:
    found = _read_back(rows)
    assert len(found) == len(rows)
    for cell, read in zip(itertools.chain(*rows), itertools.chain(*found), strict=True):
        if cell[:1] in set("=+-@\t\r") and read == cell:
            digits = cell.lstrip("+-").rstrip("% /abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
            assert cell == "-" or (cell[0] in "+-" and math.isfinite(float(digits))), cell
        else:
            assert read == (f"'{cell}" if cell[:1] in set("=+-@\t\r") else cell)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_a_number_in_csv_stays_one(number: float, digits: int) -> None:
    for text in (
        repr(number),
        f"{number:.{digits}f}",
        f"{number:+.{digits}e}",
        f"{number:+.1f} %",
        f"{number:.2f} km/h",
    ):
        assert _read_back([(text, "-")]) == [(text, "-")]


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1+1",
        "-1-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "-",
        "-cmd|' /C calc'!A0",
        "+A1",
        "-2+3 km",
        "--",
        "-1 ABCDE",
        "=1",
    ],
)
def test_what_a_spreadsheet_would_work_out_is_a_text_in_csv(cell: str) -> None:
    assert _read_back([(cell, "1.0")]) == [(cell if cell == "-" else f"'{cell}", "1.0")]


def test_headings_and_sources_of_csv_are_no_formulas_either() -> None:
    table = Table(headings=("=agent",), rows=(("a",),), notes=(), sources=("@x: from 1 file(s)",))
    assert as_csv(table) == "'=agent,source\r\na,'@x: from 1 file(s)\r\n"


GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _told(text: str) -> str:
    """Return what a reader of Markdown should see of a text: every character, those that no line has as escapes."""
    return shown(text, 1000).strip()


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=4), st.lists(ANY_TEXT, min_size=1, max_size=3), ANY_TEXT)
def test_markdown_shows_every_text_as_it_is(rows: list[tuple[str, str]], sources: list[str], note: str) -> None:
    table = Table(headings=("agent", note), rows=tuple(rows), notes=(note,), sources=tuple(sources))
    tokens = GITHUB.parse(as_markdown(table))
    outermost = [token.type for token in tokens if token.level == 0]
    assert outermost == ["table_open", "table_close", "bullet_list_open", "bullet_list_close"]
    inner = {token.type for token in tokens[tokens.index(next(t for t in tokens if t.type == "bullet_list_open")) :]}
    kinds = ("bullet_list", "list_item", "paragraph")
    assert inner <= {"inline", *(f"{kind}_{end}" for kind in kinds for end in ("open", "close"))}
    assert sum(token.type == "bullet_list_open" for token in tokens) == 1
    texts = [token for token in tokens if token.type == "inline"]
    assert all(child.type == "text" for token in texts for child in token.children or ())
    found = ["".join(child.content for child in token.children or ()).strip() for token in texts]
    cells = ["agent", note, *(cell for row in rows for cell in row)]
    assert found == [*map(_told, cells), *filter(None, map(_told, (note, *sources)))]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("# x: from", r"- \# x: from"),
        ("- x", r"- \- x"),
        ("+ x", r"- \+ x"),
        ("* x", r"- \* x"),
        ("1. x", r"- 1\. x"),
        ("12) x", r"- 12\) x"),
        ("     code", "- code"),
        ("> x", r"- \> x"),
        ("[x](y)", r"- \[x\](y)"),
        ("<b>", r"- \<b\>"),
        ("a_b __c__", r"- a_b \_\_c\_\_"),
        ("~~a~~ $b$ &lt; `c` d|e", r"- \~\~a\~\~ \$b\$ \&lt; \`c\` d\|e"),
        ("x\n# y", r"- x\\n# y"),
        (
            "TFv6: from 6 file(s), rules lb20, carla-harness 0.1.0",
            "- TFv6: from 6 file(s), rules lb20, carla-harness 0.1.0",
        ),
    ],
)
def test_a_source_in_markdown_is_an_item_of_a_list(source: str, line: str) -> None:
    table = Table(headings=("agent",), rows=(), notes=("a note",), sources=(source,))
    assert as_markdown(table) == f"| agent |\n| --- |\n\n- a note\n{line}\n"


def test_latex_prints_what_it_would_take_for_commands() -> None:
    found = as_latex(_table([("a_b & 50% #1 $x ~^{}" + "\\", "1.0")]))
    assert r"a\_b \& 50\% \#1 \$x \textasciitilde{}\textasciicircum{}\{\}\textbackslash{} & 1.0 \\" in found
    assert found.startswith("\\begin{tabular}{lr}\n\\toprule\nagent & DS \\\\\n\\midrule\n")
    assert found.endswith("\\bottomrule\n\\end{tabular}\n% a note\n% from file 0\n")


ESCAPED = re.compile(r"\\text(?:backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]")


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=4), ANY_TEXT, ANY_TEXT)
def test_nothing_in_a_cell_is_a_command_of_latex(rows: list[tuple[str, str]], heading: str, note: str) -> None:
    table = Table(headings=(heading, "DS"), rows=tuple(rows), notes=(note, "end"), sources=tuple(a for a, _ in rows))
    lines = as_latex(table).splitlines()  # at every kind of line end that there is
    assert len(lines) == 6 + len(rows) + 2 + len(rows)
    frame = ["\\begin{tabular}{lr}", "\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"]
    assert [lines[0], lines[1], lines[3], *lines[4 + len(rows) : 6 + len(rows)]] == frame
    for line in (lines[2], *lines[4 : 4 + len(rows)]):
        assert not line.lstrip().startswith(("[", "*"))
        cells = line.removeprefix("{}").removesuffix(r" \\").split(" & ")
        assert line.endswith(r" \\") and len(cells) == 2
        assert not set(ESCAPED.sub("", "".join(cells))) & set("\\&%$#_{}~^<>|")
        assert line.isprintable()
    assert all(line.startswith("% ") and line.isprintable() for line in lines[6 + len(rows) :])


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("[3cm] TFv6", r"{}[3cm] TFv6 & 1.0 \\"),
        ("*", r"{}* & 1.0 \\"),
        (" [x]", r"{} [x] & 1.0 \\"),
        ("TFv6 [3cm]*", r"TFv6 [3cm]* & 1.0 \\"),
        ("", r" & 1.0 \\"),
        ("a\n\\b", r"a\textbackslash{}n\textbackslash{}b & 1.0 \\"),
        ("a<b>|c", r"a\textless{}b\textgreater{}\textbar{}c & 1.0 \\"),
    ],
)
def test_a_row_of_latex_is_no_argument_of_the_one_above(name: str, row: str) -> None:
    assert as_latex(_table([(name, "1.0")])).splitlines()[4] == row


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_comment_of_latex_cannot_end_before_its_line_does(end: str) -> None:
    table = Table(headings=("agent",), rows=(), notes=(f"x{end}\\input{{y}}",), sources=())
    assert as_latex(table).splitlines()[-1] == f"% x{ascii(end)[1:-1]}\\input{{y}}"


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
