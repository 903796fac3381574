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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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

    def repeats(self, other: Source) -> bool:
        """Tell whether a record here may be a copy of an equal one there."""
        return self is not other and self.benchmark == other.benchmark and self.seed in (None, other.seed)


_Claim = tuple[Source, int, ScoredRoute]


def set_merged_aside(sources: Sequence[Source]) -> list[Note]:
    """Take from merged files what other files hold too, and say so."""
    if all(len(source.records) < 2 and source.kind is not FileKind.MERGED for source in sources):
        return []
    by_route: dict[tuple[str, int], list[_Claim]] = defaultdict(list)
    for source in sources:
        for position, route in source.records:
            by_route[route.xml_id, route.repetition].append((source, position, route))
    for source in sources:
        if source.kind is FileKind.CHECKPOINT and _is_merged_by_content(source, by_route):
            source.kind = FileKind.MERGED
    notes = []
    for source in sources:
        if source.kind is FileKind.MERGED and (note := _set_aside(source, by_route)) is not None:
            notes.append(note)
    return notes


def _set_aside(source: Source, by_route: dict[tuple[str, int], list[_Claim]]) -> Note | None:
    kept: list[tuple[int, ScoredRoute]] = []
    repeated: dict[str, None] = {}
    for position, route in source.records:
        original = next(
            (
                other
                for other, _, same in by_route[route.xml_id, route.repetition]
                if other.kind is not FileKind.MERGED and source.repeats(other) and same == route
            ),
            None,
        )
        if original is None:
            kept.append((position, route))
        else:
            repeated[original.name] = None
    count = len(source.records) - len(kept)
    if not count:
        return None
    text = f"repeats {count} of its {len(source.records)} records from {named(repeated)}; those are not counted twice"
    source.records = kept
    return Note(file=source.name, text=text, records=count)


def _is_merged_by_content(source: Source, by_route: dict[tuple[str, int], list[_Claim]]) -> bool:
    size = len(source.records)
    return size > 1 and all(
        any(
            len(other.records) < size and source.repeats(other) and same == route
            for other, _, same in by_route[route.xml_id, route.repetition]
        )
        for _, route in source.records
    )


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
