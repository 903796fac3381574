"""The repository's own town, as the client's map sees it without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import carla
import pytest


@pytest.fixture(scope="session")
def borough(repository: Path) -> Any:
    """Return the carla.Map of Borough01."""
    return carla.Map("Borough01", (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8"))
