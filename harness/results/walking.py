"""Finds what may be a result file below the given paths: on disk, links followed once, and inside archives.

Hidden files and folders are passed over: our collections keep their state in one, and archives made on a Mac hold a
hidden twin of every file. Each folder and file is read once, whichever names lead to it.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.errors import ConfigError
from harness.results import run_files
from harness.results.archives import is_archive, read_members
from harness.results.names import natural
from harness.results.openings import Refused, look_at, read_plain, unreadable
from harness.results.parsing import problem
from harness.results.result_set import Note, Problem, ProblemKind, escaped, named, shown

_OWN_LINKS: Final = ("latest", "run")
# Longer paths exist on no disk.
_LONGEST_MEMBER_NAME: Final = 4096

#: Path on disk, and path in the archive if it is one.
Folder = tuple[Path, str]


@dataclass(kw_only=True, slots=True)
class RawFile:
    """A file's bytes and where they come from.

    Attributes:
        name: to show.
        folder: in which it lies.
        parts: of the path from the folder above the given one, with the members of an archive as if it were a folder.
        data: None if it could not be read; the problem is in the account then.
        is_asked_for: the user named this very file.
    """

    name: str
    folder: Folder
    path: Path
    member: str
    parts: tuple[str, ...]
    data: bytes | None
    size_bytes: int
    modified_s: float
    is_asked_for: bool = False


@dataclass
class Account:
    """What was met beside the files that are read."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    never_opened: Counter[str] = field(default_factory=Counter)
    attempts: dict[Folder, set[str]] = field(default_factory=dict)
    chosen: set[Folder] = field(default_factory=set)
    hidden: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)

    def refuse(self, name: str, error: Refused) -> None:
        """Count a file or folder as a problem."""
        self.problems.append(problem(name, error))

    def close(self) -> None:
        """Say what is only known at the end."""
        for unit, attempts in self.attempts.items():
            count = len(attempts)
            if unit not in self.chosen:
                found = f"{count} attempt{'s' if count > 1 else ''} and no {run_files.RESULT}"
                self.refuse(_name_of(unit), Refused(ProblemKind.NOT_CHOSEN, found, "a chosen result"))
        for names, what in ((self.hidden, "hidden"), (self.set_aside, "damaged and replaced")):
            if names:
                self.notes.append(Note(file=named(sorted(names)), text=f"{what}, not read ({len(names)})"))


