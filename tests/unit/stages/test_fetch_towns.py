"""Towns come from a wheel or a folder, and only if they are what they should be."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

import harness.stages.fetch_towns as stage
from harness.errors import HarnessError, RouteError
from harness.suites import list_towns

TEXTS = {"Town01": b"<OpenDRIVE>one</OpenDRIVE>", "Town12": b"<OpenDRIVE>twelve</OpenDRIVE>"}


@pytest.fixture(autouse=True)
def two_small_towns(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in TEXTS.items()}
    monkeypatch.setattr(stage, "TOWNS", sums)
    monkeypatch.setattr(stage, "load_town", lambda name, text, folder: None)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "maps.whl", TEXTS)


def make_wheel(file: Path, texts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"py123d/parser/opendrive/carla_maps/{name}.xodr.gz", gzip.compress(text))
    return file


def fetch(cache: Path, source: Path | None, *, print_only: bool = False) -> list[str]:
    said: list[str] = []
    stage.fetch_towns(cache, source=source, print_only=print_only, say=said.append)
    return said


def test_towns_of_a_wheel_are_found_afterwards(tmp_path: Path, wheel: Path) -> None:
    cache = tmp_path / "cache"
    said = fetch(cache, wheel)
    assert list_towns([cache / "maps"]) == ["Town01", "Town12"]
    assert gzip.decompress((cache / "maps" / "Town12.xodr.gz").read_bytes()) == TEXTS["Town12"]
    assert said[2] == f"all 2 towns are in {cache / 'maps'}"
    assert [line.split()[0] for line in said if "ready for the simulator" in line] == ["Town01", "Town12"]


def test_a_folder_may_hold_them_plain_or_compressed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "Town01.xodr").write_bytes(TEXTS["Town01"])
    (source / "Town12.xodr.gz").write_bytes(gzip.compress(TEXTS["Town12"]))
    fetch(tmp_path / "cache", source)
    assert list_towns([tmp_path / "cache" / "maps"]) == ["Town01", "Town12"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    fetch(cache, wheel)
    (cache / "maps" / "Town01.xodr.gz").write_bytes(b"damaged")
    before = (cache / "maps" / "Town12.xodr.gz").stat().st_mtime_ns
    assert fetch(cache, wheel)[0].startswith("Town01 ")
    assert (cache / "maps" / "Town12.xodr.gz").stat().st_mtime_ns == before
    monkeypatch.setattr(stage, "_download", lambda folder, say: pytest.fail("nothing is missing"))
    assert fetch(cache, None)[0] == f"all 2 towns are in {cache / 'maps'}"


def test_print_only_writes_nothing(tmp_path: Path, wheel: Path) -> None:
    cache = tmp_path / "cache"
    said = " ".join(fetch(cache, None, print_only=True))
    assert "would fetch Town01, Town12 with: " in said
    assert "-m pip download --no-deps" in said
    assert "py123d==0.7.0" in said
    assert str(wheel) in " ".join(fetch(cache, wheel, print_only=True))
    assert not cache.exists()


def test_another_file_under_a_towns_name_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "other.whl", {"Town01": TEXTS["Town01"], "Town12": b"<OpenDRIVE>other</OpenDRIVE>"})
    with pytest.raises(HarnessError, match=r"1 of 2 towns could not be taken from .*: Town12 is another file"):
        fetch(tmp_path / "cache", wheel)
    assert list_towns([tmp_path / "cache" / "maps"]) == ["Town01"]


def test_a_town_that_is_not_in_it(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Town12 is not there"):
        fetch(tmp_path / "cache", make_wheel(tmp_path / "small.whl", {"Town01": TEXTS["Town01"]}))


def test_a_source_that_is_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "page.whl").write_text("<html>")
    with pytest.raises(RouteError, match="cannot be read: File is not a zip file; expected a folder or a wheel"):
        fetch(tmp_path / "cache", tmp_path / "page.whl")


def test_without_a_network_pip_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "WARNING: Retrying\nERROR: No matching distribution found for py123d==0.7.0\nnotice\n"

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[-1] == "py123d==0.7.0"
        return subprocess.CompletedProcess(command, 1, text)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(HarnessError) as caught:
        fetch(tmp_path / "cache", None)
    assert caught.value.message == (
        "pip could not fetch py123d==0.7.0: No matching distribution found for py123d==0.7.0"
    )
    assert "FROM=" in (caught.value.hint or "")


def test_the_wheel_that_pip_fetched_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        make_wheel(Path(command[command.index("--dest") + 1]) / "py123d-0.7.0-py3-none-any.whl", TEXTS)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    said = fetch(tmp_path / "cache", None)
    assert said[0] == "fetching py123d==0.7.0 (23 MB) without its dependencies"
    assert list_towns([tmp_path / "cache" / "maps"]) == ["Town01", "Town12"]


def test_the_sums_are_those_of_the_towns_at_hand(harness_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert len(stage.TOWNS) == 12
    for name in ("Town01", "Town05", "Town10HD"):
        assert stage._is_good(harness_data / "maps" / f"{name}.xodr.gz", name)
