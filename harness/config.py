"""Where things are, and the settings of a run.

The environment variables that are settings of the harness are read here and nowhere else; those that Slurm and the
machine set for others are read where they are needed.
"""

from __future__ import annotations

import os
import pwd
import tempfile
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
    hint = "make eval HARNESS_DATA=/path/to/data"
    try:
        folder = Path(value).expanduser()
        is_folder = folder.is_dir()
    except (OSError, RuntimeError) as error:  # no rights, a name too long, or ~ of nobody
        raise ConfigError(
            f"HARNESS_DATA is {value!r}: {error}; expected the folder with routes/ and maps/", hint=hint
        ) from error
    if not is_folder:
        raise ConfigError(
            f"HARNESS_DATA is {value!r}, which is no folder; expected the folder with routes/ and maps/", hint=hint
        )
    return folder.resolve()


def is_verbose() -> bool:
    """Tell whether HARNESS_VERBOSE asks for tracebacks."""
    return os.environ.get("HARNESS_VERBOSE", "") not in ("", "0")


def ensure_home() -> None:
    """Set HOME for this process and its children if it is unset: the carla client crashes on import without it."""
    if "HOME" in os.environ:
        return
    try:
        os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container that runs with a number instead of a user
        os.environ["HOME"] = tempfile.gettempdir()


def town_folders(maps: tuple[Path, ...] = ()) -> list[Path]:
    """Return the folders in which towns are looked for: the given ones, our own, those of HARNESS_DATA."""
    data = data_folder()
    return [*maps, OWN_TOWNS_DIR, *([data / "maps"] if data else [])]


def core_count() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))
