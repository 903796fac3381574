"""harness navsim as a user meets it: whole text, tables, JSON, exit codes, one line per error."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness import __version__
from harness.cli import cli
from harness.errors import HarnessError
from tests.unit.results.drawn import write
from tests.unit.results.navsim_csv import EC, EP, LK, NC, TTC, V2, C, row, two_stages, v1, v2


def navsim(*arguments: object) -> Result:
    """Run the command in this process; errors are raised."""
    return CliRunner().invoke(cli, ["navsim", *map(str, arguments)], standalone_mode=False, catch_exceptions=False)


def draw(folder: Path) -> Path:
    """Version 1: scores of 0.75, 0.5 and 10/12, of which the file states the last as 0."""
    odd = {**row(3, **{C: 0.0}), "score": 0.0}
    return write(folder / "a.csv", v1(row(1, **{EP: 0.4}), row(2, **{NC: 0.5}), odd))


V1_TEXT = """\
NAVSIM v1: PDMS = NC DAC (5 EP + 5 TTC + 2 C) / 12
tokens: 3, and 0 on which the agent failed, in 1 file
PDMS 69.44 (100 x mean over 3 tokens)
  NC 83.33, DAC 100.00, DDC 100.00, EP 80.00, TTC 100.00, C 66.67
  by the scores in the files: 41.67
audit: 2 of 3 scores follow from their sub-scores (tolerance 1e-06)
  token 0000000000000003: found score 0.000000, expected 0.833333 (a.csv line 4)
