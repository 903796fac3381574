"""Damaged and hostile input: always the file's name and what is wrong, never a traceback, never much memory or time."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import socket
import tarfile
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.results import archives
from harness.results.openings import LARGEST_FILE_BYTES
from harness.results.read import read_results
from harness.results.result_set import FileKind, OnDuplicate, Problem, ProblemKind, ResultSet
from tests.unit.results.drawn import as_bytes, checkpoint, pack, record, write


def only_problem(path: Path) -> Problem:
    results = read_results([path])
    (problem,) = results.problems
    assert not results.records
    return problem


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"", ProblemKind.MALFORMED, "found an empty file, expected JSON"),
        (b" \n", ProblemKind.MALFORMED, "found 2 blank or zero bytes, expected JSON"),
        (bytes(64), ProblemKind.MALFORMED, "found 64 blank or zero bytes, expected JSON"),
        (b"{broken", ProblemKind.MALFORMED, "expected complete JSON"),
        (b'{"_checkpoint": {}', ProblemKind.MALFORMED, "found input data was truncated, expected complete JSON"),
        (b'{"_checkpoint": NaN}', ProblemKind.MALFORMED, "expected complete JSON"),
        (b"\xff\xfe{\0", ProblemKind.MALFORMED, "expected complete JSON"),
        (b"[" * 500_000, ProblemKind.MALFORMED, "expected"),
        (b'{"_checkpoint":' * 100_000, ProblemKind.MALFORMED, "found values nested too deeply, expected a few levels"),
        (b'{"_checkpoint": 5}', ProblemKind.MALFORMED, "found `int` at _checkpoint, expected `object`"),
        (b'{"_checkpoint": {}}', ProblemKind.MALFORMED, "found no records in _checkpoint, expected a list of records"),
        (b'{"_checkpoint": {"records": {}}}', ProblemKind.MALFORMED, "found `object` at records, expected `array`"),
        (b'{"_checkpoint": {"records": []}}', ProblemKind.NO_RECORDS, "found no record, expected at least one record"),
        (
            as_bytes(checkpoint([], planned=220)),
            ProblemKind.NO_RECORDS,
            "found no record (0 of 220 routes done, entry_status Finished), expected at least one record",
        ),
    ],
)
def test_a_file_without_a_sound_record_says_why(tmp_path: Path, content: bytes, kind: ProblemKind, text: str) -> None:
    problem = only_problem(write(tmp_path / "7.json", content))
    assert problem.kind is kind
    assert str(problem).startswith(f"{tmp_path / '7.json'}: found ")
    assert text in str(problem)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"route_id": 5}, "found `int` at route_id, expected `str`"),
        ({"route_id": ""}, "found an empty route_id"),
        ({"status": None}, "found `null` at status, expected `str`"),
        ({"status": "Started"}, "found status 'Started', expected Perfect, Completed, Failed or Failed - <reason>"),
        ({"status": "Done\x1b[2J"}, r"found status 'Done\x1b[2J'"),
        ({"scores": []}, "found `array` at scores, expected `object`"),
        ({"scores": {"score_penalty": 1, "score_composed": 1}}, "found no score_route at scores, expected one"),
        (
            {"scores": {"score_route": "100", "score_penalty": 1, "score_composed": 1}},
            "found `str` at scores.score_route",
        ),
        ({"scores": {"score_route": True, "score_penalty": 1, "score_composed": 1}}, "found `bool`"),
        (
            {"scores": {"score_route": 137, "score_penalty": 1, "score_composed": 1}},
            "found score_route 137, expected 0 to 100",
        ),
        ({"scores": {"score_route": 1, "score_penalty": 7, "score_composed": 1}}, "found score_penalty 7"),
        ({"scores": {"score_route": 1, "score_penalty": 1, "score_composed": -3}}, "found score_composed -3"),
        ({"scores": {"score_route": 10**400, "score_penalty": 1, "score_composed": 1}}, "Number out of range"),
        ({"meta": {"route_length": 1e300}}, "found route_length 1e+300"),
        ({"infractions": {"red_light": "text"}}, "found `str` at infractions"),
        ({"infractions": {"red_light": [5]}}, "found `int` at infractions"),
        ({"infractions": None}, "found `null` at infractions"),
        ({"town_name": ["a"]}, "found `array` at town_name"),
    ],
)
def test_one_wrong_record_is_named_and_the_others_count(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    file = write(tmp_path / "a.json", checkpoint([record(1), record(2, **changes), record(3)]))
    results = read_results([file])
    assert [(each.route.xml_id, each.position) for each in results.records] == [("1", 0), ("3", 2)]
    (problem,) = results.problems
    assert (problem.kind, problem.position) == (ProblemKind.WRONG_RECORD, 1)
    assert str(problem).startswith(f"{file} record 1: ")
    assert text in str(problem)
    assert (results.files[0].found, results.files[0].refused) == (2, 1)


def test_a_record_without_infractions_is_no_clean_drive(tmp_path: Path) -> None:
    bare = record(1)
    del bare["infractions"]
    assert "no infractions" in only_problem(write(tmp_path / "a.json", checkpoint([bare]))).found


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        ([5, 9], "found 1 records, progress says 5 done"),
        ("x", "at progress"),
        ([1], "progress [1]"),
        ([-1, 2], "progress [-1, 2]"),
    ],
)
def test_progress_that_does_not_fit_is_named_and_records_count(tmp_path: Path, progress: Any, text: str) -> None:
    content = checkpoint([record()])
    content["_checkpoint"]["progress"] = progress
    results = read_results([write(tmp_path / "a.json", content)])
    assert len(results.records) == 1
    assert [problem.kind for problem in results.problems] == [ProblemKind.INCONSISTENT]
    assert text in str(results.problems[0])


def test_truncation_at_every_byte_is_named(tmp_path: Path) -> None:
    whole = json.dumps(checkpoint([record(1), record(2)]), indent=1).encode()
    file = tmp_path / "a.json"
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        problem = only_problem(file)
        assert (problem.kind, problem.file) == (ProblemKind.MALFORMED, str(file)), size
    file.write_bytes(whole)
    assert len(read_results([file]).records) == 2


def accounted(results: ResultSet) -> None:
    """Every file is there, with its records counted, or with a problem, or known as something else."""
    for file in results.files:
        has_problem = any(problem.file == file.name for problem in results.problems)
        assert file.counted or has_problem or file.kind in (FileKind.OTHER, FileKind.ABILITY, FileKind.METRIC_INFO)
    for problem in results.problems:
        assert problem.file and problem.found and problem.expected
        assert str(problem).isprintable()
    for each in results.records:
        each.route.route_id.encode()
        json.dumps(dict(each.route.messages)).encode()


def replaced(content: Any, number: int, value: Any) -> Any:
    """Return JSON with its n-th value, counted depth first, replaced."""
    count = -1

    def walk(item: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            return value
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        return [walk(inner) for inner in item] if isinstance(item, list) else item

    return walk(content)


def test_any_value_of_any_wrong_type_is_survived(tmp_path: Path) -> None:
    content = {**checkpoint([record(1), record(2)]), "harness": {"suite": "mini", "seed": 3}}
    file = tmp_path / "a.json"
    values = (
        None,
        True,
        -1,
        1e308,
        10**400,
        "text",
        "\ud800",
        "\x00",
        [],
        [[]],
        {},
        {"a": {}},
        float("nan"),
        float("-inf"),
    )
    for number in range(60):
        for value in values:
            write(file, json.dumps(replaced(content, number, value)))
            accounted(read_results([file], on_duplicate=OnDuplicate.ALL))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_checkpoint", "records", "scores", "progress", "harness", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(content=JSON | st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_noise_is_survived(content: Any, seed: int) -> None:
    random_bytes = random.Random(seed)
    sound = bytearray(as_bytes(checkpoint([record(1), record(2)])))
    for _ in range(random_bytes.randint(1, 8)):
        sound[random_bytes.randrange(len(sound))] = random_bytes.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "noise.json", content if isinstance(content, bytes) else json.dumps(content))
        write(Path(folder) / "flipped.json", bytes(sound))
        accounted(read_results([Path(folder)], on_duplicate=OnDuplicate.ALL))


def test_a_sparse_file_of_10_gb_is_refused_unread(tmp_path: Path) -> None:
    for name in ("big.json", "big.tar"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(10 * 1024**3)
    started_s = time.monotonic()
    results = read_results([tmp_path])
    assert time.monotonic() - started_s < 1.0
    assert [problem.kind for problem in results.problems] == [ProblemKind.TOO_LARGE] * 2
    assert str(results.problems[0]).endswith(
        f"big.json: found {10 * 1024**3} bytes, expected at most {LARGEST_FILE_BYTES}"
    )


def test_what_nobody_asks_for_costs_no_memory(tmp_path: Path) -> None:
    padded = checkpoint([record(1)])
    text = json.dumps(padded)[:-1] + ', "padding": [' + "[]," * 2_000_000 + "[]]}"
    file = write(tmp_path / "a.json", text)
    tracemalloc.start()
    assert len(read_results([file]).records) == 1
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * file.stat().st_size


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.tar.gz")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.json")
        opened: list[str] = []
        real_open = os.open
        monkeypatch.setattr(
            os, "open", lambda path, *rest, **named: opened.append(str(path)) or real_open(path, *rest, **named)
        )
        results = read_results([Path()])
    assert {problem.file: problem.found for problem in results.problems} == {
        "pipe.json": "a FIFO",
        "pipe.tar.gz": "a FIFO",
        "socket.json": "a socket",
        "zero.json": "a device",
    }
    assert not [path for path in opened if path.endswith((".json", ".gz"))]


def test_loops_and_dead_ends_of_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    (tmp_path / "dead.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self").symlink_to(tmp_path)
    write(tmp_path / "1.json", checkpoint([record()]))
    results = read_results([tmp_path])
    assert len(results.records) == 1
    names = {Path(problem.file).name for problem in results.problems}
    assert names == {"a.json", "b.json", "dead.json"}
    assert only_problem(tmp_path / "a.json").kind is ProblemKind.UNREADABLE


def test_what_an_ordinary_user_may_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.json", checkpoint([record()]))
    write(tmp_path / "no.json", checkpoint([record()])).chmod(0)
    (tmp_path / "closed").mkdir(mode=0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above are closed to others
    own = os.geteuid()
    try:
        os.seteuid(own or 65534)  # root reads everything
        results = read_results([Path()])
    finally:
        os.seteuid(own)
        (tmp_path / "closed").chmod(0o700)
    assert len(results.records) == 1
    assert {(problem.file, problem.found) for problem in results.problems} == {
        ("no.json", "Permission denied"),
        ("closed", "Permission denied"),
    }


def test_what_the_system_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.json", checkpoint([record(1)]))
    write(tmp_path / "no.json", checkpoint([record(2)]))
    (tmp_path / "closed").mkdir()
    real_open, real_scan = os.open, os.scandir

    def refuse(path: Any, *rest: Any, **named: Any) -> int:
        if str(path).endswith("no.json"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *rest, **named)

    def refuse_folder(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    results = read_results([tmp_path])
    assert [each.route.xml_id for each in results.records] == ["1"]
    assert {(Path(p.file).name, p.found) for p in results.problems} == {
        ("no.json", "Permission denied"),
        ("closed", "Permission denied"),
    }


def test_folders_may_be_nested_deeply(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(400):
        folder = folder / "d"
    write(folder / "a.json", checkpoint([record()]))
    assert len(read_results([tmp_path]).records) == 1


def test_names_that_would_move_the_cursor_are_escaped(tmp_path: Path) -> None:
    write(tmp_path / "a\x1b[31m\n.json", "{")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).write_text("{")
    for problem in read_results([tmp_path]).problems:
        assert str(problem).isprintable()
        str(problem).encode()


def sound_archive(path: Path, mode: str = "w:gz") -> Path:
    return pack(path, {f"a/{n}.json": as_bytes(checkpoint([record(n)])) for n in range(4)}, mode)


def test_a_truncated_archive_is_named_and_what_came_before_counts(tmp_path: Path) -> None:
    for suffix, mode, step in (("tar", "w", 97), ("tgz", "w:gz", 1)):
        whole = sound_archive(tmp_path / f"whole.{suffix}", mode).read_bytes()
        cut = tmp_path / f"cut.{suffix}"
        end = len(whole) if suffix == "tgz" else 4 * 1024 + 4 * 512  # what follows is padding
        for size in range(0, end, step):
            cut.write_bytes(whole[:size])
            results = read_results([cut])
            assert [problem.file for problem in results.problems] == [str(cut)], (suffix, size)
    assert len(read_results([tmp_path / "whole.tgz"]).records) == 4


def test_a_flipped_byte_of_an_archive_is_survived(tmp_path: Path) -> None:
    whole = sound_archive(tmp_path / "whole.tar", "w").read_bytes()
    draw = random.Random(5)
    for _ in range(300):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
        accounted(read_results([write(tmp_path / "flipped.tar", bytes(flipped))], on_duplicate=OnDuplicate.ALL))


def header(name: str, kind: bytes, size: int = 0, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = kind, size, link
    return entry


def test_names_and_links_in_archives_lead_nowhere(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    sound = as_bytes(checkpoint([record(1)]))
    archive = pack(
        inside / "a.tar",
        {
            "../../escaped.json": sound,
            "/absolute.json": as_bytes(checkpoint([record(2)])),
            "link": header("link.json", tarfile.SYMTYPE, link="/etc/passwd"),
            "hard": header("hard.json", tarfile.LNKTYPE, link="../../escaped.json"),
            "device": header("device.json", tarfile.CHRTYPE),
            "fifo": header("fifo.json", tarfile.FIFOTYPE),
            "._twin.json": b"\x00\x05",
            "notes.txt": b"text",
            "inner.tar": b"text",
        },
        "w",
    )
    before = sorted(tmp_path.rglob("*"))
    results = read_results([archive])
    assert sorted(tmp_path.rglob("*")) == before
    assert [each.route.xml_id for each in results.records] == ["1", "2"]
    assert {problem.file.rpartition(":")[2]: problem.found for problem in results.problems} == {
        "link.json": "a link inside the archive",
        "hard.json": "a link inside the archive",
        "device.json": "a special file inside the archive",
        "fifo.json": "a special file inside the archive",
    }
    assert results.never_opened == {".txt": 1, ".tar": 1}
    assert "hidden, not read (1)" in str(results.notes[0])


def test_an_archive_that_explodes_is_refused(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        packed.write(header("big.bin", tarfile.REGTYPE, 10 * 1024**3).tobuf())
        for _ in range(80):
            packed.write(bytes(1024 * 1024))
    problem = only_problem(write(tmp_path / "bomb.tar.gz", bomb.getvalue()))
    assert problem.kind is ProblemKind.TOO_LARGE
    assert "when unpacked" in problem.found


def test_large_members_and_headers_are_refused(tmp_path: Path) -> None:
    for name, entry, text in (
        ("member", header("a.json", tarfile.REGTYPE, LARGEST_FILE_BYTES + 1), f"{LARGEST_FILE_BYTES + 1} bytes"),
        ("header", header("a.json", tarfile.XHDTYPE, 10**9), "a header of 1000000000 bytes"),
    ):
        file = write(tmp_path / f"{name}.tar", entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
        results = read_results([file])
        assert results.problems[0].kind is ProblemKind.TOO_LARGE
        assert text in results.problems[0].found


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    results = read_results([sound_archive(tmp_path / "a.tgz")])
    assert len(results.records) == 3
    assert results.problems[0].found == "more than 3 members after 3 members"


def test_what_hides_behind_the_end_of_an_archive_is_noticed(tmp_path: Path) -> None:
    whole = sound_archive(tmp_path / "a.tar", "w").read_bytes()
    results = read_results([write(tmp_path / "two.tar", whole + whole)])
    assert len(results.records) == 4
    assert "data behind the end mark" in results.problems[0].found


def test_an_archive_of_another_kind_is_no_archive(tmp_path: Path) -> None:
    assert only_problem(write(tmp_path / "a.tar.gz", b"PK\x03\x04" * 300)).kind is ProblemKind.MALFORMED
    assert only_problem(write(tmp_path / "b.tgz", b"")).kind is ProblemKind.MALFORMED
