"""A folder to evaluate in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.evaluation import Evaluation


@pytest.fixture
def evaluation(tmp_path: Path, repository: Path) -> Iterator[Evaluation]:
    """Return a folder to evaluate in; processes that a failing test leaves there are killed."""
    folder = tmp_path / "work"
    folder.mkdir()
    made = Evaluation(folder, tmp_path / "data", repository)
    yield made
    for process in made.processes():
        process.kill()
