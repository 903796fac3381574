"""The towns that stay in memory."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import harness.stages.simulate as simulate
from harness.errors import SimError
from harness.sim.simulation import TownShelf


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each town was built; a town is nothing but an object here."""
    counter: Counter[str] = Counter()

    def load(name: str, text: str, folder: Path, given_up: threading.Event) -> Any:
        counter[name] += 1
        return object()

    monkeypatch.setattr(simulate, "load_town", load)
    return counter


@pytest.fixture
def shelf(tmp_path: Path, built: Counter[str]) -> TownShelf:
    """Return a shelf of five towns whose first is A."""
    for name in "ABCDE":
        (tmp_path / f"{name}.xodr").write_text("<OpenDRIVE/>")
    return simulate.town_shelf([tmp_path], "A")


def _load(shelf: TownShelf, names: str) -> None:
    for name in names:
        shelf.load(name, threading.Event())


def test_the_first_town_is_never_given_up(shelf: TownShelf, built: Counter[str]) -> None:
    _load(shelf, "ABCDEBCDEA")
    assert built["A"] == 1


def test_the_town_that_was_not_used_for_longest_goes(shelf: TownShelf, built: Counter[str]) -> None:
    _load(shelf, "ABCB")
    _load(shelf, "D")  # C goes
    _load(shelf, "BDA")
    assert built == {"A": 1, "B": 1, "C": 1, "D": 1}
    _load(shelf, "C")
    assert built["C"] == 2


def test_an_unknown_town_takes_no_place(shelf: TownShelf, built: Counter[str]) -> None:
    _load(shelf, "ABC")
    with pytest.raises(SimError, match="Map 'Z' not found"):
        shelf.load("Z", threading.Event())
    _load(shelf, "ABC")
    assert set(built.values()) == {1}
