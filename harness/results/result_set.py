"""What was read: records, the files they come from, and what could not be used or was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError


class FileKind(StrEnum):
    """What a file is."""

    CHECKPOINT = "checkpoint"  # of an evaluator, for several routes
    SHARD = "shard"  # such a file that has others beside it
    ROUTE = "route file"  # such a file for one route
    MERGED = "merged file"  # of a tool that puts records together
    UNIT = "result of a run"  # of this program
    ABILITY = "ability file"  # numbers of Bench2Drive's ability tool, no records
    METRIC_INFO = "metric info"  # motion of the ego on one Bench2Drive route
    MANIFEST = "manifest of a run"  # which units a run of this program has
    OTHER = "no result file"
    UNREADABLE = "unreadable"


class OnDuplicate(StrEnum):
    """What two records of the same drive mean."""

    ERROR = "error"
    NEWEST = "newest"  # the one in the file that was changed last
    FIRST = "first"  # the one that is met first, by given path, then path, then position
    ALL = "all"  # each counts, as in the tools of the benchmarks; only good to reproduce them


class ProblemKind(StrEnum):
    """Why something that may be a result does not count, or not as it stands."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too large"
    MALFORMED = "malformed"
    NO_RECORDS = "no records"
    WRONG_RECORD = "wrong record"
    INCONSISTENT = "inconsistent"
    NOT_CHOSEN = "no chosen result"
    NO_RESULTS = "no result files"


class DriveKey(NamedTuple):
    """What makes a drive: no two results may have the same.

    Attributes:
        benchmark: name of the suite; empty if neither caller nor file says it.
        seed: None if no folder and no file says it.
    """

    benchmark: str
    seed: int | None
    repetition: int
    xml_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFile:
    """One file that was looked into.

    Attributes:
        name: the path, and behind a colon the member of an archive; whole, but free of control characters.
        path: on disk, of the archive for its members.
        member: path inside the archive, empty for a plain file.
        sha256: over the bytes; empty if they could not be read.
        modified_s: seconds since 1970, as the file system or the archive states it.
        done, planned: the file's ``progress``; of a manifest, ``planned`` is the number of units. None if not stated.
        entry_status: as stated, empty if not.
        found: records that are sound.
        refused: records that are not; each is a problem.
        counted: records of this file in the result set; the notes say where the others of ``found`` went.
        attempts: of a unit of ours, how often it was tried; 0 for files of other programs.
        agent, rule_version: what a file of ours states.
        stated: numbers that a merged or ability file states of itself, and those of an evaluator by their label.
    """

    name: str
    path: Path
    member: str = ""
    kind: FileKind
    sha256: str = ""
    size_bytes: int = 0
    modified_s: float = 0.0
    benchmark: str = ""
    seed: int | None = None
    done: int | None = None
    planned: int | None = None
    entry_status: str = ""
    found: int = 0
    refused: int = 0
    counted: int = 0
    attempts: int = 0
    agent: str = ""
    rule_version: str = ""
    stated: Mapping[str, float]

    @property
    def identity(self) -> FileIdentity:
        """What to tell the file from others by."""
        return FileIdentity(self.path, self.member, self.sha256)

    @property
    def file_name(self) -> str:
        """Last part of the path, in the archive if it is in one."""
        return Path(self.member).name if self.member else self.path.name


class FileIdentity(NamedTuple):
    """What a file is told from others by, be its name as long as it likes.

    Attributes:
        sha256: an archive may hold two members of one name.
    """

    path: Path
    member: str
    sha256: str


class Sweep(NamedTuple):
    """One drive over all routes of a benchmark: a seed, and which of its repetitions.

    Attributes:
        seed: None if no folder and no file says it.
    """

    seed: int | None
    repetition: int

    def __str__(self) -> str:
        seed = "unknown" if self.seed is None else str(self.seed)
        return f"{seed} repetition {self.repetition}" if self.repetition else seed

    @property
    def order(self) -> tuple[bool, int, int]:
        """What sweeps are sorted by: the unknown seed first."""
        return self.seed is not None, self.seed or 0, self.repetition


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRecord:
    """One record and where it stands: at ``position``, from 0, in ``file``."""

    route: ScoredRoute
    file: ResultFile
    position: int

    @property
    def seed(self) -> int | None:
        """The seed of the drive, None if unknown."""
        return self.file.seed

    @property
    def sweep(self) -> Sweep:
        """Which of the drives over all routes this belongs to."""
        return Sweep(self.file.seed, self.route.repetition)

    @property
    def key(self) -> DriveKey:
        """Which drive this is."""
        return DriveKey(self.file.benchmark, self.file.seed, self.route.repetition, self.route.xml_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something that counts for nothing, or not as it stands, and why.

    Attributes:
        position: of the record in the file, from 0; None if the whole file is meant.
    """

    kind: ProblemKind
    file: str
    found: str
    expected: str
    position: int | None = None

    def __str__(self) -> str:
        place = "" if self.position is None else f" record {self.position}"
        return f"{shown(self.file)}{place}: found {self.found}, expected {self.expected}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something that was left out on purpose, so that it is known.

    Attributes:
        records: how many sound records it concerns.
    """

    file: str
    text: str
    records: int = 0

    def __str__(self) -> str:
        return f"{shown(self.file, at_most=1000)}: {self.text}"  # may be the names of several


class DuplicateError(HarnessError):
    """Two records claim to be the same drive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultSet:
    """Everything below the given paths.

    Attributes:
        records: by benchmark, seed, route and repetition, so that sums do not depend on how files lie.
        files: that were looked into, in the order in which they were met.
        problems: what may be a result and does not count.
        notes: what was left out on purpose.
        replaced: records that gave way to another result of the same drive.
        never_opened: number of files by suffix that cannot be result files, such as pictures and logs.
        planned_units: drives that manifests of our own runs name.
    """

    records: tuple[ReadRecord, ...]
    files: tuple[ResultFile, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    replaced: int
    never_opened: Mapping[str, int]
    planned_units: tuple[DriveKey, ...]

    def in_file_order(self) -> tuple[ReadRecord, ...]:
        """Return the records as the files hold them, files as they were met."""
        place = {file.identity: number for number, file in enumerate(self.files)}
        return tuple(sorted(self.records, key=lambda record: (place[record.file.identity], record.position)))

    def of_kind(self, kind: FileKind) -> tuple[ResultFile, ...]:
        """Return the files of a kind."""
        return tuple(file for file in self.files if file.kind is kind)


def shown(text: object, at_most: int = 300) -> str:
    """Return a text that any terminal can print on one line: what is not printable escaped, cut in length."""
    plain = str(text)
    if len(plain) > at_most:
        plain = f"{plain[: at_most // 2]}...{plain[-at_most // 2 :]}"
    return escaped(plain)


def escaped(text: object) -> str:
    """Return a whole text with what is not printable escaped; names that are cut would no longer tell files apart."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in plain)


def named(texts: Iterable[str], at_most: int = 3) -> str:
    """Return the first of some names, and how many more there are."""
    names = [shown(text) for text in texts]
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return f"{', '.join(names[:at_most])}{more}"
