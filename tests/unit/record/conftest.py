"""One recorded drive for the tests that only look at frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.record.pickles import read_pickle
from tests.unit.record.drawn import busy_street, record_route

TICKS = 143


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a recorded drive of 143 ticks, 29 frames; not to be changed."""
    return record_route(tmp_path_factory.mktemp("recorded") / "route", busy_street(), TICKS)


@pytest.fixture(scope="session")
def frames(recorded: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return meta and boxes of every frame of it; not to be changed."""
    names = sorted(file.name for file in (recorded / "metas").iterdir())
    return [(read_pickle(recorded / "metas" / name), read_pickle(recorded / "bboxes" / name)) for name in names]
