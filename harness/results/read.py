"""Reads result files: the entry to this package."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.results import run_files
from harness.results.copies import seed_problems
from harness.results.duplicates import Source, resolve, set_merged_aside
from harness.results.names import named_seed, natural, numbered_folder
from harness.results.openings import Refused
from harness.results.parsing import Content, parse, problem
from harness.results.result_set import (
    DriveKey,
    FileKind,
    Note,
    OnDuplicate,
    Problem,
    ProblemKind,
    ReadRecord,
    ResultFile,
    ResultSet,
    named,
)
from harness.results.walking import Account, RawFile, Walk

_WITH_RECORDS = (FileKind.CHECKPOINT, FileKind.SHARD, FileKind.ROUTE, FileKind.MERGED, FileKind.UNIT)


@dataclass(kw_only=True)
class _Draft:
    """A file before it is decided what counts; its bytes are gone."""

    raw: RawFile
    content: Content
    source: Source
    found: int


def read_results(
    paths: Iterable[Path], *, benchmark: str = "", on_duplicate: OnDuplicate = OnDuplicate.ERROR
) -> ResultSet:
    """Read every result file below some paths.

    Layouts are recognised by content: checkpoints of evaluators, one or several routes each, merged files, folders of
    our own runs; loose, in folders at any depth, or in .tar, .tar.gz and .tgz archives. What is damaged is a problem
    in the answer and hinders nothing else.

    Args:
        paths: files, folders and archives.
        benchmark: which the files belong to, if the caller knows; files of our own runs say it themselves.
        on_duplicate: which of two results of the same drive counts.

    Raises:
        ConfigError: a path does not exist.
        DuplicateError: two results of the same drive.
    """
    walk = Walk()
    drafts: list[_Draft] = []
    planned: list[DriveKey] = []
    for raw in walk.files(list(paths)):
        if raw.path.name == run_files.MANIFEST and not raw.member:
            drafts.append(_manifest(raw, planned, walk.account, len(drafts)))
        else:
            drafts.append(_draft(raw, benchmark, walk.account, len(drafts)))
        raw.data = None
    _give_numbered_seeds(drafts)
    sources = [draft.source for draft in drafts if draft.source.records]
    notes = [*walk.account.notes, *_notes_on_meta(drafts)]
    notes += set_merged_aside(sources)
    _tell_shards(drafts)
    replaced = resolve(sources, on_duplicate)
    walk.account.problems += seed_problems(sources)
    return _result_set(drafts, walk.account, [*notes, *replaced], sum(note.records for note in replaced), planned)


def _draft(raw: RawFile, benchmark: str, account: Account, order: int) -> _Draft:
    content = Content(kind=FileKind.UNREADABLE) if raw.data is None else parse(raw.data, raw.name, _file_name(raw))
    account.problems += content.problems
    if content.kind is FileKind.OTHER and raw.is_asked_for:
        refused = Refused(ProblemKind.MALFORMED, "JSON without _checkpoint", "a result file")
        account.refuse(raw.name, refused)
    own = content.own
    folders = [*raw.parts[:-1], raw.parts[-1].removesuffix(".json")] if raw.parts else []
    source = Source(
        name=raw.name,
        order=order,
        kind=content.kind,
        benchmark=own.suite or benchmark,
        seed=named_seed(folders) if own.seed is None else own.seed,
        sha256="" if raw.data is None else hashlib.sha256(raw.data).hexdigest(),
        modified_s=raw.modified_s,
        records=content.records,
    )
    return _Draft(raw=raw, content=content, source=source, found=len(content.records))


def _manifest(raw: RawFile, planned: list[DriveKey], account: Account, order: int) -> _Draft:
    content = Content(kind=FileKind.MANIFEST)
    try:
        units = run_files.planned_units(raw.data or b"")
        content.planned = len(units)
        planned += units
    except Refused as error:
        content.kind = FileKind.UNREADABLE
        account.problems.append(problem(raw.name, error))
    digest = hashlib.sha256(raw.data or b"").hexdigest()
    source = Source(
        name=raw.name,
        order=order,
        kind=content.kind,
        benchmark="",
        seed=None,
        sha256=digest,
        modified_s=raw.modified_s,
    )
    return _Draft(raw=raw, content=content, source=source, found=0)


def _file_name(raw: RawFile) -> str:
    return raw.parts[-1] if raw.parts else raw.path.name


def _give_numbered_seeds(drafts: Sequence[_Draft]) -> None:
    """Take folders named ``1``, ``2`` for seeds, unless they are named after the one route in them."""
    by_folder: dict[tuple[str, ...], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        # The folder of a metric info is named after a drive.
        folders = draft.raw.parts[: -2 if draft.source.kind is FileKind.METRIC_INFO else -1]
        if (place := numbered_folder(folders)) is not None:
            by_folder[folders[: place + 1]].append(draft)
    for folders, inside in by_folder.items():
        number = int(folders[-1])
        unknown = [draft for draft in inside if draft.source.seed is None]
        routes = {route.xml_id for draft in unknown for _, route in draft.source.records}
        if routes == {folders[-1]} or routes == {str(number)}:
            continue
        has_other = any(draft.source.records and draft.source.seed not in (None, number) for draft in inside)
        for draft in unknown:
            if not (has_other and draft.source.kind is FileKind.METRIC_INFO):
                draft.source.seed = number


def _tell_shards(drafts: Sequence[_Draft]) -> None:
    """Several checkpoints in one folder with one seed are the shards of an evaluation."""
    by_folder: dict[tuple[Path, tuple[str, ...], int | None], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.source.kind is FileKind.CHECKPOINT:
            folder = draft.raw.path if draft.raw.member else draft.raw.path.parent
            by_folder[folder, draft.raw.parts[:-1], draft.source.seed].append(draft)
    for inside in by_folder.values():
        if len(inside) > 1:
            for draft in inside:
                draft.source.kind = FileKind.SHARD


def _notes_on_meta(drafts: Sequence[_Draft]) -> list[Note]:
    return [
        Note(file=draft.raw.name, text=f"records without meta, their lengths are 0: {draft.content.without_meta}")
        for draft in drafts
        if draft.content.without_meta
    ]


def _result_set(
    drafts: Sequence[_Draft], account: Account, notes: list[Note], replaced: int, planned: Sequence[DriveKey]
) -> ResultSet:
    files = tuple(_file(draft, account) for draft in drafts)
    records = [
        ReadRecord(route=route, file=file, position=position)
        for draft, file in zip(drafts, files, strict=True)
        for position, route in draft.source.records
    ]
    records.sort(key=_drive_order)
    problems = list(account.problems)
    if not any(file.kind in _WITH_RECORDS or file.kind is FileKind.UNREADABLE for file in files) and not problems:
        problems.append(_no_results(files, account.never_opened))
    return ResultSet(
        records=tuple(records),
        files=files,
        problems=tuple(problems),
        notes=tuple(notes),
        replaced=replaced,
        never_opened=dict(sorted(account.never_opened.items())),
        planned_units=tuple(dict.fromkeys(planned)),
    )


def _file(draft: _Draft, account: Account) -> ResultFile:
    raw, content, source = draft.raw, draft.content, draft.source
    return ResultFile(
        name=raw.name,
        path=raw.path,
        member=raw.member,
        kind=source.kind,
        sha256=source.sha256,
        size_bytes=raw.size_bytes,
        modified_s=raw.modified_s,
        benchmark=source.benchmark,
        seed=source.seed,
        done=content.done,
        planned=content.planned,
        entry_status=content.entry_status,
        found=draft.found,
        refused=content.refused,
        counted=len(source.records),
        attempts=len(account.attempts.get(raw.folder, ())),
        agent=content.own.agent,
        rule_version=content.own.rule_version,
        stated=content.stated,
    )


def _drive_order(record: ReadRecord) -> tuple[object, ...]:
    route, file = record.route, record.file
    seed = (file.seed is not None, file.seed or 0)
    return (file.benchmark, *seed, natural(route.xml_id), route.repetition, file.name, record.position)


def _no_results(files: Sequence[ResultFile], never_opened: Counter[str]) -> Problem:
    others = [f"{count} {suffix or 'without suffix'}" for suffix, count in never_opened.most_common()]
    looked = [f"{len(files)} .json of other kinds"] if files else []
    return Problem(
        kind=ProblemKind.NO_RESULTS,
        file="the given paths",
        found=f"no result file ({named([*looked, *others], at_most=5)})" if looked or others else "no file",
        expected="JSON with _checkpoint and records, loose or in .tar, .tar.gz, .tgz",
    )
