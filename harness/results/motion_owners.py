"""Which record a motion log is of.

A log lies in a folder named like its record's ``save_name``, and evaluators name that the same for every seed. So a
log of another known seed is never a record's; among the others one of the record's own seed comes first, then the one
that shares the most of its path with the record's file. What that leaves open is no one's: comfort of another drive
is worse than none.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.results.result_set import (
    FileIdentity,
    FileKind,
    Problem,
    ProblemKind,
    ReadRecord,
    ResultFile,
    ResultSet,
    named,
)


@dataclass(frozen=True, kw_only=True)
class MotionOwners:
    """Records with their metric info, each file at most once; and files that several records claim, or none may."""

    pairs: tuple[tuple[ReadRecord, ResultFile], ...]
    problems: tuple[Problem, ...]


@dataclass
class _Claims:
    """Which records want a file, by their files: as the nearest, as one of equally near ones, or with another seed."""

    file: ResultFile
    alone: list[Sequence[ReadRecord]] = field(default_factory=list)
    tied: list[Sequence[ReadRecord]] = field(default_factory=list)
    of_other_seed: list[Sequence[ReadRecord]] = field(default_factory=list)

    @property
    def owner(self) -> ReadRecord | None:
        is_sure = len(self.alone) == 1 and len(self.alone[0]) == 1 and not self.tied
        return self.alone[0][0] if is_sure else None

    def problem(self) -> Problem | None:
        """Return why the file is nobody's; None if it has an owner, or nobody asks for it."""
        if self.owner is not None:
            return None
        if self.tied:
            found = f"one of several metric infos that fit {_places([*self.alone, *self.tied])}"
            return _problem(self.file, found, "one for each record")
        if self.alone:
            return _problem(self.file, f"a metric info that fits {_places(self.alone)}", "one record")
        if self.of_other_seed:
            found = f"a metric info of seed {self.file.seed} that only fits {_places(self.of_other_seed)}"
            return _problem(self.file, found, f"seed {self.of_other_seed[0][0].seed}, or none in its path")
        return None


def motion_owners(results: ResultSet) -> MotionOwners:
    """Return which record each metric info is of."""
    by_folder: dict[str, list[_Claims]] = defaultdict(list)
    for file in results.of_kind(FileKind.METRIC_INFO):
        by_folder[_parts(file)[-2]].append(_Claims(file))
    alike: dict[tuple[FileIdentity, str], list[ReadRecord]] = defaultdict(list)
    for record in results.records:
        folder = PurePosixPath(record.route.save_name).name
        if folder in by_folder:
            alike[record.file.identity, folder].append(record)
    for (_, folder), records in alike.items():
        _claim(records, by_folder[folder])
    everything = [claims for inside in by_folder.values() for claims in inside]
    return MotionOwners(
        pairs=tuple((owner, claims.file) for claims in everything if (owner := claims.owner) is not None),
        problems=tuple(problem for claims in everything if (problem := claims.problem()) is not None),
    )


def _claim(records: Sequence[ReadRecord], inside: Sequence[_Claims]) -> None:
    """Let records of one file and one folder claim the nearest of the metric infos in such folders."""
    file = records[0].file
    nearest = _nearest(file, inside)
    if len(nearest) == 1:
        nearest[0].alone.append(records)
        return
    for claims in nearest:
        claims.tied.append(records)
    for claims in () if nearest else inside:
        claims.of_other_seed.append(records)


def _nearest(file: ResultFile, inside: Sequence[_Claims]) -> list[_Claims]:
    ranked = [
        ((claims.file.seed == file.seed, _shared_parts(claims.file, file)), claims)
        for claims in inside
        if claims.file.seed == file.seed or None in (claims.file.seed, file.seed)
    ]
    best = max((rank for rank, _ in ranked), default=None)
    return [claims for rank, claims in ranked if rank == best]


def _shared_parts(first: ResultFile, second: ResultFile) -> int:
    """Return how many parts two paths have in common from the top."""
    pairs = zip(_parts(first), _parts(second), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _parts(file: ResultFile) -> tuple[str, ...]:
    """Return a path from the root of the disk down into the archive."""
    absolute = os.path.abspath(file.path)  # noqa: PTH100, not resolved: links bear the names of drives
    return (*PurePosixPath(absolute).parts, *PurePosixPath(file.member).parts)


def _places(groups: Sequence[Sequence[ReadRecord]]) -> str:
    count = sum(map(len, groups))
    first = itertools.islice(itertools.chain.from_iterable(groups), 3)
    places = named(f"{record.file.name} record {record.position}" for record in first)
    return f"{count} records ({places}{', ...' if count > 3 else ''})" if count > 1 else f"a record ({places})"


def _problem(file: ResultFile, found: str, expected: str) -> Problem:
    return Problem(kind=ProblemKind.INCONSISTENT, file=file.name, found=found, expected=expected)
