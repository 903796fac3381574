"""One result per drive: merged files that repeat what stands beside them, and results that claim the same drive.

A merged file is a second copy of records that have files of their own. Counted beside them it would double every
drive; its records are therefore left out one by one, each only if a record of another file is equal to it in every
value. What only the merged file holds counts, and what differs is a duplicate. So adding a merged file to complete
shards, or taking it away, changes nothing, and one that belongs to another agent or another evaluation is noticed.

A file is merged if its form or name says so, or if it holds several records and each of them equals one of a file
with fewer records. A merged file that does not know its seed repeats a record of any seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from harness.datatypes.scored_route import ScoredRoute
from harness.results.result_set import DriveKey, DuplicateError, FileKind, Note, OnDuplicate, named, shown


@dataclass(kw_only=True, eq=False)
class Source:
    """A file whose records wait for a decision.

    Attributes:
        order: place among the files, in the order in which they were met.
        records: pairs of position and record.
    """

    name: str
    order: int
    kind: FileKind
    benchmark: str
    seed: int | None
    sha256: str
    modified_s: float
    records: list[tuple[int, ScoredRoute]] = field(default_factory=list)

    def key(self, route: ScoredRoute) -> DriveKey:
        """Return which drive a record of this file is."""
        return DriveKey(self.benchmark, self.seed, route.repetition, route.xml_id)


_Claim = tuple[Source, int, ScoredRoute]
# A record with everything in it, and the benchmark of its file: what two files must share to be copies of each other.
_Drive = tuple[object, ...]
_VALUES: Final = tuple(value.name for value in fields(ScoredRoute) if value.name != "messages")


def set_merged_aside(sources: Sequence[Source]) -> list[Note]:
    """Take from merged files what other files hold too, and say so."""
    if all(len(source.records) < 2 and source.kind is not FileKind.MERGED for source in sources):
        return []
    drives = {source: [_drive(source, route) for _, route in source.records] for source in sources}
    smallest = _Holders(drives, key=lambda source: len(source.records))
    for source in sources:
        if source.kind is FileKind.CHECKPOINT and _is_merged_by_content(source, drives[source], smallest):
            source.kind = FileKind.MERGED
    originals = {source: drives[source] for source in sources if source.kind is not FileKind.MERGED}
    first = _Holders(originals, key=lambda source: source.order)
    notes = [_set_aside(source, drives[source], first) for source in sources if source.kind is FileKind.MERGED]
    return [note for note in notes if note is not None]


def _drive(source: Source, route: ScoredRoute) -> _Drive:
    values = (getattr(route, name) for name in _VALUES)
    return (source.benchmark, frozenset(route.messages.items()), *values)


class _Holders:
    """The one file, of those that hold a drive, that comes first; of any seed and of each.

    Only the first is kept, so that files which hold the same drives many times cost no more than others.
    """

    def __init__(self, drives: Mapping[Source, Sequence[_Drive]], key: Callable[[Source], int]) -> None:
        self._of_any_seed: dict[_Drive, Source] = {}
        self._of_seed: dict[tuple[_Drive, int | None], Source] = {}
        for source in sorted(drives, key=key):
            for drive in drives[source]:
                self._of_any_seed.setdefault(drive, source)
                self._of_seed.setdefault((drive, source.seed), source)

    def first(self, drive: _Drive, seed: int | None) -> Source | None:
        """Return the first file that a file of this seed may have copied a drive from: an unknown seed, from any."""
        return self._of_any_seed.get(drive) if seed is None else self._of_seed.get((drive, seed))


def _set_aside(source: Source, drives: Sequence[_Drive], originals: _Holders) -> Note | None:
    kept: list[tuple[int, ScoredRoute]] = []
    repeated: dict[str, None] = {}
    for claim, drive in zip(source.records, drives, strict=True):
        original = originals.first(drive, source.seed)
        if original is None:
            kept.append(claim)
        else:
            repeated[original.name] = None
    count = len(source.records) - len(kept)
    if not count:
        return None
    text = f"repeats {count} of its {len(source.records)} records from {named(repeated)}; those are not counted twice"
    source.records = kept
    return Note(file=source.name, text=text, records=count)


def _is_merged_by_content(source: Source, drives: Sequence[_Drive], smallest: _Holders) -> bool:
    size = len(source.records)
    holders = (smallest.first(drive, source.seed) for drive in drives)
    return size > 1 and all(holder is not None and len(holder.records) < size for holder in holders)


def resolve(sources: Sequence[Source], on_duplicate: OnDuplicate) -> list[Note]:
    """Leave one record per drive.

    Raises:
        DuplicateError: two records are the same drive and nothing says which one counts, or both files are of the
            same time when the newest shall count.
    """
    if on_duplicate is OnDuplicate.ALL:
        return []
    claims: dict[DriveKey, list[_Claim]] = defaultdict(list)
    for source in sources:
        for position, route in source.records:
            claims[source.key(route)].append((source, position, route))
    contested = {key: found for key, found in claims.items() if len(found) > 1}
    if contested and on_duplicate is OnDuplicate.ERROR:
        raise _duplicate_error(contested, "")
    losers: dict[Source, list[tuple[int, Source]]] = defaultdict(list)
    for key, found in contested.items():
        winner, winning = _winner(key, found, on_duplicate)
        for source, position, _ in found:
            if (source, position) != (winner, winning):
                losers[source].append((position, winner))
    return [_note_losers(source, lost, on_duplicate) for source, lost in losers.items()]


def _winner(key: DriveKey, found: list[_Claim], on_duplicate: OnDuplicate) -> tuple[Source, int]:
    if on_duplicate is OnDuplicate.FIRST:
        return min(((source, position) for source, position, _ in found), key=lambda claim: (claim[0].order, claim[1]))
    newest_s = max(source.modified_s for source, _, _ in found)
    latest = [claim for claim in found if claim[0].modified_s == newest_s]
    if len({claim[0] for claim in latest}) > 1:
        raise _duplicate_error({key: latest}, " of the same time")
    # Within one file the later record was driven later.
    return max(((source, position) for source, position, _ in latest), key=lambda claim: claim[1])


def _note_losers(source: Source, lost: list[tuple[int, Source]], on_duplicate: OnDuplicate) -> Note:
    positions = {position for position, _ in lost}
    source.records = [claim for claim in source.records if claim[0] not in positions]
    winners = named(dict.fromkeys(winner.name for _, winner in lost))
    text = f"replaced by the {on_duplicate} of each drive, in {winners}: {len(lost)} records"
    return Note(file=source.name, text=text, records=len(lost))


def _duplicate_error(contested: dict[DriveKey, list[_Claim]], detail: str) -> DuplicateError:
    # By name and not as met, so that the text does not depend on the order of the paths.
    texts = sorted(_contest(key, found) for key, found in contested.items())
    more = f" ({len(texts)} such drives)" if len(texts) > 1 else ""
    return DuplicateError(
        f"found two results{detail} of {texts[0]}{more}, expected one",
        hint="--on-duplicate newest or --on-duplicate first chooses, or give only the files that count",
    )


def _contest(key: DriveKey, found: Iterable[_Claim]) -> str:
    seed = "unknown seed" if key.seed is None else f"seed {key.seed}"
    benchmark = f"{key.benchmark} " if key.benchmark else ""
    places = sorted((source.name, position, source.sha256, route) for source, position, route in found)
    text = " and ".join(f"{shown(name)} record {position}" for name, position, *_ in places[:2])
    same_file = len({digest for _, _, digest, _ in places}) == 1 and len({name for name, *_ in places}) > 1
    detail = ", files with the same content" if same_file else ""
    if not detail and all(route == places[0][3] for *_, route in places):
        detail = ", records with the same content"
    return f"{benchmark}route {key.xml_id} repetition {key.repetition} {seed}: {text}{detail}"