"""
V2_TEXT = """\
NAVSIM v2: EPDMS = NC DAC DDC TLC (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16
tokens: 2, and 1 on which the agent failed, in 1 file
EPDMS 82.14 (100 x mean over 2 tokens)
  NC 100.00, DAC 100.00, DDC 100.00, TLC 100.00, EP 100.00, TTC 50.00, LK 100.00, HC 100.00, EC 100.00
  EC over 1 of 2 tokens; the others have none, and their divisor is 14
audit: 2 of 2 scores follow from their sub-scores (tolerance 1e-06)
failed: 0000000000000003 (a.csv line 4)
"""
HARD_TEXT = """\
NAVSIM v2 with two stages: EPDMS = NC DAC DDC TLC (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16
tokens: 2 of stage one and 1 of stage two, and 0 on which the agent failed, in 1 file
stage one: EPDMS 93.75 (100 x mean over 2 tokens)
  NC 100.00, DAC 100.00, DDC 100.00, TLC 100.00, EP 100.00, TTC 100.00, LK 50.00, HC 100.00, EC 100.00
as stated, not recomputed, since the weights of the scenes are in no file: stage two 42.59, combined 33.28
audit: 3 of 3 scores follow from their sub-scores (tolerance 1e-06)
"""


def test_the_text_of_version_1(tmp_path: Path) -> None:
    answer = navsim(draw(tmp_path))
    assert (answer.return_value, answer.stdout.replace(f"{tmp_path}/", ""), answer.stderr) == (0, V1_TEXT, "")


def test_the_text_of_version_2_has_no_score_of_an_incomplete_set_unless_asked_for(tmp_path: Path) -> None:
    rows = [row(1, columns=V2, **{EC: None, TTC: 0.0}), row(2, columns=V2), row(3, columns=V2, is_valid=False)]
    file = write(tmp_path / "a.csv", v2(*rows))
    asked = navsim(file, "--allow-partial")
    assert (asked.return_value, asked.stdout.replace(f"{tmp_path}/", "")) == (3, V2_TEXT)
    first, second, *_, audit, failed = V2_TEXT.splitlines(keepends=True)
    withheld = "no score of an incomplete set; --allow-partial prints it with its divisor\n"
    plain = navsim(file)
    assert (plain.return_value, plain.stdout.replace(f"{tmp_path}/", "")) == (
        3,
        "".join([first, second, withheld, audit, failed]),
    )


def test_the_text_of_two_stages(tmp_path: Path) -> None:
    first = [row(1, columns=V2), row(2, columns=V2, **{LK: 0.0})]
    file = write(tmp_path / "a.csv", two_stages(first, [row(3, columns=V2)], two=0.425914, combined=0.332815))
    answer = navsim(file)
    assert (answer.return_value, answer.stdout) == (0, HARD_TEXT)


def test_a_file_that_may_be_cut_is_named(tmp_path: Path) -> None:
    whole = draw(tmp_path).read_text()
    file = write(tmp_path / "cut.csv", whole[: whole.index("3,average")])
    answer = navsim(file)
    assert answer.return_value == 3
    assert f"problem: no averages below the tokens, so they may be cut: {file}\n" in answer.stdout
    assert "PDMS 69.44" not in answer.stdout


def test_json_is_one_envelope_with_all_mismatches(tmp_path: Path) -> None:
    answer = navsim(draw(tmp_path), "--output", "json")
    document = json.loads(answer.stdout)
    assert (document["command"], document["status"], document["exit_code"]) == ("navsim", "success", 0)
    data = document["data"]
    assert (data["version"], data["metric"], data["stages"], data["tokens"]) == ("v1", "PDMS", 1, 3)
    assert data["score"] == pytest.approx(100 * (0.75 + 0.5 + 10 / 12) / 3)
    assert data["stated_score"] == pytest.approx(125 / 3)
    assert data["subscores"][EP] == {"mean": pytest.approx(80.0), "tokens": 3}
    (mismatch,) = data["mismatches"]
    assert (mismatch["token"], mismatch["found"], mismatch["expected"]) == ("0" * 15 + "3", 0.0, pytest.approx(10 / 12))
    assert data["files"][0]["averages"] == {"average": pytest.approx(1.25 / 3)}


def test_json_of_an_incomplete_set_has_no_means_unless_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", v1(row(1), row(2, is_valid=False)))
    plain = json.loads(navsim(file, "--output", "json").stdout)
    assert (plain["status"], plain["exit_code"], plain["data"]["score"]) == ("partial", 3, None)
    assert plain["data"]["subscores"][NC] == {"mean": None, "tokens": 1}
    assert plain["data"]["invalid"] == ["0" * 15 + "2"]
    asked = json.loads(navsim(file, "--output", "json", "--allow-partial").stdout)
    assert (asked["exit_code"], asked["data"]["score"]) == (3, 100.0)


TABLE = """\
| agent | PDMS | NC | DAC | DDC | EP | TTC | C | tokens | failed |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| A | 69.44 | 83.33 | 100.00 | 100.00 | 80.00 | 100.00 | 66.67 | 3 | 0 |
| B | - | - | - | - | - | - | - | 1 | 1 |

- NAVSIM v1; 100 x mean over the tokens
- A: from 1 file(s), digest {}, carla-harness {}
- B: from 1 file(s), digest {}, carla-harness {}
"""


def test_several_agents_make_a_table(tmp_path: Path) -> None:
    part = write(tmp_path / "b.csv", v1(row(1), row(2, is_valid=False)))
    agents = (f"A={draw(tmp_path)}", f"B={part}")
    answer = navsim(*agents)
    digests = re.findall(r"digest ([0-9a-f]{16}),", answer.stdout)
    assert len(set(digests)) == 2
    table = TABLE.format(digests[0], __version__, digests[1], __version__)
    assert (answer.return_value, answer.stdout) == (3, table)
    assert "| B | 100.00 | 100.00 |" in navsim(*agents, "--allow-partial").stdout
    rows = list(csv.reader(navsim(*agents, "--output", "csv").stdout.splitlines()))
    assert [each[:2] for each in rows] == [["agent", "PDMS"], ["A", "69.44"], ["B", "-"]]
    assert r"A & 69.44 & 83.33 &" in navsim(agents[0], "--output", "latex").stdout
    data = json.loads(navsim(*agents, "--output", "json").stdout)["data"]["agents"]
    assert (list(data), data["A"]["tokens"], data["B"]["score"]) == (["A", "B"], 3, None)


@pytest.mark.parametrize("form", ["markdown", "latex", "csv"])
def test_the_name_of_an_agent_tears_no_row(tmp_path: Path, form: str) -> None:
    name = "a|b\n# c\x1b[31m"
    lines = navsim(f"{name}={draw(tmp_path)}", "--output", form).stdout.splitlines()
    plain = navsim(f"x={tmp_path / 'a.csv'}", "--output", form).stdout.splitlines()
    assert len(lines) == len(plain)
    (row,) = (line for line in lines if " 69.44" in line or ",69.44" in line)
    assert "\x1b" not in row
    told = {
        "markdown": r"| a\|b\\n# c\\x1b\[31m |",
        "latex": r"a\textbar{}b\textbackslash{}n\# c\textbackslash{}x1b[31m &",
        "csv": r"a|b\n# c\x1b[31m,",
    }
    assert row.startswith(told[form])


def test_agents_of_two_kinds_are_named_on_one_line(tmp_path: Path) -> None:
    other = write(tmp_path / "b.csv", v2(row(9, columns=V2)))
    with pytest.raises(HarnessError) as caught:
        navsim(f"a\nb={draw(tmp_path)}", f"c={other}")
    assert caught.value.message.startswith(r"found a\nb of NAVSIM v1 and c of NAVSIM v2, expected one kind")


def test_a_table_of_two_stages_says_what_is_only_stated(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", two_stages([row(1, columns=V2)], [row(3, columns=V2)], two=0.4, combined=0.3))
    text = navsim(file, "--output", "markdown").stdout
    assert text.startswith("| agent | EPDMS stage one | stage two | combined | NC | DAC |")
    assert "| a | 100.00 | 40.00 | 30.00 | 100.00 |" in text
    assert "sub-scores are of stage one; stage two and combined as the files state them" in text


def test_bad_input_is_one_line_and_exit_2(tmp_path: Path) -> None:
    file = write(tmp_path / "bad.csv", v1(row(1)).replace("True", "perhaps"))
    for arguments, text in (
        ([file], f"{file} line 2: found valid 'perhaps', expected True or False"),
        ([tmp_path / "gone.csv"], f"found no {tmp_path / 'gone.csv'}, expected a file, folder or archive"),
        ([draw(tmp_path), write(tmp_path / "b.csv", v2(row(9, columns=V2)))], "expected one kind"),
        ([f"A={draw(tmp_path)}", f"B={tmp_path / 'b.csv'}"], "found A of NAVSIM v1 and B of NAVSIM v2, expected"),
    ):
        with pytest.raises(HarnessError) as caught:
            navsim(*arguments)
        assert caught.value.exit_code == 2 and caught.value.hint
        assert text in caught.value.message
