"""NAVSIM's CSV files: what is read, and that whatever is not as NAVSIM writes it is refused by file and line."""

from __future__ import annotations

import math
import os
import random
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.metrics.navsim import ExtendedSubscores, PdmSubscores, Stage, Version, mismatches
from harness.results import navsim_files
from harness.results.navsim_files import NavsimFile, read_navsim
from tests.unit.results.drawn import pack, write
from tests.unit.results.navsim_csv import DDC, EC, EP, LK, NC, TTC, V1, V2, C, row, text_of, two_stages, v1, v2

WHOLE = v1(row(1, **{EP: 0.89}), row(2, **{NC: 0.5, DDC: 0.0}), row(3, is_valid=False))


def read(path: Path) -> NavsimFile:
    (file,), notes = read_navsim([path])
    assert not notes
    return file


def refused(path: Path, content: str | bytes) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(ConfigError) as caught:
        read_navsim([write(path / "a.csv", content)])
    assert caught.value.hint
    text = caught.value.message
    assert text.isprintable() and "expected" in text
    assert text.startswith(str(path / "a.csv"))
    return text.removeprefix(f"{path}/")


def test_version_1(tmp_path: Path) -> None:
    file = read(write(tmp_path / "a.csv", WHOLE))
    assert (file.version, file.has_stages) == (Version.V1, False)
    first, second, failed = file.tokens
    assert first.subscores == PdmSubscores(
        no_at_fault_collisions=1.0,
        drivable_area_compliance=1.0,
        ego_progress=0.89,
        time_to_collision_within_bound=1.0,
        comfort=1.0,
        driving_direction_compliance=1.0,
    )
    assert (first.token, first.place) == ("0000000000000001", f"{tmp_path / 'a.csv'} line 2")
    assert second.stated == 0.5
    assert (failed.subscores, failed.stated, failed.stage) == (None, None, None)
    assert file.summaries == {"average": pytest.approx((5 * 0.89 + 7) / 24 + 0.25)}


def test_version_2_without_a_frame_before(tmp_path: Path) -> None:
    file = read(write(tmp_path / "a.csv", v2(row(1, columns=V2, **{EC: None}), row(2, columns=V2, **{LK: 0.0}))))
    assert (file.version, file.has_stages) == (Version.V2, False)
    assert isinstance(file.tokens[0].subscores, ExtendedSubscores)
    assert file.tokens[0].subscores.two_frame_extended_comfort is None
    assert not mismatches(file.tokens)
    assert list(file.summaries) == ["average_all_frames"]


def test_two_stages(tmp_path: Path) -> None:
    first, second = [row(1, columns=V2), row(2, columns=V2, is_valid=False)], [row(3, columns=V2, **{TTC: 0.0})]
    file = read(write(tmp_path / "a.csv", two_stages(first, second, two=0.4, combined=0.3)))
    assert (file.version, file.has_stages) == (Version.V2, True)
    assert [token.stage for token in file.tokens] == [Stage.ONE, None, Stage.TWO]
    assert file.tokens[2].stated == pytest.approx(11 / 16)
    assert file.summaries["extended_pdm_score_combined"] == 0.3


def test_averages_over_stages_that_are_void_say_nothing(tmp_path: Path) -> None:
    text = two_stages([row(1, columns=V2)], [], two=0.4, combined=0.3)
    void = text.replace("combined,True", "combined,False")
    assert read(write(tmp_path / "a.csv", void)).summaries == {
        "extended_pdm_score_stage_one": 1.0,
        "extended_pdm_score_stage_two": 0.4,
        "extended_pdm_score_combined": None,
    }
    # In one stage it only says that the agent has failed somewhere.
    assert read(write(tmp_path / "b.csv", WHOLE)).summaries["average"] is not None


def test_columns_of_others_in_any_order_are_passed_over(tmp_path: Path) -> None:
    columns = ["rank", *reversed(V1), "remark"]
    each = {**row(1), "rank": 0, "remark": 'a "quoted", remark\nof two lines'}
    file = read(write(tmp_path / "a.csv", text_of([each, {**row(2), "token": "00000000000000bb"}], columns)))
    assert [token.place[-6:] for token in file.tokens] == ["line 3", "line 4"]
    assert not mismatches(file.tokens)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_of_other_systems_change_nothing(tmp_path: Path, end: str, mark: bytes) -> None:
    plain = read(write(tmp_path / "a.csv", WHOLE))
    other = read(write(tmp_path / "b.csv", mark + WHOLE.replace("\n", end).encode()))
    assert [token.subscores for token in other.tokens] == [token.subscores for token in plain.tokens]
    assert other.summaries == plain.summaries


