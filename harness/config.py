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


def cache_folder() -> Path:
    """Return the user's folder for what can be fetched or computed again; it need not exist.

    HARNESS_CACHE names it; else it is ``carla-harness`` in XDG_CACHE_HOME or ``~/.cache``. In it lie ``maps`` (fetched
    towns), ``routes`` (fetched suites) and ``derived`` (what the simulator computes from towns).

    Raises:
        ConfigError: HARNESS_CACHE names the home of nobody, or nobody knows where home is.
    """
    own, users = os.environ.get("HARNESS_CACHE", ""), os.environ.get("XDG_CACHE_HOME", "")
    try:
        if own:
            return Path(own).expanduser().absolute()
        # A relative path is invalid there and to be ignored, says the XDG base directory specification.
        base = Path(users) if Path(users).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise ConfigError(
            f"HARNESS_CACHE is {own!r}: {error}; expected a folder for downloads", hint="make towns HARNESS_CACHE=path"
        ) from error
    return base / "carla-harness"


def is_verbose() -> bool:
    """Tell whether HARNESS_VERBOSE asks for tracebacks."""
    return os.environ.get("HARNESS_VERBOSE", "") not in ("", "0")


def carla_root_host() -> str:
    """Return the address that a simulator started as CarlaUE4.sh listens on: HARNESS_CARLA_HOST, else loopback."""
    return os.environ.get("HARNESS_CARLA_HOST", "").strip() or "127.0.0.1"


def ensure_home() -> None:
    """Set HOME for this process and its children if it is unset: the carla client crashes on import without it."""
    if "HOME" in os.environ:
        return
    try:
        os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container that runs with a number instead of a user
        os.environ["HOME"] = tempfile.gettempdir()


def town_folders(maps: tuple[Path, ...] = ()) -> list[Path]:
    """Return where towns are looked for, in order: the given folders, our own, HARNESS_DATA, what was fetched."""
    data = data_folder()
    return [*maps, OWN_TOWNS_DIR, *([data / "maps"] if data else []), cache_folder() / "maps"]


def core_count() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))
