"""Opens what is a plain file of a bearable size, and nothing else."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from harness.results.result_set import ProblemKind

#: 150,000 records of Bench2Drive; also of one member of an archive.
LARGEST_FILE_BYTES: Final = 512 * 1024 * 1024
# Of archives, which are read in pieces.
LARGEST_ARCHIVE_BYTES: Final = 4 * 1024 * 1024 * 1024

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818, it reads as the sentence it is: a file is refused
    """A file that is not read, and why."""

    kind: ProblemKind
    found: str
    expected: str


def look_at(path: Path) -> os.stat_result:
    """Return what the file system knows of a path, links followed.

    Raises:
        Refused: it cannot be reached, be it for a loop of links.
    """
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        raise unreadable(error) from error


def open_plain(path: Path, largest_bytes: int, about: os.stat_result | None = None) -> tuple[BinaryIO, os.stat_result]:
    """Open a file for reading; a FIFO or device is never opened, and one that takes its place blocks nobody.

    Args:
        about: what `look_at` said, if it was asked.

    Raises:
        Refused: not a plain file, too large, or not for this user.
    """
    _check(look_at(path) if about is None else about, largest_bytes)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error
    file = os.fdopen(handle, "rb")
    try:
        about = os.fstat(handle)
        _check(about, largest_bytes)
    except BaseException:
        file.close()
        raise
    return file, about


def read_plain(path: Path, about: os.stat_result | None = None) -> tuple[bytes, os.stat_result]:
    """Return the bytes of a file and what the file system knows of it.

    Raises:
        Refused: as `open_plain`, or it grew while it was read.
    """
    file, now = open_plain(path, LARGEST_FILE_BYTES, about)
    with file:
        try:
            data = file.read(now.st_size + 1)
        except OSError as error:
            raise unreadable(error) from error
    if len(data) > now.st_size:
        raise Refused(ProblemKind.UNREADABLE, f"more than the {now.st_size} bytes it had", "a file at rest")
    return data, now


def unreadable(error: Exception) -> Refused:
    """Return the refusal for an error of the system."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return Refused(ProblemKind.UNREADABLE, reason, "a readable file")


def too_large(size_bytes: int, largest_bytes: int) -> Refused:
    """Return the refusal of a size."""
    return Refused(ProblemKind.TOO_LARGE, f"{size_bytes} bytes", f"at most {largest_bytes}")


def _check(about: os.stat_result, largest_bytes: int) -> None:
    if not stat.S_ISREG(about.st_mode):
        what = next((name for is_kind, name in _KINDS if is_kind(about.st_mode)), "something else")
        raise Refused(ProblemKind.UNREADABLE, what, "a plain file")
    if about.st_size > largest_bytes:
        raise too_large(about.st_size, largest_bytes)
