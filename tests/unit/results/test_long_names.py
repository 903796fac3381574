"""Files are told apart by what they are, not by a name that was made short to be shown."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from harness.results.contents import contents_of
from harness.results.read import read_results
from harness.results.result_set import FileKind, OnDuplicate
from tests.unit.results.drawn import as_bytes, checkpoint, pack, record, write

LONG = "z" * 200


def between(top: Path, middle: str) -> Path:
    """Return a folder whose name differs from others in the middle only, far beyond what is shown of it."""
    return top / LONG / middle / LONG


def test_names_of_files_stay_whole_and_only_their_lines_are_cut(tmp_path: Path) -> None:
    for middle in "ab":
        write(between(tmp_path, middle) / "a.json", "{")
    results = read_results([tmp_path])
    wanted = [str(between(tmp_path, middle) / "a.json") for middle in "ab"]
    assert [file.name for file in results.files] == [problem.file for problem in results.problems] == wanted
    assert all(len(str(problem)) < 420 and "zzz...zzz" in str(problem) for problem in results.problems)


def test_the_order_of_the_files_does_not_mix_those_with_long_names(tmp_path: Path) -> None:
    for middle in ("1", "2"):
        write(between(tmp_path, middle) / "a.json", checkpoint([record(n) for n in (3, 1, 2)]))
    found = read_results([tmp_path]).in_file_order()
    assert [(each.seed, each.route.xml_id) for each in found] == [(s, x) for s in (1, 2) for x in ("3", "1", "2")]


def test_attempts_at_units_with_long_names_are_counted_apart(tmp_path: Path) -> None:
    for middle, attempts in (("seed1", 2), ("seed2", 3), ("seed3", 1)):
        for number in range(attempts):
            write(between(tmp_path, middle) / f"attempt_{number}" / "attempt.json", "{}")
    for xml_id, middle in enumerate(("seed1", "seed2")):
        write(between(tmp_path, middle) / "result.json", checkpoint([record(xml_id)]))
    results = read_results([tmp_path])
    assert [each.file.attempts for each in results.records] == [2, 3]
    (problem,) = results.problems
    assert (problem.file, problem.found) == (str(between(tmp_path, "seed3")), "1 attempt and no result.json")


def test_two_members_of_one_name_are_two_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    members = [as_bytes(checkpoint([record(n), record(n + 1)])) for n in (3, 1)] + [b'{"0": 1}', b'{"0": 2}']
    with tarfile.open(path, "w") as archive:
        for name, data in zip(("x.json", "x.json", "s/metric_info.json", "s/metric_info.json"), members, strict=True):
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    results = read_results([path], on_duplicate=OnDuplicate.ALL)
    assert len({file.identity for file in results.files}) == 4
    assert [each.route.xml_id for each in results.in_file_order()] == ["3", "4", "1", "2"]
    assert [data for _, data in contents_of(results.of_kind(FileKind.METRIC_INFO))] == members[2:]


def test_a_member_whose_name_no_disk_could_hold_is_refused(tmp_path: Path) -> None:
    name = "/".join(["x" * 100] * 50) + ".json"
    archive = pack(tmp_path / "a.tar", {name: as_bytes(checkpoint([record(1)])), "a.json": b"{}"}, "w")
    results = read_results([archive])
    assert [problem.found for problem in results.problems] == [f"a name of {len(name)} characters"]
    assert len(results.problems[0].file) < 400 and len(results.files) == 1
