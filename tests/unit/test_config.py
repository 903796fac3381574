"""Where things are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import OWN_TOWNS_DIR, cache_folder, town_folders
from harness.errors import ConfigError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HARNESS_CACHE", "XDG_CACHE_HOME", "HARNESS_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/people/somebody")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "/people/somebody/.cache/carla-harness"),
        ({"XDG_CACHE_HOME": "/scratch/cache"}, "/scratch/cache/carla-harness"),
        ({"XDG_CACHE_HOME": "relative"}, "/people/somebody/.cache/carla-harness"),
        ({"XDG_CACHE_HOME": "/scratch/cache", "HARNESS_CACHE": "/big/disk"}, "/big/disk"),
        ({"HARNESS_CACHE": "~/towns"}, "/people/somebody/towns"),
        ({"HARNESS_CACHE": ""}, "/people/somebody/.cache/carla-harness"),
    ],
)
def test_the_cache_is_where_the_user_wants_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


def test_a_relative_cache_lies_in_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", "cache")
    assert cache_folder() == tmp_path / "cache"


def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", "~no_such_user/x")
    with pytest.raises(ConfigError, match="HARNESS_CACHE is '~no_such_user/x': "):
        cache_folder()


def test_fetched_towns_come_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    given = Path("given")
    assert town_folders((given,)) == [given, OWN_TOWNS_DIR, tmp_path / "maps", tmp_path / "cache" / "maps"]
