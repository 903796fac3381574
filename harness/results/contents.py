"""The bytes of files that were read before, for what needs more than records."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import HarnessError
from harness.results.archives import read_members
from harness.results.openings import Refused, read_plain
from harness.results.result_set import ResultFile, shown


def contents_of(files: Iterable[ResultFile]) -> Iterator[tuple[ResultFile, bytes]]:
    """Yield files of a result set with their bytes, one at a time, each archive opened once.

    Raises:
        HarnessError: a file is no longer what was read.
    """
    archives: dict[Path, dict[tuple[str, str], ResultFile]] = defaultdict(dict)
    for file in files:
        if file.member:
            archives[file.path][file.member, file.sha256] = file
            continue
        try:
            data, _ = read_plain(file.path)
        except Refused as error:
            raise _changed(file, error.found) from error
        yield file, _checked(file, data)
    for path, wanted in archives.items():
        yield from _members(path, wanted)


def _members(path: Path, wanted: dict[tuple[str, str], ResultFile]) -> Iterator[tuple[ResultFile, bytes]]:
    waiting = dict(wanted)
    names = {name for name, _ in wanted}
    try:
        for member in read_members(path, ".json"):
            # An archive may hold a name twice; the bytes tell which was meant.
            if member.name in names:
                file = waiting.pop((member.name, hashlib.sha256(member.data).hexdigest()), None)
                if file is not None:
                    yield file, member.data
    except Refused as error:
        raise _changed(next(iter(wanted.values())), error.found) from error
    for file in waiting.values():
        raise _changed(file, "other content")


def _checked(file: ResultFile, data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise _changed(file, "other content")
    return data


def _changed(file: ResultFile, found: str) -> HarnessError:
    expected = "the file that was read a moment ago"
    return HarnessError(f"{shown(file.name)}: found {found}, expected {expected}", hint="the same command reads again")
