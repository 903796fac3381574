"""Which files sampled routes get."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datatypes.route import Point, Route
from harness.errors import RouteError
from harness.routes import read_routes
from harness.stages.sample import write_one_per_file


def routes(count: int) -> list[Route]:
    ends = (Point(0.0, 0.0, 0.0), Point(100.0, 0.0, 0.0))
    return [Route(route_id=f"sampled{n}", town="Grid01", file=Path("any"), keypoints=ends) for n in range(count)]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.xml"))


def test_files_and_ids_are_numbered_from_one(tmp_path: Path) -> None:
    files = write_one_per_file(routes(3), tmp_path / "new")
    assert [file.name for file in files] == ["01.xml", "02.xml", "03.xml"]
    assert [read_routes(file)[0].route_id for file in files] == ["1", "2", "3"]


def test_appended_files_go_on_after_the_last_number(tmp_path: Path) -> None:
    write_one_per_file(routes(2), tmp_path)
    (tmp_path / "02.xml").rename(tmp_path / "98.xml")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    files = write_one_per_file(routes(3), tmp_path, appends=True)
    assert [file.name for file in files] == ["99.xml", "100.xml", "101.xml"]
    assert [read_routes(file)[0].route_id for file in files] == ["99", "100", "101"]
    assert names(tmp_path) == ["01.xml", "100.xml", "101.xml", "98.xml", "99.xml"]
    assert before.items() <= {file.name: file.read_bytes() for file in tmp_path.iterdir()}.items()


def test_replaced_files_leave_nothing_behind(tmp_path: Path) -> None:
    write_one_per_file(routes(5), tmp_path)
    write_one_per_file(routes(2), tmp_path, replaces=True)
    assert names(tmp_path) == ["01.xml", "02.xml"]


def test_files_that_are_there_are_not_overwritten_unasked(tmp_path: Path) -> None:
    write_one_per_file(routes(1), tmp_path)
    with pytest.raises(RouteError, match="holds 1 route files, expected an empty folder"):
        write_one_per_file(routes(2), tmp_path)
    assert names(tmp_path) == ["01.xml"]


def test_no_number_follows_a_name(tmp_path: Path) -> None:
    write_one_per_file(routes(1), tmp_path)
    (tmp_path / "01.xml").rename(tmp_path / "east.xml")
    with pytest.raises(RouteError, match=r"east\.xml is no number"):
        write_one_per_file(routes(1), tmp_path, appends=True)
