"""Where things are, and the settings of a run.

The environment is read here and nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parent.parent
SUITES_DIR = REPOSITORY / "routes" / "suites"
OWN_TOWNS_DIR = REPOSITORY / "routes" / "towns"
OUTPUTS = Path("outputs")


def data_folder() -> Path | None:
    """Return the folder that HARNESS_DATA names, None if it is not set.

    Raises:
        ConfigError: it is set to something that is no folder.
    """
    value = os.environ.get("HARNESS_DATA", "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"HARNESS_DATA is {value!r}, which is no folder; expected the folder with routes/ and maps/",
            hint="make eval HARNESS_DATA=/path/to/data",
        )
    return folder.resolve()


def town_folders(maps: tuple[Path, ...] = ()) -> list[Path]:
    """Return the folders in which towns are looked for: the given ones, our own, those of HARNESS_DATA."""
    data = data_folder()
    return [*maps, OWN_TOWNS_DIR, *([data / "maps"] if data else [])]


def core_count() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))
