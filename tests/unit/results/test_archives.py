"""Archives: read in memory, never unpacked; cut, damaged and hostile ones are named, and what came before counts."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from harness.results import archives
from harness.results.openings import LARGEST_FILE_BYTES
from harness.results.read import read_results
from harness.results.result_set import OnDuplicate, ProblemKind
from tests.unit.results.drawn import accounted, as_bytes, checkpoint, only_problem, pack, record, write


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
