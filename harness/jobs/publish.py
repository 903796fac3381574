"""Publishes result files: a reader sees the old file or the new one, never a part.

The text goes to a hidden file beside the target, is forced to disk, and takes the target's name in one rename. A
process that is killed in between leaves the target as it was, and at most a hidden ``.<name>.<pid>.<token>`` file.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from harness.errors import HarnessError


def publish_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically and durably. The folder must exist.

    Raises:
        OSError: disk full, folder missing and so on, with the target as its file; the target is as it was.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with scratch.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        # Of write and fsync it would name no file at all.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        scratch.unlink(missing_ok=True)


def publish_json(path: Path, data: Any) -> None:
    """Write JSON atomically: keys in the given order, four spaces, the layout of the Leaderboard's result files.

    Raises:
        HarnessError: the data holds NaN, infinity or something that is no JSON.
        OSError: as `publish_text`.
    """
    try:
        text = json.dumps(data, indent=4, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise HarnessError(f"cannot write {path}: {error}, expected plain finite JSON values") from error
    publish_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        HarnessError: the file is missing, unreadable, empty, no complete JSON, or holds NaN; says which and where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error.strerror or error}", hint=f"ls -l {path}") from error
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"cannot read {path}: found a byte that is not UTF-8 at offset {error.start}", hint=f"file {path}"
        ) from error
    if not text.strip():
        raise HarnessError(f"file {path} is empty, expected JSON", hint=f"ls -l {path}")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise HarnessError(
            f"file {path} is not complete JSON: {error.msg.lower()} ({place})", hint=f"python3 -m json.tool {path}"
        ) from error
    except RecursionError as error:
        raise HarnessError(f"file {path} is nested too deeply, expected a few levels", hint=f"ls -l {path}") from error
    except ValueError as error:
        raise HarnessError(f"file {path} {error}", hint=f"python3 -m json.tool {path}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"holds the number {name}, expected finite numbers")


def _sync_folder(folder: Path) -> None:
    """Force the rename itself to disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
