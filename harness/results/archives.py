"""Reads the members of a .tar, .tar.gz or .tgz in one pass, in memory; nothing is ever written to disk.

The standard library's reader takes a damaged header for the end of the archive and reads headers of any length into
memory. Both are refused here, in the class of its headers, which it lets a caller replace.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from harness.results.openings import LARGEST_ARCHIVE_BYTES, LARGEST_FILE_BYTES, Refused, open_plain, too_large
from harness.results.result_set import ProblemKind

SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")
LARGEST_UNPACKED_BYTES: Final = 4 * 1024 * 1024 * 1024
MOST_MEMBERS: Final = 500_000
# Text of result files shrinks to a twentieth; only what was made to explode shrinks to a thousandth.
LARGEST_RATIO: Final = 200
_RATIO_COUNTS_FROM_BYTES: Final = 64 * 1024 * 1024
_LARGEST_HEADER_BYTES: Final = 64 * 1024
_HEADER_TYPES: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_EXPECTED: Final = "a complete tar archive"


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its bytes, or why it has none.

    Attributes:
        is_wanted: it was asked for; others are not read.
    """

    name: str
    is_wanted: bool
    data: bytes
    modified_s: float
    refused: Refused | None = None


def is_archive(name: str) -> bool:
    """Tell whether a file name is one of an archive that can be read."""
    return name.lower().endswith(SUFFIXES)


def read_members(path: Path, wanted_suffix: str) -> Iterator[Member]:
    """Yield the files of an archive in its order, with the bytes of those whose names end in a suffix.

    Raises:
        Refused: the archive cannot be opened, or is damaged from here on; the members before that were yielded.
    """
    file, about = open_plain(path, LARGEST_ARCHIVE_BYTES)
    with file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file
        bounded = _Bounded(stream, about.st_size)
        try:
            with tarfile.open(
                fileobj=cast(Any, bounded), mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
            ) as archive:
                yield from _members(archive, wanted_suffix)
            bounded.expect_zeros()
        except Refused:
            raise
        except (tarfile.TarError, OSError, EOFError, ValueError, ArithmeticError, zlib.error, MemoryError) as error:
            raise Refused(ProblemKind.MALFORMED, str(error) or type(error).__name__, _EXPECTED) from error


def _members(archive: tarfile.TarFile, wanted_suffix: str) -> Iterator[Member]:
    number = 0
    while (entry := archive.next()) is not None:
        cast(Any, archive).members = []  # or it would keep every header
        number += 1
        if number > MOST_MEMBERS:
            raise Refused(ProblemKind.TOO_LARGE, f"more than {MOST_MEMBERS} members", "fewer")
        if entry.isdir():
            continue
        is_wanted = entry.name.lower().endswith(wanted_suffix)
        yield _member(archive, entry, is_wanted)


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo, is_wanted: bool) -> Member:
    refused: Refused | None = None
    data = b""
    if is_wanted:
        try:
            data = _bytes_of(archive, entry)
        except _SkippedError as error:
            refused = error.refused
    return Member(entry.name, is_wanted, data, float(entry.mtime), refused)


class _SkippedError(Exception):
    """One member that is not read; the archive goes on."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


def _bytes_of(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    if entry.issym() or entry.islnk():
        raise _SkippedError(Refused(ProblemKind.UNREADABLE, "a link inside the archive", "a file"))
    if not entry.isreg() or entry.issparse():
        raise _SkippedError(Refused(ProblemKind.UNREADABLE, "a special file inside the archive", "a file"))
    if entry.size > LARGEST_FILE_BYTES:
        raise _SkippedError(too_large(entry.size, LARGEST_FILE_BYTES))
    reader = archive.extractfile(entry)
    data = reader.read() if reader is not None else b""
    if len(data) != entry.size:
        raise Refused(ProblemKind.MALFORMED, f"{len(data)} of {entry.size} bytes of its last member", _EXPECTED)
    return data


class _Header(tarfile.TarInfo):
    """A header that does not take damage for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the end mark
            found = "a truncated or damaged header" if buf else "no end mark"
            raise Refused(ProblemKind.MALFORMED, found, _EXPECTED) from error
        if header.size < 0:
            raise Refused(ProblemKind.MALFORMED, f"a member of {header.size} bytes", _EXPECTED)
        if header.type in _HEADER_TYPES and header.size > _LARGEST_HEADER_BYTES:
            raise Refused(ProblemKind.TOO_LARGE, f"a header of {header.size} bytes", f"at most {_LARGEST_HEADER_BYTES}")
        return header


class _Bounded:
    """A stream that ends with a refusal when more comes out of it than any folder of results can hold."""

    def __init__(self, stream: BinaryIO, packed_bytes: int) -> None:
        self._stream = stream
        ratio_bytes = max(packed_bytes * LARGEST_RATIO, _RATIO_COUNTS_FROM_BYTES)
        self._largest = min(ratio_bytes, LARGEST_UNPACKED_BYTES)
        self._passed = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._passed += len(data)
        if self._passed > self._largest:
            raise Refused(ProblemKind.TOO_LARGE, f"more than {self._largest} bytes when unpacked", "fewer")
        return data

    def expect_zeros(self) -> None:
        """Read to the end, so that nothing hides behind the end mark and the checksum of the packing is checked."""
        while data := self.read(1 << 20):
            if data.strip(b"\0"):
                raise Refused(ProblemKind.MALFORMED, "data behind the end mark", "one archive per file")
