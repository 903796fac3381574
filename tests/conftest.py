"""Fixtures for every test: the repository and the bundle of benchmark data beside it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
DATA_BESIDE_REPOSITORY = REPOSITORY.parent / "shared" / "data"

# make passes the variable on even if it is empty, and tests work in folders of their own.
if os.environ.get("HARNESS_DATA"):
    os.environ["HARNESS_DATA"] = str(Path(os.environ["HARNESS_DATA"]).resolve())
elif DATA_BESIDE_REPOSITORY.is_dir():
    os.environ["HARNESS_DATA"] = str(DATA_BESIDE_REPOSITORY)

# What tests derive and fetch goes to a folder of this session, which its workers share.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ.pop("XDG_CACHE_HOME", None)
    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp(prefix="carla-harness-tests-")
    atexit.register(shutil.rmtree, os.environ["HARNESS_CACHE"], ignore_errors=True)

settings.register_profile("harness", deadline=None)  # machines are shared; a slow example is no failure
settings.load_profile("harness")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def harness_data() -> Path:
    """Return the folder with routes/, maps/, results/ and golden/, or skip the test."""
    folder = os.environ.get("HARNESS_DATA", "")
    if not folder or not Path(folder).is_dir():
        found = f"HARNESS_DATA={folder} is no folder" if folder else "HARNESS_DATA is not set"
        pytest.skip(f"{found}; set HARNESS_DATA=<folder with routes/ maps/ results/ golden/>")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that two workers end together (files are handed out in this order)."""
    items.sort(key=lambda item: -_weight(item.path))


def _weight(path: Path) -> int:
    folders = path.relative_to(REPOSITORY).parts if path.is_relative_to(REPOSITORY) else ()
    return ("slurm" in folders) + ("integration" in folders)
