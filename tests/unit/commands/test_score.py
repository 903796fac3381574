"""harness score with any bytes as input: one line that names the file, an exit code that says how it ended."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import cli
from harness.errors import HarnessError
from tests.unit.results.drawn import as_bytes, checkpoint, record, write

FORMS = ("text", "json", "markdown", "csv", "latex")


def run(*arguments: object) -> tuple[int, str]:
    """Return exit code and text; an error that is none of ours is raised."""
    try:
        answer = CliRunner().invoke(cli, ["score", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)
    except HarnessError as error:
        return error.exit_code, error.message
    return int(answer.return_value), answer.output


def test_truncation_at_every_byte_names_the_file(tmp_path: Path) -> None:
    whole = as_bytes(checkpoint([record(1)]))
    sound = write(tmp_path / "sound.json", checkpoint([record(2)]))
    for length in range(0, len(whole)):
        cut = write(tmp_path / "cut.json", whole[:length])
        code, said = run(cut, "--bench", "mini")
        assert code == 2 and str(cut) in said and "\n" not in said, length
        if length % 9 == 0:
            code, said = run(sound, cut, "--bench", "mini")
            assert code == 3 and f"problem: {cut}" in said, length


VALUES: list[Any] = [None, True, -1, 1e308, 10**400, "", "x" * 10_000, [], [[]], {}, {"a": {}}, "\x1b[2J\ud800"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
def test_a_wrong_value_anywhere_names_the_file(tmp_path: Path, value: Any) -> None:
    """Each value of a file is replaced in turn, whatever it means."""
    sound = write(tmp_path / "sound.json", checkpoint([record(2)]))
    for number, changed in enumerate(_with_each_replaced(checkpoint([record(1)]), value)):
        file = write(tmp_path / "changed.json", json.dumps(changed))
        for form in FORMS if number % 7 == 0 else FORMS[:2]:
            code, said = run(sound, file, "--bench", "mini", "--allow-partial", "--output", form)
            assert code == 3
            assert form != "json" or json.loads(said)["data"]["schema"] == 1


def _with_each_replaced(document: Any, value: Any) -> list[Any]:
    if isinstance(document, dict):
        items: list[tuple[Any, Any]] = list(document.items())
        return [value, *({**document, key: new} for key, old in items for new in _with_each_replaced(old, value))]
    if isinstance(document, list):
        return [
            value,
            *(
                [*document[:index], new, *document[index + 1 :]]
                for index, old in enumerate(document)
                for new in _with_each_replaced(old, value)
            ),
        ]
    return [value]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_table_of_junctions(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        results = write(Path(name, "a.json"), checkpoint([record("1711")]))
        table = write(Path(name, "j.csv"), b"xml_id,percent\n" + data)
        code, said = run(results, "--bench", "bench2drive", "--junctions", table)
        assert code == 3 or (code == 2 and "j.csv" in said and "\n" not in said.strip())


def test_json_is_one_document_though_saving_fails(tmp_path: Path) -> None:
    results = write(tmp_path / "a.json", checkpoint([record(1)]))
    (tmp_path / "out" / "scores.csv").mkdir(parents=True)
    arguments = (results, "--bench", "mini", "--output", "json", "--save", tmp_path / "out")
    with pytest.raises(HarnessError, match=r"cannot write .*scores.csv: found a folder") as caught:
        CliRunner().invoke(cli, ["score", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)
    assert caught.value.exit_code
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["scores.csv"], "no form before all are ready"


def test_an_empty_path_is_a_variable_that_is_not_set(tmp_path: Path) -> None:
    results = write(tmp_path / "a.json", checkpoint([record(1)]))
    for arguments in (("",), (results, "--save", ""), ("--compare", "", str(results)), ("X=",)):
        with pytest.raises(click.UsageError, match="empty path"):
            CliRunner().invoke(
                cli, ["score", "--bench", "mini", *map(str, arguments)], standalone_mode=False, catch_exceptions=False
            )


def test_what_cannot_show_a_comparison_says_so(tmp_path: Path) -> None:
    results = write(tmp_path / "a.json", checkpoint([record(1)]))
    arguments = ["score", "--bench", "mini", f"A={results}", f"B={results}", "--compare", "A", "B"]
    for form in ("csv", "latex"):
        with pytest.raises(click.UsageError, match="expected text, json, markdown or html"):
            CliRunner().invoke(cli, [*arguments, "--output", form], standalone_mode=False, catch_exceptions=False)
    for form in ("text", "markdown"):
        assert "no comparison with an incomplete set" in run(*arguments[1:], "--output", form)[1]
        assert "B against A on 1 routes" in run(*arguments[1:], "--output", form, "--allow-partial")[1]
    silent, asked = (
        json.loads(run(*arguments[1:], "--output", "json", *more)[1])["data"] for more in ((), ("--allow-partial",))
    )
    assert (silent["comparison"], silent["agents"]["A"]["official"]) == (None, None)
    assert (asked["comparison"]["routes"], asked["agents"]["A"]["found"]) == (1, 1)


def test_a_name_cannot_draw_on_the_terminal(tmp_path: Path) -> None:
    results = write(tmp_path / "a.json", checkpoint([record(1)]))
    name = "\x1b[31mred\n:car:[b]"
    for form in (*FORMS, "html"):
        _, said = run(f"{name}={results}", f"B={results}", "--bench", "mini", "--output", form, "--allow-partial")
        assert "\x1b" not in said and "car:" in said, form
