"""Checks one recorded route of a dataset: its name, its record and all its frames.

Frames are read without running anything that stands in them. A defect that many frames share is told once, with the
first of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datatypes.infraction import InfractionKind
from harness.errors import HarnessError
from harness.jobs.publish import read_json
from harness.record.frame_check import (
    Finding,
    boxes_findings,
    following_findings,
    frame_findings,
    length_findings,
    meta_findings,
)
from harness.record.pickles import read_pickle
from harness.record.recorder import BOXES, METAS, RESULTS
from harness.results.own_result import result_problem

ROUTE_NAME = re.compile(r"(?P<town>[\w.-]+?)_Rep(?P<rep>-?\d+)_(?P<route>.+_route\d+)_(?P<time>\d\d(?:_\d\d){4})")
_FRAME_NAME = re.compile(r"\d{4,}\.pkl")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong with a file or folder.

    Attributes:
        more: how many more files of the same folder show the same.
    """

    file: str
    found: str
    expected: str
    more: int = 0

    def __str__(self) -> str:
        more = f" (and {self.more} more files)" if self.more else ""
        return f"{self.file}: found {self.found}, expected {self.expected}{more}"


def problem_at(root: Path, file: Path, finding: Finding) -> Problem:
    """Return what is wrong with a file below a root."""
    return Problem(file=file.relative_to(root).as_posix(), found=finding.found, expected=finding.expected)


def check_route(work: tuple[Path, Path]) -> tuple[int, list[Problem]]:
    """Return the number of frames of a route and what is wrong with it."""
    root, folder = work
    problems = []
    if not (folder / RESULTS).is_file():
        problems.append(problem_at(root, folder / RESULTS, Finding("no such file", "the record of the route")))
    else:
        _, findings = read_record(folder)
        problems += [problem_at(root, folder / RESULTS, finding) for finding in findings]
    names, number_problems = _frame_names(root, folder)
    return len(names), problems + number_problems + _frame_problems(root, folder, names)


def read_record(folder: Path) -> tuple[Any, list[Finding]]:
    """Return the record of a route, None if it is unusable, and what is wrong with it."""
    try:
        record = read_json(folder / RESULTS)
    except HarnessError as error:
        return None, [Finding(unreadable(folder / RESULTS, error), "the record of the route")]
    if reason := result_problem({"_checkpoint": {"records": [record]}}):
        return None, [Finding(f"a file that {reason}", "a record of the Leaderboard")]
    texts = [record["infractions"][kind.value] for kind in InfractionKind]
    count = record.get("num_infractions")
    if type(count) is not int or count != sum(map(len, texts)):
        found = f"num_infractions {str(count)[:40]} for {sum(map(len, texts))} infractions"
        return None, [Finding(found, "their number")]
    findings = []
    match, name = ROUTE_NAME.fullmatch(folder.name), str(record.get("route_id"))
    if not name.startswith("RouteScenario_"):
        findings.append(Finding(f"route_id {name[:60]!r}", "RouteScenario_<id>_rep<n>"))
    elif match and match["rep"] != "-1" and not name.endswith(f"_rep{match['rep']}"):
        findings.append(Finding(f"route_id {name[:60]!r}", f"repetition {match['rep']}"))
    return record, findings


def unreadable(file: Path, error: HarnessError) -> str:
    """Return what is wrong with a JSON file, without its name."""
    text = error.message.removeprefix(f"file {file} ").removeprefix(f"cannot read {file}: ")
    return f"a file that cannot be read: {text.removesuffix(', expected JSON')}"


def _frame_names(root: Path, folder: Path) -> tuple[list[str], list[Problem]]:
    """Return the frames that have both a meta and boxes, and what is wrong with the numbering."""
    problems: list[Problem] = []
    present: dict[str, set[str]] = {}
    for kind in (METAS, BOXES):
        place = folder / kind
        present[kind] = set()
        if not place.is_dir():
            problems.append(problem_at(root, place, Finding("no such folder", "frames")))
            continue
        for entry in sorted(place.iterdir()):
            if _FRAME_NAME.fullmatch(entry.name) and entry.is_file():
                present[kind].add(entry.name)
            else:
                problems.append(problem_at(root, entry, Finding("another name", "frames 0000.pkl, 0001.pkl, ...")))
    count = max(map(len, present.values()))
    wanted = [f"{number:04d}.pkl" for number in range(count)]
    for kind, names in present.items():
        missing = [name for name in wanted if name not in names]
        if missing and (folder / kind).is_dir():
            finding = Finding(f"{len(names)} frames without {missing[0]}", f"{count} without a gap")
            problems.append(problem_at(root, folder / kind, finding))
    if not count:
        problems.append(problem_at(root, folder, Finding("no frame", "one at least")))
    return sorted(present[METAS] & present[BOXES], key=lambda name: int(name[:-4])), problems


def _frame_problems(root: Path, folder: Path, names: list[str]) -> list[Problem]:
    tally = _Tally(root)
    match = ROUTE_NAME.fullmatch(folder.name)
    count = int(names[-1][:-4]) + 1 if names else 0
    before: tuple[int, Any, Any] | None = None
    for name in names:
        number, meta_file, boxes_file = int(name[:-4]), folder / METAS / name, folder / BOXES / name
        meta, meta_found = _read_frame(meta_file)
        boxes, boxes_found = _read_frame(boxes_file)
        meta_found = meta_found or meta_findings(meta)
        boxes_found = boxes_found or boxes_findings(boxes)
        tally.add(boxes_file, boxes_found)
        if meta_found or boxes_found:
            tally.add(meta_file, meta_found)
            before = None
            continue
        meta_found = frame_findings(meta, boxes) + length_findings(meta, number, count)
        for key, wanted in (("scenario", folder.parent.name), ("town", match["town"] if match else meta["town"])):
            if meta[key] != wanted:
                meta_found.append(Finding(f"{key} {meta[key][:60]!r}", f"{wanted!r} as in the path"))
        tally.add(meta_file, meta_found)
        if before is not None and before[0] == number - 1:
            previous = folder / METAS / f"{number - 1:04d}.pkl"
            tally.add(previous, following_findings(before[1], before[2], meta, boxes))
        before = (number, meta, boxes)
    return tally.problems()


def _read_frame(file: Path) -> tuple[Any, list[Finding]]:
    try:
        return read_pickle(file), []
    except HarnessError as error:
        text = error.message.removeprefix(f"cannot read {file}: ")
        return None, [Finding(text.removeprefix("found "), "a readable frame")]


class _Tally:
    """Problems of the frames of a route, those that say the same counted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first: dict[tuple[Path, Finding], Path] = {}
        self._counts: Counter[tuple[Path, Finding]] = Counter()

    def add(self, file: Path, findings: Iterable[Finding]) -> None:
        """Note what is wrong with a file."""
        for finding in findings:
            key = (file.parent, finding)
            self._first.setdefault(key, file)
            self._counts[key] += 1

    def problems(self) -> list[Problem]:
        """Return each problem once."""
        return [
            Problem(
                file=file.relative_to(self._root).as_posix(),
                found=finding.found,
                expected=finding.expected,
                more=self._counts[folder, finding] - 1,
            )
            for (folder, finding), file in self._first.items()
        ]