class Walk:
    """One walk over all given paths.

    Args:
        suffix: what the names of result files end in, in lower case.
        also: name of another file that is wanted.
    """

    def __init__(self, suffix: str = ".json", also: str = run_files.MANIFEST) -> None:
        self.account = Account()
        self._suffix = suffix
        self._also = also
        self._seen: dict[tuple[int, int], str] = {}

    def files(self, paths: Sequence[Path]) -> Iterator[RawFile]:
        """Yield what may be result files, one at a time.

        Raises:
            ConfigError: a given path does not exist.
        """
        for path in paths:
            _check_exists(path)
        for path in paths:
            before = len(self._seen)
            yield from self._given(path)
            if len(self._seen) == before:
                self.account.notes.append(Note(file=escaped(path), text="nothing in it that was not read before"))
        self.account.close()

    def _given(self, path: Path) -> Iterator[RawFile]:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100, not resolved: the names of links may tell the seed
        try:
            is_folder = stat.S_ISDIR(look_at(path).st_mode)
        except Refused as error:
            self.account.refuse(escaped(path), error)
            return
        if is_folder:
            yield from self._folder(path, absolute.parts[1:][-2:])
        else:
            yield from self._file(path, absolute.parts[1:][-3:], is_asked_for=True)

    def _folder(self, top: Path, top_parts: tuple[str, ...]) -> Iterator[RawFile]:
        """Walk without recursion, since folders may be nested as deeply as somebody likes."""
        waiting = [(top, top_parts, False)]
        while waiting:
            path, parts, is_file = waiting.pop()
            if is_file:
                yield from self._file(path, parts)
                continue
            if self._new(path, "folder") is None:
                continue
            try:
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: (_is_link(entry), natural(entry.name)))
            except OSError as error:
                self.account.refuse(escaped(path), unreadable(error))
                continue
            below = (self._sort_in(entry, path, parts) for entry in entries)
            waiting += reversed([item for item in below if item is not None])

    def _sort_in(
        self, entry: os.DirEntry[str], folder: Path, parts: tuple[str, ...]
    ) -> tuple[Path, tuple[str, ...], bool] | None:
        path = folder / entry.name
        if entry.name.startswith("."):
            self.account.hidden.append(escaped(path))
            return None
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            self.account.refuse(escaped(path), unreadable(error))
            return None
        if is_folder and entry.name in _OWN_LINKS and _is_link(entry):
            self.account.notes.append(Note(file=escaped(path), text="a link of ours to another run, not followed"))
            return None
        return path, (*parts, entry.name), not is_folder

    def _file(self, path: Path, parts: tuple[str, ...], *, is_asked_for: bool = False) -> Iterator[RawFile]:
        if is_archive(path.name):
            if self._new(path, "archive") is not None:
                yield from self._archive(path, parts)
            return
        if not (is_asked_for or path.name == self._also or path.name.lower().endswith(self._suffix)):
            self.account.never_opened[path.suffix.lower()[:20]] += 1
            return
        if not is_asked_for and not self._counts(parts, (path.parent, ""), (path.parent.parent, ""), escaped(path)):
            return
        if (about := self._new(path, "file")) is not None:
            yield self._read(path, parts, about, is_asked_for)

    def _read(self, path: Path, parts: tuple[str, ...], about: os.stat_result, is_asked_for: bool) -> RawFile:
        data, size_bytes, modified_s = None, about.st_size, about.st_mtime
        try:
            data, about = read_plain(path, about)
            size_bytes, modified_s = len(data), about.st_mtime
        except Refused as error:
            self.account.refuse(escaped(path), error)
        return RawFile(
            name=escaped(path),
            folder=(path.parent, ""),
            path=path,
            member="",
            parts=parts,
            data=data,
            size_bytes=size_bytes,
            modified_s=modified_s,
            is_asked_for=is_asked_for,
        )

    def _archive(self, path: Path, parts: tuple[str, ...]) -> Iterator[RawFile]:
        count = 0
        try:
            for member in read_members(path, self._suffix):
                count += 1
                name = escaped(f"{path}:{member.name}")
                inner = tuple(part for part in member.name.split("/") if part not in ("", "."))
                if not inner or inner[-1].startswith("."):
                    self.account.hidden.append(name)
                    continue
                if not member.is_wanted:
                    self.account.never_opened[Path(inner[-1]).suffix.lower()[:20]] += 1
                    continue
                if len(member.name) > _LONGEST_MEMBER_NAME:
                    self.account.refuse(shown(name), _long_name(member.name))
                    continue
                above = [(path, "/".join(inner[:-depth])) for depth in (1, 2)]
                if not self._counts(inner, above[0], above[1], name):
                    continue
                if member.refused is not None:
                    self.account.refuse(name, member.refused)
                yield RawFile(
                    name=name,
                    folder=above[0],
                    path=path,
                    member=member.name,
                    parts=(*parts, *inner),
                    data=None if member.refused else member.data,
                    size_bytes=len(member.data),
                    modified_s=member.modified_s,
                )
        except Refused as error:
            found = f"{error.found} after {count} members" if count else error.found
            self.account.refuse(escaped(path), Refused(error.kind, found, error.expected))

    def _counts(self, parts: tuple[str, ...], folder: Folder, above: Folder, name: str) -> bool:
        """Tell whether a file is read, and keep the account of attempts."""
        if run_files.is_of_attempt(parts):
            self.account.attempts.setdefault(above, set()).add(parts[-2])
            return False
        if run_files.is_set_aside(parts[-1]):
            self.account.set_aside.append(name)
            return False
        if parts[-1] == run_files.RESULT:
            self.account.chosen.add(folder)
        return True

    def _new(self, path: Path, what: str) -> os.stat_result | None:
        """Return what the file system knows of a path that was not read before under any name."""
        try:
            about = look_at(path)
        except Refused as error:
            self.account.refuse(escaped(path), error)
            return None
        identity = (about.st_dev, about.st_ino)
        if identity in self._seen:
            text = f"the same {what} as {self._seen[identity]}, read once"
            self.account.notes.append(Note(file=escaped(path), text=text))
            return None
        self._seen[identity] = shown(path)
        return about


def _name_of(folder: Folder) -> str:
    path, inside = folder
    return escaped(f"{path}:{inside}" if inside else path)


def _long_name(name: str) -> Refused:
    found = f"a name of {len(name)} characters"
    return Refused(ProblemKind.TOO_LARGE, found, f"at most {_LONGEST_MEMBER_NAME}")


def _is_link(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink()
    except OSError:
        return False


def _check_exists(path: Path) -> None:
    try:
        exists = os.path.lexists(path)
    except ValueError:  # a zero byte
        exists = False
    if not exists:
        raise ConfigError(
            f"found no {shown(path)}, expected a file, folder or archive with results", hint=f"ls -ld {shown(path)}"
        )