def test_a_file_without_an_index_is_read_behind_a_mark_too(tmp_path: Path) -> None:
    bare = "".join(line.partition(",")[2] for line in WHOLE.splitlines(keepends=True))
    assert bare.startswith("token,")
    file = read(write(tmp_path / "a.csv", b"\xef\xbb\xbf" + bare.encode()))
    assert len(file.tokens) == 3


def changed(number: int, column: str, text: str) -> str:
    """Return the whole file with one cell of a line replaced."""
    lines = WHOLE.splitlines()
    cells = lines[number - 1].split(",")
    cells[lines[0].split(",").index(column)] = text
    lines[number - 1] = ",".join(cells)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("number", "column", "text", "expected"),
    [
        (2, EP, "", f"found {EP} '', expected a number from 0 to 1"),
        (2, EP, "nan", f"found {EP} 'nan', expected a number from 0 to 1"),
        (2, EP, "inf", f"found {EP} 'inf'"),
        (2, EP, "-0.1", f"found {EP} '-0.1'"),
        (2, EP, "1.1", f"found {EP} '1.1'"),
        (2, EP, "1e999", f"found {EP} '1e999'"),
        (2, EP, "9" * 5000, f"found {EP} '9999"),
        (2, EP, "1_0", f"found {EP} '1_0'"),
        (2, EP, " 1", f"found {EP} ' 1'"),
        (2, EP, "\u0661", f"found {EP} '\u0661'"),
        (2, EP, "True", f"found {EP} 'True'"),
        (2, "score", "", "found score ''"),
        (2, "score", "\x1b[2J", r"found score '\x1b[2J'"),
        (5, "score", "x", "found score 'x'"),
        (2, "valid", "", "found valid '', expected True or False"),
        (2, "valid", "1.0", "found valid '1.0'"),
        (2, "token", "", "found token '', expected hexadecimal digits, or one of average,"),
        (2, "token", "overall_average", "found token 'overall_average'"),
        (2, "token", '"a,b"', "found token 'a,b'"),
        (2, "token", '"a', "found unexpected end of data, expected CSV"),
        (2, "token", '"a"b', "expected CSV"),
        (3, "token", "0000000000000001", "found token 0000000000000001 of line 2 again, expected each token once"),
        (
            2,
            "token",
            "pseudo_closed_loop",
            "found row pseudo_closed_loop of an early NAVSIM 2, which mixes both stages",
        ),
        (2, "token", "1,2", "found 11 columns, expected 10 as in the header"),
    ],
)
def test_a_cell_that_is_wrong_is_named_with_its_line(
    tmp_path: Path, number: int, column: str, text: str, expected: str
) -> None:
    found = refused(tmp_path, changed(number, column, text))
    line = 5 if text == '"a' else number  # an open quote reaches to the end
    assert found.startswith(f"a.csv line {line}: ")
    assert expected in found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "line 1: found an empty file, expected CSV"),
        (b" \n", "line 1: found 2 blank or zero bytes, expected CSV"),
        (bytes(64), "line 1: found 64 blank or zero bytes"),
        (WHOLE.encode("utf-16"), "line 1: found a byte that is not UTF-8, expected UTF-8"),
        (WHOLE.encode().replace(b"average", b"av\xffrage"), "line 5: found a byte that is not UTF-8"),
        (b"token,valid,score\n", f"line 1: found no column {NC}, drivable_area_compliance, {EP}, ..., expected the"),
        (WHOLE.replace(",", ";").encode(), "line 1: found no column token, valid, score, ..., expected the columns"),
        (WHOLE.replace(C, "komfort").encode(), f"line 1: found no column {C}, expected the columns of NAVSIM v1"),
        (v2(row(1, columns=V2)).replace(LK, "x").encode(), f"found no column {LK}, expected the columns of NAVSIM v2"),
        (
            two_stages([row(1, columns=V2)], [], two=0, combined=0).replace(f"{LK}_stage_two", "x").encode(),
            f"found no column {LK}_stage_two, expected the columns of NAVSIM v2 with two stages",
        ),
        (WHOLE.replace(C, EP).encode(), f"line 1: found column '{EP}' twice, expected each column once"),
        (text_of([row(1)], sorted({*V1, *V2})).encode(), "line 1: found the columns of NAVSIM v1 and v2, expected"),
        (text_of([], V1).encode(), "line 1: found no token, expected at least one"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "line 1: found a byte that is not UTF-8"),
        (b"x" * 300_000, "found field larger than field limit (131072), expected CSV"),
    ],
)
def test_a_file_that_is_wrong_says_why(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in refused(tmp_path, content)


@pytest.mark.parametrize(("first", "second", "count"), [(True, True, 2), (False, False, 0)])
def test_a_row_of_two_stages_has_one(tmp_path: Path, first: bool, second: bool, count: int) -> None:
    text = two_stages([row(1, columns=V2)], [row(2, columns=V2)], two=0.5, combined=0.5)
    lines = text.splitlines()
    ones = ["1.0"] * 9
    lines[1] = ",".join(
        ["0", "0000000000000001", "True", *(ones if first else [""] * 9), *(ones if second else [""] * 9), "1.0"]
    )
    assert f"line 2: found sub-scores of {count} stages, expected those of one" in refused(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("line", [2, 3])
def test_averages_above_a_token_are_no_end_of_the_file(tmp_path: Path, line: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    lines.insert(line - 1, lines.pop())
    below = f"000000000000000{line - 1}"
    assert refused(tmp_path, "".join(lines)) == (
        f"a.csv line {line + 1}: found token {below} below the row average of line {line}, "
        "expected averages behind the last token, where NAVSIM writes them"
    )


def test_a_token_between_the_averages_of_two_stages_is_named(tmp_path: Path) -> None:
    text = two_stages([row(1, columns=V2)], [row(2, columns=V2)], two=0.4, combined=0.3)
    lines = text.splitlines(keepends=True)
    lines.insert(3, lines.pop(2))
    found = refused(tmp_path, "".join(lines))
    assert (
        "line 4: found token 0000000000000002 below the row extended_pdm_score_stage_one of line 3, expected" in found
    )


def test_a_row_of_averages_that_nobody_knows_is_said_to_be_one(tmp_path: Path) -> None:
    text = f"{WHOLE}4,overall_average,True,{','.join(['1.0'] * 7)}\n"
    assert "line 6: found token 'overall_average', expected hexadecimal digits" in refused(tmp_path, text)


def test_a_token_in_two_files_names_both(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", v1(row(1), row(2)))
    write(tmp_path / "b.csv", v1(row(3), row(2)))
    with pytest.raises(ConfigError) as caught:
        read_navsim([tmp_path])
    assert caught.value.message == (
        f"token 0000000000000002 stands in {tmp_path / 'a.csv'} line 3 and in {tmp_path / 'b.csv'} line 3, "
        "expected it once"
    )


def test_files_of_two_kinds_are_not_one_set(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", v1(row(1)))
    write(tmp_path / "b.csv", v2(row(2, columns=V2)))
    with pytest.raises(ConfigError, match=r"a\.csv is of NAVSIM v1 and .*b\.csv of v2, expected one kind"):
        read_navsim([tmp_path])


def test_folders_and_archives_are_searched_and_other_files_left_out(tmp_path: Path) -> None:
    write(tmp_path / "run" / "2025.01.01" / "a.csv", v1(row(1)))
    write(tmp_path / "run" / "table.csv", "model,params\nx,3\n")
    write(tmp_path / "run" / "units.jsonl", "{")
    write(tmp_path / "run" / "log.txt", "x")
    pack(tmp_path / "run" / "more.tar.gz", {"b/b.csv": v1(row(2)).encode(), "c.json": b"{"})
    files, notes = read_navsim([tmp_path / "run"])
    assert [file.name.removeprefix(f"{tmp_path}/run/") for file in files] == ["2025.01.01/a.csv", "more.tar.gz:b/b.csv"]
    assert [str(note).removeprefix(f"{tmp_path}/run/") for note in notes] == [
        "table.csv: has no column token, so it is not of NAVSIM; not read"
    ]


def test_a_file_is_read_once_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", v1(row(1)))
    files, notes = read_navsim([tmp_path / "a.txt", tmp_path / "a.txt"])
    assert len(files) == 1
    assert "read once" in str(notes[0])


def test_where_there_is_nothing_the_path_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.json", "{}")
    with pytest.raises(ConfigError, match=f"found no CSV file of NAVSIM in {tmp_path}, expected at least one"):
        read_navsim([tmp_path])
    with pytest.raises(ConfigError, match=r"found no .*gone"):
        read_navsim([tmp_path / "gone"])
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ConfigError, match=r"pipe\.csv: found a FIFO, expected a plain file"):
        read_navsim([tmp_path])


def test_a_sparse_file_of_10_gb_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big.csv").open("wb") as file:
        file.truncate(10 * 1024**3)
    started_s = time.monotonic()
    with pytest.raises(ConfigError, match=rf"big\.csv: found {10 * 1024**3} bytes, expected at most"):
        read_navsim([tmp_path])
    assert time.monotonic() - started_s < 1.0


def test_sizes_that_no_split_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navsim_files, "MOST_TOKENS", 2)
    assert "line 4: found more than 2 tokens, expected fewer" in refused(tmp_path, WHOLE)
    monkeypatch.setattr(navsim_files, "LARGEST_BYTES", 100)
    assert f"line 1: found {len(WHOLE)} bytes, expected at most 100" in refused(tmp_path, WHOLE)


def survives(path: Path) -> NavsimFile | None:
    """Read a file that may be damaged: its tokens with numbers from 0 to 1, or one line that says what is wrong."""
    try:
        ((file,), _) = read_navsim([path])
    except ConfigError as error:
        assert error.message.startswith(f"{path} line ") or "stands in" in error.message
        assert error.message.isprintable() and "expected" in error.message and error.hint
        return None
    for token in file.tokens:
        assert (token.stated is None) == (token.subscores is None)
        assert token.stated is None or (math.isfinite(token.stated) and -1e-5 < token.stated < 1.00001)
    return file


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_truncation_at_every_byte_is_named_or_leaves_no_wrong_score(tmp_path: Path, newline: str) -> None:
    whole = v2(row(1, columns=V2, **{EP: 0.123456789}), row(2, columns=V2, **{EC: None, EP: 0.75})).replace(
        "\n", newline
    )
    file = tmp_path / "a.csv"
    full = survives(write(file, whole.encode()))
    assert full is not None
    sound = {token.token: token.subscores for token in full.tokens}
    read_whole = 0
    for size in range(len(whole)):
        found = survives(write(file, whole[:size].encode()))
        if found is None:
            continue
        wrong = {each.token for each in mismatches(found.tokens)}
        for token in found.tokens:
            # What is left of a number is another score than its sub-scores give, or differs by nothing that counts.
            assert token.token in wrong or token.subscores == sound[token.token], size
        read_whole += bool(found.summaries)
    assert 0 < read_whole < 40  # only where the last number itself is cut


CELLS = st.one_of(
    st.text(max_size=8),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", "1.0", "0.5", "True", "average", '"', ",", "\n", "\x00", "nan", "0000000000000001"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), CELLS), min_size=1, max_size=4))
def test_any_cells_of_any_content_are_survived(changes: list[tuple[int, int, str]]) -> None:
    cells = [line.split(",") for line in WHOLE.splitlines()]
    for line, column, text in changes:
        cells[line][column] = text
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(",".join(line) for line in cells)
        survives(write(Path(folder) / "a.csv", text.encode("utf-8", "surrogatepass")))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_noise_is_survived(content: bytes, seed: int) -> None:
    noise = random.Random(seed)
    flipped = bytearray(WHOLE.encode())
    for _ in range(noise.randint(1, 8)):
        flipped[noise.randrange(len(flipped))] = noise.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        survives(write(Path(folder) / "noise.csv", content))
        survives(write(Path(folder) / "flipped.csv", bytes(flipped)))
        survives(write(Path(folder) / "behind.csv", WHOLE.encode() + content))
